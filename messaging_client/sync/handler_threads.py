"""Users' handlers, called on threads: each subscription's one at a time, none able to hold up another or the loop.

What a handler asks of the client is done in the very task that waits for this handler, as if it were a coroutine that
awaits it. So closing the client from a handler does not wait for that handler.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from messaging_client import arguments as check
from messaging_client.sync.loop_thread import Job

_KEPT = 10.0  # seconds that a thread without work is kept for the next handler
_JOIN = 0.5

Work = tuple[Callable[[], None], Callable[[], None]]
"""What a thread does, and whom it tells once it is free again."""


class HandlerThreads:
    """Daemon threads that call handlers: as many as handlers run at a time, so at most one for each subscription."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[SimpleQueue[Work | None]] = []
        self._threads: set[threading.Thread] = set()
        self._closed = False
        self._here = threading.local()

    @property
    def present_call(self) -> HandlerCall | None:
        """The handler's call that the present thread is busy with."""
        call: HandlerCall | None = getattr(self._here, "call", None)
        return call

    def enter(self, call: HandlerCall | None) -> None:
        """Say what the present thread is busy with."""
        self._here.call = call

    def run(self, function: Callable[[], None], then: Callable[[], None]) -> None:
        """Call a function, which does not raise, on a thread that has nothing to do, and then another."""
        with self._lock:
            if self._idle:
                self._idle.pop().put((function, then))
                return
            thread = threading.Thread(
                target=self._serve, args=((function, then),), name="messaging_client handler", daemon=True
            )
            self._threads.add(thread)
        thread.start()

    def close(self) -> None:
        """End the threads; one whose handler does not return ends with it."""
        with self._lock:
            self._closed = True
            for tasks in self._idle:
                tasks.put(None)
            self._idle.clear()
            threads = self._threads - {threading.current_thread()}
        deadline = time.monotonic() + _JOIN
        for thread in threads:
            with suppress(RuntimeError):  # it has not started yet
                thread.join(max(0.0, deadline - time.monotonic()))

    def _serve(self, first: Work) -> None:
        tasks: SimpleQueue[Work | None] = SimpleQueue()
        work: Work | None = first
        while work is not None:
            function, then = work
            function()
            # Free first, so that whoever is told finds this thread free, and starts no other.
            is_free = self._become_idle(tasks)
            then()
            work = self._next(tasks) if is_free else None
        with self._lock:
            self._threads.discard(threading.current_thread())

    def _become_idle(self, tasks: SimpleQueue[Work | None]) -> bool:
        with self._lock:
            if not self._closed:
                self._idle.append(tasks)
            return not self._closed

    def _next(self, tasks: SimpleQueue[Work | None]) -> Work | None:
        try:
            return tasks.get(timeout=_KEPT)
        except Empty:
            with self._lock:
                if tasks in self._idle:
                    self._idle.remove(tasks)
                    return None
            return tasks.get()


class HandlerCall:
    """One call of a handler."""

    def __init__(self, threads: HandlerThreads, handler: Callable[..., object], args: tuple[Any, ...]) -> None:
        self._threads = threads
        self._handler = handler
        self._args = args
        self._loop = asyncio.get_running_loop()
        self._asked: asyncio.Queue[Job[Any] | None] = asyncio.Queue()  # of one at a time: the handler waits for it
        self._over = False
        self._error: Exception | None = None

    async def run(self) -> None:
        """Call the handler on a thread, and do meanwhile what it asks for.

        Raises:
            Exception: whatever the handler raised.
        """
        self._threads.run(self._in_thread, self._tell_end)
        try:
            while (job := await self._asked.get()) is not None:
                await job.run()
        finally:
            self._over = True
            while not self._asked.empty():
                job = self._asked.get_nowait()
                if job is not None:
                    job.fail()
        if self._error is not None:
            raise self._error

    def ask(self, job: Job[Any]) -> None:
        """Do something for the handler; called in the loop."""
        if self._over:
            job.start()
        else:
            self._asked.put_nowait(job)

    def _in_thread(self) -> None:
        self._threads.enter(self)
        try:
            self._handler(*self._args)
        except Exception as error:  # noqa: BLE001 - whatever a user's handler raises is reported by the dispatcher
            self._error = error
        except BaseException as error:  # noqa: BLE001 - it must not end the event loop
            self._error = RuntimeError(f"A handler raised {type(error).__name__}; only the main thread ends a program.")
            self._error.__cause__ = error
        finally:
            self._threads.enter(None)

    def _tell_end(self) -> None:
        with suppress(RuntimeError):  # the loop has ended before the handler
            self._loop.call_soon_threadsafe(self._asked.put_nowait, None)


def on_a_thread(
    threads: HandlerThreads, handler: Callable[..., object], exchange: Callable[[Any], Any]
) -> Callable[..., Awaitable[None]]:
    """Make of a user's handler one that the dispatcher can await.

    Args:
        threads: where it is called.
        handler: a plain function.
        exchange: gives for an argument what the handler gets in its place.

    Raises:
        ValidationFailed: it is no callable, or is asynchronous.
    """
    if not callable(handler):
        raise check.refuse("subscribe", "A handler must be callable.")
    if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__):
        raise check.refuse(
            "subscribe",
            "The blocking client takes plain functions; an async one belongs to the asyncio client.",
        )

    async def call(*args: Any) -> None:
        await HandlerCall(threads, handler, tuple(exchange(each) for each in args)).run()

    call.__qualname__ = str(getattr(handler, "__qualname__", type(handler).__name__))
    return call
