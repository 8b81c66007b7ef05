from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from messaging_client.testing import inputs
from messaging_client.testing.inputs import Refused


def refuses(check: Any, *args: Any) -> None:
    with pytest.raises(Refused) as caught:
        check(*args)
    assert caught.value.status == 400
    assert caught.value.message


@pytest.mark.parametrize(("given", "id"), [(0, 0), (15, 15), ("15", 15), ("007", 7), (2**63 - 1, 2**63 - 1)])
def test_ids(given: Any, id: int) -> None:
    assert inputs.parse_id(given, "id") == id


@pytest.mark.parametrize(
    "given",
    [None, "", "abc", -1, "-1", 2**63, str(2**63), "9" * 19, "9" * 20, True, 1.0, [], {}, " 1", "1\n", "١", "temp_1"],
)
def test_what_is_no_id(given: Any) -> None:
    refuses(inputs.parse_id, given, "id")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"5", b"null", b'{"a": NaN}', b"\xff", b"[" * 100_000, b"1" * 5000])
def test_what_is_no_json_object(body: bytes) -> None:
    refuses(inputs.parse_json, body)


def test_json() -> None:
    assert inputs.parse_json('{"contenu": "hé"}'.encode()) == {"contenu": "hé"}


@pytest.mark.parametrize("given", [None, 5, "", "  \n\t ", "a\ud800b", "x" * 11])
def test_what_is_no_text(given: Any) -> None:
    refuses(inputs.parse_text, given, "texte", 10)


def test_text_is_kept_as_it_is() -> None:
    assert inputs.parse_text("  hé \x00 ", "texte") == "  hé \x00 "


def test_keys() -> None:
    assert inputs.parse_key(None, None) is None
    assert inputs.parse_key("a", None) == inputs.parse_key(None, "a") == inputs.parse_key("a", "a") == "a"
    refuses(inputs.parse_key, "a", "b")
    refuses(inputs.parse_key, 5)
    refuses(inputs.parse_key, "x" * 256)


@pytest.mark.parametrize(("given", "kept"), [("texte", "texte"), ("text", "texte"), ("file", "document")])
def test_message_types(given: str, kept: str) -> None:
    assert inputs.parse_message_type(given) == kept


@pytest.mark.parametrize("given", ["hologramme", None, 5, ["texte"], "system"])
def test_unknown_message_types(given: Any) -> None:
    refuses(inputs.parse_message_type, given)


def test_statuses() -> None:
    assert inputs.parse_status("archived") == "archivée"
    assert inputs.parse_status("all") is None
    refuses(inputs.parse_status, "x")


def test_identities() -> None:
    assert inputs.parse_identity("professionnel_sante", "79", "qui") == ("medecin", 79)
    refuses(inputs.parse_identity, "robot", 1, "qui")
    refuses(inputs.parse_identity, ["patient"], 1, "qui")


def test_participants_count_once() -> None:
    marie = {"participant_id": "5", "participant_type": "patient"}
    assert inputs.parse_participants([marie, marie | {"participant_id": 5}]) == [("patient", 5)]
    refuses(inputs.parse_participants, None)
    refuses(inputs.parse_participants, [5])
    refuses(inputs.parse_participants, [marie] * 51)


@pytest.mark.parametrize("given", ["0", "-1", "abc", "1.5", "", "101", "9" * 30])
def test_limits_outside(given: str) -> None:
    refuses(inputs.parse_limit, {"limit": given}, 50)


def test_limits_and_pages() -> None:
    assert inputs.parse_limit({}, 50) == 50
    assert inputs.parse_limit({"limit": "100"}, 50) == 100
    assert inputs.parse_page({}) == 1
    assert inputs.parse_page({"page": "7"}) == 7
    refuses(inputs.parse_page, {"page": "0"})
    refuses(inputs.parse_page, {"page": str(10**9 + 1)})


@pytest.mark.parametrize(
    ("given", "milliseconds"),
    [
        ("1970-01-01T00:00:01Z", 1000),
        ("1970-01-01T00:00:01", 1000),
        ("1970-01-01T01:00:01+01:00", 1000),
        ("1970-01-01T00:00:00.001999Z", 1),
        ("1969-12-31T23:59:59.9999Z", -1),
    ],
)
def test_since(given: str, milliseconds: int) -> None:
    assert inputs.parse_since({"since": given}) == milliseconds


@pytest.mark.parametrize("query", [{}, {"since": ""}, {"since": "hier"}, {"since": "2025-13-01"}])
def test_what_is_no_time(query: dict[str, str]) -> None:
    refuses(inputs.parse_since, query)


def test_milliseconds_are_exact() -> None:
    for milliseconds in (1, 999, 1_755_943_200_123, 253_402_300_799_999):
        time = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)
        assert inputs.milliseconds(time) == milliseconds
