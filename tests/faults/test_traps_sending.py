"""Traps 8, 9 and 17 (outbound): what is sent arrives, or its sender is told."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from lines import Line, make_client
from peers import PROMPTLY, Peer, Visit, Wire, poll

from messaging_client.errors import ConnectionLost, NotConnected, RequestTimeout, ValidationFailed
from messaging_client.events import ConnectionChange
from messaging_client.models import ConnectionState as State
from messaging_client.transport.link import OUTBOUND_LIMIT

# --- 8: without a connection ------------------------------------------------------------------------------------------


async def test_trap_08_without_a_connection_sending_says_so() -> None:
    async with Peer() as peer, Line(peer.url, reconnection_delay=60.0, reconnection_delay_max=60.0) as line:
        for arrive in (None, line.connection.connect, peer.stop, line.connection.disconnect):
            if arrive is not None:
                await arrive()
            if arrive == peer.stop:
                await line.until_state(State.RECONNECTING)
            if line.state is State.CONNECTED:
                continue
            with pytest.raises(NotConnected):
                await line.connection.emit("typing", {})
            with pytest.raises(NotConnected):
                await line.connection.call("typing", {}, 1.0)


async def test_trap_08_in_a_handler_that_hears_of_the_loss() -> None:
    told: list[BaseException | None] = []
    async with Peer() as peer:
        client = make_client(peer.url, reconnection_delay=60.0, reconnection_delay_max=60.0)

        @client.on_connection_change
        async def changed(change: ConnectionChange) -> None:
            if change.previous is State.CONNECTED and change.cause == "connection_lost":
                try:
                    await client.emit("last words", {})
                except NotConnected as error:
                    told.append(error)
                else:
                    told.append(None)

        async with client:
            peer.visit.abort()
            await poll(lambda: told)
            assert isinstance(told[0], NotConnected)


async def test_trap_08_a_room_asked_for_without_a_connection_is_joined_with_the_next() -> None:
    async with Peer() as peer, Line(peer.url) as line:
        assert await line.connection.join(15) is None
        await line.connection.connect()
        await peer.until(lambda: peer.visit.rooms == [15])


async def test_trap_08_the_outbound_queue_is_bounded_and_a_cut_is_told_to_all_who_wait() -> None:
    handed_over = 0

    async def send(number: int) -> None:
        nonlocal handed_over
        await line.connection.emit("large", {"number": number, "text": "x" * 100_000})
        handed_over += 1

    async with Peer() as peer, Wire(peer.port) as wire, Line(wire.url, reconnection=False) as line:
        await line.connection.connect()
        wire.stop()
        sends = [asyncio.ensure_future(send(number)) for number in range(2000)]
        await asyncio.sleep(0.3)
        # What is on the way, in the buffers of the system and of aiohttp, comes on top of what waits.
        assert handed_over < 4 * OUTBOUND_LIMIT
        wire.cut()
        outcomes = await asyncio.gather(*sends, return_exceptions=True)
        assert sum(outcome is None for outcome in outcomes) == handed_over
        assert {type(outcome) for outcome in outcomes if outcome is not None} == {NotConnected}


async def test_trap_08_when_the_network_takes_nothing_an_emit_ends_at_request_timeout() -> None:
    async with Peer() as peer, Wire(peer.port) as wire, Line(wire.url, request_timeout=0.3) as line:
        await line.connection.connect()
        wire.stop()
        with pytest.raises(RequestTimeout):
            for _ in range(1000):
                await line.connection.emit("large", "x" * 400_000)
        assert line.state is State.CONNECTED
        wire.cut()
        wire.go()
        await line.until_connected(2)


async def test_trap_08_a_queue_that_drains_takes_everything_in_order() -> None:
    async with Peer() as peer, Wire(peer.port) as wire, Line(wire.url) as line:
        await line.connection.connect()
        wire.stop()
        sends = [asyncio.ensure_future(line.connection.emit("n", [number, "x" * 50_000])) for number in range(400)]
        await asyncio.sleep(0.1)
        wire.go()
        await asyncio.gather(*sends)
        await peer.until(lambda: len(peer.visit.events) == 400)
        assert [event.args[0][0] for event in peer.visit.events] == list(range(400))


# --- 9: acknowledgements ----------------------------------------------------------------------------------------------


def answering(*args: Any) -> Any:
    async def script(visit: Visit) -> None:
        await visit.welcome()
        while await visit.receive() is not None:
            if visit.events and visit.events[-1].id is not None:
                await visit.acknowledge(visit.events[-1], *args)

    return script


@pytest.mark.parametrize(
    ("args", "wanted"), [((), None), ((1,), 1), (({"ok": True}, 2), ({"ok": True}, 2)), ((None,), None)]
)
async def test_trap_09_what_call_gives(args: tuple[Any, ...], wanted: Any) -> None:
    async with Peer(answering(*args)) as peer, Line(peer.url) as line:
        await line.connection.connect()
        assert await line.connection.call("ask", {"a": 1}, 2.0) == wanted


async def test_trap_09_a_cut_with_an_acknowledgement_pending_fails_the_call_at_once() -> None:
    async with Peer() as peer, Line(peer.url) as line:
        await line.connection.connect()
        asking = asyncio.create_task(line.connection.call("ask", {}, 30.0))
        await peer.until(lambda: peer.visit.names == ["ask"])
        began = time.monotonic()
        peer.visit.abort()
        with pytest.raises(ConnectionLost) as caught:
            await asking
        assert time.monotonic() - began < PROMPTLY
        assert caught.value.may_have_left


async def test_trap_09_a_call_that_nobody_answers_ends_in_time_and_leaves_no_callback() -> None:
    async with Peer() as peer, Line(peer.url) as line:
        await line.connection.connect()
        began = time.monotonic()
        with pytest.raises(RequestTimeout) as caught:
            await line.connection.call("ask", {}, 0.2)
        assert 0.2 <= time.monotonic() - began < PROMPTLY
        assert caught.value.may_have_left
        link = line.connection._link
        assert link is not None
        assert not link.replies
        # The acknowledgement that comes after all means nothing to anybody.
        await peer.visit.acknowledge(peer.visit.events[-1], "late")
        await peer.visit.emit("after")
        await line.until(lambda: line.names == ["after"])


@pytest.mark.parametrize("how", ["disconnect", "server"])
async def test_trap_09_any_end_of_the_link_fails_the_calls(how: str) -> None:
    async with Peer() as peer, Line(peer.url) as line:
        await line.connection.connect()
        asking = [asyncio.create_task(line.connection.call("ask", {}, 30.0)) for _ in range(5)]
        await peer.until(lambda: len(peer.visit.events) == 5)
        if how == "disconnect":
            await line.connection.disconnect()
        else:
            await peer.visit.send("41")
        outcomes = await asyncio.gather(*asking, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {ConnectionLost}


# --- 17: too large to send --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("send", ["emit", "call"])
@pytest.mark.parametrize(
    "payload",
    ["x" * 1000, "é" * 500, {"raw": b"x" * 1000}, (1, "x" * 1000)],
    ids=["text", "two bytes a letter", "attachment", "second argument"],
)
async def test_trap_17_what_the_server_would_not_take_is_refused_before_it_is_sent(send: str, payload: Any) -> None:
    async with Peer() as peer, Line(peer.url, max_message_bytes=1000) as line:
        await line.connection.connect()
        with pytest.raises(ValidationFailed, match="max_message_bytes"):
            await (line.connection.emit("e", payload) if send == "emit" else line.connection.call("e", payload, 1.0))
        await line.connection.emit("after")
        await peer.until(lambda: peer.visit.names == ["after"])
        assert len(peer.visits) == 1


async def test_trap_17_the_limit_itself_is_taken() -> None:
    async with Peer() as peer, Line(peer.url, max_message_bytes=1000) as line:
        await line.connection.connect()
        fits = "x" * (1000 - len('42["e",""]'))
        await line.connection.emit("e", fits)
        with pytest.raises(ValidationFailed):
            await line.connection.emit("e", fits + "x")
        await peer.until(lambda: peer.visit.names == ["e"])
        assert len(str(peer.visit.frames[-1])) == 1000


@pytest.mark.parametrize("payload", [float("nan"), float("inf"), {1, 2}, object(), {"a": {("b",): 1}}])
async def test_what_json_cannot_hold_is_refused_before_it_is_sent(payload: Any) -> None:
    async with Peer() as peer, Line(peer.url) as line:
        await line.connection.connect()
        with pytest.raises(ValidationFailed, match="JSON"):
            await line.connection.emit("e", payload)
        assert peer.visit.names == []
