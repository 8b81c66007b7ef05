"""JSON as servers of any language read it: no `NaN`, no `Infinity`.

The standard library's own decoder and encoder, made once: `json.loads` and `json.dumps` make one for each call that has
an option. Bytes are read by pydantic's decoder, a third faster, and what it refuses by the standard one, which knows
better; what both take, they read the same (`tests/test_strict_json.py`). orjson is no faster on frames of some hundred
bytes, once it is made sure that it reads numbers the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from json import encoder
from typing import Any

from pydantic_core import from_json


class NotFinite(ValueError):
    """A number that JSON does not have."""


def _refuse_constant(_name: str) -> Any:
    raise NotFinite("a number that is not finite")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_UTF_8_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"), ensure_ascii=False)


def _made_once() -> Callable[[Any], str]:
    """Give what `_ENCODER.encode` does, which makes an encoder in C each time; this one is made once.

    It does not look for a list or an object within itself: that ends in a RecursionError, as too deep a nesting does.
    """
    make = getattr(encoder, "c_make_encoder", None)
    if make is None:  # not this Python
        return _ENCODER.encode
    pieces = make(None, _ENCODER.default, encoder.encode_basestring_ascii, None, ":", ",", False, False, False)
    return lambda value: "".join(pieces(value, 0))


_encode = _made_once()


def dumps(value: Any) -> str:
    """Encode without spaces, in ASCII; ValueError, TypeError or RecursionError for what JSON cannot hold."""
    return _encode(value)


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


def loads_utf8_from(data: bytes, start: int) -> Any:
    """As `loads_from` of the text that these bytes are, but spaces around it do no harm; ValueError for no UTF-8."""
    try:
        return from_json(data[start:], allow_inf_nan=False, cache_strings="keys")
    except ValueError:
        return loads_from(data.decode(), start)


def loads_utf8(data: bytes) -> Any:
    """As `loads` of the text that these bytes are, perhaps behind a byte order mark; ValueError for no UTF-8.

    Short texts that repeat, as they do in lists, are one object.
    """
    try:
        return from_json(data, allow_inf_nan=False, cache_strings="all")
    except ValueError:
        return loads(data.decode("utf-8-sig"))
