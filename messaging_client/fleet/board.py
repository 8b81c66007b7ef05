"""Which partitions may have work, and which of them this worker has in hand."""

from __future__ import annotations

import asyncio
import random

_CHANCE = random.SystemRandom()


class Board:
    """Hands partitions to the slots of one worker, each to one slot at a time.

    A hint is cheap and may be wrong: another worker may have been quicker. What is missing here is found by the next
    look at all partitions.
    """

    def __init__(self) -> None:
        self._ready: list[int] = []
        self._held: set[int] = set()
        self._again: set[int] = set()
        self._news = asyncio.Condition()
        self._closed = False

    def holds(self, partition: int) -> bool:
        """Whether a slot of this worker has a partition in hand."""
        return partition in self._held

    async def hint(self, partition: int) -> None:
        """A partition may have work."""
        async with self._news:
            if partition in self._held:
                self._again.add(partition)
            elif partition not in self._ready:
                self._ready.append(partition)
                self._news.notify()

    async def take(self) -> int | None:
        """Wait for a partition that may have work, and take it in hand; None once the board is closed."""
        async with self._news:
            await self._news.wait_for(lambda: self._ready or self._closed)
            if self._closed:
                return None
            # Not the first: all workers were told in the same order.
            partition = self._ready.pop(_CHANCE.randrange(len(self._ready)))
            self._held.add(partition)
            return partition

    async def release(self, partition: int, *, has_more: bool) -> None:
        """A slot is done with a partition, for now."""
        self._held.discard(partition)
        if partition in self._again or has_more:
            self._again.discard(partition)
            await self.hint(partition)

    async def close(self) -> None:
        """Hand out no more."""
        async with self._news:
            self._closed = True
            self._news.notify_all()
