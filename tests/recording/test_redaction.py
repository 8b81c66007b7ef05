"""Nothing is written down that is not known to be structure, whatever it comes in."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from canary import CANARY, CANARY_NAME, CANARY_TOKEN, holds_secret
from hypothesis import given
from hypothesis import strategies as st

from messaging_client.models import ConversationStatus, MessageStatus, MessageType, UserType
from messaging_client.recording.redaction import SECRET, Redaction
from messaging_client.wire import conversations, messages, participants, structural

HIDING = Redaction(contents=False)
KEEPING = Redaction(contents=True)
PLACEHOLDER = re.compile(r"\[~\d+ [0-9a-f]{10}\]")

texts = st.text(max_size=40) | st.sampled_from([CANARY, CANARY_NAME, CANARY_TOKEN, f"Bearer {CANARY_TOKEN}", "Dupont"])
keys = st.sampled_from(sorted(structural.KNOWN_KEYS)) | texts
payloads = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=25,
)


def strings(value: Any, key: str = "") -> list[tuple[str, str]]:
    """Every text of a value with the key that it stands under; and each key, under none."""
    if isinstance(value, dict):
        inner = [each for name, part in value.items() for each in strings(part, name)]
        return [("", name) for name in value] + inner
    if isinstance(value, list):
        return [each for part in value for each in strings(part, key)]
    return [(key, value)] if isinstance(value, str) else []


def is_allowed(key: str, text: str) -> bool:
    is_key = not key and text in structural.KNOWN_KEYS
    is_hidden = not text or text == SECRET or PLACEHOLDER.fullmatch(text) is not None
    return is_hidden or is_key or structural.is_structural(key, text)


@given(payloads)
def test_no_text_of_a_payload_survives_but_structure(payload: Any) -> None:
    written = HIDING.value(payload)
    assert [each for each in strings(written) if not is_allowed(*each)] == []
    json.dumps(written, allow_nan=False)


@given(st.text(max_size=12) | st.sampled_from(["42", "0", "43", "44", "451-", "421"]), payloads)
def test_no_text_of_a_frame_survives_but_structure(head: str, payload: Any) -> None:
    try:
        frame = head + json.dumps(payload)
    except ValueError:
        return
    entry = HIDING.frame(frame)
    assert re.fullmatch(r"[0-6]?|4[0-6](\d{1,3}-)?\d{0,18}", entry.get("frame", ""))
    data = entry.get("data")
    is_event = entry["type"] in ("event", "binary_event") and isinstance(data, list) and data
    if is_event and isinstance(data[0], str) and structural.is_event_name(data[0]):
        data = data[1:]
    allowed = [structural.AUTHENTICATION_REFUSED] if entry["type"] == "connect_error" else []
    bare = "conversation_id" if is_event and str(entry["data"][0]) in structural.JOIN_EVENTS else ""
    assert [each for each in strings(data, bare) if not is_allowed(*each) and each[1] not in allowed] == []
    assert not holds_secret(json.dumps(data))


@given(st.lists(texts, max_size=5), st.dictionaries(texts, texts, max_size=3))
def test_no_part_of_an_address_survives_but_structure(parts: list[str], query: dict[str, str]) -> None:
    from urllib.parse import quote, urlencode

    path = HIDING.path("/" + "/".join(quote(each.encode("utf-8", "replace"), safe="") for each in parts))
    assert not holds_secret(path)
    written = HIDING.query(
        urlencode({k.encode("utf-8", "replace"): v.encode("utf-8", "replace") for k, v in query.items()})
    )
    assert [each for each in strings(written) if not is_allowed(*each)] == []


@given(payloads)
def test_a_token_is_left_out_even_with_contents(payload: Any) -> None:
    assert "eyJ" not in json.dumps(KEEPING.value(payload))


@pytest.mark.parametrize(
    "key", ["token", "jwt", "Authorization", "access_token", "sessionId", "password", "sid", "pid"]
)
def test_what_lets_somebody_in_is_left_out_even_with_contents(key: str) -> None:
    given_ = {key: "opaque-4711", "x": {key: ["opaque-4711", 4711]}}
    assert "4711" not in json.dumps(KEEPING.value(given_))
    assert KEEPING.query(f"{key}=opaque-4711") == {key: SECRET}


def test_contents_are_kept_on_request() -> None:
    message = {"contenu": "Bonjour", "expediteur_nom": "Dupont", "autre": {"âge": 54}}
    assert KEEPING.value(message) == message
    assert KEEPING.frame('42["new_message",{"contenu":"Bonjour"}]')["data"] == ["new_message", {"contenu": "Bonjour"}]


def test_what_a_bug_needs_is_kept() -> None:
    message = {
        "id_message": 7,
        "conversationId": "15",
        "contenu": "",
        "type_message": "texte",
        "statut": "envoyé",
        "date_envoi": "2025-01-01T09:00:00.123Z",
        "client_message_id": "2f1c7a52-6f9a-4b6e-9c39-0d6f3a1b2c3d",
        "sender": {"id": "temp_2f1c7a52-6f9a-4b6e-9c39-0d6f3a1b2c3d", "type": "Professionnel"},
        "destinataire": "medecin",
        "titre": "Messages - Ordonnance 15",
        "pagination": {"page": 1, "limit": 50, "total": 0, "totalPages": 0},
        "lu": None,
    }
    written = HIDING.value(message)
    written.pop(next(each for each in written if PLACEHOLDER.fullmatch(each)))
    assert written == {name: value for name, value in message.items() if name != "lu"}


def test_equal_texts_stay_equal_and_others_different() -> None:
    one, same, other = HIDING.value(["Bonjour", "Bonjour", "Bonsoir"])
    assert one == same != other
    assert HIDING.value("Bonjour") != Redaction(contents=False).value("Bonjour"), "the key is one of the recording"
    assert HIDING.value({"content": 12})["content"] == HIDING.value({"content": 12})["content"] != 12


@pytest.mark.parametrize(
    "value",
    [
        {"id": "Marie Dupont"},
        {"id": "marie1985@example.org"},
        {"status": "hospitalisé"},
        {"timestamp": "hier, 2025-01-01"},
        {"titre": "Messages - Ordonnance 15 de Marie"},
        {"Marie Dupont": True},
        {"glycemie": 1.26},
        {"nir": 285019933300172},
        {"data": 285019933300172},
        {"message": "Marie Dupont n'a pas le droit"},
    ],
    ids=str,
)
def test_what_only_looks_like_structure_is_hidden(value: dict[str, Any]) -> None:
    written = json.dumps(HIDING.value(value), ensure_ascii=False)
    for word in ("Marie", "marie", "hospital", "hier", "1.26", "28501", "Dupont"):
        assert word not in written


def test_frames_that_are_no_json_tell_their_length_only() -> None:
    assert HIDING.frame("42[" + CANARY) == {"type": "event", "frame": "42", "length": len(CANARY) + 1}
    assert HIDING.frame(CANARY.encode()) == {"type": "binary", "length": len(CANARY)}
    assert HIDING.frame("42/" + CANARY + ",[1]")["frame"] == "42"
    assert HIDING.frame("2probe") == {"type": "ping", "frame": "2", "length": 5}
    assert HIDING.body(CANARY.encode()) == {"length": len(CANARY)}
    assert HIDING.body(b"[" * 100_000) == {"length": 100_000}
    assert HIDING.body(b'{"id": 1e999}') == {"body": {"id": 0.0}}


def test_a_refusal_of_the_handshake_stays_one_about_the_token_or_not() -> None:
    assert HIDING.frame('44{"message":"jwt expired for Dupont"}')["data"] == {"message": "Authentication error"}
    (text,) = HIDING.frame('44{"message":"temporarily refused"}')["data"].values()
    assert PLACEHOLDER.fullmatch(text)


@pytest.mark.parametrize(
    ("name", "is_kept"),
    [
        ("webrtc_offer", True),
        ("webrtc:offer", True),
        ("iceCandidate", True),
        ("Dupont", False),
        ("Marie Dupont", False),
        ("user_285019933300172", False),
        (CANARY_TOKEN, False),
        ("eyJhbGciOiJIUzI1NiJ9", False),
        (["webrtc_offer"], False),
    ],
    ids=str,
)
def test_names_of_events_are_kept_where_a_programmer_wrote_them(name: Any, is_kept: bool) -> None:
    written = HIDING.frame("42" + json.dumps([name, "x"]))["data"]
    assert (written[0] == name) is is_kept
    assert PLACEHOLDER.fullmatch(written[1])


def test_headers_that_clients_go_by_are_kept() -> None:
    given_ = {
        "Date": "Wed, 25 Nov 2026 09:22:16 GMT",
        "Retry-After": "2.5",
        "Content-Type": "application/json; charset=utf-8",
        "Set-Cookie": CANARY,
        "X-User": CANARY_NAME,
    }
    assert set(HIDING.headers(given_)) == {"date", "retry-after", "content-type"}
    assert HIDING.headers({"Date": CANARY, "Retry-After": CANARY, "Content-Type": f"text/{CANARY}"}) == {}


def test_every_word_of_the_wire_is_known() -> None:
    words = {*messages._TYPES, *messages._STATUSES, *conversations._STATUSES, *participants.TYPES}
    words |= {each.value for kind in (MessageType, MessageStatus, ConversationStatus, UserType) for each in kind}
    for word in words:
        assert structural.is_structural("status", word), word


def test_every_key_of_a_message_is_known() -> None:
    ids = {*messages.IDS, *messages.CONVERSATION_IDS, *messages.CLIENT_IDS, *messages.TIMES, *messages._READ_TIMES}
    assert ids | {*messages._TYPE, *messages._STATUS} <= structural.STRUCTURAL_KEYS
    sides = {*participants.SENDER.keys, *participants.RECIPIENT.keys, *messages.CONTENTS}
    assert sides <= structural.KNOWN_KEYS
