"""How long a link lasts: as long as the server speaks, and until all that it said is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from peers import Peer, Visit
from test_fast_path import linked
from test_frames import _turned_on as _turned_on  # in this file, too
from test_frames import pytestmark as pytestmark

from messaging_client.models import ConnectionCause as Cause

PATIENCE = 0.4
"""Seconds of silence after which a link ends here: half of them between two pings, half for the answer."""


async def _welcome(visit: Visit) -> asyncio.Transport:
    await visit.welcome(ping_interval=PATIENCE / 2, ping_timeout=PATIENCE / 2)
    transport: Any = visit.request.transport
    return transport


def _frame(text: str) -> bytes:
    return bytes([0x81, len(text)]) + text.encode()


@pytest.mark.parametrize("asks", ["2", '427["ask"]'], ids=["ping", "event that wants an answer"])
async def test_all_that_came_before_the_end_is_told_though_an_answer_cannot_be_sent_any_more(asks: str) -> None:
    told: list[Any] = []

    async def talk(visit: Visit) -> None:
        await visit.welcome()
        await visit.send("6")  # once the reader has begun
        await asyncio.sleep(0.05)
        transport: Any = visit.request.transport
        transport.write(b"".join(map(_frame, ['42["n"]'] * 10 + [asks] + ['42["n"]'] * 290)))
        transport.write_eof()
        await visit.stay()

    async with Peer(talk) as peer, linked(peer.url, told) as link:
        assert await asyncio.wait_for(asyncio.shield(link.ended), 20) is Cause.CONNECTION_LOST
        assert [name for name, _ in told].count("n") == 300


async def test_a_link_that_has_nothing_to_answer_lasts() -> None:
    """The library's writing task ends after `max(interval, timeout) + 5` seconds without a packet of its queue."""

    async def talk(visit: Visit) -> None:
        await _welcome(visit)
        for _ in range(60):
            await visit.emit("n")
            await asyncio.sleep(0.1)
        await visit.send("2")
        await visit.emit("last")
        await visit.stay()

    told: list[Any] = []
    async with Peer(talk) as peer, linked(peer.url, told) as link, asyncio.timeout(20):
        while ("last", ()) not in told:
            assert link.is_open
            await link.emit("typing", {})
            await asyncio.sleep(0.1)


async def test_a_server_of_which_only_the_web_socket_speaks_is_silent() -> None:
    """As a proxy does that keeps the connection to a server which hangs."""

    async def talk(visit: Visit) -> None:
        transport = await _welcome(visit)
        while not transport.is_closing():
            transport.write(bytes([0x89, 0]))
            await asyncio.sleep(PATIENCE / 10)

    async with Peer(talk) as peer, linked(peer.url, []) as link:
        assert await asyncio.wait_for(asyncio.shield(link.ended), 20) is Cause.PING_TIMEOUT


async def test_a_frame_that_is_long_in_coming_is_no_silence() -> None:
    text = f'42["long","{"x" * 100}"]'

    async def talk(visit: Visit) -> None:
        transport = await _welcome(visit)
        for byte in _frame(text)[:40]:
            transport.write(bytes([byte]))
            await asyncio.sleep(PATIENCE / 10)
        transport.write(_frame(text)[40:])
        await visit.stay()

    told: list[Any] = []
    async with Peer(talk) as peer, linked(peer.url, told) as link:
        await asyncio.wait_for(asyncio.shield(link.ended), 20)  # silence, after it
        assert [name for name, _ in told] == ["long"]
