"""Ids and times in their one canonical form (wire protocol, section 5), whoever gave them: a server or a user."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_LONGEST_NUMBER = 19
"""Digits of a number that is an id as an integer; longer ones are ids as texts."""
_FIRST_TOO_LONG = 10**_LONGEST_NUMBER
_LARGEST_BITS = 3300  # about a thousand digits: Python refuses to write integers of more than 4300
_NO_IDS = frozenset({"", "unknown"})

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS_FROM = 10**11
"""Epoch numbers from here on are milliseconds, those below are seconds."""
_LONGEST_TIME = 100


def to_id(value: object) -> int | str | None:
    """Give the canonical form of an id, or None where there is none.

    A text of 1 to 19 ASCII digits is the integer that it spells; any other text stays as it is. An integer with more
    digits is the text that spells it, so that both spellings stay the same id. Negative integers, blank texts, and
    texts that cannot be written as UTF-8 are no ids: no server of this family gives such.
    """
    if isinstance(value, str):
        return _id_of_text(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        if value < _FIRST_TOO_LONG:
            return value
        return str(value) if value.bit_length() <= _LARGEST_BITS else None
    return None


def _id_of_text(text: str) -> int | str | None:
    if text.isascii():
        if text.isdigit() and len(text) <= _LONGEST_NUMBER:
            return int(text)
    elif not can_be_written(text):
        return None
    return None if text in _NO_IDS or text.isspace() else text


def can_be_written(text: str) -> bool:
    """Whether a text can be written as UTF-8: it holds no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def required_id(value: object) -> int | str:
    """Give the canonical form of an id; ValueError where there is none."""
    found = to_id(value)
    if found is None:
        raise ValueError("an id is an integer from 0 on, or a text that is not empty")
    return found


def optional_id(value: object) -> int | str | None:
    """Give the canonical form of an id; None for what stands for none, ValueError for what is no id at all."""
    if value is None or (isinstance(value, str) and (value in _NO_IDS or value.isspace())):
        return None
    return required_id(value)


def to_moment(value: object) -> datetime:
    """Give an aware time, UTC, of a datetime or of ISO 8601 (both UTC where they say no zone), or an epoch number.

    Raises:
        ValueError, OverflowError: it is no time, or one before the year 1 or after 9999.

    """
    if isinstance(value, datetime):
        return _in_utc(value)
    if isinstance(value, str):
        if len(value) > _LONGEST_TIME:
            raise ValueError("a time is no longer than 100 characters")
        # Digits after the sixth of a fraction are dropped by Python itself.
        return _in_utc(datetime.fromisoformat(value.strip().upper()))
    if isinstance(value, int | float) and not isinstance(value, bool):
        if abs(value) >= _MILLISECONDS_FROM:
            return _EPOCH + timedelta(milliseconds=value)
        return _EPOCH + timedelta(seconds=value)
    raise ValueError("a time is a datetime, a text in ISO 8601, or a number of seconds or milliseconds")


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is UTC:
        return moment
    return moment.replace(tzinfo=UTC) if moment.utcoffset() is None else moment.astimezone(UTC)


def required_moment(value: object) -> datetime:
    """Give an aware time, UTC; ValueError for what is none."""
    try:
        return to_moment(value)
    except (ValueError, OverflowError):
        pass
    # The text of the other exception would repeat what was given.
    raise ValueError("a time is an aware datetime, a text in ISO 8601, or a number, from the year 1 to 9999")
