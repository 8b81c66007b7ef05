"""What a consumer that fell behind has missed of a conversation, and how far it has been read back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from messaging_client.models import Id, Message

Key = tuple[Any, ...]
Order = Callable[[Message], Key]

TRIES = 3
"""Reads that end before the newest missed message, after which it is taken to be gone."""


class Refill(Protocol):
    """How a subscription that fell behind gets its messages: pages of a conversation, from a message on."""

    async def __call__(self, conversation_id: Id, start: Message, last: Message | None) -> tuple[list[Message], bool]:
        """Give the next messages in order, and whether these were the last.

        Args:
            conversation_id: the conversation.
            start: the first message that is due, inclusive.
            last: the last one that was taken, or None at the beginning.
        """
        ...


def can_be_read_back(message: Message) -> bool:
    """Whether the message has a place on the server from which it can be read again.

    One that is late stands before what was told already, and a time of receipt is no place.
    """
    return message.conversation_id is not None and not message.late and not message.timestamp_is_receipt


class Lag:
    """The stretch of a conversation from the first missed message to the newest.

    Args:
        start: the first message that was missed.
        order: the order of messages within a conversation.

    Attributes:
        start, newest: both ends of the stretch.
        last: the last message that was read back, or None.
        is_over: nothing is left to read.
        has_gap: it is over, and the newest message was not found.
    """

    def __init__(self, start: Message, order: Order) -> None:
        self.start = start
        self.newest = start
        self.last: Message | None = None
        self.is_over = False
        self.has_gap = False
        self._order = order
        self._stragglers: dict[Id, Message] = {}
        self._fruitless = 0

    def takes(self, message: Message) -> bool:
        """Note a message if reading back is still to come by its place; otherwise it belongs in the queue."""
        key = self._order(message)
        if message.timestamp_is_receipt or key < self._order(self.start) or self.has_passed(key):
            return False
        if not message.late and key > self._order(self.newest):
            self.newest = message
        else:
            # The read that is under way may have passed its place before the server had it.
            self._stragglers[message.id] = message
        return True

    def has_passed(self, key: Key) -> bool:
        """Whether everything up to this place has been read."""
        return self.is_over or (self.last is not None and key <= self._order(self.last))

    def read(self, page: Sequence[Message], *, asked_to: Message, is_end: bool) -> list[Message]:
        """Take what was read.

        Args:
            page: the messages after the last one, in order.
            asked_to: the newest message that had been missed when the read began.
            is_end: whether the server had no more.

        Returns:
            What is due of it, in order: nothing newer than what was missed, for that is still to be told.
        """
        bound, wanted = self._order(self.newest), self._order(asked_to)
        due = [message for message in page if self._order(message) <= bound]
        if due:
            self.last = due[-1]
        if any(self._order(message) >= wanted for message in page[-1:]) or self.has_passed(wanted):
            self.is_over = self.newest is asked_to
        elif is_end:
            self._fruitless += 1
            self.is_over = self.has_gap = self._fruitless >= TRIES
        return self._with_stragglers(due)

    def _with_stragglers(self, due: list[Message]) -> list[Message]:
        if not self._stragglers:
            return due
        for message in due:
            self._stragglers.pop(message.id, None)
        passed = [each for each in self._stragglers.values() if self.has_passed(self._order(each))]
        for message in passed:
            del self._stragglers[message.id]
        return sorted([*due, *passed], key=self._order) if passed else due
