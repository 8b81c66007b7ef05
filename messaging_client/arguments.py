"""Checks of what users pass in: a bad argument is refused before anything is sent."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from messaging_client.canonical import to_id
from messaging_client.errors import ValidationFailed
from messaging_client.models import Id, Message, MessageType, UserType
from messaging_client.wire.payloads import message_type

_LONGEST_ID = 200
_LARGEST_LIMIT = 1000
_LONGEST_WAIT = 1e9  # seconds; more is for ever, and too large for some clocks


def refuse(operation: str, text: str) -> ValidationFailed:
    """Make the error for a bad argument; `status` is None, for nothing was sent."""
    return ValidationFailed(text, operation=operation)


def checked_id(operation: str, name: str, value: Any) -> Id:
    """Give the canonical form of an id: `"15"` and 15 are the same.

    Raises:
        ValidationFailed: it is no id, or holds something that has no place in an address.
    """
    canonical = to_id(value)
    if canonical is None:
        raise refuse(operation, f"{name} must be an integer from 0 on, or a text that is not empty.")
    if isinstance(canonical, str):
        strange = any(unicodedata.category(each)[0] in "CZ" or each in "/\\?#" for each in canonical)
        if strange or ".." in canonical or len(canonical) > _LONGEST_ID:
            raise refuse(
                operation,
                f"{name} holds a space, a control character, one of / \\ ? #, or two dots, or is longer than "
                f"{_LONGEST_ID} characters; no id looks like that.",
            )
    return canonical


def checked_page(operation: str, page: Any, limit: Any) -> tuple[int, int]:
    """Check the number of a page, from 1, and how many items it may hold.

    Raises:
        ValidationFailed: one of them is out of range.
    """
    if isinstance(page, bool) or not isinstance(page, int) or page < 1:
        raise refuse(operation, "page must be a whole number from 1 on; page 1 is the first.")
    return page, checked_limit(operation, limit)


def checked_limit(operation: str, limit: Any) -> int:
    """Check how many items may come at a time.

    Raises:
        ValidationFailed: it is not between 1 and 1000.
    """
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= _LARGEST_LIMIT:
        raise refuse(operation, f"limit must be a whole number from 1 to {_LARGEST_LIMIT}.")
    return limit


def checked_content(operation: str, content: Any, largest: int) -> str:
    """Check the text of a message.

    Args:
        operation: for the error.
        content: the text.
        largest: bytes that the server takes in a message.

    Raises:
        ValidationFailed: it is not a text, has nothing to read in it, is too large, or cannot be written as UTF-8.
    """
    if not isinstance(content, str) or not content.strip():
        raise refuse(operation, "A message needs a text with something to read in it.")
    try:
        size = len(content.encode())
    except UnicodeEncodeError:
        raise refuse(operation, "The text holds half a surrogate pair and cannot be written as UTF-8.") from None
    if size > largest:
        raise refuse(operation, f"The text takes {size} bytes; the server takes {largest}: send it in parts.")
    return content


def checked_text(operation: str, name: str, value: Any) -> str:
    """Check a short text such as a title.

    Raises:
        ValidationFailed: it is not a text, is empty, or cannot be written as UTF-8.
    """
    return (
        checked_content(operation, value, 10_000)
        if isinstance(value, str) and value.strip()
        else _no_text(operation, name)
    )


def _no_text(operation: str, name: str) -> str:
    raise refuse(operation, f"{name} must be a text that is not empty.")


def checked_time(operation: str, name: str, value: Any) -> datetime:
    """Check a time; one without a zone could mean two moments.

    Raises:
        ValidationFailed: it is not an aware datetime.
    """
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise refuse(operation, f"{name} must be a datetime with a time zone, such as datetime.now(UTC).")
    return value.astimezone(UTC)


def checked_user_type(operation: str, value: Any) -> UserType:
    """Check that a person's type is one of the two.

    Raises:
        ValidationFailed: it is neither `patient` nor `medecin`.
    """
    if isinstance(value, str) and value in (UserType.PATIENT, UserType.MEDECIN):
        return UserType(value)
    raise refuse(operation, 'user_type must be "patient" or "medecin".')


def checked_type(operation: str, value: Any) -> MessageType:
    """Check the type of a message, in either spelling.

    Raises:
        ValidationFailed: it is none that can be sent.
    """
    word = message_type(value) if isinstance(value, str) else None
    if word is None:
        raise refuse(operation, "type must be text (texte), image, document or audio.")
    return MessageType.TEXT if word == "texte" else MessageType(word)


def checked_deadline(operation: str, value: Any) -> float | None:
    """Check a deadline in seconds, None for none.

    Raises:
        ValidationFailed: it is no finite number above 0.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LONGEST_WAIT:
        raise refuse(operation, "deadline must be a finite number of seconds above 0, or None for no end.")
    return float(value)


def checked_wait(operation: str, name: str, value: Any) -> float:
    """Check how long to wait, in seconds; 0 looks once.

    Raises:
        ValidationFailed: it is no number from 0 on.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise refuse(operation, f"{name} must be a number of seconds, from 0 on.")
    return float(min(value, _LONGEST_WAIT))


def checked_patience(operation: str, value: Any) -> float | None:
    """Check how long to wait for something, in seconds; None is for ever.

    Raises:
        ValidationFailed: it is no number from 0 on.
    """
    return None if value is None else checked_wait(operation, "timeout", value)


def checked_timeout(operation: str, value: Any) -> float | None:
    """Check the time of a request, None for the usual one.

    Raises:
        ValidationFailed: it is no finite number above 0.
    """
    return None if value is None else checked_seconds(operation, value)


def checked_seconds(operation: str, value: Any) -> float:
    """Check a time-out in seconds.

    Raises:
        ValidationFailed: it is no finite number above 0.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LONGEST_WAIT:
        raise refuse(operation, "timeout must be a finite number of seconds above 0.")
    return float(value)


def checked_list(operation: str, name: str, value: Any) -> list[Any]:
    """Check several things at a time; a text is one thing, not as many as it has letters.

    Raises:
        ValidationFailed: it is no list.
    """
    if isinstance(value, str | bytes | bytearray | Mapping) or not isinstance(value, Iterable):
        raise refuse(operation, f"{name} must be a list; put a single one into [ ].")
    return list(value)


def checked_message(operation: str, value: Any) -> Message:
    """Check that a message is one.

    Raises:
        ValidationFailed: it is something else.
    """
    if not isinstance(value, Message):
        raise refuse(operation, "Give the Message itself, such as one of pending() or of a session's messages.")
    return value


def checked_callable(operation: str, name: str, value: Any) -> None:
    """Check that something can be called.

    Raises:
        ValidationFailed: it cannot.
    """
    if not callable(value):
        raise refuse(operation, f"{name} must be callable.")
