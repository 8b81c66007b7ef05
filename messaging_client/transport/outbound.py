"""The queue in which packets of one link wait for the network."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from messaging_client.clock import Signal

_EMPTY: deque[Any] = deque(maxlen=0)  # stands for those that hold nothing, each of which takes most of a kilobyte


class Outbound:
    """An `asyncio.Queue` without a bound, for one reader.

    That one keeps three kilobytes while it is empty, and takes a task where its reader waits with a time limit.
    """

    __slots__ = ("_finished", "_queue", "_reader", "_unfinished")

    def __init__(self) -> None:
        self._queue = _EMPTY
        self._reader: asyncio.Future[Any] | None = None
        self._unfinished = 0
        self._finished = Signal()
        self._finished.set()

    def qsize(self) -> int:
        """How many wait."""
        return len(self._queue)

    @property
    def is_idle(self) -> bool:
        """Whether all has been worked off, and the reader waits for the next one."""
        return self._reader is not None and not self._reader.done()

    def empty(self) -> bool:
        """Whether none waits."""
        return not self._queue

    def put_nowait(self, item: Any) -> None:
        """Add one."""
        self._unfinished += 1
        self._finished.clear()
        reader = self._reader
        if reader is not None and not reader.done():
            reader.set_result(item)
            return
        if self._queue is _EMPTY:
            self._queue = deque()
        self._queue.append(item)

    async def put(self, item: Any) -> None:
        """Add one."""
        self.put_nowait(item)

    def get(self) -> asyncio.Future[Any]:
        """Give what is done with the next one; to be awaited before it is called again."""
        reader = self._reader = asyncio.get_running_loop().create_future()
        if self._queue:
            reader.set_result(self.get_nowait())
        return reader

    def get_nowait(self) -> Any:
        """Give the next one.

        Raises:
            asyncio.QueueEmpty: there is none.
        """
        if not self._queue:
            raise asyncio.QueueEmpty
        item = self._queue.popleft()
        if not self._queue:
            self._queue = _EMPTY
        return item

    def task_done(self) -> None:
        """Say that one which was taken has been worked off."""
        self._unfinished -= 1
        if not self._unfinished:
            self._finished.set()

    async def join(self) -> None:
        """Return once all have been worked off."""
        await self._finished.wait()
