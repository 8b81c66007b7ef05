"""Bringing work to its end."""

from __future__ import annotations

import asyncio
import time

import pytest

from messaging_client.transport.endings import brought_to_end, failure_of, finish, within


async def test_work_is_brought_to_its_end_though_its_caller_is_cancelled_again_and_again() -> None:
    done: list[str] = []
    go = asyncio.Event()

    async def work() -> None:
        await go.wait()
        done.append("work")

    caller = asyncio.create_task(brought_to_end(work()))
    for _ in range(3):
        await asyncio.sleep(0)
        caller.cancel()
    await asyncio.sleep(0)
    assert not caller.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert done == ["work"]


async def test_what_comes_of_it_is_dropped() -> None:
    async def work() -> None:
        raise KeyError

    await brought_to_end(work())
    await within(1, work())
    await finish(asyncio.ensure_future(work()))
    await finish(None)


async def test_work_gets_a_limited_time() -> None:
    began = time.monotonic()
    await within(0.05, asyncio.sleep(60))
    assert time.monotonic() - began < 1


async def test_how_a_task_failed() -> None:
    good, bad, cancelled = (asyncio.get_running_loop().create_future() for _ in range(3))
    good.set_result(None)
    bad.set_exception(KeyError())
    cancelled.cancel()
    assert failure_of(good) is None
    assert isinstance(failure_of(bad), KeyError)
    assert isinstance(failure_of(cancelled), asyncio.CancelledError)
