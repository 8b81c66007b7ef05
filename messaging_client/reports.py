"""What the client says about itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from messaging_client.errors import MessagingError
from messaging_client.models import ConnectionState, Message


@dataclass(frozen=True)
class CloseReport:
    """What closing left behind.

    Attributes:
        unsent: messages that are not certain to be on the server.
        cancelled: how many handlers were cancelled because they did not finish in time.
    """

    unsent: tuple[Message, ...] = ()
    cancelled: int = 0


@dataclass(frozen=True)
class Status:
    """How the client is connected.

    Attributes:
        state: the state of the connection.
        socket_id: id of the present connection, or None.
        attempt: number of the attempt under way within its round, from 1; 0 when there is none.
        last_error: what went wrong last, or None.
        since: when the state was entered, UTC.
        polling: whether messages are fetched over HTTP.
        token_expires_at: when the token says that it expires, UTC, or None.
    """

    state: ConnectionState
    socket_id: str | None
    attempt: int
    last_error: MessagingError | None
    since: datetime
    polling: bool
    token_expires_at: datetime | None


@dataclass(frozen=True)
class Stats:
    """Counters since the client was made.

    Attributes:
        messages: messages told to subscribers.
        duplicates: messages that came again and were recognised.
        invalid_payloads: payloads that could not be read.
        handler_errors: exceptions of users' handlers.
        reconnections: connections after the first.
        polls: polls over HTTP.
        read_backs: REST reads made to be sure that nothing is missing.
        requests, retries, failures: REST requests, repetitions and errors.
        queued: events that wait in subscriptions now.
    """

    messages: int
    duplicates: int
    invalid_payloads: int
    handler_errors: int
    reconnections: int
    polls: int
    read_backs: int
    requests: int
    retries: int
    failures: int
    queued: int
