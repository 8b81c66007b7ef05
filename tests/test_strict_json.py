"""JSON that is strict, and the same whoever decodes it."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from messaging_client import strict_json

pytest.importorskip("orjson")


def outcome(decode: Any, text: str) -> Any:
    """What comes of decoding, with every type; repr tells 1 from 1.0, and -0.0 from 0.0."""
    try:
        return repr(decode(text))
    except (ValueError, RecursionError) as error:
        return type(error).__name__, str(error)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.sampled_from([2**63, 2**63 - 1, -(2**63), -(2**63) - 1, 2**64, 2**64 - 1, 10**18, 10**18 - 1, 10**300])
    | st.floats()
    | st.text(st.characters()),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
    max_leaves=20,
)


@given(values, st.booleans(), st.sampled_from([None, 1]))
def test_what_is_written_is_read_the_same(value: Any, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert outcome(strict_json._by_orjson, text) == outcome(strict_json.loads, text)


@given(st.text(alphabet='[]{}",:.0123456789-+eE\\u \n\ttruefalsnINy\0/', max_size=40))
@example("-0")
@example("1e400")
@example("-1e400")
@example("1.7976931348623159e308")
@example("18446744073709551616")
@example("-9223372036854775809")
@example("123456789012345678901234567890.5")
@example("0.1000000000000000055511151231257827")
@example('"\\ud800"')
@example('"\\udc00\\ud83d"')
@example('"\ud800"')
@example('{"a":1,"b":2,"a":3}')
@example("[" * 150 + "]" * 150)
@example("[" * 201 + "]" * 201)
@example("[" * 1100 + "]" * 1100)
@example("[" * 100_000)
@example('{"a":' * 1100 + "1" + "}" * 1100)
@example("9" * 5000)
@example("\ufeff1")
@example('"\x01"')
@example("NaN")
@example("[Infinity]")
@example("[-Infinity]")
def test_any_text_is_read_the_same(text: str) -> None:
    assert outcome(strict_json._by_orjson, text) == outcome(strict_json.loads, text)


@given(st.integers(1, 30), st.integers(1, 400), st.sampled_from(["", "-"]), st.sampled_from(["", ".5", "e2", "E-3"]))
def test_long_numbers_are_read_the_same(digits: int, zeros: int, sign: str, rest: str) -> None:
    for number in ("9" * digits, "1" + "0" * zeros, "1" + "0" * digits + "1"):
        text = f'{{"id":{sign}{number}{rest}}}'
        assert outcome(strict_json._by_orjson, text) == outcome(strict_json.loads, text)


def test_an_ordinary_message_is_decoded_by_orjson(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict_json, "loads", lambda text: pytest.fail("by the standard library"))
    assert strict_json.quick_loads('["new_message",{"id":123456789012345678,"t":1.5}]')[1]["id"] == 123456789012345678


def test_without_orjson_the_standard_library_decodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict_json, "orjson", None)
    assert strict_json.quick_loads('{"id":18446744073709551616}') == {"id": 2**64}


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=10))
def test_writing_is_as_the_standard_library_writes(value: Any) -> None:
    try:
        expected = json.dumps(value, allow_nan=False, separators=(",", ":"))
    except ValueError:
        with pytest.raises(ValueError, match="JSON compliant"):
            strict_json.dumps(value)
    else:
        assert strict_json.dumps(value) == expected
    if isinstance(value, float) and not math.isfinite(value):
        with pytest.raises(strict_json.NotFinite, match="finite"):
            strict_json.loads(json.dumps(value))
