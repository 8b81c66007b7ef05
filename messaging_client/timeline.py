"""The messages of one conversation, always in order, own and pending ones included."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

from messaging_client.few import Few
from messaging_client.models import Id, Message

Key = tuple[Any, ...]


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
        self._messages: list[Message] = []
        self._keys: list[Key] = []
        self._by_id: dict[Id, Message] = {}
        self._unread: Few[Id] = Few()

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
        return len(self._unread)

    @property
    def unread(self) -> tuple[Message, ...]:
        """The unread messages, in order."""
        return tuple(sorted((self._by_id[each] for each in self._unread), key=self._order))

    def is_unread(self, message_id: Id) -> bool:
        """Whether the message with this id is here, and unread."""
        return message_id in self._unread

    def unread_up_to(self, message: Message) -> int:
        """How many are unread that stand no later than a message; costs as much as there are later ones."""
        place = bisect_left(self._keys, self._order(message))
        return len(self._unread) - sum(each.id in self._unread for each in self._messages[place + 1 :])

    def has_unread_before(self, message: Message) -> bool:
        """Whether a message that stands before this one is unread."""
        key = self._order(message)
        return any(self._order(self._by_id[each]) < key for each in self._unread)

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
            self._messages[bisect_left(self._keys, key)] = message
        else:
            if known is not None:
                self.remove(message.id)
            self._insert(key, message)
        self._by_id[message.id] = message
        if self._is_unread(message):
            self._unread.add(message.id)
        else:
            self._unread.discard(message.id)
        return True

    def _insert(self, key: Key, message: Message) -> None:
        if not self._keys or key > self._keys[-1]:
            self._messages.append(message)
            self._keys.append(key)
            return
        place = bisect_left(self._keys, key)
        self._messages.insert(place, message)
        self._keys.insert(place, key)

    def remove(self, message_id: Id) -> bool:
        """Take a message out.

        Returns:
            Whether it was there.
        """
        known = self._by_id.pop(message_id, None)
        if known is None:
            return False
        place = bisect_left(self._keys, self._order(known))
        del self._messages[place]
        del self._keys[place]
        self._unread.discard(message_id)
        return True
