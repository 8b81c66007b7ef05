"""JSON, and the envelope around the answers of REST (wire protocol, section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from messaging_client import strict_json
from messaging_client.wire.errors import PayloadError
from messaging_client.wire.messages import IDS, has_content
from messaging_client.wire.values import first, first_id, first_text, folded, spellings, well_formed

_ERROR_TEXT = spellings("message", "error", "erreur", "detail")
_ERROR_PLACES = ("error", "erreur", "data")
_OF_THE_ENVELOPE = frozenset({"status", "success", "data"})


def parse_json(data: bytes) -> object:
    """Read JSON in UTF-8; None where there is nothing.

    Raises:
        PayloadError: it is not JSON, is nested too deeply, or holds a number with thousands of digits.

    """
    if not data.strip():
        return None
    try:
        parsed: object = strict_json.loads_utf8(data)
    except (ValueError, RecursionError):
        pass
    else:
        return parsed
    raise PayloadError("the answer is not JSON", data)


def error_message(body: object) -> str | None:
    """Give what the server says in the answer to a request that failed, or None."""
    if isinstance(body, str):
        return well_formed(body) or None
    if not isinstance(body, dict):
        return None
    places = [body, *(body.get(name) for name in _ERROR_PLACES)]
    texts = (first_text(each, _ERROR_TEXT) for each in places if isinstance(each, dict))
    return next(filter(None, texts), None)


def is_success_envelope(body: object) -> bool:
    """Whether the body says by itself that the request succeeded."""
    return isinstance(body, dict) and (folded(body.get("status")) == "success" or body.get("success") is True)


def data_of(body: object) -> dict[str, Any] | list[Any] | None:
    """Take the envelope off.

    Returns:
        What was asked for: an object, a list, or None where the answer is an empty success.

    Raises:
        PayloadError: the body says that the request failed, or is neither an object nor a list.

    """
    if body is None or isinstance(body, list):
        return body
    if not isinstance(body, dict):
        raise PayloadError("the answer is neither an object nor a list", body)
    if _says_failure(body):
        raise PayloadError("the answer says that the request failed", body)
    data = body.get("data")
    if isinstance(data, dict | list) and (is_success_envelope(body) or first_id(body, IDS) is None):
        return data if data or isinstance(data, list) else None
    if not is_success_envelope(body):
        return body or None
    rest = {name: value for name, value in body.items() if not _is_of_the_envelope(name, value)}
    return rest or None


def _is_of_the_envelope(name: object, value: object) -> bool:
    return name in _OF_THE_ENVELOPE or (name == "message" and not isinstance(value, dict))


def _says_failure(body: Mapping[str, Any]) -> bool:
    if body.get("success") is False:
        return True
    if has_content(body):  # a message, whose status may be `error`
        return False
    return folded(body.get("status")) in ("fail", "error") or bool(first(body, ("error", "erreur")))
