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
    """Counters since the client was made, and what is there now.

    Attributes:
        state: the state of the connection.
        connections, reconnections: connections that were made, and those of them after a loss.
        attempts: attempts at a connection, failed ones included.
        events: events that came over the socket.
        messages: messages told to subscribers.
        late: those of them that came after a newer one of their conversation.
        duplicates: messages that came again and were recognised.
        invalid_payloads: payloads that could not be read.
        gaps: stretches of a conversation that could not be proven complete.
        handler_errors: exceptions of users' handlers.
        polls: polls over HTTP.
        read_backs: REST reads made to be sure that nothing is missing.
        requests, retries, failures: REST requests, repetitions and errors.
        requests_refused, requests_unanswered: those that the server answered with an error, or not at all.
        request_seconds, last_request_seconds: how long a request took, repetitions included; the mean, and the latest.
        sends: messages handed in for sending, over the socket too; a retry counts again.
        confirmed, refused, uncertain: how those have ended that have come to an end.
        send_seconds, last_send_seconds: from handing a message in until its end; the mean, and the latest.
        pending: messages that are not certain to be on the server now.
        queued, queued_longest: events that wait in all subscriptions now, and in the one with most.
        cache_hits, cache_misses, cache_entries: reads answered from the cache, those that were not, what it holds now.
    """

    state: ConnectionState
    connections: int
    reconnections: int
    attempts: int
    events: int
    messages: int
    late: int
    duplicates: int
    gaps: int
    invalid_payloads: int
    handler_errors: int
    polls: int
    read_backs: int
    requests: int
    retries: int
    failures: int
    requests_refused: int
    requests_unanswered: int
    request_seconds: float
    last_request_seconds: float
    sends: int
    confirmed: int
    refused: int
    uncertain: int
    send_seconds: float
    last_send_seconds: float
    pending: int
    queued: int
    queued_longest: int
    cache_hits: int
    cache_misses: int
    cache_entries: int
