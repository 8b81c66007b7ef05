"""A clock that tests move by hand."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from datetime import UTC, datetime, timedelta

SETTLE_TURNS = 50
"""Turns of the event loop that tasks get to settle in after each wake-up."""

_NANOSECONDS = 1_000_000_000


class ManualClock:
    """A `Clock` that stands still until `advance` moves it, so that minutes pass in milliseconds and delays are exact.

    Between two wake-ups the loop turns `SETTLE_TURNS` times: enough for tasks that wait on each other, not for an
    answer from a socket. After real input and output, wait for what it brings, or for `wait_for_sleepers`.

    Args:
        start: the time of day at first, aware.

    """

    def __init__(self, start: datetime = datetime(2025, 1, 1, tzinfo=UTC)) -> None:
        self._start = start.astimezone(UTC)
        self._elapsed = 0  # nanoseconds: sums of floats would miss deadlines by a hair
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._watchers: set[asyncio.Future[None]] = set()

    def now(self) -> datetime:
        """The time of day, aware, UTC."""
        return self._start + timedelta(microseconds=self._elapsed // 1000)

    def monotonic(self) -> float:
        """Seconds since this clock was made, as far as it was moved."""
        return self._elapsed / _NANOSECONDS

    async def sleep(self, seconds: float) -> None:
        """Return once the clock has been moved that far; at once for 0 and less."""
        if not seconds > 0:
            await asyncio.sleep(0)
            return
        deadline = self._elapsed + (math.inf if math.isinf(seconds) else round(seconds * _NANOSECONDS))
        waking: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        sleeper = deadline, next(self._order), waking
        heapq.heappush(self._sleepers, sleeper)
        for watcher in self._watchers:
            if not watcher.done():
                watcher.set_result(None)
        try:
            await waking
        finally:
            if sleeper in self._sleepers:  # cancelled
                self._sleepers.remove(sleeper)
                heapq.heapify(self._sleepers)

    @property
    def sleeping(self) -> tuple[float, ...]:
        """When those who sleep are to wake, as `monotonic()` counts, the soonest first."""
        return tuple(sorted(deadline / _NANOSECONDS for deadline, _, _ in self._sleepers))

    async def advance(self, seconds: float) -> None:
        """Move the clock, and wake who sleeps, one after the other in the order of their deadlines.

        What a sleeper does once awake, further sleeps included, is part of the same move as far as it falls into it.

        Args:
            seconds: how far; 0 lets the loop settle.

        Raises:
            ValueError: below 0, or not finite.

        """
        if not (seconds >= 0 and math.isfinite(seconds)):
            raise ValueError("seconds must be a finite number, 0 or more.")
        target = self._elapsed + round(seconds * _NANOSECONDS)
        await self._settle()
        while self._sleepers and self._sleepers[0][0] <= target:
            deadline, _, waking = heapq.heappop(self._sleepers)
            self._elapsed = max(self._elapsed, int(deadline))
            if not waking.done():
                waking.set_result(None)
            await self._settle()
        self._elapsed = target
        await self._settle()

    async def wait_for_sleepers(self, count: int = 1, timeout: float = 5.0) -> None:
        """Return once at least that many sleep.

        Args:
            count: how many.
            timeout: real seconds.

        Raises:
            TimeoutError: they did not come in time.

        """
        try:
            async with asyncio.timeout(timeout):
                while len(self._sleepers) < count:
                    watcher: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._watchers.add(watcher)
                    try:
                        await watcher
                    finally:
                        self._watchers.discard(watcher)
        except TimeoutError:
            found = len(self._sleepers)
            raise TimeoutError(f"{found} of {count} expected sleepers within {timeout:g} s.") from None

    async def _settle(self) -> None:
        for _ in range(SETTLE_TURNS):
            await asyncio.sleep(0)
