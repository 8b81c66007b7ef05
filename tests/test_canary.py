"""Tokens and what patients write stay out of every log, whatever goes wrong."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from canary import CANARY, CANARY_NAME, CANARY_TOKEN, SecretWatch, holds_secret
from scenes import DOCTOR, PATIENT, Scene

from messaging_client import (
    AuthenticationError,
    ExpectTimeout,
    HandlerError,
    InvalidPayload,
    Message,
    MessagingClient,
    MessagingConfig,
    MessagingError,
    ValidationFailed,
)


class Heard(logging.Handler):
    """Counts what the package logs, to be sure that it logs at all."""

    def __init__(self) -> None:
        super().__init__(level=1)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@pytest.fixture(autouse=True)
def heard() -> Iterator[Heard]:
    """What the package logs; that nothing secret is in it is looked at for every test (`conftest.py`)."""
    heard, logger = Heard(), logging.getLogger("messaging_client")
    logger.addHandler(heard)
    logger.setLevel(1)
    yield heard
    logger.setLevel(logging.NOTSET)
    logger.removeHandler(heard)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with Scene() as scene:
        yield scene


QUICK: dict[str, Any] = {"reconnection_delay": 0.01, "fallback_poll_interval": 0.05, "settle_delay": 0.05}
ONCE = MessagingConfig(max_retries=0)


def harmless(error: BaseException | None) -> str:
    """The text of an error of ours and of everything behind it, which must not hold a secret either."""
    text = ""
    while error is not None:
        if isinstance(error, MessagingError):
            text += f"{error} {error!r}"
        error = error.__cause__
    assert not holds_secret(text)
    return text


async def test_a_conversation(scene: Scene, heard: Heard) -> None:
    scene.server.add_user(*PATIENT, prenom="Marie", nom=CANARY_NAME)
    patient, doctor = await scene.client(PATIENT), await scene.client(DOCTOR)
    await doctor.join_conversation(scene.conversation)
    await scene.server.wait_until(lambda: scene.server.members(scene.conversation))
    async with doctor.expect(Message, lambda message: message.content.endswith("socket")) as last:
        await patient.send_message_to_conversation(scene.conversation, f"{CANARY} rest")
        await patient.send_message_via_websocket(scene.conversation, f"{CANARY} socket")
    found = await last
    assert CANARY in found.content
    assert CANARY_NAME in found.sender.name
    history = await doctor.get_conversation_messages(scene.conversation)
    people = await doctor.get_conversation_participants(scene.conversation)
    assert CANARY_NAME in str([person.name for person in people])
    assert not holds_secret(f"{found!r} {found} {doctor.status()} {doctor!r} {history!r} {people!r} {found.sender!r}")
    assert heard.texts


@pytest.mark.parametrize(
    "connect",
    [
        pytest.param(
            lambda scene: MessagingClient("http://127.0.0.1:9", token=CANARY_TOKEN, config=ONCE), id="nobody listens"
        ),
        pytest.param(
            lambda scene: MessagingClient(scene.server.url, token=CANARY_TOKEN, config=ONCE), id="token refused"
        ),
        pytest.param(
            lambda scene: MessagingClient(scene.server.url, token=lambda: CANARY_TOKEN, config=ONCE), id="asked again"
        ),
    ],
)
async def test_a_connection_that_is_refused(
    scene: Scene, connect: Callable[[Scene], MessagingClient], heard: Heard
) -> None:
    client = connect(scene)
    with pytest.raises(MessagingError) as refused:
        await client.connect()
    with pytest.raises(MessagingError) as unanswered:
        await client.get_unread_conversations(timeout=1)
    harmless(refused.value)
    harmless(unanswered.value)
    harmless(client.status().last_error)
    await client.aclose()
    assert heard.texts


async def test_a_handshake_that_repeats_what_it_was_given(scene: Scene) -> None:
    scene.server.faults.refuse_handshake(f"jwt {CANARY_TOKEN} of {CANARY} expired", data={"t": CANARY_TOKEN}, count=2)
    client = await scene.client(PATIENT, connect=False)
    with pytest.raises(AuthenticationError) as refused:
        await client.connect()
    harmless(refused.value)


def send_fails(scene: Scene, kind: str) -> None:
    faults = scene.server.faults
    if kind == "refusal":
        faults.answer("send", 400, message=f"Refus de {CANARY} {CANARY_TOKEN}")
    elif kind == "error":
        faults.answer("send", 500, message=f"Refus de {CANARY} {CANARY_TOKEN}")
    elif kind == "html":
        faults.garbage("send", body=f"<html>{CANARY} {CANARY_TOKEN}</html>")
    elif kind == "odd":
        faults.answer("send", 200, body={"status": "success", "data": {"message": {"contenu": CANARY}}})
    else:
        faults.raw("send", f"HTTP/1.1 200 {CANARY}\r\nX: {CANARY_TOKEN}\r\n{CANARY}".encode())


@pytest.mark.parametrize("kind", ["refusal", "error", "html", "odd", "raw"])
async def test_a_send_that_fails(scene: Scene, kind: str) -> None:
    client = await scene.client(PATIENT)
    send_fails(scene, kind)
    try:
        sent = await client.send_message_to_conversation(scene.conversation, CANARY, timeout=2, deadline=5)
    except MessagingError as failure:
        harmless(failure)
    else:
        assert kind != "refusal"
        assert sent.content == CANARY
    assert not holds_secret(repr(client.pending()))
    assert not scene.server.faults.pending()


async def test_reads_that_are_repeated_and_polls(scene: Scene, heard: Heard) -> None:
    client = await scene.client(DOCTOR, **QUICK)
    await client.join_conversation(scene.conversation)
    scene.server.faults.answer("messages", 503, count=2, message=CANARY, retry_after=0.01)
    await client.get_conversation_messages(scene.conversation)
    scene.server.faults.refuse_upgrade(503, body=f"{CANARY} {CANARY_TOKEN}", count=None)
    scene.server.faults.answer(None, 500, count=3, message=CANARY)
    await scene.server.faults.cut()
    async with client.expect(Message) as reply:
        await scene.say(CANARY)
    assert (await reply).content == CANARY
    assert client.status().polling
    harmless(client.status().last_error)
    assert any("reconnecting" in text for text in heard.texts)


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("new_message", {"contenu": CANARY}),
        ("new_message", CANARY),
        ("user_typing", {"userName": CANARY}),
        ("message_error", [CANARY]),
        (CANARY, {"x": CANARY_TOKEN}),
    ],
)
async def test_payloads_that_cannot_be_read(scene: Scene, event: str, payload: Any) -> None:
    client = await scene.client(DOCTOR)
    kinds = [InvalidPayload] if event != CANARY else []
    async with client.events(*kinds) as events:
        await scene.server.emit(event, payload)
        came = await anext(events)
    if kinds:
        assert CANARY not in f"{came!r} {came}"


async def test_a_handler_that_raises_what_it_was_given(scene: Scene, heard: Heard) -> None:
    client = await scene.client(DOCTOR)

    @client.on_new_message
    def repeats(message: Message) -> None:
        raise ValueError(message.content)

    await client.join_conversation(scene.conversation)
    await scene.server.wait_until(lambda: scene.server.members(scene.conversation))
    async with client.expect(HandlerError) as error:
        await scene.say(CANARY)
    assert CANARY in str((await error).error)
    assert CANARY not in repr(await error)
    assert any("ValueError" in text for text in heard.texts)


async def test_a_queue_that_is_full_and_an_expectation_that_fails(scene: Scene, heard: Heard) -> None:
    client = await scene.client(DOCTOR, queue_size=2)
    await client.join_conversation(scene.conversation)
    await scene.server.wait_until(lambda: scene.server.members(scene.conversation))
    go_on, got = asyncio.Event(), list[Message]()

    @client.on_new_message
    async def slow(message: Message) -> None:
        await go_on.wait()
        got.append(message)

    with pytest.raises(ExpectTimeout) as missed:
        async with client.expect(Message, lambda message: message.content == "?", timeout=0.2) as reply:
            for number in range(8):
                await scene.say(f"{CANARY} {number}")
        await reply
    assert "Message(id=" in harmless(missed.value)
    go_on.set()
    async with asyncio.timeout(20):
        await client._dispatcher.handled()
    assert len(got) == 8
    assert any("queue is full" in text for text in heard.texts)


@pytest.mark.parametrize("argument", [CANARY_TOKEN, f"../{CANARY}", f"{CANARY} \n"])
async def test_arguments_that_are_refused(scene: Scene, argument: str) -> None:
    client = await scene.client(PATIENT, connect=False)
    with pytest.raises(ValidationFailed) as refused:
        await client.get_conversation_messages(argument + "/")
    harmless(refused.value)
    with pytest.raises(MessagingError) as unusable:
        MessagingClient(f"ftp://{argument}", token="temp_" + argument)
    harmless(unusable.value)
    with pytest.raises(MessagingError) as unusable:
        MessagingClient(scene.server.url, token="temp_" + argument)
    harmless(unusable.value)


def leave_in_the_text(logger: logging.Logger) -> None:
    logger.debug(f"sent {CANARY}")  # noqa: G004 - what must be noticed


def leave_in_the_arguments(logger: logging.Logger) -> None:
    logger.debug("sent %s", {"token": CANARY_TOKEN})


def leave_in_an_exception(logger: logging.Logger) -> None:
    try:
        raise ValueError(CANARY)
    except ValueError:
        logger.exception("failed")


@pytest.mark.parametrize("leave", [leave_in_the_text, leave_in_the_arguments, leave_in_an_exception])
@pytest.mark.parametrize("propagates", [True, False])
def test_the_watch_notices(leave: Callable[[logging.Logger], None], propagates: bool) -> None:
    """On a logger below a root of its own, so that the run itself does not fail."""
    root = logging.RootLogger(1)
    manager = logging.Manager(root)
    logger = manager.getLogger("below.it")
    logger.propagate = propagates
    watch = SecretWatch()
    (root if propagates else logger).addHandler(watch)
    leave(logger)
    assert len(watch.leaks) == 1
    assert CANARY not in watch.leaks[0]
    logger.debug("nothing %s", "secret", extra={"shown": 1})
    assert len(watch.leaks) == 1


def test_the_whole_run_is_watched() -> None:
    """Every logger that keeps its records to itself has the watch too."""
    logger = logging.getLogger("a_logger_that_keeps_to_itself")
    logger.propagate = False
    watch = SecretWatch()
    watch.watch_all()
    try:
        assert watch in logger.handlers
        assert watch in logging.getLogger().handlers
        assert any(isinstance(each, SecretWatch) and each is not watch for each in logging.getLogger().handlers)
        assert logging.getLogger().level == 1
    finally:
        watch.watch_none()
        logger.propagate = True
    assert watch not in logger.handlers


def test_third_parties_are_watched_at_debug_too() -> None:
    """Every logger that there is reaches the watch at DEBUG, but for those of the raw clients that tests use."""
    loggers = [each for each in logging.Logger.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    assert {"aiohttp.client", "asyncio", "messaging_client.rest", "httpx"} <= {each.name for each in loggers}
    deaf = {each.name for each in loggers if not each.isEnabledFor(logging.DEBUG)}
    assert deaf <= {f"{library}.{side}" for library in ("socketio", "engineio") for side in ("client", "server")}, deaf


@pytest.mark.parametrize("secret", [CANARY, CANARY_NAME, CANARY_TOKEN, "Marie Dupont", f"x{CANARY_TOKEN}x"])
def test_what_is_a_secret(secret: str) -> None:
    assert holds_secret(f"a {secret} b")
    assert not holds_secret(f"a {secret[:4]} b")
