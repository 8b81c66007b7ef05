"""How far a conversation was known: ids are facts, times are what a server's clock says."""

from __future__ import annotations

from datetime import timedelta

import pytest

from messaging_client.models import Id, Message, Participant
from messaging_client.outbox import Mark, Place
from messaging_client.outbox.marks import MOST_TEXT_IDS
from tests.outbox.support import ME, START


def a_message(message_id: Id, seconds: float | None = None) -> Message:
    return Message(
        id=message_id,
        conversation_id=15,
        content="ok",
        sender=Participant(id=ME.id, type=ME.type),
        timestamp=START + timedelta(seconds=seconds or 0),
        timestamp_is_receipt=seconds is None,
    )


BEFORE, AFTER, UNCLEAR = Place.BEFORE, Place.AFTER, Place.UNCLEAR
NUMBERS = [a_message(7, 10), a_message(9, 5)]  # the clock went back between them
TEXTS = [a_message("a", 5), a_message("b", 10)]


@pytest.mark.parametrize(
    ("known", "message", "place"),
    [
        ([], a_message(1, 0), AFTER),
        ([], a_message("a", 0), AFTER),
        (NUMBERS, a_message(9, 5), BEFORE),
        (NUMBERS, a_message(8, 100), BEFORE),
        (NUMBERS, a_message(10, 0), AFTER),
        (NUMBERS, a_message(10), AFTER),
        (NUMBERS, a_message("x", 10), AFTER),
        (TEXTS, a_message("a", 100), BEFORE),
        (TEXTS, a_message("c", 10), AFTER),
        (TEXTS, a_message("c", 9), UNCLEAR),
        (TEXTS, a_message("c", -7191), BEFORE),
        (TEXTS, a_message("c"), UNCLEAR),
        (TEXTS, a_message(1, 9), UNCLEAR),
    ],
)
def test_where_a_message_stands(known: list[Message], message: Message, place: Place) -> None:
    assert Mark.of(known).place_of(message) is place


def test_ids_are_merged_whatever_the_times_are() -> None:
    timed, untimed = Mark(START, frozenset({7, "a"})), Mark(None, frozenset({9, "b"}))
    for mark in (timed.later(untimed), untimed.later(timed)):
        assert mark == Mark(START, frozenset({9, "a", "b"}))
    later = Mark(START + timedelta(seconds=1), frozenset({8}))
    assert later.later(timed).later(untimed) == Mark(later.timestamp, frozenset({9, "a", "b"}))
    assert timed.later(None) is timed


def test_ids_that_are_texts_are_kept_up_to_a_bound_the_latest_first() -> None:
    old = Mark(START, frozenset(f"old-{number}" for number in range(MOST_TEXT_IDS)))
    new = Mark(START + timedelta(seconds=1), frozenset({"new", 3}))
    assert len(old.later(new).ids) == MOST_TEXT_IDS + 1
    assert {"new", 3} <= old.later(new).ids


def test_what_cannot_be_read_is_known_all_the_same() -> None:
    assert Mark.of(TEXTS[:1], [4, 3]) == Mark(TEXTS[0].timestamp, frozenset({"a", 4}))
