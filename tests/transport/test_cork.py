"""Frames that are joined, and never in another order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from peers import Peer, poll
from test_fast_path import linked

from messaging_client.transport.cork import MOST_BYTES, Cork

TEXT, PONG, CLOSE = b"\x81t", b"\x8ap", b"\x88c"


class Transport:
    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closing = False

    def is_closing(self) -> bool:
        return self.closing

    def write(self, data: bytes) -> None:
        self.written.append(data)


async def test_text_frames_of_one_turn_are_one_write() -> None:
    transport = Transport()
    cork = Cork(transport)  # type: ignore[arg-type]
    for _ in range(3):
        cork.write(TEXT)
    assert transport.written == []
    await asyncio.sleep(0)
    assert transport.written == [TEXT * 3]
    cork.write(TEXT)
    await asyncio.sleep(0)
    assert transport.written == [TEXT * 3, TEXT]


@pytest.mark.parametrize("other", [PONG, CLOSE, b"\x82b", b"part of a frame"])
async def test_anything_else_goes_at_once_behind_what_waits(other: bytes) -> None:
    transport = Transport()
    cork = Cork(transport)  # type: ignore[arg-type]
    cork.write(TEXT)
    cork.write(other)
    assert transport.written == [TEXT + other]
    await asyncio.sleep(0)
    assert transport.written == [TEXT + other]


async def test_no_more_waits_than_a_transport_holds() -> None:
    transport = Transport()
    cork = Cork(transport)  # type: ignore[arg-type]
    large = TEXT + b"x" * MOST_BYTES
    cork.write(TEXT)
    cork.write(large)
    assert transport.written == [TEXT + large]


async def test_nothing_is_written_to_a_transport_that_closes() -> None:
    transport = Transport()
    cork = Cork(transport)  # type: ignore[arg-type]
    cork.write(TEXT)
    transport.closing = True
    await asyncio.sleep(0)
    assert cork.is_closing()
    assert transport.written == []


async def test_events_of_a_link_arrive_in_order_and_before_its_goodbye() -> None:
    told: list[Any] = []
    async with Peer() as peer, linked(peer.url, told) as link:
        for number in range(200):
            await link.emit("n", "x" * (number % 7 * 1000))
        await link.close(politely=True)
        await peer.until(lambda: peer.open == 0)
        assert [len(each.args[0]) for each in peer.visit.events] == [number % 7 * 1000 for number in range(200)]
        assert peer.visit.frames[-1] == "41"
        assert peer.visit.close_code == 1000
        await poll(lambda: not link.is_open)
