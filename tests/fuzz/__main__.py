"""`python -m tests.fuzz [libFuzzer's options]`: a coverage-guided search for an input that breaks a reader.

What it finds to be worth keeping goes into a folder of its own (the first argument); the corpus of the repository is
read only.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["messaging_client"]):
    from tests.fuzz.target import one_input

CORPUS = Path(__file__).parent / "corpus"

if __name__ == "__main__":
    given = sys.argv[1:]
    folders = [each for each in given if not each.startswith("-")]
    options = [each for each in given if each.startswith("-")]
    atheris.Setup([sys.argv[0], *options, *folders, str(CORPUS)], one_input)
    atheris.Fuzz()
