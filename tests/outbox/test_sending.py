"""Sends of a client over real sockets, with every way in which an answer can be missing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from messaging_client import (
    AuthenticationError,
    ConfigurationError,
    ConversationSession,
    Message,
    MessageStatus,
    MessagingClient,
    MessagingConfig,
    OutboxFull,
    PermissionDenied,
    RequestTimeout,
    StoreError,
    ValidationFailed,
)
from messaging_client.testing import MessagingServer, ServerOptions
from tests.outbox.support import DOCTOR, PATIENT, UNHURRIED, FastClock
from tests.scenes import until
from tests.servers import make_server

SERVERS = {
    "keys honoured": {"idempotency": True},
    "keys echoed": {"idempotency": False},
    "keys unknown": {"idempotency": False, "echo_client_message_id": False},
    "only pages": {"idempotency": False, "echo_client_message_id": False, "new_messages_route": False},
}
HONEST = {"keys honoured": SERVERS["keys honoured"], "keys unknown": SERVERS["keys unknown"]}


class Scene:
    """A server, and clients of it on fast clocks, all closed at the end."""

    def __init__(self, server: MessagingServer, conversation: int, stack: AsyncExitStack) -> None:
        self.server = server
        self.conversation = conversation
        self._stack = stack

    async def client(
        self, user: tuple[str, int] = DOCTOR, *, store: Path | None = None, connect: bool = True, **settings: Any
    ) -> MessagingClient:
        given = {
            "server_idempotency": self.server.options.idempotency,
            **UNHURRIED,
        }
        client = MessagingClient(
            self.server.url,
            token=self.server.token(*user),
            config=MessagingConfig(**(given | settings)),
            store=store,
            clock=FastClock(),
        )
        self._stack.push_async_callback(client.aclose, drain=0)
        if connect:
            await client.connect()
        return client

    async def session(self, client: MessagingClient) -> ConversationSession:
        return await self._stack.enter_async_context(client.conversation(self.conversation))

    def stored(self) -> list[str]:
        return [each["contenu"] for each in self.server.messages(self.conversation)]


@pytest.fixture(params=HONEST)
async def scene(request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    options = ServerOptions(**SERVERS[request.param])
    async with make_server(options=options) as server, AsyncExitStack() as stack:
        conversation = await server.create_conversation("Messages - Ordonnance 15", [PATIENT, DOCTOR])
        yield Scene(server, conversation, stack)


on_every_server = pytest.mark.parametrize("scene", SERVERS, indirect=True)

MISHAPS: dict[str, Callable[[MessagingServer], Any]] = {
    "cut after storing": lambda server: server.faults.drop_after_storing(),
    "cut before storing": lambda server: server.faults.drop_before_storing(),
    "half an answer": lambda server: server.faults.truncate("send"),
    "500 after storing": lambda server: server.faults.answer("send", 500, after_storing=True),
    "500": lambda server: server.faults.answer("send", 500),
    "502 after storing": lambda server: server.faults.answer("send", 502, after_storing=True),
    "504": lambda server: server.faults.answer("send", 504),
    "503": lambda server: server.faults.answer("send", 503, count=2),
    "429": lambda server: server.faults.answer("send", 429, retry_after=3),
    "web page after storing": lambda server: server.faults.garbage("send", after_storing=True),
    "silence after storing": lambda server: server.faults.silence("send", after_storing=True),
    "silence": lambda server: server.faults.silence("send"),
}


@on_every_server
@pytest.mark.parametrize("mishap", MISHAPS)
async def test_a_send_ends_confirmed_and_stored_once(scene: Scene, mishap: str) -> None:
    client = await scene.client(request_timeout=100.0 if "silence" in mishap else 500.0)
    await client.send_message_to_conversation(scene.conversation, "ok")
    MISHAPS[mishap](scene.server)
    messages = await client.send_messages(scene.conversation, ["ok", "ok", "fin"])
    assert scene.stored() == ["ok", "ok", "ok", "fin"]
    assert [message.id for message in messages] == [
        each["id_message"] for each in scene.server.messages(scene.conversation)
    ][1:]
    assert scene.server.faults.pending() == 0
    assert client.pending() == ()


# --- sessions --------------------------------------------------------------------------------------------------------


async def test_a_pending_message_stands_in_its_session_until_the_server_is_back(scene: Scene) -> None:
    client = await scene.client()
    session = await scene.session(client)
    await scene.server.stop()
    pending = await session.send("un", wait=False)
    other = asyncio.ensure_future(session.send("deux"))
    await until(session, lambda: len(session.messages) == 2)
    assert [each.status for each in session.messages] == [MessageStatus.SENDING] * 2
    assert pending.status is MessageStatus.SENDING
    assert [each.content for each in client.pending()] == ["un", "deux"]
    await scene.server.start()
    message = await other
    await until(session, lambda: [each.id for each in session.messages] == [message.id - 1, message.id])
    assert scene.stored() == ["un", "deux"]
    assert client.pending() == ()


async def test_a_refused_message_stays_in_its_session_until_it_is_retried(scene: Scene) -> None:
    client = await scene.client()
    session = await scene.session(client)
    scene.server.faults.answer("send", 403)
    with pytest.raises(PermissionDenied):
        await session.send("un")
    (refused,) = session.messages
    assert refused.status is MessageStatus.ERROR
    assert client.pending() == (refused,)
    message = await session.retry(refused)
    assert message.content == "un"
    await until(session, lambda: [each.id for each in session.messages] == [message.id])


async def test_a_discarded_message_leaves_its_session(scene: Scene) -> None:
    client = await scene.client()
    session = await scene.session(client)
    scene.server.faults.answer("send", 413)
    with pytest.raises(ValidationFailed):
        await client.send_message_to_conversation(scene.conversation, "un")
    (refused,) = client.pending()
    await client.discard(refused)
    assert (list(session.messages), client.pending(), scene.stored()) == ([], (), [])


async def test_both_sides_see_each_message_once_though_it_is_relayed(scene: Scene) -> None:
    doctor, patient = await scene.client(), await scene.client(PATIENT)
    mine, theirs = await scene.session(doctor), await scene.session(patient)
    scene.server.faults.drop_after_storing()
    for content in ("un", "deux", "trois"):
        await mine.send(content)
    for session in (mine, theirs):
        await until(session, lambda session=session: len(session.messages) == 3)
        assert [each.content for each in session.messages] == ["un", "deux", "trois"]
    emitted = [each.event for each in scene.server.events]
    await scene.server.wait_until(lambda: [each.event for each in scene.server.events].count("message_sent") == 3)
    assert emitted.count("new_message") <= 3


# --- arguments and bounds --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scene", ["keys honoured"], indirect=True)
@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"contenu": "  "}, "something to read"),
        ({"contenu": "x" * 2000}, "2000 bytes"),
        ({"contenu": "un", "type_message": "video"}, "type must be"),
        ({"contenu": "un", "deadline": 0}, "deadline must be"),
        ({"contenu": "un", "deadline": float("nan")}, "deadline must be"),
        ({"contenu": "un", "deadline": True}, "deadline must be"),
        ({"contenu": "un", "conversation_id": "../1"}, "conversation_id"),
    ],
)
async def test_what_cannot_be_sent_is_refused_at_once(scene: Scene, given: dict[str, Any], text: str) -> None:
    client = await scene.client(connect=False, max_message_bytes=1000)
    with pytest.raises(ValidationFailed, match=text) as refused:
        await client.send_message_to_conversation(**({"conversation_id": scene.conversation} | given))
    assert refused.value.status is None
    assert (client.pending(), scene.server.requests) == ((), ())


@pytest.mark.parametrize("scene", ["keys honoured"], indirect=True)
async def test_a_batch_is_taken_whole_or_not_at_all(scene: Scene) -> None:
    client = await scene.client(outbox_size=2)
    with pytest.raises(OutboxFull):
        await client.send_messages(scene.conversation, ["un", "deux", "trois"])
    with pytest.raises(ValidationFailed):
        await client.send_messages(scene.conversation, ["un", ""])
    assert client.pending() == ()
    assert len(await client.send_messages(scene.conversation, ["un", "deux"])) == 2
    assert scene.stored() == ["un", "deux"]


@pytest.mark.parametrize("scene", ["keys honoured"], indirect=True)
async def test_a_client_that_was_never_connected_sends_all_the_same(scene: Scene) -> None:
    token = scene.server.token(*DOCTOR)
    async with AsyncExitStack() as stack:
        client = MessagingClient(scene.server.url, token=lambda: token)
        stack.push_async_callback(client.aclose, drain=0)
        message = await client.send_message_to_conversation(scene.conversation, "un", "document")
    assert isinstance(message, Message)
    assert scene.stored() == ["un"]


async def test_a_deadline_ends_the_wait_for_a_server_that_is_away(scene: Scene) -> None:
    client = await scene.client()
    await scene.server.stop()
    with pytest.raises(RequestTimeout) as given_up:
        await client.send_message_to_conversation(scene.conversation, "un", deadline=20)
    assert not given_up.value.may_have_left
    (left,) = client.pending()
    await scene.server.start()
    await client.retry(left)
    assert scene.stored() == ["un"]


# --- restarts --------------------------------------------------------------------------------------------------------


async def test_the_next_client_on_the_file_sends_what_was_left(scene: Scene, tmp_path: Path) -> None:
    store = tmp_path / "messages.db"
    client = await scene.client(store=store)
    session = await scene.session(client)
    await scene.server.stop()
    await session.send("un", wait=False)
    await session.send("deux", wait=False)
    report = await client.aclose(drain=10)
    assert [each.content for each in report.unsent] == ["un", "deux"]
    await scene.server.start()
    client = await scene.client(store=store, connect=False)
    await client.connect()
    session = await scene.session(client)
    await until(session, lambda: [each.status for each in session.messages] == [MessageStatus.SENT] * 2)
    assert scene.stored() == ["un", "deux"]
    assert (await client.aclose()).unsent == ()


async def test_pending_messages_of_an_earlier_client_stand_in_their_session(scene: Scene, tmp_path: Path) -> None:
    store = tmp_path / "messages.db"
    client = await scene.client(store=store)
    scene.server.faults.answer("send", 403)
    with pytest.raises(PermissionDenied):
        await client.send_message_to_conversation(scene.conversation, "un")
    await client.aclose()
    client = await scene.client(store=store)
    session = await scene.session(client)
    (refused,) = session.messages
    assert (refused.content, refused.status) == ("un", MessageStatus.ERROR)
    await session.discard(refused)
    assert list(session.messages) == []


async def test_closing_waits_for_what_is_being_sent(scene: Scene) -> None:
    client = await scene.client()
    session = await scene.session(client)
    for number in range(20):
        await session.send(f"m{number}", wait=False)
    report = await client.aclose(drain=500)
    assert report.unsent == ()
    assert scene.stored() == [f"m{number}" for number in range(20)]


@pytest.mark.parametrize("scene", ["keys honoured"], indirect=True)
async def test_a_file_that_cannot_be_used_is_told_when_connecting(scene: Scene, tmp_path: Path) -> None:
    store = tmp_path / "messages.db"
    first = await scene.client(store=store)
    second = await scene.client(store=store, connect=False)
    with pytest.raises(ConfigurationError, match="in use"):
        await second.connect()
    await first.aclose()
    other = await scene.client(PATIENT, store=store, connect=False)
    with pytest.raises(ConfigurationError, match="another server or user"):
        await other.connect()
    with pytest.raises(ConfigurationError, match="another server or user"):
        await other.send_message_to_conversation(scene.conversation, "un")
    store.write_bytes(b"canary" * 1000)
    third = await scene.client(store=store, connect=False)
    with pytest.raises(StoreError, match="no SQLite database"):
        await third.connect()
    assert store.read_bytes() == b"canary" * 1000


# --- tokens, deadlines and relays ------------------------------------------------------------------------------------


@pytest.mark.parametrize("scene", ["keys honoured"], indirect=True)
@pytest.mark.parametrize("mishap", ["cancelled", "raises"])
async def test_a_token_callable_that_fails_for_a_moment_delays_and_ends_nothing(scene: Scene, mishap: str) -> None:
    first, asked = scene.server.token(*DOCTOR), 0

    async def token() -> str:
        nonlocal asked
        asked += 1
        if asked == 1:
            return first
        if asked < 4:
            raise asyncio.CancelledError if mishap == "cancelled" else OSError
        return scene.server.token(*DOCTOR)

    config = MessagingConfig(**UNHURRIED)
    client = MessagingClient(scene.server.url, token=token, config=config, clock=FastClock())
    async with client:
        await client.send_message_to_conversation(scene.conversation, "un")
        scene.server.faults.expire(first)
        async with asyncio.timeout(20):
            await asyncio.gather(*(client.send_message_to_conversation(scene.conversation, each) for each in "abc"))
        assert (scene.stored(), client.pending(), asked) == (["un", "a", "b", "c"], (), 4)


@pytest.mark.parametrize("scene", ["keys honoured"], indirect=True)
async def test_a_refused_token_ends_one_message_and_connecting_again_sends_the_others(scene: Scene) -> None:
    tokens = [scene.server.token(*DOCTOR)]
    config = MessagingConfig(**UNHURRIED)
    async with MessagingClient(scene.server.url, token=lambda: tokens[-1], config=config, clock=FastClock()) as client:
        session = await scene.session(client)
        scene.server.faults.expire(tokens[0])
        sending = [
            asyncio.ensure_future(client.send_message_to_conversation(scene.conversation, each)) for each in "abc"
        ]
        with pytest.raises(AuthenticationError):
            await sending[0]
        assert [each.status for each in client.pending()] == [
            MessageStatus.ERROR,
            MessageStatus.SENDING,
            MessageStatus.SENDING,
        ]
        tokens.append(scene.server.token(*DOCTOR))
        await client.connect()  # connected all the while: the socket's token was good when it was asked
        async with asyncio.timeout(20):
            await asyncio.gather(*sending[1:])
        assert scene.stored() == ["b", "c"]
        (refused,) = client.pending()
        await session.retry(refused)
        assert scene.stored() == ["b", "c", "a"]


@pytest.mark.parametrize("scene", ["keys honoured"], indirect=True)
async def test_a_deadline_while_a_token_is_waited_for_says_that_nothing_left(scene: Scene) -> None:
    first, never = scene.server.token(*DOCTOR), asyncio.Event()
    asked = 0

    async def token() -> str:
        nonlocal asked
        asked += 1
        if asked > 1:
            await never.wait()
        return first

    config = MessagingConfig(**UNHURRIED)
    async with MessagingClient(scene.server.url, token=token, config=config, clock=FastClock()) as client:
        await client.send_message_to_conversation(scene.conversation, "un")
        scene.server.faults.expire(first)
        with pytest.raises(RequestTimeout) as given_up:
            await client.send_message_to_conversation(scene.conversation, "deux", deadline=30)
        assert not given_up.value.may_have_left


async def test_what_was_sent_without_a_connection_is_relayed_when_there_is_one() -> None:
    options = ServerOptions(broadcast_on_post=False)
    async with make_server(options=options) as server, AsyncExitStack() as stack:
        conversation = await server.create_conversation("Messages - Ordonnance 15", [PATIENT, DOCTOR])
        patient = await stack.enter_async_context(MessagingClient(server.url, token=server.token(*PATIENT)))
        await patient.join_conversation(conversation)
        doctor = MessagingClient(server.url, token=server.token(*DOCTOR))
        stack.push_async_callback(doctor.aclose, drain=0)
        async with patient.events(Message) as heard:
            await doctor.send_messages(conversation, ["un", "deux"])
            await doctor.connect()
            async with asyncio.timeout(20):
                assert [(await anext(heard)).content for _ in range(2)] == ["un", "deux"]
