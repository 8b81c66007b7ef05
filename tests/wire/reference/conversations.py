"""A conversation, as lists, histories and creations show it (wire protocol, section 5)."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from messaging_client.models import (
    ContextType,
    Conversation,
    ConversationStatus,
    Id,
    MessagePreview,
    Participant,
    UserType,
)
from messaging_client.wire.errors import PayloadError
from messaging_client.wire.participants import SENDER
from messaging_client.wire.values import dotted, first, first_id, first_object, folded, spellings, to_count, well_formed

from .construct import construct
from .messages import TIMES, content_of
from .participants import participant_from_wire, people_index, person_of
from .titles import named_in_title
from .values import first_text, optional_time

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
_LISTS = ("rawData.participants", "raw_data.participants", "participants")
_MOST_UNREAD = 10**9  # more is no count
MOST_PARTICIPANTS = 500
"""A conversation with more is no conversation: it would have to be read in slices, and no server has one."""

_STATUSES = {
    "active": ConversationStatus.ACTIVE,
    "archivee": ConversationStatus.ARCHIVED,
    "archived": ConversationStatus.ARCHIVED,
    "fermee": ConversationStatus.CLOSED,
    "closed": ConversationStatus.CLOSED,
}
_CONTEXTS = {str(each): each for each in ContextType}


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
    identity = first_id(fields, _IDS)
    if identity is None:
        raise PayloadError("a conversation has no id", payload)
    people = _participants(fields)
    title = first_text(fields, _TITLE) or ""
    context_type, context_id = _context(fields, title)
    return construct(
        Conversation,
        raw=payload,
        id=identity,
        title=title,
        kind=first_text(fields, _KIND),
        status=conversation_status_from_wire(first(fields, _STATUS)),
        context_type=context_type,
        context_id=context_id,
        patient=next((each for each in people if each.type is UserType.PATIENT), None),
        medecin=next((each for each in people if each.type is UserType.MEDECIN), None),
        participants=people,
        last_message=_preview(first(fields, _LAST_MESSAGE), people),
        unread_count=next(filter(_is_plausible, (to_count(fields.get(name)) for name in _UNREAD)), None) or 0,
        created_at=optional_time(fields, _CREATED),
        last_activity=optional_time(fields, _ACTIVITY),
    )


def conversation_status_from_wire(value: object) -> ConversationStatus:
    """Give the status that a word stands for."""
    return _STATUSES.get(folded(value), ConversationStatus.UNKNOWN)


def _is_plausible(count: int | None) -> bool:
    return count is not None and count <= _MOST_UNREAD


def _participants(fields: dict[str, Any]) -> tuple[Participant, ...]:
    """Give who takes part: the first list that names somebody, else the two objects; each person once.

    Names that the list does not tell are taken from the other places.
    """
    sources = [_readable((each, UserType.UNKNOWN) for each in found) for found in _participant_lists(fields)]
    sources.append(_readable((first_object(fields, (str(kind),)), kind) for kind in _OBJECTS))
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


_OBJECTS = (UserType.PATIENT, UserType.MEDECIN)


def _participant_lists(fields: dict[str, Any]) -> list[list[Any]]:
    lists = [found for path in _LISTS if isinstance(found := dotted(fields, path), list)]
    if any(len(each) > MOST_PARTICIPANTS for each in lists):
        raise PayloadError(f"a conversation names more than {MOST_PARTICIPANTS} participants", fields)
    return lists


def _readable(listed: Iterable[tuple[object, UserType]]) -> list[Participant]:
    people = []
    for each, kind in listed:
        if each is not None:
            with suppress(PayloadError):
                people.append(participant_from_wire(each, type_implied=kind))
    return people


def _context(fields: dict[str, Any], title: str) -> tuple[ContextType | str, Id | None]:
    """Give the context; explicit fields win over the title, which tells the id of its own context only."""
    word = first_text(fields, CONTEXT_TYPE)
    identity = first_id(fields, _CONTEXT_ID)
    named, number = named_in_title(title)
    context_type: ContextType | str = named or ContextType.CONSULTATION
    if word is not None:
        context_type = _CONTEXTS.get(folded(word), word)
    if identity is None and named in (None, context_type):
        identity = number
    return context_type, identity


def _preview(payload: object, people: tuple[Participant, ...]) -> MessagePreview | None:
    """Read the last message of a list; a text alone is its content."""
    if isinstance(payload, str):
        return construct(MessagePreview, raw=payload, content=well_formed(payload), sender=Participant())
    content = content_of(payload) if isinstance(payload, dict) else None
    if content is None or not isinstance(payload, dict):
        return None
    return construct(
        MessagePreview,
        raw=payload,
        content=content,
        timestamp=optional_time(payload, TIMES),
        sender=person_of(payload, SENDER, people_index(people)) or Participant(),
    )
