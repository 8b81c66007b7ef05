"""Names and payloads of the Socket.IO events (wire protocol, section 4)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from messaging_client.events import (
    ConversationUpdated,
    CustomEvent,
    MessageFailed,
    MessageSent,
    Notification,
    PresenceEvent,
    TypingEvent,
)
from messaging_client.models import Id, Message, PresenceStatus
from messaging_client.wire.construct import construct
from messaging_client.wire.conversations import conversation_status_from_wire
from messaging_client.wire.errors import PayloadError
from messaging_client.wire.messages import CONVERSATION_IDS, IDS, TIMES, client_id_of, message_from_wire
from messaging_client.wire.participants import NOBODY, People, user_type_from_wire
from messaging_client.wire.values import (
    Names,
    dotted,
    first,
    first_id,
    first_object,
    first_text,
    folded,
    optional_time,
    spellings,
    well_formed,
)

# Socket.IO's own
CONNECT = "connect"
DISCONNECT = "disconnect"
CONNECT_ERROR = "connect_error"

# Client to server
JOIN_CONVERSATION = "join_conversation"
LEAVE_CONVERSATION = "leave_conversation"
TYPING = "typing"
SEND_MESSAGE = "send_message"
AUTHENTICATE = "authenticate"

# Server to client; `new_message` and `message_sent` go both ways
NEW_MESSAGE = "new_message"
USER_TYPING = "user_typing"
CONVERSATION_UPDATED = "conversation_updated"
USER_ONLINE = "user_online"
USER_OFFLINE = "user_offline"
NOTIFICATION = "notification"
NEW_CONVERSATION = "new_conversation"  # a type of notification, as `new_message` is
MESSAGE_SENT = "message_sent"
MESSAGE_ERROR = "message_error"
AUTHENTICATED = "authenticated"
ERROR = "error"

INVALID_FRAME = "\0invalid-frame"
"""What stands in place of a frame that cannot be read, with the reason and the frame; no server can send it."""

WireEvent = (
    Message
    | MessageSent
    | MessageFailed
    | TypingEvent
    | ConversationUpdated
    | PresenceEvent
    | Notification
    | CustomEvent
)
"""What an event of the server can become."""

_USER_ID = spellings("userId", "user_id", "id")
_USER_NAME = spellings("userName", "user_name", "name")
_USER_TYPE = spellings("userType", "user_type", "type")
_IS_TYPING = spellings("isTyping", "is_typing")
_STATUS = spellings("statut", "status")
_ERROR_TEXT = spellings("message", "error", "erreur", "reason")
_MESSAGE_IDS = tuple(dict.fromkeys((*spellings("message_id", "messageId", "id_message"), *IDS)))
_CONVERSATION_OBJECT_IDS = tuple(dict.fromkeys((*spellings("id_conversation", "id"), *CONVERSATION_IDS)))
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}

_Payload = dict[str, Any]


def event_from_wire(name: str, args: tuple[Any, ...], *, received_at: datetime, people: People = NOBODY) -> WireEvent:
    """Read an event of the server.

    Args:
        name: its name.
        args: its arguments. Events of the protocol have one; further ones, such as the offset that a server with
            connection state recovery appends, are passed over.
        received_at: time of receipt, aware, UTC.
        people: who takes part, for the names in messages.

    Returns:
        A message or an event of the protocol; a `CustomEvent` with the arguments as sent for any other name.

    Raises:
        PayloadError: the payload of an event of the protocol is not what the protocol says.

    """
    if name == NEW_MESSAGE:
        return message_from_wire(args[0] if args else None, received_at=received_at, people=people)
    if not isinstance(name, str):
        raise PayloadError("the name of an event is not a text", (name, *args))
    reader = _READERS.get(name)
    if reader is None:
        return construct(CustomEvent, name=well_formed(name), args=tuple(args))
    payload = args[0] if args else None
    if not isinstance(payload, dict):
        raise PayloadError("the payload of the event is not an object", payload)
    return reader(payload)


def acknowledgement_from_wire(reply: object) -> MessageSent | MessageFailed:
    """Read what a server acknowledged `send_message` with.

    Args:
        reply: the acknowledgement's argument, or a tuple of several, of which the first object counts; it may be an
            envelope, and the message may stand in it as a whole.

    Raises:
        PayloadError: it says neither that the message was stored nor that it was not.

    """
    given = reply if isinstance(reply, tuple) else (reply,)
    payload = next((each for each in given if isinstance(each, dict)), None)
    if payload is None:
        raise PayloadError("the acknowledgement is not an object", reply)
    fields = {**payload, **(first_object(payload, ("data",)) or {})}
    if _says_failure(payload):
        return _message_failed(fields, reply)
    return _message_sent(fields, reply)


def _says_failure(payload: _Payload) -> bool:
    if payload.get("status") in ("error", "fail") or payload.get("success") is False or payload.get("ok") is False:
        return True
    return bool(first(payload, ("error", "erreur")))


def _message_id(payload: _Payload) -> Id | None:
    found = first_id(payload, _MESSAGE_IDS)
    return first_id(first_object(payload, ("message",)) or {}, IDS) if found is None else found


def _conversation_id(payload: _Payload, names: Names = CONVERSATION_IDS) -> Id | None:
    """Give the conversation that an event names, itself or in an object of its own."""
    found = first_id(payload, names)
    if found is not None:
        return found
    for name, ids in (("conversation", _CONVERSATION_OBJECT_IDS), ("message", CONVERSATION_IDS)):
        inner = dotted(payload, name)
        if isinstance(inner, dict) and (found := first_id(inner, ids)) is not None:
            return found
    return None


def _required(found: Id | None, what: str, payload: object) -> Id:
    if found is None:
        raise PayloadError(f"the event names no {what}", payload)
    return found


def _typing(payload: _Payload) -> TypingEvent:
    return construct(
        TypingEvent,
        raw=payload,
        conversation_id=_required(_conversation_id(payload), "conversation", payload),
        user_id=_required(first_id(payload, _USER_ID), "user", payload),
        user_type=user_type_from_wire(first(payload, _USER_TYPE)),
        user_name=first_text(payload, _USER_NAME),
        is_typing=_is_typing(payload),
        timestamp=optional_time(payload, TIMES),
    )


def _is_typing(payload: _Payload) -> bool:
    """Whether somebody types; an event that does not say says it by its name."""
    value = first(payload, _IS_TYPING)
    if value is None:
        return True
    if isinstance(value, str):
        value = _BOOLEANS.get(folded(value))
    if value in (True, False):  # 1 and 0 are
        return bool(value)
    raise PayloadError("the event does not say whether somebody types", payload)


def _conversation_updated(payload: _Payload) -> ConversationUpdated:
    found = _conversation_id(payload)
    found = first_id(payload, ("id",)) if found is None else found
    word = first(payload, _STATUS)
    return construct(
        ConversationUpdated,
        raw=payload,
        conversation_id=_required(found, "conversation", payload),
        status=None if word is None else conversation_status_from_wire(word),
    )


def _presence(status: PresenceStatus) -> Callable[[_Payload], PresenceEvent]:
    def read(payload: _Payload) -> PresenceEvent:
        return construct(
            PresenceEvent,
            raw=payload,
            user_id=_required(first_id(payload, _USER_ID), "user", payload),
            user_type=user_type_from_wire(first(payload, _USER_TYPE)),
            user_name=first_text(payload, _USER_NAME),
            status=status,
        )

    return read


def _notification(payload: _Payload) -> Notification:
    return construct(
        Notification,
        raw=payload,
        type=first_text(payload, ("type",)) or "unknown",
        conversation_id=_conversation_id(payload),
    )


def _message_sent(payload: _Payload, raw: object = None) -> MessageSent:
    inner = first_object(payload, ("message",)) or {}
    raw = payload if raw is None else raw
    return construct(
        MessageSent,
        raw=raw,
        message_id=_required(_message_id(payload), "message", raw),
        conversation_id=_conversation_id(payload),
        client_message_id=client_id_of(payload) or client_id_of(inner),
        timestamp=optional_time(payload, TIMES) or optional_time(inner, TIMES),
    )


def _message_failed(payload: _Payload, raw: object = None) -> MessageFailed:
    text = first_text(payload, _ERROR_TEXT) or first_text(first_object(payload, ("error",)) or {}, _ERROR_TEXT)
    return construct(
        MessageFailed,
        raw=payload if raw is None else raw,
        message_id=_message_id(payload),
        conversation_id=_conversation_id(payload),
        error=text or "",
    )


_READERS: dict[str, Callable[[_Payload], WireEvent]] = {
    USER_TYPING: _typing,
    CONVERSATION_UPDATED: _conversation_updated,
    USER_ONLINE: _presence(PresenceStatus.ONLINE),
    USER_OFFLINE: _presence(PresenceStatus.OFFLINE),
    NOTIFICATION: _notification,
    MESSAGE_SENT: _message_sent,
    MESSAGE_ERROR: _message_failed,
}
