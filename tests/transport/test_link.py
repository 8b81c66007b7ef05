"""One connection, from its handshake to its end."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import engineio
import pytest
import socketio
from engineio import base_client as engine_registry
from lines import make_config
from peers import Peer, Visit, Wire, poll
from scripts import serve

from messaging_client.clock import Signal, SystemClock
from messaging_client.errors import ConnectFailed, ConnectionLost, NotConnected, RequestTimeout
from messaging_client.models import ConnectionCause as Cause
from messaging_client.testing import ManualClock
from messaging_client.transport.link import Link
from messaging_client.transport.outbound import Outbound
from messaging_client.transport.packets import INVALID_FRAME


@asynccontextmanager
async def linked(
    url: str, on_event: Callable[[str, tuple[Any, ...]], None] = lambda *_: None, *, clock: Any = None, **settings: Any
) -> AsyncIterator[Link]:
    link = Link(make_config(**settings), clock=clock or SystemClock(), on_event=on_event, ssl_context=None)
    try:
        await link.open(url, "/socket.io", {"token": "t"})
        yield link
    finally:
        await link.close()
        assert link.sio.eio not in engine_registry.connected_clients


# --- what it stands on ------------------------------------------------------------------------------------------------


def test_the_private_names_of_the_libraries() -> None:
    client = vars(socketio.AsyncClient)
    used = {"_engineio_client_class", "_handle_eio_message", "_handle_connect", "_handle_event", "_handle_ack"}
    assert used <= set(client)
    assert list(inspect.signature(client["_handle_ack"]).parameters) == ["self", "namespace", "id", "data"]
    assert list(inspect.signature(client["_handle_event"]).parameters) == ["self", "namespace", "id", "data"]
    assert list(inspect.signature(client["_handle_connect"]).parameters) == ["self", "namespace", "data"]
    assert "self._engineio_client_class()(" in inspect.getsource(socketio.base_client)
    engine = vars(engineio.AsyncClient)
    assert list(inspect.signature(engine["_receive_packet"]).parameters) == ["self", "pkt"]
    assert "await self._receive_packet(pkt)" in inspect.getsource(engine["_read_loop_websocket"])
    assert isinstance(engine_registry.connected_clients, list)


async def test_the_parts_of_an_open_engine() -> None:
    async with Peer() as peer, linked(peer.url) as link:
        engine = link.sio.eio
        assert isinstance(engine.queue, Outbound)
        assert isinstance(link.sio._connect_event, Signal)
        assert (engine.ping_interval, engine.ping_timeout, engine.state) == (25.0, 20.0, "connected")
        assert all(isinstance(task, asyncio.Task) for task in (engine.read_loop_task, engine.write_loop_task))


# --- opening ----------------------------------------------------------------------------------------------------------


async def test_the_handshake() -> None:
    async with Peer() as peer, linked(peer.url) as link:
        assert (link.socket_id, link.is_open) == (peer.visit.sid, True)
        assert peer.visit.auth == {"token": "t"}
        assert "token" not in str(peer.visit.request.url)
        assert "transport=websocket" in str(peer.visit.request.url)


async def test_another_path() -> None:
    link = Link(make_config(), clock=SystemClock(), on_event=lambda *_: None, ssl_context=None)
    async with Peer() as peer:
        with pytest.raises(ConnectFailed, match="404"):
            await link.open(peer.url, "/elsewhere/socket.io", {})
        await link.close()
        assert peer.upgrades == 0


async def test_a_cancelled_opening_leaves_nothing_after_close() -> None:
    async def silent(visit: Visit) -> None:
        await visit.stay()

    async with Peer(silent) as peer:
        link = Link(make_config(), clock=SystemClock(), on_event=lambda *_: None, ssl_context=None)
        opening = asyncio.create_task(link.open(peer.url, "/socket.io", {}))
        await peer.until(lambda: peer.visits)
        opening.cancel()
        await asyncio.wait({opening})
        await link.close()
        await peer.until(lambda: peer.open == 0)
        assert engine_registry.connected_clients == []


async def test_a_link_that_was_never_opened_can_be_closed() -> None:
    link = Link(make_config(), clock=SystemClock(), on_event=lambda *_: None, ssl_context=None)
    assert link.socket_id is None
    await link.close(politely=True)
    await link.close()
    assert link.ended.result() is Cause.DISCONNECT


# --- events -----------------------------------------------------------------------------------------------------------


async def test_a_sink_that_raises_costs_its_event_and_no_more() -> None:
    told: list[str] = []

    def sink(name: str, args: tuple[Any, ...]) -> None:
        told.append(name)
        if name == "bad" or name == INVALID_FRAME:
            raise RuntimeError(name)

    async with Peer() as peer, linked(peer.url, sink) as link:
        for name in ("good", "bad", "better"):
            await peer.visit.emit(name)
        await poll(lambda: "better" in told)
        assert told == ["good", "bad", INVALID_FRAME, "better"]
        assert link.is_open


async def test_after_its_end_nothing_is_delivered_or_sent() -> None:
    told: list[str] = []
    async with Peer() as peer, linked(peer.url, lambda name, args: told.append(name)) as link:
        link.end(Cause.CONNECTION_LOST)
        link.end(Cause.PING_TIMEOUT)
        assert link.ended.result() is Cause.CONNECTION_LOST
        link.unreadable(ValueError(), "frame")
        with pytest.raises(NotConnected):
            await link.emit("e", None)
        with pytest.raises(NotConnected):
            await link.ask("e", None)
        assert told == []
        await peer.until(lambda: peer.open == 0)


@pytest.mark.parametrize(
    ("frame", "cause"), [("41", Cause.SERVER_DISCONNECT), ("1", Cause.SERVER_DISCONNECT), (None, Cause.CONNECTION_LOST)]
)
async def test_how_it_ends(frame: str | None, cause: Cause) -> None:
    async with Peer() as peer, linked(peer.url) as link:
        if frame is None:
            peer.visit.abort()
        else:
            await peer.visit.send(frame)
        assert await asyncio.wait_for(asyncio.shield(link.ended), 20) is cause


async def test_a_library_loop_that_dies_ends_the_link() -> None:
    async with Peer() as peer, linked(peer.url) as link:
        link.sio.eio.read_loop_task.cancel()
        assert await asyncio.wait_for(asyncio.shield(link.ended), 20) is Cause.CONNECTION_LOST


# --- calls ------------------------------------------------------------------------------------------------------------


async def test_a_calls_limit_is_the_clocks() -> None:
    clock = ManualClock()
    async with Peer() as peer, linked(peer.url, clock=clock) as link:
        asking = asyncio.create_task(link.call("ask", {}, 10.0))
        await clock.wait_for_sleepers()
        await clock.advance(9.999)
        assert not asking.done()
        await clock.advance(0.001)
        with pytest.raises(RequestTimeout, match="10 s"):
            await asking


async def test_a_reply_that_nobody_looks_at_is_not_reported() -> None:
    async with Peer() as peer, linked(peer.url) as link:
        await link.ask("one", {})
        await link.ask("two", {})
    # Warnings are errors: asyncio would report an exception that was never retrieved.


async def test_cancelled_callers_leave_no_callback() -> None:
    async with Peer() as peer, linked(peer.url) as link:
        asking = [asyncio.create_task(link.call("ask", {}, 10.0)) for _ in range(3)]
        await peer.until(lambda: len(peer.visit.events) == 3)
        for task in asking[:2]:
            task.cancel()
        await asyncio.wait(asking[:2])
        await poll(lambda: len(link.replies) == 1)
        await peer.visit.acknowledge(peer.visit.events[2], "third")
        assert await asking[2] == "third"


async def test_acknowledgements_out_of_order_find_their_callers() -> None:
    async with Peer() as peer, linked(peer.url) as link:
        asking = [asyncio.create_task(link.call("ask", number, 5.0)) for number in range(20)]
        await peer.until(lambda: len(peer.visit.events) == 20)
        for sent in reversed(peer.visit.events):
            await peer.visit.acknowledge(sent, sent.args[0])
        assert await asyncio.gather(*asking) == list(range(20))


# --- closing ----------------------------------------------------------------------------------------------------------


async def test_a_polite_close_sends_what_waits_first() -> None:
    async with Peer() as peer, linked(peer.url) as link:
        for number in range(50):
            await link.emit("n", number)
        await link.close(politely=True)
        await peer.until(lambda: peer.open == 0)
        assert [event.args[0] for event in peer.visit.events] == list(range(50))
        assert peer.visit.frames[-1] == "41"


async def test_nothing_is_delivered_while_it_says_goodbye() -> None:
    told: list[str] = []

    async def talkative(visit: Visit) -> None:
        await visit.welcome()
        while (frame := await visit.receive()) is not None:
            if frame == "41":
                await visit.emit("too late")

    async with Peer(talkative) as peer, linked(peer.url, lambda name, args: told.append(name)) as link:
        await link.close(politely=True)
        assert link.ended.result() is Cause.DISCONNECT
        assert told == []


async def test_a_cancelled_close_is_brought_to_its_end_and_stays_cancelled() -> None:
    async with Peer(serve) as peer, Wire(peer.port) as wire, linked(wire.url) as link:
        wire.stop()
        closing = asyncio.create_task(link.close(politely=True))
        await asyncio.sleep(0.05)
        closing.cancel()
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert engine_registry.connected_clients == []
        assert not link.is_open
        wire.go()
        await poll(lambda: wire.open == 0)


async def test_calls_that_wait_fail_when_it_is_closed() -> None:
    async with Peer() as peer, linked(peer.url) as link:
        reply = await link.ask("ask", {})
        await link.close()
        with pytest.raises(ConnectionLost):
            await reply
