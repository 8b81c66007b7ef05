"""How a conversation is read from a point on, by whichever route the server has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from messaging_client.clock import Clock, run_within
from messaging_client.errors import (
    AuthenticationError,
    MessagingError,
    NotFound,
    PermissionDenied,
    RequestTimeout,
    UnexpectedResponse,
    ValidationFailed,
)
from messaging_client.feed import Key, Point, overlapping
from messaging_client.models import Id, Message

PAGE_SIZE = 50
"""Messages asked for at a time: the protocol's own default."""

PORTION = 100
"""Messages that are taken at a stretch: some milliseconds' worth."""

MOST_HISTORY = 1000
"""Messages of the newest page that count as history, where a server sends more than the page that was asked for."""

READS_AT_A_TIME = 4
"""Conversations read at a time, so that a reconnection is no burst for the server."""

FIRST_RETRY = 0.5
LONGEST_RETRY = 8.0
"""Seconds before a read that failed is tried again: the first time, and at most."""

PERMANENT = (PermissionDenied, NotFound, ValidationFailed)
"""What trying again does not mend. A token is renewed, and an answer that is not understood may be a proxy's."""

TOLD = (*PERMANENT, AuthenticationError, UnexpectedResponse)
"""What whoever asks to be in a conversation is told at once; everything else is tried again for them."""

_STEP = timedelta(milliseconds=1)  # `since` is exclusive, and several messages can carry the same time
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_SMALLEST_LIMIT = 10  # no server is taken to give fewer at a time, so fewer of one single time are all there are

Take = Callable[[Sequence[Message]], bool]
"""Takes messages in order; False when it wants no more."""


@dataclass(frozen=True)
class Batch:
    """Messages of one answer, oldest first.

    Attributes:
        messages: those that could be read.
        count: how many the server sent, unreadable ones included.
        is_last: whether the server says that no page follows; None where it does not say.
        unreadable: the payloads of those that could not be read.
    """

    messages: tuple[Message, ...]
    count: int
    is_last: bool | None = None
    unreadable: tuple[Any, ...] = field(default=(), repr=False)


class Source(Protocol):
    """REST reads that are needed, past any cache."""

    def new_since(self, conversation_id: Id, since: datetime, limit: int) -> Coroutine[Any, Any, Batch]:
        """Messages after a time, oldest first; NotFound where the server has no such route, or no such conversation."""
        ...

    def newest(self, conversation_id: Id, page: int, limit: int) -> Coroutine[Any, Any, Batch]:
        """A page of messages, page 1 the newest, oldest first within it."""
        ...


class Reader:
    """Reads conversations from a point on, a few at a time.

    Args:
        source: the REST reads.
        order: the order of messages within a conversation.
        clock: for waits between tries.
        enough: messages after which a subscription that fell behind has enough for once.
    """

    def __init__(self, source: Source, order: Callable[[Message], Key], clock: Clock, enough: int) -> None:
        self._source = source
        self._order = order
        self._clock = clock
        self._enough = enough
        self._at_a_time = asyncio.Semaphore(READS_AT_A_TIME)
        self._has_since_route: bool | None = None
        self.reads = 0

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Hold one of the places for reading; everything below is done within one."""
        return self._at_a_time

    async def newest(self, conversation_id: Id) -> tuple[Message, ...]:
        """Give the newest page, oldest first."""
        return (await self._page(conversation_id, 1)).messages[-MOST_HISTORY:]

    async def first(self, conversation_id: Id, *, patience: float) -> tuple[tuple[Message, ...], bool]:
        """Give the newest page, oldest first, and whether the server surely has nothing before it.

        Args:
            conversation_id: the conversation.
            patience: seconds that it may take, repetitions included.
        """
        batch = await self._page(conversation_id, 1, patience)
        is_whole = batch.count < _SMALLEST_LIMIT if batch.is_last is None else batch.is_last
        return batch.messages[-MOST_HISTORY:], is_whole

    async def since(self, conversation_id: Id, point: Point, take: Take, *, patience: float | None = None) -> None:
        """Give `take` everything after a point, and what stands in the overlap before it.

        Args:
            conversation_id: the conversation.
            point: from where on.
            take: takes what was read, page after page where the server reads by time.
            patience: seconds for one page, repetitions included: live messages may wait for it. None for no limit.
        """
        if self._has_since_route is not False:
            try:
                is_whole, reached = await self._by_time(conversation_id, point, take, patience)
            except NotFound:
                # The route or the conversation is missing: the other route tells which.
                await self._by_pages(conversation_id, point, take, patience)
                self._has_since_route = self._has_since_route or False
                return
            self._has_since_route = True
            if is_whole:
                return
            point = reached
        await self._by_pages(conversation_id, point, take, patience)

    async def page_from(self, conversation_id: Id, start: Message, last: Message | None) -> tuple[list[Message], bool]:
        """Give the next messages for a subscription that fell behind; waits while the server cannot be reached.

        Args:
            conversation_id: the conversation.
            start: the first message that is due.
            last: the last one that was taken, or None at the beginning.

        Returns:
            The messages in order, and whether these were the last.
        """
        base = last or start
        base_key, retry = self._order(base), FIRST_RETRY
        due: dict[Id, Message] = {}

        def take(page: Sequence[Message]) -> bool:
            for message in page:
                key = self._order(message)
                if key > base_key or (last is None and key == base_key):
                    due[message.id] = message
            return len(due) < self._enough

        while True:
            try:
                async with self.turn():
                    await self.since(conversation_id, Point(base.timestamp, base_key), take)
            except PERMANENT:
                return [], True
            except MessagingError:
                await self._clock.sleep(retry)
                retry = min(2 * retry, LONGEST_RETRY)
            else:
                return sorted(due.values(), key=self._order), len(due) < self._enough

    async def _page(self, conversation_id: Id, page: int, patience: float | None = None) -> Batch:
        return await self._asked(self._source.newest(conversation_id, page, PAGE_SIZE), patience)

    async def _asked(self, asking: Coroutine[Any, Any, Batch], patience: float | None) -> Batch:
        """Wait for one page, but not as long as a user would wait who asked for it."""
        self.reads += 1
        try:
            return await run_within(self._clock, asking, patience)
        except TimeoutError:
            raise RequestTimeout(f"No page of messages within {patience:g} s.") from None

    async def _by_time(
        self, conversation_id: Id, point: Point, take: Take, patience: float | None
    ) -> tuple[bool, Point]:
        """Read `new-messages` until an answer brings nothing new: a server may give fewer than it was asked for.

        Returns:
            Whether that was everything, and up to where it was read; time alone cannot tell pages apart where a full
            page holds one single time, or where messages carry none.
        """
        since = overlapping(point.timestamp) if point.timestamp else _BEGINNING
        known = frozenset(point.ids)
        while True:
            batch = await self._asked(self._source.new_since(conversation_id, since, PAGE_SIZE), patience)
            if any(message.timestamp_is_receipt for message in batch.messages):
                return False, point
            fresh = [message for message in batch.messages if message.id not in known]
            if fresh and not await _taken(fresh, take):
                return True, point
            newest = max(batch.messages, key=self._order, default=None)
            if newest is None:
                return batch.count == 0, point
            ids = {message.id: message.timestamp for message in batch.messages}
            if point.key is None or self._order(newest) > point.key:
                point = Point(newest.timestamp, self._order(newest), newest.id, ids)
            if newest.timestamp - _STEP <= since:
                return batch.count < _SMALLEST_LIMIT, point
            if not fresh and batch.count < _SMALLEST_LIMIT:
                return True, point
            since = newest.timestamp - _STEP
            known = frozenset(ids)

    async def _by_pages(self, conversation_id: Id, point: Point, take: Take, patience: float | None) -> None:
        """Read pages from the newest on until known ground, or the start of the conversation."""
        earliest = overlapping(point.timestamp) if point.timestamp is not None else _BEGINNING
        found: dict[Id, Message] = {}
        page = 0
        while True:
            page += 1
            batch = await self._page(conversation_id, page, patience)
            before = len(found)
            found.update((message.id, message) for message in batch.messages)
            is_known_ground = any(
                message.id in point.ids if message.timestamp_is_receipt else message.timestamp <= earliest
                for message in batch.messages
            )
            if is_known_ground or batch.is_last or not batch.count or (batch.messages and len(found) == before):
                break
        await _taken(sorted((each for each in found.values() if each.timestamp > earliest), key=self._order), take)


async def _taken(messages: Sequence[Message], take: Take) -> bool:
    """Have messages taken, a portion at a time if there are many: a server may send more than it was asked for."""
    for start in range(0, len(messages), PORTION):
        if start:
            await asyncio.sleep(0)
        if not take(messages[start : start + PORTION]):
            return False
    return True
