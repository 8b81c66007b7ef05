"""Packets that are read, whatever they are, and written, if they can be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from socketio import packet

from messaging_client.errors import ValidationFailed
from messaging_client.transport.packets import INVALID_FRAME, SafePacket, StrictJson, encode_event


def read(frame: Any) -> SafePacket:
    return SafePacket(encoded_packet=frame)


@pytest.mark.parametrize(
    ("frame", "kind", "number", "data"),
    [
        ('2["e",1]', packet.EVENT, None, ["e", 1]),
        ('212["e"]', packet.EVENT, 12, ["e"]),
        ('31["a"]', packet.ACK, 1, ["a"]),
        ('0{"sid":"x"}', packet.CONNECT, None, {"sid": "x"}),
        ("0", packet.CONNECT, None, None),
        ("1", packet.DISCONNECT, None, None),
        ('4{"message":"non"}', packet.CONNECT_ERROR, None, {"message": "non"}),
        ('4"non"', packet.CONNECT_ERROR, None, "non"),
        ('51-["e",{"_placeholder":true,"num":0}]', packet.BINARY_EVENT, None, ["e", {"_placeholder": True, "num": 0}]),
    ],
)
def test_good_frames(frame: str, kind: int, number: int | None, data: Any) -> None:
    got = read(frame)
    assert (got.packet_type, got.id, got.data) == (kind, number, data)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"2[]", "a packet that is no text"),
        (None, "a packet that is no text"),
        ("", "ValueError"),
        ("x", "ValueError"),
        ("9", "unknown packet type"),
        ("2[", "Expecting value"),
        ('2["x",NaN]', "a number that is not finite"),
        ('2["x",-Infinity]', "a number that is not finite"),
        ("2" + "[" * 100_000, "RecursionError"),
        ("2", "an event without a name"),
        ("2[]", "an event without a name"),
        ("2[null]", "an event without a name"),
        ('2["connect_error"]', "an event with a reserved name"),
        ('2["*"]', "an event with a reserved name"),
        (f"2[{json.dumps(INVALID_FRAME)},1,2]", "an event with a reserved name"),
        ("3[]", "an acknowledgement without arguments or number"),
        ("30[]", "an acknowledgement without arguments or number"),
        ("31{}", "an acknowledgement without arguments or number"),
        ("0[1]", "a connection packet without an object"),
        ('50-["x"]', "wrong number of attachments"),
    ],
)
def test_an_odd_frame_becomes_an_event_of_its_own(frame: Any, reason: str) -> None:
    got = read(frame)
    assert (got.packet_type, got.namespace, got.id, got.attachment_count) == (packet.EVENT, None, None, 0)
    assert got.data == [INVALID_FRAME, reason, frame]


@given(st.one_of(st.text(), st.binary(), st.from_regex(r"[0-9][0-9-]{0,4}[\[{].*")))
def test_reading_never_raises(frame: Any) -> None:
    assert read(frame).packet_type in range(7)


def test_attachments() -> None:
    got = read('52-["e",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]')
    assert not got.add_attachment(b"a")
    assert got.add_attachment(b"b")
    assert got.data == ["e", b"b", b"a"]


@pytest.mark.parametrize(
    ("frame", "attachment", "reason"),
    [
        ('51-["e",{"_placeholder":true,"num":0}]', "text", "text where a binary attachment was due"),
        ('51-["e",{"_placeholder":true,"num":7}]', b"a", "IndexError"),
    ],
)
def test_an_odd_attachment_ends_the_packet(frame: str, attachment: Any, reason: str) -> None:
    got = read(frame)
    assert got.add_attachment(attachment)
    assert got.packet_type == packet.BINARY_EVENT
    assert got.data[:2] == [INVALID_FRAME, reason]


@pytest.mark.parametrize(
    ("payload", "frames"),
    [
        (None, ['2["e"]']),
        (1, ['2["e",1]']),
        ((1, {"a": "é"}), ['2["e",1,{"a":"\\u00e9"}]']),
        ((), ['2["e"]']),
        ([1, 2], ['2["e",[1,2]]']),
        ({"raw": b"xy"}, ['51-["e",{"raw":{"_placeholder":true,"num":0}}]', b"xy"]),
    ],
)
def test_writing(payload: Any, frames: list[Any]) -> None:
    assert encode_event("e", payload, 1000) == frames


@pytest.mark.parametrize("payload", [float("nan"), {1}, {"a": object()}, {(1, 2): 3}], ids=repr)
def test_what_json_cannot_hold(payload: Any) -> None:
    with pytest.raises(ValidationFailed, match="JSON"):
        encode_event("e", payload, 1000)


def test_what_is_nested_in_itself() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ValidationFailed, match="JSON"):
        encode_event("e", loop, 1000)


@pytest.mark.parametrize(
    ("payload", "size"), [("x" * 50, 60), ({"raw": b"x" * 99}, 100)], ids=["text", "the attachment counts by itself"]
)
def test_the_limit_is_in_bytes_with_the_engines_own(payload: Any, size: int) -> None:
    assert encode_event("e", payload, size)
    with pytest.raises(ValidationFailed, match=f"{size} bytes") as caught:
        encode_event("e", payload, size - 1)
    assert "xxx" not in str(caught.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda each: st.lists(each) | st.dictionaries(st.text(), each),
    )
)
def test_what_is_written_can_be_read(payload: Any) -> None:
    (frame,) = encode_event("e", [payload], 10**9)
    assert read(frame).data == ["e", [payload]]


def test_the_json_of_the_packets_is_strict() -> None:
    with pytest.raises(ValueError, match="finite"):
        StrictJson.loads("[NaN]")
    with pytest.raises(ValueError, match="JSON compliant"):
        StrictJson.dumps(float("inf"))
