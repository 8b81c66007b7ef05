"""The package as others get it: what the wheel and the sdist hold, and that the wheel works by itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent


def version_of(built: Path) -> str:
    return built.name.split("-")[1]


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
        f"messaging_client-{version_of(wheel)}.dist-info",
    }
    assert f"messaging_client-{version_of(wheel)}.dist-info/licenses/LICENSE" in names
    # Nothing that a test, an editor or a run has left: sources, the mark of typing, and what a wheel has to have.
    assert not [
        name
        for name in names
        if "__pycache__" in name or not re.search(r"\.py$|py\.typed$|/chat\.tcss$|dist-info/", name)
    ]


def test_the_metadata_says_what_is_true(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    folder = f"messaging_client-{version_of(wheel)}.dist-info"
    metadata = archive.read(f"{folder}/METADATA").decode()
    assert f"Version: {version_of(wheel)}\n" in metadata
    assert "Requires-Python: >=3.11" in metadata
    for needed in ("License-Expression: MIT", "License-File: LICENSE", "Classifier: Typing :: Typed", "Keywords: "):
        assert needed in metadata
    assert "Description-Content-Type: text/markdown\n" in metadata
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


def build(kind: str, source: Path, target: Path, *, path: str | None = None) -> Path:
    """Build an sdist or a wheel as a build frontend would, in `source`; gives the file."""
    command = [sys.executable, "-c", "import hatchling.build as b, sys; print(getattr(b, sys.argv[1])(sys.argv[2]))"]
    environment = os.environ if path is None else {**os.environ, "PATH": path}
    done = subprocess.run(
        [*command, f"build_{kind}", str(target)],
        cwd=source,
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return target / done.stdout.splitlines()[-1]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What a package is built from, in a folder of its own, outside of git."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for name in (*wanted["tool"]["hatch"]["build"]["targets"]["sdist"]["include"], "pyproject.toml", ".gitignore"):
        source, target = ROOT / name, tmp_path / "tree" / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "_built.py", "node_modules", ".*_cache")
            shutil.copytree(source, target, ignore=ignored)
        else:
            target.parent.mkdir(exist_ok=True)
            shutil.copy(source, target)
    return tmp_path / "tree"


def tag(tree: Path, *names: str) -> None:
    """Commit a tree and give it tags."""
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    commit = [*who, "commit", "--quiet", "--no-verify", "--message", "x"]
    for arguments in (["init", "--quiet"], ["add", "--all"], commit, *(["tag", name] for name in names)):
        subprocess.run(["git", *arguments], cwd=tree, check=True, stdin=subprocess.DEVNULL)


def test_the_version_is_the_tag_and_an_sdist_carries_it_along(tree: Path, tmp_path: Path) -> None:
    tag(tree, "v9.8.7")
    sdist = build("sdist", tree, tmp_path)
    assert sdist.name == "messaging_client-9.8.7.tar.gz"
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
        archive.extractall(tmp_path, filter="data")
    source = tmp_path / "messaging_client-9.8.7"
    for needed in (
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "messaging_client/py.typed",
        "examples/bot_echo.py",
        "tests/vectors/messages.json",
    ):
        assert f"{source.name}/{needed}" in names
    built = build("wheel", source, tmp_path, path="/nonexistent")  # where there is no git
    assert built.name == "messaging_client-9.8.7-py3-none-any.whl"
    assert "version = '9.8.7'" in zipfile.ZipFile(built).read("messaging_client/_built.py").decode()


def test_a_commit_after_a_tag_counts_on(tree: Path, tmp_path: Path) -> None:
    tag(tree, "v9.8.7")
    (tree / "CHANGELOG.md").write_text("more")
    tag(tree)
    assert version_of(build("wheel", tree, tmp_path)).startswith("9.8.8.dev1+g")


def test_a_tree_without_git_and_tags_can_be_built(tree: Path, tmp_path: Path) -> None:
    assert version_of(build("wheel", tree, tmp_path, path="/nonexistent")) == "0.0"


def clean(folder: Path, wheel: Path, extra: str | None = None, *more: str) -> Path:
    """Install the wheel, with an extra or without, into an environment of its own; gives the folder of its programs."""
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, str(folder / "venv")], check=True)
    install = [*uv, "pip", "install", "--quiet", "--python", str(folder / "venv/bin/python")]
    subprocess.run(
        [*install, f"{wheel}[{extra}]" if extra else str(wheel), *more], check=True, stdin=subprocess.DEVNULL
    )
    return folder / "venv/bin"


def test_the_wheel_alone_is_importable(wheel: Path, tmp_path: Path) -> None:
    """With the dependencies of the core and no extra: neither server nor command line gets in the way."""
    programs = clean(tmp_path, wheel)
    python = programs / "python"
    program = (
        "import importlib.metadata, importlib.util, sys, messaging_client as m\n"
        "assert importlib.util.find_spec('uvicorn') is None\n"
        "assert m.__version__ == importlib.metadata.version('messaging-client') == sys.argv[1]\n"
        "m.MessagingClient(token='eyJhbGciOiJIUzI1NiJ9.eyJpZCI6NSwicm9sZSI6InBhdGllbnQifQ.c2ln')\n"
        "try:\n"
        "    from messaging_client.testing import MessagingServer\n"
        "except ImportError as error:\n"
        "    assert 'messaging-client[server]' in str(error), error\n"
        "else:\n"
        "    raise SystemExit('the server should be missing')\n"
    )
    command = [python, "-W", "error", "-c", program, version_of(wheel)]
    subprocess.run(command, check=True, cwd=tmp_path, stdin=subprocess.DEVNULL)
    refused = subprocess.run([programs / "messaging-client"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert refused.returncode == 1
    assert 'pip install "messaging-client[cli]"' in refused.stderr


TEN_LINES = """\
import pytest
from messaging_client import Message

@pytest.mark.anyio
async def test_a_message_arrives(messaging_server, messaging_client_factory):
    number = await messaging_server.create_conversation("Ordonnance 15", [("patient", 5), ("medecin", 79)])
    async with messaging_client_factory("medecin", 79) as doctor, doctor.expect(Message) as message:
        await doctor.join_conversation(number)
        await messaging_server.say(number, "Bonjour docteur", ("patient", 5))
        assert (await message).content == "Bonjour docteur"
"""


def test_ten_lines_with_the_plugin_and_nothing_else(wheel: Path, tmp_path: Path) -> None:
    programs = clean(tmp_path, wheel, "server", "pytest")
    assert len(TEN_LINES.strip().splitlines()) == 10
    (tmp_path / "test_it.py").write_text(TEN_LINES)
    command = [programs / "python", "-W", "error", "-m", "pytest", "-q", "test_it.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_the_command_line_of_the_wheel(wheel: Path, tmp_path: Path) -> None:
    programs = clean(tmp_path, wheel, "cli")
    for command in ([programs / "messaging-client"], [programs / "python", "-m", "messaging_client"]):
        for asked in ("version", "--version"):
            done = subprocess.run([*command, asked], cwd=tmp_path, capture_output=True, text=True, check=False)
            assert (done.returncode, done.stdout.strip()) == (0, version_of(wheel)), done.stderr
    refused = subprocess.run(
        [programs / "messaging-client", "chat"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert refused.returncode == 2
    assert 'pip install "messaging-client[tui]"' in refused.stderr


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
ENTRIES = {
    "server": "messaging_client.testing",
    "cli": "messaging_client.cli.commands messaging_client.cli.demo messaging_client.cli.inbox",
    "tui": "messaging_client.tui.app messaging_client.tui.running messaging_client.tui.served",
    "speed": "uvloop",
    "nats": "messaging_client.fleet",
    "otel": "opentelemetry.trace opentelemetry.metrics",
    "docs": "mkdocs material mkdocstrings",
    "bench": "matplotlib",
}
"""What each extra is for; it can be imported with nothing else installed."""

# Each is an environment of its own. `tui` contains `cli` and `server`, which the tests above install as well.
OFTEN = ("speed", "tui")


@pytest.mark.parametrize(
    "extra", [pytest.param(each, marks=[] if each in OFTEN else pytest.mark.soak) for each in sorted(ENTRIES)]
)
def test_every_extra_can_be_installed_and_used(extra: str, wheel: Path, tmp_path: Path) -> None:
    python = clean(tmp_path, wheel, extra) / "python"
    subprocess.run([sys.executable, "-m", "uv", "pip", "check", "--quiet", "--python", str(python)], check=True)
    program = (
        "import importlib, sys\n"
        "from messaging_client import MessagingClient; from messaging_client.sync import MessagingClient\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
    )
    command = [python, "-W", "error", "-c", program, *ENTRIES[extra].split()]
    subprocess.run(command, check=True, cwd=tmp_path, stdin=subprocess.DEVNULL)


def test_every_extra_is_tried() -> None:
    assert set(ENTRIES) == set(EXTRAS) - {"dev", "fuzz"}  # of the project's own work; `make` installs them


def test_the_metadata_can_be_read_by_a_registry(wheel: Path) -> None:
    """As a registry reads it at an upload: every field has a form that it accepts, and the README is Markdown."""
    archive = zipfile.ZipFile(wheel)
    raw = archive.read(f"messaging_client-{version_of(wheel)}.dist-info/METADATA")
    read = Metadata.from_email(raw, validate=True)
    assert str(read.version) == version_of(wheel)
    assert read.summary == PROJECT["description"]
    assert read.license_expression == "MIT"
    assert str(read.requires_python) == PROJECT["requires-python"]
    assert set(read.provides_extra or ()) == set(EXTRAS)
    assert read.classifiers is not None
    assert set(read.classifiers) == set(PROJECT["classifiers"])
    assert not [each for each in read.classifiers if each.startswith("License")]  # a registry refuses both forms
    assert (read.description or "").startswith((ROOT / "README.md").read_text(encoding="utf-8")[:60])
    tags = archive.read(f"messaging_client-{version_of(wheel)}.dist-info/WHEEL").decode()
    assert "Root-Is-Purelib: true\nTag: py3-none-any\n" in tags
