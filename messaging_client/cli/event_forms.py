"""Events as `messaging-client tail` prints them: as one line of JSON, and as words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from messaging_client.cli.choices import EventKind
from messaging_client.cli.output import in_utc
from messaging_client.events import (
    ConnectionChange,
    ConversationUpdated,
    CustomEvent,
    GapDetected,
    InvalidPayload,
    MessageFailed,
    MessageSent,
    Notification,
    PresenceEvent,
    SlowConsumer,
    TypingEvent,
)
from messaging_client.models import ConnectionState, Frozen, Message

KINDS: dict[EventKind, type[Frozen]] = {
    EventKind.MESSAGE: Message,
    EventKind.SENT: MessageSent,
    EventKind.FAILED: MessageFailed,
    EventKind.TYPING: TypingEvent,
    EventKind.PRESENCE: PresenceEvent,
    EventKind.UPDATE: ConversationUpdated,
    EventKind.NOTIFICATION: Notification,
    EventKind.CONNECTION: ConnectionChange,
    EventKind.GAP: GapDetected,
    EventKind.INVALID: InvalidPayload,
    EventKind.SLOW: SlowConsumer,
    EventKind.CUSTOM: CustomEvent,
}
"""The classes of `--type`."""

_WORDS: dict[type[Any], str] = {kind: str(word) for word, kind in KINDS.items()}


def kind_of(event: Any) -> str:
    """Give the word for an event, as in `--type`."""
    return _WORDS[type(event)]


def as_object(event: Any, *, own: bool) -> dict[str, Any]:
    """Give an event as an object: what it is, when it was printed, its conversation, and its own fields."""
    fields = _dumped(event)
    told = {
        "event": kind_of(event),
        "at": in_utc(datetime.now(UTC)),
        "conversation_id": fields.pop("conversation_id", None),
    }
    if isinstance(event, Message):
        fields = {"message_id": fields.pop("id"), "own": own, **fields}
    return told | fields


def _dumped(event: Any) -> dict[str, Any]:
    if isinstance(event, CustomEvent):  # its arguments are the server's own, and are handed on as they are
        return {"name": event.name, "args": list(event.args)}
    if isinstance(event, ConnectionChange):
        fields = event.model_dump(mode="json", exclude={"error"})
        return fields | {"error": None if event.error is None else str(event.error)}
    return dict(event.model_dump(mode="json"))


def who(event: Any) -> str:
    """Give the person of an event, as shown to people; empty where there is none."""
    if isinstance(event, Message):
        return event.sender.display_name
    if isinstance(event, TypingEvent | PresenceEvent):
        return event.user_name or f"{event.user_type} {event.user_id}"
    return ""


def words(event: Any) -> str:
    """Give what an event says, as shown to people: the content of a message, or a few words."""
    match event:
        case Message():
            return ("(late) " if event.late else "") + event.content
        case MessageSent():
            return f"message {event.message_id} is stored"
        case MessageFailed():
            return f"message {event.message_id} was refused: {event.error}"
        case TypingEvent():
            return "types" if event.is_typing else "has stopped typing"
        case PresenceEvent():
            return f"is {event.status}"
        case ConversationUpdated():
            return "has changed" + ("" if event.status is None else f", {event.status}")
        case Notification():
            return event.type
        case ConnectionChange():
            return _connection(event)
        case GapDetected():
            return f"messages may be missing between {event.after or 'the start'} and {event.before or 'now'}"
        case InvalidPayload():
            return f"{event.source}: {event.reason}"
        case SlowConsumer():
            return f"events come faster than they are printed; {event.dropped} dropped, messages are read back"
        case _:
            return f"{event.name} {list(event.args)}"


def connection_words(change: ConnectionChange) -> str:
    """Give how the connection is now, and why."""
    said = f"{change.state} ({change.cause})"
    if change.attempt:
        said += f", attempt {change.attempt}"
    if change.socket_id:
        said += f", socket {change.socket_id[:6]}"
    if change.polling:
        said += ", messages over HTTP meanwhile"
    return said


def _connection(change: ConnectionChange) -> str:
    said = connection_words(change)
    if change.error is not None and change.state is not ConnectionState.CONNECTED:
        said += f": {change.error}"
    return said
