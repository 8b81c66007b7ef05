"""Acknowledgements that somebody waits for, and how long."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

from messaging_client.clock import Clock
from messaging_client.errors import ConnectionLost, RequestTimeout


class Replies:
    """The acknowledgements to come on one link.

    The library's `call()` waits its full time when the link is gone, and keeps the callback of whoever gave up.

    Args:
        clock: what the time limits are measured by.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._limits: dict[int, tuple[float, str, float]] = {}  # when it is over, of what event, after how many seconds
        self._timer: asyncio.Task[None] | None = None  # one for all, while somebody's time is limited
        self._rings_at = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def expect(self) -> tuple[int, asyncio.Future[Any]]:
        """Give a number to ask under, and what is done when the server acknowledges it.

        Whoever waits no more cancels that, and it is forgotten.
        """
        number = next(self._numbers)
        reply = self._waiting[number] = self._loop.create_future()
        reply.add_done_callback(lambda reply: self._done(number, reply))
        return number, reply

    def acknowledged(self, number: int, args: list[Any]) -> None:
        """Take what the server acknowledged; a number that nobody waits for is passed over."""
        reply = self._waiting.get(number)
        if reply is not None and not reply.done():
            reply.set_result(args[0] if len(args) == 1 else tuple(args) if args else None)

    def limit(self, number: int, event: str, seconds: float) -> None:
        """Let what is asked under a number end in a `RequestTimeout` after so many seconds."""
        reply = self._waiting.get(number)
        if reply is None or reply.done():
            return
        ends = self._clock.monotonic() + seconds
        self._limits[number] = ends, event, seconds
        if self._timer is None or ends < self._rings_at:
            self._set_timer(ends)

    def fail(self) -> None:
        """The link has ended: no acknowledgement comes any more."""
        for reply in tuple(self._waiting.values()):
            if not reply.done():
                reply.set_exception(
                    ConnectionLost("The connection ended before the acknowledgement came.", may_have_left=True)
                )

    def take_timer(self) -> asyncio.Task[None] | None:
        """Give the task that measures the limits, for whoever brings it to its end."""
        timer, self._timer = self._timer, None
        return timer

    def _done(self, number: int, reply: asyncio.Future[Any]) -> None:
        self._waiting.pop(number, None)
        self._limits.pop(number, None)
        if not reply.cancelled():
            reply.exception()  # nobody may be waiting
        if not self._limits and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self, ends: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = ends
        self._timer = self._loop.create_task(self._measure())

    async def _measure(self) -> None:
        while self._limits:
            await self._clock.sleep(max(0.0, self._rings_at - self._clock.monotonic()))
            due = max(self._rings_at, self._clock.monotonic())  # a clock may wake us a hair early
            for number, (ends, event, seconds) in tuple(self._limits.items()):
                reply = self._waiting[number]
                if ends <= due and not reply.done():
                    reply.set_exception(
                        RequestTimeout(
                            f"No acknowledgement of '{event}' within {seconds:g} s; "
                            "the server may have taken it all the same.",
                            may_have_left=True,
                        )
                    )
            # What has just ended leaves by its callback.
            self._rings_at = min((ends for ends, _, _ in self._limits.values() if ends > due), default=due)
