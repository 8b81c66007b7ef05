"""The pages of one conversation: the newest one read again and again, older ones when asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from messaging_client.models import Conversation, History, Id, Message
from messaging_client.rest import RestOperations
from messaging_client.timeline import Key, Timeline

PAGE_SIZE = 50
"""Messages read at a time: the protocol's default."""


class HistoryPages:
    """Reads the pages of a conversation into its timeline, one at a time.

    Args:
        rest: where they are read.
        conversation_id: the conversation.
        timeline: where messages go.
        take: puts a message there; gives whether it changed anything.
        order: the order of messages.
        pending: gives how many messages of the timeline the server does not have yet.
        may_change: whether the status of a message may change on the server without a word.

    Attributes:
        conversation: as the server gave it last, or None.
        context: the ordonnance, consultation or examen as the server sent it, or None.
        was_read: whether the newest page has been read.
        has_older: whether there are messages before the oldest one here.
        unread_elsewhere: unread messages that the server counts, and that are not known as unread here: on older
            pages, or read by others and not by this user, which a message does not tell.
    """

    def __init__(
        self,
        rest: RestOperations,
        conversation_id: Id,
        timeline: Timeline,
        *,
        take: Callable[[Message], bool],
        order: Callable[[Message], Key],
        pending: Callable[[], int],
        may_change: Callable[[Message], bool],
    ) -> None:
        self._rest = rest
        self._conversation_id = conversation_id
        self._timeline = timeline
        self._take = take
        self._order = order
        self._pending = pending
        self._may_change = may_change
        self._one_at_a_time = asyncio.Lock()
        self.was_read = False
        self._marks = 0
        self._newest_from: Key | None = None  # where the newest page began when it was read last
        self._statuses_from: Key | None = None  # up to where statuses have been read again
        self._statuses_page: int | None = None  # the page that is next; None when none has to be read
        self._statuses_again = False  # once more from the beginning, when they have been read
        self._statuses_ends = 0  # how many times they have been
        self.conversation: Conversation | None = None
        self.context: dict[str, Any] | None = None
        self.has_older = True
        self.unread_elsewhere = 0

    async def load_newest(self, first: History | None = None) -> None:
        """Read the newest page again, and whatever older ones have unread messages that were read elsewhere.

        Args:
            first: the newest page, if it was read just now and nothing was marked or read since.

        Raises:
            MessagingError: it cannot be read.
        """
        async with self._one_at_a_time:
            marks = self._marks
            page = first or await self._page(1)
            self.conversation = page.conversation or self.conversation
            self.context = page.context or self.context
            for message in page.messages:
                self._take(message)
            self._newest_from = self._order(page.messages[0]) if page.messages else None
            if not self.was_read:
                self.was_read = True
                pages = page.pagination.total_pages
                self.has_older = len(page.messages) >= PAGE_SIZE if pages is None else pages > 1
            if page.conversation is not None:
                counted = page.conversation.unread_count
                here = await self._confirmed_unread(page, counted)
                if marks == self._marks:  # otherwise the server may have counted before the mark
                    self.unread_elsewhere = max(0, counted - here)

    async def _confirmed_unread(self, newest: History, counted: int) -> int:
        """How many unread messages are here that the server can have counted; older pages are read where it has fewer.

        A server that gives no counts says 0: then pages are read as far back as the oldest unread message.
        """
        here, page, number = self._unread_up_to(newest), newest, 1
        while here > counted and page.messages and self._timeline.has_unread_before(page.messages[0]):
            number += 1
            page = await self._page(number)
            for message in page.messages:
                self._take(message)
            here = self._unread_up_to(newest)
        return here

    def _unread_up_to(self, page: History) -> int:
        return self._timeline.unread_up_to(page.messages[-1]) if page.messages else 0

    @property
    def has_marks(self) -> bool:
        """Whether a message was marked as read here."""
        return self._marks > 0

    @property
    def has_statuses(self) -> bool:
        """Whether the statuses of all messages here have been read since `statuses_changed` was called last."""
        return self._statuses_page is None

    def statuses_changed(self) -> None:
        """Something changed on the server, perhaps the statuses of messages behind the newest page."""
        self._statuses_again = self._statuses_page not in (None, 2)
        self._statuses_page = self._statuses_page or 2

    async def load_statuses(self, pages: int | None = None) -> None:
        """Read on behind the newest page, as far as the oldest message here whose status may have changed.

        Args:
            pages: how many at most; the next call goes on from there.

        Raises:
            MessagingError: one cannot be read.
        """
        read, ends = 0, self._statuses_ends
        # Twice suffices: the second time began after this call.
        while not self.has_statuses and self._statuses_ends < ends + 2 and (pages is None or read < pages):
            async with self._one_at_a_time:  # each page by itself: somebody else may want an older one
                await self._load_statuses_of_next()
            read += 1

    async def _load_statuses_of_next(self) -> None:
        number = self._statuses_page
        if number is None:
            return
        reached = self._newest_from if number == 2 else self._statuses_from
        oldest = next(filter(self._may_change, self._timeline), None)
        if oldest is None or reached is None or self._order(oldest) >= reached:
            self._end_statuses()
            return
        page = await self._page(number)
        first = self._order(self._timeline[0])
        for message in page.messages:
            # What stands before all messages here is for `load_older` to bring.
            if self._order(message) >= first:
                self._take_counted(message)
        self._statuses_page = number + 1
        self._statuses_from = self._order(page.messages[0]) if page.messages else None

    def _end_statuses(self) -> None:
        self._statuses_ends += 1
        self._statuses_page = 2 if self._statuses_again else None
        self._statuses_again = False

    def _take_counted(self, message: Message) -> None:
        """Put a message in its place; one that was counted as unread elsewhere is so no longer."""
        is_added = self._timeline.get(message.id) is None
        self._take(message)
        if is_added and self._timeline.is_unread(message.id):
            self.unread_elsewhere = max(0, self.unread_elsewhere - 1)

    async def load_older(self) -> int:
        """Read the page before the oldest message here.

        Returns:
            How many messages came.

        Raises:
            MessagingError: it cannot be read.
        """
        async with self._one_at_a_time:
            number, added = (len(self._timeline) - self._pending()) // PAGE_SIZE, 0
            while self.has_older and not added:
                number += 1
                page = await self._page(number)
                size = len(self._timeline)
                for message in page.messages:
                    self._take_counted(message)
                added = len(self._timeline) - size
                pages = page.pagination.total_pages
                self.has_older = bool(page.messages) if pages is None else number < pages
            return added

    def marked(self, message: Message) -> None:
        """A message was marked as read."""
        self._marks += 1
        if self._timeline.get(message.id) is None and self.unread_elsewhere:
            self.unread_elsewhere -= 1

    async def _page(self, number: int) -> History:
        return await self._rest.messages(self._conversation_id, number, PAGE_SIZE, timeout=None, refresh=True)
