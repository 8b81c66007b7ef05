"""Client for secure medical messaging: one Socket.IO connection, REST, and HTTP while the socket is down.

Importing this loads none of the libraries below it: each name is loaded when it is first used, and what a connection
needs when the first client is made.
"""

import importlib
from typing import TYPE_CHECKING

from messaging_client._version import __version__

if TYPE_CHECKING:
    from messaging_client.cache import CacheInfo
    from messaging_client.client import MessagingClient
    from messaging_client.clock import Clock, SystemClock
    from messaging_client.config import MessagingConfig
    from messaging_client.context_info import ContextInfo
    from messaging_client.diagnosis import CHECKS, CheckOutcome, CheckResult, Diagnosis, diagnose
    from messaging_client.dispatch import EventStream, Subscription
    from messaging_client.errors import (
        AuthenticationError,
        ConfigurationError,
        Conflict,
        ConnectFailed,
        ConnectionLost,
        ConnectTimeout,
        ExpectTimeout,
        MessagingError,
        NotConnected,
        NotFound,
        OutboxFull,
        PermissionDenied,
        RateLimited,
        RequestError,
        RequestTimeout,
        SendUncertain,
        ServerError,
        StoreError,
        TransportError,
        UnexpectedResponse,
        ValidationFailed,
    )
    from messaging_client.events import (
        ConnectionChange,
        ConversationUpdated,
        CustomEvent,
        GapDetected,
        HandlerError,
        InvalidPayload,
        MessageFailed,
        MessageSent,
        Notification,
        PresenceEvent,
        SlowConsumer,
        TypingEvent,
    )
    from messaging_client.inbox import Inbox
    from messaging_client.models import (
        ConnectionCause,
        ConnectionState,
        ContextType,
        Conversation,
        ConversationStatus,
        History,
        Id,
        Message,
        MessagePreview,
        MessageStatus,
        MessageType,
        Page,
        Pagination,
        Participant,
        PresenceStatus,
        User,
        UserType,
    )
    from messaging_client.reports import CloseReport, Stats, Status
    from messaging_client.session import ConversationSession
    from messaging_client.subscriptions import Expectation
    from messaging_client.timeline import Timeline

__all__ = [
    "CHECKS",
    "AuthenticationError",
    "CacheInfo",
    "CheckOutcome",
    "CheckResult",
    "Clock",
    "CloseReport",
    "ConfigurationError",
    "Conflict",
    "ConnectFailed",
    "ConnectTimeout",
    "ConnectionCause",
    "ConnectionChange",
    "ConnectionLost",
    "ConnectionState",
    "ContextInfo",
    "ContextType",
    "Conversation",
    "ConversationSession",
    "ConversationStatus",
    "ConversationUpdated",
    "CustomEvent",
    "Diagnosis",
    "EventStream",
    "ExpectTimeout",
    "Expectation",
    "GapDetected",
    "HandlerError",
    "History",
    "Id",
    "Inbox",
    "InvalidPayload",
    "Message",
    "MessageFailed",
    "MessagePreview",
    "MessageSent",
    "MessageStatus",
    "MessageType",
    "MessagingClient",
    "MessagingConfig",
    "MessagingError",
    "NotConnected",
    "NotFound",
    "Notification",
    "OutboxFull",
    "Page",
    "Pagination",
    "Participant",
    "PermissionDenied",
    "PresenceEvent",
    "PresenceStatus",
    "RateLimited",
    "RequestError",
    "RequestTimeout",
    "SendUncertain",
    "ServerError",
    "SlowConsumer",
    "Stats",
    "Status",
    "StoreError",
    "Subscription",
    "SystemClock",
    "Timeline",
    "TransportError",
    "TypingEvent",
    "UnexpectedResponse",
    "User",
    "UserType",
    "ValidationFailed",
    "__version__",
    "diagnose",
]

_HOMES = {
    "cache": "CacheInfo",
    "client": "MessagingClient",
    "clock": "Clock SystemClock",
    "config": "MessagingConfig",
    "context_info": "ContextInfo",
    "diagnosis": "CHECKS CheckOutcome CheckResult Diagnosis diagnose",
    "dispatch": "EventStream Subscription",
    "errors": (
        "AuthenticationError ConfigurationError Conflict ConnectFailed ConnectionLost ConnectTimeout "
        "ExpectTimeout MessagingError NotConnected NotFound OutboxFull PermissionDenied RateLimited "
        "RequestError RequestTimeout SendUncertain ServerError StoreError TransportError UnexpectedResponse "
        "ValidationFailed"
    ),
    "events": (
        "ConnectionChange ConversationUpdated CustomEvent GapDetected HandlerError InvalidPayload "
        "MessageFailed MessageSent Notification PresenceEvent SlowConsumer TypingEvent"
    ),
    "inbox": "Inbox",
    "models": (
        "ConnectionCause ConnectionState ContextType Conversation ConversationStatus History Id Message "
        "MessagePreview MessageStatus MessageType Page Pagination Participant PresenceStatus User UserType"
    ),
    "reports": "CloseReport Stats Status",
    "session": "ConversationSession",
    "subscriptions": "Expectation",
    "timeline": "Timeline",
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    """Load a public name, or the module of some, when it is first asked for."""
    if name in _HOMES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
