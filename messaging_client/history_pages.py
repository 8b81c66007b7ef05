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
    ) -> None:
        self._rest = rest
        self._conversation_id = conversation_id
        self._timeline = timeline
        self._take = take
        self._order = order
        self._pending = pending
        self._one_at_a_time = asyncio.Lock()
        self.was_read = False
        self._marks = 0
        self.conversation: Conversation | None = None
        self.context: dict[str, Any] | None = None
        self.has_older = True
        self.unread_elsewhere = 0

    async def load_newest(self) -> None:
        """Read the newest page again, and whatever older ones have unread messages that were read elsewhere.

        Raises:
            MessagingError: it cannot be read.
        """
        async with self._one_at_a_time:
            marks = self._marks
            page = await self._page(1)
            self.conversation = page.conversation or self.conversation
            self.context = page.context or self.context
            for message in page.messages:
                self._take(message)
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
                size, unread = len(self._timeline), self._timeline.unread_count
                for message in page.messages:
                    self._take(message)
                added = len(self._timeline) - size
                self.unread_elsewhere = max(0, self.unread_elsewhere - self._timeline.unread_count + unread)
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
