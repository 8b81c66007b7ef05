from __future__ import annotations

import subprocess
import sys

import pytest

import messaging_client.testing as package


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_public_names() -> None:
    for name in package.__all__:
        assert getattr(package, name).__module__.startswith("messaging_client.testing."), name
    with pytest.raises(AttributeError, match="nothing"):
        _ = package.nothing


@pytest.mark.parametrize("missing", ["starlette", "uvicorn", "websockets"])
def test_without_the_extra_the_error_says_what_to_install(missing: str) -> None:
    said = run(f"""
import sys
import messaging_client
for name in [name for name in sys.modules if name.partition(".")[0] == {missing!r}]:
    del sys.modules[name]
sys.modules[{missing!r}] = None
from messaging_client.testing import ManualClock, ServerOptions, mint_token
try:
    from messaging_client.testing import MessagingServer
except ImportError as error:
    print(error)
""")
    assert 'pip install "messaging-client[server]"' in said


@pytest.mark.parametrize(("missing", "error"), [("uvicorn.server", ImportError), ("sqlite3", ModuleNotFoundError)])
def test_what_is_missing(monkeypatch: pytest.MonkeyPatch, missing: str, error: type[ImportError]) -> None:
    def fails(name: str) -> None:
        raise ModuleNotFoundError(name=missing)

    monkeypatch.setattr(package, "import_module", fails)
    monkeypatch.delitem(vars(package), "MessagingServer", raising=False)
    with pytest.raises(ImportError) as caught:
        _ = package.MessagingServer
    assert type(caught.value) is error


def test_another_missing_module_is_not_blamed_on_the_extra() -> None:
    said = run("""
import sys
import messaging_client
for name in [name for name in sys.modules if name.partition(".")[0] == "sqlite3"]:
    del sys.modules[name]
sys.modules["sqlite3"] = None
try:
    from messaging_client.testing import MessagingServer
except ModuleNotFoundError as error:
    print(error.name)
""")
    assert said == "sqlite3\n"
