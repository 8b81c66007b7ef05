# One target for each thing that a person does. Each makes its own virtual environment if there is none.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && \
	echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test soak chaos lint types generate docs bench build clean

help: ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 16

$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; install it, or say make PYTHON=/path/to/python"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(READY) ## a patient and a doctor exchange messages, live, on the embedded server
	@$(BIN)/messaging-client demo

test: $(READY) ## the tests, with coverage
	@$(BIN)/python -m tests.interop.node_process
	$(BIN)/coverage erase
	@# Started before pytest, whose plugins import the package.
	$(BIN)/coverage run -m pytest --durations=10
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

soak: $(READY) ## what takes long: waits of 15 seconds and more, hundreds of cycles
	$(BIN)/python -m pytest -m soak --timeout 1800

chaos: $(READY) ## storms of sends, with clients and servers killed; ARGS="--seed 1 --messages 1000"
	$(BIN)/python -m tests.chaos $(ARGS)

lint: $(READY) ## style, formatting, and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(READY) ## strict type check
	$(BIN)/mypy

generate: $(READY) ## the blocking client, from the asynchronous one
	$(BIN)/python tools/generate_sync.py

docs: $(READY) ## the documentation, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(READY) ## benchmarks against what a user would take instead
	$(BIN)/python -m benchmarks

build: $(READY) ## wheel and sdist, into dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean: ## remove what the other targets made
	rm -rf $(VENV) tests/interop/node_modules site dist build .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
