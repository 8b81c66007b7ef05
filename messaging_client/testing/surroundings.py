"""What every part of a running server shares."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from messaging_client.testing.event_faults import EventFaults
from messaging_client.testing.lifetime import Changes, Lifetime
from messaging_client.testing.options import ServerOptions
from messaging_client.testing.records import EventRecord, RequestRecord
from messaging_client.testing.rules import RuleBook
from messaging_client.testing.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every part of a running server shares.

    Attributes:
        options: which server this is.
        tokens: the key, and the tokens that are dead.
        rules, event_faults: what is to go wrong.
        changes: tells tests that something has changed.
        requests, events: notes of what came in.
        lifetime: from this start to its stop.

    """

    options: ServerOptions
    tokens: Tokens
    rules: RuleBook
    event_faults: EventFaults
    changes: Changes
    requests: deque[RequestRecord]
    events: deque[EventRecord]
    lifetime: Lifetime
