"""JSON as servers of any language read it: no `NaN`, no `Infinity`.

The standard library's own decoder and encoder, made once: `json.loads` and `json.dumps` make one for each call that has
an option. orjson is no faster on frames of some hundred bytes, once it is made sure that it reads numbers the same.
"""

from __future__ import annotations

import json
from typing import Any


class NotFinite(ValueError):
    """A number that JSON does not have."""


def _refuse_constant(_name: str) -> Any:
    raise NotFinite("a number that is not finite")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_UTF_8_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"), ensure_ascii=False)


def dumps(value: Any) -> str:
    """Encode without spaces, in ASCII; ValueError or TypeError for what JSON cannot hold."""
    return _ENCODER.encode(value)


def dumped(value: Any) -> bytes:
    """Encode without spaces, in UTF-8; ValueError or TypeError for what JSON, or UTF-8, cannot hold."""
    return _UTF_8_ENCODER.encode(value).encode()


def loads(text: str) -> Any:
    """Decode; ValueError for what is not JSON, RecursionError for what is nested too deeply."""
    return _DECODER.decode(text)


def loads_from(text: str, start: int) -> Any:
    """Decode what stands from a place on, to the end; ValueError too if there is space before or after it."""
    value, end = _DECODER.raw_decode(text, start)
    if end != len(text):
        raise ValueError("something follows")
    return value
