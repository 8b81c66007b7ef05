"""What is told to subscribers, besides `Message` itself. Immutable; `repr` shows ids, not content."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from messaging_client.models import (
    CanonicalId,
    ConnectionCause,
    ConnectionState,
    ConversationStatus,
    FromWire,
    Frozen,
    Message,
    Moment,
    OptionalId,
    Participant,
    PresenceStatus,
    UserType,
)


class MessageSent(FromWire):
    """The server has stored a message of this user (`message_sent`)."""

    shown = ("message_id", "conversation_id")

    message_id: CanonicalId
    conversation_id: OptionalId = None
    client_message_id: str | None = None
    timestamp: Moment | None = None


class MessageFailed(FromWire):
    """The server could not take a message (`message_error`). `error` is the server's text; it is not in `repr`."""

    shown = ("message_id", "conversation_id")

    message_id: OptionalId = None
    conversation_id: OptionalId = None
    error: str = ""


class TypingEvent(FromWire):
    """Somebody types, or has stopped (`user_typing`).

    Attributes:
        user_id: who, within `user_type`; the protocol sends no type, so it is `unknown` on most servers.
        timestamp: when, UTC, or None where the server did not say.

    """

    shown = ("conversation_id", "user_id", "is_typing")

    conversation_id: CanonicalId
    user_id: CanonicalId
    user_type: UserType = UserType.UNKNOWN
    user_name: str | None = None
    is_typing: bool
    timestamp: Moment | None = None


class ConversationUpdated(FromWire):
    """A conversation has changed on the server and should be read again (`conversation_updated`)."""

    shown = ("conversation_id", "status")

    conversation_id: CanonicalId
    status: ConversationStatus | None = None


class PresenceEvent(FromWire):
    """A user came or went (`user_online`, `user_offline`)."""

    shown = ("user_id", "user_type", "status")

    user_id: CanonicalId
    user_type: UserType = UserType.UNKNOWN
    user_name: str | None = None
    status: PresenceStatus


class Notification(FromWire):
    """A notice to this user (`notification`): `type` as the server spells it, and a conversation where it names one."""

    shown = ("type", "conversation_id")

    type: str
    conversation_id: OptionalId = None


class ConnectionChange(Frozen):
    """The connection moved from one state to another.

    Attributes:
        state, previous: the new state and the one before.
        cause: why, in one word.
        attempt: number of the attempt within its round, from 1; 0 when none is going on.
        error: the error that caused the move, or None.
        socket_id: the id of the new connection, or None.
        polling: whether messages are fetched over HTTP meanwhile.

    """

    shown = ("state", "previous", "cause", "attempt", "socket_id", "polling")

    state: ConnectionState
    previous: ConnectionState
    cause: ConnectionCause
    attempt: int = 0
    error: BaseException | None = Field(default=None, repr=False)
    socket_id: str | None = None
    polling: bool = False


class GapDetected(Frozen):
    """A stretch of a conversation that could not be proven complete: messages between both times may be missing.

    Attributes:
        conversation_id: the conversation; None for messages that came without one.
        after, before: the times, or None where that side is open.

    """

    shown = ("conversation_id", "after", "before")

    conversation_id: OptionalId
    after: Moment | None = None
    before: Moment | None = None


class InvalidPayload(Frozen):
    """Something came from the server that is not what the protocol says.

    Attributes:
        source: the event or the operation that it came with.
        reason: what is wrong with it, without its content.
        raw: what came, unchanged; it may hold private text and is not in `repr`.

    """

    shown = ("source", "reason")

    source: str
    reason: str
    raw: Any = Field(default=None, repr=False, exclude=True)


class SlowConsumer(Frozen):
    """A subscription's queue is full: its handler is slower than the events come.

    Attributes:
        subscription: name of the subscription's event type.
        handler: name of the handler.
        dropped: how many events the subscription has lost so far; messages are never lost, they are read back.

    """

    shown = ("subscription", "handler", "dropped")

    subscription: str
    handler: str
    dropped: int = 0


class HandlerError(Frozen):
    """An exception came out of a user's handler; the handler gets the next event all the same.

    Attributes:
        handler: name of the handler.
        event: what it was given; not in `repr`.
        error: the exception.

    """

    shown = ("handler",)

    handler: str
    event: Any = Field(default=None, repr=False, exclude=True)
    error: BaseException = Field(repr=False)

    def _hashed(self) -> tuple[Any, ...]:
        return (self.handler, self.error)


class CustomEvent(Frozen):
    """Any other event of the server, by its name, with the arguments as sent."""

    shown = ("name",)

    name: str
    args: tuple[Any, ...] = Field(default=(), repr=False)

    def _hashed(self) -> tuple[Any, ...]:
        # Arguments are JSON, that is dicts and lists; equal events have as many of them.
        return (self.name, len(self.args))


Event = (
    Message
    | MessageSent
    | MessageFailed
    | TypingEvent
    | ConversationUpdated
    | PresenceEvent
    | Notification
    | ConnectionChange
    | GapDetected
    | InvalidPayload
    | SlowConsumer
    | HandlerError
    | CustomEvent
)
"""Everything that can be subscribed to."""

__all__ = [
    "ConnectionChange",
    "ConversationUpdated",
    "CustomEvent",
    "Event",
    "GapDetected",
    "HandlerError",
    "InvalidPayload",
    "Message",
    "MessageFailed",
    "MessageSent",
    "Notification",
    "Participant",
    "PresenceEvent",
    "SlowConsumer",
    "TypingEvent",
]
