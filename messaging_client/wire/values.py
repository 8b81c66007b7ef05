"""Single values: ids, times, texts, words, and picking the first spelling that is there (wire protocol, section 5)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from messaging_client.canonical import can_be_written, to_id, to_moment, usual_moment
from messaging_client.models import Id
from messaging_client.wire.errors import PayloadError

Names = tuple[str, ...]

_LONGEST_WORD = 64
_FIRST_TOO_LARGE = 10**19  # for a count

_CAMEL_JOINT = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


# --- times -------------------------------------------------------------------------------------------------------


def to_time(value: object, raw: object = None) -> datetime:
    """Read a time: ISO 8601 (without a zone it is UTC), or an epoch number in seconds or milliseconds.

    Args:
        value: what came.
        raw: the payload that it came in, for the error; the value itself if not given.

    Returns:
        An aware datetime, UTC.

    Raises:
        PayloadError: it is no time, or one before the year 1 or after 9999.

    """
    try:
        if not isinstance(value, datetime):
            return _moment(value)
    except (ValueError, OverflowError):
        pass
    raise PayloadError("the time is unreadable", value if raw is None else raw)


def optional_time(payload: Mapping[str, Any], names: Names) -> datetime | None:
    """Give the time under the first of these names that holds one; None where it is absent or unreadable."""
    return time_of(first(payload, names))


def time_of(value: object) -> datetime | None:
    """Give a time; None where there is none, or an unreadable one."""
    if type(value) is str and (usual := usual_moment(value)) is not None:
        return usual
    if value is None or value == "" or isinstance(value, datetime):
        return None
    try:
        return to_moment(value)
    except (ValueError, OverflowError):
        return None


def _moment(value: object) -> datetime:
    usual = usual_moment(value) if type(value) is str else None
    return to_moment(value) if usual is None else usual


def iso(moment: datetime) -> str:
    """Write a time as servers expect it: UTC with `Z`, to the millisecond, or to the microsecond where needed."""
    exactness = "microseconds" if moment.microsecond % 1000 else "milliseconds"
    return moment.astimezone(UTC).isoformat(timespec=exactness)[: -len("+00:00")] + "Z"


# --- texts and words ---------------------------------------------------------------------------------------------


def well_formed(text: str) -> str:
    """Give the text with `�` in place of halves of surrogate pairs, which can be neither written nor stored."""
    if text.isascii() or can_be_written(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def folded(value: object) -> str:
    """Give a word for comparison: without case, accents and outer spaces; what is no short text is no word."""
    return _folded(value) if isinstance(value, str) and len(value) <= _LONGEST_WORD else ""


@lru_cache(maxsize=512)
def _folded(word: str) -> str:
    parts = unicodedata.normalize("NFKD", word.strip().casefold())
    return "".join(each for each in parts if not unicodedata.combining(each))


def to_count(value: object) -> int | None:
    """Give a number of things: an integer from 0 on, or digits that spell it; None where it is none."""
    if isinstance(value, float) and value.is_integer() and value < _FIRST_TOO_LARGE:
        value = int(value)
    number = to_id(value)
    return number if isinstance(number, int) else None


# --- picking -----------------------------------------------------------------------------------------------------


def spellings(*names: str) -> Names:
    """Give names in order of preference, each also in camelCase and in snake_case; the added ones come last."""
    added = (variant for name in names for variant in (_camel(name), _snake(name)))
    return tuple(dict.fromkeys((*names, *added)))


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(each[:1].upper() + each[1:] for each in tail)


def _snake(name: str) -> str:
    return _CAMEL_JOINT.sub("_", name).lower()


def first(payload: Mapping[str, Any], names: Names) -> Any:
    """Give what stands under the first of these names that holds something, null and empty text being nothing."""
    for name in names:
        value = payload.get(name)
        if value is not None and value != "":
            return value
    return None


def first_id(payload: Mapping[str, Any], names: Names) -> Id | None:
    """Give the id under the first of these names that holds one."""
    for name in names:
        value = payload.get(name)
        if value is not None:
            found = to_id(value)
            if found is not None:
                return found
    return None


def first_text(payload: Mapping[str, Any], names: Names) -> str | None:
    """Give the text under the first of these names that holds one with something in it."""
    for name in names:
        text = text_of(payload.get(name))
        if text is not None:
            return text
    return None


def text_of(value: object) -> str | None:
    """Give a text with something in it, well formed; None for anything else."""
    if isinstance(value, str) and value and not value.isspace():
        return value if value.isascii() else well_formed(value)
    return None


def first_object(payload: Mapping[str, Any], names: Names) -> dict[str, Any] | None:
    """Give the object under the first of these names that holds one."""
    for name in names:
        value = payload.get(name)
        if isinstance(value, dict):
            return value
    return None


def dotted(payload: object, path: str) -> Any:
    """Give what stands at a path such as `rawData.participants`, or None where it breaks off."""
    found = payload
    for name in path.split("."):
        if not isinstance(found, dict):
            return None
        found = found.get(name)
    return found
