"""One message, many spellings (wire protocol, section 5). Messages come by the thousand: this is the hot path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from messaging_client.canonical import FIRST_TOO_LONG, can_be_written, to_id, usual_moment
from messaging_client.models import Id, Message, MessageStatus, MessageType, Participant
from messaging_client.wire.construct import Given, complete
from messaging_client.wire.errors import PayloadError
from messaging_client.wire.participants import NOBODY, RECIPIENT, SENDER, People
from messaging_client.wire.regulars import person_in
from messaging_client.wire.shapes import Shapes
from messaging_client.wire.values import Names, first, first_id, folded, spellings, time_of, to_time, well_formed

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
    "envoyé": MessageStatus.SENT,  # found without folding
    "envoye": MessageStatus.SENT,
    "sent": MessageStatus.SENT,
    "livré": MessageStatus.DELIVERED,
    "livre": MessageStatus.DELIVERED,
    "delivered": MessageStatus.DELIVERED,
    "non_lu": MessageStatus.DELIVERED,
    "received": MessageStatus.DELIVERED,
    "lu": MessageStatus.READ,
    "read": MessageStatus.READ,
    "sending": MessageStatus.SENDING,
    "error": MessageStatus.ERROR,
}


def first_content(fields: Mapping[str, Any], names: Names = CONTENTS) -> Any:
    """Give what stands in the place of a message's text, which may be empty; None where nothing does."""
    for name in names:
        value = fields.get(name)
        if value is not None:
            return value
    return None


_NOBODY = Participant.model_construct()
_FIELDS = Given(Message.model_fields)
_SHAPES = Shapes(
    (IDS, first_id),
    (CONVERSATION_IDS, first_id),
    (CONTENTS, first_content),
    (TIMES, first),
    (_TYPE, first),
    (_STATUS, first),
    (_READ_TIMES, first),
    (CLIENT_IDS, first),
    groups=(SENDER.keys, RECIPIENT.keys),
)

OrderKey = tuple[datetime, int, int, str]


def message_order_key(message: Message) -> OrderKey:
    """Give the place of a message within its conversation: by time, then by id, integers before texts."""
    return order_key(message.timestamp, message.id)


def order_key(timestamp: datetime, message_id: Id) -> OrderKey:
    """Give the place of a message with that time and id; see `message_order_key`."""
    if isinstance(message_id, int):
        return timestamp, 0, message_id, ""
    return timestamp, 1, 0, message_id


def message_from_wire(
    payload: object,
    *,
    received_at: datetime | Callable[[], datetime],
    conversation_id: Id | None = None,
    people: People = NOBODY,
) -> Message:
    """Read a message in any spelling.

    Args:
        payload: an object, or one wrapped as `{"message": {…}}`.
        received_at: time of receipt, aware, UTC, for a message that carries none; or what tells it, if needed.
        conversation_id: the conversation of the route, for a message that names none.
        people: who takes part in the conversation, for names.

    Raises:
        PayloadError: not an object, no id, no text, an unreadable time, or two conversations.

    """
    if not isinstance(payload, dict):
        raise PayloadError("a message is not an object", payload)
    fields, outer = _unwrapped(payload) if "message" in payload else (payload, None)
    shape = _SHAPES[tuple(fields)]
    identity, named, content, time, kind, status, read_at, client_id = shape.values(fields)
    # What almost every payload holds is told apart here: a call for each value would cost more than all the rest.
    if type(identity) is not int or not 0 <= identity < FIRST_TOO_LONG:
        identity = to_id(identity)
        if identity is None:
            raise PayloadError("a message has no id", payload)
    if outer is not None:
        named = outer
    elif type(named) is not int or not 0 <= named < FIRST_TOO_LONG:
        named = to_id(named)
    if type(kind) is not str or (told := _TYPES.get(kind)) is None:
        told = MessageType.TEXT if kind is None or kind == "" else message_type_from_wire(kind)
    if type(status) is not str or (state := _STATUSES.get(status)) is None:
        state = _STATUSES.get(folded(status), MessageStatus.UNKNOWN)
    if type(content) is not str or not (content.isascii() or can_be_written(content)):
        content = _text(content, payload)
    is_timed = time is not None and time != ""
    if type(time) is not str or (moment := usual_moment(time)) is None:
        moment = to_time(time, payload) if is_timed else received_at() if callable(received_at) else received_at
    sender, recipient = shape.groups
    return complete(
        Message,
        {
            "raw": payload,
            "id": identity,
            "conversation_id": conversation_id if named is None else named,
            "content": content,
            "type": told,
            "sender": person_in(fields, sender, SENDER, people) or _NOBODY,
            "recipient": person_in(fields, recipient, RECIPIENT, people),
            "timestamp": moment,
            "timestamp_is_receipt": not is_timed,
            "status": state,
            "read_at": None if read_at is None else time_of(read_at),
            "client_message_id": None if client_id is None else _client_id(client_id),
            "late": False,
        },
        _FIELDS,
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


def _text(content: object, payload: object) -> str:
    if not isinstance(content, str):
        raise PayloadError("a message has no text", payload)
    return well_formed(content)


def message_type_from_wire(word: object) -> MessageType:
    """Give the type that a word stands for; `texte` and `text` are the same, and so are `file` and `document`."""
    found = _TYPES.get(word) if isinstance(word, str) else None
    return found or _TYPES.get(folded(word), MessageType.UNKNOWN)


def client_id_of(fields: Mapping[str, Any]) -> str | None:
    """Give the idempotency key that a message carries, as text, or None."""
    return _client_id(first(fields, CLIENT_IDS))


def _client_id(value: object) -> str | None:
    if value == "":
        return None
    if isinstance(value, str):
        return well_formed(value)
    number = to_id(value)
    return None if number is None else str(number)
