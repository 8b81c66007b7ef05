"""Socket.IO packets as the library reads and writes them, made safe against frames that are not what they should be.

The library decodes each frame in a task of its own, where an exception is lost and the event with it. Here a frame that
cannot be read becomes an event named `INVALID_FRAME`, which is reported with what came.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from socketio import packet

from messaging_client import strict_json
from messaging_client.errors import ValidationFailed
from messaging_client.wire import events

INVALID_FRAME = events.INVALID_FRAME
"""Name of the event that stands for an unreadable frame; its arguments are the reason and the frame."""

DISCONNECT_FRAME = "1"
"""Socket.IO protocol 5: DISCONNECT of the default namespace."""

# Socket.IO's own, the library's own ("*" is where it keeps the handler of all others), and ours.
RESERVED = frozenset({"connect", "disconnect", "connect_error", "__disconnect_final", "*", INVALID_FRAME})
_BINARY = (packet.BINARY_EVENT, packet.BINARY_ACK)
_MOST_ATTACHMENTS = 100  # no event of the protocol has any; a server could have us wait for ten thousand million
_NOT_GIVEN = object()
_UNREADABLE = (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)


class StrictJson:
    """JSON without the constants that JavaScript cannot read (`NaN`, `Infinity`)."""

    @staticmethod
    def dumps(value: Any, **_options: Any) -> str:
        """Encode; ValueError or TypeError for what JSON cannot hold."""
        return strict_json.dumps(value)

    @staticmethod
    def loads(text: str) -> Any:
        """Decode; ValueError for what is not JSON."""
        return strict_json.loads(text)


class _Unreadable(ValueError):
    """A fault of a frame; its text names no content."""


class SafePacket(packet.Packet):  # type: ignore[misc]
    """A packet whose decoding never raises.

    Attributes:
        most_bytes: what the attachments of one packet may hold together; they are kept until the last has come.

    """

    json = StrictJson
    data: Any
    attachments: list[bytes]
    most_bytes = 4 * 1024 * 1024

    def __init__(self, *args: Any, encoded_packet: Any = _NOT_GIVEN, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if encoded_packet is _NOT_GIVEN:
            return
        try:
            if not isinstance(encoded_packet, str):
                raise _Unreadable("a packet that is no text")
            self.attachment_count = self.decode(encoded_packet) or 0
            self._check()
        except _UNREADABLE as error:
            self._become_invalid(error, encoded_packet)

    def _check(self) -> None:
        kind = self.packet_type
        if kind not in range(7):
            raise _Unreadable("unknown packet type")
        if kind in (packet.EVENT, packet.BINARY_EVENT):
            if not isinstance(self.data, list) or not self.data or not isinstance(self.data[0], str):
                raise _Unreadable("an event without a name")
            if self.data[0] in RESERVED:
                raise _Unreadable("an event with a reserved name")
        elif kind in (packet.ACK, packet.BINARY_ACK):
            # Numbers start at 1; under 0 the library keeps something of its own.
            if not isinstance(self.data, list) or not self.id:
                raise _Unreadable("an acknowledgement without arguments or number")
        elif kind == packet.CONNECT and self.data is not None and not isinstance(self.data, dict):
            raise _Unreadable("a connection packet without an object")
        if (kind in _BINARY) is not (self.attachment_count > 0):
            raise _Unreadable("wrong number of attachments")
        if self.attachment_count > _MOST_ATTACHMENTS:
            raise _Unreadable("too many attachments")

    def add_attachment(self, attachment: Any) -> bool:
        """Take one attachment of a binary packet; True when the packet is whole."""
        try:
            if not isinstance(attachment, bytes):
                raise _Unreadable("text where a binary attachment was due")
            if len(attachment) + sum(map(len, self.attachments)) > self.most_bytes:
                raise _Unreadable("attachments that are too large together")
            return bool(super().add_attachment(attachment))
        except _UNREADABLE as error:
            self._become_invalid(error, [self.data, attachment])
            self.attachments = []
            self.packet_type = packet.BINARY_EVENT  # what the library takes for an event at this point
            return True

    def _become_invalid(self, error: Exception, raw: Any) -> None:
        # Texts of other errors may quote the frame, so their type alone is told.
        if isinstance(error, json.JSONDecodeError):
            reason = error.msg
        else:
            is_ours = isinstance(error, _Unreadable | strict_json.NotFinite)
            reason = str(error) if is_ours else type(error).__name__
        self.packet_type = packet.EVENT
        self.namespace = None
        self.id = None
        self.attachment_count = 0
        self.data = [INVALID_FRAME, reason, raw]


@cache
def packets_up_to(limit: int) -> type[SafePacket]:
    """Give the packets of a link on which a frame, and the attachments of a packet together, may have so many bytes."""
    return type("SafePacket", (SafePacket,), {"most_bytes": limit})


def encode_event(name: str, payload: Any, limit: int, number: int | None = None) -> list[str | bytes]:
    """Write an event as frames.

    Args:
        name: of the event.
        payload: its argument; a tuple is several, None is none.
        limit: bytes that a frame may have at most, the engine's own packet type included.
        number: under which the server is to acknowledge it, or None.

    Raises:
        ValidationFailed: the payload is no JSON, or larger than that.
    """
    arguments = payload if isinstance(payload, tuple) else () if payload is None else (payload,)
    event = [name, *arguments]
    try:
        # As the library writes it; it would look through the whole payload for binary parts first.
        frame = f"{packet.EVENT}{'' if number is None else number}{strict_json.dumps(event)}"
        if len(frame) < limit:  # in ASCII
            return [frame]
    except (TypeError, ValueError, RecursionError):
        pass  # binary parts, or what cannot be written at all
    return _encoded_by_the_library(event, limit, number)


def _encoded_by_the_library(event: list[Any], limit: int, number: int | None) -> list[str | bytes]:
    name = event[0]
    try:
        encoded = SafePacket(packet.EVENT, data=event, namespace="/", id=number).encode()
    except (TypeError, ValueError, RecursionError):
        raise ValidationFailed(
            f"The payload of '{name}' cannot be written as JSON; give dicts, lists, strings and finite numbers.",
            operation=name,
        ) from None
    frames = encoded if isinstance(encoded, list) else [encoded]
    largest = max(len(frame) if isinstance(frame, bytes) else len(frame.encode()) for frame in frames) + 1
    if largest > limit:
        raise ValidationFailed(
            f"'{name}' takes {largest} bytes, more than the {limit} that the server takes at a time; "
            "send less, or raise max_message_bytes if the server allows it.",
            operation=name,
        )
    return frames
