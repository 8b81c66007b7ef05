"""A conversation, as lists, histories and creations show it (wire protocol, section 5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from messaging_client.canonical import FIRST_TOO_LONG, to_id
from messaging_client.models import (
    ContextType,
    Conversation,
    ConversationStatus,
    Id,
    MessagePreview,
    Participant,
    UserType,
)
from messaging_client.wire.construct import Form, construct
from messaging_client.wire.errors import PayloadError
from messaging_client.wire.messages import CONTENTS, TIMES, first_content
from messaging_client.wire.participants import SENDER, known_person, participant_from_wire, people_index
from messaging_client.wire.regulars import participant_in_list, person_in
from messaging_client.wire.shapes import Shapes
from messaging_client.wire.titles import named_in_title
from messaging_client.wire.values import (
    Names,
    first,
    first_id,
    first_text,
    folded,
    spellings,
    text_of,
    time_of,
    to_count,
    well_formed,
)

CONTEXT_TYPE = spellings("contexte_type", "context_type", "contextType")
_CONTEXT_ID = spellings("contexte_id", "context_id", "contextId")
_IDS = spellings("id_conversation", "id", "conversation_id", "conversationId")
_TITLE = spellings("titre", "title")
_KIND = spellings("type_conversation")
_STATUS = spellings("statut", "status")
_CREATED = spellings("date_creation", "created_at", "createdAt")
_ACTIVITY = spellings("date_modification", "lastActivity", "updatedAt", "updated_at")
_UNREAD = spellings("unreadCount", "unread_count", "nombre_non_lus")
_LAST_MESSAGE = spellings("dernier_message", "lastMessage")
_MOST_UNREAD = 10**9  # more is no count
MOST_PARTICIPANTS = 500
"""A conversation with more is no conversation: it would have to be read in slices, and no server has one."""

_STATUSES = {
    "active": ConversationStatus.ACTIVE,
    "archivée": ConversationStatus.ARCHIVED,  # found without folding
    "archivee": ConversationStatus.ARCHIVED,
    "archived": ConversationStatus.ARCHIVED,
    "fermee": ConversationStatus.CLOSED,
    "closed": ConversationStatus.CLOSED,
}
_CONTEXTS = {str(each): each for each in ContextType}


def _first_count(payload: Mapping[str, Any], names: Names) -> int | None:
    counts = (_count(payload.get(name)) for name in names)
    return next((each for each in counts if each is not None), None)


def _count(value: object) -> int | None:
    count = value if type(value) is int and value >= 0 else to_count(value)
    return count if count is not None and count <= _MOST_UNREAD else None


_OBJECTS = _PATIENT, _MEDECIN = (UserType.PATIENT, UserType.MEDECIN)  # looking one up takes longer than a call
"""Objects of a conversation that name a person, each by the person's type."""
_READERS = {kind: partial(participant_from_wire, type_implied=kind) for kind in _OBJECTS}
_LIST_ALONE = ("participants",)
"""Where people stand in what servers usually send."""

_FORM = Form(Conversation)
_SHAPES = Shapes(
    (_IDS, first_id),
    (_TITLE, first_text),
    (_KIND, first_text),
    (_STATUS, first),
    (CONTEXT_TYPE, first_text),
    (_CONTEXT_ID, first_id),
    (_LAST_MESSAGE, first),
    (_UNREAD, _first_count),
    (_CREATED, first),
    (_ACTIVITY, first),
    groups=(("rawData", "raw_data", "participants", *_OBJECTS),),
)
_PREVIEW_FORM = Form(MessagePreview)
_PREVIEW_SHAPES = Shapes(
    (CONTENTS, first_content), (TIMES, first), (SENDER.ids, first_id), (SENDER.types, first), groups=(SENDER.keys,)
)


def conversation_from_wire(payload: object) -> Conversation:
    """Read a conversation, also one wrapped as `{"conversation": {…}}`.

    What cannot be read of it besides the id (a time, a participant, the last message) is left out; `raw` keeps it.

    Raises:
        PayloadError: not an object, without an id, or with participants past counting.

    """
    fields = payload
    if isinstance(fields, dict) and isinstance(fields.get("conversation"), dict):
        fields = fields["conversation"]
    if not isinstance(fields, dict):
        raise PayloadError("a conversation is not an object", payload)
    shape = _SHAPES[tuple(fields)]
    identity, title, kind, status, word, number, last_message, unread, created_at, last_activity = shape.values(fields)
    if type(identity) is not int or not 0 <= identity < FIRST_TOO_LONG:
        identity = to_id(identity)
        if identity is None:
            raise PayloadError("a conversation has no id", payload)
    made = _FORM.empty()
    people = _participants(fields, shape.groups[0])
    patient = medecin = None
    for each in people:
        kind_of = each.type
        if kind_of is _PATIENT:
            patient = each if patient is None else patient
        elif kind_of is _MEDECIN:
            medecin = each if medecin is None else medecin
    title = "" if title is None else text_of(title) or ""
    named, told = named_in_title(title)
    context_type: ContextType | str | None = named
    if context_type is None or word is not None or number is not None:
        context_type, told = _context(word, number, named, told)
    return _FORM.filled(
        (
            payload,
            identity,
            title,
            None if kind is None else text_of(kind),
            conversation_status_from_wire(status),
            context_type,
            told,
            patient,
            medecin,
            people,
            _preview(last_message, people) if last_message else None,
            unread if type(unread) is int and 0 <= unread <= _MOST_UNREAD else _count(unread) or 0,
            time_of(created_at),
            time_of(last_activity),
        ),
        made,
    )


def conversation_status_from_wire(value: object) -> ConversationStatus:
    """Give the status that a word stands for."""
    found = _STATUSES.get(value) if type(value) is str else None
    return _STATUSES.get(folded(value), ConversationStatus.UNKNOWN) if found is None else found


def _participants(fields: dict[str, Any], places: Names) -> tuple[Participant, ...]:
    """Give who takes part: the first list that names somebody, else the two objects; each person once.

    Names that the list does not tell are taken from the other places; `places` are those that there are.
    """
    if not places:
        return ()
    if places == _LIST_ALONE and type(listed := fields["participants"]) is list and len(listed) <= MOST_PARTICIPANTS:
        alone = _readable(listed, participant_in_list)
        if _are_different(alone):
            return tuple(alone)
    sources = [_readable(found, participant_in_list) for found in _participant_lists(fields)]
    objects = [(found, kind) for kind in _OBJECTS if isinstance(found := fields.get(kind), dict)]
    sources.append([person for found, kind in objects for person in _readable([found], _READERS[kind])])
    chosen = next(filter(None, sources), [])
    index = people_index(each for source in (chosen, *sources) for each in source)
    people: dict[object, Participant] = {}
    for position, each in enumerate(chosen):
        key = None if each.id is None else (each.type, each.id)
        if key is None or key not in index:
            people[position] = each
        else:
            people[key] = index[key]
    return tuple(people.values())


def _are_different(people: list[Participant]) -> bool:
    if len(people) == 2:  # as almost always; hashing the type of a person takes longer than all of this
        return people[0].type is not people[1].type or people[0].id != people[1].id
    return len(people) < 2 or len({(each.type, each.id) for each in people}) == len(people)


def _participant_lists(fields: dict[str, Any]) -> list[list[Any]]:
    around = (fields.get("rawData"), fields.get("raw_data"), fields)
    lists = [found for each in around if isinstance(each, dict) and isinstance(found := each.get("participants"), list)]
    for each in lists:
        if len(each) > MOST_PARTICIPANTS:
            raise PayloadError(f"a conversation names more than {MOST_PARTICIPANTS} participants", fields)
    return lists


def _readable(listed: list[Any], read: Callable[[Any], Participant]) -> list[Participant]:
    people = []
    for each in listed:
        try:
            people.append(read(each))
        except PayloadError:  # it is left out; `raw` keeps it
            continue
    return people


def _context(
    word: object, number: object, named: ContextType | None, told: Id | None
) -> tuple[ContextType | str, Id | None]:
    """Give the context; explicit fields win over the title, which tells the id of its own context only."""
    identity = None if number is None else to_id(number)
    text = None if word is None else text_of(word)
    context_type = named or ContextType.CONSULTATION if text is None else _CONTEXTS.get(folded(text), text)
    if identity is None and named in (None, context_type):
        identity = told
    return context_type, identity


def _preview(payload: object, people: tuple[Participant, ...]) -> MessagePreview | None:
    """Read the last message of a list; a text alone is its content."""
    if isinstance(payload, str):
        return construct(MessagePreview, raw=payload, content=well_formed(payload), sender=Participant())
    if not isinstance(payload, dict):
        return None
    shape = _PREVIEW_SHAPES[tuple(payload)]
    content, time, number, word = shape.values(payload)
    if not isinstance(content, str):
        return None
    made = _PREVIEW_FORM.empty()
    keys = shape.groups[0]
    sender = None
    if len(keys) == 2 and type(number) is int and type(word) is str:  # id and type of a participant, as mostly
        sender = known_person(number, word, people)
    if sender is None:
        sender = person_in(payload, keys, SENDER, people_index(people)) or Participant()
    text = content if content.isascii() else well_formed(content)
    return _PREVIEW_FORM.filled((payload, text, time_of(time), sender), made)
