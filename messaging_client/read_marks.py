"""Marking as read, and counting what is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from messaging_client import arguments as check
from messaging_client.clock import Clock
from messaging_client.history_pages import HistoryPages
from messaging_client.models import Conversation, Id, Message, MessageStatus
from messaging_client.rest import RestOperations
from messaging_client.timeline import Timeline

MARKS_AT_A_TIME = 4
"""Read marks sent at a time."""

_MARKS_BETWEEN_COUNTS = 20


def is_read(message: Message) -> bool:
    """Whether somebody has read a message; it does not tell who."""
    return message.status is MessageStatus.READ or message.read_at is not None


def kept(known: Message, again: Message) -> Message:
    """Give a message that came again: what was delivered or read stays so, and so does lateness."""
    update: dict[str, Any] = {"late": True} if known.late and not again.late else {}
    if is_read(known) and not is_read(again):
        update |= {"status": known.status, "read_at": known.read_at}
    elif again.status is MessageStatus.UNKNOWN or (
        known.status is MessageStatus.DELIVERED and again.status is MessageStatus.SENT
    ):
        update["status"] = known.status
    return again.model_copy(update=update) if update else again


async def for_each(work: Callable[[Message], Coroutine[Any, Any, Any]], messages: Iterable[Message]) -> None:
    """Do something with each message, with a few at a time; the first failure cancels the rest.

    Raises:
        MessagingError: the first failure.
    """
    limit = asyncio.Semaphore(MARKS_AT_A_TIME)

    async def limited(message: Message) -> None:
        async with limit:
            await work(message)

    tasks = [asyncio.ensure_future(limited(message)) for message in messages]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


class ReadMarks:
    """The read marks of one conversation.

    Args:
        rest: where marks are sent.
        conversation_id: the conversation.
        timeline, pages: its messages, and where more of them come from.
        is_own: whether the user sent a message.
        clock: the time of a mark that the server does not tell.
        changed: called after each mark.
    """

    def __init__(
        self,
        rest: RestOperations,
        conversation_id: Id,
        timeline: Timeline,
        pages: HistoryPages,
        *,
        is_own: Callable[[Message], bool],
        clock: Clock,
        changed: Callable[[], None],
    ) -> None:
        self._rest = rest
        self._conversation_id = conversation_id
        self._timeline = timeline
        self._pages = pages
        self._is_own = is_own
        self._clock = clock
        self._changed = changed

    @property
    def unread_count(self) -> int:
        """Messages of others that are not read, those that are not loaded included as far as the server counts."""
        return self._timeline.unread_count + self._pages.unread_elsewhere

    async def mark(self, message: Message) -> Message:
        """Mark one message as read; one's own, and one that is read, stay as they are.

        Raises:
            ValidationFailed: it belongs to another conversation.
            MessagingError: the server did not take it.
        """
        check.checked_message("mark_read", message)
        if message.conversation_id not in (None, self._conversation_id):
            raise check.refuse("mark_read", "The message belongs to another conversation.")
        known = self._timeline.get(message.id) or message
        return known if self._is_own(known) or is_read(known) else await self._mark(known)

    async def mark_all(self) -> None:
        """Mark every message of others as read, older pages included.

        Raises:
            MessagingError: the server did not take one of them.
        """
        while self._pages.unread_elsewhere and self._pages.has_older:
            await self._pages.load_older()
        await for_each(self._mark, self._timeline.unread)
        if self._pages.unread_elsewhere:
            await self._mark_read_by_others()

    async def _mark_read_by_others(self) -> None:
        """Where several take part, a message that another has read does not tell whether this user has: mark it too."""
        doubtful = [message for message in reversed(self._timeline) if is_read(message) and not self._is_own(message)]
        for start in range(0, len(doubtful), _MARKS_BETWEEN_COUNTS):
            some = doubtful[start : start + _MARKS_BETWEEN_COUNTS]
            await for_each(self._mark, some)
            await self._pages.load_newest()
            if not self._pages.unread_elsewhere:
                break
        self._changed()

    async def _mark(self, message: Message) -> Message:
        marked = await self._rest.mark_read(message.id, timeout=None)
        read_at = marked.read_at if marked is not None and marked.read_at is not None else self._clock.now()
        known = self._timeline.get(message.id)
        self._pages.marked(message)
        read = (known or message).model_copy(update={"status": MessageStatus.READ, "read_at": read_at})
        if known is not None:
            self._timeline.put(read)
        self._changed()
        return read


async def unread_of(
    rest: RestOperations, conversation: Conversation, is_own: Callable[[Message], bool]
) -> list[Message]:
    """The unread messages of others, from the newest back, as far as the server counts unread ones.

    Where several take part, those that somebody has read follow, for a message does not tell who has.
    """
    unread: list[Message] = []
    doubtful: list[Message] = []
    async for message in rest.iter_messages(conversation.id):
        if not is_own(message):
            (doubtful if is_read(message) else unread).append(message)
        if len(unread) >= conversation.unread_count:
            return unread
    return unread + doubtful if len(conversation.participants) > 2 else unread
