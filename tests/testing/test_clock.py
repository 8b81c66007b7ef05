from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime, timedelta, timezone

import pytest

from messaging_client.clock import Clock, finished_within, run_within
from messaging_client.testing import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


async def test_it_is_a_clock_that_stands_still(clock: ManualClock) -> None:
    as_clock: Clock = clock
    assert as_clock.now() == datetime(2025, 1, 1, tzinfo=UTC)
    assert as_clock.monotonic() == 0
    await clock.advance(90.5)
    assert clock.monotonic() == 90.5
    assert clock.now() == datetime(2025, 1, 1, 0, 1, 30, 500_000, tzinfo=UTC)


def test_the_start_is_utc() -> None:
    clock = ManualClock(datetime(2025, 8, 23, 12, tzinfo=timezone(timedelta(hours=2))))
    assert clock.now() == datetime(2025, 8, 23, 10, tzinfo=UTC)
    assert clock.now().tzinfo is UTC


async def test_sleepers_wake_in_the_order_of_their_deadlines(clock: ManualClock) -> None:
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic()))

    async with asyncio.TaskGroup() as group:
        for name, seconds in (("late", 3), ("early", 1), ("first of two", 2), ("second of two", 2)):
            group.create_task(sleeper(name, seconds))
        await clock.wait_for_sleepers(4)
        assert clock.sleeping == (1, 2, 2, 3)
        await clock.advance(2.5)
        assert woken == [("early", 1), ("first of two", 2), ("second of two", 2)]
        assert clock.sleeping == (3,)
        assert clock.monotonic() == 2.5
        await clock.advance(10)
    assert woken[-1] == ("late", 3)
    assert clock.sleeping == ()


async def test_chained_sleeps_are_part_of_one_move(clock: ManualClock) -> None:
    times = []

    async def chain() -> None:
        for _ in range(10):
            await asyncio.wait({asyncio.ensure_future(clock.sleep(1))})
            times.append(clock.monotonic())

    task = asyncio.create_task(chain())
    await clock.advance(9.5)
    assert times == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    await clock.advance(0.5)
    assert times[-1] == 10
    await task


async def test_sums_of_fractions_miss_no_deadline(clock: ManualClock) -> None:
    task = asyncio.create_task(clock.sleep(0.8))
    await clock.advance(0.7)
    assert not task.done()
    await clock.advance(0.1)  # 0.7 + 0.1 < 0.8 in floats
    assert task.done()


async def test_nothing_to_wait_for(clock: ManualClock) -> None:
    await clock.sleep(0)
    await clock.sleep(-5)
    await clock.sleep(math.nan)
    assert clock.monotonic() == 0


async def test_sleeping_for_ever(clock: ManualClock) -> None:
    task = asyncio.create_task(clock.sleep(math.inf))
    await clock.advance(1e9)
    assert clock.sleeping == (math.inf,)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert clock.sleeping == ()


async def test_cancelled_sleepers_are_forgotten(clock: ManualClock) -> None:
    tasks = [asyncio.create_task(clock.sleep(seconds)) for seconds in (1, 2, 3)]
    await clock.wait_for_sleepers(3)
    tasks[0].cancel()
    await asyncio.wait({tasks[0]})
    assert clock.sleeping == (2, 3)
    tasks[1].cancel()  # not yet run when its time comes
    await clock.advance(3)
    assert tasks[2].done()
    assert tasks[1].cancelled()


async def test_a_sleeper_cancelled_by_an_earlier_one(clock: ManualClock) -> None:
    later = asyncio.create_task(clock.sleep(2))

    async def cancel() -> None:
        await clock.sleep(2)
        later.cancel()

    first = asyncio.create_task(cancel())
    await clock.advance(5)
    assert first.done()
    assert later.done()


@pytest.mark.parametrize("seconds", [-1, math.nan, math.inf])
async def test_it_moves_forward_only(clock: ManualClock, seconds: float) -> None:
    with pytest.raises(ValueError, match="seconds"):
        await clock.advance(seconds)


async def test_waiting_for_sleepers(clock: ManualClock) -> None:
    waiting = asyncio.create_task(clock.wait_for_sleepers(2))
    sleepers = [asyncio.create_task(clock.sleep(1))]
    await clock.advance(0)
    assert not waiting.done()
    sleepers.append(asyncio.create_task(clock.sleep(1)))
    await waiting
    await clock.advance(1)
    await asyncio.gather(*sleepers)


async def test_waiting_in_vain_says_how_many_there_are(clock: ManualClock) -> None:
    sleeper = asyncio.create_task(clock.sleep(1))
    with pytest.raises(TimeoutError, match="1 of 2 expected sleepers"):
        await clock.wait_for_sleepers(2, timeout=0.01)
    await clock.advance(1)
    await sleeper


async def test_with_the_helpers_of_the_package(clock: ManualClock) -> None:
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(finished_within(clock, never, 5))
    bounded = asyncio.create_task(run_within(clock, asyncio.Event().wait(), 7))
    await clock.advance(5)
    assert await waiting is False
    await clock.advance(2)
    with pytest.raises(TimeoutError):
        await bounded
    assert clock.sleeping == ()
