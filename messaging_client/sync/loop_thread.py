"""An event loop in a thread of its own, and the pieces of work that other threads give it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, Generic, TypeVar

from messaging_client.clock import is_being_cancelled, new_task
from messaging_client.errors import NotConnected

T = TypeVar("T")

INTERRUPTED = 1.0
"""Seconds that a call which was interrupted gets to tidy up."""

_CANCELLATIONS = 4
_BETWEEN = 0.5
_SLICE = 0.2 if os.name == "nt" else None  # on Windows, Ctrl-C does not end a wait without limit

_CLOSED = "This client was closed; make another one."
_CLOSED_MEANWHILE = "The client was closed while this call waited."


class Job(Generic[T]):
    """Something for the loop to do, and its outcome for the thread that waits.

    Args:
        work: gives the awaitable, in the loop.

    Attributes:
        is_of_daemon: whether the thread that waits is one that the program does not wait for in its turn.
        outcome: what came of it.
    """

    def __init__(self, work: Callable[[], Awaitable[T]]) -> None:
        self._work = work
        self._task: asyncio.Task[None] | None = None
        self.is_of_daemon = threading.current_thread().daemon
        self.outcome: Future[T] = Future()

    def start(self) -> None:
        """Run in a task of its own; called in the loop."""
        self._task = new_task(self.run())
        # One that is cancelled before its first step never gets as far as `run`.
        self._task.add_done_callback(lambda _task: self.fail())

    def cancel(self) -> None:
        """Give it up, if it has a task of its own; called in the loop."""
        if self._task is not None:
            self._task.cancel()

    def fail(self) -> None:
        """Tell the thread that waits, if nobody has yet, that nothing will come of it."""
        if not self.outcome.done():
            self.outcome.set_exception(NotConnected(_CLOSED_MEANWHILE))

    async def run(self) -> None:
        """Do it in the present task."""
        try:
            result = await self._work()
        except asyncio.CancelledError:
            self.fail()
            if is_being_cancelled():
                raise
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
            self.outcome.set_exception(error)
        else:
            self.outcome.set_result(result)

    def error(self) -> BaseException | None:
        """Wait for the outcome; gives the error if it is one."""
        return self._outcome_within(None)

    def tidy_up(self) -> None:
        """Wait a moment for the end of what was given up."""
        with suppress(TimeoutError):
            self._outcome_within(INTERRUPTED)

    def result(self, error: BaseException | None) -> T:
        """Give the outcome, whose error is known."""
        if error is None:
            return self.outcome.result()
        try:
            raise error
        finally:
            # Otherwise the error would hold itself, by way of its traceback.
            self.outcome = Future()
            del error

    def _outcome_within(self, timeout: float | None) -> BaseException | None:
        if timeout is not None or _SLICE is None:
            return self.outcome.exception(timeout)
        while not self.outcome.done():
            with suppress(TimeoutError):
                self.outcome.exception(_SLICE)
        return self.outcome.exception()


class LoopThread:
    """An event loop that runs from now on, in a daemon thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: set[Job[Any]] = set()
        self._ended = False
        self._last: asyncio.Task[None] | None = None
        self._patience: tuple[float, Callable[[], None]] | None = None
        ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=self._serve, args=(ready,), name="messaging_client", daemon=True)
        self._thread.start()
        self._loop, self._stopping = ready.result()

    @property
    def has_ended(self) -> bool:
        """Whether nothing runs in it any more."""
        return self._ended

    @property
    def is_here(self) -> bool:
        """Whether the present thread is the loop's."""
        return threading.current_thread() is self._thread

    def do(self, job: Job[T], start: Callable[[], None]) -> T:
        """Let the loop start a job, and wait for it; its outcome comes, whatever happens to the loop.

        Args:
            job: the job.
            start: called in the loop.

        An interruption of the thread (Ctrl-C) cancels the work, and goes on.

        Raises:
            NotConnected: the loop has ended.
        """
        try:
            self._begin(job, start)
            error = job.error()
        except Exception:
            raise
        except BaseException:
            # Ctrl-C, wherever it came: nobody waits for the work any more.
            self.soon(job.cancel)
            job.tidy_up()
            raise
        finally:
            with self._lock:
                self._jobs.discard(job)
        return job.result(error)

    def _begin(self, job: Job[Any], start: Callable[[], None]) -> None:
        with self._lock:
            if not self._ended and not self._thread.is_alive():
                raise NotConnected("This client belongs to the process that this one was forked from; make another.")
            if self._ended or self._loop.is_closed():
                raise NotConnected(_CLOSED)
            self._jobs.add(job)
            self._loop.call_soon_threadsafe(start)
            if self._patience is not None:
                self._loop.call_soon_threadsafe(self._limit, job)

    def soon(self, function: Callable[[], object]) -> None:
        """Call something in the loop, unless it has ended. Takes no lock: also for finalizers."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function)

    def stop(self) -> None:
        """End the loop soon: what runs in it is cancelled."""
        self.soon(self._stopping.set)

    def finish(self, work: Callable[[], Awaitable[object]]) -> None:
        """Do this last, and end the loop. Waits for nothing and takes no lock: also for finalizers."""

        async def last() -> None:
            try:
                await work()
            finally:
                self._stopping.set()

        def begin() -> None:
            self._last = new_task(last())

        self.soon(begin)

    def lose_patience(self, seconds: float, then: Callable[[], None]) -> None:
        """From now on, do something once a thread that the program waits for has waited here for so many seconds."""
        with self._lock:
            self._patience = (seconds, then)
            waiting = tuple(self._jobs)
        for job in waiting:
            self.soon(partial(self._limit, job))

    def _limit(self, job: Job[Any]) -> None:
        """Begin to count how long a job takes; called in the loop."""
        assert self._patience is not None
        seconds, then = self._patience

        def look() -> None:
            with self._lock:
                is_waiting = job in self._jobs
            if is_waiting:
                then()

        if not job.is_of_daemon:
            self._loop.call_later(seconds, look)

    def keep_waiting(self) -> None:
        """Let threads that wait now wait for ever: the program ends, and them with it, without a word."""
        with self._lock:
            for job in self._jobs:
                job.outcome = Future()

    def join(self, timeout: float = 5.0) -> None:
        """Wait until it has ended, at most so many seconds."""
        self._thread.join(timeout)

    def _serve(self, ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
        try:
            with asyncio.Runner() as runner:
                runner.run(_until_stopped(ready))
        finally:
            with self._lock:
                self._ended = True
                left = tuple(self._jobs)
            for job in left:
                job.fail()


async def _until_stopped(ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
    stopping = asyncio.Event()
    ready.set_result((asyncio.get_running_loop(), stopping))
    await stopping.wait()
    # Again, if need be: a task of the libraries can let one cancellation pass, where something else came with it.
    for _ in range(_CANCELLATIONS):
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others, timeout=_BETWEEN)
