from __future__ import annotations

import copy
import pickle

import pytest
from pydantic import ValidationError

from messaging_client.models import Message, MessageStatus, MessageType, Participant, UserType
from messaging_client.wire.construct import construct

from .support import NOW, assert_sound


def made() -> Message:
    return construct(
        Message,
        raw={"id": 1},
        id=1,
        conversation_id=2,
        content="bonjour",
        type=MessageType.IMAGE,
        sender=Participant(id=5, type=UserType.PATIENT),
        timestamp=NOW,
    )


def test_the_same_as_validated() -> None:
    validated = Message(
        raw={"id": 1},
        id=1,
        conversation_id=2,
        content="bonjour",
        type=MessageType.IMAGE,
        sender=Participant(id=5, type=UserType.PATIENT),
        timestamp=NOW,
    )
    assert made() == validated
    assert hash(made()) == hash(validated)
    assert made().__dict__ == validated.__dict__
    assert made().model_fields_set == validated.model_fields_set
    assert made().model_dump() == validated.model_dump()
    assert made().model_dump_json() == validated.model_dump_json()
    assert repr(made()) == repr(validated)
    assert_sound(made())


def test_defaults_are_the_models_own() -> None:
    message = made()
    assert (message.recipient, message.status, message.late) == (None, MessageStatus.UNKNOWN, False)


def test_copied_and_pickled() -> None:
    message = made()
    assert message.model_copy(update={"late": True}).late
    assert not message.late
    assert copy.deepcopy(message) == message
    assert pickle.loads(pickle.dumps(message)) == message


def test_stays_immutable() -> None:
    with pytest.raises(ValidationError):
        made().content = "autre"  # type: ignore[misc]


def test_what_is_made_shares_nothing() -> None:
    assert made().__dict__ is not made().__dict__
    assert made().model_fields_set is not made().model_fields_set
