"""Waiting with a clock that tests move, without cancelling what is waited for by accident."""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import UTC

import pytest
from dispatching import until

from messaging_client.clock import (
    CancelledWithin,
    Interrupted,
    Interruptible,
    Signal,
    SystemClock,
    call_after,
    end_task,
    finished_within,
    run_within,
)
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
    await clock.advance(0)
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


async def hang() -> None:
    await asyncio.Event().wait()


async def test_work_that_is_interrupted_ends_and_its_task_goes_on() -> None:
    seen: list[str] = []

    async def job() -> None:
        try:
            await work.run(hang())
        except Interrupted:
            seen.append("interrupted")
        assert not task.cancelling()
        await asyncio.sleep(0)
        seen.append("went on")

    work = Interruptible()
    work.interrupt()  # nothing is under way, and nothing happens
    task = asyncio.ensure_future(job())
    await asyncio.sleep(0)
    work.interrupt()
    work.interrupt()
    await task
    assert seen == ["interrupted", "went on"]


@pytest.mark.parametrize("is_owner_first", [True, False])
async def test_a_task_that_is_cancelled_while_its_work_is_interrupted_is_cancelled(is_owner_first: bool) -> None:
    work = Interruptible()
    task = asyncio.ensure_future(work.run(hang()))
    await asyncio.sleep(0)
    for end in (task.cancel, work.interrupt) if is_owner_first else (work.interrupt, task.cancel):
        end()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelling() == 1


async def test_work_within_work() -> None:
    async def inner() -> None:
        with pytest.raises(TimeoutError):
            await run_within(clock, hang(), 1)
        await run_within(clock, hang(), 1)

    clock, outer = ManualClock(), Interruptible()
    task = asyncio.ensure_future(outer.run(inner()))
    await clock.wait_for_sleepers()
    await clock.advance(1)
    outer.interrupt()
    with pytest.raises(Interrupted):
        await task
    assert not task.cancelling()


@pytest.mark.parametrize("was_cancelled", [True, False])
async def test_what_is_awaited_and_is_cancelled_cancels_nobody(was_cancelled: bool) -> None:
    async def job() -> None:
        if was_cancelled:
            with pytest.raises(asyncio.CancelledError):
                await hang()
        with pytest.raises(CancelledWithin):
            await Interruptible().run(waits_for(future))
        with pytest.raises(TimeoutError):
            await run_within(ManualClock(), hang(), 0)

    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    task = asyncio.ensure_future(job())
    await asyncio.sleep(0)
    if was_cancelled:
        task.cancel()
        await asyncio.sleep(0)
    future.cancel()
    await task


async def waits_for(future: asyncio.Future[None]) -> None:
    await future


async def test_work_that_ends_though_interrupted_gives_what_it_gives() -> None:
    async def stubborn() -> int:
        with contextlib.suppress(asyncio.CancelledError):
            await hang()
        return 5

    work = Interruptible()
    task = asyncio.ensure_future(work.run(stubborn()))
    await asyncio.sleep(0)
    work.interrupt()
    assert await task == 5
    assert not task.cancelling()


@pytest.mark.parametrize("clock", [SystemClock(), ManualClock()])
async def test_a_timer_that_is_cancelled_calls_nobody(clock: SystemClock | ManualClock) -> None:
    called: list[int] = []
    call_after(clock, 0.01, lambda: called.append(1)).cancel()
    call_after(clock, 0.01, lambda: called.append(2))
    await asyncio.sleep(0.02)
    if isinstance(clock, ManualClock):
        await clock.advance(1)
    assert called == [2]


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


async def test_a_signal_wakes_all_who_wait_and_nobody_else() -> None:
    signal = Signal()
    waiting = [asyncio.ensure_future(signal.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.wait(waiting[:1])
    signal.set()
    signal.clear()  # who waited already hears of it all the same
    late = asyncio.ensure_future(signal.wait())
    await asyncio.gather(*waiting[1:])
    assert waiting[0].cancelled()
    assert not signal.is_set()
    await asyncio.sleep(0)
    assert not late.done()
    signal.set()
    await late
    await signal.wait()
