"""Waiting with a clock that tests move, without cancelling what is waited for by accident."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC

import pytest
from dispatching import until

from messaging_client.clock import SystemClock, end_task, finished_within, run_within
from messaging_client.testing import ManualClock


async def test_the_system_clock() -> None:
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    before = clock.monotonic()
    started = time.monotonic()
    await clock.sleep(0.02)
    assert clock.monotonic() - before >= 0.02
    assert time.monotonic() - started >= 0.02


async def test_work_that_finishes() -> None:
    clock, work = ManualClock(), asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(work.set_result, 5)
    assert await finished_within(clock, work, 1)
    assert await finished_within(clock, work, None)
    assert clock.sleeping == ()


async def test_work_that_does_not_finish_goes_on() -> None:
    clock, work = ManualClock(), asyncio.get_running_loop().create_future()
    waiting = asyncio.ensure_future(finished_within(clock, work, 2))
    await clock.wait_for_sleepers()
    await clock.advance(1.999)
    assert not waiting.done()
    await clock.advance(0.001)
    assert await waiting is False
    assert not work.done()


@pytest.mark.parametrize("seconds", [0, -1])
async def test_no_time_at_all(seconds: float) -> None:
    work = asyncio.get_running_loop().create_future()
    assert not await finished_within(ManualClock(), work, seconds)


async def test_a_failure_is_left_to_who_looks_at_the_work() -> None:
    work = asyncio.get_running_loop().create_future()
    work.set_exception(OSError("x"))
    assert await finished_within(ManualClock(), work, 1)
    with pytest.raises(OSError, match="x"):
        work.result()


async def test_work_of_ours_is_cancelled_in_time() -> None:
    clock, ended = ManualClock(), asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.set()

    running = asyncio.ensure_future(run_within(clock, work(), 1))
    await clock.wait_for_sleepers()
    await clock.advance(1)
    with pytest.raises(TimeoutError):
        await running
    assert ended.is_set()


async def test_work_of_ours_gives_what_it_gives() -> None:
    async def gives() -> int:
        return 5

    async def fails() -> int:
        raise OSError

    assert await run_within(ManualClock(), gives(), None) == 5
    with pytest.raises(OSError):
        await run_within(ManualClock(), fails(), 1)


async def test_a_cancelled_caller_cancels_the_work() -> None:
    clock, work_task = ManualClock(), list[asyncio.Task[None] | None]()

    async def work() -> None:
        work_task.append(asyncio.current_task())
        await asyncio.Event().wait()

    running = asyncio.ensure_future(run_within(clock, work(), None))
    await until(lambda: work_task)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert work_task[0] is not None
    assert work_task[0].cancelled()


async def test_ending_a_task() -> None:
    await end_task(None)

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise OSError("dropped") from None

    task = asyncio.ensure_future(stubborn())
    await asyncio.sleep(0)
    await end_task(task)
    assert task.done()
    await end_task(task)
