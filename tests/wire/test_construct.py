from __future__ import annotations

import copy
import gc
import pickle
import sys

import pytest
from pydantic import BaseModel, ValidationError

from messaging_client.models import Frozen, Message, MessageStatus, MessageType, Participant, UserType
from messaging_client.wire.construct import Form, Given, complete, construct

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


def test_the_names_that_many_share_cannot_be_changed() -> None:
    given = Given(["a", "b"])
    for change in (
        *(lambda: given.add("c"), lambda: given.discard("a"), lambda: given.remove("a"), given.pop, given.clear),
        *(lambda: given.update(["c"]), lambda: given.difference_update("a"), lambda: given.intersection_update("a")),
        *(lambda: given.symmetric_difference_update("a"), lambda: given.__ior__({"c"}), lambda: given.__iand__({"c"})),
        *(lambda: given.__isub__({"a"}), lambda: given.__ixor__({"a"})),
    ):
        with pytest.raises(TypeError):
            change()
    for other in (given.copy(), copy.copy(given), copy.deepcopy(given), pickle.loads(pickle.dumps(given))):
        assert type(other) is set
        assert other == given == {"a", "b"}


def test_as_the_installed_pydantic_makes_them() -> None:
    fields = made().__dict__
    pydantics_own = Message.model_construct(set(fields), **fields)
    for ours in (made(), complete(Message, dict(fields), Given(fields))):
        for place in ("__dict__", "__pydantic_extra__", "__pydantic_private__"):
            assert getattr(ours, place) == getattr(pydantics_own, place)
        assert [*ours.__dict__] == [*pydantics_own.__dict__]
    shared = complete(Message, dict(fields), Given(fields))
    assert shared.model_fields_set == pydantics_own.model_fields_set
    assert type(shared.model_copy().model_fields_set) is set
    assert shared.model_copy(update={"late": True}).late
    for dump in ({}, {"exclude_unset": True}, {"exclude_defaults": True}):
        assert shared.model_dump(**dump) == pydantics_own.model_dump(**dump)
        assert shared.model_dump_json(**dump) == pydantics_own.model_dump_json(**dump)
    assert copy.deepcopy(shared) == shared == pickle.loads(pickle.dumps(shared))
    assert set(BaseModel.__slots__) == {  # all places of an instance
        *("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
    }


class Pair(Frozen):
    """A model of this module alone: what its class has learned is of these tests."""

    shown = ("second",)

    first: int
    second: str | None = None
    third: tuple[int, ...] = ()


FORM = Form(Pair)


@pytest.mark.parametrize("has_dictionary", [False, True])
def test_a_form_makes_what_pydantic_makes(has_dictionary: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FORM, "_has_dictionary", has_dictionary)
    ours, theirs = FORM.filled((1, "b", (3,))), Pair(first=1, second="b", third=(3,))
    assert type(ours) is Pair
    assert ours == theirs
    assert hash(ours) == hash(theirs)
    assert repr(ours) == repr(theirs) == "Pair(second='b')"
    assert ours.model_fields_set == theirs.model_fields_set
    assert [*ours.__dict__.items()] == [*theirs.__dict__.items()]
    assert (ours.__pydantic_extra__, ours.__pydantic_private__) == (None, None)
    for dump in ({}, {"exclude_unset": True}, {"exclude_defaults": True}):
        assert ours.model_dump(**dump) == theirs.model_dump(**dump)
        assert ours.model_dump_json(**dump) == theirs.model_dump_json(**dump)
    fresh = FORM.filled((1, "b", (3,)))
    assert fresh.model_dump() == theirs.model_dump()  # before anything has asked for its dictionary
    for copied in (
        copy.copy(FORM.filled((1, "b", (3,)))),
        copy.deepcopy(FORM.filled((1, "b", (3,)))),
        pickle.loads(pickle.dumps(FORM.filled((1, "b", (3,))))),
        FORM.filled((1, "b", (3,))).model_copy(),
        FORM.filled((0, "b", (3,))).model_copy(update={"first": 1}),
    ):
        assert copied == theirs
        assert [*copied.__dict__] == ["first", "second", "third"]
        assert copied.model_fields_set == theirs.model_fields_set
    assert Pair.model_validate(fresh) is fresh
    before = FORM.empty()
    assert FORM.filled((1, "b", (3,)), before) is before
    assert [*before.__dict__.items()] == [*theirs.__dict__.items()]
    assert (before, before.model_fields_set) == (theirs, theirs.model_fields_set)


def test_what_a_form_makes_is_immutable_and_shares_nothing() -> None:
    ours = FORM.filled((1, "b", ()))
    with pytest.raises(ValidationError):
        ours.second = "c"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        del ours.second
    other = FORM.filled((2, None, (4,)))
    assert (ours.first, ours.second, ours.third) == (1, "b", ())
    assert (other.first, other.second, other.third) == (2, None, (4,))
    assert ours.__dict__ is not other.__dict__


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="objects of classes with slots have one from the start")
def test_what_a_form_makes_has_no_dictionary_until_somebody_asks() -> None:
    class Fresh(Pair):
        """Nobody has made one yet."""

    form = Form(Fresh)
    for number in range(100):
        Fresh(first=number)  # of which the class learns nothing, and after so many no more
    ours = form.filled((1, "b", ()))
    assert ours.second == "b"
    assert not [each for each in gc.get_referents(ours) if type(each) is dict]
    assert ours.__dict__ == {"first": 1, "second": "b", "third": ()}
