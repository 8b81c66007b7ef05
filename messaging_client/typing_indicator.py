"""Who types: others, until they stop or nothing is heard; and the user's own indicator, sent sparingly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import NamedTuple

from messaging_client.clock import Clock, end_task, new_task
from messaging_client.errors import TransportError
from messaging_client.events import TypingEvent
from messaging_client.models import Id, Message, Participant, UserType

SEND_INTERVAL = 2.0
"""Seconds between two signs that the user still types: less than half of what others wait for the next one."""


class _Typist(NamedTuple):
    person: Participant
    until: float
    waiting: Collection[Id]


class TypingUsers:
    """The others who type. One disappears by itself after `expiry` seconds without news.

    Args:
        clock: time.
        expiry: seconds.
        changed: called when somebody begins or stops.
    """

    def __init__(self, clock: Clock, expiry: float, changed: Callable[[], None]) -> None:
        self._clock = clock
        self._expiry = expiry
        self._changed = changed
        self._until: dict[tuple[UserType, Id | None], _Typist] = {}
        self._sweeper: asyncio.Task[None] | None = None

    @property
    def present(self) -> tuple[Participant, ...]:
        """Those who type now, in the order in which they began."""
        now = self._clock.monotonic()
        return tuple(each.person for each in self._until.values() if each.until > now)

    def hear(self, person: Participant, event: TypingEvent, waiting: Collection[Id] = ()) -> None:
        """Somebody types, or has stopped.

        Args:
            person: who.
            event: what came.
            waiting: messages that came before it and are told after it; they end nothing that began since.
        """
        if not event.is_typing:
            self.stopped(person)
            return
        key = (person.type, person.id)
        is_new = key not in self._until
        self._until[key] = _Typist(person, self._clock.monotonic() + self._expiry, waiting)
        if self._sweeper is None:
            self._sweeper = new_task(self._sweep())
        if is_new:
            self._changed()

    def stopped(self, person: Participant) -> None:
        """Somebody has stopped."""
        if self._until.pop((person.type, person.id), None) is not None:
            self._changed()

    def sent(self, message: Message) -> None:
        """Somebody has sent what they wrote."""
        typist = self._until.get((message.sender.type, message.sender.id))
        if typist is not None and message.id not in typist.waiting:
            self.stopped(typist.person)

    async def _sweep(self) -> None:
        try:
            while self._until:
                now = self._clock.monotonic()
                gone = [key for key, each in self._until.items() if each.until <= now]
                for key in gone:
                    del self._until[key]
                if gone:
                    self._changed()
                elif self._until:
                    await self._clock.sleep(min(each.until for each in self._until.values()) - now)
        finally:
            self._sweeper = None

    async def aclose(self) -> None:
        """Forget everybody."""
        self._until.clear()
        await end_task(self._sweeper)


class OwnTyping:
    """The user's own indicator: sent at most every `SEND_INTERVAL` seconds, and taken back by itself.

    Args:
        clock: time.
        expiry: seconds after which it is taken back, unless it is set again.
        emit: tells the server.
        closed: whether it is closed from the start.
    """

    def __init__(
        self, clock: Clock, expiry: float, emit: Callable[[bool], Awaitable[None]], *, closed: bool = False
    ) -> None:
        self._clock = clock
        self._expiry = expiry
        self._emit = emit
        self._last_sent: float | None = None
        self._take_back: asyncio.Task[None] | None = None
        self._closed = closed

    async def set(self, is_typing: bool) -> None:
        """Say that the user types, or has stopped. Without a connection nothing is said: it is no news later."""
        self._cancel()
        if is_typing and not self._closed:
            now = self._clock.monotonic()
            self._take_back = new_task(self._stop_later())
            if self._last_sent is None or now - self._last_sent >= SEND_INTERVAL:
                self._last_sent = now
                await self._say(True)
        elif self._last_sent is not None:
            self._last_sent = None
            await self._say(False)

    async def keep(self) -> None:
        """Say again and again that the user types, until cancelled."""
        while True:
            await self.set(True)
            await self._clock.sleep(SEND_INTERVAL)

    async def aclose(self) -> None:
        """Take it back, for good."""
        self._closed = True
        ending = self._take_back
        await self.set(False)
        await end_task(ending)

    async def _stop_later(self) -> None:
        await self._clock.sleep(self._expiry)
        self._take_back = None
        await self.set(False)

    async def _say(self, is_typing: bool) -> None:
        with suppress(TransportError):
            await self._emit(is_typing)

    def _cancel(self) -> None:
        if self._take_back is not None:
            self._take_back.cancel()
            self._take_back = None
