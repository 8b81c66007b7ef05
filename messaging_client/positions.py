"""Read positions that outlive the process: a cursor moves when handlers have had the message, not when it came."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Protocol

from messaging_client.clock import new_task
from messaging_client.errors import MessagingError
from messaging_client.feed import Key, Point, Thread
from messaging_client.few import Few
from messaging_client.models import Id
from messaging_client.observing.logs import say
from messaging_client.store import Cursor

_log = logging.getLogger("messaging_client.positions")

_FOLLOWS_ALL = "follows_all"
_LEFT = "left {!r}"


class PositionStore(Protocol):
    """Where positions are kept: the file of `store=`, or a bucket that relays share."""

    async def cursor(self, conversation_id: Id) -> Cursor | None:
        """Give the read position of a conversation, or None."""

    async def add_cursor(self, cursor: Cursor) -> None:
        """Keep a read position, unless its conversation has one."""

    async def save_cursors(self, cursors: Iterable[Cursor]) -> None:
        """Keep read positions."""

    async def forget_cursor(self, conversation_id: Id) -> None:
        """Drop the read position of a conversation."""

    async def get_flag(self, name: str) -> bool:
        """Whether a flag is set."""

    async def set_flag(self, name: str, value: bool = True) -> None:
        """Set a flag, or take it away."""

    async def listed_until(self) -> datetime | None:
        """Give the server time up to which every conversation was in a list, UTC; None where nothing tells."""

    async def set_listed_until(self, moment: datetime | None) -> None:
        """Keep that time, or that nothing tells it."""


class Positions:
    """Keeps in the store how far each conversation was handled; without a store, it keeps nothing.

    Args:
        store: opens the store; gives None where there is none.
        handled: returns when handlers have had everything that was told before.
        order_key: the order key of a message with that time and id.
        is_kept: whether there is a store.
    """

    def __init__(
        self,
        store: Callable[[], Awaitable[PositionStore | None]],
        *,
        handled: Callable[[], Awaitable[None]],
        order_key: Callable[[datetime, Id], Key],
        is_kept: bool,
    ) -> None:
        self._store = store
        self._handled = handled
        self._order_key = order_key
        self._is_kept = is_kept
        self._dropped: Few[Id] = Few()  # left for good, and not yet forgotten by the store
        self._moved: dict[Id, Thread] = {}
        self._under_way: dict[Id, Cursor] = {}
        self._committing: asyncio.Task[None] | None = None
        self._stopped = False

    @property
    def are_kept(self) -> bool:
        """Whether the next client goes on where this one stopped."""
        return self._is_kept

    def keep_in(self, store: PositionStore) -> None:
        """Keep positions elsewhere than in the file of `store=`; before anything is connected."""

        async def opened() -> PositionStore:
            return store

        self._store, self._is_kept = opened, True

    async def of(self, conversation_id: Id) -> tuple[Point, Iterable[Id]] | None:
        """Give where an earlier process stopped in a conversation, and what it had handled beyond that point.

        Raises:
            ConfigurationError, StoreError: the store cannot be used.
        """
        store = await self._store()
        cursor = None if store is None else await store.cursor(conversation_id)
        if cursor is None or conversation_id in self._dropped:
            return None
        if cursor.timestamp is None:
            return Point(), cursor.seen
        if cursor.newest_id is None:
            return Point.after(cursor.timestamp), cursor.seen
        key = self._order_key(cursor.timestamp, cursor.newest_id)
        return Point(cursor.timestamp, key, cursor.newest_id, dict.fromkeys(cursor.ids, cursor.timestamp)), cursor.seen

    def progressed(self, thread: Thread) -> None:
        """A conversation's point, or what was told since, has changed: keep it once handlers have had it all."""
        if self._is_kept and not self._stopped and thread.proven is not None:
            self._moved[thread.conversation_id] = thread
            if self._committing is None:
                self._committing = new_task(self._commit_all())

    async def begin(self, conversation_id: Id, start: Point) -> None:
        """Keep where a conversation begins before anything of it is told, unless it has a position already.

        Raises:
            ConfigurationError, StoreError: the store cannot be used; nothing of the conversation may be told yet.
        """
        store = await self._store()
        if store is None:
            return
        cursor = Cursor(conversation_id, start.timestamp)
        if conversation_id in self._dropped:
            await store.save_cursors([cursor])
            self._dropped.discard(conversation_id)
        else:
            await store.add_cursor(cursor)

    def drop(self, conversation_id: Id) -> None:
        """The conversation was left for good: what is under way to the store is not kept; `forget` is to follow."""
        self._moved.pop(conversation_id, None)
        self._under_way.pop(conversation_id, None)
        if self._is_kept:
            self._dropped.add(conversation_id)

    async def forget(self, conversation_id: Id) -> None:
        """The conversation was left for good: joining it again begins anew."""
        store = await self._store()
        if store is None:
            return
        if not any(conversation_id in each for each in (self._moved, self._under_way)):  # joined again already
            await store.forget_cursor(conversation_id)
            await store.set_flag(_LEFT.format(conversation_id))
        self._dropped.discard(conversation_id)

    async def was_left(self, conversation_id: Id) -> bool:
        """Whether the user left the conversation, perhaps in an earlier process."""
        store = await self._store()
        return store is not None and await store.get_flag(_LEFT.format(conversation_id))

    async def came_back(self, conversation_id: Id) -> None:
        """The user is in the conversation again."""
        store = await self._store()
        if store is not None:
            await store.set_flag(_LEFT.format(conversation_id), value=False)

    async def are_of_all(self) -> bool:
        """Whether an earlier process was in every conversation of the user, so that one without a position is new."""
        store = await self._store()
        return store is not None and await store.get_flag(_FOLLOWS_ALL)

    async def listed_until(self) -> datetime | None:
        """Server time up to which an earlier process knew of every conversation; None where nothing told."""
        store = await self._store()
        return None if store is None else await store.listed_until()

    async def now_of_all(self, listed_until: datetime | None) -> None:
        """From now on, every conversation of the user is followed; those up to a server time are known."""
        store = await self._store()
        if store is None:
            return
        await store.set_listed_until(listed_until)
        await store.set_flag(_FOLLOWS_ALL)

    async def stop(self) -> None:
        """Keep nothing more by itself; what was told since the last commit stays due."""
        self._stopped = True
        if self._committing is not None:
            self._committing.cancel()
            await asyncio.wait({self._committing})

    async def commit(self) -> None:
        """Keep what is due, for handlers have had everything."""
        moved = {each: thread for each, thread in self._moved.items() if thread.proven is not None}
        self._moved = {}
        if moved:
            await self._save({each: _cursor(thread) for each, thread in moved.items()})

    async def _commit_all(self) -> None:
        try:
            while self._moved:
                moved, self._moved = self._moved, {}
                # Taken before the wait, so that it holds nothing that handlers have not had after it.
                cursors = {each: _cursor(thread) for each, thread in moved.items()}
                # What is left for good meanwhile is taken out of it, by `drop`.
                self._under_way = cursors
                is_saved = False
                try:
                    await self._handled()
                    is_saved = await self._save(cursors)
                finally:
                    self._under_way = {}
                    if not is_saved:
                        self._moved = {**{each: moved[each] for each in cursors}, **self._moved}
                if not is_saved:
                    return
        finally:
            self._committing = None

    async def _save(self, cursors: dict[Id, Cursor]) -> bool:
        """Write cursors; what cannot be written is due again with the next message.

        Returns:
            Whether they were written.
        """
        try:
            store = await self._store()
            if store is not None and cursors:
                await store.save_cursors(list(cursors.values()))
                self._dropped -= cursors.keys()
        except MessagingError as error:
            say(_log, logging.WARNING, "read positions are not kept", count=len(cursors), reason=str(error))
            return False
        return True


def _cursor(thread: Thread) -> Cursor:
    point = thread.proven or Point()
    return Cursor(
        conversation_id=thread.conversation_id,
        timestamp=point.timestamp,
        newest_id=point.newest_id,
        ids=frozenset(point.ids),
        seen=thread.handed_on(),
    )
