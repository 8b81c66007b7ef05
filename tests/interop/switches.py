"""What servers of the family do differently, as switches of the server on Node; alone, and combined."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

from messaging_client.testing import ServerOptions
from tests.interop.node_server import NodeServer
from tests.outbox.support import FastClock
from tests.scenes import DOCTOR, Scene

Options = dict[str, Any]

FACTORS: dict[str, dict[str, Options]] = {
    "telling": {"broadcasts": {}, "relays only": {"broadcast_on_post": False}},
    "spelling": {
        "event spelling": {},
        "REST spelling": {"event_spelling": "rest"},
        "wrapped": {"event_spelling": "wrapped"},
    },
    "joins": {"object in join": {"join_payload": "object"}, "bare id in join": {"join_payload": "id"}},
    "lists": {"first list route": {"list_routes": "first"}, "other list route": {"list_routes": "other"}},
    "history": {"long history route": {"history_routes": "first"}, "short history route": {"history_routes": "other"}},
    "news": {"new-messages route": {}, "no new-messages route": {"new_messages_route": False}},
    "keys": {
        "keys honoured": {},
        "keys echoed only": {"idempotency": False},
        "keys unknown": {"idempotency": False, "echo_client_message_id": False},
    },
    "authenticate": {"no authenticate event": {}, "authenticate event": {"authenticate_event": True}},
    "recovery": {"no recovery": {}, "connectionStateRecovery": {"connection_state_recovery": True}},
    "middleware": {"quick middleware": {}, "slow middleware": {"middleware_delay": 0.4}},
    "room": {"quick join": {}, "slow join": {"join_delay": 0.3}},
    "frames": {"frames of 1 MB": {}, "frames of 4 kB": {"max_http_buffer_size": 4000}},
    "marks": {"read by PATCH": {"mark_read_methods": "first"}, "read by PUT": {"mark_read_methods": "other"}},
    "empty": {"mark read answers": {}, "mark read answers nothing": {"empty_mark_read": True}},
    "people": {"user route": {}, "no user route": {"user_info_route": False}},
    "ids": {"ids as numbers": {}, "ids as text": {"text_ids": True}},
    "times": {"ISO times": {}, "times since 1970": {"epoch_times": True}},
    "not found": {"404 in an envelope": {}, "404 as a web page": {"html_404": True}},
    "compression": {"plain frames": {}, "compressed frames": {"compressed_frames": True}},
    "keep-alive": {"connections kept": {}, "a connection for each request": {"keep_alive": False}},
    "answers": {"envelopes": {}, "short answers": {"answers": "short"}, "bare answers": {"answers": "bare"}},
}
"""For each way in which servers differ, its settings; the product of all has 7 077 888 members."""

ONLY_NODE = frozenset(
    {
        "connection_state_recovery",
        "join_delay",
        "text_ids",
        "epoch_times",
        "html_404",
        "compressed_frames",
        "keep_alive",
    }
)
"""Switches that the embedded server does not have."""

ALONE: dict[str, tuple[str, ...]] = {
    "as it comes": (),
    **{name: (name,) for settings in FACTORS.values() for name in list(settings)[1:]},
    "web pages for routes that are elsewhere": (
        "404 as a web page",
        "other list route",
        "short history route",
        "no new-messages route",
        "no user route",
        "read by PUT",
    ),
}
"""Every setting that is not the first of its factor, by itself; and one where nothing else would show it."""


@cache
def covering(strength: int) -> list[tuple[str, ...]]:
    """Combinations that hold every choice of settings for any `strength` factors, made by adding greedily.

    The full product is out of the question, and faults of interaction seldom need more than three factors.
    """
    columns = [list(settings) for settings in FACTORS.values()]
    missing = {
        chosen
        for places in itertools.combinations(range(len(columns)), strength)
        for chosen in itertools.product(*([(place, name) for name in columns[place]] for place in places))
    }
    rows = []
    while missing:
        row = dict(min(missing))
        for place in [each for each in range(len(columns)) if each not in row]:
            row[place] = max(columns[place], key=lambda name: _gain(missing, row, (place, name)))
        rows.append(tuple(row[place] for place in range(len(columns))))
        missing -= set(itertools.combinations(sorted(row.items()), strength))
    return rows


def _gain(missing: set[tuple[tuple[int, str], ...]], row: dict[int, str], new: tuple[int, str]) -> int:
    """How many missing choices hold the new setting, and contradict nothing of the row."""
    return sum(new in each and all(row.get(place, name) == name for place, name in each) for each in missing)


def combined(names: tuple[str, ...]) -> Options:
    """The options of a server with these settings, and the first of each factor that they do not mention."""
    options: Options = {}
    for settings in FACTORS.values():
        chosen = next((name for name in names if name in settings), next(iter(settings)))
        options |= settings[chosen]
    return options


class TenfoldClock(FastClock):
    """The clients' time: their pauses are a tenth of what they are in life, Node's are not."""

    FACTOR = 10


class SwitchedScene(Scene):
    """A scene on a server on Node, with clients that are configured for it as its user would.

    Args:
        options: of the server, `ServerOptions` and the switches that only Node has.
    """

    def __init__(self, options: Options) -> None:
        only_node = {name: value for name, value in options.items() if name in ONLY_NODE}
        common = ServerOptions(**{name: value for name, value in options.items() if name not in only_node})
        super().__init__(server=NodeServer(options=common, **only_node))
        self.settings: Options = {
            "server_idempotency": common.idempotency,
            "join_payload": common.join_payload if common.join_payload == "id" else "object",
            "authenticate_event": common.authenticate_event,
            "connect_timeout": 300.0,
            "request_timeout": 300.0,
            "request_deadline": 600.0,
            "reconnection_delay": 0.2,
            "reconnection_delay_max": 1.0,
            "settle_delay": 8.0,
            "typing_expiry": 100.0,
            "max_message_bytes": common.max_http_buffer_size,
        }

    async def client(self, user: tuple[str, int] = DOCTOR, **given: Any) -> Any:
        return await super().client(user, clock=TenfoldClock(), **(self.settings | given))
