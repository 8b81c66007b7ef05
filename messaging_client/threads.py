"""What is known of a conversation that is followed, and the point up to which it is proven."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from messaging_client.models import Id, Message
from messaging_client.notices import Notices

Key = tuple[Any, ...]
"""Place of a message within its conversation; the first element is its time."""

RECENT_IDS = 1000
"""Ids kept from before the `OVERLAP`; an older message is recognised by its time."""

HANDED_ON_IDS = 100
"""Ids from before the proven point that a position hands on to the next process, so that what is broadcast once more
after a restart, by a sender who has just found out that it was stored, is recognised."""

OVERLAP = timedelta(seconds=1)
"""How far before the proven point a read begins: what is stored at the same time becomes visible in any order."""

_BEHIND = 2  # in the second place of an order key: behind every message of the same time


@dataclass(frozen=True, slots=True)
class Point:
    """Up to where a conversation is proven complete. Server times and ids only, never the local clock.

    Attributes:
        timestamp: time of the newest proven message, UTC; None for the start of the conversation.
        key: its order key, or None.
        newest_id: its id, or None.
        ids: the proven messages of the `OVERLAP` before it with their times, and those of the newest read that carry
            none.
    """

    timestamp: datetime | None = None
    key: Key | None = None
    newest_id: Id | None = None
    ids: Mapping[Id, datetime | None] = field(default_factory=dict)

    @classmethod
    def after(cls, moment: datetime) -> Point:
        """The point behind everything of a time: whatever stands there, or before, is history."""
        return cls(moment, (moment, _BEHIND))


@dataclass(slots=True)
class Thread:
    """What is known of one conversation that is followed.

    Attributes:
        proven: None until the first complete read.
        start: where that is to begin, for one that has just come to be; None for the newest page.
        recent: ids told or known with their order keys (None without a time), oldest first: those since the proven
            point, and `RECENT_IDS` more.
        relayed: temporary ids under which a sender may still relay what is known, the latest `RECENT_IDS`.
        horizon: everything up to this order key was told or is history, and its ids are forgotten; None for nothing.
        newest: order key of the newest message that was told.
        held: live messages that wait while what was missed is read; None while nothing is held.
        held_ids: their ids.
        overflowed: more came than can be held, so that the stretch must be read again.
        on_held: called when a live message was held; None unless the conversation settles after a join.
        is_sure: the room is joined for certain; False while it is not known.
        is_settled: a complete read began when it was.
        has_traffic: a live message or a notice came since the last complete read began.
        failures: reads in a row that failed.
        gap_told: a gap was announced and nothing has been read since.
        stirs: how many live messages and notices came.
        notices: what notices came, and the live messages that explain them.
    """

    conversation_id: Id
    proven: Point | None = None
    start: Point | None = None
    recent: dict[Id, Key | None] = field(default_factory=dict)
    relayed: OrderedDict[Id, None] = field(default_factory=OrderedDict)
    horizon: Key | None = None
    newest: Key | None = None
    held: list[Message] | None = None
    held_ids: set[Id] = field(default_factory=set)
    overflowed: bool = False
    on_held: Callable[[], None] | None = None
    is_sure: bool = False
    is_settled: bool = False
    has_traffic: bool = False
    failures: int = 0
    gap_told: bool = False
    stirs: int = 0
    notices: Notices = field(default_factory=Notices)

    def stir(self) -> None:
        """Something came by itself: what it was part of is not proven yet."""
        self.has_traffic = True
        self.stirs += 1

    def handed_on(self) -> tuple[Id, ...]:
        """Give the ids that the next process has to know beside those of the point, oldest first.

        They are of the latest `RECENT_IDS`, and no more than `HANDED_ON_IDS` of those up to the proven point.
        """
        point = self.proven or Point()
        found: list[Id] = []
        older = HANDED_ON_IDS
        for each, key in islice(reversed(self.recent.items()), RECENT_IDS):
            if key is None or (point.key is not None and key <= point.key):
                older -= 1
            if older >= 0 and each not in point.ids:
                found.append(each)
        return tuple(found[::-1])


def overlapping(moment: datetime) -> datetime:
    """The moment from which a read that goes on at `moment` begins."""
    try:
        return moment - OVERLAP
    except OverflowError:  # the first second of the year 1
        return moment
