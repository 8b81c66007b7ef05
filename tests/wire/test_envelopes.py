from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging_client.wire.envelopes import data_of, error_message, is_success_envelope, parse_json
from messaging_client.wire.errors import PayloadError

from .support import bodies, not_json, outcome


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", None),
        (b" \r\n\t", None),
        (b"null", None),
        (b"{}", {}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        ('{"é": "😀"}'.encode(), {"é": "😀"}),
        (b'"\\ud83d\\ude00"', "😀"),
        (b'"\\ud800"', "\ud800"),
        (b" [1, 2.5, true] ", [1, 2.5, True]),
    ],
)
def test_json(data: bytes, expected: Any) -> None:
    assert parse_json(data) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"<html>",
        b"{",
        b"{'a': 1}",
        b"[1,]",
        b"\xff\xfe",
        b'"\xed\xa0\x80"',
        "[1]".encode("utf-16"),
        b"NaN",
        b'{"a": NaN}',
        b"[Infinity, -Infinity]",
        b"-Infinity",
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 5000,
        b"undefined",
    ],
    ids=lambda data: repr(data[:12]),
)
def test_no_json(data: bytes) -> None:
    with pytest.raises(PayloadError, match="not JSON") as caught:
        parse_json(data)
    assert caught.value.raw is data
    assert caught.value.__context__ is None, "the library's own error would show what came"


@given(st.binary(max_size=30))
def test_any_bytes(data: bytes) -> None:
    found = outcome(parse_json, data)
    assert not isinstance(found, PayloadError) or found.raw is data


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"status": "fail", "message": "Refusé"}, "Refusé"),
        ({"error": "Refusé"}, "Refusé"),
        ({"error": {"message": "Refusé", "code": 3}}, "Refusé"),
        ({"status": "error", "data": {"message": "Refusé"}}, "Refusé"),
        ({"detail": "Refusé"}, "Refusé"),
        ({"message": "a\ud800"}, "a�"),
        ("Refusé", "Refusé"),
        ("", None),
        ({"message": {"a": 1}}, None),
        ({"message": " "}, None),
        ({"message": 5}, None),
        ({}, None),
        ([], None),
        (None, None),
        (5, None),
    ],
)
def test_what_the_server_says(body: Any, expected: str | None) -> None:
    assert error_message(body) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"status": "success", "data": {"messages": []}}, {"messages": []}),
        ({"status": "Success", "data": [1]}, [1]),
        ({"success": True, "data": {"a": 1}}, {"a": 1}),
        ({"data": {"a": 1}}, {"a": 1}),
        ({"code": 200, "data": [1]}, [1]),
        ({"status": "success", "data": []}, []),
        ({"status": "success", "messages": [1], "message": "ok"}, {"messages": [1]}),
        ({"status": "success", "message": {"id": 1}}, {"message": {"id": 1}}),
        ({"messages": [1]}, {"messages": [1]}),
        ({"id": 1, "status": "active", "data": {"a": 1}}, {"id": 1, "status": "active", "data": {"a": 1}}),
        ({"id": 1, "content": "a", "status": "error"}, {"id": 1, "content": "a", "status": "error"}),
        ({"data": "x"}, {"data": "x"}),
        ([1], [1]),
        ([], []),
        (None, None),
        ({}, None),
        ({"status": "success"}, None),
        ({"status": "success", "data": None}, None),
        ({"status": "success", "data": {}}, None),
        ({"status": "success", "data": "ok", "message": "ok"}, None),
        ({"success": True}, None),
        ({"data": {}}, None),
    ],
)
def test_data(body: Any, expected: Any) -> None:
    assert data_of(body) == expected


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"status": "fail", "message": "x"}, "failed"),
        ({"status": "error", "data": {"messages": []}}, "failed"),
        ({"status": "ERROR", "id": "req-1"}, "failed"),
        ({"success": False, "data": {"messages": []}}, "failed"),
        ({"success": False, "content": "x"}, "failed"),
        ({"error": "x"}, "failed"),
        ({"error": {"code": 1}}, "failed"),
        ("ok", "neither"),
        (5, "neither"),
        (True, "neither"),
        (b"", "neither"),
    ],
)
def test_no_success(body: Any, reason: str) -> None:
    with pytest.raises(PayloadError, match=reason) as caught:
        data_of(body)
    assert caught.value.raw is body


def test_what_says_success() -> None:
    assert is_success_envelope({"status": "success"})
    assert is_success_envelope({"success": True})
    assert not is_success_envelope({"status": "active"})
    assert not is_success_envelope({"success": 1})
    assert not is_success_envelope(["success"])


@given(st.one_of(bodies, not_json))
def test_anything_is_read_or_refused(body: Any) -> None:
    error_message(body)
    data = outcome(data_of, body)
    if isinstance(data, PayloadError):
        assert data.raw is body
    else:
        assert data is None or isinstance(data, dict | list)


def test_four_megabytes_are_read_in_time() -> None:
    data = json.dumps({"status": "success", "data": {"messages": [{"contenu": "é" * 4_000_000}]}}).encode()
    before = time.monotonic()
    data_of(parse_json(data))
    assert time.monotonic() - before < 10
