"""Answers of REST, made canonical (wire protocol, section 3).

A success is an envelope, a bare object, or empty. A body in which what was asked for is not to be found is an error,
never an empty list. In a list, an item that cannot be read is reported and left out, and the others survive; a message
of another conversation is such an item, for to show it to the wrong person is the worst that can happen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from messaging_client.models import (
    Conversation,
    History,
    Id,
    Message,
    Page,
    Pagination,
    Participant,
    UserType,
)
from messaging_client.wire.construct import construct
from messaging_client.wire.conversations import CONTEXT_TYPE, conversation_from_wire
from messaging_client.wire.envelopes import data_of, error_message, is_success_envelope, parse_json
from messaging_client.wire.errors import PayloadError
from messaging_client.wire.messages import (
    CONVERSATION_IDS,
    IDS,
    has_content,
    message_from_wire,
    message_order_key,
)
from messaging_client.wire.participants import (
    NOBODY,
    People,
    make_participant,
    participant_from_wire,
    people_index,
    user_type_from_wire,
)
from messaging_client.wire.slices import SLICE, Slices, at_once, in_order
from messaging_client.wire.values import first, first_id, first_object, first_text, spellings, to_count

__all__ = [
    "Report",
    "conversations_in_slices",
    "error_message",
    "history_in_slices",
    "message_order_key",
    "new_messages_in_slices",
    "parse_json",
    "participants_in_slices",
    "read_conversation",
    "read_conversations",
    "read_history",
    "read_marked",
    "read_message",
    "read_new_messages",
    "read_participants",
    "read_permissions",
    "read_summary",
    "read_user",
]

Report = Callable[[PayloadError], None]
"""Told of each item that cannot be read."""

_Item = TypeVar("_Item")

_MOST = 10**9  # pages and items; more is no count
_TOTAL_PAGES = spellings("totalPages", "total_pages", "pages")
_CONTEXTS = ("ordonnance", "consultation", "examen", "contexte", "context")
_USER_OBJECTS = {
    "user": UserType.UNKNOWN,
    "utilisateur": UserType.UNKNOWN,
    "patient": UserType.PATIENT,
    "medecin": UserType.MEDECIN,
    "professionnel": UserType.MEDECIN,
}
_USER_TYPE = spellings("type", "user_type", "role", "participant_type")
_NAMES = ("nom", "prenom", "name")


# --- lists: each may be of any length, so each can be read in slices -----------------------------------------------


def read_conversations(body: object, *, page: int, limit: int, report: Report) -> Page[Conversation]:
    """As `conversations_in_slices`, at once."""
    return at_once(conversations_in_slices(body, page=page, limit=limit, report=report))


def conversations_in_slices(body: object, *, page: int, limit: int, report: Report) -> Slices[Page[Conversation]]:
    """Read a page of conversations; `page` and `limit` are what was asked for, where the answer does not say."""
    data, listed = _list_of(body, "conversations")
    place = _pagination(data, page, limit)
    items = yield from _readable(listed, conversation_from_wire, report)
    return construct(
        Page,
        items=tuple(items),
        page=place.page,
        limit=place.limit,
        total=place.total,
        total_pages=place.total_pages,
    )


def read_history(
    body: object,
    *,
    conversation_id: Id | None,
    page: int,
    limit: int,
    received_at: datetime,
    report: Report,
    context_type: str | None = None,
) -> History:
    """As `history_in_slices`, at once."""
    return at_once(
        history_in_slices(
            body,
            conversation_id=conversation_id,
            page=page,
            limit=limit,
            received_at=received_at,
            report=report,
            context_type=context_type,
        )
    )


def history_in_slices(
    body: object,
    *,
    conversation_id: Id | None,
    page: int,
    limit: int,
    received_at: datetime,
    report: Report,
    context_type: str | None = None,
) -> Slices[History]:
    """Read a page of messages, oldest first, with the conversation where the answer has it.

    Args:
        body: the answer.
        conversation_id: the conversation that was asked for; None where a context was.
        page, limit: what was asked for, where the answer does not say.
        received_at: time of receipt, aware, UTC, for messages without a time.
        report: told of every item that cannot be read, or that is of another conversation.
        context_type: the context that was asked for, under whose name its object stands in the answer.

    Raises:
        PayloadError: no list of messages, or the answer is about another conversation.

    """
    data, listed = _list_of(body, "messages")
    conversation = _conversation_in(data, report)
    named = first_id(data, CONVERSATION_IDS) if conversation is None else conversation.id
    if None not in (named, conversation_id) and named != conversation_id:
        raise PayloadError("the answer is about another conversation", body)
    people = NOBODY if conversation is None else people_index(conversation.participants)
    asked_for = named if conversation_id is None else conversation_id
    messages = yield from _messages(listed, asked_for, people, received_at, report)
    return construct(
        History,
        raw=body,
        conversation=conversation,
        messages=messages,
        pagination=_pagination(data, page, limit),
        context=_context_in(data, conversation, context_type),
    )


def conversation_named(body: object) -> Id | None:
    """Give the id of the conversation that a page of messages says it is of, or None."""
    data, _ = _list_of(body, "messages")
    return first_id(data, CONVERSATION_IDS)


def read_new_messages(
    body: object, *, conversation_id: Id, received_at: datetime, report: Report
) -> tuple[Message, ...]:
    """As `new_messages_in_slices`, at once."""
    work = new_messages_in_slices(body, conversation_id=conversation_id, received_at=received_at, report=report)
    return at_once(work)


def new_messages_in_slices(
    body: object, *, conversation_id: Id, received_at: datetime, report: Report
) -> Slices[tuple[Message, ...]]:
    """Read messages of a conversation, oldest first."""
    _, listed = _list_of(body, "messages")
    return (yield from _messages(listed, conversation_id, NOBODY, received_at, report))


def read_participants(body: object, *, report: Report) -> tuple[Participant, ...]:
    """As `participants_in_slices`, at once."""
    return at_once(participants_in_slices(body, report=report))


def participants_in_slices(body: object, *, report: Report) -> Slices[tuple[Participant, ...]]:
    """Read who takes part; here alone the list may stand by itself (wire protocol, section 3)."""
    data = data_of(body)
    listed = data if isinstance(data, list) else _list_of(body, "participants")[1]
    return tuple((yield from _readable(listed, participant_from_wire, report)))


# --- single objects ----------------------------------------------------------------------------------------------


def read_user(body: object, *, user_id: Id, user_type: UserType, type_implied: bool) -> Participant | None:
    """Read what the server knows of a person: a patient and a doctor may have the same id.

    Args:
        body: the answer.
        user_id, user_type: who was asked for.
        type_implied: whether the route itself says the type, as `/patients/{id}` does. Where it does not, the answer
            has to.

    Returns:
        The person; None where the answer is about somebody else, or does not say that it is about this one.

    Raises:
        PayloadError: the answer names nobody.

    """
    fields, kind = _user_in(_object(body, "a person"), user_type if type_implied else UserType.UNKNOWN)
    word = first(fields, _USER_TYPE)
    told = user_type_from_wire(word)
    if told is UserType.UNKNOWN and (type_implied or word is None):
        told = kind
    if told is not user_type:
        return None
    found = participant_from_wire(fields, type_implied=user_type)
    if found.id not in (None, user_id):
        return None
    return make_participant(
        user_type,
        user_id,
        name=found.name if found.is_named else None,
        first_name=found.first_name,
        last_name=found.last_name,
        specialite=found.specialite,
        raw=fields,
    )


def read_message(body: object, *, conversation_id: Id | None, received_at: datetime) -> Message:
    """Read the answer to a send.

    Args:
        body: the answer.
        conversation_id: where the message was sent.
        received_at: time of receipt, aware, UTC, for a message without a time.

    Raises:
        PayloadError: no message, or one of another conversation.

    """
    data = _object(body, "a message")
    message = message_from_wire(data, received_at=received_at, conversation_id=conversation_id)
    return _of_conversation(message, conversation_id, body)


def read_marked(body: object, *, received_at: datetime) -> Message | None:
    """Read the answer to a mark-as-read: the message, or None where the server only says that it is done.

    Raises:
        PayloadError: it says neither.

    """
    data = data_of(body)
    fields = data if isinstance(data, dict) else {}
    inner = first_object(fields, ("message",)) or {}
    if has_content(fields) or has_content(inner):
        return message_from_wire(data, received_at=received_at)
    if data is None or is_success_envelope(body) or first_id({**fields, **inner}, IDS) is not None:
        return None
    raise PayloadError("the answer holds neither a message nor a success", body)


def read_conversation(body: object) -> Conversation:
    """Read the answer to a creation."""
    return conversation_from_wire(_object(body, "a conversation"))


def read_permissions(body: object) -> Mapping[str, Any]:
    """Read what a user may do: the server's own object."""
    data = _object(body, "permissions")
    return first_object(data, ("permissions",)) or data


def read_summary(body: object) -> Mapping[str, Any]:
    """Read the answer to a send of many: the server's own object, which may be empty."""
    data = data_of(body)
    if isinstance(data, list):
        raise PayloadError("the answer is not an object", body)
    return {} if data is None else data


# --- parts -------------------------------------------------------------------------------------------------------


def _object(body: object, what: str) -> dict[str, Any]:
    data = data_of(body)
    if not isinstance(data, dict):
        raise PayloadError(f"the answer holds no object for {what}", body)
    return data


def _list_of(body: object, name: str) -> tuple[dict[str, Any], list[Any]]:
    """Give the object around a list, and the list."""
    data = data_of(body)
    listed = data.get(name) if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(listed, list):
        raise PayloadError(f"the answer has no list of {name}", body)
    return data, listed


def _readable(listed: list[Any], read: Callable[[Any], _Item], report: Report) -> Slices[list[_Item]]:
    items = []
    for position, each in enumerate(listed, 1):
        try:
            items.append(read(each))
        except PayloadError as fault:
            report(fault)
        if not position % SLICE:
            yield
    return items


def _messages(
    listed: list[Any], conversation_id: Id | None, people: People, received_at: datetime, report: Report
) -> Slices[tuple[Message, ...]]:
    def read(payload: object) -> Message:
        found = message_from_wire(payload, received_at=received_at, conversation_id=conversation_id, people=people)
        return _of_conversation(found, conversation_id, payload)

    found = yield from _readable(listed, read, report)
    return (yield from in_order(found, message_order_key))


def _of_conversation(message: Message, conversation_id: Id | None, raw: object) -> Message:
    if conversation_id is not None and message.conversation_id != conversation_id:
        raise PayloadError("a message is of another conversation", raw)
    return message


def _conversation_in(data: dict[str, Any], report: Report) -> Conversation | None:
    payload = data.get("conversation")
    if payload is None:
        return None
    try:
        return conversation_from_wire(payload)
    except PayloadError as fault:
        report(fault)
        return None


def _context_in(
    data: dict[str, Any], conversation: Conversation | None, context_type: str | None
) -> dict[str, Any] | None:
    told = first_text(data, CONTEXT_TYPE)
    named = None if conversation is None else str(conversation.context_type)
    return first_object(data, tuple(filter(None, (context_type, told, named, *_CONTEXTS))))


def _pagination(data: dict[str, Any], page: int, limit: int) -> Pagination:
    told = first_object(data, ("pagination",)) or {}
    return construct(
        Pagination,
        page=_count(told, ("page",)) or page,
        limit=_count(told, ("limit",)) or limit,
        total=_count(told, ("total",)),
        total_pages=_count(told, _TOTAL_PAGES),
    )


def _count(told: dict[str, Any], names: tuple[str, ...]) -> int | None:
    number = to_count(first(told, names))
    return number if number is not None and number <= _MOST else None


def _user_in(data: dict[str, Any], kind: UserType) -> tuple[dict[str, Any], UserType]:
    """Give the fields of a person, and the type that the place where they stand tells."""
    if not any(data.get(name) is not None for name in _NAMES):
        for name, told in _USER_OBJECTS.items():
            inner = data.get(name)
            if isinstance(inner, dict):
                return inner, kind if told is UserType.UNKNOWN else told
    return data, kind
