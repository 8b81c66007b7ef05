"""The numbers of a client, gathered from where they are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from messaging_client.reports import Stats

if TYPE_CHECKING:
    from messaging_client.parts import Parts

Reading = tuple[str, str]
"""Name of an instrument, and the value of its one attribute, or an empty text."""


def stats_of(client: Parts) -> Stats:
    """Give everything that is counted; asked where the client's event loop runs."""
    connection, rest, feed = client._connection, client._http.stats, client._feed
    sends, requests = client._observer.sends, client._observer.requests
    depths, cache = client._dispatcher.depths(), client._cache.info()
    return Stats(
        state=connection.state,
        connections=connection.connections,
        reconnections=connection.reconnections,
        attempts=connection.tried,
        events=client._intake.messages + client._intake.others.total(),
        messages=feed.told,
        late=feed.late,
        duplicates=feed.duplicates,
        gaps=client._dispatcher.gaps,
        invalid_payloads=client._intake.invalid,
        handler_errors=client._dispatcher.handler_errors,
        polls=client._fallback.polls,
        read_backs=client._reader.reads,
        requests=rest.requests,
        retries=rest.retries,
        failures=rest.failures,
        requests_refused=requests.refused,
        requests_unanswered=requests.uncertain,
        request_seconds=requests.mean,
        last_request_seconds=requests.last,
        sends=sends.begun,
        confirmed=sends.ok,
        refused=sends.refused,
        uncertain=sends.uncertain,
        send_seconds=sends.mean,
        last_send_seconds=sends.last,
        pending=client._outbox.unsettled,
        queued=sum(depths),
        queued_longest=max(depths, default=0),
        cache_hits=cache.hits,
        cache_misses=cache.misses,
        cache_entries=cache.size,
    )


def readings_of(client: Parts) -> tuple[dict[Reading, int], dict[Reading, int]]:
    """Give counters and gauges by the names of `observing.measurements`; asked in any thread, so nothing is changed."""
    sends, feed = client._observer.sends, client._feed
    hits, misses = client._cache.reads()
    depths = client._dispatcher.depths()
    events = {"Message": client._intake.messages, **client._intake.others}
    counters: dict[Reading, int] = {
        ("messaging.client.sent.messages", "confirmed"): sends.ok,
        ("messaging.client.sent.messages", "refused"): sends.refused,
        ("messaging.client.sent.messages", "uncertain"): sends.uncertain,
        ("messaging.client.consumed.messages", ""): feed.told,
        ("messaging_client.duplicates", ""): feed.duplicates,
        ("messaging_client.late", ""): feed.late,
        ("messaging_client.reconnections", ""): client._connection.reconnections,
        ("messaging_client.gaps", ""): client._dispatcher.gaps,
        ("messaging_client.handler_errors", ""): client._dispatcher.handler_errors,
        ("messaging_client.cache.reads", "hit"): hits,
        ("messaging_client.cache.reads", "miss"): misses,
        **{("messaging_client.events", kind): count for kind, count in events.items()},
    }
    gauges: dict[Reading, int] = {
        ("messaging_client.queued", "all"): sum(depths),
        ("messaging_client.queued", "longest"): max(depths, default=0),
        ("messaging_client.pending", ""): client._outbox.unsettled,
    }
    return counters, gauges
