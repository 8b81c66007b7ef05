"""How far a conversation was known at some moment, by what REST said; a live message proves nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from messaging_client.models import Id, Message

MOST_TEXT_IDS = 100
"""Ids that are texts are kept up to so many: nothing tells their order, so that each is known by itself only."""

CLOCKS_APART = timedelta(hours=2)
"""How far a server's clock is taken to go back at most: more than an hour that was not meant to be changed."""


class Place(Enum):
    """Where a message stands from a mark."""

    BEFORE = auto()
    AFTER = auto()
    UNCLEAR = auto()


@dataclass(frozen=True)
class Mark:
    """The newest messages of a conversation that were known at some moment; server times and ids only.

    Attributes:
        timestamp: the latest time among them, or None where there were none, or none with a time.
        ids: of ids that are numbers the largest, and the ids that are texts.
    """

    timestamp: datetime | None = None
    ids: frozenset[Id] = frozenset()

    @classmethod
    def of(cls, messages: Iterable[Message], others: Iterable[Id] = ()) -> Mark:
        """Make the mark of some messages, and of others of which the ids alone are known."""
        known = tuple(messages)
        newest = max((each.timestamp for each in known if not each.timestamp_is_receipt), default=None)
        return cls(newest, _few((*(each.id for each in reversed(known)), *others)))

    @property
    def number(self) -> int | None:
        """The largest id that is a number, or None."""
        return max((each for each in self.ids if isinstance(each, int)), default=None)

    def place_of(self, message: Message) -> Place:
        """Say whether a message can have been stored after this mark; numbers decide, then times.

        A server's clock may go back, its numbers do not.
        """
        by_id = self.place_of_id(message.id)
        if by_id is not Place.UNCLEAR:
            return by_id
        if self.timestamp is None or message.timestamp_is_receipt:
            return Place.UNCLEAR if self.ids else Place.AFTER
        if message.timestamp >= self.timestamp:
            return Place.AFTER
        return Place.UNCLEAR if self.timestamp - message.timestamp <= CLOCKS_APART else Place.BEFORE

    def place_of_id(self, message_id: Id | None) -> Place:
        """The same, for a message of which nothing but the id is known."""
        number = self.number
        if message_id in self.ids:
            return Place.BEFORE
        if isinstance(message_id, int) and number is not None:
            return Place.AFTER if message_id > number else Place.BEFORE
        return Place.UNCLEAR

    def knows(self, message_id: Id) -> bool:
        """Whether a message was there already for certain."""
        return self.place_of_id(message_id) is Place.BEFORE

    def later(self, other: Mark | None) -> Mark:
        """Give what both know together: ids are facts, whichever has the later time."""
        if other is None:
            return self
        times = [each for each in (self.timestamp, other.timestamp) if each is not None]
        newest = max(times, default=None)
        first, second = (self, other) if self.timestamp == newest else (other, self)
        return Mark(newest, _few((*first.ids, *second.ids)))


def _few(ids: Iterable[Id]) -> frozenset[Id]:
    """Leave out the numbers that a larger one stands for, and texts beyond the first `MOST_TEXT_IDS`."""
    known = tuple(dict.fromkeys(ids))
    number = max((each for each in known if isinstance(each, int)), default=None)
    texts = [each for each in known if isinstance(each, str)][:MOST_TEXT_IDS]
    return frozenset[Id](texts if number is None else [*texts, number])
