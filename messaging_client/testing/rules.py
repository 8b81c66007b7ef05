"""What faults are made of: what is to go wrong, how often, and with what."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

What = TypeVar("What")

OPERATIONS = (
    "health",
    "conversations",
    "unread",
    "messages",
    "new_messages",
    "participants",
    "user",
    "send",
    "send_many",
    "create",
    "history",
    "permissions",
    "mark_read",
)
"""Names of the REST operations; the several spellings of a route are one operation."""

Stage = Literal["upgrade", "open", "connect"]
"""How far a handshake gets: nothing answers the upgrade; no Engine.IO session opens; the namespace stays silent."""


class Rules(Generic[What]):
    """Things that are to happen to what bears a name, each so many times, the oldest rule first."""

    def __init__(self) -> None:
        self._rules: list[tuple[str | None, What, int | None]] = []

    def add(self, name: str | None, what: What, count: int | None) -> None:
        """Add a rule.

        Args:
            name: what it applies to; None for everything.
            what: what is to happen.
            count: how many times; None until cleared.

        Raises:
            ValueError: the count is below 1.

        """
        check_count(count)
        self._rules.append((name, what, count))

    def take(self, name: str) -> What | None:
        """Give what is to happen now, and count it."""
        for place, (about, what, left) in enumerate(self._rules):
            if about in (None, name):
                if left == 1:
                    del self._rules[place]
                elif left is not None:
                    self._rules[place] = (about, what, left - 1)
                return what
        return None

    def clear(self) -> None:
        """Forget every rule."""
        self._rules.clear()

    def __len__(self) -> int:
        return len(self._rules)


def check_count(count: int | None, least: int = 1) -> None:
    """Refuse a count that would never apply.

    Raises:
        ValueError: it is too small.

    """
    if count is not None and count < least:
        raise ValueError(f"count must be {least} or more, or None for until cleared.")


# What can happen to a REST request. `after_storing`: once the server has done its work, in place of its answer.


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer this."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    after_storing: bool = False


@dataclass(frozen=True, slots=True)
class Drop:
    """Close the TCP connection without an answer."""

    after_storing: bool


@dataclass(frozen=True, slots=True)
class Silence:
    """Never answer."""

    after_storing: bool


@dataclass(frozen=True, slots=True)
class Raw:
    """Write these bytes to the TCP connection in place of an HTTP answer, and close it."""

    data: bytes
    after_storing: bool = False


@dataclass(frozen=True, slots=True)
class Truncate:
    """Send half of the answer, and close the connection."""

    after_storing: bool = True


RestFault = Reply | Drop | Silence | Raw | Truncate


@dataclass(frozen=True, slots=True)
class Delay:
    """Wait before the work, or between the work and the answer."""

    seconds: float
    after_storing: bool = False


# What can happen to a handshake


@dataclass(frozen=True, slots=True)
class RefuseUpgrade:
    """Answer the WebSocket upgrade with an HTTP status."""

    status: int
    body: str


@dataclass(frozen=True, slots=True)
class CloseSocket:
    """Accept the WebSocket, and close it."""

    code: int


@dataclass(frozen=True, slots=True)
class Garble:
    """Accept the WebSocket, and send this in place of the opening packet."""

    frame: str


@dataclass(frozen=True, slots=True)
class StaySilent:
    """Get so far, and no further."""

    at: Stage


@dataclass(frozen=True, slots=True)
class RefuseConnect:
    """Refuse the namespace, as a Socket.IO middleware does."""

    message: str
    data: Any


@dataclass(frozen=True, slots=True)
class DelayConnect:
    """Let the namespace wait, as a slow Socket.IO middleware does."""

    seconds: float


UpgradeFault = RefuseUpgrade | CloseSocket | Garble | StaySilent
ConnectFault = RefuseConnect | DelayConnect | StaySilent


@dataclass(frozen=True, slots=True)
class RuleBook:
    """Every rule in force for requests, handshakes and joins."""

    answers: Rules[RestFault] = field(default_factory=Rules)
    delays: Rules[Delay] = field(default_factory=Rules)
    upgrades: Rules[UpgradeFault] = field(default_factory=Rules)
    connects: Rules[ConnectFault] = field(default_factory=Rules)
    joins: Rules[float] = field(default_factory=Rules)
    _silenced: dict[asyncio.Transport, asyncio.Future[None]] = field(default_factory=dict)

    def clear(self) -> None:
        """Forget every rule, and cut what waits for an answer that never comes."""
        for rules in self.all():
            rules.clear()
        for transport, over in self._silenced.items():
            transport.abort()
            if not over.done():
                over.set_result(None)

    @contextmanager
    def silence(self, transport: asyncio.Transport) -> Iterator[asyncio.Future[None]]:
        """Keep a connection waiting during the block; gives a future that is done when `clear` ends the silence."""
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._silenced[transport] = over
        try:
            yield over
        finally:
            del self._silenced[transport]

    def all(self) -> tuple[Rules[Any], ...]:
        """Every list of rules."""
        return self.answers, self.delays, self.upgrades, self.connects, self.joins


def reply(
    status: int,
    body: Any,
    *,
    headers: Mapping[str, str] | None = None,
    content_type: str | None = None,
    retry_after: float | str | None = None,
    after_storing: bool = False,
) -> Reply:
    """Make an answer: text and bytes go as they are, anything else as JSON, and nothing with a status that has none."""
    if status in (204, 304):  # RFC 9110: these have no content
        body = b""
    if isinstance(body, (str, bytes)):
        raw = body.encode() if isinstance(body, str) else body
        given = {"content-type": content_type or "text/plain; charset=utf-8"}
    else:
        raw = json.dumps(body).encode()
        given = {"content-type": content_type or "application/json; charset=utf-8"}
    if retry_after is not None:
        given["retry-after"] = f"{retry_after:g}" if isinstance(retry_after, (int, float)) else retry_after
    return Reply(status, raw, given | {name.lower(): value for name, value in (headers or {}).items()}, after_storing)
