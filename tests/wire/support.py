"""What the tests of this folder share: vectors, soundness of models, and payloads that are wrong in every way."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from messaging_client.events import CustomEvent
from messaging_client.models import Frozen
from messaging_client.wire.errors import PayloadError

VECTORS = Path(__file__).parent.parent / "vectors"
NOW = datetime(2025, 8, 23, 12, 30, 0, 123000, tzinfo=UTC)
"""Time of receipt in tests; no vector carries it."""


def vectors(name: str) -> list[Any]:
    cases: list[Any] = json.loads((VECTORS / f"{name}.json").read_text("utf-8"))["cases"]
    return cases


def at(model: Any, path: str) -> Any:
    """Give what stands at `sender.name` or `participants.length`, as plain JSON; times stay times."""
    for name in path.split("."):
        model = len(model) if name == "length" else getattr(model, name)
    return model.value if isinstance(model, Enum) else model


def matches(found: Any, expected: Any) -> bool:
    if isinstance(found, datetime):
        return found == datetime.fromisoformat(expected) and found.utcoffset() == timedelta(0)
    return type(found) is type(expected) and found == expected


def check_fields(model: Any, expected: dict[str, Any]) -> None:
    wrong = {path: at(model, path) for path, value in expected.items() if not matches(at(model, path), value)}
    assert not wrong


def assert_sound(model: Frozen) -> None:
    """A model made without validation is the same as one that was validated, to the last field."""
    kind = type(model)
    assert list(model.__dict__) == list(kind.model_fields), "fields in the model's own order, by which it is compared"
    assert kind.model_validate(model.__dict__, strict=True) == model
    assert model.model_fields_set <= set(kind.model_fields)
    assert model.model_copy() == model
    if not isinstance(model, CustomEvent):  # whose arguments may be objects
        assert hash(model) == hash(model.model_copy())
    for name, value in model.__dict__.items():
        if name not in ("raw", "context", "args"):
            _assert_sound_value(value)


def _assert_sound_value(value: Any) -> None:
    if isinstance(value, Frozen):
        assert_sound(value)
    elif isinstance(value, datetime):
        assert value.tzinfo is UTC
    elif isinstance(value, str):
        value.encode()
    elif isinstance(value, tuple):
        for each in value:
            _assert_sound_value(each)


def outcome(read: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Give what a normaliser gives, or the one error that it may raise."""
    try:
        return read(*args, **options)
    except PayloadError as fault:
        return fault


# --- payloads that are wrong in every way ------------------------------------------------------------------------

ids = st.one_of(
    st.integers(min_value=0, max_value=99),
    st.sampled_from(["15", "007", "", "unknown", "temp_1", "conv_1_2", "medecin", "all", " "]),
)
texts = st.text(st.characters(codec=None, exclude_categories=()), max_size=12)
"""Texts of every character, halves of surrogate pairs among them."""

numbers = st.one_of(
    st.integers(),
    st.sampled_from([10**18, 10**19, 10**25, -1, 2**63, 10**400, 10**4000]),
    st.floats(),
)
words = st.sampled_from(
    ["patient", "medecin", "Médecin", "professionnel_sante", "robot", "texte", "envoyé", "lu", "active", "fermée"]
)
times = st.sampled_from(
    [
        "2025-08-23T10:00:00Z",
        "2025-08-23T10:00:00",
        "9999-12-31T23:59:59.999999-12:00",
        "0001-01-01T00:00:00+12:00",
        "hier soir",
        1755943200,
        1755943200000,
        float("nan"),
        float("inf"),
        10**30,
    ]
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts, words, times, ids)
json_like = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)
not_json = st.one_of(
    json_like,
    st.binary(max_size=4),
    st.sampled_from([object(), {1, 2}, b"x", 1j, datetime.now, (1, 2), Ellipsis]),
    st.dictionaries(st.one_of(st.integers(), st.none(), texts), st.just({}), max_size=2),
)


def near(names: list[str], inner: st.SearchStrategy[Any] | None = None) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with the keys that the protocol uses, and anything in their place."""
    value = st.one_of(ids, times, words, not_json) if inner is None else st.one_of(inner, ids, times, not_json)
    return st.dictionaries(st.sampled_from(names), value, max_size=12)


PERSON_NAMES = [
    *("id", "type", "name", "nom", "prenom", "specialite", "info", "role", "statut"),
    *("participant_id", "participant_type", "patient_id", "patient_info", "professionnel_id", "medecin_info"),
]
people = near(PERSON_NAMES, near(PERSON_NAMES))
MESSAGE_NAMES = [
    *("id", "id_message", "message_id", "messageId", "conversation_id", "conversationId", "id_conversation"),
    *("content", "contenu", "type", "type_message", "sender", "expediteur_info", "expediteur", "expediteur_id"),
    *("sender_id", "senderId", "expediteur_type", "senderType", "expediteur_nom", "expediteur_prenom"),
    *("recipient", "destinataire_info", "destinataire", "destinataire_id", "recipientType", "timestamp"),
    *("date_envoi", "created_at", "date_lecture", "readAt", "status", "statut", "client_message_id", "message"),
]
flat_messages = near(MESSAGE_NAMES, people)
messages = near(MESSAGE_NAMES, st.one_of(people, flat_messages))
CONVERSATION_NAMES = [
    *("id_conversation", "id", "titre", "title", "type_conversation", "statut", "status", "date_creation"),
    *("date_modification", "updatedAt", "unreadCount", "nombre_non_lus", "dernier_message", "lastMessage"),
    *("rawData", "participants", "patient", "medecin", "contexte_type", "contextId", "conversation"),
]
lists_of_people = st.lists(people, max_size=3)
conversations = near(
    CONVERSATION_NAMES,
    st.one_of(people, lists_of_people, flat_messages, st.fixed_dictionaries({"participants": lists_of_people})),
)
EVENT_NAMES = [
    *("conversationId", "conversation_id", "id_conversation", "userId", "user_id", "id", "userType", "userName"),
    *("isTyping", "is_typing", "timestamp", "type", "message_id", "messageId", "message", "error", "status", "statut"),
    *("conversation", "data", "success"),
]
events = near(EVENT_NAMES, st.one_of(flat_messages, st.fixed_dictionaries({"id": ids})))
valid_messages = st.fixed_dictionaries(
    {"id": st.integers(min_value=0, max_value=50), "content": texts},
    optional={
        "conversation_id": st.integers(min_value=1, max_value=3),
        "date_envoi": st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.isoformat()),
        "sender": people,
        "unknown_field": json_like,
    },
)
bodies = st.one_of(
    not_json,
    st.dictionaries(
        st.sampled_from(
            [
                *("status", "success", "data", "message", "messages", "conversation", "conversations", "error"),
                *("participants", "pagination", "permissions", "ordonnance", "user", "patient", "id", "nom", "type"),
            ]
        ),
        st.one_of(
            st.sampled_from(["success", "fail", "error", True, False]),
            flat_messages,
            valid_messages,
            conversations,
            people,
            st.lists(st.one_of(flat_messages, valid_messages, conversations, people, not_json), max_size=3),
            st.dictionaries(
                st.sampled_from(["messages", "conversations", "participants", "conversation", "message", "pagination"]),
                st.one_of(st.lists(st.one_of(valid_messages, conversations, people), max_size=3), flat_messages),
                max_size=3,
            ),
            not_json,
        ),
        max_size=5,
    ),
)
