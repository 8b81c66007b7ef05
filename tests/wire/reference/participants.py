"""People: participants of a conversation, and the two sides of a message (wire protocol, section 5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from messaging_client.canonical import to_id
from messaging_client.models import Id, Participant, UserType, placeholder_name
from messaging_client.wire.errors import PayloadError
from messaging_client.wire.participants import NOBODY, People, Side
from messaging_client.wire.values import first, first_id, first_object, folded, spellings

from .construct import construct
from .values import first_text

_TYPES = {
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
_DETAILS = frozenset((*_FIRST_NAME, *_LAST_NAME, *_SPECIALITE))
_INFO = spellings("info", "patient_info", "medecin_info", "professionnel_info")
_OWN_ID = spellings("participant_id")
_IDS_OF_TYPE = {
    UserType.PATIENT: spellings("patient_id", "id_patient"),
    UserType.MEDECIN: spellings("professionnel_id", "id_professionnel", "medecin_id", "id_medecin"),
}
_PLAIN_ID = spellings("id", "user_id")
_TYPE = spellings("participant_type", "type", "user_type", "role")


def user_type_from_wire(value: object) -> UserType:
    """Give the type of a person: `professionnel` and the like are doctors; case and accents do not count."""
    if value == "patient":
        return UserType.PATIENT
    if value == "medecin":
        return UserType.MEDECIN
    return _TYPES.get(folded(value).replace(" ", "_").replace("-", "_"), UserType.UNKNOWN)


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
    kind, identity = _identity(payload, type_implied)
    info = first_object(payload, _INFO) or {}
    found = make_participant(
        kind,
        identity,
        name=first_text(payload, _NAME) or first_text(info, _NAME),
        first_name=first_text(info, _FIRST_NAME) or first_text(payload, _FIRST_NAME),
        last_name=first_text(info, _LAST_NAME) or first_text(payload, _LAST_NAME),
        specialite=first_text(info, _SPECIALITE) or first_text(payload, _SPECIALITE),
        raw=payload,
    )
    if identity is None and not found.is_named:
        raise PayloadError("a participant has neither id nor name", payload)
    return found


def _identity(payload: dict[str, Any], type_implied: UserType) -> tuple[UserType, Id | None]:
    """Give type and id; what names the kind of person wins over `id`, which may be that of a row in a table."""
    by_type = {kind: found for kind, names in _IDS_OF_TYPE.items() if (found := first_id(payload, names)) is not None}
    kind = type_implied
    if kind is UserType.UNKNOWN:
        kind = user_type_from_wire(first(payload, _TYPE))
    identity = first_id(payload, _OWN_ID)
    if identity is None and by_type:
        if kind is UserType.UNKNOWN and len(by_type) == 1:
            kind = next(iter(by_type))
        elif kind is UserType.UNKNOWN and first_id(payload, _PLAIN_ID) is None:
            raise PayloadError("a participant names two people", payload)
        identity = by_type.get(kind)
    if identity is None:
        identity = first_id(payload, _PLAIN_ID)
    return kind, None if identity in _PLACEHOLDERS else identity


def make_participant(
    kind: UserType,
    identity: Id | None,
    *,
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
    return construct(
        Participant,
        raw=raw,
        id=identity,
        type=kind,
        name=name,
        first_name=first_name,
        last_name=last_name,
        specialite=specialite,
    )


def people_index(participants: Iterable[Participant]) -> dict[tuple[UserType, Id], Participant]:
    """Give the participants by type and id; those without either are left out, and a named one wins."""
    index: dict[tuple[UserType, Id], Participant] = {}
    for each in participants:
        if each.id is None or each.type is UserType.UNKNOWN:
            continue
        known = index.setdefault((each.type, each.id), each)
        if each.is_named and not known.is_named:
            index[each.type, each.id] = each
    return index


def person_of(message: dict[str, Any], side: Side, people: People = NOBODY) -> Participant | None:
    """Give the sender or the recipient of a message; None where the message says nothing of one.

    Args:
        message: the message's fields.
        side: `SENDER` or `RECIPIENT`.
        people: who takes part, for names that the message does not carry, and for a type that it does not carry
            where one participant alone has that id.

    """
    if not any(name in message for name in side.keys):
        return None
    sources = [found for name in side.objects if isinstance(found := message.get(name), dict)]
    raw = sources[0] if sources else None
    if not side.flat.isdisjoint(message):
        sources.append(_flat(message, side))
    identity, kind = _named_identity(sources)
    name, first_name, last_name, specialite = _given_names(message, side, sources)
    is_named = not (name is None and first_name is None and last_name is None)
    if identity is None and kind is None and not is_named:
        return None
    known = _looked_up(people, kind, identity) if people and identity is not None else None
    if known is not None:
        kind = known.type
        name = name if is_named else known.name
        first_name, last_name = first_name or known.first_name, last_name or known.last_name
        specialite = specialite or known.specialite
    return make_participant(
        kind or UserType.UNKNOWN,
        identity,
        name=name,
        first_name=first_name,
        last_name=last_name,
        specialite=specialite,
        raw=raw,
    )


def _flat(message: dict[str, Any], side: Side) -> dict[str, Any]:
    """Give what the message's own fields say of a side as if it stood in an object."""
    return {
        "id": first_id(message, side.ids),
        "type": first_text(message, side.types),
        "name": first_text(message, side.names),
        "nom": first_text(message, side.last_names),
        "prenom": first_text(message, side.first_names),
    }


def _named_identity(sources: list[dict[str, Any]]) -> tuple[Id | None, UserType | None]:
    """Give id and type as the message has them; None for a type that it does not name."""
    identity: Id | None = None
    kind: UserType | None = None
    hint: UserType | None = None
    for source in sources:
        value = source.get("id")
        if identity is None and value is not None:
            identity = to_id(value)
            if identity in _PLACEHOLDERS:
                hint = hint or _PLACEHOLDERS[str(identity)]
                identity = None
        word = source.get("type")
        if kind is None and word and isinstance(word, str):
            kind = user_type_from_wire(word)
    return identity, hint if kind is None and identity is None else kind


def _given_names(
    message: dict[str, Any], side: Side, sources: list[dict[str, Any]]
) -> tuple[str | None, str | None, str | None, str | None]:
    """Give name, first name, last name and specialité as the message has them."""
    name = first_name = last_name = specialite = None
    for source in sources:
        name = name or first_text(source, _NAME)
    if len(sources) > 1 and (info := first_object(message, side.info)) is not None:
        sources = [info, *sources]
    for source in sources:
        if not _DETAILS.isdisjoint(source):
            first_name = first_name or first_text(source, _FIRST_NAME)
            last_name = last_name or first_text(source, _LAST_NAME)
            specialite = specialite or first_text(source, _SPECIALITE)
    return name, first_name, last_name, specialite


def _looked_up(people: People, kind: UserType | None, identity: Id) -> Participant | None:
    if kind is not None:
        return people.get((kind, identity))
    alone = [people[key] for key in ((UserType.PATIENT, identity), (UserType.MEDECIN, identity)) if key in people]
    return alone[0] if len(alone) == 1 else None
