"""The examples, as a user runs them: as processes, against a server."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web
from canary import CANARY, CANARY_TOKEN, holds_secret
from scenes import DOCTOR, PATIENT, Scene

from messaging_client.testing import MessagingServer, ServerOptions
from tests.cli.processes import line_of

EXAMPLES = Path(__file__).parent.parent / "examples"
TIMEOUT = 20.0  # an interpreter must start


class Running:
    """An example at work."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def say(self, wanted: Callable[[str], bool]) -> str:
        """Read lines until one is wanted, and give it."""
        return await line_of(self.process, wanted)

    async def kill(self) -> None:
        """End it as a power failure would."""
        self.process.kill()
        await self.process.wait()

    async def output(self) -> str:
        """Wait for its end, and give what went to stdout; it must have ended well."""
        async with asyncio.timeout(100):
            said, errors = await self.process.communicate()
        assert self.process.returncode == 0, errors.decode()
        return said.decode()

    async def end(self, sign: signal.Signals | None = signal.SIGINT) -> tuple[int | None, str]:
        """Press Ctrl-C, and give the exit code and what went to stderr."""
        if sign is not None:
            self.process.send_signal(sign)
        async with asyncio.timeout(TIMEOUT):
            _, errors = await self.process.communicate()
        return self.process.returncode, errors.decode()


@asynccontextmanager
async def running(
    scene: Scene,
    name: str,
    *args: str,
    token: str | None = None,
    user: tuple[str, int] = DOCTOR,
    cwd: str | None = None,
    **more: str,
) -> AsyncIterator[Running]:
    environment = {**os.environ, "MESSAGING_URL": scene.server.url, "PYTHONUNBUFFERED": "1", **more}
    environment |= {"MESSAGING_TOKEN": scene.server.token(*user) if token is None else token}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLES / name),
        *args,
        env=environment,
        cwd=cwd,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Running(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def test_the_bot_answers_patients_and_nobody_else() -> None:
    async with Scene() as scene, running(scene, "bot_echo.py") as bot:
        assert await bot.say(lambda line: line.startswith("ready")) == "ready, as medecin 79"
        patient = await scene.session(await scene.client(PATIENT))
        await patient.send("Bonjour docteur")
        assert (await patient.wait_for_message(timeout=TIMEOUT)).content == "Bien reçu : Bonjour docteur"
        await scene.say("D'un autre appareil du docteur", DOCTOR)
        later = await scene.server.create_conversation("Messages - Examen 23", [PATIENT, DOCTOR])
        async with patient._client.conversation(later) as other:
            await other.send("Et l'examen ?")
            assert (await other.wait_for_message(timeout=TIMEOUT)).content == "Bien reçu : Et l'examen ?"
        await bot.say(lambda line: line.endswith(f"in conversation {later}"))
        assert await bot.end() == (0, "")
        assert [each["contenu"] for each in scene.server.messages(scene.conversation)] == [
            "Bonjour docteur",
            "Bien reçu : Bonjour docteur",
            "D'un autre appareil du docteur",
        ]


async def test_the_bot_answers_what_came_while_it_was_away(tmp_path: Path) -> None:
    store = str(tmp_path / "bot.db")
    async with Scene() as scene:
        for number in (1, 2):
            async with running(scene, "bot_echo.py", store) as bot:
                await bot.say(lambda line: line.startswith("ready"))
                await scene.say(f"présent {number}")
                await bot.say(lambda line: line.startswith("answered"))
                assert await bot.end() == (0, "")
            await scene.say(f"absent {number}")
        async with running(scene, "bot_echo.py", store) as bot:
            await bot.say(lambda line: line.startswith("answered"))
            assert await bot.end() == (0, "")
        answers = [each["contenu"] for each in scene.server.messages(scene.conversation)]
        answers = [each.removeprefix("Bien reçu : ") for each in answers if each.startswith("Bien reçu")]
        assert answers == ["présent 1", "absent 1", "présent 2", "absent 2"]


async def test_the_inbox_is_shown_live() -> None:
    async with Scene() as scene, running(scene, "doctor_inbox.py") as shown:
        assert await shown.say(lambda line: line.startswith("---")) == "--- 0 unread"
        assert await shown.say(bool) == "      Marie Dupont, Messages - Ordonnance 15"
        await scene.say("J'ai une question")
        await shown.say(lambda line: line == "--- 1 unread")
        assert await shown.say(bool) == "  (1) Marie Dupont, Messages - Ordonnance 15: J'ai une question"
        assert await shown.end() == (0, "")


async def test_the_inbox_is_filtered_and_marked() -> None:
    async with Scene() as scene:
        await scene.server.create_conversation("Messages - Examen 23", [("patient", 6), DOCTOR])
        await scene.fill(3)
        async with running(scene, "doctor_inbox.py", "ordonnance", "dupont") as shown:
            await shown.say(lambda line: line == "--- 3 unread")
            assert (await shown.say(bool)).startswith("  (3) Marie Dupont")
        async with running(scene, "doctor_inbox.py", "read") as marking:
            assert await marking.say(bool) == "3 messages marked as read"
            assert await marking.end(None) == (0, "")
        async with running(scene, "doctor_inbox.py", "unread") as shown:
            assert await shown.say(bool) == "--- 0 unread"


ALWAYS, NEVER = ("--days", "1-7", "--hours", "0-24"), ("--days", "1-7", "--hours", "0-0")
CLOSED = "Le cabinet est fermé."
URGENT = "Si c'est une urgence,"


async def test_out_of_hours_a_patient_is_told_once_for_each_closing() -> None:
    async with Scene() as scene:
        for text in ("Bonjour", "Encore moi"):
            # Once although it is another process: the conversation says that it was done.
            async with running(scene, "bot_triage.py", *NEVER) as bot:
                await bot.say(lambda line: line.startswith("ready"))
                await scene.say("Un avis entre confrères", DOCTOR)
                await scene.say(text)
                await scene.say("Je SUFFOQUE, je m'étouffe !")
                await bot.say(lambda line: line.endswith("urgent"))
                assert await bot.end() == (0, "")
        said = [each["contenu"] for each in scene.server.messages(scene.conversation) if each["contenu"][:2] in "LeSi"]
        assert [each.startswith(CLOSED) for each in said] == [True, False, False]
        assert [each.startswith(URGENT) for each in said] == [False, True, True]


async def test_while_the_practice_is_open_the_bot_is_silent() -> None:
    async with Scene() as scene, running(scene, "bot_triage.py", *ALWAYS) as bot:
        await bot.say(lambda line: line.startswith("ready"))
        await scene.say("C'est urgent")
        await scene.server.wait_until(lambda: scene.server.members(scene.conversation), TIMEOUT)
        assert await bot.end() == (0, "")
        assert len(scene.server.messages(scene.conversation)) == 1


def test_when_the_practice_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    from bot_triage import Practice, sounds_urgent

    practice = Practice(range(1, 6), range(8, 18), ZoneInfo("Europe/Paris"))
    friday = datetime(2026, 7, 3, 15, 59, tzinfo=UTC)  # 17:59 in Paris
    assert practice.is_open(friday)
    assert not practice.is_open(friday + timedelta(minutes=1))
    assert practice.closed_since(datetime(2026, 7, 5, 10, 30, tzinfo=UTC)) == friday + timedelta(minutes=1)
    assert practice.closed_since(datetime(2026, 7, 6, 5, 59, tzinfo=UTC)) == friday + timedelta(minutes=1)
    assert practice.is_open(datetime(2026, 7, 6, 6, 0, tzinfo=UTC))
    assert sounds_urgent("Je M'ÉTOUFFE")
    assert not sounds_urgent("Merci docteur")


@asynccontextmanager
async def a_webhook(status: Callable[[int], int]) -> AsyncIterator[tuple[str, list[tuple[str, Any]], asyncio.Event]]:
    """A receiver that answers its n-th request with a status; gives its URL, what it got, and what is set by more."""
    got: list[tuple[str, Any]] = []
    news = asyncio.Event()

    async def receive(request: web.Request) -> web.Response:
        got.append((request.headers["Idempotency-Key"], await request.json()))
        news.set()
        return web.Response(status=status(len(got)))

    application = web.Application()
    application.router.add_post("/hook", receive)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook?key={CANARY}", got, news
    finally:
        await runner.cleanup()


async def until_got(got: list[tuple[str, Any]], news: asyncio.Event, count: int) -> None:
    async with asyncio.timeout(TIMEOUT):
        while len(got) < count:
            news.clear()
            await news.wait()


async def test_the_bridge_loses_nothing_across_failures_and_restarts(tmp_path: Path) -> None:
    store = str(tmp_path / "bridge.db")
    failing = {1, 2, 4}
    async with Scene() as scene, a_webhook(lambda number: 503 if number in failing else 200) as (url, got, news):
        hook = {"WEBHOOK_URL": url, "WEBHOOK_TOKEN": CANARY}
        async with running(scene, "bridge_webhook.py", store, **hook) as bridge:
            await bridge.say(lambda line: line.startswith("ready"))
            await scene.say("un")
            await bridge.say(lambda line: line.startswith("delivered"))
            assert [body["content"] for _, body in got] == ["un", "un", "un"]
            await scene.say("deux")
            await until_got(got, news, 4)  # refused, and killed while it waits to try again
            await bridge.kill()
        await scene.say("trois")
        async with running(scene, "bridge_webhook.py", store, **hook) as bridge:
            await bridge.say(lambda line: line.startswith("delivered") and "message 3" in line)
            await scene.say("quatre")
            await bridge.say(lambda line: line.startswith("delivered") and "message 4" in line)
            code, errors = await bridge.end()
            assert code == 0
            assert not holds_secret(errors)
        # The receiver drops what it has: each once, and in order.
        assert list({key: body["content"] for key, body in got}.values()) == ["un", "deux", "trois", "quatre"]
        assert got[0][1]["sender"]["name"] == "Marie Dupont"
        for key, body in got:
            assert body == next(other for each, other in got if each == key)


async def test_a_bridge_that_is_stopped_while_the_receiver_fails_delivers_later(tmp_path: Path) -> None:
    store = str(tmp_path / "bridge.db")
    is_well = False
    async with Scene() as scene, a_webhook(lambda _number: 200 if is_well else 500) as (url, got, news):
        async with running(scene, "bridge_webhook.py", store, WEBHOOK_URL=url) as bridge:
            await bridge.say(lambda line: line.startswith("ready"))
            await scene.say("un")
            await until_got(got, news, 1)
            code, errors = await bridge.end()
            assert (code, "Traceback" in errors) == (0, False)
        is_well = True
        async with running(scene, "bridge_webhook.py", store, WEBHOOK_URL=url) as bridge:
            await bridge.say(lambda line: line.startswith("delivered"))
            assert await bridge.end() == (0, "")
        assert {key for key, _ in got} == {"message-1"}


async def test_a_conversation_is_exported(tmp_path: Path) -> None:
    async with Scene() as scene:
        await scene.fill(120)
        await scene.say("=HYPERLINK(0)", DOCTOR)
        async with running(scene, "export_conversation.py", str(scene.conversation), str(tmp_path)) as export:
            said = await export.output()
        written = json.loads((tmp_path / f"conversation-{scene.conversation}.json").read_text(encoding="utf-8"))
        with (tmp_path / f"conversation-{scene.conversation}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    assert said.count("121 messages in ") == 2
    expected = [*(f"m{number}" for number in range(1, 121)), "=HYPERLINK(0)"]
    assert [each["content"] for each in written["messages"]] == expected
    assert [each["content"] for each in rows] == [*expected[:-1], "'=HYPERLINK(0)"]
    assert (rows[0]["sender_name"], rows[-1]["sender_type"]) == ("Marie Dupont", "medecin")
    assert {os.stat(tmp_path / each).st_mode & 0o777 for each in os.listdir(tmp_path)} == {0o600}


async def test_an_export_that_fails_leaves_what_there_is(tmp_path: Path) -> None:
    async with Scene() as scene:
        there = tmp_path / "conversation-99.json"
        there.write_text("before")
        async with running(scene, "export_conversation.py", "99", str(tmp_path)) as export:
            code, errors = await export.end(None)
        assert (code, "Traceback" in errors, there.read_text()) == (1, False, "before")
        assert os.listdir(tmp_path) == [there.name]


async def test_the_load_is_measured(tmp_path: Path) -> None:
    args = ("--users", "20", "--messages", "2", "--seconds", "1", "--plot", str(tmp_path / "latency.png"))
    async with Scene() as scene, running(scene, "load_harness.py", *args) as load:
        said = await load.output()
    assert said.startswith("20 users connected in ")
    assert "40 messages sent, 0 lost, 0 doubled" in said
    assert "median" in said
    assert " ms " in said.splitlines()[-1] or (tmp_path / "latency.png").exists()


@pytest.mark.soak
async def test_the_load_of_200_users_is_measured(tmp_path: Path) -> None:
    async with Scene() as scene, running(scene, "load_harness.py", "--plot", str(tmp_path / "latency.png")) as load:
        assert "1000 messages sent, 0 lost, 0 doubled" in await load.output()


async def test_the_load_is_measured_on_a_server_whose_key_is_known(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k" * 40)
    args = ("--users", "4", "--messages", "1", "--seconds", "0.1", "--secret-file", str(tmp_path / "key"))
    args += ("--plot", str(tmp_path / "latency.png"))
    async with MessagingServer(secret="k" * 40) as server, Scene() as scene:
        async with running(scene, "load_harness.py", *args, MESSAGING_URL=server.url) as load:
            assert "4 messages sent, 0 lost, 0 doubled" in await load.output()
        assert sum(each.operation == "send" for each in server.requests) == 4


async def test_a_script_without_asyncio_asks_and_gets_an_answer() -> None:
    async with Scene() as scene:
        async with running(scene, "ask_sync.py", "15", "79", "Le matin ?", user=PATIENT) as asking:
            await scene.server.wait_until(lambda: scene.server.messages(scene.conversation), TIMEOUT)
            await scene.say("Oui, le matin.", DOCTOR)
            assert await asking.output() == "Dr. Sakura Saza: Oui, le matin.\n"
        said = scene.server.messages(scene.conversation)
        assert [each["contenu"] for each in said] == ["Le matin ?", "Oui, le matin."]
        async with running(scene, "ask_sync.py", "15", "79", "Et le soir ?", "0.2", user=PATIENT) as asking:
            code, errors = await asking.end(None)
        assert (code, "no answer yet" in errors) == (2, True)
        async with running(scene, "ask_sync.py", "15", "79", "Et la nuit ?", user=PATIENT) as asking:
            await scene.server.wait_until(lambda: len(scene.server.messages(scene.conversation)) == 4, TIMEOUT)
            code, errors = await asking.end()
        assert (code, "Traceback" in errors) == (130, False)


async def test_a_call_is_offered_and_answered() -> None:
    async with Scene(relay_events=["webrtc_offer", "webrtc_answer"]) as scene:
        number = str(scene.conversation)
        async with running(scene, "webrtc_offer.py", "answer", number) as doctor:
            assert await doctor.say(bool) == "ready"
            await scene.server.wait_until(lambda: scene.server.members(scene.conversation), TIMEOUT)
            # What others send may be anything.
            await scene.server.emit("webrtc_offer", conversation_id=scene.conversation)
            await scene.server.emit("webrtc_offer", {"callId": 5}, conversation_id=scene.conversation)
            async with running(scene, "webrtc_offer.py", "call", number, user=PATIENT) as patient:
                assert await patient.output() == "the call was answered\n"
            assert await doctor.say(bool) == f"answered a call in conversation {number}"
            assert await doctor.end() == (0, "")


async def test_a_server_of_other_routes_is_used_as_it_is() -> None:
    options: dict[str, Any] = {
        "api_path": "/clinic/v2",
        "socketio_path": "/clinic/live",
        "list_routes": "other",
        "history_routes": "other",
        "mark_read_methods": "other",
        "join_payload": "id",
        "authenticate_event": True,
        "answers": "bare",
        "event_spelling": "wrapped",
    }
    async with Scene(server=MessagingServer(options=ServerOptions(**options))) as scene:
        await scene.say("Bonjour docteur")
        async with running(scene, "other_server.py") as other:
            assert await other.output() == "1 conversations\nMessages - Ordonnance 15: Marie Dupont: Bonjour docteur\n"
        assert scene.server.messages(scene.conversation)[0]["date_lecture"] is not None
        assert {each.status for each in scene.server.requests} == {200}  # nothing was searched for
        assert {"authenticate", "join_conversation"} <= {each.event for each in scene.server.events}


@pytest.mark.parametrize("plugin", ["no:asyncio", "no:anyio"])
def test_the_bot_is_tested_with_the_plugin_alone(plugin: str, tmp_path: Path) -> None:
    """As a user would run it: from elsewhere, with no settings."""
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", plugin]
    settings = ["--rootdir", str(tmp_path), "-c", str(tmp_path / "pytest.ini"), str(EXAMPLES / "test_bot_echo.py")]
    if plugin == "no:anyio":
        (tmp_path / "pytest.ini").write_text(
            "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\nmarkers = anyio\n"
        )
    else:
        (tmp_path / "pytest.ini").write_text("[pytest]\n")
    done = subprocess.run([*command, *settings], cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


WITH_A_TOKEN = {
    "bot_echo.py": (),
    "doctor_inbox.py": (),
    "bot_triage.py": (),
    "bridge_webhook.py": ("bridge.db",),
    "export_conversation.py": ("15",),
    "ask_sync.py": ("15", "79", "?"),
    "webrtc_offer.py": ("call", "15"),
    "other_server.py": (),
}


def test_every_example_is_run_here() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {*WITH_A_TOKEN, "load_harness.py", "test_bot_echo.py"}


@pytest.mark.parametrize("name", WITH_A_TOKEN)
async def test_no_token_is_said_in_one_line(name: str) -> None:
    given = WITH_A_TOKEN[name]
    async with Scene() as scene, running(scene, name, *given, token="", WEBHOOK_URL="http://localhost:1") as example:
        code, errors = await example.end(None)
        assert code == 1
        assert "MESSAGING_TOKEN" in errors
        assert "Traceback" not in errors


@pytest.mark.parametrize("name", WITH_A_TOKEN)
async def test_a_refused_token_is_said_in_one_line_and_not_shown(name: str, tmp_path: Path) -> None:
    given = WITH_A_TOKEN[name]
    hook = "http://localhost:1"
    async with (
        Scene() as scene,
        running(scene, name, *given, token=CANARY_TOKEN, cwd=str(tmp_path), WEBHOOK_URL=hook) as example,
    ):
        code, errors = await example.end(None)
        assert code == 1
        assert "Traceback" not in errors
        assert not holds_secret(errors)


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("ask_sync.py", ("15", "79", "?", "soon"), "SECONDS"),
        ("webrtc_offer.py", ("call", "the-one"), "CONVERSATION"),
        ("bot_triage.py", ("--timezone", "Nowhere/Never"), "Europe/Paris"),
        ("bot_triage.py", ("--timezone", ""), "Europe/Paris"),
        ("bot_triage.py", ("--hours", "late"), "8-18"),
        ("bot_triage.py", ("--days", "3"), "1-5"),
    ],
)
async def test_an_argument_that_cannot_be_used_is_said_with_what_would_be(
    name: str, given: tuple[str, ...], said: str
) -> None:
    async with Scene() as scene, running(scene, name, *given) as example:
        code, errors = await example.end(None)
    assert code
    assert "Traceback" not in errors
    assert said in errors.splitlines()[-1]


async def test_an_unknown_filter_is_said_in_one_line() -> None:
    async with Scene() as scene, running(scene, "doctor_inbox.py", "photos") as example:
        code, errors = await example.end(None)
        assert (code, errors.count("\n")) == (1, 1)
        assert "ordonnance" in errors
