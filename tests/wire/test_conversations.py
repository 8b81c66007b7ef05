from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messaging_client.models import Conversation, ConversationStatus, Participant, UserType
from messaging_client.wire.conversations import conversation_from_wire, conversation_status_from_wire
from messaging_client.wire.errors import PayloadError

from .support import assert_sound, conversations, not_json, outcome

MORNING = datetime(2025, 8, 23, 10, tzinfo=UTC)
PATIENT_5 = {"participant_id": 5, "participant_type": "patient"}
MEDECIN_79 = {"participant_id": 79, "participant_type": "medecin"}
MARIE = {"id": 5, "nom": "Dupont", "prenom": "Marie"}


def read(payload: Any) -> Conversation:
    conversation = conversation_from_wire(payload)
    assert_sound(conversation)
    assert conversation.raw is payload
    return conversation


@pytest.mark.parametrize("name", ["id_conversation", "id", "conversation_id", "conversationId"])
def test_ids(name: str) -> None:
    assert read({name: "15"}).id == 15
    assert read({"id_conversation": 1, name: 1}).id == 1


def test_an_empty_one() -> None:
    assert read({"id": 1}) == Conversation(id=1)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("active", ConversationStatus.ACTIVE),
        ("archivée", ConversationStatus.ARCHIVED),
        ("Archivee", ConversationStatus.ARCHIVED),
        ("archived", ConversationStatus.ARCHIVED),
        ("fermée", ConversationStatus.CLOSED),
        ("closed", ConversationStatus.CLOSED),
        ("suspendue", ConversationStatus.UNKNOWN),
        (None, ConversationStatus.UNKNOWN),
        (["active"], ConversationStatus.UNKNOWN),
    ],
)
def test_statuses(word: Any, expected: ConversationStatus) -> None:
    assert conversation_status_from_wire(word) is expected
    assert read({"id": 1, "statut": word}).status is expected
    assert read({"id": 1, "status": word}).status is expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"titre": "Messages - Ordonnance 15"}, ("ordonnance", 15)),
        ({"titre": "Messages - Ordonnance 15", "contexte_type": "examen", "contexte_id": "8"}, ("examen", 8)),
        ({"titre": "Messages - Ordonnance 15", "context_type": "Examen"}, ("examen", None)),
        ({"titre": "Messages - Ordonnance 15", "contextType": "ORDONNANCE"}, ("ordonnance", 15)),
        ({"titre": "Suivi #15", "contexte_type": "examen"}, ("examen", 15)),
        ({"titre": "Messages - Ordonnance 15", "contextId": 8}, ("ordonnance", 8)),
        ({"titre": "Rendez-vous 3", "contexte_type": "rendez_vous"}, ("rendez_vous", 3)),
        ({"titre": "Ordonnance 3", "contexte_type": 5, "contexte_id": True}, ("ordonnance", 3)),
        ({"titre": 15}, ("consultation", None)),
        ({"contexte_id": 0}, ("consultation", 0)),
    ],
)
def test_contexts(fields: dict[str, Any], expected: tuple[str, Any]) -> None:
    conversation = read({"id": 1, **fields})
    assert (conversation.context_type, conversation.context_id) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"unreadCount": 2}, 2),
        ({"unread_count": "3"}, 3),
        ({"nombre_non_lus": 4.0}, 4),
        ({"unreadCount": 0, "nombre_non_lus": 5}, 0),
        ({"unreadCount": None, "nombre_non_lus": 5}, 5),
        ({"unreadCount": -1}, 0),
        ({"unreadCount": True}, 0),
        ({"unreadCount": 10**12}, 0),
        ({"unreadCount": "beaucoup"}, 0),
    ],
)
def test_unread(fields: dict[str, Any], expected: int) -> None:
    assert read({"id": 1, **fields}).unread_count == expected


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("date_creation", "created_at"),
        ("created_at", "created_at"),
        ("createdAt", "created_at"),
        ("date_modification", "last_activity"),
        ("lastActivity", "last_activity"),
        ("updatedAt", "last_activity"),
        ("updated_at", "last_activity"),
    ],
)
def test_times(name: str, field: str) -> None:
    assert getattr(read({"id": 1, name: "2025-08-23T10:00:00Z"}), field) == MORNING
    assert getattr(read({"id": 1, name: "hier"}), field) is None


def test_kinds() -> None:
    assert read({"id": 1, "type_conversation": "medecin_medecin"}).kind == "medecin_medecin"
    assert read({"id": 1, "typeConversation": "autre"}).kind == "autre"
    assert read({"id": 1, "type_conversation": 5}).kind is None


# --- people ------------------------------------------------------------------------------------------------------


def test_an_empty_list_is_no_list() -> None:
    conversation = read({"id": 1, "rawData": {"participants": []}, "participants": [PATIENT_5], "patient": None})
    assert [each.id for each in conversation.participants] == [5]


def test_who_cannot_be_read_is_left_out() -> None:
    conversation = read({"id": 1, "participants": [None, 5, {}, {"id": True}, PATIENT_5, "medecin"]})
    assert conversation.participants == (Participant(id=5, type=UserType.PATIENT),)
    assert conversation.medecin is None


def test_names_from_elsewhere_in_the_conversation() -> None:
    conversation = read({"id": 1, "participants": [PATIENT_5, MEDECIN_79], "patient": MARIE})
    assert [each.name for each in conversation.participants] == ["Marie Dupont", "Médecin #79"]
    assert conversation.patient is conversation.participants[0]


def test_nobody_is_added_from_elsewhere() -> None:
    conversation = read({"id": 1, "participants": [PATIENT_5], "medecin": {"id": 79}})
    assert [each.id for each in conversation.participants] == [5]
    assert conversation.medecin is None


def test_everybody_once() -> None:
    doctor_5 = {"id": 5, "type": "medecin"}
    conversation = read({"id": 1, "participants": [PATIENT_5, {**MARIE, "type": "patient"}, doctor_5, PATIENT_5]})
    assert [(each.type, each.name) for each in conversation.participants] == [
        ("patient", "Marie Dupont"),
        ("medecin", "Médecin #5"),
    ]


def test_two_without_a_type_stay_two() -> None:
    conversation = read({"id": 1, "participants": [{"id": 5}, {"id": 5}, {"name": "X"}, {"name": "X"}]})
    assert len(conversation.participants) == 4
    assert (conversation.patient, conversation.medecin) == (None, None)


def test_an_object_without_an_id() -> None:
    conversation = read({"id": 1, "patient": {"nom": "Dupont"}, "medecin": "Saza"})
    assert conversation.patient is not None
    assert (conversation.patient.id, conversation.patient.name) == (None, "Dupont")


# --- last message ------------------------------------------------------------------------------------------------


def test_the_last_message() -> None:
    conversation = read(
        {
            "id": 1,
            "participants": [{**MARIE, "type": "patient"}],
            "lastMessage": {"content": "a\ud800", "createdAt": "2025-08-23T10:00:00Z", "senderId": 5},
        }
    )
    last = conversation.last_message
    assert last is not None
    assert (last.content, last.timestamp, last.sender.name) == ("a�", MORNING, "Marie Dupont")
    assert last.raw is conversation.raw["lastMessage"]


@pytest.mark.parametrize(
    ("payload", "content"),
    [
        ("bonsoir", "bonsoir"),
        ({"contenu": ""}, ""),
        ({"contenu": "a", "date_envoi": "hier"}, "a"),
        ({}, None),
        ({"contenu": 5}, None),
        (["a"], None),
        (5, None),
        (None, None),
    ],
)
def test_other_last_messages(payload: Any, content: str | None) -> None:
    last = read({"id": 1, "dernier_message": payload}).last_message
    assert (None if last is None else last.content) == content
    assert last is None or (last.timestamp is None and last.sender == Participant())


# --- wrong ones --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (None, "not an object"),
        ([{"id": 1}], "not an object"),
        ({}, "no id"),
        ({"conversation": 5}, "no id"),
        ({"conversation": {}}, "no id"),
        ({"id": 5, "conversation": {"titre": "x"}}, "no id"),
    ],
)
def test_invalid(payload: Any, reason: str) -> None:
    with pytest.raises(PayloadError, match=reason) as caught:
        conversation_from_wire(payload)
    assert caught.value.raw is payload


@settings(max_examples=200)
@given(st.one_of(conversations, not_json))
def test_anything_is_read_or_refused(payload: Any) -> None:
    conversation = outcome(conversation_from_wire, payload)
    assert conversation.raw is payload
    if not isinstance(conversation, PayloadError):
        assert_sound(conversation)
