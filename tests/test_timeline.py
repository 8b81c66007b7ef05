"""The order of messages, whatever comes in whichever order, and the count of the unread ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging_client.models import Message, MessageStatus, Participant, UserType
from messaging_client.timeline import Timeline
from messaging_client.wire.messages import message_order_key

START = datetime(2025, 8, 23, 10, tzinfo=UTC)
PATIENT = Participant(id=5, type=UserType.PATIENT)


def made(id: int | str, second: int, *, read: bool = False, content: str = "") -> Message:
    status = MessageStatus.READ if read else MessageStatus.SENT
    at = START + timedelta(seconds=second)
    return Message(id=id, conversation_id=1, content=content, sender=PATIENT, timestamp=at, status=status)


def is_unread(message: Message) -> bool:
    return message.status is not MessageStatus.READ


def timeline() -> Timeline:
    return Timeline(message_order_key, is_unread)


# Few ids and few seconds, so that ties and replacements are frequent.
ids = st.integers(0, 8) | st.sampled_from(["temp_a", "temp_b", "zz"])
puts = st.builds(made, ids, st.integers(0, 5), read=st.booleans(), content=st.sampled_from("ab"))
steps = st.lists(puts.map(lambda message: ("put", message)) | ids.map(lambda each: ("remove", each)), max_size=60)


@given(steps)
def test_agrees_with_a_sorted_dictionary(moves: list[tuple[str, Any]]) -> None:
    ours, model = timeline(), dict[int | str, Message]()
    for move, what in moves:
        if move == "put":
            assert ours.put(what) == (model.get(what.id) != what)
            model[what.id] = what
        else:
            assert ours.remove(what) == (model.pop(what, None) is not None)
        expected = sorted(model.values(), key=message_order_key)
        assert list(ours) == expected
        assert ours[:] == tuple(expected)
        assert len(ours) == len(expected)
        unread = [message for message in expected if is_unread(message)]
        assert ours.unread == tuple(unread)
        assert ours.unread_count == len(unread)
        for place, message in enumerate(expected):
            assert ours[place] == message
            assert ours.get(message.id) == message
            assert ours.unread_up_to(message) == sum(map(is_unread, expected[: place + 1]))
            assert ours.has_unread_before(message) == any(map(is_unread, expected[:place]))


def test_ties_stand_by_id_integers_before_texts() -> None:
    ours = timeline()
    for each in ("temp_b", 12, "temp_a", 7):
        ours.put(made(each, 0))
    assert [message.id for message in ours] == [7, 12, "temp_a", "temp_b"]


def test_is_a_sequence_that_stands_still_while_it_is_read() -> None:
    ours = timeline()
    for number in range(3):
        ours.put(made(number, number))
    for message in ours:
        ours.remove(message.id)
    assert not ours
    ours.put(made(1, 1))
    assert made(1, 1) in ours
    assert made(1, 1, content="other") not in ours
    assert "1" not in ours
    assert repr(ours) == "<1 messages>"
    with pytest.raises(IndexError):
        ours[1]


def test_a_message_at_the_end_costs_the_same_whatever_is_there() -> None:
    """Counted in comparisons and looks, which do not depend on the machine."""
    looks = 0

    def order(message: Message) -> Any:
        nonlocal looks
        looks += 1
        return message_order_key(message)

    def counted(message: Message) -> bool:
        nonlocal looks
        looks += 1
        return True

    ours = Timeline(order, counted)
    for number in range(10_000):
        ours.put(made(number, number))
        if number == 0:
            first, looks = looks, 0
    assert looks == 9_999 * first
    looks = 0
    assert ours.unread_count == 10_000
    assert looks == 0
