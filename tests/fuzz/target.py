"""What is fuzzed: everything that makes something of a server's bytes, without a network.

The first byte chooses the reader, the rest is what the server sent. Nothing may come out but what the reader promises.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from messaging_client.events import CustomEvent
from messaging_client.models import Frozen, History, UserType
from messaging_client.transport.auth import TokenSource
from messaging_client.transport.packets import INVALID_FRAME, SafePacket
from messaging_client.transport.refusals import Refusal, explain
from messaging_client.transport.retry import retry_after
from messaging_client.transport.statuses import Answer, error_for
from messaging_client.wire import answers, events
from messaging_client.wire.errors import PayloadError
from messaging_client.wire.titles import context_from_title

NOW = datetime(2025, 1, 1, tzinfo=UTC)
_HEAD, _SIGNATURE = "eyJhbGciOiJIUzI1NiJ9", "c2ln"

Reader = Callable[[Any, Callable[[PayloadError], None]], Any]

READERS: tuple[Reader, ...] = (
    lambda body, report: answers.read_conversations(body, page=1, limit=20, report=report),
    lambda body, report: answers.read_history(
        body, conversation_id=None, page=1, limit=50, received_at=NOW, report=report
    ),
    lambda body, report: answers.read_history(
        body, conversation_id=15, page=1, limit=50, received_at=NOW, report=report, context_type="ordonnance"
    ),
    lambda body, report: answers.read_new_messages(body, conversation_id=15, received_at=NOW, report=report),
    lambda body, report: answers.read_participants(body, report=report),
    lambda body, report: answers.read_user(body, user_id=5, user_type=UserType.PATIENT, type_implied=False),
    lambda body, report: answers.read_message(body, conversation_id=15, received_at=NOW),
    lambda body, report: answers.read_marked(body, received_at=NOW),
    lambda body, report: answers.read_conversation(body),
    lambda body, report: answers.read_permissions(body),
    lambda body, report: events.acknowledgement_from_wire(body),
)
NAMES = (*events._READERS, events.NEW_MESSAGE)


def one_input(data: bytes) -> None:
    """Read an input as one of the things that a server can send."""
    if not data:
        return
    kind, rest = data[0] % (len(READERS) + 4), data[1:]
    if kind < len(READERS):
        _answer(READERS[kind], rest)
    elif kind == len(READERS):
        _frame(rest.decode("utf-8", "replace"))
    elif kind == len(READERS) + 1:
        _refusal(rest)
    elif kind == len(READERS) + 2:
        _told(context_from_title(rest.decode("utf-8", "replace")))
    else:
        _token(rest)


def _answer(read: Reader, body: bytes) -> None:
    reported: list[PayloadError] = []
    try:
        _told(read(answers.parse_json(body), reported.append))
    except PayloadError as fault:
        reported.append(fault)
    for fault in reported:
        str(fault).encode()


def _frame(text: str) -> None:
    packet = SafePacket(encoded_packet=text)
    if not packet.data or not isinstance(packet.data, list):
        return
    name, *args = packet.data
    if name == INVALID_FRAME:
        str(args[0]).encode()
        return
    for each in {name, *NAMES} if isinstance(name, str) else ():
        try:
            _told(events.event_from_wire(each, tuple(args), received_at=NOW))
        except PayloadError as fault:
            str(fault).encode()


def _refusal(body: bytes) -> None:
    status = 300 + body[0] % 256 if body else 500
    headers = {"retry-after": body[1:40].decode("latin-1")}
    retry_after(headers, NOW)
    error = error_for(Answer(status, headers, body[1:]), "messages", NOW)
    assert error is not None
    str(error).encode()
    said = getattr(error, "server_message", None)
    assert said is None or len(said.encode()) <= 8000
    try:
        data = answers.parse_json(body[1:])
    except PayloadError:
        return
    (explain(Refusal(data)).server_message or "").encode()


def _token(body: bytes) -> None:
    claims = base64.urlsafe_b64encode(body).decode().rstrip("=")
    if claims:
        source = TokenSource(f"{_HEAD}.{claims}.{_SIGNATURE}")
        assert source.expires_at is None or source.expires_at.tzinfo is UTC


def _told(found: Any) -> None:
    """What users do first with what they got: look at it, keep it in a set, write it out."""
    repr(found).encode()
    for each in found if isinstance(found, tuple) else (found,):
        if isinstance(each, Frozen):
            each.model_dump_json()
            if not isinstance(each, History | CustomEvent):  # these hold objects of the server's as they came
                hash(each)
