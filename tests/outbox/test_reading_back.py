"""Reading back over real sockets, on servers without keys whose clocks, pushes and pages are not what one wishes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from messaging_client import ConnectionLost, MessagingClient, MessagingConfig, RequestTimeout, SendUncertain
from messaging_client.testing import MessagingServer, ServerOptions
from messaging_client.testing.realtime import conversation_room
from tests.outbox.support import DOCTOR, PATIENT, UNHURRIED, FastClock
from tests.scenes import until

DOSE = "dose: 5 mg"


class Steps(FastClock):
    """A server's clock that can be set."""

    behind = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) - self.behind


class Scene:
    def __init__(self, server: MessagingServer, clock: Steps, conversation: int, stack: AsyncExitStack) -> None:
        self.server = server
        self.clock = clock
        self.conversation = conversation
        self._stack = stack

    async def client(self, store: Path | None = None) -> MessagingClient:
        client = MessagingClient(
            self.server.url,
            token=self.server.token(*DOCTOR),
            config=MessagingConfig(**UNHURRIED),
            clock=FastClock(),
            store=store,
        )
        self._stack.push_async_callback(client.aclose, drain=0)
        await client.connect()
        return client

    def stored(self) -> list[str]:
        """The texts, in the order of their ids."""
        messages = sorted(self.server.messages(self.conversation), key=lambda each: each["id_message"])
        return [each["contenu"] for each in messages]


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    clock = Steps()
    options = ServerOptions(idempotency=False, echo_client_message_id=False)
    async with MessagingServer(options=options, clock=clock) as server, AsyncExitStack() as stack:
        conversation = await server.create_conversation("Messages - Ordonnance 15", [PATIENT, DOCTOR])
        yield Scene(server, clock, conversation, stack)


async def push(scene: Scene, **payload: Any) -> None:
    """Push a message that is not stored, as a server does that relays what clients claim."""
    sockets = scene.server._running.sockets  # type: ignore[union-attr]
    message = {
        "conversationId": scene.conversation,
        "content": "bonjour",
        "type": "text",
        "sender": {"id": PATIENT[1], "type": PATIENT[0]},
    }
    await sockets.publish("new_message", message | payload, rooms=[conversation_room(scene.conversation)])


@pytest.mark.parametrize("pushed", ["temp_js1", 4000])
async def test_a_push_with_a_time_or_an_id_ahead_moves_no_mark(scene: Scene, pushed: Any) -> None:
    client = await scene.client()
    async with client.conversation(scene.conversation) as session:
        await session.send("a")
        ahead = datetime.now(UTC) + timedelta(minutes=5)
        await push(scene, id=pushed, timestamp=ahead.isoformat())
        await until(session, lambda: any(each.id == pushed for each in session.messages))
        scene.server.faults.drop_after_storing("send")
        message = await session.send(DOSE)
    assert (message.id, scene.stored()) == (2, ["a", DOSE])


@pytest.mark.parametrize("before", [1, 60])
async def test_a_clock_that_goes_back_hides_no_message(scene: Scene, before: int) -> None:
    for number in range(before):
        await scene.server.say(scene.conversation, f"m{number}", PATIENT)
    client = await scene.client()
    await client.send_message_to_conversation(scene.conversation, "a")
    scene.clock.behind = timedelta(seconds=5)
    scene.server.faults.drop_after_storing("send")
    await client.send_message_to_conversation(scene.conversation, DOSE)
    assert scene.stored()[before:] == ["a", DOSE]


async def test_what_is_behind_many_newer_messages_is_found(scene: Scene) -> None:
    client = await scene.client()
    await client.send_message_to_conversation(scene.conversation, "a")
    scene.server.faults.drop_after_storing("send")
    scene.server.faults.answer("messages", 503, retry_after=200)  # two seconds of the client's fast clock
    sending = asyncio.ensure_future(client.send_message_to_conversation(scene.conversation, DOSE))
    await scene.server.wait_until(lambda: DOSE in scene.stored(), timeout=20)
    for number in range(120):
        await scene.server.say(scene.conversation, f"m{number}", PATIENT)
    message = await sending
    assert (message.id, scene.stored().count(DOSE)) == (2, 1)


# --- sent over the socket --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_followed", [True, False])
async def test_what_was_sent_over_the_socket_is_not_taken_for_this_one(scene: Scene, is_followed: bool) -> None:
    client = await scene.client()
    async with AsyncExitStack() as stack:
        if is_followed:
            await stack.enter_async_context(client.conversation(scene.conversation))
        await client.send_message_to_conversation(scene.conversation, "a")
        scene.server.faults.hold_events("new_message")
        over_socket = await client.send_message_via_websocket(scene.conversation, "ok")
        scene.server.faults.drop_before_storing("send")
        message = await client.send_message_to_conversation(scene.conversation, "ok")
        scene.server.faults.clear()
    assert (over_socket.message_id, message.id) == (2, 3)
    assert scene.stored() == ["a", "ok", "ok"]


async def test_without_a_word_over_the_socket_nothing_is_guessed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await scene.client()
    await client.send_message_to_conversation(scene.conversation, "a")

    async def lost(*args: Any) -> None:
        raise ConnectionLost("cut", may_have_left=True)

    with monkeypatch.context() as patched:
        patched.setattr(client._connection, "call", lost)
        with pytest.raises(ConnectionLost):
            await client.send_message_via_websocket(scene.conversation, "ok")
    scene.server.faults.drop_after_storing("send")
    with pytest.raises(SendUncertain):
        await client.send_message_to_conversation(scene.conversation, "ok")
    scene.server.faults.drop_after_storing("send")
    await client.send_message_to_conversation(scene.conversation, "autre")
    assert scene.stored() == ["a", "ok", "autre"]


# --- across a restart ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["rest", "socket"])
async def test_an_uncertain_message_is_not_confirmed_as_a_later_one_after_a_restart(
    scene: Scene, way: str, tmp_path: Path
) -> None:
    store = tmp_path / "messages.db"
    client = await scene.client(store)
    await client.send_message_to_conversation(scene.conversation, "a")
    scene.server.faults.answer("messages", 503, count=None)
    scene.server.faults.drop_before_storing("send")
    marks = client._outbox._delivery._marks
    marks[scene.conversation] = (marks[scene.conversation][0], float("inf"))  # as if sent at once after the first
    with pytest.raises((SendUncertain, RequestTimeout)):
        await client.send_message_to_conversation(scene.conversation, "ok", deadline=100)
    scene.server.faults.clear()
    if way == "rest":
        second = (await client.send_message_to_conversation(scene.conversation, "ok")).id
    else:
        second = (await client.send_message_via_websocket(scene.conversation, "ok")).message_id
    await client.aclose(drain=0)

    client = await scene.client(store)
    (uncertain,) = client.pending()
    message = await client.retry(uncertain)
    assert (second, message.id) == (2, 3)
    assert scene.stored() == ["a", "ok", "ok"]
    await client.aclose(drain=0)
