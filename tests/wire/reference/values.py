"""Single values, of which these are read by short cuts elsewhere; all others are those of the package."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from messaging_client.canonical import to_moment
from messaging_client.wire.errors import PayloadError
from messaging_client.wire.values import Names, first, well_formed


def to_time(value: object, raw: object = None) -> datetime:
    try:
        if not isinstance(value, datetime):
            return to_moment(value)
    except (ValueError, OverflowError):
        pass
    raise PayloadError("the time is unreadable", value if raw is None else raw)


def optional_time(payload: Mapping[str, Any], names: Names) -> datetime | None:
    value = first(payload, names)
    if value is None:
        return None
    try:
        return to_time(value)
    except PayloadError:
        return None


def first_text(payload: Mapping[str, Any], names: Names) -> str | None:
    for name in names:
        value = payload.get(name)
        if isinstance(value, str) and value and not value.isspace():
            return well_formed(value)
    return None
