"""Iterators over events, which end when nobody holds them any more."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator
from typing import Any, TypeVar

from messaging_client.consumers import Consumer, Hub, Wants

E = TypeVar("E")

PATIENCE = 30.0
"""Seconds that an iterator may take until it is asked for the first time; then nobody waits for what it holds."""


class StreamQueue(Consumer[E]):
    """What the dispatcher holds of an iterator. It does not hold the iterator, so that one let go can be ended."""

    def __init__(self, hub: Hub, label: str, limit: int, wants: Wants | None) -> None:
        super().__init__(hub, label, limit, wants)
        self._news = asyncio.Event()
        self._has_one_out = False
        self._made_at = hub.clock.monotonic()
        self._was_asked = False

    def patience(self) -> float | None:
        """Give the seconds for which to wait until it is asked for the first time; None once it was."""
        return None if self._was_asked else max(0.0, self._made_at + PATIENCE - self._hub.clock.monotonic())

    async def next(self) -> E:
        """Give the next event; what was given before is worked off by that."""
        self._was_asked = True
        self._has_one_out = False
        while not self._cancelled:
            self._is_free()
            if self._is_turn_to_catch_up():
                await self._catch_up()
                continue
            if self._queue:
                self._taken += 1
                self._has_one_out = True
                return self._queue.popleft()
            self._news.clear()
            await self._news.wait()
        raise StopAsyncIteration

    def _is_busy(self) -> bool:
        return self._has_one_out

    def _wake(self) -> None:
        self._news.set()

    def cancel(self) -> None:
        """End the iteration."""
        super().cancel()
        self._wake()


class EventStream(AsyncIterator[E]):
    """An async iterator of events, collecting from the moment it was made. Close it, or let it go, to end it."""

    def __init__(self, hub: Hub, label: str, limit: int, wants: Wants | None) -> None:
        self.queue: StreamQueue[E] = StreamQueue(hub, label, limit, wants)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        self._ending = weakref.finalize(self, _let_go, self.queue, loop)
        self._ending.atexit = False

    def __repr__(self) -> str:
        return f"<EventStream {self.queue.label}>"

    def __aiter__(self) -> EventStream[E]:
        return self

    async def __anext__(self) -> E:
        return await self.queue.next()

    @property
    def is_open(self) -> bool:
        """Whether it still takes events."""
        return self.queue.is_open

    @property
    def dropped(self) -> int:
        """Events that were lost because the queue was full; messages are never lost."""
        return self.queue.dropped

    def offer(self, event: E) -> None:
        """Take an event, as if it had just come."""
        self.queue.offer(event)

    def cancel(self) -> None:
        """End the iteration; what waits is dropped."""
        self.queue.cancel()

    async def aclose(self) -> None:
        """End the iteration; what waits is dropped."""
        self.cancel()

    async def __aenter__(self) -> EventStream[E]:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self.cancel()


def _let_go(queue: StreamQueue[Any], loop: asyncio.AbstractEventLoop | None) -> None:
    """End an iterator that nobody holds any more. This may run at any moment, in any thread."""
    if loop is None:
        queue.cancel()
        return
    with contextlib.suppress(RuntimeError):  # the loop is closed, and nothing comes any more
        loop.call_soon_threadsafe(queue.cancel)
