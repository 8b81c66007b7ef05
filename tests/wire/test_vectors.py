"""The examples of the contract, each field of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from messaging_client.wire.claims import user_from_claims
from messaging_client.wire.conversations import conversation_from_wire
from messaging_client.wire.errors import PayloadError
from messaging_client.wire.events import NEW_MESSAGE, event_from_wire
from messaging_client.wire.messages import message_from_wire
from messaging_client.wire.participants import participant_from_wire, people_index
from messaging_client.wire.titles import context_from_title

from .support import NOW, VECTORS, assert_sound, check_fields, matches, vectors

ORIGINALS = Path(__file__).parents[3] / "shared" / "vectors"


@pytest.mark.skipif(not ORIGINALS.is_dir(), reason="the contract's own folder is not here")
def test_the_copies_are_the_contracts_own() -> None:
    originals = {each.name: each.read_bytes() for each in ORIGINALS.iterdir()}
    assert {each.name: each.read_bytes() for each in VECTORS.iterdir()} == originals


@pytest.mark.parametrize("case", vectors("messages"), ids=lambda case: case["name"])
def test_messages(case: dict[str, Any]) -> None:
    people = people_index(map(participant_from_wire, case.get("participants", [])))
    if case.get("invalid"):
        with pytest.raises(PayloadError) as caught:
            message_from_wire(case["wire"], received_at=NOW, people=people)
        assert caught.value.raw is case["wire"]
        return
    message = message_from_wire(case["wire"], received_at=NOW, people=people)
    check_fields(message, case["expect"])
    assert message.raw is case["wire"]
    assert not message.timestamp_is_receipt
    assert_sound(message)
    assert event_from_wire(NEW_MESSAGE, (case["wire"],), received_at=NOW, people=people) == message


@pytest.mark.parametrize("case", vectors("conversations"), ids=lambda case: case["name"])
def test_conversations(case: dict[str, Any]) -> None:
    if case.get("invalid"):
        with pytest.raises(PayloadError) as caught:
            conversation_from_wire(case["wire"])
        assert caught.value.raw is case["wire"]
        return
    conversation = conversation_from_wire(case["wire"])
    check_fields(conversation, case["expect"])
    assert conversation.raw is case["wire"]
    assert_sound(conversation)


@pytest.mark.parametrize("case", vectors("events"), ids=lambda case: case["event"])
@pytest.mark.parametrize("further", [(), ("offset-1",)], ids=["", "recovery"])
def test_events(case: dict[str, Any], further: tuple[str, ...]) -> None:
    event = event_from_wire(case["event"], (case["wire"], *further), received_at=NOW)
    check_fields(event, case["expect"])
    assert event.raw is case["wire"]  # type: ignore[union-attr]
    assert_sound(event)


@pytest.mark.parametrize("case", vectors("claims"), ids=lambda case: case["name"])
def test_claims(case: dict[str, Any]) -> None:
    user = user_from_claims(case["claims"])
    check_fields(user, case["expect"])
    assert user.role == case["claims"]["role"]
    assert_sound(user)


@pytest.mark.parametrize("case", vectors("titles"), ids=lambda case: str(case[0]))
def test_titles(case: list[Any]) -> None:
    title, kind, number = case
    found_kind, found_number = context_from_title(title)
    assert found_kind == kind
    assert matches(found_number, number)
