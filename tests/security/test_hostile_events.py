"""An untrusted server over the socket: each event, in every wrong way, to the real client over a real connection."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hostile import TIMEOUT, HostileServer, served
from hostile_payloads import EVENTS, QUICKLY, payloads
from hypothesis import given
from hypothesis import strategies as st
from scenes import DOCTOR, PATIENT, Scene

from messaging_client import (
    ConnectionChange,
    ConversationUpdated,
    CustomEvent,
    InvalidPayload,
    Message,
    MessageFailed,
    MessageSent,
    MessagingClient,
    MessagingError,
    Notification,
    PresenceEvent,
    TypingEvent,
)
from messaging_client.models import ConnectionCause, ConnectionState

BECOMES: dict[str, type[Any]] = {
    "new_message": Message,
    "user_typing": TypingEvent,
    "conversation_updated": ConversationUpdated,
    "user_online": PresenceEvent,
    "user_offline": PresenceEvent,
    "notification": Notification,
    "message_sent": MessageSent,
    "message_error": MessageFailed,
}


PACKETS = (
    "2",
    "3",
    "5",
    "6",
    "7",
    "9",
    "51-",
    "5-1-",
    "52-/a,",
    "599999999999-",
    "2/admin,",
    "2/x",
    "23",
    "3999",
    "30",
)
"""Beginnings of packets of every type, some of which are none."""


class Line:
    """A hostile server and a client of it, for a test that is not a coroutine itself."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()

    def __enter__(self) -> Line:
        self.runner.run(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self.runner.run(self._close())
        self.runner.close()

    async def _open(self) -> None:
        self.server = await HostileServer().__aenter__()
        self.client: MessagingClient = self.server.client(queue_size=20_000)
        self.told: list[Any] = []
        self.changes: list[ConnectionChange] = []
        self.back = asyncio.Event()
        await self.client.connect()
        for subscribe in (
            lambda: self.client.on_new_message(self.told.append, own=True),
            lambda: self.client.on_typing(self.told.append),
            lambda: self.client.on_conversation_update(self.told.append),
            lambda: self.client.on_presence_change(self.told.append),
            lambda: self.client.on_notification(self.told.append),
            lambda: self.client.on_message_sent(self.told.append),
            lambda: self.client.on_message_error(self.told.append),
            lambda: self.client.on_invalid_payload(self.told.append),
            lambda: self.client.on_connection_change(self.changes.append),
            lambda: self.client.on("sentinel", lambda _: self.back.set()),
        ):
            subscribe()

    async def _close(self) -> None:
        await self.client.aclose(drain=0)
        await self.server.__aexit__()

    def say(self, frame: str | bytes, sentinels: int = 1) -> list[Any]:
        return self.runner.run(self._say(frame, sentinels))

    async def _say(self, frame: str | bytes, sentinels: int) -> list[Any]:
        """What the client makes of a frame; what is said afterwards has come then."""
        self.told.clear()
        self.back.clear()
        await self.server.say(frame)
        for _ in range(sentinels):
            await self.server.emit("sentinel", 0)
        async with asyncio.timeout(TIMEOUT):
            await self.back.wait()
            await self.client._dispatcher.handled()
        assert self.client.is_connected
        assert not self.changes
        return list(self.told)


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    with Line() as line:
        yield line


@pytest.mark.parametrize("event", EVENTS)
def test_an_event(line: Line, event: str) -> None:
    """It is what it should be, or it is reported as invalid, once; and the next event comes."""

    @QUICKLY
    @given(payloads(EVENTS[event]))
    def hears(payload: str) -> None:
        told = line.say(f'42["{event}",{payload}]')
        kinds = (BECOMES[event], InvalidPayload) if event in BECOMES else (InvalidPayload,)
        assert all(isinstance(each, kinds) for each in told), told
        # A message that came before is not told again, and an event without a meaning is told to who asked for it.
        assert len(told) == 1 or (not told and event in ("new_message", *(EVENTS.keys() - BECOMES.keys()))), told
        for each in told:
            repr(each)
            hash(each)

    hears()


@QUICKLY
@given(
    st.one_of(
        st.builds(
            lambda kind, rest: f"4{kind}{rest}",
            # All but the goodbye, which is one, and those of a handshake, which are tried below.
            st.sampled_from(
                [
                    "2",
                    "3",
                    "5",
                    "6",
                    "7",
                    "9",
                    "51-",
                    "5-1-",
                    "52-/a,",
                    "599999999999-",
                    "2/admin,",
                    "2/x",
                    "23",
                    "3999",
                    "30",
                ]
            ),
            payloads([["new_message", {"id": 1, "contenu": "x"}]]),
        ),
        st.binary(min_size=1, max_size=50),
    )
)
def test_a_frame(line: Line, frame: str | bytes) -> None:
    """Packets of every type, with attachments that never come, and binary frames that nobody waits for."""
    # A packet that waits for an attachment takes the first sentinel for it.
    told = line.say(frame, sentinels=2)
    assert all(isinstance(each, Message | InvalidPayload) for each in told)


@pytest.mark.parametrize(
    "welcome",
    [
        "44",
        '44{"message":"\\ud800"}',
        '44"\\ud800 jwt"',
        "44" + "[" * 400 + "]" * 400,
        "44" + "9" * 4000,
        '44{"message":{"message":[]}}',
        "40",
        "40[]",
        '40{"sid":7}',
        '40{"sid":{}}',
        '40{"sid":"s","pid":[]}',
        "41",
        "1",
        "6",
        "b4aGVsbG8=",
        "\x00",
        "",
    ],
    ids=lambda each: repr(each[:12]),
)
async def test_a_handshake(welcome: str) -> None:
    """It succeeds, or it fails with an error of ours."""
    async with served() as server:
        server.welcome = welcome
        client = server.client(connect_timeout=0.5)
        error = await refusal_of(client)
        assert "unexpected" not in str(error)
        str(getattr(error, "server_message", "") or "").encode()
        await client.aclose(drain=0)


async def refusal_of(client: MessagingClient) -> MessagingError | None:
    """Our error of a connection that failed, or None."""
    try:
        await client.connect()
    except MessagingError as error:
        return error
    return None


@pytest.mark.parametrize(
    "opening",
    [
        '0{"sid":[],"upgrades":5,"pingInterval":1e308,"pingTimeout":-1}',
        '0{"sid":"s","upgrades":[],"pingInterval":-5,"pingTimeout":0}',
        '0{"sid":"s","upgrades":[],"pingInterval":1e999,"pingTimeout":1}',
        '0{"sid":"s","upgrades":[],"pingInterval":"x","pingTimeout":null}',
        '0{"sid":"s","upgrades":[],"pingInterval":' + "9" * 400 + ',"pingTimeout":1}',
        "0" + "[" * 5000,
        "0null",
        "0",
        "\ud7ff",
        "4" + "x" * 100_000,
    ],
    ids=lambda each: each[:50],
)
async def test_an_opening(opening: str) -> None:
    async with served() as server:
        server.opening = opening
        client = server.client(connect_timeout=0.5)
        assert "unexpected" not in str(await refusal_of(client))
        await client.aclose(drain=0)


# --- what would grow ----------------------------------------------------------------------------------------------


async def test_attachments_do_not_pile_up() -> None:
    """A packet that announces more than it may is refused; what comes for it is not kept."""
    async with served() as server:
        client = server.client(max_response_bytes=1_000_000)
        await client.connect()
        invalid: list[InvalidPayload] = []
        client.on_invalid_payload(invalid.append)
        holder = {"_placeholder": True, "num": 0}
        tracemalloc.start()
        try:
            for announced, reason in (("9999999999", "too many"), ("101", "too many"), ("100", "too large")):
                await server.say(f"45{announced}-" + json.dumps(["new_message", holder]))
                for _ in range(30):
                    await server.say(b"x" * 200_000)
                async with client.expect(CustomEvent, timeout=TIMEOUT) as heard:
                    await server.emit("sentinel")
                await heard
                assert any(reason in each.reason for each in invalid), announced
                invalid.clear()
                assert client.is_connected
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 20_000_000
        await client.aclose(drain=0)


@pytest.mark.parametrize("question", ["2", "2" + "x" * 1_000, '427["sentinel"]'], ids=lambda each: each[:8])
async def test_answers_that_the_server_does_not_read_do_not_pile_up(
    question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pings, and events that ask for an acknowledgement, without end, from a server that reads nothing."""
    async with served() as server:
        client = server.client(reconnection=False)
        await client.connect()
        link = client._connection._link
        assert link is not None

        async def stuck(*_: Any) -> None:
            await asyncio.shield(link.ended)

        # As when the network takes nothing more: its buffers are megabytes, and would take a minute to fill.
        monkeypatch.setattr(link._websocket, "send_str", stuck)
        queue = link.sio.eio.queue
        largest = 0
        while not link.ended.done():
            with contextlib.suppress(ConnectionError):
                await server.say(question)
            await asyncio.sleep(0)  # the client has its turn
            largest = max(largest, queue.qsize())
            assert largest < 5000, "it piles up"
        assert link.ended.result() is ConnectionCause.CONNECTION_LOST
        assert largest > 500
        assert all(len(packet.encode()) < 200 for packet in queue._queue if packet is not None)
        await client.aclose(drain=0)


async def test_a_frame_that_is_too_large_is_named_and_what_it_held_is_read_back() -> None:
    async with Scene() as scene:
        client = await scene.client(PATIENT, max_response_bytes=100_000, reconnection_delay=0.01)
        await client.join_conversation(scene.conversation)
        await scene.server.wait_until(lambda: scene.server.members(scene.conversation), timeout=TIMEOUT)
        stored = await scene.server.say(scene.conversation, "in the frame", DOCTOR, broadcast=False)
        lost = ConnectionCause.FRAME_TOO_LARGE
        async with (
            client.expect(ConnectionChange, lambda change: change.cause is lost, timeout=TIMEOUT) as change,
            client.expect(ConnectionChange, lambda change: change.state is ConnectionState.CONNECTED) as again,
            client.expect(Message, lambda message: message.content == "in the frame", timeout=TIMEOUT) as message,
        ):
            padded = {**stored, "more": "x" * 10_000_000}
            await scene.server.emit("new_message", padded, conversation_id=scene.conversation)
        assert (await change).state is ConnectionState.RECONNECTING
        await again
        assert (await message).id == stored["id_message"]
        assert "frame_too_large" in str((await change).error)
