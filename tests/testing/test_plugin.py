"""The pytest plugin: here in this very session, and in sessions of other settings."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from messaging_client.testing import BackgroundServer, plugin

from .conftest import DOCTOR, PATIENT, Live

pytestmark = pytest.mark.messaging_server(idempotency=False, event_spelling="rest")


def test_the_server_in_a_plain_test(messaging_server: BackgroundServer) -> None:
    with urllib.request.urlopen(f"{messaging_server.url}/api/health", timeout=5) as answer:
        assert answer.status == 200
    assert messaging_server.token("medecin", 79).count(".") == 2


async def test_the_server_in_an_asynchronous_test(messaging_server: BackgroundServer) -> None:
    await messaging_server.create_conversation("Suivi", [PATIENT, DOCTOR])
    client = Live()
    await client.connect(messaging_server.url, messaging_server.token(*PATIENT))
    await client.settle()
    await client.close()


@pytest.mark.messaging_server(event_spelling="wrapped")
def test_marks_add_up_and_the_nearest_wins(messaging_server: BackgroundServer) -> None:
    assert messaging_server.options.idempotency is False
    assert messaging_server.options.event_spelling == "wrapped"


class FakeClient:
    """Stands for both clients, and remembers how it was closed."""

    made: list[FakeClient]

    def __init__(self, url: str, **settings: Any) -> None:
        self.url = url
        self.settings = settings
        self.closed_in: Any = None
        self.made.append(self)

    async def aclose(self) -> None:
        self.closed_in = asyncio.get_running_loop()

    def close(self) -> None:
        self.closed_in = "plain"


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Gives the clients made, and looks at them after the factory has closed them."""
    FakeClient.made = []
    monkeypatch.setitem(sys.modules, "messaging_client.sync", SimpleNamespace(MessagingClient=FakeClient))
    monkeypatch.setattr("messaging_client.MessagingClient", FakeClient, raising=False)
    yield FakeClient.made
    assert [client.closed_in is not None for client in FakeClient.made] == [True, True]


async def test_the_factory_in_an_asynchronous_test(
    fakes: list[FakeClient], messaging_server: BackgroundServer, messaging_client_factory: Any
) -> None:
    one = messaging_client_factory("medecin", 79, store="x")
    other = messaging_client_factory("patient", 5, token="t", url="http://elsewhere")
    assert fakes == [one, other]
    assert one.url == messaging_server.url
    assert set(one.settings) == {"token", "store"}
    assert (other.url, other.settings) == ("http://elsewhere", {"token": "t"})


def test_the_factory_in_a_plain_test(fakes: list[FakeClient], messaging_client_factory: Any) -> None:
    messaging_client_factory("medecin", 79)
    messaging_client_factory("medecin", 79)


class TestInAClass:
    async def test_the_factory(self, fakes: list[FakeClient], messaging_client_factory: Any) -> None:
        messaging_client_factory("medecin", 79)
        messaging_client_factory("medecin", 79)


FAKES = """
import asyncio, messaging_client, pathlib, pytest

class FakeClient:
    def __init__(self, url, **settings): self.url = url
    async def aclose(self): pathlib.Path("closed").write_text(str(asyncio.get_running_loop().is_running()))

@pytest.fixture(autouse=True)
def fake(monkeypatch):
    monkeypatch.setattr(messaging_client, "MessagingClient", FakeClient, raising=False)
"""

TEST = """
async def test_it(messaging_server, messaging_client_factory):
    client = messaging_client_factory("medecin", 79)
    assert client.url == messaging_server.url
    assert await messaging_server.create_conversation("Suivi", [("patient", 5), ("medecin", 79)]) == 1
"""


def pytest_in(folder: Path, test: str, *arguments: str, conftest: str = "") -> str:
    (folder / "test_it.py").write_text(test)
    (folder / "conftest.py").write_text(conftest)
    settings = ["[pytest]", "filterwarnings = error"]
    if "no:asyncio" not in arguments:
        settings.append("asyncio_default_fixture_loop_scope = function")
    (folder / "pytest.ini").write_text("\n".join(settings))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("head", "arguments"),
    [
        ("", ["--asyncio-mode=auto"]),
        ("import pytest\n@pytest.mark.asyncio", ["--asyncio-mode=strict"]),
        ("import pytest\n@pytest.mark.anyio", ["-p", "no:asyncio"]),
    ],
    ids=["asyncio auto", "asyncio strict", "anyio"],
)
def test_under_other_plugins(tmp_path: Path, head: str, arguments: list[str]) -> None:
    backend = "\n@pytest.fixture\ndef anyio_backend(): return 'asyncio'\n"
    assert "1 passed" in pytest_in(tmp_path, head + TEST, *arguments, conftest=FAKES + backend)
    assert (tmp_path / "closed").read_text() == "True"


BOT = """
import threading
from messaging_client import Message

PATIENT, DOCTOR = ("patient", 5), ("medecin", 79)
clients = []

@FIXTURE
async def conversation(messaging_server):
    return await messaging_server.create_conversation("Messages - Ordonnance 15", [PATIENT, DOCTOR])

@FIXTURE
async def bot(conversation, messaging_client_factory):
    client = messaging_client_factory(*DOCTOR)
    clients.append(client)
    await client.connect()

    @client.on_new_message
    async def answer(message):
        await client.send_message_to_conversation(conversation, "oui")

    await client.join_conversation(conversation)
    return client

@MARK
async def test_expect(bot, conversation, messaging_server):
    messaging_server.faults.drop_after_storing("send")
    async with bot.expect(Message, bot.is_own) as answer:
        await messaging_server.say(conversation, "Docteur ?", PATIENT)
    assert (await answer).content == "oui"
    assert len(messaging_server.messages(conversation)) == 2
    assert messaging_server.faults.pending() == 0

class TestInAClass:
    @MARK
    async def test_a_cut(self, bot, conversation, messaging_server, messaging_client_factory):
        patient = messaging_client_factory(*PATIENT)
        clients.append(patient)
        await patient.connect()
        async with patient.conversation(conversation) as session:
            async with bot.expect(Message, bot.is_own, timeout=30) as answer:
                await messaging_server.faults.cut(DOCTOR)
                await session.send("Docteur ?")
            await answer
            assert (await session.wait_for_message(timeout=10)).content == "oui"

def test_plain(messaging_server, messaging_client_factory):
    conversation = messaging_server.create_conversation("Messages - Ordonnance 15", [PATIENT, DOCTOR])
    client = messaging_client_factory(*PATIENT)
    clients.append(client)
    client.connect()
    with client.conversation(conversation) as session:
        with client.expect(Message) as mine:
            session.send("Docteur ?")
        assert mine.result().content == "Docteur ?"
        messaging_server.say(conversation, "oui", DOCTOR)
        assert session.wait_for_message(timeout=10).content == "oui"

def test_all_were_closed():
    assert len(clients) == 4
    assert [str(client.state) for client in clients] == ["disconnected"] * 4
    assert threading.active_count() == 1  # neither a server nor a blocking client is left
"""


@pytest.mark.parametrize(
    ("fixture", "mark", "arguments"),
    [
        ("pytest.fixture", "pytest.mark.filterwarnings('error')", ["--asyncio-mode=auto"]),
        ("pytest_asyncio.fixture", "pytest.mark.asyncio", ["--asyncio-mode=strict"]),
        ("pytest.fixture", "pytest.mark.anyio", ["-p", "no:asyncio"]),
        ("pytest.fixture", "pytest.mark.anyio", ["--asyncio-mode=strict"]),
    ],
    ids=["asyncio auto", "asyncio strict", "anyio", "anyio beside asyncio"],
)
def test_a_bot_under_other_plugins(tmp_path: Path, fixture: str, mark: str, arguments: list[str]) -> None:
    """The whole of it, with clients, faults and expectations, in fixtures, functions and methods."""
    head = "import pytest\n" + ("import pytest_asyncio\n" if "pytest_asyncio" in fixture else "")
    backend = "import pytest\n@pytest.fixture\ndef anyio_backend(): return 'asyncio'\n"
    test = head + BOT.replace("FIXTURE", fixture).replace("MARK", mark)
    assert "4 passed" in pytest_in(tmp_path, test, *arguments, conftest=backend)


def test_fixtures_in_another_event_loop_are_told_at_once(tmp_path: Path) -> None:
    """pytest-asyncio in its mode `auto` takes the fixtures, and anyio the test: it would wait for ever."""
    backend = "import pytest\n@pytest.fixture\ndef anyio_backend(): return 'asyncio'\n"
    (tmp_path / "conftest.py").write_text(backend)
    (tmp_path / "test_it.py").write_text(
        "import pytest\n" + BOT.replace("FIXTURE", "pytest.fixture").replace("MARK", "pytest.mark.anyio")
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--asyncio-mode=auto"]
    done = subprocess.run(
        [*command, "test_it.py::test_expect"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "leave @pytest.mark.anyio out" in done.stdout


def test_another_event_loop_is_told_what_to_do() -> None:
    """As under trio: no asyncio loop runs."""

    async def test() -> None:
        raise AssertionError("not to be run")

    with pytest.raises(pytest.fail.Exception, match="anyio_backend"):
        plugin._closing(test, [], [])().send(None)  # type: ignore[attr-defined]


def test_loading_the_plugin_imports_nothing_but_itself() -> None:
    """Beyond what `import messaging_client` does: every session of every project that has the package loads it."""
    program = (
        "import sys, pytest, messaging_client; before = set(sys.modules); import messaging_client.testing.plugin; "
    )
    program += "print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["messaging_client.testing", "messaging_client.testing.plugin"]


def test_the_plugin_costs_nothing_when_it_is_not_used(tmp_path: Path) -> None:
    test = """
import sys, threading
def test_it(request):
    assert "messaging_client.testing.plugin" in sys.modules
    for name in ("starlette", "uvicorn", "messaging_client.testing.server", "messaging_client.testing.background"):
        assert name not in sys.modules, name
    assert threading.active_count() == 1
"""
    pytest_in(tmp_path, test)


def test_the_mark_is_registered(tmp_path: Path) -> None:
    test = "import pytest\n@pytest.mark.messaging_server(idempotency=False)\ndef test_it(): pass\n"
    pytest_in(tmp_path, test, "--strict-markers")
    assert "messaging_server(**options)" in pytest_in(tmp_path, test, "--markers")
