"""One message, many spellings (wire protocol, section 5). Messages come by the thousand: this is the hot path."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from messaging_client.canonical import to_id
from messaging_client.models import Id, Message, MessageStatus, MessageType, Participant
from messaging_client.wire.errors import PayloadError
from messaging_client.wire.participants import NOBODY, RECIPIENT, SENDER, People
from messaging_client.wire.values import Names, first, first_id, folded, spellings, well_formed

from .construct import construct
from .participants import person_of
from .values import optional_time, to_time

IDS = spellings("id", "id_message", "message_id", "messageId")
CONVERSATION_IDS = spellings("conversation_id", "conversationId", "id_conversation")
CLIENT_IDS = spellings("client_message_id", "clientMessageId")
CONTENTS: Names = ("content", "contenu")
TIMES = spellings("timestamp", "date_envoi", "created_at", "createdAt")
_READ_TIMES = spellings("date_lecture", "read_at", "readAt")
_TYPE = spellings("type", "type_message")
_STATUS = spellings("status", "statut")

_TYPES = {
    "text": MessageType.TEXT,
    "texte": MessageType.TEXT,
    "image": MessageType.IMAGE,
    "document": MessageType.DOCUMENT,
    "file": MessageType.DOCUMENT,
    "audio": MessageType.AUDIO,
    "voice": MessageType.AUDIO,
    "system": MessageType.SYSTEM,
}
_STATUSES = {
    "envoye": MessageStatus.SENT,
    "sent": MessageStatus.SENT,
    "livre": MessageStatus.DELIVERED,
    "delivered": MessageStatus.DELIVERED,
    "non_lu": MessageStatus.DELIVERED,
    "received": MessageStatus.DELIVERED,
    "lu": MessageStatus.READ,
    "read": MessageStatus.READ,
    "sending": MessageStatus.SENDING,
    "error": MessageStatus.ERROR,
}
_NOBODY = Participant()


def message_from_wire(
    payload: object,
    *,
    received_at: datetime,
    conversation_id: Id | None = None,
    people: People = NOBODY,
) -> Message:
    """Read a message in any spelling.

    Args:
        payload: an object, or one wrapped as `{"message": {…}}`.
        received_at: time of receipt, aware, UTC, for a message that carries none.
        conversation_id: the conversation of the route, for a message that names none.
        people: who takes part in the conversation, for names.

    Raises:
        PayloadError: not an object, no id, no text, an unreadable time, or two conversations.

    """
    if not isinstance(payload, dict):
        raise PayloadError("a message is not an object", payload)
    fields, named = _unwrapped(payload)
    identity = first_id(fields, IDS)
    if identity is None:
        raise PayloadError("a message has no id", payload)
    time = first(fields, TIMES)
    word = first(fields, _TYPE)
    return construct(
        Message,
        raw=payload,
        id=identity,
        conversation_id=conversation_id if named is None else named,
        content=_content(fields, payload),
        type=MessageType.TEXT if word is None else message_type_from_wire(word),
        sender=person_of(fields, SENDER, people) or _NOBODY,
        recipient=person_of(fields, RECIPIENT, people),
        timestamp=received_at if time is None else to_time(time, payload),
        timestamp_is_receipt=time is None,
        status=_STATUSES.get(folded(first(fields, _STATUS)), MessageStatus.UNKNOWN),
        read_at=optional_time(fields, _READ_TIMES),
        client_message_id=client_id_of(fields),
        late=False,
    )


def _unwrapped(payload: dict[str, Any]) -> tuple[dict[str, Any], Id | None]:
    """Take the wrapper off, and give the conversation that message or wrapper names."""
    named = first_id(payload, CONVERSATION_IDS)
    wrapped = payload.get("message")
    if not isinstance(wrapped, dict) or has_content(payload):
        return payload, named
    inner = first_id(wrapped, CONVERSATION_IDS)
    if named is not None and inner is not None and named != inner:
        raise PayloadError("a message names two conversations", payload)
    return wrapped, named if inner is None else inner


def has_content(payload: Mapping[str, Any]) -> bool:
    """Whether there is something in the place of a message's text."""
    return any(payload.get(name) is not None for name in CONTENTS)


def content_of(fields: Mapping[str, Any]) -> str | None:
    """Give the text of a message, which may be empty; None where it is absent or is no text."""
    for name in CONTENTS:
        value = fields.get(name)
        if value is not None:
            return well_formed(value) if isinstance(value, str) else None
    return None


def _content(fields: Mapping[str, Any], payload: object) -> str:
    content = content_of(fields)
    if content is None:
        raise PayloadError("a message has no text", payload)
    return content


def message_type_from_wire(word: object) -> MessageType:
    """Give the type that a word stands for; `texte` and `text` are the same, and so are `file` and `document`."""
    return _TYPES.get(folded(word), MessageType.UNKNOWN)


def client_id_of(fields: Mapping[str, Any]) -> str | None:
    """Give the idempotency key that a message carries, as text, or None."""
    value = first(fields, CLIENT_IDS)
    if isinstance(value, str):
        return well_formed(value)
    number = to_id(value)
    return None if number is None else str(number)
