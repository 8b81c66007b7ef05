from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messaging_client.events import (
    ConversationUpdated,
    CustomEvent,
    MessageFailed,
    MessageSent,
    Notification,
    PresenceEvent,
    TypingEvent,
)
from messaging_client.models import ConversationStatus, Message, UserType
from messaging_client.wire import events as names
from messaging_client.wire.errors import PayloadError
from messaging_client.wire.events import acknowledgement_from_wire, event_from_wire
from messaging_client.wire.participants import participant_from_wire, people_index

from .support import NOW, assert_sound, events, json_like, messages, not_json, outcome

MORNING = datetime(2025, 8, 23, 10, tzinfo=UTC)
KNOWN = {
    names.NEW_MESSAGE: Message,
    names.USER_TYPING: TypingEvent,
    names.CONVERSATION_UPDATED: ConversationUpdated,
    names.USER_ONLINE: PresenceEvent,
    names.USER_OFFLINE: PresenceEvent,
    names.NOTIFICATION: Notification,
    names.MESSAGE_SENT: MessageSent,
    names.MESSAGE_ERROR: MessageFailed,
}
TYPING = {"conversationId": 15, "userId": 79}


def read(name: str, *args: Any) -> Any:
    event = event_from_wire(name, args, received_at=NOW)
    assert_sound(event)
    return event


def test_names_are_the_protocols() -> None:
    assert set(KNOWN) == {
        *("new_message", "user_typing", "conversation_updated", "user_online", "user_offline"),
        *("notification", "message_sent", "message_error"),
    }
    assert {names.JOIN_CONVERSATION, names.LEAVE_CONVERSATION, names.TYPING, names.SEND_MESSAGE} == {
        *("join_conversation", "leave_conversation", "typing", "send_message"),
    }
    assert (names.AUTHENTICATE, names.AUTHENTICATED, names.ERROR) == ("authenticate", "authenticated", "error")
    assert (names.CONNECT, names.DISCONNECT, names.CONNECT_ERROR) == ("connect", "disconnect", "connect_error")


# --- messages ----------------------------------------------------------------------------------------------------


def test_a_message_without_a_time() -> None:
    message = read("new_message", {"id": 1, "content": "a"})
    assert (message.timestamp, message.timestamp_is_receipt, message.conversation_id) == (NOW, True, None)


def test_names_of_senders() -> None:
    people = people_index([participant_from_wire({"id": 5, "type": "patient", "name": "Marie"})])
    payload = {"id": 1, "content": "a", "sender": {"id": 5, "type": "patient"}}
    message = event_from_wire("new_message", (payload,), received_at=NOW, people=people)
    assert isinstance(message, Message)
    assert message.sender.name == "Marie"


# --- typing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        (False, False),
        (1, True),
        (0, False),
        ("true", True),
        ("False", False),
        ("1", True),
        ("0", False),
        (None, True),
    ],
)
def test_typing(value: Any, expected: bool) -> None:
    event = read("user_typing", {**TYPING, "isTyping": value})
    assert event.is_typing is expected
    assert (event.user_type, event.user_name, event.timestamp) == (UserType.UNKNOWN, None, None)


def test_typing_with_everything() -> None:
    payload = {**TYPING, "userType": "medecin", "user_name": "Saza", "is_typing": True, "timestamp": "hier"}
    event = read("user_typing", payload)
    assert (event.user_type, event.user_name, event.timestamp) == (UserType.MEDECIN, "Saza", None)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"userId": 79, "isTyping": True}, "names no conversation"),
        ({"conversationId": 15, "isTyping": True}, "names no user"),
        ({**TYPING, "isTyping": "peut-être"}, "whether"),
        ({**TYPING, "isTyping": 2}, "whether"),
        ({**TYPING, "isTyping": []}, "whether"),
        ({**TYPING, "isTyping": float("nan")}, "whether"),
    ],
)
def test_typing_refused(payload: dict[str, Any], reason: str) -> None:
    with pytest.raises(PayloadError, match=reason) as caught:
        read("user_typing", payload)
    assert caught.value.raw is payload


# --- conversations, presence, notices ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [
        {"conversation_id": 15, "id": 3},
        {"conversationId": "15"},
        {"id_conversation": 15},
        {"idConversation": 15},
        {"id": 15},
        {"conversation": {"id_conversation": 15}},
        {"conversation": {"id": "15"}},
        {"conversation": None, "message": {"id": 3, "conversation_id": 15}},
    ],
)
def test_conversation_updated(payload: dict[str, Any]) -> None:
    event = read("conversation_updated", payload)
    assert (event.conversation_id, event.status) == (15, None)


@pytest.mark.parametrize(
    ("word", "expected"),
    [("archivée", ConversationStatus.ARCHIVED), ("lue", ConversationStatus.UNKNOWN), (5, ConversationStatus.UNKNOWN)],
)
def test_the_status_of_a_conversation(word: Any, expected: ConversationStatus) -> None:
    assert read("conversation_updated", {"conversationId": 15, "statut": word}).status is expected


def test_presence() -> None:
    event = read("user_online", {"userId": "79", "userType": "professionnel", "userName": "Saza"})
    assert (event.user_id, event.user_type, event.user_name, event.status) == (79, UserType.MEDECIN, "Saza", "online")
    assert read("user_offline", {"id": 5, "type": "patient", "name": "M"}).status == "offline"
    with pytest.raises(PayloadError, match="names no user"):
        read("user_online", {"userType": "patient"})


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"type": "new_message", "conversation_id": 4}, ("new_message", 4)),
        ({"type": "new_message", "message": {"id": 9, "conversationId": 4}}, ("new_message", 4)),
        ({"type": "x", "id": 4}, ("x", None)),
        ({"type": 5}, ("unknown", None)),
        ({}, ("unknown", None)),
    ],
)
def test_notifications(payload: dict[str, Any], expected: tuple[str, Any]) -> None:
    event = read("notification", payload)
    assert (event.type, event.conversation_id) == expected


# --- fates of messages -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"message_id": 8, "id": 3}, (8, None, None, None)),
        ({"id": 8, "clientMessageId": "k"}, (8, None, "k", None)),
        (
            {"id_message": 8, "conversationId": 15, "timestamp": "2025-08-23T10:00:00Z"},
            (8, 15, None, MORNING),
        ),
        (
            {"message": {"id": 8, "conversation_id": 15, "client_message_id": "k", "date_envoi": 1755943200}},
            (8, 15, "k", MORNING),
        ),
    ],
)
def test_sent(payload: dict[str, Any], expected: tuple[Any, ...]) -> None:
    event = read("message_sent", payload)
    assert (event.message_id, event.conversation_id, event.client_message_id, event.timestamp) == expected


def test_sent_without_a_message() -> None:
    with pytest.raises(PayloadError, match="names no message"):
        read("message_sent", {"conversation_id": 15})


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"message_id": "temp_1", "message": "Refusé"}, ("temp_1", "Refusé")),
        ({"error": "Refusé"}, (None, "Refusé")),
        ({"error": {"message": "Refusé"}}, (None, "Refusé")),
        ({"message": {"id": 8, "content": "a"}, "error": "Refusé"}, (8, "Refusé")),
        ({"message": 5}, (None, "")),
        ({}, (None, "")),
    ],
)
def test_failed(payload: dict[str, Any], expected: tuple[Any, str]) -> None:
    event = read("message_error", payload)
    assert (event.message_id, event.error) == expected


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ({"status": "success", "message_id": 8, "conversation_id": 15, "client_message_id": "k"}, (8, 15, "k")),
        ({"messageId": "8"}, (8, None, None)),
        ({"success": True, "message": {"id": 8, "conversation_id": 15}}, (8, 15, None)),
        ({"status": "success", "data": {"id_message": 8}}, (8, None, None)),
        ({"status": "success", "message": "Envoyé", "data": {"message": {"id": 8}}}, (8, None, None)),
        ((None, {"message_id": 8}), (8, None, None)),
        (({"message_id": 8, "error": None}, "offset"), (8, None, None)),
    ],
)
def test_acknowledged(reply: Any, expected: tuple[Any, ...]) -> None:
    sent = acknowledgement_from_wire(reply)
    assert isinstance(sent, MessageSent)
    assert (sent.message_id, sent.conversation_id, sent.client_message_id) == expected
    assert sent.raw is reply
    assert_sound(sent)


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ({"status": "error", "message": "Refusé", "message_id": "temp_1"}, "Refusé"),
        ({"status": "fail"}, ""),
        ({"success": False, "error": "Refusé"}, "Refusé"),
        ({"ok": False, "reason": "Refusé"}, "Refusé"),
        ({"error": {"message": "Refusé"}, "message_id": 8}, "Refusé"),
        ({"error": True}, ""),
        (({"error": "Refusé"}, None), "Refusé"),
    ],
)
def test_refused(reply: Any, text: str) -> None:
    failed = acknowledgement_from_wire(reply)
    assert isinstance(failed, MessageFailed)
    assert failed.error == text
    assert failed.raw is reply
    assert_sound(failed)


@pytest.mark.parametrize("reply", [None, True, "ok", (), (None, None), {}, {"status": "success"}, ["message_id"]])
def test_acknowledgements_that_say_nothing(reply: Any) -> None:
    with pytest.raises(PayloadError):
        acknowledgement_from_wire(reply)


# --- other events ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["authenticated", "error", "connect", "typing", "rendez_vous", ""])
@pytest.mark.parametrize("args", [(), ({"a": 1},), (1, "b", None)])
def test_any_other(name: str, args: tuple[Any, ...]) -> None:
    assert read(name, *args) == CustomEvent(name=name, args=args)


def test_what_a_custom_event_carries_is_as_sent() -> None:
    payload = {"a": "\ud800"}
    event = read("autre", payload, 2)
    assert event.args[0] is payload
    assert read("\ud800").name == "�"
    assert event_from_wire("autre", [1, 2], received_at=NOW).args == (1, 2)  # type: ignore[arg-type, union-attr]


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("args", [(), (None,), ("bonjour",), ([1],), (15,), (True,)])
def test_no_object(name: str, args: tuple[Any, ...]) -> None:
    with pytest.raises(PayloadError) as caught:
        read(name, *args)
    assert caught.value.raw is (args[0] if args else None)


@pytest.mark.parametrize("name", [5, None, ["new_message"], {}, b"new_message"])
def test_a_name_that_is_no_text(name: Any) -> None:
    with pytest.raises(PayloadError):
        read(name, {})


@settings(max_examples=300)
@given(
    st.one_of(st.sampled_from(sorted(KNOWN)), not_json),
    st.lists(st.one_of(events, messages, not_json), max_size=3).map(tuple),
)
def test_anything_is_read_or_refused(name: Any, args: tuple[Any, ...]) -> None:
    event = outcome(event_from_wire, name, args, received_at=NOW)
    if isinstance(event, PayloadError):
        return
    assert isinstance(event, KNOWN.get(name, CustomEvent))
    assert_sound(event)
    if isinstance(event, CustomEvent):
        assert all(found is given for found, given in zip(event.args, args, strict=True))
    else:
        assert event.raw is args[0]


@given(st.one_of(events, not_json, st.tuples(json_like, events)))
def test_any_acknowledgement(reply: Any) -> None:
    found = outcome(acknowledgement_from_wire, reply)
    assert found.raw is reply
    if not isinstance(found, PayloadError):
        assert isinstance(found, MessageSent | MessageFailed)
        assert_sound(found)
