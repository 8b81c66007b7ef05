from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging_client.wire.errors import PayloadError
from messaging_client.wire.values import (
    dotted,
    first,
    first_id,
    first_object,
    first_text,
    folded,
    iso,
    optional_time,
    spellings,
    to_count,
    to_id,
    to_time,
    well_formed,
)

from .support import json_like, not_json, outcome, texts

MORNING = datetime(2025, 8, 23, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (15, 15),
        ("15", 15),
        ("007", 7),
        (0, 0),
        ("0", 0),
        ("000", 0),
        ("9" * 19, 10**19 - 1),
        (10**19 - 1, 10**19 - 1),
        ("1" + "0" * 19, "1" + "0" * 19),
        (10**19, "1" + "0" * 19),
        ("0" * 20, "0" * 20),
        ("temp_1755_abc", "temp_1755_abc"),
        ("conv_123_456_789", "conv_123_456_789"),
        ("-5", "-5"),
        ("1.5", "1.5"),
        ("1e3", "1e3"),
        (" 15", " 15"),
        ("١٥", "١٥"),
        ("²", "²"),
        ("１５", "１５"),
        ("é", "é"),
        ("Unknown", "Unknown"),
        (None, None),
        ("", None),
        ("  ", None),
        ("\u00a0", None),
        ("unknown", None),
        (True, None),
        (False, None),
        (-1, None),
        (-(10**30), None),
        (1.0, None),
        (float("nan"), None),
        ([], None),
        ([15], None),
        ({"id": 15}, None),
        (b"15", None),
        ("\ud800", None),
        pytest.param(10**6000, None, id="thousands of digits"),
    ],
)
def test_ids(value: Any, expected: Any) -> None:
    found = to_id(value)
    assert found == expected
    assert type(found) is type(expected)


@given(not_json)
def test_an_id_stays_what_it_is(value: Any) -> None:
    found = to_id(value)
    assert found is None or to_id(found) == found
    assert found is None or to_id(str(found)) == found, "both spellings are one id"


@given(st.integers(min_value=0))
def test_a_number_and_its_digits_are_one_id(value: int) -> None:
    assert to_id(value) == to_id(str(value))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2025-08-23T10:00:00Z", MORNING),
        ("2025-08-23T10:00:00.000Z", MORNING),
        ("2025-08-23t10:00:00z", MORNING),
        ("2025-08-23T10:00:00", MORNING),
        ("2025-08-23 10:00:00", MORNING),
        (" 2025-08-23T10:00:00Z ", MORNING),
        ("2025-08-23T12:00:00+02:00", MORNING),
        ("2025-08-23T12:00:00+0200", MORNING),
        ("2025-08-23T06:30:00-03:30", MORNING),
        ("2025-08-23", datetime(2025, 8, 23, tzinfo=UTC)),
        ("2025-08-23T10:00:00.1Z", MORNING + timedelta(milliseconds=100)),
        ("2025-08-23T10:00:00,5Z", MORNING + timedelta(milliseconds=500)),
        ("2025-08-23T10:00:00.123456789Z", MORNING + timedelta(microseconds=123456)),
        (1755943200, MORNING),
        (1755943200.25, MORNING + timedelta(milliseconds=250)),
        (1755943200000, MORNING),
        (1755943200123, MORNING + timedelta(milliseconds=123)),
        (1755943200000.0, MORNING),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (-1, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (10**11 - 1, datetime(5138, 11, 16, 9, 46, 39, tzinfo=UTC)),
        (10**11, datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC)),
        (-(10**11), datetime(1966, 10, 31, 14, 13, 20, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999Z", datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_times(value: Any, expected: datetime) -> None:
    found = to_time(value)
    assert found == expected
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        "hier soir",
        "",
        "1755943200",
        "2025-13-01T00:00:00Z",
        "2025-02-30T00:00:00Z",
        "2025-08-23T25:00:00Z",
        "2025-08-23T10:00:00+99:00",
        "Sat Aug 23 2025 12:00:00 GMT+0200",
        "9999-12-31T23:59:59-01:00",
        "0001-01-01T00:00:00+01:00",
        "2025-08-23T10:00:00." + "0" * 200 + "Z",
        "\ud800",
        float("nan"),
        float("inf"),
        -float("inf"),
        1e300,
        10**400,
        -(10**400),
        10**16,
        True,
        False,
        None,
        [],
        {},
        b"2025-08-23",
    ],
)
def test_unreadable_times(value: Any) -> None:
    with pytest.raises(PayloadError) as caught:
        to_time(value)
    assert caught.value.raw is value
    assert str(caught.value) == "the time is unreadable"


def test_an_unreadable_time_is_told_with_its_payload() -> None:
    payload = {"timestamp": "hier soir"}
    with pytest.raises(PayloadError) as caught:
        to_time("hier soir", payload)
    assert caught.value.raw is payload


def test_a_time_of_ten_megabytes_is_refused_at_once() -> None:
    with pytest.raises(PayloadError):
        to_time("2025-08-23T10:00:00." + "1" * 10_000_000)


def test_optional_times() -> None:
    names = ("a", "b")
    assert optional_time({"a": None, "b": "2025-08-23T10:00:00Z"}, names) == MORNING
    assert optional_time({"a": "", "b": 1755943200}, names) == MORNING
    assert optional_time({"a": "hier"}, names) is None
    assert optional_time({}, names) is None


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (MORNING, "2025-08-23T10:00:00.000Z"),
        (MORNING + timedelta(milliseconds=1), "2025-08-23T10:00:00.001Z"),
        (MORNING + timedelta(microseconds=1), "2025-08-23T10:00:00.000001Z"),
        (datetime(2025, 8, 23, 12, tzinfo=timezone(timedelta(hours=2))), "2025-08-23T10:00:00.000Z"),
        (datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), "9999-12-31T23:59:59.999999Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000Z"),
    ],
)
def test_times_as_sent(moment: datetime, expected: str) -> None:
    assert iso(moment) == expected


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_comes_back(moment: datetime) -> None:
    assert to_time(iso(moment)) == moment


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bonjour", "bonjour"),
        ("é😀", "é😀"),
        ("a\ud800b", "a�b"),
        ("\ud83d\ude00", "😀"),
        ("\udc00", "�"),
        ("", ""),
    ],
)
def test_texts_that_can_be_written(text: str, expected: str) -> None:
    assert well_formed(text) == expected


@given(texts)
def test_any_text_can_be_written(text: str) -> None:
    well_formed(text).encode()
    assert well_formed(well_formed(text)) == well_formed(text)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Envoyé", "envoye"),
        ("  LU ", "lu"),
        ("Médecin", "medecin"),
        ("Me\u0301decin", "medecin"),
        ("x" * 65, ""),
        (5, ""),
        (None, ""),
        ([], ""),
        ("\ud800", "\ud800"),
    ],
)
def test_words(value: Any, expected: str) -> None:
    assert folded(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2, 2),
        ("2", 2),
        (2.0, 2),
        (0, 0),
        (-1, None),
        (-1.0, None),
        (2.5, None),
        (1e300, None),
        (float("nan"), None),
        (float("inf"), None),
        (True, None),
        ("deux", None),
        (None, None),
        (10**30, None),
    ],
)
def test_counts(value: Any, expected: int | None) -> None:
    found = to_count(value)
    assert (found, type(found)) == (expected, type(expected))


def test_spellings() -> None:
    assert spellings("id", "id_message", "messageId") == ("id", "id_message", "messageId", "idMessage", "message_id")
    assert spellings("rawData") == ("rawData", "raw_data")
    assert spellings("content") == ("content",)


def test_picking() -> None:
    payload = {"a": None, "b": "", "c": 0, "d": "x", "e": {"f": 1}, "g": True}
    assert first(payload, ("a", "b", "c", "d")) == 0
    assert first(payload, ("a", "missing")) is None
    assert first_id(payload, ("a", "b", "g", "e", "c")) == 0
    assert first_id(payload, ("a", "g")) is None
    assert first_text(payload, ("a", "b", "c", "d")) == "x"
    assert first_text({"a": " \t", "b": "\ud800"}, ("a", "b")) == "�"
    assert first_text(payload, ("a",)) is None
    assert first_object(payload, ("a", "d", "e")) == {"f": 1}
    assert first_object(payload, ("a",)) is None


def test_paths() -> None:
    payload = {"rawData": {"participants": [1]}, "a": 5}
    assert dotted(payload, "rawData.participants") == [1]
    assert dotted(payload, "rawData") == {"participants": [1]}
    assert dotted(payload, "a.b") is None
    assert dotted(payload, "b.c") is None
    assert dotted(None, "a") is None


@given(not_json)
def test_nothing_else_is_raised(value: Any) -> None:
    moment = outcome(to_time, value)
    assert isinstance(moment, PayloadError) or moment.tzinfo is UTC
    folded(value)
    to_count(value)
    dotted(value, "a.b")


@given(st.dictionaries(st.sampled_from(["a", "b"]), json_like))
def test_picking_from_anything(payload: dict[str, Any]) -> None:
    for pick in (first, first_id, first_text, first_object, optional_time):
        pick(payload, ("a", "b"))
