"""Which partitions may have work, and which of them this worker has in hand."""

from __future__ import annotations

import asyncio
import enum
import random

_CHANCE = random.SystemRandom()


class Rest(enum.Enum):
    """What a slot leaves behind in a partition."""

    NOTHING = enum.auto()
    MORE = enum.auto()
    ELSEWHERE = enum.auto()
    """More, which another worker seems to have in hand."""


class Board:
    """Hands partitions to the slots of one worker, each to one slot at a time.

    A hint is cheap and may be wrong: another worker may have been quicker. It stands until it has been tried. What is
    missing here is found by the next look at all partitions, which takes the place of the look before.
    """

    def __init__(self) -> None:
        self._hinted: set[int] = set()
        self._waiting: set[int] = set()
        self._elsewhere: set[int] = set()
        self._held: set[int] = set()
        self._again: set[int] = set()
        self._news = asyncio.Condition()
        self._closed = False

    async def hint(self, partition: int) -> None:
        """A partition may have work."""
        async with self._news:
            if partition in self._held:
                self._again.add(partition)
            elif partition not in self._hinted:
                self._hinted.add(partition)
                self._news.notify()

    async def looked(self, waiting: set[int], elsewhere: set[int]) -> None:
        """A look at all partitions has shown these, and no others.

        Args:
            waiting: partitions that have events, none of them in a hand.
            elsewhere: partitions of which an event is in a hand, which may be a dead worker's.
        """
        async with self._news:
            self._waiting, self._elsewhere = waiting - self._held, elsewhere - self._held
            self._news.notify(len(self._waiting | self._elsewhere))

    async def take(self) -> tuple[int, bool] | None:
        """Wait for a partition that may have work, and take it in hand.

        Returns:
            The partition, and whether a hint told of it, so that its event may be just about to come; None once the
            board is closed.
        """
        async with self._news:
            await self._news.wait_for(lambda: self._hinted or self._waiting or self._elsewhere or self._closed)
            if self._closed:
                return None
            # Asking for one that another worker has takes it from that worker, and time from both: these come last.
            # Not the first: all workers were told in the same order.
            partition = _CHANCE.choice([*self._hinted | self._waiting] or [*self._elsewhere])
            is_hinted = partition in self._hinted
            for each in (self._hinted, self._waiting, self._elsewhere):
                each.discard(partition)
            self._held.add(partition)
            return partition, is_hinted

    async def release(self, partition: int, rest: Rest) -> None:
        """A slot is done with a partition, for now."""
        self._held.discard(partition)
        if partition in self._again or rest is Rest.MORE:
            self._again.discard(partition)
            await self.hint(partition)
        elif rest is Rest.ELSEWHERE:
            async with self._news:
                self._elsewhere.add(partition)
                self._news.notify()

    async def close(self) -> None:
        """Hand out no more."""
        async with self._news:
            self._closed = True
            self._news.notify_all()
