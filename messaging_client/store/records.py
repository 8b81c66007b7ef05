"""What is kept, and how it is written down. Ids are JSON, so that 15 and "15x" come back as what they are."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from messaging_client.models import Id, MessageType

Row = tuple[Any, ...]

_MOST = 2**53  # far beyond what is counted here, and far below where SQLite's numbers end


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a conversation was read and handled.

    Attributes:
        conversation_id: the conversation.
        timestamp: server time of the newest proven message, UTC; None at the start of the conversation.
        newest_id: its id, or None.
        ids: the proven messages with exactly that time.
        seen: messages told and handled since, and the latest before, oldest first.
    """

    conversation_id: Id
    timestamp: datetime | None = None
    newest_id: Id | None = None
    ids: frozenset[Id] = frozenset()
    seen: tuple[Id, ...] = ()


class SendState(StrEnum):
    """Where a message on its way stands; a confirmed one is not kept."""

    QUEUED = "queued"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"


@dataclass(slots=True)
class StoredSend:
    """A message that is not certain to be on the server.

    Attributes:
        client_message_id: its key from birth.
        conversation_id: the conversation.
        position: its place among all; smaller goes first.
        content: the text; never in `repr`.
        kind: its type.
        created_at: when it was accepted, by this machine's clock.
        timestamp: the time that it stands at in its conversation until the server gives one.
        state: where it stands.
        attempts: requests that were sent for it.
        may_have_left: whether one of them can have reached the server, and its fate is not known.
        after_time, after_ids: server time and ids of the newest messages known before the first request; `after_ids` is
            None while they are not known.
        expires_at: when it is given up, or None.
        error: the name of the last error's class, or None.
    """

    client_message_id: str
    conversation_id: Id
    position: int
    content: str = field(repr=False)
    kind: MessageType
    created_at: datetime
    timestamp: datetime
    state: SendState = SendState.QUEUED
    attempts: int = 0
    may_have_left: bool = False
    after_time: datetime | None = None
    after_ids: frozenset[Id] | None = None
    expires_at: datetime | None = None
    error: str | None = None


SEND_COLUMNS = (
    "client_message_id, conversation_id, position, content, kind, created_at, timestamp, state, attempts, "
    "may_have_left, after_time, after_ids, expires_at, error"
)


def send_to_row(send: StoredSend) -> Row:
    """Write a message down, in the order of `SEND_COLUMNS`."""
    return (
        send.client_message_id,
        write_id(send.conversation_id),
        send.position,
        send.content,
        send.kind.value,
        _write_time(send.created_at),
        _write_time(send.timestamp),
        send.state.value,
        send.attempts,
        int(send.may_have_left),
        _write_time(send.after_time),
        None if send.after_ids is None else _write_ids(send.after_ids),
        _write_time(send.expires_at),
        send.error,
    )


def send_from_row(row: Row) -> StoredSend:
    """Read a message.

    Raises:
        ValueError, TypeError: a value that was never written here.
    """
    key, conversation, position, content, kind, created, stands_at, state, attempts, left, time, ids, expires, why = row
    return StoredSend(
        client_message_id=_text(key),
        conversation_id=read_id(conversation),
        position=_count(position),
        content=_text(content),
        kind=MessageType(kind),
        created_at=_read_time(created),
        timestamp=_read_time(stands_at),
        state=SendState(state),
        attempts=_count(attempts),
        may_have_left=bool((0, 1).index(left)),
        after_time=None if time is None else _read_time(time),
        after_ids=None if ids is None else frozenset(_read_ids(ids)),
        expires_at=None if expires is None else _read_time(expires),
        error=None if why is None else _text(why),
    )


CURSOR_COLUMNS = "conversation_id, timestamp, newest_id, ids, seen"


def cursor_to_row(cursor: Cursor) -> Row:
    """Write a position down, in the order of `CURSOR_COLUMNS`."""
    newest = None if cursor.newest_id is None else write_id(cursor.newest_id)
    return (
        write_id(cursor.conversation_id),
        _write_time(cursor.timestamp),
        newest,
        _write_ids(cursor.ids),
        _write_ids(cursor.seen),
    )


def cursor_from_row(row: Row) -> Cursor:
    """Read a position.

    Raises:
        ValueError, TypeError: a value that was never written here.
    """
    conversation, time, newest, ids, seen = row
    return Cursor(
        conversation_id=read_id(conversation),
        timestamp=None if time is None else _read_time(time),
        newest_id=None if newest is None else read_id(newest),
        ids=frozenset(_read_ids(ids)),
        seen=tuple(_read_ids(seen)),
    )


def write_id(value: Id) -> str:
    """Write an id so that a number stays a number and a text a text."""
    return json.dumps(value)


def read_id(written: object) -> Id:
    """Read an id.

    Raises:
        ValueError, TypeError: it is none.
    """
    return _checked(_parsed(written))


def _write_ids(ids: frozenset[Id] | tuple[Id, ...]) -> str:
    return json.dumps(list(ids))


def _read_ids(written: object) -> list[Id]:
    ids = _parsed(written)
    if not isinstance(ids, list):
        raise TypeError("no list of ids")
    return [_checked(each) for each in ids]


def _checked(value: object) -> Id:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError("no id")
    return value


def _write_time(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(UTC).isoformat()


def _read_time(written: object) -> datetime:
    time = datetime.fromisoformat(_text(written))
    if time.tzinfo is None:
        raise ValueError("no zone")
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("no time") from None


def _parsed(written: object) -> object:
    try:
        return json.loads(_text(written))
    except RecursionError:
        raise ValueError("too deep") from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _MOST:
        raise ValueError("no count")
    return value
