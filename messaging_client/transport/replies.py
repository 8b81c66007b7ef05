"""Acknowledgements that somebody waits for, and how long."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

from messaging_client.clock import Clock, Timer, call_after
from messaging_client.errors import ConnectionLost, RequestTimeout


class _Reply(asyncio.Future[Any]):
    """What is done when the server acknowledges. It is forgotten when it is cancelled, without a turn of the loop."""

    __slots__ = ("_asked", "_under")

    def __init__(self, asked: Replies, under: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._asked = asked
        self._under = under

    def cancel(self, msg: Any | None = None) -> bool:
        self._asked.forget(self._under)
        return super().cancel(msg)

    def fail(self, error: Exception) -> None:
        if not self.done():
            self.set_exception(error)
            self.exception()  # nobody may be waiting


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
        self._waiting: dict[int, _Reply] = {}
        self._limits: dict[int, tuple[float, str, float]] = {}  # when it is over, of what event, after how many seconds
        self._timer: Timer | None = None  # one for all, while somebody's time is limited
        self._rings_at = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def expect(self) -> tuple[int, asyncio.Future[Any]]:
        """Give a number to ask under, and what is done when the server acknowledges it.

        Whoever waits no more cancels that, and it is forgotten.
        """
        number = next(self._numbers)
        reply = self._waiting[number] = _Reply(self, number, self._loop)
        return number, reply

    def acknowledged(self, number: int, args: list[Any]) -> None:
        """Take what the server acknowledged; a number that nobody waits for is passed over."""
        reply = self.forget(number)
        if reply is not None and not reply.done():
            reply.set_result(args[0] if len(args) == 1 else tuple(args) if args else None)

    def forget(self, number: int) -> _Reply | None:
        """Wait for this acknowledgement no longer; gives what waited for it."""
        if self._limits.pop(number, None) is not None and not self._limits:
            self._stop_timer()
        return self._waiting.pop(number, None)

    def limit(self, number: int, event: str, seconds: float) -> None:
        """Let what is asked under a number end in a `RequestTimeout` after so many seconds."""
        if number not in self._waiting:
            return
        ends = self._clock.monotonic() + seconds
        self._limits[number] = ends, event, seconds
        if self._timer is None or ends < self._rings_at:
            self._set_timer(ends)

    def fail(self) -> None:
        """The link has ended: no acknowledgement comes any more."""
        for number in tuple(self._waiting):
            if (reply := self.forget(number)) is not None:
                reply.fail(ConnectionLost("The connection ended before the acknowledgement came.", may_have_left=True))

    def take_timer(self) -> asyncio.Future[Any] | None:
        """Stop measuring the limits; gives the task that did, if one does, for whoever brings it to its end."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        return timer if isinstance(timer, asyncio.Future) else None

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self, ends: float) -> None:
        self._stop_timer()
        self._rings_at = ends
        self._timer = call_after(self._clock, max(0.0, ends - self._clock.monotonic()), self._ring)

    def _ring(self) -> None:
        due = max(self._rings_at, self._clock.monotonic())  # a clock may wake us a hair early
        self._timer = None
        for number, (ends, event, seconds) in tuple(self._limits.items()):
            if ends <= due and (reply := self.forget(number)) is not None:
                reply.fail(
                    RequestTimeout(
                        f"No acknowledgement of '{event}' within {seconds:g} s; "
                        "the server may have taken it all the same.",
                        may_have_left=True,
                    )
                )
        if self._limits:
            self._set_timer(min(ends for ends, _, _ in self._limits.values()))
