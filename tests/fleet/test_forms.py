from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging_client import GapDetected, Message, Notification, Participant
from messaging_client.fleet.envelopes import UnknownForm, Unreadable, envelope, packed, unpacked
from messaging_client.fleet.layout import Layout

NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)


def message(**changed: Any) -> Message:
    fields: dict[str, Any] = {
        "id": 7,
        "conversation_id": 3,
        "content": "Bonjour",
        "sender": Participant(id=5, name="Marie"),
        "timestamp": NOW,
    }
    return Message(**(fields | changed))


@given(st.text(), st.booleans(), st.one_of(st.none(), st.integers(0, 2**60), st.uuids().map(str)))
def test_what_is_written_is_read(content: str, is_own: bool, conversation_id: int | str | None) -> None:
    if not content.isprintable():
        content = content.encode(errors="replace").decode()
    sent = envelope(message(content=content, conversation_id=conversation_id), is_own=is_own)
    assert unpacked(*packed(sent)) == sent


def test_a_message_is_its_conversation_and_its_id() -> None:
    known = envelope(message(), is_own=False).identity
    assert envelope(message(late=True, content="otherwise"), is_own=True).identity == known
    assert envelope(message(id="7x"), is_own=False).identity != known
    assert envelope(message(conversation_id=4), is_own=False).identity != known
    assert envelope(message(conversation_id=None), is_own=False).identity != known


def test_other_events_are_what_the_server_sent() -> None:
    one = envelope(Notification(type="a", raw={"type": "a", "at": 1}), is_own=False)
    other = envelope(Notification(type="a", raw={"type": "a", "at": 2}), is_own=False)
    again = envelope(Notification(type="a", raw={"at": 1, "type": "a"}), is_own=False)
    assert one.identity == again.identity != other.identity
    gap = GapDetected(conversation_id=3, after=NOW)
    assert envelope(gap, is_own=False).identity == envelope(gap, is_own=False).identity


def test_what_cannot_be_read_says_so_without_its_content() -> None:
    payload, headers = packed(envelope(message(), is_own=False))
    with pytest.raises(UnknownForm, match="form 2"):
        unpacked(payload, headers | {"Messaging-Schema": "2"})
    for changed in ({"Messaging-Schema": "x"}, {"Messaging-Event": "other"}, {"Nats-Msg-Id": ""}):
        with pytest.raises(Unreadable):
            unpacked(payload, headers | changed)
    with pytest.raises(Unreadable) as raised:
        unpacked(b'{"content": "secret words"}', headers)
    assert "secret" not in str(raised.value)
    with pytest.raises(Unreadable):
        unpacked(payload, None)


def test_the_partition_of_a_conversation_is_the_same_for_ever() -> None:
    layout = Layout("bot")
    assert [layout.partition_of(each) for each in (1, 2, 15, "15x", None)] == PARTITIONS
    assert {Layout("bot", partitions=4).partition_of(each) for each in range(100)} == {0, 1, 2, 3}


PARTITIONS = [1, 14, 22, 24, 15]


def test_nothing_of_it_is_imported_unless_used() -> None:
    program = "import sys, messaging_client.client, messaging_client.cli.commands; print('nats' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_without_nats_py_it_says_what_to_install() -> None:
    code = "import sys\nsys.modules['nats'] = None\nimport messaging_client.fleet\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("ImportError: ")
    assert 'pip install "messaging-client[nats]"' in done.stderr.splitlines()[-1]
