"""The end of a client: begun once, and brought to its end even when whoever asked for it gives up waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from messaging_client.clock import Signal, end_task, new_task
from messaging_client.few import Few
from messaging_client.reports import CloseReport
from messaging_client.transport.endings import brought_to_end


class Closing:
    """Runs the closing of a client in a task of its own.

    Args:
        close: does it, within about so many seconds for what waits.

    Attributes:
        done: set when nothing is left.
        callers: the tasks that wait for it; it must not wait for them.
    """

    def __init__(self, close: Callable[[float], Coroutine[Any, Any, CloseReport]]) -> None:
        self._close = close
        self._work: asyncio.Task[CloseReport] | None = None
        self._hurry = Signal()
        self.done = Signal()
        self.callers: Few[asyncio.Task[Any] | None] = Few()

    @property
    def is_begun(self) -> bool:
        """Whether the client is closed, or about to be."""
        return self._work is not None

    async def run(self, seconds: float) -> CloseReport:
        """Close, or wait for the closing that is under way; whoever is cancelled meanwhile hurries it.

        Returns:
            What was left undone; the same for everybody.
        """
        if self._work is None:
            self._work = new_task(self._close(seconds), name="messaging_client closing")
            self._work.add_done_callback(lambda _work: self.done.set())
        caller = asyncio.current_task()
        self.callers.add(caller)
        try:
            await asyncio.wait({self._work})
        except asyncio.CancelledError:
            # Whoever cancels may end the event loop next: nothing must be left by then.
            self._hurry.set()
            await brought_to_end(asyncio.wait({self._work}))
            raise
        finally:
            self.callers.discard(caller)
        return self._work.result()

    async def unless_hurried(self, work: Awaitable[Any]) -> None:
        """Wait for work, and give it up when somebody hurries."""
        task, hurried = asyncio.ensure_future(work), asyncio.ensure_future(self._hurry.wait())
        try:
            await asyncio.wait({task, hurried}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end_task(hurried)
            await end_task(task)
