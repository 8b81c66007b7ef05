"""Participants who stand in many conversations: a patient's doctor is one object in all of a list, not one in each."""

from __future__ import annotations

from typing import Any

from messaging_client.canonical import FIRST_TOO_LONG
from messaging_client.models import Participant
from messaging_client.wire.participants import INFO_SHAPES, TYPES, make_participant, participant_from_wire
from messaging_client.wire.values import text_of

_Said = tuple[tuple[Any, ...], ...]
"""Keys and values of a payload, and the keys of the object in it, all in their order."""

_MET: dict[tuple[int, str], tuple[_Said, Participant] | None] = {}
"""By id and type as payloads spell them; None for those who were met once, most of whom are not met again."""
_UNMET: Any = object()
_MOST_MET = 1000
_LONGEST_WORD = 64
_LONGEST_SAID = 500  # characters of all that is said of somebody
_INFO = "info"


def participant_in_list(payload: object) -> Participant:
    """Read as `participant_from_wire` does; where the same was said before, it may be the same object as before.

    Such an object has a `raw` of its own, which does not change when somebody changes what came.

    Raises:
        PayloadError: it is no object, names nobody, or names two people.

    """
    if type(payload) is not dict:
        return participant_from_wire(payload)
    identity, word = payload.get("id"), payload.get("type")
    # True, 1 and 1.0 are the same key, hence the type; other spellings are not shared, that is all.
    if type(identity) is not int or type(word) is not str or len(word) > _LONGEST_WORD:
        return participant_from_wire(payload)
    met = _MET.get((identity, word), _UNMET)
    if met is _UNMET:
        made = _read(payload, identity, word)
        if abs(identity) < FIRST_TOO_LONG:
            if len(_MET) >= _MOST_MET:
                _MET.clear()
            _MET[identity, word] = None
        return made
    if met is not None and met[0] == _said(payload):
        return met[1]  # type: ignore[no-any-return]
    if not _may_be_kept(payload):
        return participant_from_wire(payload)
    own = {name: dict(value) if name == _INFO and type(value) is dict else value for name, value in payload.items()}
    made = participant_from_wire(own)
    _MET[identity, word] = _said(own), made
    return made


def _read(payload: dict[Any, Any], identity: int, word: str) -> Participant:
    """Read as `participant_from_wire` does: at once where there is nothing but id, type and `info`, as mostly."""
    info = payload.get(_INFO)
    kind = TYPES.get(word)
    if len(payload) != 3 or type(info) is not dict or kind is None or not 0 <= identity < FIRST_TOO_LONG:
        return participant_from_wire(payload)
    shape = INFO_SHAPES[tuple(info)]
    name, last_name, first_name, specialite = shape.values(info)
    return make_participant(
        kind,
        identity,
        None if name is None else text_of(name),
        None if first_name is None else text_of(first_name),
        None if last_name is None else text_of(last_name),
        None if specialite is None else text_of(specialite),
        payload,
    )


def _said(payload: dict[Any, Any]) -> _Said:
    info = payload.get(_INFO)
    return tuple(payload), tuple(payload.values()), tuple(info) if type(info) is dict else ()


def _may_be_kept(payload: dict[Any, Any]) -> bool:
    """Whether it is short, and nothing but texts besides its id: what is equal is then the same."""
    info = payload.get(_INFO)
    parts = [(name, value) for name, value in payload.items() if name != "id" and name != _INFO]
    parts += info.items() if type(info) is dict else [(_INFO, info)]
    length = 0
    for name, value in parts:
        if type(name) is not str or (value is not None and type(value) is not str):
            return False
        length += len(name) + (0 if value is None else len(value))
    return length <= _LONGEST_SAID
