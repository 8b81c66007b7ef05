"""Time as a part that can be replaced, so that ten reconnections are tested in milliseconds with exact delays."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextvars import Context
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


class Signal:
    """An `asyncio.Event` that takes no memory for those who wait until somebody does: a client has many."""

    __slots__ = ("_is_set", "_waiters")

    def __init__(self) -> None:
        self._is_set = False
        self._waiters: tuple[asyncio.Future[None], ...] = ()

    def is_set(self) -> bool:
        """Whether it was set, and not cleared since."""
        return self._is_set

    def set(self) -> None:
        """Wake those who wait, and let nobody wait until it is cleared."""
        self._is_set = True
        for each in self._waiters:
            if not each.done():
                each.set_result(None)

    def clear(self) -> None:
        """Let those wait who come from now on."""
        self._is_set = False

    async def wait(self) -> None:
        """Return once it is set."""
        if self._is_set:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters = (*self._waiters, waiter)
        try:
            await waiter
        finally:
            self._waiters = tuple(each for each in self._waiters if each is not waiter)


async def until_done(work: asyncio.Future[Any]) -> None:
    """Wait until `work` is done, without cancelling or raising what came of it, as `asyncio.wait` does for several."""
    if work.done():
        return
    waiter, wake = _waiter()
    work.add_done_callback(wake)
    try:
        await waiter
    finally:
        work.remove_done_callback(wake)


async def finished_within(clock: Clock, work: asyncio.Future[Any], seconds: float | None) -> bool:
    """Wait until `work` is done, at most `seconds` (None: for ever), without cancelling or raising what came of it.

    `asyncio.wait_for` would cancel the work, and cancelling a task of the library underneath leaves it half alive.

    Returns:
        Whether the work is done.

    """
    if seconds is None:
        await until_done(work)
        return True
    waiter, wake = _waiter()
    work.add_done_callback(wake)
    timer = call_after(clock, seconds, wake)
    try:
        await waiter
    finally:
        timer.cancel()
        work.remove_done_callback(wake)
    return work.done()


def _waiter() -> tuple[asyncio.Future[None], Callable[..., None]]:
    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wake(_: object = None) -> None:
        if not waiter.done():
            waiter.set_result(None)

    return waiter, wake


class Timer(Protocol):
    """What `call_after` has set."""

    def cancel(self) -> object:
        """Call nothing."""
        ...


def call_after(clock: Clock, seconds: float, callback: Callable[[], object]) -> Timer:
    """Call something after that many seconds; the machine's own clock needs no task for it."""
    if type(clock) is SystemClock:
        return asyncio.get_running_loop().call_later(seconds, callback)

    def slept(timer: asyncio.Future[None]) -> None:
        if not timer.cancelled():
            timer.exception()  # a clock that fails stands for time that is over
            callback()

    timer = asyncio.ensure_future(clock.sleep(max(0.0, seconds)))
    timer.add_done_callback(slept)
    return timer


class Interrupted(Exception):
    """Work ended because `Interruptible.interrupt` was called."""


class CancelledWithin(Exception):
    """Something that was awaited was cancelled, though nobody has asked the task to stop."""


class Interruptible:
    """Work in the present task that others can end, and not the task with it.

    A task for each piece of work would do the same; this is what `asyncio.timeout` does, with another cause than time,
    and spares a request half of its turns of the event loop.
    """

    __slots__ = ("_is_interrupted", "_task")

    def __init__(self) -> None:
        self._task: asyncio.Task[Any] | None = None
        self._is_interrupted = False

    def interrupt(self) -> None:
        """End the work, if it is under way: by a cancellation, as a task of its own would be ended."""
        if self._task is not None and not self._is_interrupted:
            self._is_interrupted = True
            self._task.cancel()

    async def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do some work.

        Raises:
            Interrupted: `interrupt` was called, and the work has ended.
            CancelledWithin: the work was cancelled by what it awaited.
            asyncio.CancelledError: the task was cancelled.

        """
        task = asyncio.current_task()
        assert task is not None
        before = task.cancelling()  # whoever has swallowed a cancellation before is not being cancelled now
        failure: Exception
        self._task = task
        try:
            return await work
        except asyncio.CancelledError:
            if task.cancelling() > before + self._is_interrupted:
                raise
            failure = Interrupted() if self._is_interrupted else CancelledWithin()
        finally:
            self._task = None
            if self._is_interrupted:
                task.uncancel()
        raise failure


async def run_within(clock: Clock, work: Coroutine[Any, Any, Result], seconds: float | None) -> Result:
    """Run a coroutine of ours for at most `seconds`, cancelling it then.

    Raises:
        TimeoutError: time ran out (the built-in exception).
        CancelledWithin: the work was cancelled by what it awaited.

    """
    if seconds is None:
        return await work
    limited = Interruptible()
    timer = call_after(clock, seconds, limited.interrupt)
    try:
        return await limited.run(work)
    except Interrupted:
        pass
    finally:
        timer.cancel()
    raise TimeoutError


def new_task(
    work: Coroutine[Any, Any, Result], *, name: str | None = None, context: Context | None = None
) -> asyncio.Task[Result]:
    """Begin some work in a task, from the next turn of the event loop on.

    Who begins it takes note of the task first. With `asyncio.eager_task_factory` (Python 3.12; Textual sets it) the
    work runs at once, and may have ended, and said so, before anybody knows of it.
    """
    return asyncio.Task(work, loop=asyncio.get_running_loop(), name=name, context=context)


def is_being_cancelled() -> bool:
    """Whether somebody has asked the present task to stop, rather than something within it having been cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def end_task(task: asyncio.Future[Any] | None) -> None:
    """Cancel a task and wait until it has ended; what came of it is dropped. The caller's own cancellation goes on."""
    if task is None:
        return
    if not task.done():
        task.cancel()
        await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # dropped too, or asyncio would report it as never looked at
