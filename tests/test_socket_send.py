"""A message sent over the socket: every way in which a server says that it has it, or says nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import jwt
import pytest
import socketio
from aiohttp import web
from scenes import DOCTOR, PATIENT, Scene

from messaging_client import (
    ConnectionLost,
    Message,
    MessagingClient,
    MessagingError,
    NotConnected,
    RequestTimeout,
    ValidationFailed,
)

Answer = Callable[["Peer", dict[str, Any]], Awaitable[Any]]


class Peer:
    """A bare Socket.IO server that answers `send_message` as it is told.

    Attributes:
        answer: what it does about a message; what it gives is the acknowledgement.
        came: the messages that came, and `arrived` is set.
    """

    def __init__(self) -> None:
        self.sio = socketio.AsyncServer(async_mode="aiohttp")
        self.came: list[dict[str, Any]] = []
        self.arrived = asyncio.Event()
        self.answer: Answer = silent
        self.url = ""
        self._never = asyncio.Event()
        self.sio.on("send_message", self._take)

    async def _take(self, _sid: str, payload: dict[str, Any]) -> Any:
        self.came.append(payload["message"])
        self.arrived.set()
        return await self.answer(self, payload["message"])

    async def never(self) -> None:
        """Give no acknowledgement, not even an empty one."""
        await self._never.wait()

    def end(self) -> None:
        self._never.set()


async def silent(peer: Peer, message: dict[str, Any]) -> None:
    await peer.never()


async def empty(peer: Peer, message: dict[str, Any]) -> None:
    return None


def told(event: str, **fields: Callable[[dict[str, Any]], Any]) -> Answer:
    """An event with these fields of the message, among others about other messages, and no acknowledgement."""

    async def answer(peer: Peer, message: dict[str, Any]) -> None:
        payload = {name: make(message) for name, make in fields.items()}
        await peer.sio.emit("message_sent", {"message_id": 1, "client_message_id": "another"})
        await peer.sio.emit("message_error", {"message_id": "temp_another", "message": "no"})
        await peer.sio.emit("new_message", {"id": 2, "conversation_id": 15, "content": "another"})
        await peer.sio.emit(event, payload)
        await peer.never()

    return answer


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    peer = Peer()
    app = web.Application()
    peer.sio.attach(app)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    peer.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield peer
    peer.end()
    await peer.sio.shutdown()
    await runner.cleanup()


@pytest.fixture
async def client(peer: Peer) -> AsyncIterator[MessagingClient]:
    token = jwt.encode({"id": 5, "role": "patient"}, "k" * 32, algorithm="HS256")
    async with MessagingClient(peer.url, token=token) as client:
        yield client
        assert nothing_is_left(client)


def nothing_is_left(client: MessagingClient) -> bool:
    link = client._connection._link
    return not client._dispatcher.taps and (link is None or not link.replies)


async def acknowledged(peer: Peer, message: dict[str, Any]) -> Any:
    return {"status": "success", "message_id": 7, "client_message_id": message["client_message_id"]}


@pytest.mark.parametrize(
    ("answer", "message_id"),
    [
        pytest.param(acknowledged, 7, id="acknowledgement"),
        pytest.param(
            told("message_sent", message_id=lambda m: 8, client_message_id=lambda m: m["client_message_id"]),
            8,
            id="message_sent with the key",
        ),
        pytest.param(told("message_sent", message_id=lambda m: m["id"]), None, id="message_sent with the temporary id"),
        pytest.param(
            told(
                "new_message",
                id=lambda m: 9,
                conversation_id=lambda m: 15,
                content=lambda m: m["content"],
                client_message_id=lambda m: m["client_message_id"],
            ),
            9,
            id="the message",
        ),
    ],
)
async def test_a_word_that_it_is_there(
    peer: Peer, client: MessagingClient, answer: Answer, message_id: int | None
) -> None:
    peer.answer = answer
    sent = await client.send_message_via_websocket(15, "bonjour", timeout=5)
    assert sent.message_id == (message_id or peer.came[0]["id"])
    assert len(peer.came) == 1


async def test_an_empty_acknowledgement_leaves_it_to_the_events(peer: Peer, client: MessagingClient) -> None:
    peer.answer = empty
    sending = asyncio.ensure_future(client.send_message_via_websocket(15, "bonjour", timeout=5))
    async with client.events(Message) as others:
        await peer.arrived.wait()
        await peer.sio.emit("new_message", {"id": 2, "conversation_id": 15, "content": "another"})
        await anext(others)
    assert not sending.done()
    await peer.sio.emit("message_sent", {"message_id": 3, "client_message_id": peer.came[0]["client_message_id"]})
    assert (await sending).message_id == 3


async def refused(peer: Peer, message: dict[str, Any]) -> Any:
    return {"status": "error", "message": "non"}


async def cut(peer: Peer, message: dict[str, Any]) -> None:
    for sid in list(peer.sio.eio.sockets):
        await peer.sio.eio.disconnect(sid)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(refused, ValidationFailed, id="acknowledgement"),
        pytest.param(
            told("message_error", message_id=lambda m: m["id"], message=lambda m: "non"), ValidationFailed, id="event"
        ),
        pytest.param(silent, RequestTimeout, id="silence"),
        pytest.param(empty, RequestTimeout, id="empty acknowledgement"),
        pytest.param(cut, ConnectionLost, id="cut"),
    ],
)
async def test_no_word_that_it_is_there(
    peer: Peer, client: MessagingClient, answer: Answer, error: type[MessagingError]
) -> None:
    peer.answer = answer
    with pytest.raises(error) as failure:
        await client.send_message_via_websocket(15, "bonjour", timeout=0.3)
    if isinstance(failure.value, ValidationFailed):
        assert failure.value.server_message == "non"
        assert failure.value.status is None
    elif isinstance(failure.value, RequestTimeout):
        assert "may have stored it" in str(failure.value)
        assert failure.value.may_have_left
    else:
        await client.wait_connected(10)
    assert "bonjour" not in str(failure.value)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), "5", True, None])
async def test_a_time_out_that_cannot_work_is_refused_before_anything_is_sent(
    peer: Peer, client: MessagingClient, timeout: Any
) -> None:
    peer.answer = acknowledged
    with pytest.raises(ValidationFailed, match="timeout must be"):
        await client.send_message_via_websocket(15, "bonjour", timeout=timeout)
    await client.send_message_via_websocket(15, "au revoir", timeout=5)
    assert [each["content"] for each in peer.came] == ["au revoir"]


async def test_it_may_be_given_up(peer: Peer, client: MessagingClient) -> None:
    sending = asyncio.ensure_future(client.send_message_via_websocket(15, "bonjour"))
    await peer.arrived.wait()
    sending.cancel()
    await asyncio.wait({sending})
    assert sending.cancelled()


async def test_closing_ends_the_waiting(peer: Peer, client: MessagingClient) -> None:
    sending = asyncio.ensure_future(client.send_message_via_websocket(15, "bonjour"))
    await peer.arrived.wait()
    await client.aclose()
    with pytest.raises(ConnectionLost):
        await sending
    with pytest.raises(NotConnected):
        await client.send_message_via_websocket(15, "bonjour")


async def test_the_embedded_server() -> None:
    async with Scene() as scene:
        client = await scene.client(PATIENT)
        await client.get_conversation_messages(scene.conversation)
        sent = await client.send_message_via_websocket(scene.conversation, "bonjour")
        (stored,) = scene.server.messages(scene.conversation)
        assert (sent.message_id, sent.conversation_id) == (stored["id_message"], scene.conversation)
        assert sent.client_message_id == stored["client_message_id"]
        found = await client.get_conversation_messages(scene.conversation)
        assert [each.content for each in found.messages] == ["bonjour"]
        with pytest.raises(ValidationFailed) as nowhere:
            await client.send_message_via_websocket(999, "bonjour")
        assert nowhere.value.server_message
        stranger = await scene.client(DOCTOR, connect=False)
        with pytest.raises(NotConnected):
            await stranger.send_message_via_websocket(scene.conversation, "bonjour")
