"""Which of the many servers of this family the embedded server is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

from messaging_client.errors import ConfigurationError

Spelling = Literal["first", "other", "both"]
"""Which spellings of a route exist: the first of the protocol's table, that of the other servers, or both."""

EventSpelling = Literal["event", "rest", "wrapped"]
AnswerStyle = Literal["envelope", "short", "bare"]
JoinPayload = Literal["object", "id", "both"]

RESERVED_EVENTS = frozenset({"connect", "disconnect", "connect_error"})


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """How the embedded server behaves; every field a keyword with a default. Durations are seconds, sizes bytes.

    Attributes:
        broadcast_on_post: whether a stored message is told to others at once. False: a server that relays only, and
            says nothing until its sender emits `new_message`.
        event_spelling: how `new_message` is spelled: `"event"`, `"rest"`, or `"wrapped"` (`{"message": {…REST…}}`).
        idempotency: whether `Idempotency-Key` and `client_message_id` are honoured.
        echo_client_message_id: whether messages carry the `client_message_id` that they were sent with.
        list_routes: which lists of conversations exist: `conversations/medecin/{id}` is the first,
            `medecin/{id}/conversations` the other.
        history_routes: `history/{type}/{id}` is the first, `history/{ordonnance_id}` the other.
        mark_read_methods: PATCH is the first, PUT the other.
        user_info_route: whether `user/{id}/info` exists; `/patients/{id}` and `/medecins/{id}` always do.
        new_messages_route: whether `conversation/{id}/new-messages` exists.
        answers: `"envelope"`; `"short"`, whose `data` is the one thing asked for (a message, a list of participants),
            or `{"conversation": …}` after a creation; `"bare"`, without the envelope.
        empty_mark_read: whether mark read answers an empty success.
        authenticate_event: whether a socket counts only after `authenticate`.
        join_payload: which form of `join_conversation` and `leave_conversation` is understood.
        relay_events: further events that go to the room of the conversation that they name.
        ping_interval, ping_timeout: of Engine.IO.
        max_http_buffer_size: largest Socket.IO frame.
        max_body_size: largest REST body.
        middleware_delay: how long every handshake takes.
        api_path, socketio_path: where REST and Socket.IO live.

    Raises:
        ConfigurationError: a value that cannot work.

    """

    broadcast_on_post: bool = True
    event_spelling: EventSpelling = "event"
    idempotency: bool = True
    echo_client_message_id: bool = True
    list_routes: Spelling = "both"
    history_routes: Spelling = "both"
    mark_read_methods: Spelling = "both"
    user_info_route: bool = True
    new_messages_route: bool = True
    answers: AnswerStyle = "envelope"
    empty_mark_read: bool = False
    authenticate_event: bool = False
    join_payload: JoinPayload = "both"
    relay_events: Collection[str] = ()
    ping_interval: float = 25.0
    ping_timeout: float = 20.0
    max_http_buffer_size: int = 1_000_000
    max_body_size: int = 1_000_000
    middleware_delay: float = 0.0
    api_path: str = "/api"
    socketio_path: str = "/socket.io"

    def __post_init__(self) -> None:
        choices = {
            "event_spelling": EventSpelling,
            "list_routes": Spelling,
            "history_routes": Spelling,
            "mark_read_methods": Spelling,
            "answers": AnswerStyle,
            "join_payload": JoinPayload,
        }
        for name, words in choices.items():
            if getattr(self, name) not in get_args(words):
                raise ConfigurationError(f"{name} must be one of {', '.join(map(repr, get_args(words)))}.")
        for name in ("ping_interval", "ping_timeout", "max_http_buffer_size", "max_body_size"):
            if not getattr(self, name) > 0:
                raise ConfigurationError(f"{name} must be above 0.")
        if not self.middleware_delay >= 0:
            raise ConfigurationError("middleware_delay must not be below 0.")
        for name in ("api_path", "socketio_path"):
            if not getattr(self, name).startswith("/"):
                raise ConfigurationError(f'{name} must start with "/".')
        if isinstance(self.relay_events, str) or RESERVED_EVENTS.intersection(self.relay_events):
            raise ConfigurationError("relay_events must be a collection of names that Socket.IO does not reserve.")

    @property
    def list_spellings(self) -> tuple[bool, bool]:
        """Whether the first and the other spelling of the lists of conversations exist."""
        return _both(self.list_routes)

    @property
    def history_spellings(self) -> tuple[bool, bool]:
        """Whether the first and the other spelling of the history route exist."""
        return _both(self.history_routes)

    @property
    def mark_read_words(self) -> list[str]:
        """The methods that mark a message read."""
        return [word for word, exists in zip(("PATCH", "PUT"), _both(self.mark_read_methods), strict=True) if exists]


def _both(spelling: Spelling) -> tuple[bool, bool]:
    return spelling != "other", spelling != "first"
