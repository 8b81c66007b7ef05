"""Client for secure medical messaging: one Socket.IO connection, REST, and HTTP while the socket is down."""

from messaging_client._version import __version__
from messaging_client.boundary import guard as _guard
from messaging_client.cache import CacheInfo
from messaging_client.client import MessagingClient
from messaging_client.clock import Clock, SystemClock
from messaging_client.config import MessagingConfig
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
from messaging_client.session import ContextInfo, ConversationSession
from messaging_client.subscriptions import Expectation
from messaging_client.timeline import Timeline

__all__ = [
    "AuthenticationError",
    "CacheInfo",
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
]

# Where exceptions leave the package: see `messaging_client.boundary`.
_guard(MessagingClient)
_guard(ConversationSession)
_guard(Inbox)
_guard(Expectation)
