"""When the next request may leave: a server that asks to wait, or is not there, concerns every conversation."""

from __future__ import annotations

import asyncio
import random

from messaging_client.clock import Clock, finished_within
from messaging_client.transport.retry import Backoff


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
        self._asked = float("-inf")  # the server asked for silence until then
        self._retry = float("-inf")  # the server was not there; it is tried again then, or when it shows
        self._failed_at = float("-inf")
        self._failures = 0
        self._opened: asyncio.Future[None] | None = None

    async def passage(self) -> float:
        """Wait until a request may leave; gives the moment, to be handed to `failed`."""
        while True:
            now = self._clock.monotonic()
            if now < self._asked:
                await self._clock.sleep(self._asked - now)
            elif now < self._retry:
                if self._opened is None:
                    self._opened = asyncio.get_running_loop().create_future()
                await finished_within(self._clock, self._opened, self._retry - now)
            else:
                return now

    def ask(self, seconds: float) -> None:
        """The server asked for silence (`Retry-After`)."""
        self._asked = max(self._asked, self._clock.monotonic() + seconds)

    def failed(self, passed: float) -> None:
        """The server was not there, for a request that passed at that moment; one round of failures counts once."""
        if passed <= self._failed_at:
            return
        self._failed_at = now = self._clock.monotonic()
        self._retry = now + self._backoff.delay(self._failures, self._random)
        self._failures += 1

    def succeeded(self) -> None:
        """The server answered."""
        self._failures = 0

    def wake(self) -> None:
        """The server has shown itself: those who wait for it wait no longer, unless it asked for silence."""
        self._failures = 0
        self._retry = float("-inf")
        opened, self._opened = self._opened, None
        if opened is not None and not opened.done():
            opened.set_result(None)
