"""People: participants of a conversation, and the two sides of a message (wire protocol, section 5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

from messaging_client.canonical import FIRST_TOO_LONG, to_id
from messaging_client.models import Id, Participant, UserType, placeholder_name
from messaging_client.wire.construct import Form
from messaging_client.wire.errors import PayloadError
from messaging_client.wire.shapes import Shapes
from messaging_client.wire.values import Names, first, first_id, first_object, first_text, folded, spellings, text_of

People = Mapping[tuple[UserType, Id], Participant]
"""Participants by type and id, for looking up names."""

NOBODY: People = MappingProxyType({})

TYPES = {
    "patient": UserType.PATIENT,
    "medecin": UserType.MEDECIN,
    "docteur": UserType.MEDECIN,
    "doctor": UserType.MEDECIN,
    "professionnel": UserType.MEDECIN,
    "professionnel_sante": UserType.MEDECIN,
    "professionnel_de_sante": UserType.MEDECIN,
    "professional": UserType.MEDECIN,
}
_PLACEHOLDERS = {"patient": UserType.PATIENT, "medecin": UserType.MEDECIN, "all": UserType.UNKNOWN}
"""Words that stand in place of an id and mean nobody in particular, with the type that they tell."""

_NAME = spellings("name")
_LAST_NAME = spellings("nom", "last_name")
_FIRST_NAME = spellings("prenom", "first_name")
_SPECIALITE = spellings("specialite")
_INFO = spellings("info", "patient_info", "medecin_info", "professionnel_info")
_OWN_ID = spellings("participant_id")
_IDS_OF_TYPE = {
    UserType.PATIENT: spellings("patient_id", "id_patient"),
    UserType.MEDECIN: spellings("professionnel_id", "id_professionnel", "medecin_id", "id_medecin"),
}
_PLAIN_ID = spellings("id", "user_id")
_TYPE = spellings("participant_type", "type", "user_type", "role")
_NAMES = ((_NAME, first_text), (_LAST_NAME, first_text), (_FIRST_NAME, first_text), (_SPECIALITE, first_text))
_SHAPES = Shapes(
    (_OWN_ID, first_id),
    (_IDS_OF_TYPE[UserType.PATIENT], first_id),
    (_IDS_OF_TYPE[UserType.MEDECIN], first_id),
    (_PLAIN_ID, first_id),
    (_TYPE, first),
    *_NAMES,
    (_INFO, first_object),
)
INFO_SHAPES = Shapes(*_NAMES)
_OBJECT_SHAPES = Shapes((("id",), first), (("type",), first), *_NAMES)
_FORM = Form(Participant)
_Told = tuple[Any, ...]
"""Id, type, name, last name, first name and specialité as one part of a message spells them."""


def user_type_from_wire(value: object) -> UserType:
    """Give the type of a person: `professionnel` and the like are doctors; case and accents do not count."""
    if type(value) is str and (found := TYPES.get(value)) is not None:
        return found
    return TYPES.get(folded(value).replace(" ", "_").replace("-", "_"), UserType.UNKNOWN)


def participant_from_wire(payload: object, *, type_implied: UserType = UserType.UNKNOWN) -> Participant:
    """Read a participant in any of the protocol's shapes.

    Args:
        payload: what came.
        type_implied: the type that the place tells where it stood, as the objects `patient` and `medecin` do.

    Raises:
        PayloadError: it is no object, names nobody, or names two people.

    """
    if not isinstance(payload, dict):
        raise PayloadError("a participant is not an object", payload)
    shape = _SHAPES[tuple(payload)]
    own, patient, medecin, plain, word, name, last_name, first_name, specialite, info = shape.values(payload)
    kind = user_type_from_wire(word) if type_implied is UserType.UNKNOWN else type_implied
    if own is None and patient is None and medecin is None:
        identity = plain if type(plain) is int and 0 <= plain < FIRST_TOO_LONG else to_id(plain)
        if identity in _PLACEHOLDERS:
            identity = None
    else:
        kind, identity = _identity(payload, kind, to_id(own), to_id(patient), to_id(medecin), to_id(plain))
    told_name = told_last = told_first = told_specialite = None
    if isinstance(info, dict):
        shape = INFO_SHAPES[tuple(info)]
        told_name, told_last, told_first, told_specialite = shape.values(info)
    name = (name and text_of(name)) or (told_name and text_of(told_name)) or None
    last_name = (told_last and text_of(told_last)) or (last_name and text_of(last_name)) or None
    first_name = (told_first and text_of(told_first)) or (first_name and text_of(first_name)) or None
    specialite = (told_specialite and text_of(told_specialite)) or (specialite and text_of(specialite)) or None
    made = make_participant(kind, identity, name, first_name, last_name, specialite, payload)
    if identity is None and not made.is_named:
        raise PayloadError("a participant has neither id nor name", payload)
    return made


def _identity(
    payload: object, kind: UserType, own: Id | None, patient: Id | None, medecin: Id | None, plain: Id | None
) -> tuple[UserType, Id | None]:
    """Give type and id; what names the kind of person wins over `id`, which may be that of a row in a table."""
    named = ((UserType.PATIENT, patient), (UserType.MEDECIN, medecin))
    by_type = {each: found for each, found in named if found is not None}
    identity = own
    if identity is None and by_type:
        if kind is UserType.UNKNOWN and len(by_type) == 1:
            kind = next(iter(by_type))
        elif kind is UserType.UNKNOWN and plain is None:
            raise PayloadError("a participant names two people", payload)
        identity = by_type.get(kind)
    if identity is None:
        identity = plain
    return kind, None if identity in _PLACEHOLDERS else identity


def make_participant(
    kind: UserType,
    identity: Id | None,
    name: str | None = None,
    first_name: str | None = None,
    last_name: str | None = None,
    specialite: str | None = None,
    raw: object = None,
) -> Participant:
    """Make a participant of values that are right already; without a name it is made of the others."""
    if name is None:
        if first_name is None:
            name = last_name or placeholder_name(identity, kind)
        else:
            name = first_name if last_name is None else f"{first_name} {last_name}"
    return _FORM.filled((raw, identity, kind, name, first_name, last_name, specialite))


def with_raw(participant: Participant, raw: object) -> Participant:
    """Give the same person with another `raw`."""
    who = participant  # not its `__dict__`: looking at that would make one
    return _FORM.filled((raw, who.id, who.type, who.name, who.first_name, who.last_name, who.specialite))


def people_index(participants: Iterable[Participant]) -> dict[tuple[UserType, Id], Participant]:
    """Give the participants by type and id; those without either are left out, and a named one wins."""
    index: dict[tuple[UserType, Id], Participant] = {}
    for each in participants:
        if each.id is None or each.type is UserType.UNKNOWN:
            continue
        known = index.setdefault((each.type, each.id), each)
        if known is not each and each.is_named and not known.is_named:
            index[each.type, each.id] = each
    return index


@dataclass(frozen=True)
class Side:
    """The spellings of one side of a message, each in order of preference.

    Attributes:
        objects: where id, type and names stand, as `sender` in `{"sender": {"id": 5}}`.
        info: the one of them that wins for last and first names.
        ids, types, names, last_names, first_names: fields of the message itself.
        flat: all of these fields.
        keys: all of these objects and fields; a message without any of them says nothing of this side.

    """

    objects: Names
    info: Names
    ids: Names
    types: Names
    names: Names
    last_names: Names
    first_names: Names

    @cached_property
    def flat(self) -> frozenset[str]:
        """The fields of the message itself."""
        return frozenset((*self.ids, *self.types, *self.names, *self.last_names, *self.first_names))

    @cached_property
    def shapes(self) -> Shapes:
        """Shapes of these fields: id, type, name, last name and first name."""
        fields = (self.ids, first_id), (self.types, first_text), (self.names, first_text)
        return Shapes(*fields, (self.last_names, first_text), (self.first_names, first_text))

    @cached_property
    def keys(self) -> Names:
        """Every key that says something of this side, objects first."""
        return (*self.objects, *sorted(self.flat))


def _side(english: str, french: str) -> Side:
    return Side(
        objects=spellings(english, f"{french}_info", french),
        info=spellings(f"{french}_info"),
        ids=spellings(f"{french}_id", f"{english}_id"),
        types=spellings(f"{french}_type", f"{english}_type"),
        names=spellings(f"{english}_name"),
        last_names=spellings(f"{french}_nom"),
        first_names=spellings(f"{french}_prenom"),
    )


SENDER = _side("sender", "expediteur")
RECIPIENT = _side("recipient", "destinataire")


def known_person(identity: int, word: str, people: Iterable[Participant]) -> Participant | None:
    """Give what `person_of` does for a message that says nothing but id and type of a side.

    Args:
        identity: the id, as the message has it.
        word: the type, as the message has it.
        people: who takes part, each once.

    Returns:
        The person; None where `person_of` has to be asked.

    """
    kind = TYPES.get(word)
    if kind is None or not 0 <= identity < FIRST_TOO_LONG:
        return None
    for each in people:
        if each.type is kind and each.id == identity:
            return _FORM.filled((None, identity, kind, each.name, each.first_name, each.last_name, each.specialite))
    return make_participant(kind, identity)


def person_of(message: dict[str, Any], side: Side, people: People = NOBODY) -> Participant | None:
    """Give the sender or the recipient of a message; None where the message says nothing of one.

    Args:
        message: the message's fields.
        side: `SENDER` or `RECIPIENT`.
        people: who takes part, for names that the message does not carry, and for a type that it does not carry
            where one participant alone has that id.

    """
    return person_told(message, tuple(name for name in side.keys if name in message), side, people)


def person_told(message: dict[str, Any], keys: Names, side: Side, people: People) -> Participant | None:
    """As `person_of`; `keys` are those of `side.keys` that stand in the message, in that order."""
    raw, told = _told(message, keys, side)
    identity, kind = _named_identity(told)
    name, last_name, first_name, specialite = _given_names(message, side, told)
    is_named = not (name is None and first_name is None and last_name is None)
    if identity is None and kind is None and not is_named:
        return None
    known = _looked_up(people, kind, identity) if people and identity is not None else None
    if known is not None:
        kind = known.type
        name = name if is_named else known.name
        first_name, last_name = first_name or known.first_name, last_name or known.last_name
        specialite = specialite or known.specialite
    return make_participant(kind or UserType.UNKNOWN, identity, name, first_name, last_name, specialite, raw)


def _told(message: dict[str, Any], keys: Names, side: Side) -> tuple[dict[str, Any] | None, list[_Told]]:
    """Give the object of a side, and what each object and then the message's own fields say of it."""
    raw: dict[str, Any] | None = None
    told: list[_Told] = []
    for name in keys:
        if name not in side.objects:  # objects come first
            shape = side.shapes[keys]
            identity, word, name, last_name, first_name = shape.values({each: message[each] for each in keys})
            told.append((identity, word and text_of(word), name, last_name, first_name, None))
            break
        found = message[name]
        if isinstance(found, dict):
            raw = found if raw is None else raw
            told.append(tuple(_OBJECT_SHAPES[tuple(found)].values(found)))
    return raw, told


def _named_identity(told: list[_Told]) -> tuple[Id | None, UserType | None]:
    """Give id and type as the message has them; None for a type that it does not name."""
    identity: Id | None = None
    kind: UserType | None = None
    hint: UserType | None = None
    for value, word, *_ in told:
        if identity is None and value is not None:
            identity = to_id(value)
            if identity in _PLACEHOLDERS:
                hint = hint or _PLACEHOLDERS[str(identity)]
                identity = None
        if kind is None and word and isinstance(word, str):
            kind = user_type_from_wire(word)
    return identity, hint if kind is None and identity is None else kind


def _given_names(message: dict[str, Any], side: Side, told: list[_Told]) -> tuple[str | None, ...]:
    """Give name, last name, first name and specialité as the message has them."""
    if len(told) == 1:
        return tuple([(each and text_of(each)) or None for each in told[0][2:]])
    name = _first_text(told, 2)
    if (info := first_object(message, side.info)) is not None:
        told = [tuple(_OBJECT_SHAPES[tuple(info)].values(info)), *told]
    return name, _first_text(told, 3), _first_text(told, 4), _first_text(told, 5)


def _first_text(told: list[_Told], place: int) -> str | None:
    return next((text for each in told if (text := text_of(each[place])) is not None), None)


def _looked_up(people: People, kind: UserType | None, identity: Id) -> Participant | None:
    if kind is not None:
        return None if kind is UserType.UNKNOWN else people.get((kind, identity))
    patient, medecin = people.get((UserType.PATIENT, identity)), people.get((UserType.MEDECIN, identity))
    if patient is None or medecin is None:
        return medecin if patient is None else patient
    return None
