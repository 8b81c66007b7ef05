"""The package as others get it: what the wheel and the sdist hold, and that the wheel works by itself."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import messaging_client

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(ROOT)], check=True, stdin=subprocess.DEVNULL)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "messaging_client/py.typed" in names
    assert "messaging_client/tui/chat.tcss" in names  # the looks of the terminal interface
    assert {name.split("/")[0] for name in names} == {
        "messaging_client",
        f"messaging_client-{messaging_client.__version__}.dist-info",
    }
    # Nothing that a test, an editor or a run has left: sources, the mark of typing, and what a wheel has to have.
    assert not [
        name
        for name in names
        if "__pycache__" in name or not re.search(r"\.py$|py\.typed$|/chat\.tcss$|dist-info/", name)
    ]


def test_the_metadata_says_what_is_true(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    folder = f"messaging_client-{messaging_client.__version__}.dist-info"
    metadata = archive.read(f"{folder}/METADATA").decode()
    assert f"Version: {messaging_client.__version__}\n" in metadata
    assert "Requires-Python: >=3.11" in metadata
    for extra in ("server", "cli", "tui", "dev"):
        assert f"Provides-Extra: {extra}\n" in metadata
    entry_points = archive.read(f"{folder}/entry_points.txt").decode()
    assert "messaging-client = messaging_client.cli.main:run" in entry_points
    assert "messaging_client = messaging_client.testing.plugin" in entry_points


def test_every_bound_is_one_that_is_tested() -> None:
    """The lock holds what the project asks for, within its bounds, with hashes, and no address of a registry."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    lock = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8")
    assert not re.search(r"://|--(extra-)?index|--find-links|--trusted|@ |/home|/work|/opt", lock)
    pinned: dict[str, set[str]] = {}
    for name, version, rest in re.findall(r"^([\w.-]+)==([\w.]+)((?:.*\\\n)*.*)", lock, re.MULTILINE):
        pinned.setdefault(name.lower(), set()).add(version)
        assert "--hash=sha256:" in rest, name
    for line in lock.splitlines():
        assert re.match(r"[\w.-]+==|    --hash=sha256:[0-9a-f]{64}", line), line
    for given in (*project["dependencies"], *(each for extra in extras.values() for each in extra)):
        requirement = Requirement(given)
        if requirement.name != "messaging-client":
            assert pinned[requirement.name.lower()], requirement
            assert all(requirement.specifier.contains(version) for version in pinned[requirement.name.lower()]), given
    for given in project["dependencies"]:
        assert any(each.operator == ">=" for each in Requirement(given).specifier), given


def test_the_sdist_builds_from_the_tree(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import hatchling.build, sys; print(hatchling.build.build_sdist(sys.argv[1]))"]
    done = subprocess.run(
        [*command, str(tmp_path)], cwd=ROOT, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    with tarfile.open(tmp_path / done.stdout.strip()) as archive:
        names = archive.getnames()
    prefix = f"messaging_client-{messaging_client.__version__}"
    for needed in (
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "messaging_client/py.typed",
        "tests/vectors/messages.json",
    ):
        assert f"{prefix}/{needed}" in names


def test_the_wheel_alone_is_importable(wheel: Path, tmp_path: Path) -> None:
    """With the dependencies of the core and no extra: neither server nor command line gets in the way."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv/bin/python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel)],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    program = (
        "import importlib.util, messaging_client as m\n"
        "assert importlib.util.find_spec('uvicorn') is None\n"
        "m.MessagingClient(token='eyJhbGciOiJIUzI1NiJ9.eyJpZCI6NSwicm9sZSI6InBhdGllbnQifQ.c2ln')\n"
        "try:\n"
        "    from messaging_client.testing import MessagingServer\n"
        "except ImportError as error:\n"
        "    assert 'messaging-client[server]' in str(error), error\n"
        "else:\n"
        "    raise SystemExit('the server should be missing')\n"
    )
    subprocess.run([python, "-W", "error", "-c", program], check=True, cwd=tmp_path, stdin=subprocess.DEVNULL)
    refused = subprocess.run(
        [tmp_path / "venv/bin/messaging-client"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert refused.returncode == 1
    assert 'pip install "messaging-client[cli]"' in refused.stderr
