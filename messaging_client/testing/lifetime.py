"""How long a running server lives, and how tests wait for what happens in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from messaging_client.clock import Clock, finished_within


class Changes:
    """Tells whoever waits that something in the server has changed."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        """Let every waiter look again."""
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)
        self._waiting.clear()

    async def wait_until(self, predicate: Callable[[], Any], timeout: float) -> None:
        """Return as soon as the predicate holds; it is asked again after each change.

        Args:
            predicate: a function without arguments.
            timeout: real seconds.

        Raises:
            TimeoutError: it did not come to hold in time.

        """
        try:
            async with asyncio.timeout(timeout):
                while not predicate():
                    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiting.add(waiter)
                    await waiter
        except TimeoutError:
            raise TimeoutError(f"The server did not come to that state within {timeout:g} s.") from None


class Lifetime:
    """From a start of the server to its stop.

    Args:
        clock: what pauses are measured by.

    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._stopping: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_over(self) -> bool:
        """Whether the server stops or has stopped."""
        return self._stopping.done()

    async def pause(self, seconds: float | None) -> bool:
        """Wait, but never beyond the server's stop.

        Args:
            seconds: how long; None waits for the stop.

        Returns:
            Whether the server still runs.

        """
        if seconds is None or seconds > 0:
            await finished_within(self._clock, self._stopping, seconds)
        return not self.is_over

    async def wait_for(self, event: asyncio.Future[None]) -> None:
        """Wait for a future, but never beyond the server's stop."""
        await asyncio.wait({event, self._stopping}, return_when=asyncio.FIRST_COMPLETED)

    def start_task(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something on the side; the stop cancels it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def begin_stop(self) -> None:
        """End every pause."""
        if not self._stopping.done():
            self._stopping.set_result(None)

    async def end(self) -> None:
        """Cancel what runs on the side, and wait for it."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks))
