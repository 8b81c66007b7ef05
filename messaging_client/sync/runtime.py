"""What all parts of a blocking client have in common: how a thread has something done in the client's event loop."""

from __future__ import annotations

import asyncio
import atexit
import threading
import time
import weakref
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from messaging_client.errors import ConfigurationError, NotConnected
from messaging_client.reports import CloseReport
from messaging_client.sync.handler_threads import HandlerThreads
from messaging_client.sync.loop_thread import Job, LoopThread

T = TypeVar("T")

_AT_EXIT = 1.0  # seconds that clients which were not closed get when the program ends
_AFTER_THAT = 0.1
_LAST_CALL = 2.0  # seconds that another thread may wait in a client once the main thread has ended


class Runtime:
    """The threads of one blocking client. They end with `close`, when nobody holds the client, and with the program."""

    def __init__(self) -> None:
        self._refuse_other_loops()
        self._loop = LoopThread()
        self._closing = threading.Lock()
        self._last: Callable[[], Awaitable[object]] | None = None
        self.threads = HandlerThreads()

    @property
    def has_ended(self) -> bool:
        """Whether the client was closed, and nothing of it runs."""
        return self._loop.has_ended

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Have something done in the loop, and wait for it; from any thread without an event loop of its own.

        Raises:
            ConfigurationError: the thread runs an event loop.
            NotConnected: the client was closed, before or meanwhile.
        """
        self._refuse_other_loops()
        if self._loop.is_here:
            raise ConfigurationError(
                "A predicate or a token callable cannot wait for the client that calls it; only look at what is there."
            )
        job = Job(work)
        call = self.threads.present_call
        return self._loop.do(job, job.start if call is None else lambda: call.ask(job))

    def call(self, function: Callable[[], T]) -> T:
        """Call a plain function in the loop, where nothing changes meanwhile.

        Raises:
            ConfigurationError: the thread runs an event loop of its own.
        """
        if self._loop.is_here or self._loop.has_ended:
            return function()

        async def work() -> T:
            return function()

        return self.run(work)

    def leave(self, work: Callable[[], Awaitable[object]]) -> None:
        """Have something closed that ends with the client anyway."""
        try:
            self.run(work)
        except NotConnected:
            if not self._loop.has_ended:
                raise

    def close(self, work: Callable[[], Awaitable[CloseReport]]) -> CloseReport:
        """Close the client and end the threads; a second call waits for the first, unless a handler makes it."""
        self._refuse_other_loops()
        if not self._closing.acquire(blocking=False):
            if self.threads.present_call is None:
                self._loop.join()
            return CloseReport()
        try:
            return self.run(work)
        finally:
            self.stop()

    def stop(self) -> None:
        """End the threads; what runs is cancelled."""
        self._loop.stop()
        self._loop.join()
        self.threads.close()

    def when_dropped(self, function: Callable[[], object], holder: object) -> None:
        """Call something in the loop when nobody holds `holder` any more."""
        weakref.finalize(holder, self._loop.soon, function).atexit = False

    def at_last(self, work: Callable[[], Awaitable[object]]) -> None:
        """Do this when the client was not closed: when nobody holds it any more, or the program ends."""
        self._last = work
        weakref.finalize(self, self._loop.finish, work).atexit = False
        _open.add(self)
        if _main_has_ended.is_set():
            self.main_has_ended()

    def main_has_ended(self) -> None:
        """Close the client as soon as a thread waits in it for long: a program ends when all its threads have.

        Those threads finish what they are about; but somebody who waits for messages would wait for ever.
        """
        self._loop.lose_patience(_LAST_CALL, self._close_for_all)

    def _close_for_all(self) -> None:
        """Close, and tell every thread that waits: none may keep another from coming to its end."""
        if self._last is not None and self._closing.acquire(blocking=False):
            self._loop.finish(self._last)

    def begin_end(self) -> None:
        """Begin to close at the end of the program."""
        if self._last is not None and self._closing.acquire(blocking=False):
            self._loop.keep_waiting()
            self._loop.finish(self._last)

    def end(self, timeout: float) -> None:
        """Wait for the end that was begun, at most so many seconds."""
        self._loop.join(timeout)
        self._loop.stop()
        self._loop.join(_AFTER_THAT)

    def _refuse_other_loops(self) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        if not hasattr(self, "_loop") or not self._loop.is_here:
            raise ConfigurationError(
                "The blocking client cannot be used where an event loop runs, which it would hold up: "
                "use MessagingClient of messaging_client there, with await."
            )


_open: weakref.WeakSet[Runtime] = weakref.WeakSet()
_main_has_ended = threading.Event()


def _main_ended() -> None:
    """The main thread has ended; the interpreter waits for the others now."""
    _main_has_ended.set()
    for runtime in list(_open):
        runtime.main_has_ended()


def _end_all() -> None:
    """Close what the program left open: together, and in about a second at most."""
    runtimes = list(_open)
    for runtime in runtimes:
        runtime.begin_end()
    deadline = time.monotonic() + _AT_EXIT
    for runtime in runtimes:
        runtime.end(max(0.0, deadline - time.monotonic()))


atexit.register(_end_all)
# What `atexit` has is called only when all threads have ended. `concurrent.futures` needs this place too; where Python
# has it no longer, a program must end its threads by itself.
_register = getattr(threading, "_register_atexit", None)
if _register is not None:
    with suppress(RuntimeError):  # the main thread has ended already
        _register(_main_ended)
