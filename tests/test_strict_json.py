"""JSON that is strict."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from messaging_client import strict_json

texts = st.text(alphabet='[]{}",:.0123456789-+eE\\u \n\ttruefalsnINy\0/', max_size=40)


def outcome(decode: Any, *args: Any) -> str:
    """What comes of decoding; repr tells 1 from 1.0, and -0.0 from 0.0."""
    try:
        return repr(decode(*args))
    except (ValueError, RecursionError):
        return "refused"


@given(texts, st.text(max_size=3))
@example("[1]", "42")
@example("18446744073709551616", "")
@example('{"a":1,"b":2,"a":"\\ud800"}', "4")
@example("[NaN]", "")
@example("[" * 100_000, "42")
@example("9" * 5000, "")
@example("\ufeff1", "")
def test_from_a_place_on_is_as_that_part_by_itself(text: str, before: str) -> None:
    expected = outcome(strict_json.loads, text) if text == text.strip(" \t\n\r") else "refused"
    assert outcome(strict_json.loads_from, before + text, len(before)) == expected


@given(
    texts | st.text(alphabet='"\\\\ud83de0cé1,:{}[]', max_size=30).map(lambda text: f'["{text}"]'),
    st.binary(max_size=2),
)
@example("[1e400,-0,-0.0,18446744073709551616]", b"")
@example('{"a":1,"b":2,"a":"\\ud800"}', b"4")
@example('["\\ud83d\\ude00\\u0000"]', b"")
@example("[-Infinity]", b"")
@example("[" * 100_000, b"42")
@example("9" * 5000, b"")
@example('["' + "x" * 3000 + '",18446744073709551616,-0.0]', b"42")
@example('["' + "\u00e9" * 3000 + '",18446744073709551616,-0.0]', b"42")
@example('["' + "x" * 3000 + '",NaN]', b"42")
def test_bytes_are_read_as_their_text(text: str, before: bytes) -> None:
    data = before + text.encode()
    expected = outcome(strict_json.loads, text)
    assert outcome(strict_json.loads_event, data[len(before) :]) == expected
    if text[:1] != "\ufeff":
        assert outcome(strict_json.loads_utf8, text.encode()) == expected
        assert outcome(strict_json.loads_utf8, text.encode("utf-8-sig")) == expected


@given(st.binary(max_size=6))
@example(b"\xed\xa0\x80")
@example(b"\xc0\x80")
@example(b"\xf4\x90\x80\x80")
def test_bytes_that_are_no_text_are_refused(within: bytes) -> None:
    data = b'["' + within + b'"]'
    expected = outcome(lambda: strict_json.loads(data.decode()))
    assert outcome(strict_json.loads_event, data) == expected
    assert outcome(strict_json.loads_utf8, data) == expected


@given(texts)
def test_reading_is_as_the_standard_library_reads_without_its_constants(text: str) -> None:
    expected = outcome(lambda: json.loads(text, parse_constant=lambda name: int(name)))
    assert outcome(strict_json.loads, text) == expected


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=10))
def test_writing_is_as_the_standard_library_writes(value: Any) -> None:
    try:
        expected = json.dumps(value, allow_nan=False, separators=(",", ":"))
    except ValueError:
        with pytest.raises(ValueError, match="JSON compliant"):
            strict_json.dumps(value)
        with pytest.raises(strict_json.NotFinite, match="finite"):
            strict_json.loads(json.dumps(value))
    else:
        assert strict_json.dumps(value) == expected
        assert strict_json.loads(expected) == value
