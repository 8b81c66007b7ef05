"""Trap 5: a link over which nothing comes any more, though nobody has ended it."""

from __future__ import annotations

import asyncio
import time

import pytest
from lines import Line
from peers import PROMPTLY, Peer, Wire, poll
from scripts import pinging

from messaging_client.errors import ConnectionLost, NotConnected
from messaging_client.models import ConnectionState as State

CHUNK = "x" * 400_000
CHUNKS = 68
"""Together 27 MB: more than the buffers of the system take."""


async def fill(line: Line) -> list[asyncio.Task[None]]:
    """Send until the network takes nothing more."""
    sends = [asyncio.create_task(line.connection.emit("large", CHUNK)) for _ in range(CHUNKS)]
    await asyncio.wait(sends, timeout=0.05)
    return sends


@pytest.mark.parametrize("full", [False, True], ids=["empty", "27 MB full"])
async def test_trap_05_a_half_open_link_is_noticed_and_replaced(full: bool) -> None:
    async with Peer(pinging(0.3, 0.2)) as peer, Wire(peer.port) as wire, Line(wire.url, connect_timeout=0.3) as line:
        await line.connection.connect()
        wire.stop()
        began = time.monotonic()
        sends = await fill(line) if full else []
        await line.until(lambda: "ping_timeout" in line.causes)
        assert 0.3 < time.monotonic() - began < PROMPTLY
        outcomes = await asyncio.gather(*sends, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} <= {type(None), NotConnected}
        wire.go()
        await line.until_connected(2)
        await line.until(lambda: line.connection.socket_id == peer.visit.sid)
        await peer.visit.emit("alive")
        await line.until(lambda: "alive" in line.names)


async def test_trap_05_a_call_on_a_half_open_link_fails_when_that_is_noticed() -> None:
    async with Peer(pinging(0.2, 0.1)) as peer, Wire(peer.port) as wire, Line(wire.url, reconnection=False) as line:
        await line.connection.connect()
        wire.stop()
        with pytest.raises(ConnectionLost):
            await line.connection.call("ask", {}, 30.0)
        await line.until_state(State.DISCONNECTED)
        assert line.moves[-1] == ("disconnected", "ping_timeout", 0)


@pytest.mark.parametrize("full", [False, True], ids=["empty", "27 MB full"])
async def test_trap_05_disconnect_returns_promptly_from_a_half_open_link(full: bool) -> None:
    async with Peer() as peer, Wire(peer.port) as wire, Line(wire.url) as line:
        await line.connection.connect()
        wire.stop()
        sends = await fill(line) if full else []
        began = time.monotonic()
        await line.connection.disconnect()
        assert time.monotonic() - began < PROMPTLY  # of which one second for the goodbye
        assert line.state is State.DISCONNECTED
        await asyncio.gather(*sends, return_exceptions=True)
        wire.go()
        await poll(lambda: peer.open == 0)


async def test_trap_05_a_server_that_pings_in_time_is_alive() -> None:
    async with Peer(pinging(0.2, 0.2)) as peer, Line(peer.url) as line:
        await line.connection.connect()
        for _ in range(5):
            await asyncio.sleep(0.2)
            await peer.visit.send("2")
        await peer.until(lambda: peer.visit.frames.count("3") == 5)
        assert line.causes == ["connect", "connected"]


@pytest.mark.soak
async def test_trap_05_with_the_pings_of_the_protocol() -> None:
    async with Peer(pinging(25.0, 20.0)) as peer, Wire(peer.port) as wire, Line(wire.url, reconnection=False) as line:
        await line.connection.connect()
        wire.stop()
        began = time.monotonic()
        sends = await fill(line)
        await line.until(lambda: "ping_timeout" in line.causes, 50.0)
        assert 44.0 < time.monotonic() - began < 46.0
        await asyncio.gather(*sends, return_exceptions=True)
