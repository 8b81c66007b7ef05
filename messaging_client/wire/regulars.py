"""The same few people write, and stand in lists, again and again: each is one object, and not one every time.

Such an object has a `raw` of its own, which does not change when somebody changes what came. What is remembered is
bounded, and is of all clients of the process.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from messaging_client.canonical import FIRST_TOO_LONG
from messaging_client.models import Participant
from messaging_client.wire.participants import (
    INFO_SHAPES,
    NOBODY,
    TYPES,
    People,
    Side,
    make_participant,
    participant_from_wire,
    person_told,
    with_raw,
)
from messaging_client.wire.values import Names, text_of

_LONGEST_SAID = 500  # characters of all that is said of somebody
_UNKNOWN: Any = object()


def _are_texts(parts: Iterable[tuple[Any, Any]]) -> bool:
    """Whether names and values are texts, or nothing, and short together: what is equal is then the same."""
    length = 0
    for name, value in parts:
        if type(name) is not str or (value is not None and type(value) is not str):
            return False
        length += len(name) + (0 if value is None else len(value))
    return length <= _LONGEST_SAID


# --- the sides of messages ---------------------------------------------------------------------------------------

_SEEN: dict[tuple[Any, ...], Participant | None] = {}
"""The sides of messages by all that their messages said of them."""
_LATEST: dict[int, tuple[dict[str, Any], Participant | None]] = {}
"""Of those whom an object told of alone, by their ids: the object as it came last, and who it is."""
_MOST_SEEN = 1000


def person_in(message: dict[str, Any], keys: Names, side: Side, people: People = NOBODY) -> Participant | None:
    """Give the sender or the recipient of a message, as `person_of` does; the same object for the same person.

    Args:
        message: the message's fields.
        keys: those of `side.keys` that stand in it, in that order.
        side: `SENDER` or `RECIPIENT`.
        people: who takes part, as for `person_of`.

    """
    if not keys:
        return None
    if people:
        return person_told(message, keys, side, people)
    value = message[keys[0]]
    is_alone = len(keys) == 1 and type(value) is dict and keys[0] in side.objects
    # True, 1 and 1.0 are equal; nothing else that was kept is equal to something of another type.
    identity = value.get("id") if is_alone else None
    if type(identity) is int and (latest := _LATEST.get(identity)) is not None and latest[0] == value:
        return latest[1]
    try:
        seen = _seen(message, keys)
        found = _SEEN.get(seen, _UNKNOWN)
    except TypeError:  # a list or an object within
        return person_told(message, keys, side, people)
    if found is _UNKNOWN:
        found = person_told(message, keys, side, people)
        if not _may_be_shared(message, keys):
            return found
        if len(_SEEN) >= _MOST_SEEN:
            _SEEN.clear()
            _LATEST.clear()
        if found is not None and found.raw is not None:
            found = with_raw(found, dict(found.raw))
        _SEEN[seen] = found
    if type(identity) is int:
        _LATEST[identity] = (dict(value), found)
    return found  # type: ignore[no-any-return]


def _seen(message: dict[str, Any], keys: Names) -> tuple[Any, ...]:
    parts: list[Any] = [keys]
    for name in keys:
        value = message[name]
        if type(value) is dict:
            value = (type(value.get("id")), *value, *value.values())
        parts += (type(value), value)
    return tuple(parts)


def _may_be_shared(message: dict[str, Any], keys: Names) -> bool:
    """Whether it is short texts, and integers as ids, and nothing that could be changed."""
    values = (message[name] for name in keys)
    parts = [part for each in values for part in (each.items() if type(each) is dict else (("id", each),))]
    return _are_texts((name, None if name == "id" and _is_number(value) else value) for name, value in parts)


def _is_number(value: object) -> bool:
    return type(value) is int and abs(value) < FIRST_TOO_LONG


# --- participants of conversations -------------------------------------------------------------------------------

_Said = tuple[tuple[Any, ...], ...]
"""Keys and values of a payload, and the keys of the object in it, all in their order."""

_MET: dict[str, dict[int, tuple[_Said, Participant] | None]] = {}
"""By type, as payloads spell it, and id; None for those who were met once, most of whom are not met again."""
_MOST_MET = 1000  # of each type
_MOST_WORDS = 4  # spellings of types; a server has two
_LONGEST_WORD = 64
_INFO = "info"


def participant_in_list(payload: object) -> Participant:
    """Read as `participant_from_wire` does; where the same was said before, it may be the same object as before.

    Raises:
        PayloadError: it is no object, names nobody, or names two people.

    """
    if type(payload) is not dict:
        return participant_from_wire(payload)
    identity, word = payload.get("id"), payload.get("type")
    # True, 1 and 1.0 are the same key, hence the type; other spellings are not shared, that is all.
    if type(identity) is not int or type(word) is not str:
        return participant_from_wire(payload)
    if not 0 <= identity < FIRST_TOO_LONG or len(word) > _LONGEST_WORD:
        return participant_from_wire(payload)
    alike = _MET.get(word)
    if alike is None:
        if len(_MET) >= _MOST_WORDS:
            _MET.clear()
        alike = _MET[word] = {}
    met = alike.get(identity, _UNKNOWN)
    if met is _UNKNOWN:
        made = _read(payload, identity, word)
        if len(alike) >= _MOST_MET:
            alike.clear()
        alike[identity] = None
        return made
    if met is not None and met[0] == _said(payload):
        return met[1]  # type: ignore[no-any-return]
    if not _may_be_kept(payload):
        return participant_from_wire(payload)
    own = {name: dict(value) if name == _INFO and type(value) is dict else value for name, value in payload.items()}
    made = participant_from_wire(own)
    alike[identity] = _said(own), made
    return made


def _read(payload: dict[Any, Any], identity: int, word: str) -> Participant:
    """Read as `participant_from_wire` does: at once where there is nothing but id, type and `info`, as mostly."""
    info = payload.get(_INFO)
    kind = TYPES.get(word)
    if len(payload) != 3 or type(info) is not dict or kind is None:
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
    """Whether it is short texts, besides its id."""
    info = payload.get(_INFO)
    parts = [(name, value) for name, value in payload.items() if name != "id" and name != _INFO]
    parts += info.items() if type(info) is dict else [(_INFO, info)]
    return _are_texts(parts)
