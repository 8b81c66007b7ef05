"""Time as a part that can be replaced, so that ten reconnections are tested in milliseconds with exact delays."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

Result = TypeVar("Result")


class Clock(Protocol):
    """What the client needs to know of time; `messaging_client.testing.ManualClock` is one that tests move by hand."""

    def now(self) -> datetime:
        """The time of day, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never going back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The time of day, aware, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never going back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        await asyncio.sleep(seconds)


async def finished_within(clock: Clock, work: asyncio.Future[Any], seconds: float | None) -> bool:
    """Wait until `work` is done, at most `seconds` (None: for ever), without cancelling or raising what came of it.

    `asyncio.wait_for` would cancel the work, and cancelling a task of the library underneath leaves it half alive.

    Returns:
        Whether the work is done.

    """
    if seconds is None:
        await asyncio.wait({work})
        return True
    timer = asyncio.ensure_future(clock.sleep(max(0.0, seconds)))
    try:
        await asyncio.wait({work, timer}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        timer.cancel()
    return work.done()


async def run_within(clock: Clock, work: Coroutine[Any, Any, Result], seconds: float | None) -> Result:
    """Run a coroutine of ours for at most `seconds`, cancelling it then.

    Raises:
        TimeoutError: time ran out (the built-in exception).

    """
    task = asyncio.ensure_future(work)
    try:
        if await finished_within(clock, task, seconds):
            return task.result()
        raise TimeoutError
    finally:
        await end_task(task)


async def end_task(task: asyncio.Future[Any] | None) -> None:
    """Cancel a task and wait until it has ended; what came of it is dropped. The caller's own cancellation goes on."""
    if task is None:
        return
    if not task.done():
        task.cancel()
        await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # dropped too, or asyncio would report it as never looked at
