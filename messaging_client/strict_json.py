"""JSON as servers of any language read it: no `NaN`, no `Infinity`.

`orjson` decodes when it is installed (extra `speed`) and the text is one on which it and the standard library agree to
the last digit; on any other text, and without it, the standard library does.
"""

from __future__ import annotations

import json
from typing import Any

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]


class NotFinite(ValueError):
    """A number that JSON does not have."""


def _refuse_constant(_name: str) -> Any:
    raise NotFinite("a number that is not finite")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))

# Integers of 64 bit have 19 digits and more: orjson makes floats of larger ones, which would change an id.
_MOST_DIGITS = 18
_DIGITS_ONLY = bytes(b"0"[0] if b"0"[0] <= each <= b"9"[0] else b" "[0] for each in range(256))
_LONG_NUMBER = b"0" * (_MOST_DIGITS + 1)
# Each takes some depth of nesting in its own way; this is far below what either takes.
_MOST_BRACKETS = 200


def dumps(value: Any) -> str:
    """Encode without spaces, in ASCII; ValueError or TypeError for what JSON cannot hold."""
    return _ENCODER.encode(value)


def loads(text: str) -> Any:
    """Decode by the standard library; ValueError for what is not JSON, RecursionError for what is nested too deeply."""
    return _DECODER.decode(text)


def quick_loads(text: str) -> Any:
    """Decode by the fastest way there is; the outcome is always that of `loads`."""
    return loads(text) if orjson is None else _by_orjson(text)


def _by_orjson(text: str) -> Any:
    try:
        raw = text.encode()
        if raw.count(b"[") + raw.count(b"{") <= _MOST_BRACKETS and _LONG_NUMBER not in raw.translate(_DIGITS_ONLY):
            return orjson.loads(raw)
    except ValueError:  # halves of surrogate pairs, or what orjson does not take for JSON: the other decides
        pass
    return loads(text)
