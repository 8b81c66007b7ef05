"""The messages of one conversation, always in order, own and pending ones included."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import compress
from typing import Any, overload

from messaging_client.models import Id, Message

Key = tuple[Any, ...]

_READ, _UNREAD = 0, 1


class Timeline(Sequence[Message]):
    """A sequence of messages by time, then id. Reading is as from a tuple; only its conversation changes it.

    A message at the end, as nearly all are, costs the same whatever is there already; so does the unread count.

    Args:
        order: the order of messages; no two messages with different ids have the same key.
        is_unread: which messages count as unread.
    """

    def __init__(self, order: Callable[[Message], Key], is_unread: Callable[[Message], bool]) -> None:
        self._order = order
        self._is_unread = is_unread
        # A container more that refers to every message is one more that the collector of garbage walks through.
        self._messages: list[Message] = []
        self._last: Key | None = None  # key of the last message
        self._marks = bytearray()  # for each message, at its place, 1 if it is unread and 0 if not
        self._unread_count = 0
        self._by_id: dict[Id, Message] = {}

    def __len__(self) -> int:
        return len(self._messages)

    @overload
    def __getitem__(self, index: int) -> Message: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Message, ...]: ...
    def __getitem__(self, index: int | slice) -> Message | tuple[Message, ...]:
        return tuple(self._messages[index]) if isinstance(index, slice) else self._messages[index]

    def __iter__(self) -> Iterator[Message]:
        return iter(tuple(self._messages))

    def __contains__(self, message: object) -> bool:
        return isinstance(message, Message) and self._by_id.get(message.id) == message

    def __repr__(self) -> str:
        return f"<{len(self)} messages>"

    @property
    def unread_count(self) -> int:
        """How many of the messages are unread."""
        return self._unread_count

    @property
    def unread(self) -> tuple[Message, ...]:
        """The unread messages, in order."""
        return tuple(compress(self._messages, self._marks)) if self._unread_count else ()

    def is_unread(self, message_id: Id) -> bool:
        """Whether the message with this id is here, and unread."""
        known = self._by_id.get(message_id)
        return known is not None and self._marks[self._place_of(self._order(known))] == _UNREAD

    def unread_up_to(self, message: Message) -> int:
        """How many are unread that stand no later than a message that is here."""
        return self._marks.count(_UNREAD, 0, self._place_of(self._order(message)) + 1)

    def has_unread_before(self, message: Message) -> bool:
        """Whether a message that stands before this one is unread."""
        return self._marks.find(_UNREAD, 0, self._place_of(self._order(message))) >= 0

    def get(self, message_id: Id) -> Message | None:
        """Give the message with this id, or None."""
        return self._by_id.get(message_id)

    def put(self, message: Message) -> bool:
        """Put a message in its place; one with the same id is replaced.

        Returns:
            Whether anything changed.
        """
        known = self._by_id.get(message.id)
        if known is not None and known == message:
            return False
        key = self._order(message)
        if known is not None and self._order(known) == key:
            place = self._place_of(key)
            self._messages[place] = message
            self._mark(place, message)
        else:
            if known is not None:
                self.remove(message.id)
            self._insert(key, message)
        self._by_id[message.id] = message
        return True

    def _insert(self, key: Key, message: Message) -> None:
        if self._last is None or key > self._last:
            place = len(self._messages)
            self._messages.append(message)
            self._marks.append(_READ)
            self._last = key
        else:
            place = self._place_of(key)
            self._messages.insert(place, message)
            self._marks.insert(place, _READ)
        self._mark(place, message)

    def _place_of(self, key: Key) -> int:
        """The place of the message with this key; where it would stand if there is none."""
        return bisect_left(self._messages, key, key=self._order)

    def _mark(self, place: int, message: Message) -> None:
        mark = _UNREAD if self._is_unread(message) else _READ
        self._unread_count += mark - self._marks[place]
        self._marks[place] = mark

    def remove(self, message_id: Id) -> bool:
        """Take a message out.

        Returns:
            Whether it was there.
        """
        known = self._by_id.pop(message_id, None)
        if known is None:
            return False
        place = self._place_of(self._order(known))
        self._unread_count -= self._marks[place]
        del self._messages[place]
        del self._marks[place]
        if place == len(self._messages):
            self._last = self._order(self._messages[-1]) if self._messages else None
        return True
