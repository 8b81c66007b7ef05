"""Events as they stand in the stream: canonical JSON, and headers that say what it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from messaging_client.events import ConversationUpdated, GapDetected, Notification
from messaging_client.fleet.layout import SCHEMA, key_of, written
from messaging_client.models import Id, Message

Event = Message | ConversationUpdated | Notification | GapDetected

NAMES: Mapping[type[Event], str] = {
    Message: "new_message",
    ConversationUpdated: "conversation_updated",
    Notification: "notification",
    GapDetected: "gap",
}
"""What is relayed, and its last part of the subject. Typing and presence pass too quickly to be worked off later."""
_TYPES = {name: kind for kind, name in NAMES.items()}

IDENTITY = "Nats-Msg-Id"
_SCHEMA = "Messaging-Schema"
_EVENT = "Messaging-Event"
_OWN = "Messaging-Own"


class UnknownForm(Exception):
    """An event has a form that this version does not know; a newer worker will."""


class Unreadable(Exception):
    """What stands in the stream is no event."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event on its way through the stream.

    Attributes:
        event: the event.
        identity: the same for the same event, whichever relay it came by.
        is_own: whether the account itself wrote it.
    """

    event: Event = field(repr=False)
    identity: str
    is_own: bool = False

    @property
    def conversation_id(self) -> Id | None:
        """The conversation, or None."""
        return self.event.conversation_id

    @property
    def name(self) -> str:
        """The last part of the subject."""
        return NAMES[type(self.event)]


def envelope(event: Event, *, is_own: bool) -> Envelope:
    """Give an event its identity.

    A message is its conversation and its id. Other events have none on the wire: they are what the server sent, so that
    two that are the same within the stream's window are one.
    """
    if isinstance(event, Message):
        told = f"{written(event.conversation_id)} {written(event.id)}"
    else:
        raw = getattr(event, "raw", None)
        told = event.model_dump_json() if raw is None else json.dumps(raw, sort_keys=True, default=repr)
    name = NAMES[type(event)]
    return Envelope(event, key_of(f"{name} {told}"), is_own)


def packed(sent: Envelope) -> tuple[bytes, dict[str, str]]:
    """Write an event: the bytes and the headers."""
    headers = {
        IDENTITY: sent.identity,
        _SCHEMA: str(SCHEMA),
        _EVENT: sent.name,
        _OWN: str(int(sent.is_own)),
    }
    return sent.event.model_dump_json().encode(), headers


def unpacked(payload: bytes, headers: Mapping[str, Any] | None) -> Envelope:
    """Read an event.

    Raises:
        UnknownForm: it was written by a newer version.
        Unreadable: it is no event.
    """
    told = headers or {}
    schema, name = str(told.get(_SCHEMA, "")), str(told.get(_EVENT, ""))
    if schema.isascii() and schema.isdigit() and len(schema) < 9 and int(schema) > SCHEMA:
        raise UnknownForm(f"The event has form {schema}, and this version knows {SCHEMA}: upgrade this worker.")
    kind, identity = _TYPES.get(name), str(told.get(IDENTITY, ""))
    if schema != str(SCHEMA) or kind is None or not identity:
        raise Unreadable("The headers do not say what it is.")
    try:
        event = kind.model_validate_json(payload)
    except ValidationError as error:
        # The text of the other exception may repeat what a patient wrote.
        raise Unreadable(f"The payload is no {name}: {error.error_count()} faults.") from None
    return Envelope(event, identity, told.get(_OWN) == "1")
