"""Events that are written without the library's queue: where nothing waits there, and in the order of emits."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from peers import Peer
from test_fast_path import linked
from test_frames import _turned_on as _turned_on  # in this file, too
from test_frames import pytestmark as pytestmark

from messaging_client.transport import fast_path
from messaging_client.transport.cork import MOST_BYTES
from messaging_client.transport.link import Link


async def _arrived(peer: Peer, count: int) -> list[Any]:
    await peer.until(lambda: len(peer.visit.events) == count)
    return [event.args[0] for event in peer.visit.events]


def _queued(link: Link) -> list[Any]:
    """Notes what goes by the library's queue from now on."""
    seen: list[Any] = []
    put = link.sio.eio.queue.put_nowait

    class Queue:
        def __getattr__(self, name: str) -> Any:
            return getattr(queue, name)

        def put_nowait(self, item: Any) -> None:
            seen.append(item)
            put(item)

    queue, link.sio.eio.queue = link.sio.eio.queue, Queue()
    return seen


async def test_an_event_needs_no_queue() -> None:
    async with Peer() as peer, linked(peer.url, []) as link:
        assert link._writer is not None
        await asyncio.sleep(0)
        queued = _queued(link)
        for number in range(1000):
            await link.emit("n", number)
        assert await _arrived(peer, 1000) == list(range(1000))
        assert queued == []


async def test_whoever_emits_without_end_lets_others_have_their_turn() -> None:
    turns: list[int] = []
    count = 0

    async def other() -> None:
        while True:
            turns.append(count)
            await asyncio.sleep(0)

    async with Peer() as peer, linked(peer.url, []) as link:
        beside = asyncio.create_task(other())
        await asyncio.sleep(0)
        for _number in range(1000):
            await link.emit("n", None)
            count += 1
        beside.cancel()
        assert max(later - earlier for earlier, later in itertools.pairwise(turns)) <= MOST_BYTES / 1024
        for _number in range(3):
            await link.emit("large", "x" * MOST_BYTES)
        await peer.until(lambda: len(peer.visit.events) == 1003)


async def test_nothing_overtakes_what_goes_by_the_queue() -> None:
    async with Peer() as peer, linked(peer.url, []) as link:
        for number in range(300):
            # Binary parts go that way, and what comes right behind them with them.
            await link.emit("n", b"bytes" if number % 7 == 0 else number)
            if number % 5 == 0:
                await asyncio.sleep(0)
        expected = ['451-["n",{"_placeholder":true,"num":0}]' if n % 7 == 0 else f'42["n",{n}]' for n in range(300)]
        await peer.until(lambda: sum(frame in expected for frame in peer.visit.frames) == 300)
        assert [frame for frame in peer.visit.frames if frame in expected] == expected


async def test_a_socket_that_is_being_closed_is_left_to_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Peer() as peer, linked(peer.url, []) as link:
        await asyncio.sleep(0)
        assert link._write_at_once(['2["n"]'])
        monkeypatch.setattr(type(link._engine.ws), "closed", property(lambda _socket: True))
        assert not link._write_at_once(['2["n"]'])
        monkeypatch.undo()


async def test_without_a_version_of_aiohttp_that_is_known_all_goes_by_the_queue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fast_path, "is_aiohttp_known", lambda: False)
    async with Peer() as peer, linked(peer.url, []) as link:
        await asyncio.sleep(0)
        queued = _queued(link)
        for number in range(10):
            await link.emit("n", number)
        assert await _arrived(peer, 10) == list(range(10))
        assert len(queued) == 10
