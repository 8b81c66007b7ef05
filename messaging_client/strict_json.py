"""JSON as servers of any language read it: no `NaN`, no `Infinity`.

The standard library's own decoder and encoder, made once: `json.loads` and `json.dumps` make one for each call that has
an option. Bytes are read by pydantic's decoder, or by msgspec's where that is installed (extra `speed`), and what they
refuse by the standard one, which knows better; what all take, they read the same (`tests/test_strict_json.py`). orjson
does not: it makes fractions of integers beyond 64 bits.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from functools import partial
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


_read_long: Callable[[bytes], Any] = partial(from_json, allow_inf_nan=False, cache_strings="keys")
_LONG = 2048
"""Bytes from which on pydantic's decoder reads a text in ASCII faster than msgspec's; any other text it never does."""


def _reader() -> Callable[[bytes], Any]:
    with contextlib.suppress(ImportError):
        import msgspec

        # Of a version that was checked, from 0.21 on; before, it refused with errors of another kind.
        if issubclass(msgspec.DecodeError, ValueError):
            return msgspec.json.Decoder().decode
    return _read_long


_read = _reader()


def loads_event(data: bytes) -> Any:
    """Decode the text that these bytes are; ValueError for no UTF-8, and for a byte order mark."""
    try:
        return _read(data) if len(data) < _LONG or not data.isascii() else _read_long(data)
    except ValueError:
        return loads(data.decode())


def loads_utf8(data: bytes) -> Any:
    """As `loads` of the text that these bytes are, perhaps behind a byte order mark; ValueError for no UTF-8.

    Short texts that repeat, as they do in lists, are one object.
    """
    try:
        return from_json(data, allow_inf_nan=False, cache_strings="all")
    except ValueError:
        return loads(data.decode("utf-8-sig"))
