"""Everything that a client sends, in the spelling of the protocol (sections 3 and 4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

from messaging_client.models import Id, Message, MessageStatus, MessageType, Participant, User, UserType
from messaging_client.wire.errors import PayloadError
from messaging_client.wire.messages import message_type_from_wire
from messaging_client.wire.participants import participant_from_wire
from messaging_client.wire.values import iso

TEMPORARY = "temp_"
"""What the id of a message begins with until the server gives it one, as in the JavaScript client."""

__all__ = [
    "authenticate",
    "context_title",
    "create_body",
    "handshake_auth",
    "iso",
    "join",
    "message_sent",
    "message_type",
    "participant_identity",
    "relay_new_message",
    "send_body",
    "send_many_body",
    "send_over_socket",
    "typing",
]

Json = dict[str, Any]

_TYPE_WORDS = {
    MessageType.TEXT: "texte",
    MessageType.IMAGE: "image",
    MessageType.DOCUMENT: "document",
    MessageType.AUDIO: "audio",
}
_SERVER_STATUSES = (MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.READ)


# --- connection --------------------------------------------------------------------------------------------------


def handshake_auth(token: str) -> Json:
    """Give the `auth` of the Socket.IO handshake."""
    return {"token": token}


def authenticate(user: User) -> Json:
    """Give the event that some servers want right after the handshake."""
    return {"userId": user.id, "userType": user.type.value, "role": user.role or user.type.value}


def join(conversation_id: Id, style: Literal["object", "id"] = "object") -> Json | Id:
    """Give what `join_conversation` and `leave_conversation` carry: an object, or the bare id for other servers."""
    return {"conversationId": conversation_id} if style == "object" else conversation_id


def typing(conversation_id: Id, is_typing: bool, now: datetime) -> Json:
    """Give the event that says that the user types, or has stopped."""
    return {"conversationId": conversation_id, "isTyping": is_typing, "timestamp": iso(now)}


# --- messages ----------------------------------------------------------------------------------------------------


def message_type(word: object) -> str | None:
    """Give the wire's word for a type of message (`text` and `texte` are the same); None for one that is not sent."""
    return _TYPE_WORDS.get(message_type_from_wire(word))


def send_body(content: str, type: str, client_message_id: str) -> Json:
    """Give the body of a send; `type` in either spelling."""
    return {**_content(content, type), "client_message_id": client_message_id}


def send_many_body(
    conversation_id: Id | None,
    contents: Iterable[str],
    *,
    session_id: str,
    ordonnance_id: Id | None = None,
    type: str = "texte",
) -> Json:
    """Give the body of a send of many; the conversation may be named by the ordonnance that it is about."""
    body = {"sessionId": session_id, "ordonnance_id": ordonnance_id, "conversation_id": conversation_id}
    known = {name: value for name, value in body.items() if value is not None}
    return {**known, "messages": [_content(each, type) for each in contents]}


def _content(content: str, type: str) -> Json:
    return {"contenu": content, "type_message": message_type(type) or type}


def relay_new_message(message: Message) -> Json:
    """Give a stored message in event spelling, for servers that do not broadcast by themselves.

    A time of receipt stays at home: to others it would look like the server's own. So does a placeholder in place of
    a name, for they may know the name.
    """
    relayed: Json = {
        "id": message.id,
        "conversation_id": message.conversation_id,
        "content": message.content,
        "sender": _person(message.sender),
        "status": (message.status if message.status in _SERVER_STATUSES else MessageStatus.SENT).value,
    }
    if message.type is not MessageType.UNKNOWN:
        relayed["type"] = message.type.value
    if message.recipient is not None:
        relayed["recipient"] = _person(message.recipient)
    if not message.timestamp_is_receipt:
        relayed["timestamp"] = iso(message.timestamp)
    if message.client_message_id is not None:
        relayed["client_message_id"] = message.client_message_id
    return relayed


def message_sent(message: Message, sender_id: Id, now: datetime) -> Json:
    """Give the event that follows a relay."""
    return {
        "message_id": message.id,
        "conversation_id": message.conversation_id,
        "sender_id": sender_id,
        "timestamp": iso(now),
    }


def send_over_socket(
    conversation_id: Id,
    content: str,
    *,
    sender: User,
    client_message_id: str,
    now: datetime,
    type: str = "text",
) -> Json:
    """Give the event that sends a message over the socket; its id is a temporary one."""
    return {
        "conversationId": conversation_id,
        "message": {
            "id": TEMPORARY + client_message_id,
            "conversation_id": conversation_id,
            "content": content,
            "type": message_type_from_wire(type).value,
            "sender": {"id": sender.id, "type": sender.type.value},
            "timestamp": iso(now),
            "status": MessageStatus.SENDING.value,
            "client_message_id": client_message_id,
        },
    }


def _person(person: Participant) -> Json:
    known: Json = {"id": person.id, "type": person.type.value}
    if person.is_named:
        known["name"] = person.name
    return known


# --- conversations -----------------------------------------------------------------------------------------------


def create_body(
    title: str, people: Iterable[tuple[UserType, Id]], *, initiator: User, kind: str = "patient_medecin"
) -> Json:
    """Give the body of a creation."""
    return {
        "titre": title,
        "type_conversation": kind,
        "participants": [
            {"participant_id": identity, "participant_type": user_type.value} for user_type, identity in people
        ],
        "initiateur_id": initiator.id,
        "initiateur_type": initiator.type.value,
    }


def participant_identity(person: Mapping[str, Any]) -> tuple[UserType, Id | None]:
    """Give type and id of a participant that a user wrote as a mapping, in any shape; `unknown` and None without."""
    try:
        found = participant_from_wire(dict(person))
    except PayloadError:
        return UserType.UNKNOWN, None
    return found.type, found.id


def context_title(context_type: str, context_id: Id) -> str:
    """Give the title of a conversation that is opened from a context: `Messages - Ordonnance 15`."""
    word = str(context_type)
    return f"Messages - {word[:1].upper()}{word[1:]} {context_id}"
