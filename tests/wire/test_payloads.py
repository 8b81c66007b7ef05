from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging_client.models import ContextType, Message, MessageStatus, MessageType, Participant, User, UserType
from messaging_client.wire import payloads
from messaging_client.wire.events import NEW_MESSAGE, event_from_wire
from messaging_client.wire.messages import message_from_wire
from messaging_client.wire.titles import context_from_title

from .support import NOW, vectors

PATIENT, MEDECIN = UserType.PATIENT, UserType.MEDECIN
MARIE = User(id=5, type=PATIENT, role="patient")
SAZA = User(id=79, type=MEDECIN, role="professionnel_sante")


def test_all_names() -> None:
    public = {name for name, value in vars(payloads).items() if getattr(value, "__module__", "") == payloads.__name__}
    assert {name for name in public if not name.startswith("_")} | {"iso"} == set(payloads.__all__)


def test_connection() -> None:
    assert payloads.handshake_auth("eyJ.a.b") == {"token": "eyJ.a.b"}
    assert payloads.authenticate(SAZA) == {"userId": 79, "userType": "medecin", "role": "professionnel_sante"}
    assert payloads.authenticate(User(id=5, type=PATIENT)) == {"userId": 5, "userType": "patient", "role": "patient"}
    assert payloads.join(15) == payloads.join(15, "object") == {"conversationId": 15}
    assert payloads.join("conv_1", "id") == "conv_1"
    assert payloads.typing(15, True, NOW) == {
        "conversationId": 15,
        "isTyping": True,
        "timestamp": "2025-08-23T12:30:00.123Z",
    }


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("text", "texte"),
        ("texte", "texte"),
        (MessageType.TEXT, "texte"),
        ("image", "image"),
        ("document", "document"),
        ("file", "document"),
        ("audio", "audio"),
        ("voice", "audio"),
        ("system", None),
        ("unknown", None),
        ("hologramme", None),
        ("", None),
        (None, None),
        (5, None),
        ([], None),
    ],
)
def test_types(word: Any, expected: str | None) -> None:
    assert payloads.message_type(word) == expected


def test_sends() -> None:
    assert payloads.send_body("a", "texte", "k") == payloads.send_body("a", MessageType.TEXT, "k")
    assert payloads.send_body("a", "image", "k") == {
        "contenu": "a",
        "type_message": "image",
        "client_message_id": "k",
    }
    assert payloads.send_many_body(15, ["a", "b"], session_id="s", ordonnance_id=3) == {
        "sessionId": "s",
        "ordonnance_id": 3,
        "conversation_id": 15,
        "messages": [{"contenu": "a", "type_message": "texte"}, {"contenu": "b", "type_message": "texte"}],
    }
    assert payloads.send_many_body(None, [], session_id="s", ordonnance_id=3) == {
        "sessionId": "s",
        "ordonnance_id": 3,
        "messages": [],
    }


def test_creations() -> None:
    assert payloads.create_body("T", [(PATIENT, 5), (MEDECIN, "u-7")], initiator=SAZA) == {
        "titre": "T",
        "type_conversation": "patient_medecin",
        "participants": [
            {"participant_id": 5, "participant_type": "patient"},
            {"participant_id": "u-7", "participant_type": "medecin"},
        ],
        "initiateur_id": 79,
        "initiateur_type": "medecin",
    }


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        ({"participant_id": 5, "participant_type": "patient"}, (PATIENT, 5)),
        ({"participant_id": "79", "participant_type": "professionnel"}, (MEDECIN, 79)),
        ({"id": 5, "type": "patient"}, (PATIENT, 5)),
        ({"id": 5, "type": UserType.PATIENT}, (PATIENT, 5)),
        (MappingProxyType({"patient_id": 5}), (PATIENT, 5)),
        ({"id": 5}, (UserType.UNKNOWN, 5)),
        ({"name": "Marie"}, (UserType.UNKNOWN, None)),
        ({}, (UserType.UNKNOWN, None)),
    ],
)
def test_identities(person: Any, expected: tuple[UserType, Any]) -> None:
    assert payloads.participant_identity(person) == expected


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ("ordonnance", "Messages - Ordonnance 15"),
        (ContextType.CONSULTATION, "Messages - Consultation 15"),
        ("examen", "Messages - Examen 15"),
        ("rendez_vous", "Messages - Rendez_vous 15"),
        ("", "Messages -  15"),
    ],
)
def test_titles(context: str, expected: str) -> None:
    assert payloads.context_title(context, 15) == expected


@given(st.sampled_from(ContextType), st.integers(0, 10**19 - 1))
def test_a_title_comes_back(context: ContextType, number: int) -> None:
    assert context_from_title(payloads.context_title(context, number)) == (context, number)


# --- relays ------------------------------------------------------------------------------------------------------


def relayed(message: Message) -> dict[str, Any]:
    payload = payloads.relay_new_message(message)
    return json.loads(json.dumps(payload))  # type: ignore[no-any-return]


def test_a_relay_is_the_event_spelling_of_the_contract() -> None:
    event = next(case["wire"] for case in vectors("messages") if case["name"] == "event spelling")
    assert relayed(message_from_wire(event, received_at=NOW)) == event


def made(**fields: Any) -> Message:
    known = {
        "id": 1,
        "conversation_id": 15,
        "content": "a",
        "sender": Participant(id=5, type=PATIENT),
        "timestamp": NOW,
    }
    return Message(**{**known, **fields})


def test_a_time_of_receipt_stays_at_home() -> None:
    assert "timestamp" not in relayed(made(timestamp_is_receipt=True))
    assert relayed(made())["timestamp"] == "2025-08-23T12:30:00.123Z"


def test_placeholders_stay_at_home() -> None:
    assert relayed(made())["sender"] == {"id": 5, "type": "patient"}
    assert "recipient" not in relayed(made())
    assert "type" not in relayed(made(type=MessageType.UNKNOWN))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (MessageStatus.READ, "read"),
        (MessageStatus.DELIVERED, "delivered"),
        (MessageStatus.SENT, "sent"),
        (MessageStatus.SENDING, "sent"),
        (MessageStatus.UNCERTAIN, "sent"),
        (MessageStatus.ERROR, "sent"),
        (MessageStatus.UNKNOWN, "sent"),
    ],
)
def test_a_stored_message_is_at_least_sent(status: MessageStatus, expected: str) -> None:
    assert relayed(made(status=status))["status"] == expected


people = st.builds(
    Participant,
    id=st.one_of(st.none(), st.integers(0, 99), st.sampled_from(["u-77", "temp_1"])),
    type=st.sampled_from(UserType),
    name=st.sampled_from(["Marie Dupont", "Dr. Sakura Saza", "R2"]),
)
stored = st.builds(
    Message,
    id=st.one_of(st.integers(0, 99), st.sampled_from(["temp_1", "a-b"])),
    conversation_id=st.one_of(st.none(), st.integers(0, 99), st.just("conv_1_2_3")),
    content=st.text(max_size=9),
    type=st.sampled_from(MessageType),
    sender=people,
    recipient=st.one_of(st.none(), people),
    timestamp=st.datetimes(timezones=st.just(UTC)),
    status=st.sampled_from([MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.READ]),
    client_message_id=st.one_of(st.none(), st.uuids().map(str)),
)


@given(stored)
def test_a_relay_comes_back(message: Message) -> None:
    expected = message
    if message.type is MessageType.UNKNOWN:
        expected = message.model_copy(update={"type": MessageType.TEXT})
    assert event_from_wire(NEW_MESSAGE, (relayed(message),), received_at=NOW) == expected


def test_after_a_relay() -> None:
    assert payloads.message_sent(made(), 5, NOW) == {
        "message_id": 1,
        "conversation_id": 15,
        "sender_id": 5,
        "timestamp": "2025-08-23T12:30:00.123Z",
    }


def test_over_the_socket() -> None:
    payload = payloads.send_over_socket(15, "a", sender=SAZA, client_message_id="k", now=NOW)
    assert payload["conversationId"] == 15
    message = message_from_wire(payload, received_at=NOW + timedelta(seconds=1))
    assert (message.id, message.conversation_id, message.content) == ("temp_k", 15, "a")
    assert (message.type, message.status, message.client_message_id) == ("text", "sending", "k")
    assert message.timestamp == datetime(2025, 8, 23, 12, 30, 0, 123000, tzinfo=UTC)
    assert message.sender.is_same_person(SAZA)
    image = payloads.send_over_socket(15, "a", sender=MARIE, client_message_id="k", now=NOW, type="image")
    assert image["message"]["type"] == "image"
