"""What of a payload is structure, and may be shown to whoever looks for a fault; all else may be about a patient.

A text is structure only where a key of the protocol says that an id, a time or a word stands there, and it looks like
one. Whatever is not named here is not structure: a new field of a server is hidden until somebody adds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache

from messaging_client.models import (
    ContextType,
    ConversationStatus,
    MessageStatus,
    MessageType,
    PresenceStatus,
    UserType,
)
from messaging_client.wire import events
from messaging_client.wire.participants import TYPES
from messaging_client.wire.routes import DEFAULT_ROUTES
from messaging_client.wire.values import folded, spellings

TITLE_KEYS = frozenset(spellings("titre", "title"))
"""Where a title stands; one that a server makes of a context says no more than type and id."""

_IDS = spellings(
    *("id", "id_message", "message_id", "id_conversation", "conversation_id", "client_message_id", "temp_id"),
    *("user_id", "participant_id", "patient_id", "id_patient", "professionnel_id", "id_professionnel"),
    *("medecin_id", "id_medecin", "sender_id", "expediteur_id", "recipient_id", "destinataire_id", "initiateur_id"),
    *("ordonnance_id", "consultation_id", "examen_id", "contexte_id", "context_id"),
)
_TIMES = spellings(
    *("timestamp", "date_envoi", "created_at", "date_lecture", "read_at", "date_creation", "date_modification"),
    *("last_activity", "updated_at", "since"),
)
_WORD_KEYS = spellings(
    *("type", "type_message", "status", "statut", "role", "user_type", "participant_type", "sender_type"),
    *("expediteur_type", "recipient_type", "destinataire_type", "initiateur_type", "type_conversation"),
    *("contexte_type", "context_type", "event"),
)
_COUNTS = spellings(
    *("page", "limit", "total", "total_pages", "pages", "unread_count", "nombre_non_lus", "success", "ok"),
    *("is_typing", "_placeholder", "num", "ping_interval", "ping_timeout", "max_payload"),
)
_CONTAINERS = spellings(
    *("data", "message", "messages", "conversation", "conversations", "pagination", "participants", "raw_data"),
    *("sender", "expediteur", "expediteur_info", "recipient", "destinataire", "destinataire_info", "info"),
    *("patient", "medecin", "professionnel", "patient_info", "medecin_info", "professionnel_info"),
    *("dernier_message", "last_message", "ordonnance", "consultation", "examen", "contexte", "context"),
    *("upgrades", "user", "utilisateur"),
)
_HIDDEN = spellings(
    *("content", "contenu", "titre", "title", "name", "nom", "prenom", "last_name", "first_name", "specialite"),
    *("user_name", "sender_name", "recipient_name", "expediteur_nom", "expediteur_prenom", "destinataire_nom"),
    *(
        "destinataire_prenom",
        "error",
        "erreur",
        "detail",
        "reason",
        "code",
        "email",
        "sid",
        "pid",
        "session_id",
        "token",
    ),
)

STRUCTURAL_KEYS = frozenset((*_IDS, *_TIMES, *_WORD_KEYS, *_COUNTS))
"""Keys under which ids, times, words and counts stand."""

KNOWN_KEYS = STRUCTURAL_KEYS | frozenset((*_CONTAINERS, *_HIDDEN))
"""Keys that may be shown themselves; under those that are not structural only what stands inside is looked at."""

# Some servers put the name of a kind of person where an id should be.
ID_PLACES = frozenset(spellings("sender", "expediteur", "recipient", "destinataire"))

_SECRET = re.compile(
    r"token|jwt|auth|bearer|passw|secret|cookie|credential|signature|api_?key|session|^sid$|^pid$", re.I
)

EVENTS = frozenset(
    value for name, value in vars(events).items() if name.isupper() and isinstance(value, str) and value.isidentifier()
)
"""Names of events of the protocol."""

WORDS = frozenset(
    folded(word)
    for word in (
        *(each.value for kind in (MessageType, MessageStatus, ConversationStatus) for each in kind),
        *(each.value for kind in (UserType, ContextType, PresenceStatus) for each in kind),
        *TYPES,
        *EVENTS,  # as types of a notification
        *("texte", "file", "voice", "envoye", "livre", "non_lu", "lu", "received", "archivee", "fermee"),
        *("success", "fail", "error", "ok", "all", "patient_medecin", "medecin_medecin", "patient_patient"),
        *("true", "false"),
    )
)
"""Words of the protocol, folded: types, statuses, roles."""

JOIN_EVENTS = frozenset({events.JOIN_CONVERSATION, events.LEAVE_CONVERSATION})
"""Events that other servers send with a bare id."""

AUTHENTICATION_REFUSED = "Authentication error"
"""What stands in place of a refusal of the handshake that speaks of authentication."""

_ID = re.compile(
    r"[0-9]{1,19}|[0-9a-f]{24}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
    r"|(?:temp|conv|msg)_[0-9a-fA-F]+(?:[_-][0-9a-fA-F]+)*",
    re.ASCII,
)
_LONGEST_ID = 80
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_TITLE = re.compile(
    r"(?:Messages - )?(?:Ordonnance|Consultation|Examen) (?:#|n°)?[0-9]{1,19}",
)
_EVENT_NAME = re.compile(r"[a-z][A-Za-z0-9]*(?:[_:.-][A-Za-z0-9]+)*", re.ASCII)
_LONGEST_EVENT_NAME = 64
_LONG_NUMBER = re.compile(r"[0-9]{5,}")


def is_secret_key(key: str) -> bool:
    """Whether what stands under a key may let somebody in: a token, a password, a session."""
    return _SECRET.search(key) is not None


def is_id(text: str) -> bool:
    """Whether a text is an id of a form that holds nothing else: digits, UUID, ObjectId, `temp_…`."""
    return len(text) <= _LONGEST_ID and _ID.fullmatch(text) is not None


def is_structural(key: str, text: str) -> bool:
    """Whether a text under a key is an id, a time or a word of the protocol, or a title that a server made."""
    if key in TITLE_KEYS:
        return _TITLE.fullmatch(text) is not None
    if key in ID_PLACES:
        return folded(text) in WORDS or is_id(text)
    return key in STRUCTURAL_KEYS and (is_id(text) or _TIME.fullmatch(text) is not None or folded(text) in WORDS)


def is_event_name(text: str) -> bool:
    """Whether a text can be shown as the name of an event: what programmers write, and no name of a person."""
    if len(text) > _LONGEST_EVENT_NAME or _LONG_NUMBER.search(text):
        return False
    return text in EVENTS or _EVENT_NAME.fullmatch(text) is not None


@cache
def _own_segments() -> frozenset[str]:
    return frozenset(static_segments(route for routes in DEFAULT_ROUTES.values() for route in routes))


def static_segments(routes: Iterable[str]) -> set[str]:
    """Give the parts of addresses that are the same for everybody, of routes such as `GET /patients/{id}`."""
    parts = (part for route in routes for part in route.partition(" ")[2].split("/"))
    return {part for part in parts if part and "{" not in part}


def is_path_segment(text: str, further: frozenset[str] = frozenset()) -> bool:
    """Whether a part of an address is the same for everybody, an id, or the type of a context.

    Args:
        text: the part, unquoted.
        further: static parts of routes of the user's own.

    """
    return not text or text in _own_segments() or text in further or text in tuple(ContextType) or is_id(text)


def own_routes(overrides: Mapping[str, object]) -> frozenset[str]:
    """Give the static parts of the routes in a configuration."""
    written = (
        [each] if isinstance(each, str) else [part for part in each if isinstance(part, str)]
        for each in overrides.values()
        if isinstance(each, str | list | tuple)
    )
    return frozenset(static_segments(route for routes in written for route in routes))
