"""The core of the tests on every version of the libraries underneath that pyproject.toml allows.

    python tools/every_version.py ENVIRONMENT TESTS...

ENVIRONMENT is a virtual environment in which everything that the tests need is installed (`make test-versions` makes
one). The first run has the lowest version of each library, the next one the second lowest, and so on; a library that
has fewer versions than another stays at its newest. The exit status is 1 if a run failed.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from itertools import zip_longest
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

LIBRARIES = ("python-socketio", "httpx", "pydantic")
_PROJECT = Path(__file__).parent.parent / "pyproject.toml"


def allowed(library: str) -> list[Version]:
    """Give the released versions within the bounds, the lowest first."""
    wanted = tomllib.loads(_PROJECT.read_text())["project"]["dependencies"]
    (bounds,) = (each.specifier for each in map(Requirement, wanted) if each.name == library)
    told = subprocess.run(
        [sys.executable, "-m", "pip", "index", "versions", library], check=True, capture_output=True, text=True
    ).stdout
    found = re.search(r"^Available versions: (.*)$", told, re.MULTILINE)
    assert found is not None, told
    return sorted(each for each in map(Version, found[1].split(", ")) if bounds.contains(each))


def main() -> int:
    """Test all; gives the exit status."""
    python = Path(sys.argv[1]) / "bin" / "python"
    of_each = [allowed(library) for library in LIBRARIES]
    failed = []
    for versions in zip_longest(*of_each):
        pins = [
            f"{library}=={version or known[-1]}"
            for library, version, known in zip(LIBRARIES, versions, of_each, strict=True)
        ]
        print(" ".join(pins), flush=True)
        install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python), *pins]
        test = [str(python), "-m", "pytest", "-p", "no:cacheprovider", "--quiet", "--no-header", *sys.argv[2:]]
        for command in (install, test):
            if subprocess.run(command, check=False).returncode:
                failed.append(" ".join(pins))
                break
    print(f"{max(map(len, of_each))} runs, {len(failed)} failed", *failed, sep="\n  ")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
