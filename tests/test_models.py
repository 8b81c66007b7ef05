"""Models that users make themselves are canonical, and can be compared, hashed and copied."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from messaging_client import (
    Conversation,
    ConversationUpdated,
    CustomEvent,
    GapDetected,
    HandlerError,
    History,
    InvalidPayload,
    Message,
    MessageFailed,
    MessageSent,
    MessageType,
    Notification,
    Participant,
    PresenceEvent,
    TypingEvent,
    User,
    UserType,
)
from messaging_client.events import Event
from messaging_client.models import MessagePreview

NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)
TOO_LATE = datetime.max.replace(tzinfo=timezone(-timedelta(hours=1)))
SOMEBODY = Participant(id=5, type=UserType.PATIENT)


def message(**given: Any) -> Message:
    usual: dict[str, Any] = {
        "id": 1,
        "conversation_id": 15,
        "content": "canary",
        "sender": SOMEBODY,
        "timestamp": NOON,
    }
    return Message(**usual | given)


IDS = [(15, 15), ("15", 15), ("007", 7), (0, 0), ("temp_1", "temp_1"), ("1" * 20, "1" * 20), (10**19, str(10**19))]


@pytest.mark.parametrize(("given", "canonical"), IDS)
def test_ids_are_canonical(given: Any, canonical: Any) -> None:
    found = [
        message(id=given).id,
        message(conversation_id=given).conversation_id,
        Participant(id=given).id,
        User(id=given, type=UserType.PATIENT).id,
        Conversation(id=given).id,
        Conversation(id=1, context_id=given).context_id,
        MessageSent(message_id=given).message_id,
        MessageFailed(message_id=given).message_id,
        TypingEvent(conversation_id=given, user_id=1, is_typing=True).conversation_id,
        ConversationUpdated(conversation_id=given).conversation_id,
        Notification(type="x", conversation_id=given).conversation_id,
        GapDetected(conversation_id=given).conversation_id,
    ]
    assert found == [canonical] * len(found)
    assert {type(each) for each in found} == {type(canonical)}


def test_one_person_in_two_spellings_is_one() -> None:
    assert Participant(id="15", type=UserType.MEDECIN) == Participant(id=15, type=UserType.MEDECIN)
    assert Participant(id="15", type=UserType.MEDECIN).name == "Médecin #15"
    assert len({message(id="7"), message(id=7)}) == 1


@pytest.mark.parametrize("bad", [True, False, -1, 1.5, [], {}, b"1", object(), "\ud800"], ids=repr)
def test_what_is_no_id_is_refused(bad: Any) -> None:
    for make in (
        lambda: message(id=bad),
        lambda: message(conversation_id=bad),
        lambda: Participant(id=bad),
        lambda: User(id=bad, type=UserType.PATIENT),
        lambda: Conversation(id=bad),
        lambda: PresenceEvent(user_id=bad, status="online"),
        lambda: GapDetected(conversation_id=bad),
    ):
        with pytest.raises(ValidationError):
            make()


@pytest.mark.parametrize("nothing", [None, "", " ", "unknown"], ids=repr)
def test_what_stands_for_no_id_is_none(nothing: Any) -> None:
    assert Participant(id=nothing).id is None
    assert message(conversation_id=nothing).conversation_id is None
    with pytest.raises(ValidationError):
        message(id=nothing)


TIMES = [
    NOON,
    NOON.replace(tzinfo=None),
    datetime(2025, 1, 1, 13, tzinfo=timezone(timedelta(hours=1))),
    "2025-01-01T12:00:00Z",
    "2025-01-01T13:00:00+01:00",
    "2025-01-01T12:00:00",
    1735732800,
    1735732800000,
]


@pytest.mark.parametrize("given", TIMES, ids=str)
def test_times_are_aware_and_utc(given: Any) -> None:
    found = [
        message(timestamp=given).timestamp,
        message(read_at=given).read_at,
        Conversation(id=1, created_at=given).created_at,
        Conversation(id=1, last_activity=given).last_activity,
        MessagePreview(content="", timestamp=given).timestamp,
        MessageSent(message_id=1, timestamp=given).timestamp,
        GapDetected(conversation_id=1, before=given).before,
    ]
    assert found == [NOON] * len(found)
    assert all(each is not None and each.tzinfo is UTC for each in found)


@pytest.mark.parametrize(
    "bad",
    [
        True,
        "yesterday",
        "canary" * 50,
        [],
        float("nan"),
        1e300,
        datetime.max.replace(tzinfo=timezone(-timedelta(hours=1))),
    ],
    ids=lambda each: repr(each)[:20],
)
def test_what_is_no_time_is_refused_and_not_repeated(bad: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        message(timestamp=bad)
    assert "canary" not in str(refused.value)


def test_enums_take_their_words() -> None:
    made = message(type="image", status="read", sender={"id": "5", "type": "patient"})
    assert made.type is MessageType.IMAGE
    assert made.sender == SOMEBODY
    with pytest.raises(ValidationError):
        message(type="film")


EVENTS: list[Event] = [
    message(raw={"a": [1]}),
    CustomEvent(name="ring", args=({"a": [1]}, [2])),
    HandlerError(handler="f", event={"a": 1}, error=ValueError("x")),
    InvalidPayload(source="new_message", reason="no id", raw={"a": 1}),
    ConversationUpdated(conversation_id=1, raw={"a": 1}),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda each: type(each).__name__)
def test_every_event_can_be_hashed_whatever_it_carries(event: Event) -> None:
    again = event.model_copy()
    assert again == event
    assert hash(again) == hash(event)
    assert {event: 1}[again] == 1


def test_equal_events_have_the_same_hash_and_others_are_others() -> None:
    first = CustomEvent(name="ring", args=({"a": 1},))
    for same in (CustomEvent(name="ring", args=({"a": True},)), CustomEvent(name="ring", args=({"a": 1.0},))):
        assert first == same
        assert hash(first) == hash(same)
    assert len({first, CustomEvent(name="ring", args=({"a": 2},)), CustomEvent(name="rang", args=({"a": 1},))}) == 3
    assert hash(History(context={"a": [1]}))


@pytest.mark.parametrize("event", EVENTS[:2] + EVENTS[3:], ids=lambda each: type(each).__name__)
def test_events_can_be_copied_and_pickled(event: Event) -> None:
    assert copy.deepcopy(event) == event
    assert pickle.loads(pickle.dumps(event)) == event
