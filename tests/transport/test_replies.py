"""Acknowledgements that are waited for, with one timer for all their limits."""

from __future__ import annotations

import asyncio

import pytest

from messaging_client.errors import ConnectionLost, RequestTimeout
from messaging_client.testing import ManualClock
from messaging_client.transport.replies import Replies


async def outcomes(*replies: asyncio.Future[object]) -> list[str]:
    await asyncio.sleep(0)
    return [type(each.exception()).__name__ if each.done() else "waits" for each in replies]


async def test_each_ends_at_its_own_limit_in_whatever_order_they_were_asked() -> None:
    clock = ManualClock()
    replies = Replies(clock)
    waiting = []
    for seconds in (5.0, 0.1 + 0.2, 7.0, 2.0):
        number, reply = replies.expect()
        replies.limit(number, "ask", seconds)
        waiting.append(reply)
    await clock.advance(0.299)
    assert await outcomes(*waiting) == ["waits", "waits", "waits", "waits"]
    await clock.advance(0.001)
    assert await outcomes(*waiting) == ["waits", "RequestTimeout", "waits", "waits"]
    await clock.advance(1.699)
    assert await outcomes(*waiting) == ["waits", "RequestTimeout", "waits", "waits"]
    await clock.advance(0.001)
    assert await outcomes(*waiting) == ["waits", "RequestTimeout", "waits", "RequestTimeout"]
    await clock.advance(5.0)
    assert await outcomes(*waiting) == ["RequestTimeout"] * 4
    assert (len(replies), clock.sleeping) == (0, ())


@pytest.mark.parametrize("seconds", [1e-9, 0.1, 1 / 3, 0.0])
async def test_a_limit_that_floats_cannot_hit_is_hit_all_the_same(seconds: float) -> None:
    clock = ManualClock()
    await clock.advance(1.1)
    replies = Replies(clock)
    number, reply = replies.expect()
    replies.limit(number, "ask", seconds)
    await clock.advance(seconds)
    with pytest.raises(RequestTimeout):
        await asyncio.wait_for(reply, 5)


async def test_the_timer_ends_with_the_last_limit() -> None:
    clock = ManualClock()
    replies = Replies(clock)
    pairs = [replies.expect() for _ in range(3)]
    for number, _ in pairs:
        replies.limit(number, "ask", 10.0)
    await clock.wait_for_sleepers()
    assert len(clock.sleeping) == 1
    replies.acknowledged(1, [])
    pairs[1][1].cancel()
    await clock.advance(0)
    assert len(clock.sleeping) == 1
    replies.acknowledged(3, ["last"])
    await clock.advance(0)
    assert (len(replies), clock.sleeping) == (0, ())
    assert (pairs[0][1].result(), pairs[2][1].result()) == (None, "last")


async def test_what_is_acknowledged_twice_or_never_asked_for_is_passed_over() -> None:
    replies = Replies(ManualClock())
    number, reply = replies.expect()
    replies.acknowledged(99, [1])
    replies.acknowledged(number, [1, 2])
    replies.acknowledged(number, [3])
    assert await reply == (1, 2)
    replies.limit(number, "ask", 1.0)
    assert replies.take_timer() is None


async def test_all_fail_with_the_link() -> None:
    clock = ManualClock()
    replies = Replies(clock)
    waiting = [replies.expect() for _ in range(3)]
    replies.limit(1, "ask", 1.0)
    replies.fail()
    for _, reply in waiting:
        with pytest.raises(ConnectionLost):
            await reply
    await clock.advance(0)
    assert (len(replies), clock.sleeping) == (0, ())
