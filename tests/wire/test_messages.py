from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messaging_client.models import Message, MessageStatus, MessageType, Participant, UserType
from messaging_client.wire.errors import PayloadError
from messaging_client.wire.messages import message_from_wire, message_order_key, message_type_from_wire
from messaging_client.wire.participants import participant_from_wire, people_index

from .support import NOW, assert_sound, messages, not_json, outcome, valid_messages

TIMED: dict[str, Any] = {"id": 2, "content": "a", "timestamp": "2025-08-23T10:00:00Z"}


def read(payload: Any, **options: Any) -> Message:
    message = message_from_wire(payload, received_at=NOW, **options)
    assert_sound(message)
    assert message.raw is payload
    return message


@pytest.mark.parametrize(
    "name", ["id", "id_message", "message_id", "messageId", "idMessage"], ids=lambda name: f"{name}"
)
def test_ids(name: str) -> None:
    assert read({name: "12", "content": "a"}).id == 12


def test_what_is_no_id_is_passed_over() -> None:
    assert read({"id": None, "id_message": True, "message_id": "unknown", "messageId": 12, "contenu": "a"}).id == 12


@pytest.mark.parametrize("name", ["conversation_id", "conversationId", "id_conversation", "idConversation"])
def test_conversations(name: str) -> None:
    assert read({**TIMED, name: "15"}).conversation_id == 15
    assert read({**TIMED, name: "15"}, conversation_id=16).conversation_id == 15, "the message's own wins"


def test_the_conversation_of_the_route() -> None:
    assert read(TIMED, conversation_id=15).conversation_id == 15
    assert read({**TIMED, "conversation_id": 0}, conversation_id=15).conversation_id == 0
    assert read({**TIMED, "conversation_id": "unknown"}, conversation_id=15).conversation_id == 15


@pytest.mark.parametrize("name", ["timestamp", "date_envoi", "created_at", "createdAt", "dateEnvoi"])
def test_times(name: str) -> None:
    message = read({"id": 1, "content": "a", name: "2025-08-23T10:00:00Z"})
    assert message.timestamp == datetime(2025, 8, 23, 10, tzinfo=UTC)
    assert not message.timestamp_is_receipt


@pytest.mark.parametrize("payload", [{}, {"timestamp": None}, {"timestamp": "", "date_envoi": None}])
def test_without_a_time(payload: dict[str, Any]) -> None:
    message = read({"id": 1, "content": "a", **payload})
    assert message.timestamp == NOW
    assert message.timestamp_is_receipt


def test_the_time_zero_is_a_time() -> None:
    message = read({"id": 1, "content": "a", "timestamp": 0})
    assert message.timestamp == datetime(1970, 1, 1, tzinfo=UTC)
    assert not message.timestamp_is_receipt


@pytest.mark.parametrize("name", ["date_lecture", "read_at", "readAt"])
def test_when_it_was_read(name: str) -> None:
    assert read({**TIMED, name: "2025-08-23T10:05:00Z"}).read_at == datetime(2025, 8, 23, 10, 5, tzinfo=UTC)
    assert read({**TIMED, name: "hier"}).read_at is None, "the message is not lost for that"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("envoyé", MessageStatus.SENT),
        ("Envoyé", MessageStatus.SENT),
        ("envoye\u0301", MessageStatus.SENT),
        ("envoye", MessageStatus.SENT),
        ("sent", MessageStatus.SENT),
        ("livré", MessageStatus.DELIVERED),
        ("delivered", MessageStatus.DELIVERED),
        ("non_lu", MessageStatus.DELIVERED),
        ("received", MessageStatus.DELIVERED),
        ("lu", MessageStatus.READ),
        ("read", MessageStatus.READ),
        ("sending", MessageStatus.SENDING),
        ("error", MessageStatus.ERROR),
        ("uncertain", MessageStatus.UNKNOWN),
        ("x" * 10_000_000, MessageStatus.UNKNOWN),
        (5, MessageStatus.UNKNOWN),
        ([], MessageStatus.UNKNOWN),
        (None, MessageStatus.UNKNOWN),
    ],
    ids=lambda value: str(value)[:20],
)
def test_statuses(word: Any, expected: MessageStatus) -> None:
    assert read({**TIMED, "statut": word}).status is expected
    assert read({**TIMED, "status": word, "statut": "lu" if word else None}).status is expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("text", MessageType.TEXT),
        ("texte", MessageType.TEXT),
        ("TEXTE", MessageType.TEXT),
        ("image", MessageType.IMAGE),
        ("document", MessageType.DOCUMENT),
        ("file", MessageType.DOCUMENT),
        ("audio", MessageType.AUDIO),
        ("voice", MessageType.AUDIO),
        ("system", MessageType.SYSTEM),
        ("hologramme", MessageType.UNKNOWN),
        (5, MessageType.UNKNOWN),
        ({}, MessageType.UNKNOWN),
        (None, MessageType.TEXT),
        ("", MessageType.TEXT),
    ],
)
def test_kinds(word: Any, expected: MessageType) -> None:
    assert read({**TIMED, "type": word}).type is expected
    assert read({**TIMED, "type_message": word}).type is expected


def test_words_alone() -> None:
    assert message_type_from_wire(MessageType.AUDIO) is MessageType.AUDIO


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"client_message_id": "0b6c"}, "0b6c"),
        ({"clientMessageId": "007"}, "007"),
        ({"client_message_id": 7}, "7"),
        ({"client_message_id": None, "clientMessageId": "x"}, "x"),
        ({"client_message_id": "\ud800"}, "�"),
        ({"client_message_id": True}, None),
        ({"client_message_id": ["x"]}, None),
        ({"client_message_id": ""}, None),
        ({}, None),
    ],
)
def test_client_message_ids(payload: dict[str, Any], expected: str | None) -> None:
    assert read({**TIMED, **payload}).client_message_id == expected


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"content": "en", "contenu": "fr"}, "en"),
        ({"content": None, "contenu": "fr"}, "fr"),
        ({"content": "", "contenu": "fr"}, ""),
        ({"contenu": "a\ud800b"}, "a�b"),
        ({"contenu": " \n"}, " \n"),
    ],
)
def test_contents(payload: dict[str, Any], expected: str) -> None:
    assert read({"id": 1, **payload}).content == expected


def test_ten_megabytes_are_a_message_like_any_other() -> None:
    assert (
        len(read({"id": 1, "content": "é" * 5_000_000, "status": "x" * 10**7, "type": "y" * 10**7}).content)
        == 5 * 10**6
    )


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (None, "not an object"),
        ("bonjour", "not an object"),
        ([1, 2], "not an object"),
        ({}, "no id"),
        ({"content": "a"}, "no id"),
        ({"id": True, "content": "a"}, "no id"),
        ({"id": -1, "content": "a"}, "no id"),
        ({"id": 1}, "no text"),
        ({"id": 1, "content": None, "contenu": None}, "no text"),
        ({"id": 1, "content": 5}, "no text"),
        ({"id": 1, "content": 5, "contenu": "a"}, "no text"),
        ({"id": 1, "content": ["a"]}, "no text"),
        ({**TIMED, "timestamp": "hier soir"}, "time"),
        ({**TIMED, "timestamp": float("nan")}, "time"),
        ({**TIMED, "timestamp": True}, "time"),
        ({**TIMED, "timestamp": {}}, "time"),
        ({**TIMED, "timestamp": "9999-12-31T23:59:59-01:00"}, "time"),
        ({"id": 1, "content": "a", "timestamp": "hier", "date_envoi": "2025-08-23T10:00:00Z"}, "time"),
        ({"message": "bonjour"}, "no id"),
        ({"message": {"id": 1}}, "no text"),
        ({"conversationId": 15, "message": {**TIMED, "conversation_id": 16}}, "two conversations"),
    ],
)
def test_invalid(payload: Any, reason: str) -> None:
    with pytest.raises(PayloadError, match=reason) as caught:
        message_from_wire(payload, received_at=NOW)
    assert caught.value.raw is payload


def test_wrapped() -> None:
    assert read({"message": {**TIMED, "conversation_id": 4}}).conversation_id == 4
    assert read({"message": TIMED}, conversation_id=15).conversation_id == 15


def test_the_wrapper_may_name_the_conversation() -> None:
    assert read({"conversationId": 15, "message": TIMED}).conversation_id == 15
    assert read({"conversationId": "15", "message": {**TIMED, "conversation_id": 15}}).conversation_id == 15
    assert read({"conversationId": 15, "message": TIMED}, conversation_id=16).conversation_id == 15


def test_a_message_with_a_message_in_it_is_not_wrapped() -> None:
    message = read({**TIMED, "message": {"id": 1, "content": "cité"}})
    assert (message.id, message.content) == (2, "a")


def test_names_from_who_takes_part() -> None:
    saza = participant_from_wire({"id": 79, "type": "medecin", "name": "Sakura Saza"})
    message = read(
        {**TIMED, "sender_id": 79, "sender_type": "medecin", "recipientId": 79, "recipientType": "patient"},
        people=people_index([saza]),
    )
    assert message.sender.name == "Sakura Saza"
    assert message.recipient == Participant(id=79, type=UserType.PATIENT)


def test_no_sender() -> None:
    message = read(TIMED)
    assert message.sender == Participant()
    assert message.recipient is None


def test_nothing_private_in_repr() -> None:
    message = read({**TIMED, "content": "je suis malade", "sender": {"id": 5, "name": "Marie"}})
    assert "malade" not in repr(message)
    assert "Marie" not in repr(message)


# --- order -------------------------------------------------------------------------------------------------------


def placed(identity: int | str, seconds: int) -> Message:
    return read({"id": identity, "content": "a", "timestamp": seconds})


def test_order_by_time_then_id() -> None:
    ordered = [placed(9, 1), placed(2, 2), placed(10, 2), placed("a", 2), placed("temp_2", 2), placed(1, 3)]
    backwards = ordered[::-1]
    assert sorted(backwards, key=message_order_key) == ordered


@given(
    st.lists(
        st.builds(
            placed,
            st.one_of(st.integers(0, 5), st.sampled_from(["a", "b", "-1", "1a"])),
            st.integers(0, 2),
        ),
        max_size=8,
    ).flatmap(lambda found: st.tuples(st.just(found), st.permutations(found)))
)
def test_the_order_is_total(both: tuple[list[Message], list[Message]]) -> None:
    found, shuffled = both
    assert sorted(found, key=message_order_key) == sorted(shuffled, key=message_order_key)
    for a in found:
        for b in found:
            less, more = message_order_key(a) < message_order_key(b), message_order_key(a) > message_order_key(b)
            same = (a.timestamp, a.id) == (b.timestamp, b.id)
            assert less + more + same == 1


# --- anything ----------------------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(st.one_of(messages, valid_messages, not_json))
def test_anything_is_read_or_refused(payload: Any) -> None:
    before = copy.copy(payload)
    message = outcome(message_from_wire, payload, received_at=NOW, conversation_id=15)
    assert message.raw is payload
    if isinstance(message, PayloadError):
        return
    assert list(payload) == list(before), "every field survives, and nothing is added"
    assert all(payload[name] is before[name] for name in before)
    assert_sound(message)


@given(valid_messages)
def test_what_is_valid_is_read(payload: dict[str, Any]) -> None:
    message = message_from_wire(payload, received_at=NOW, conversation_id=15)
    assert message.id == payload["id"]
    assert message.conversation_id == payload.get("conversation_id", 15)
    assert message.timestamp_is_receipt is ("date_envoi" not in payload)
    assert message.timestamp == datetime.fromisoformat(payload.get("date_envoi", NOW.isoformat()))
