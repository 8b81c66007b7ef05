"""The corpus, input by input; and a coverage-guided search that goes on from it, for a while."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from fuzz.target import one_input

ROOT = Path(__file__).parents[2]
CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())
SECONDS = int(os.environ.get("FUZZ_SECONDS", "20"))


def test_there_is_a_corpus() -> None:
    assert len(CORPUS) > 50


@pytest.mark.parametrize("seed", CORPUS, ids=lambda path: path.name)
def test_an_input_of_the_corpus(seed: Path) -> None:
    with warnings.catch_warnings(record=True):
        one_input(seed.read_bytes())


@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="NOT FUZZED: atheris is not installed, for it has no wheel for this Python or machine (pip install .[fuzz])",
)
def test_nothing_is_found_in_a_while(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "tests.fuzz", str(tmp_path), f"-max_total_time={SECONDS}"]
    options = [
        "-timeout=5",
        "-rss_limit_mb=1024",
        "-max_len=4096",
        f"-artifact_prefix={tmp_path}/",
        "-print_final_stats=1",
    ]
    done = subprocess.run(
        [*command, *options], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS + 90, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    tried = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    assert tried is not None, done.stderr[-4000:]
    assert int(tried[1]) > 1000
    print(f"fuzz executions: {tried[1]} in {SECONDS} s")  # noqa: T201 - seen with -s, and in the documentation
