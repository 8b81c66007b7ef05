# One target for each thing that a person does. Each makes its own virtual environment if there is none.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && \
	echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
# Tests that a library underneath could break: what `make test-lowest` runs.
CORE := tests/wire/test_vectors.py tests/transport tests/security/test_encrypted.py tests/security/test_elsewhere.py \
	tests/security/test_crash_reports.py tests/testing/test_library_contract.py tests/testing/test_tokens.py \
	tests/test_cache.py tests/test_operations.py tests/test_recovery.py tests/test_strict_json.py
# The same of the command line and the terminal interface, of which typer, rich and textual are underneath.
SHOWN := tests/cli/test_help.py tests/tui/test_contracts.py tests/tui/test_plain.py
LOWEST := .venv-lowest
VERSIONS := .venv-versions

.PHONY: help demo demo-fleet test test-slow-path test-lowest test-versions fuzz lock soak chaos lint types generate docs pictures bench bench-fleet bench-quick build clean

help: ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 16

$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; install it, or say make PYTHON=/path/to/python"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: 'atheris>=3.0' 2>/dev/null || \
		echo "atheris has no wheel for this Python or machine: what is fuzzed in CI is skipped here"
	@touch $@

demo: $(READY) ## a patient and a doctor exchange messages, live, on the embedded server
	@$(BIN)/messaging-client demo

test: $(READY) ## the tests, in two processes, with coverage
	@$(BIN)/python -m tests.interop.node_process
	$(BIN)/coverage erase
	$(MAKE) --no-print-directory --jobs 2 --keep-going --output-sync=target test-part-1 test-part-2
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

test-part-%: $(READY)
	@# Coverage is started before pytest, whose plugins import the package.
	$(BIN)/coverage run -m pytest --quiet --durations=10 --part $*/2 --override-ini cache_dir=.pytest_cache/part-$*

test-slow-path: $(READY) ## the core of the tests, with every frame on python-socketio's own way
	MESSAGING_CLIENT_FAST_PATH=0 $(BIN)/python -m pytest --quiet $(CORE) tests/interop/test_node_server.py

$(LOWEST)/.ready $(VERSIONS)/.ready: $(READY) pyproject.toml
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(@D)
	$(BIN)/uv pip compile --quiet --no-header --no-annotate --resolution lowest-direct --extra tui \
		--python $(BIN)/python pyproject.toml --output-file $(@D)/lowest.txt
	$(BIN)/uv pip install --quiet --python $(@D)/bin/python --constraint $(@D)/lowest.txt --editable '.[tui]' \
		pytest pytest-asyncio pytest-timeout hypothesis trustme psutil
	@touch $@

test-lowest: $(LOWEST)/.ready ## the core of the tests, on the lowest versions of every library that pyproject.toml allows
	@grep -E '^(aiohttp|cachetools|httpx|pydantic|pyjwt|python-socketio|rich|textual|typer|uvicorn)==' $(LOWEST)/lowest.txt
	$(LOWEST)/bin/python -m pytest -p no:cacheprovider --quiet $(CORE) $(SHOWN)

test-versions: $(VERSIONS)/.ready ## the same on every version of python-socketio, httpx and pydantic, from the lowest to the newest
	$(BIN)/python tools/every_version.py $(VERSIONS) $(CORE)

fuzz: $(READY) ## search for inputs that break a reader, for SECONDS=600; what is found to be new goes into .fuzz
	@mkdir -p .fuzz
	$(BIN)/python -W ignore -m tests.fuzz .fuzz -max_total_time=$(or $(SECONDS),600) -timeout=5 -rss_limit_mb=1024 \
		-max_len=4096 -artifact_prefix=.fuzz/ -print_final_stats=1

lock: $(READY) ## the versions that the project is developed with, with hashes, into requirements-dev.lock
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-emit-package messaging-client --extra dev --extra fuzz --extra bench pyproject.toml --output-file requirements-dev.lock

soak: $(READY) ## what takes long: waits of 15 seconds and more, hundreds of cycles, all tests without the fast path
	$(BIN)/python -m pytest -m soak --timeout 1800
	MESSAGING_CLIENT_FAST_PATH=0 $(BIN)/python -m pytest
	$(MAKE) test-versions

demo-fleet: $(READY) ## relays and workers on a real NATS server; one of each is killed, and no message is lost or doubled
	$(BIN)/python -m tests.fleet --demo

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

pictures: $(READY) ## the pictures of the terminal interface in docs/pictures, drawn by the interface itself
	$(BIN)/python tools/chat_pictures.py

$(VENV)/.bench: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,bench]'
	@touch $@

bench: $(VENV)/.bench ## benchmarks against what a user would take instead, into docs/performance.md; ARGS="inbound sends" for some
	$(BIN)/python -m benchmarks --write $(ARGS)

bench-fleet: $(READY) ## relays and workers on NATS: one worker and four, and what a relay adds
	$(BIN)/python -m benchmarks.fleet $(ARGS)

bench-quick: $(READY) ## small amounts of every benchmark, to see that they work; no figures to quote
	$(BIN)/python -m benchmarks --quick $(ARGS)
	$(BIN)/python -m benchmarks.fleet --rounds 1 --messages 40

build: $(READY) ## wheel and sdist, into dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean: ## remove what the other targets made
	rm -rf $(VENV) $(LOWEST) $(VERSIONS) .fuzz tests/interop/node_modules site dist build .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
