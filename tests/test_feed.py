"""The one door for messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shelf import message, untimed

from messaging_client.feed import OVERLAP, RECENT_IDS, UNFOLLOWED_IDS, Feed, Point
from messaging_client.models import Message
from messaging_client.threads import HANDED_ON_IDS
from messaging_client.wire.messages import message_order_key


class Door:
    """A feed, and what it told."""

    def __init__(self, hold_limit: int = 1000) -> None:
        self.told: list[Message] = []
        self.placed: list[Message] = []
        self.progress = 0
        self.feed = Feed(
            self.told.append,
            order=message_order_key,
            hold_limit=hold_limit,
            monotonic=lambda: 0.0,
            place=self.placed.append,
            on_progress=self._progressed,
        )
        self.thread = self.feed.follow(1)

    def _progressed(self, thread: object) -> None:
        self.progress += 1

    @property
    def ids(self) -> list[Any]:
        return [each.id for each in self.told]

    @property
    def late(self) -> list[Any]:
        return [each.id for each in self.told if each.late]


@pytest.fixture
def door() -> Door:
    door = Door()
    door.feed.start_from(door.thread, [message(1), message(2)])
    return door


def test_history_is_not_told(door: Door) -> None:
    assert door.told == []
    assert door.thread.proven is not None
    assert door.thread.proven.newest_id == 2


def test_each_once_whichever_way_it_comes(door: Door) -> None:
    for _ in range(2):
        door.feed.live(message(3))
        door.feed.found(door.thread, [message(2), message(3), message(4)])
    assert door.ids == [3, 4]
    assert door.feed.told == 2
    assert door.feed.duplicates > 0


def test_one_behind_a_newer_one_is_late(door: Door) -> None:
    door.feed.live(message(5))
    door.feed.found(door.thread, [message(3), message(4), message(5)])
    door.feed.live(message(6))
    assert door.ids == [5, 3, 4, 6]
    assert door.late == [3, 4]


def test_a_live_message_proves_nothing(door: Door) -> None:
    before = door.thread.proven
    door.feed.live(message(9))
    assert door.thread.proven == before
    assert door.thread.handed_on()[-1] == 9
    assert 9 not in before.ids
    door.feed.found(door.thread, [message(9)])
    assert 9 in door.thread.proven.ids
    assert 9 not in door.thread.handed_on()


def test_ids_of_the_same_time_are_kept_with_the_point(door: Door) -> None:
    door.feed.found(door.thread, [message(3, 7.0), message(4, 7.0)])
    door.feed.found(door.thread, [message(5, 7.0)])
    assert door.thread.proven is not None
    assert set(door.thread.proven.ids) == {3, 4, 5}
    door.feed.found(door.thread, [message(6, 7.0 + OVERLAP.total_seconds())])
    assert set(door.thread.proven.ids) == {6}


def test_held_messages_wait_and_come_in_order(door: Door) -> None:
    door.feed.hold(door.thread)
    for number in (5, 3, 4):
        door.feed.live(message(number))
    assert door.told == []
    door.feed.tell_held(door.thread, 2)
    assert door.ids == [3, 5]
    door.feed.release(door.thread)
    assert door.ids == [3, 5, 4]
    door.feed.live(message(6))
    assert door.ids == [3, 5, 4, 6]


def test_no_more_are_held_than_allowed() -> None:
    door = Door(hold_limit=2)
    door.feed.start_from(door.thread, [])
    door.feed.hold(door.thread)
    for number in (1, 2, 3):
        door.feed.live(message(number))
    assert door.thread.overflowed
    door.feed.release(door.thread)
    assert door.ids == [1, 2]


def test_what_comes_live_during_the_first_read_is_no_history() -> None:
    door = Door()
    door.feed.hold(door.thread)
    door.feed.live(message(3))
    door.feed.start_from(door.thread, [message(1), message(2), message(3)])
    door.feed.release(door.thread)
    assert door.ids == [3]


def test_an_overflow_during_the_first_read_leaves_the_rest_to_be_read() -> None:
    door = Door(hold_limit=1)
    door.feed.hold(door.thread)
    door.feed.live(message(3))
    door.feed.live(message(4))
    door.feed.start_from(door.thread, [message(1), message(2), message(3), message(4)])
    door.feed.release(door.thread)
    door.feed.found(door.thread, [message(3), message(4)])
    assert door.ids == [3, 4]


def test_memory_is_bounded_without_forgetting_what_is_not_proven(door: Door) -> None:
    numbers = range(3, 3 + 3 * RECENT_IDS)
    for number in numbers:
        door.feed.live(message(number))
    # Pages of a read-back: none of them makes the feed forget what the next ones bring.
    for first in range(3, 3 + 3 * RECENT_IDS, 50):
        door.feed.found(door.thread, [message(number) for number in range(first, first + 50)])
    assert door.ids == list(numbers)
    assert len(door.thread.recent) == RECENT_IDS
    door.feed.live(message(numbers[-1]))
    assert len(door.ids) == len(numbers)


def test_what_waits_is_not_forgotten_while_much_else_is_read(door: Door) -> None:
    door.feed.hold(door.thread)
    door.feed.live(message(3, 3.0003))
    crowd = [message(number, 3 + number / 10_000) for number in range(3, 3 + 2 * RECENT_IDS)]
    for first in range(0, len(crowd), 50):
        door.feed.found(door.thread, crowd[first : first + 50])
    door.feed.release(door.thread)
    # The overlap is read again, and holds more than are remembered otherwise.
    door.feed.found(door.thread, crowd)
    assert door.ids == [each.id for each in crowd]


def test_an_old_message_that_comes_again_is_known_by_its_time() -> None:
    door = Door()
    door.feed.start_from(door.thread, [message(number) for number in range(100, 150)])
    door.feed.live(message(7))
    assert door.told == [], "history from before the first page"
    door.feed.found(door.thread, [message(number) for number in range(150, 150 + 2 * RECENT_IDS)])
    door.feed.live(message(150))
    assert len(door.told) == 2 * RECENT_IDS


def test_what_turns_up_in_the_overlap_is_no_old_message() -> None:
    door = Door()
    door.feed.start_from(door.thread, [message(2, 9.5), message(3, 10.0)])
    door.feed.found(door.thread, [message(1, 9.2), message(2, 9.5), message(3, 10.0)])
    assert door.ids == [1]


def test_a_cursor_holds_a_bounded_number_of_ids(door: Door) -> None:
    for number in range(3, 3 + 2 * RECENT_IDS):
        door.feed.live(message(number))
    seen = door.thread.handed_on()
    assert len(seen) == RECENT_IDS
    assert seen[-1] == 2 + 2 * RECENT_IDS
    door.feed.found(door.thread, [message(number) for number in range(3, 3 + 2 * RECENT_IDS)])
    near = door.thread.proven.ids
    assert door.thread.handed_on() == tuple(
        each for each in range(3 + 2 * RECENT_IDS - HANDED_ON_IDS, 3 + 2 * RECENT_IDS) if each not in near
    )


def test_what_is_broadcast_once_more_after_a_restart_is_known(door: Door) -> None:
    door.feed.found(door.thread, [message(number) for number in range(3, 300)])
    assert door.thread.proven is not None
    later = Door()
    later.feed.start_at(later.thread, door.thread.proven, door.thread.handed_on())
    for number in range(250, 301):
        later.feed.live(message(number))
    assert later.ids == [300]


@pytest.mark.parametrize("begun", [None, 5.0])
def test_an_earlier_process_that_had_proven_nothing_is_taken_up(begun: float | None) -> None:
    door = Door()
    start = Point() if begun is None else Point.after(message(4, begun).timestamp)
    door.feed.start_at(door.thread, start, [7])
    door.feed.found(door.thread, [message(5, 5.0), message(6), message(7), message(8)])
    assert 7 not in door.ids
    assert door.ids[-2:] == [6, 8]
    assert door.thread.handed_on()[0] != 8
    for number in range(9, 2 * RECENT_IDS):
        door.feed.live(message(number))
    assert door.ids[-1] == 2 * RECENT_IDS - 1


def test_an_earlier_process_is_taken_up() -> None:
    door = Door()
    newest = message(5)
    point = Point(newest.timestamp, message_order_key(newest), 5, {4: newest.timestamp, 5: newest.timestamp})
    door.feed.start_at(door.thread, point, [7])
    assert door.thread.handed_on() == (7,)
    door.feed.found(door.thread, [message(4), message(5), message(6), message(7), message(8)])
    assert door.ids == [6, 8]


def test_one_stored_under_an_older_time_and_broadcast_after_a_restart_is_late() -> None:
    door = Door()
    newest = message(5)
    door.feed.start_at(door.thread, Point(newest.timestamp, message_order_key(newest), 5, {5: newest.timestamp}), [])
    door.feed.live(message("stored late", 2.0))
    assert door.late == ["stored late"]


def test_a_start_that_no_message_stands_for_tells_history_by_its_time() -> None:
    door = Door()
    door.feed.start_at(door.thread, Point.after(message(5).timestamp), [])
    door.feed.found(door.thread, [message(4, 4.5), message(5), message(6)])
    door.feed.live(message(3))
    assert door.ids == [6]


def test_messages_without_times_are_told_once_and_forgotten_in_the_end(door: Door) -> None:
    for number in range(100, 100 + 2 * RECENT_IDS):
        door.feed.live(untimed(number, 1000.0))
    assert len(door.ids) == 2 * RECENT_IDS
    door.feed.found(door.thread, [untimed(99 + 2 * RECENT_IDS, 2000.0)])
    assert len(door.ids) == 2 * RECENT_IDS
    assert len(door.thread.recent) <= RECENT_IDS + 1, "the newest one with a time stays"
    assert door.thread.proven is not None
    assert door.thread.proven.newest_id == 2, "a time of receipt is no cursor"


def test_a_message_relayed_before_it_was_stored_is_one_message(door: Door) -> None:
    door.feed.live(message("temp_abc", 3.0, key="abc"))
    door.feed.live(message(3, 3.0, key="abc"))
    door.feed.live(message(3, 3.0, key="abc"))
    assert door.ids == ["temp_abc"]


def test_unfollowed_conversations(door: Door) -> None:
    for _ in range(2):
        door.feed.live(message(1, talk=7))
        door.feed.live(message(50, talk=None))
    assert door.ids == [1, 50]
    door.feed.follow(7)
    door.feed.live(message(1, talk=7))
    assert door.ids == [1, 50], "what was told before it was followed is known"


def test_what_was_told_is_known_after_leaving(door: Door) -> None:
    door.feed.live(message(3))
    door.feed.unfollow(1)
    door.feed.live(message(3))
    assert door.ids == [3]


def test_memory_of_unfollowed_conversations_is_bounded(door: Door) -> None:
    for number in range(UNFOLLOWED_IDS + 10):
        door.feed.live(message(number, talk=7))
    assert len(door.feed._unfollowed) == UNFOLLOWED_IDS


def test_watchers_see_repeated_messages_too(door: Door) -> None:
    seen: list[tuple[Any, bool]] = []
    stop = door.feed.watch(1, lambda each, is_new: seen.append((each.id, is_new)))
    door.feed.live(message(3))
    door.feed.live(message(3))
    stop()
    stop()
    door.feed.live(message(4))
    assert seen == [(3, True), (3, False)]


@st.composite
def arrivals(draw: st.DrawFn) -> list[tuple[str, Sequence[int]]]:
    """Ways in which the messages 3 to 12 come: live in any order, and reads of everything up to some message."""
    steps: list[tuple[str, Sequence[int]]] = []
    for _ in range(draw(st.integers(1, 12))):
        if draw(st.booleans()):
            steps.append(("live", draw(st.lists(st.integers(3, 12), min_size=1, max_size=4))))
        else:
            steps.append(("read", range(1, draw(st.integers(3, 13)))))
    return steps


@given(arrivals())
def test_any_arrival(steps: list[tuple[str, Sequence[int]]]) -> None:
    door = Door()
    door.feed.start_from(door.thread, [message(1), message(2)])
    came: set[int] = set()
    for kind, numbers in steps:
        came.update(numbers)
        if kind == "live":
            for number in numbers:
                door.feed.live(message(number))
        else:
            door.feed.found(door.thread, [message(number) for number in numbers])
    assert sorted(door.ids) == sorted(came - {1, 2})
    in_time = [each for each in door.ids if each not in door.late]
    assert in_time == sorted(in_time)
    newest = 0
    for each in door.told:
        assert each.late == (each.id < newest)
        newest = max(newest, int(each.id))


def test_a_relay_under_a_temporary_id_that_comes_after_the_stored_one_is_the_same(door: Door) -> None:
    door.feed.live(message(3, 3.0, key="abc"))
    door.feed.live(message("temp_abc", 3.0, key="abc"))
    door.feed.found(door.thread, [message(4, 4.0, key="def")])
    door.feed.live(message("temp_def", 4.0))
    assert door.ids == [3, 4]
    door.feed.unfollow(1)
    door.feed.live(message("temp_def", 4.0))
    assert door.ids == [3, 4]


@pytest.mark.parametrize("ids", [(3, "temp_abc"), ("temp_abc", 3)])
def test_a_relay_under_a_temporary_id_where_nobody_follows(door: Door, ids: tuple[int | str, int | str]) -> None:
    for each in ids:
        door.feed.live(message(each, 3.0, talk=7, key="abc"))
    assert door.ids == [ids[0]]


def test_what_stands_before_the_first_page_is_history_however_short_before() -> None:
    door = Door()
    crowd = [message(number, 10 + number / 1000) for number in range(120)]
    door.feed.start_from(door.thread, crowd[70:], is_whole=False)
    door.feed.found(door.thread, [*crowd, message(120, 11.0)])
    assert door.ids == [120]


def test_a_time_of_receipt_makes_nothing_late(door: Door) -> None:
    door.feed.live(untimed("no time", 1000.0))
    door.feed.live(message(3))
    door.feed.live(untimed("none either", 0.0))
    assert door.ids == ["no time", 3, "none either"]
    assert door.late == []


@pytest.mark.parametrize("talk", [1, 7])
def test_a_message_without_its_conversation_comes_to_those_who_listen_to_it_later(door: Door, talk: int) -> None:
    seen: list[tuple[Any, bool]] = []
    door.feed.watch(talk, lambda each, is_new: seen.append((each.id, is_new)))
    for _ in range(2):
        door.feed.live(message(3, talk=None))
    assert door.ids == [3]
    assert door.placed == seen == []
    for _ in range(2):
        door.feed.live(message(3, talk=talk))
    assert door.ids == [3], "who listens to everything has it already"
    assert [(each.id, each.conversation_id) for each in door.placed] == [(3, talk)]
    assert seen == [(3, True), (3, False)]
