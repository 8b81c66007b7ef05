"""The names that users type are those of `public-api.md`, which was copied here by hand."""

from __future__ import annotations

import ast
import copy
import enum
import inspect
import pickle
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from canary import CANARY, CANARY_TOKEN, holds_secret
from pydantic import ValidationError

import messaging_client
from messaging_client import (
    ConnectionChange,
    ConnectionState,
    Conversation,
    ConversationSession,
    ConversationUpdated,
    CustomEvent,
    GapDetected,
    HandlerError,
    History,
    Inbox,
    InvalidPayload,
    Message,
    MessageFailed,
    MessagePreview,
    MessageSent,
    MessagingClient,
    MessagingConfig,
    MessagingError,
    Notification,
    Page,
    Participant,
    PresenceEvent,
    RequestError,
    SlowConsumer,
    TransportError,
    TypingEvent,
    User,
    errors,
    events,
    models,
)
from messaging_client.models import Frozen
from messaging_client.testing import MessagingServer, mint_token

PAGED = "page=1, limit=50, *, timeout=None, refresh=False"
LISTED = "page=1, limit=20, statut='active', *, timeout=None, refresh=False"
CREATED = "patient_id=None, medecin_id=None, *, timeout=None"

CLIENT = {
    "__init__": "(url='http://localhost:3000', *, token, config=None, store=None, clock=None, random=None)",
    "from_env": "(*, config=None, store=None)",
    "connect": "async (*, wait=True)",
    "disconnect": "async ()",
    "aclose": "async (drain=5.0)",
    "__aenter__": "async ()",
    "__aexit__": "async (kind, error, trace)",
    "run_forever": "async ()",
    "state": "property",
    "is_connected": "property",
    "socket_id": "property",
    "current_user": "property",
    "status": "()",
    "stats": "()",
    "wait_connected": "async (timeout=None)",
    "on_new_message": "property",
    "on_message_sent": "property",
    "on_message_error": "property",
    "on_typing": "property",
    "on_conversation_update": "property",
    "on_presence_change": "property",
    "on_notification": "property",
    "on_connection_change": "property",
    "on_gap": "property",
    "on_invalid_payload": "property",
    "on_slow_consumer": "property",
    "on_error": "property",
    "on": "(event_name, handler=None)",
    "events": "(*types, conversation_id=None)",
    "expect": "(type, predicate=None, timeout=10.0)",
    "is_own": "(message)",
    "join_conversation": "async (conversation_id)",
    "leave_conversation": "async (conversation_id)",
    "join_all": "async ()",
    "emit_typing": "async (conversation_id, is_typing)",
    "emit": "async (event, payload=None)",
    "call": "async (event, payload=None, timeout=10.0)",
    "get_medecin_conversations": f"async (medecin_id=None, {LISTED})",
    "get_patient_conversations": f"async (patient_id=None, {LISTED})",
    "get_unread_conversations": "async (*, timeout=None, refresh=False)",
    "get_conversation_messages": f"async (conversation_id, {PAGED})",
    "get_message_history": f"async (context_type, context_id, {PAGED})",
    "get_ordonnance_history": f"async (ordonnance_id, {PAGED})",
    "get_new_messages": "async (conversation_id, since, limit=50, *, timeout=None)",
    "get_conversation_participants": "async (conversation_id, *, timeout=None, refresh=False)",
    "get_user_info": "async (user_id, user_type, *, timeout=None, refresh=False)",
    "check_messaging_permissions": "async (ordonnance_id, patient_id, *, timeout=None)",
    "create_conversation": "async (titre, participants, type_conversation='patient_medecin', *, timeout=None)",
    "create_conversation_from_context": f"async (context_type, context_id, {CREATED})",
    "find_or_create_conversation": f"async (context_type, context_id, {CREATED})",
    "send_message_to_conversation": (
        "async (conversation_id, contenu, type_message='texte', *, timeout=None, deadline=None)"
    ),
    "send_messages": "async (conversation_id, contenus, *, timeout=None, deadline=None)",
    "send_message_via_websocket": "async (conversation_id, contenu, *, timeout=10.0)",
    "mark_message_as_read": "async (message_id, *, timeout=None)",
    "check_health": "async (*, timeout=None)",
    "iter_conversations": "(statut='active')",
    "iter_messages": "(conversation_id)",
    "clear_cache": "()",
    "invalidate_conversation": "(conversation_id)",
    "cache_info": "()",
    "open_conversation": "async (context_type, context_id, *, patient_id=None, medecin_id=None)",
    "conversation": "(conversation_id)",
    "inbox": "()",
    "pending": "()",
    "retry": "async (message)",
    "discard": "async (message)",
}
SENT = "async (content, type='text', wait=True, deadline=None)"
SESSION = {
    **dict.fromkeys(
        [
            "conversation_id",
            "conversation",
            "context_type",
            "context_id",
            "context_info",
            "messages",
            "participants",
            "typing_users",
            "current_user",
            "is_patient",
            "is_medecin",
            "is_connected",
            "loading",
            "error",
            "unread_count",
        ],
        "property",
    ),
    "__aenter__": "async ()",
    "send": SENT,
    "send_message_unified": SENT,
    "retry": "async (message)",
    "discard": "async (message)",
    "mark_as_read": "async (message)",
    "mark_all_as_read": "async ()",
    "set_typing": "async (is_typing)",
    "typing": "()",
    "refresh": "async ()",
    "load_older": "async ()",
    "close": "async ()",
    "stream": "(own=False)",
    "wait_for_message": "async (predicate=None, timeout=None, own=False)",
    "on_change": "(handler)",
    "is_own": "(message)",
}
INBOX = {
    "__aenter__": "async ()",
    "conversations": "property",
    "unread_count": "property",
    "filter": "(kind='all', search='')",
    "refresh": "async ()",
    "mark_all_as_read": "async ()",
    "create": "async (titre, patient_id)",
    "on_change": "(handler)",
    "open": "(conversation)",
}
SURFACES = [
    (each, name, said)
    for each, table in ((MessagingClient, CLIENT), (ConversationSession, SESSION), (Inbox, INBOX))
    for name, said in table.items()
]


def surface(owner: type, name: str) -> str:
    """How a name is used: as a property, or with which arguments, and whether it is awaited."""
    static = inspect.getattr_static(owner, name)
    if isinstance(static, property):
        return "property"
    function = getattr(owner, name)
    given = list(inspect.signature(function).parameters.values())
    if not isinstance(static, classmethod):
        given = given[1:]
    plain = inspect.Signature([each.replace(annotation=inspect.Parameter.empty) for each in given])
    return f"{'async ' if inspect.iscoroutinefunction(function) else ''}{plain}"


@pytest.mark.parametrize(("owner", "name", "said"), SURFACES, ids=lambda each: getattr(each, "__name__", None))
def test_names_and_arguments(owner: type, name: str, said: str) -> None:
    assert surface(owner, name) == said
    if not name.startswith("__"):
        assert inspect.getdoc(getattr(owner, name)), f"{name} is not documented"


def test_everything_public_is_named() -> None:
    for owner, table, inside in (
        (MessagingClient, CLIENT, set()),
        (ConversationSession, SESSION, set()),
        (Inbox, INBOX, {"close"}),
    ):
        public = {each for each in dir(owner) if not each.startswith("_")}
        assert public - inside == {each for each in table if not each.startswith("_")}


def test_all_is_exact() -> None:
    """Names are imported on their first use: what a type checker is told, what is promised and what is there agree."""
    source = ast.parse(Path(messaging_client.__file__).read_text(encoding="utf-8"))
    told = {
        alias.name: f"messaging_client.{str(node.module).removeprefix('messaging_client.')}"
        for block in source.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(messaging_client.__all__) == set(told) | {"__version__"}
    for name, home in told.items():
        assert getattr(messaging_client, name) is getattr(import_module(home), name)
    public = {
        name
        for name, value in vars(messaging_client).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert public - {"Any", "TYPE_CHECKING", "import_module"} == set(told)
    assert len(messaging_client.__all__) == len(set(messaging_client.__all__))
    assert messaging_client.__version__


TREE = {
    "ConfigurationError": "MessagingError",
    "TransportError": "MessagingError",
    **dict.fromkeys(
        ["ConnectTimeout", "ConnectFailed", "ConnectionLost", "NotConnected", "RequestTimeout"], "TransportError"
    ),
    "AuthenticationError": "MessagingError",
    "RequestError": "MessagingError",
    **dict.fromkeys(
        [
            "ValidationFailed",
            "PermissionDenied",
            "NotFound",
            "Conflict",
            "RateLimited",
            "ServerError",
            "UnexpectedResponse",
        ],
        "RequestError",
    ),
    **dict.fromkeys(["SendUncertain", "OutboxFull", "StoreError", "ExpectTimeout"], "MessagingError"),
}


def test_errors_are_the_tree_and_nothing_else() -> None:
    found = {
        name: value.__bases__[0].__name__
        for name, value in vars(errors).items()
        if isinstance(value, type) and value is not MessagingError and issubclass(value, MessagingError)
    }
    assert found == TREE
    assert MessagingError.__bases__ == (Exception,)
    for name in (*TREE, "MessagingError"):
        assert getattr(messaging_client, name) is getattr(errors, name)


@pytest.mark.parametrize("name", TREE)
def test_errors_can_be_copied(name: str) -> None:
    kind = getattr(messaging_client, name)
    given: dict[str, Any] = {}
    if issubclass(kind, RequestError):
        given = {"operation": "send", "status": 418, "server_message": CANARY}
    if name in ("RateLimited", "ServerError"):
        given["retry_after"] = 1.5
    if issubclass(kind, TransportError):
        given = {"may_have_left": True}
    error = kind("Say what to do.", **given)
    for each in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(each) is kind
        assert str(each) == "Say what to do."
        assert not holds_secret(repr(each))
        assert {key: getattr(each, key) for key in given} == given


ENUMS = {
    "UserType": "patient medecin unknown",
    "ContextType": "ordonnance examen consultation",
    "MessageType": "text image document audio system unknown",
    "MessageStatus": "sending sent delivered read error uncertain unknown",
    "ConversationStatus": "active archived closed unknown",
    "PresenceStatus": "online offline",
    "ConnectionState": "disconnected connecting connected reconnecting error",
}


@pytest.mark.parametrize("name", ENUMS)
def test_enums(name: str) -> None:
    kind = getattr(messaging_client, name)
    assert [each.value for each in kind] == ENUMS[name].split()
    assert issubclass(kind, enum.StrEnum)
    for each in kind:
        assert each == each.value == each.name.lower() == f"{each}"


CONFIG = {
    "connect_timeout": 15.0,
    "reconnection": True,
    "reconnection_delay": 2.0,
    "reconnection_delay_max": 5.0,
    "randomization_factor": 0.5,
    "reconnection_attempts": 10,
    "reconnection_round_interval": 60.0,
    "fallback_poll_interval": 10.0,
    "verify_interval": 30.0,
    "settle_delay": 2.0,
    "api_path": "/api",
    "socketio_path": "/socket.io",
    "verify": True,
    "cert": None,
    "proxy": None,
    "headers": {},
    "routes": {},
    "request_timeout": 15.0,
    "request_deadline": 60.0,
    "max_retries": 4,
    "max_response_bytes": 4 * 1024 * 1024,
    "max_message_bytes": 1_000_000,
    "cache_ttl": 30.0,
    "user_cache_ttl": 60.0,
    "cache_size": 1024,
    "queue_size": 1000,
    "typing_expiry": 5.0,
    "server_idempotency": False,
    "notify_sent": True,
    "join_payload": "object",
    "authenticate_event": False,
    "allow_insecure": False,
}


def test_settings_and_their_defaults() -> None:
    config = MessagingConfig()
    assert {name: getattr(config, name) for name in CONFIG} == CONFIG
    assert {each.name for each in fields(config)} - set(CONFIG) == {"outbox_size"}
    assert all(each.kw_only for each in fields(config))
    with pytest.raises(FrozenInstanceError):
        config.connect_timeout = 1.0  # type: ignore[misc]
    assert replace(config, queue_size=1) != config == replace(config)
    mine = {"X-Clinic": "1"}
    given = MessagingConfig(headers=mine)
    mine["X-Clinic"] = "2"
    assert given.headers == {"X-Clinic": "1"}
    with pytest.raises(TypeError):
        given.headers["X-Clinic"] = "3"  # type: ignore[index]


FIELDS = {
    "Message": "id conversation_id content type sender recipient timestamp status read_at client_message_id late",
    "MessagePreview": "content timestamp sender",
    "Participant": "id type name first_name last_name specialite",
    "Conversation": "id title kind status context_type context_id patient medecin participants last_message "
    "unread_count created_at last_activity",
    "User": "id type role",
    "Page": "items page limit total total_pages",
    "History": "conversation messages pagination context",
    "ConnectionChange": "state previous cause attempt error socket_id polling",
    "GapDetected": "conversation_id after before",
    "InvalidPayload": "source reason raw",
    "PresenceEvent": "user_id user_type user_name status",
    "CloseReport": "unsent cancelled",
    "Status": "state socket_id attempt last_error since polling token_expires_at",
    "CacheInfo": "hits misses size",
}


@pytest.mark.parametrize("name", FIELDS)
def test_fields(name: str) -> None:
    kind = getattr(messaging_client, name)
    has = {each.name for each in fields(kind)} if is_dataclass(kind) else set(kind.model_fields)
    assert set(FIELDS[name].split()) <= has
    assert set(FIELDS[name].split()) >= has - {"raw", "timestamp_is_receipt"}


NOW = datetime(2025, 6, 1, 12, 0, tzinfo=UTC)
PERSON = Participant(id=5, type="patient", name=CANARY, last_name=CANARY, raw={"nom": CANARY})
SAID = Message(id=1, conversation_id=2, content=CANARY, sender=PERSON, timestamp=NOW, raw={"contenu": CANARY})
TALK = Conversation(id=2, title=CANARY, patient=PERSON, participants=(PERSON,), raw={"titre": CANARY})
OBJECTS = [
    PERSON,
    SAID,
    TALK,
    MessagePreview(content=CANARY, sender=PERSON),
    User(id=5, type="patient", role=CANARY),
    Page[Conversation](items=(TALK,)),
    History(conversation=TALK, messages=(SAID,), context={"titre": CANARY}),
    MessageSent(message_id=1, raw={"x": CANARY}),
    MessageFailed(message_id=1, error=CANARY),
    TypingEvent(conversation_id=2, user_id=5, user_name=CANARY, is_typing=True),
    ConversationUpdated(conversation_id=2, raw={"titre": CANARY}),
    PresenceEvent(user_id=5, user_name=CANARY, status="online"),
    Notification(type="new_message", raw={"texte": CANARY}),
    ConnectionChange(state="connected", previous="connecting", cause="connected"),
    GapDetected(conversation_id=2, after=NOW),
    InvalidPayload(source="new_message", reason="no id", raw={"contenu": CANARY}),
    SlowConsumer(subscription="Message", handler="print"),
    HandlerError(handler="print", event=SAID, error=ValueError(CANARY)),
    CustomEvent(name="alarm", args=(CANARY, CANARY_TOKEN)),
]


def kinds() -> Iterator[type]:
    for module in (models, events):
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Frozen) and value.__module__ == module.__name__:
                yield value


def test_every_kind_of_object_is_looked_at() -> None:
    looked_at = {type(each) for each in OBJECTS} | {Page, models.Frozen, models.FromWire, models.Pagination}
    assert set(kinds()) - looked_at == set()


@pytest.mark.parametrize("each", OBJECTS, ids=lambda each: type(each).__name__)
def test_objects(each: Frozen) -> None:
    assert not holds_secret(f"{each!r} {each!s} {[each]}")
    name = next(iter(type(each).model_fields))
    with pytest.raises(ValidationError):
        setattr(each, name, None)
    with pytest.raises(ValidationError):
        type(each)(**each.__dict__, surprise=1)
    twin = copy.deepcopy(each) if not isinstance(each, HandlerError) else copy.copy(each)
    assert copy.copy(each) == each == twin
    if not isinstance(each, HandlerError):  # exceptions compare by identity
        assert pickle.loads(pickle.dumps(each)) == each


@pytest.mark.parametrize("each", [SAID, PERSON, GapDetected(conversation_id=2)], ids=lambda each: type(each).__name__)
def test_raw_neither_compares_nor_is_dumped(each: Frozen) -> None:
    other = each.model_copy(update={"raw": {"other": 1}}) if "raw" in type(each).model_fields else each.model_copy()
    assert other == each
    assert hash(other) == hash(each)
    assert "raw" not in each.model_dump()
    assert each != "something else"


def test_errors_of_wrong_values_do_not_repeat_them() -> None:
    with pytest.raises(ValidationError) as wrong:
        Message(id=[CANARY], conversation_id=2, content={"x": CANARY}, sender=PERSON, timestamp=CANARY)
    assert not holds_secret(str(wrong.value))


def test_a_client_shows_its_state_only() -> None:
    token = mint_token("k" * 32, "patient", 5)
    client = MessagingClient("http://localhost:1", token=token)
    assert repr(client) == f"<MessagingClient {ConnectionState.DISCONNECTED}>"
    assert not holds_secret(f"{client!r} {client.status()!r} {client.stats()!r} {client.current_user!r}")
    assert not holds_secret(repr(MessagingConfig(headers={"X": CANARY}, proxy=f"http://{CANARY}@p", cert=CANARY)))


SERVER = {
    "__init__": ["database", "port", "host"],
    "token": ["user_type", "user_id"],
    "say": ["conversation_id", "contenu", "sender"],
    "messages": ["conversation_id"],
}


@pytest.mark.parametrize("name", SERVER)
def test_the_embedded_server(name: str) -> None:
    given = list(inspect.signature(getattr(MessagingServer, name)).parameters)[1:]
    assert given[: len(SERVER[name])] == SERVER[name]
    assert isinstance(inspect.getattr_static(MessagingServer, "url"), property)


def test_types_are_told() -> None:
    assert (Path(messaging_client.__file__).parent / "py.typed").exists()
