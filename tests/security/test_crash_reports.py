"""What a crash report would show: exceptions that leave the package, with all that hangs on them."""

from __future__ import annotations

import asyncio
import gc
import io
import threading
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from canary import CANARY, CANARY_NAME, CANARY_TOKEN, holds_secret
from rich.console import Console
from rich.traceback import Traceback
from scenes import DOCTOR, PATIENT, Scene

from messaging_client import (
    ConversationUpdated,
    HandlerError,
    Message,
    MessagingClient,
    MessagingConfig,
    MessagingError,
    sync,
)
from messaging_client.boundary import without_frames
from messaging_client.testing import MessagingServer

QUICK = MessagingConfig(max_retries=0, connect_timeout=5, reconnection_delay=0.01, settle_delay=0.05)
NEVER = MessagingConfig(max_retries=0, request_timeout=30)


def report(error: BaseException) -> str:
    """Everything: rich with the variables of all frames, unshortened; Python's own; notes, and each in the chain."""
    shown = io.StringIO()
    trace = Traceback.from_exception(
        type(error),
        error,
        error.__traceback__,
        show_locals=True,
        locals_max_length=10_000,
        locals_max_string=100_000,
        locals_hide_dunder=False,
        locals_hide_sunder=False,
        max_frames=1000,
    )
    Console(file=shown, width=1000, color_system=None).print(trace)
    text = "".join(traceback.format_exception(error))
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            text += f"{each} {each!r} {getattr(each, '__notes__', '')}"
            waiting += (each.__cause__, each.__context__)
    return shown.getvalue() + text


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with Scene() as scene:
        scene.server.add_user(*PATIENT, prenom="Marie", nom=CANARY_NAME)
        yield scene


Call = Callable[[Any, Any], Awaitable[Any]]


async def until_cancelled(client: Any, scene: Any) -> None:
    scene.server.faults.silence("send")
    async with asyncio.timeout(0.1):
        await client.send_message_to_conversation(scene.conversation, CANARY)


async def with_an_answer(client: Any, scene: Any, operation: str, call: Callable[[], Awaitable[Any]]) -> None:
    scene.server.faults.garbage(operation, body=f"<html>{CANARY} {CANARY_TOKEN}</html>", count=None)
    await call()


async def of_a_session(client: Any, scene: Any) -> None:
    scene.server.faults.answer("send", 400, message=CANARY)
    async with client.conversation(scene.conversation) as session:
        await session.send(CANARY)


async def of_an_iterator(client: Any, scene: Any) -> None:
    scene.server.faults.answer("messages", 500, message=CANARY, count=None)
    async for _ in client.iter_messages(scene.conversation):
        pass


async def of_a_predicate(client: Any, scene: Any) -> None:
    await client.connect()
    await client.join_conversation(scene.conversation)
    await scene.server.wait_until(lambda: scene.server.members(scene.conversation), timeout=20)
    async with client.expect(Message, lambda message: 1 / 0, timeout=20) as found:
        await scene.say(CANARY, DOCTOR)
    await found


FAILURES: dict[str, Call] = {
    "send refused": lambda client, scene: refused_send(client, scene, 400),
    "send forbidden": lambda client, scene: refused_send(client, scene, 403),
    "send answered oddly": lambda client, scene: with_an_answer(
        client, scene, "send", lambda: client.send_message_to_conversation(scene.conversation, CANARY, deadline=0.3)
    ),
    "send cancelled": until_cancelled,
    "send of what cannot be sent": lambda client, scene: client.send_message_to_conversation(1, CANARY + "\ud800"),
    "several": lambda client, scene: client.send_messages(1, [CANARY, CANARY + "\ud800"]),
    "socket": lambda client, scene: client.send_message_via_websocket(1, CANARY),
    "event of what is no JSON": lambda client, scene: emitted(client, {"text": CANARY, "odd": object()}),
    "call without a connection": lambda client, scene: client.call("x", {"text": CANARY}),
    "messages": lambda client, scene: with_an_answer(
        client, scene, "messages", lambda: client.get_conversation_messages(scene.conversation)
    ),
    "title": lambda client, scene: created(client, scene),
    "session": of_a_session,
    "iterator": of_an_iterator,
    "predicate": of_a_predicate,
    "id": lambda client, scene: client.get_conversation_messages(CANARY + "/"),
}


async def refused_send(client: Any, scene: Any, status: int) -> None:
    scene.server.faults.answer("send", status, message=f"{CANARY} {CANARY_TOKEN}")
    await client.send_message_to_conversation(scene.conversation, CANARY)


async def emitted(client: Any, payload: Any) -> None:
    await client.connect()
    try:
        await client.emit("x", payload)
    finally:
        del payload  # a variable of our own


async def created(client: Any, scene: Any) -> None:
    scene.server.faults.answer("create", 409, message=CANARY)
    await client.create_conversation(
        CANARY, [{"participant_id": 79, "participant_type": "medecin", "nom": CANARY_NAME}]
    )


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_call_that_fails(scene: Scene, failure: str) -> None:
    client = MessagingClient(scene.server.url, token=scene.server.token(*PATIENT, canary=CANARY), config=QUICK)
    with pytest.raises(Exception) as raised:
        await FAILURES[failure](client, scene)
    assert isinstance(raised.value, MessagingError | TimeoutError | ZeroDivisionError)
    text = report(raised.value)
    assert type(raised.value).__name__ in text
    assert "test_crash_reports.py" in text
    assert not holds_secret(text), excerpt(text)
    await client.aclose(drain=0)


def excerpt(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if holds_secret(line))[:3000]


CONNECTIONS: dict[str, Callable[[Scene], MessagingClient]] = {
    "nobody listens": lambda scene: MessagingClient("http://127.0.0.1:9", token=CANARY_TOKEN, config=QUICK),
    "refused": lambda scene: MessagingClient(scene.server.url, token=CANARY_TOKEN, config=QUICK),
    "asked again": lambda scene: MessagingClient(scene.server.url, token=lambda: CANARY_TOKEN, config=QUICK),
}


@pytest.mark.parametrize("kind", CONNECTIONS)
async def test_a_connection_that_fails(scene: Scene, kind: str) -> None:
    client = CONNECTIONS[kind](scene)
    changes: list[Any] = []
    client.on_connection_change(changes.append)
    with pytest.raises(MessagingError) as raised:
        await client.connect()
    await client._dispatcher.handled()
    told = [change.error for change in changes if change.error is not None]
    assert told
    for error in (raised.value, client.status().last_error, *told):
        assert not holds_secret(report(error)), excerpt(report(error))
    with pytest.raises(MessagingError) as request:
        await client.get_unread_conversations()
    assert not holds_secret(report(request.value)), excerpt(report(request.value))
    await client.aclose(drain=0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: MessagingClient("ftp://nowhere", token=CANARY_TOKEN),
        lambda: MessagingClient(f"http://{CANARY}:{CANARY}@localhost", token=CANARY_TOKEN),
        lambda: MessagingClient(token=["temp_" + CANARY]),
        lambda: MessagingClient(token=CANARY_TOKEN, config=MessagingConfig(cert=("no", "such", CANARY))),
        lambda: MessagingClient(token=CANARY_TOKEN, config=MessagingConfig(proxy=f"socks5://{CANARY}:x@y")),
        lambda: sync.MessagingClient("ftp://nowhere", token=CANARY_TOKEN),
    ],
)
def test_a_client_that_cannot_be_made(make: Callable[[], Any]) -> None:
    with pytest.raises(MessagingError) as raised:
        make()
    assert not holds_secret(report(raised.value)), excerpt(report(raised.value))


# --- what stays ---------------------------------------------------------------------------------------------------


def user_callable() -> str:
    raise LookupError("the user's own")


async def test_frames_of_the_users_own_stay(scene: Scene) -> None:
    """The cause of a token that could not be had, and what a handler raised, are the user's to look at."""
    client = MessagingClient(scene.server.url, token=user_callable, config=QUICK)
    with pytest.raises(MessagingError) as raised:
        await client.connect()
    assert "in user_callable" in report(raised.value)
    assert "the user's own" in report(raised.value)
    await client.aclose(drain=0)
    doctor = await scene.client(DOCTOR)

    @doctor.on_conversation_update
    def handler_of_the_user(event: ConversationUpdated) -> None:
        raise LookupError("in a handler")

    async with doctor.expect(HandlerError, timeout=20) as failed:
        await scene.say(CANARY)
    text = report((await failed).error)
    assert "in handler_of_the_user" in text
    assert "consumers.py" not in text
    assert not holds_secret(text), excerpt(text)


async def test_a_fault_of_ours_says_where(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await scene.client(PATIENT, connect=False)

    monkeypatch.setattr(client._http, "request", None)
    with pytest.raises(TypeError) as raised:
        await client.get_conversation_messages(scene.conversation)
    (note,) = raised.value.__notes__
    assert note.startswith("Raised in messaging_client: boundary.py:")
    assert "rest.py:" in note
    assert [entry.name for entry in traceback.extract_tb(raised.value.__traceback__)][-1] == "asynchronous"


def test_a_chain_that_bites_its_own_tail() -> None:
    one, two = ValueError("1"), ValueError("2")
    one.__context__, two.__context__ = two, one
    assert without_frames(one) is one
    assert without_frames(ExceptionGroup("g", [one, two])).exceptions == (one, two)


# --- the blocking client ------------------------------------------------------------------------------------------


@pytest.fixture
def blocking() -> Iterator[tuple[MessagingServer, Any]]:
    """A server in a thread of its own, and a blocking client."""
    ready, over = threading.Event(), threading.Event()
    servers: list[MessagingServer] = []

    async def serve() -> None:
        async with MessagingServer() as server:
            await server.create_conversation("Messages - Ordonnance 15", [PATIENT, DOCTOR])
            server.faults.answer("send", 400, message=CANARY, count=None)
            servers.append(server)
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(20)
    client = sync.MessagingClient(servers[0].url, token=servers[0].token(*PATIENT), config=QUICK)
    yield servers[0], client
    client.close()
    over.set()
    thread.join(20)


def test_the_blocking_client(blocking: tuple[MessagingServer, Any]) -> None:
    _, client = blocking
    for call in (
        lambda: client.send_message_to_conversation(1, CANARY),
        lambda: client.send_message_to_conversation(1, CANARY + "\ud800"),
        lambda: client.conversation(1).send(CANARY),
        lambda: client.get_conversation_messages(CANARY + "/"),
        lambda: client.emit("x", {"text": CANARY}),
    ):
        with pytest.raises(MessagingError) as raised:
            call()
        assert not holds_secret(report(raised.value)), excerpt(report(raised.value))


# --- whatever else shows itself -----------------------------------------------------------------------------------


async def test_nothing_of_ours_shows_what_it_holds(scene: Scene) -> None:
    """The `repr` of every object of the package that there is, while messages and tokens are about."""
    patient, doctor = await scene.client(PATIENT), await scene.client(DOCTOR)
    inbox = await scene.inbox(doctor)
    session = await scene.session(doctor)
    async with doctor.expect(Message, timeout=20) as found:
        await patient.send_message_to_conversation(scene.conversation, CANARY)
    await found
    scene.server.faults.answer("send", 503, count=None)
    await session.send(CANARY, wait=False)
    await inbox.refresh()
    shown = 0
    for each in gc.get_objects():
        module = str(type(each).__module__)
        if module.startswith("messaging_client") and ".testing" not in module:
            shown += 1
            assert not holds_secret(repr(each)), type(each)
            assert not holds_secret(str(each)) or isinstance(each, str), type(each)
    assert shown > 100
