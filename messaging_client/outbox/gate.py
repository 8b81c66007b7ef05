"""When the next request may leave: what the server says to one request concerns every conversation."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from messaging_client.clock import Clock, finished_within
from messaging_client.transport.retry import Backoff

AT_A_TIME = 8
"""Requests under way at a time, over all conversations."""


@dataclass(frozen=True)
class Passage:
    """When a request was let through.

    Attributes:
        moment: monotonic seconds.
        holds: how often a refused token had closed the gate until then.
    """

    moment: float
    holds: int


class Gate:
    """Holds requests back.

    Args:
        clock, chance: time and chance, given so that tests decide on them.
        backoff: how long to wait after failures in a row.
    """

    def __init__(self, clock: Clock, chance: random.Random, backoff: Backoff) -> None:
        self._clock = clock
        self._random = chance
        self._backoff = backoff
        self._places = asyncio.Semaphore(AT_A_TIME)
        self._asked = float("-inf")  # the server asked for silence until then
        self._retry = float("-inf")  # the server was not there; it is tried again then, or when it shows
        self._failed_at = float("-inf")
        self._failures = 0
        self._is_held = False  # the token was refused; nothing leaves until there is reason to think it good
        self._holds = 0
        self._opened: asyncio.Future[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether a request may leave now."""
        now = self._clock.monotonic()
        return not self._is_held and now >= self._asked and now >= self._retry

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Passage]:
        """Have one of the places for requests; who waited for a place looks at the gate again."""
        while True:
            await self._passage()
            async with self._places:
                if self.is_open:
                    yield Passage(self._clock.monotonic(), self._holds)
                    return

    async def _passage(self) -> None:
        """Wait until a request may leave."""
        while not self.is_open:
            now = self._clock.monotonic()
            if now < self._asked:
                await self._clock.sleep(self._asked - now)
                continue
            if self._opened is None:
                self._opened = asyncio.get_running_loop().create_future()
            await finished_within(self._clock, self._opened, None if self._is_held else self._retry - now)

    def ask(self, seconds: float) -> None:
        """The server asked for silence (`Retry-After`)."""
        self._asked = max(self._asked, self._clock.monotonic() + seconds)

    def failed(self, passage: Passage) -> None:
        """The server was not there, for a request that passed then; one round of failures counts once."""
        if passage.moment <= self._failed_at:
            return
        self._failed_at = now = self._clock.monotonic()
        self._retry = now + self._backoff.delay(self._failures, self._random)
        self._failures += 1

    def succeeded(self) -> None:
        """The server answered."""
        self._failures = 0

    def hold(self, passage: Passage) -> bool:
        """The token was refused to a request that passed then: nothing leaves until `release`.

        Returns:
            Whether this request is the one that found it out; of several under way at a time it is one.
        """
        if passage.holds < self._holds:
            return False
        self._holds += 1
        self._is_held = True
        return True

    def release(self) -> None:
        """There may be a good token: what was held leaves."""
        self._is_held = False
        self._open()

    def wake(self) -> None:
        """The server has shown itself: those who wait for it wait no longer, unless it asked for silence."""
        self._failures = 0
        self._retry = float("-inf")
        self.release()

    def _open(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None and not opened.done():
            opened.set_result(None)
