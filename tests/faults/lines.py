"""A connection that writes down what it tells, and the clock, the chance and the tokens that it is given."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from peers import PATIENCE, News

from messaging_client import MessagingClient, MessagingConfig
from messaging_client.clock import Clock, SystemClock
from messaging_client.events import ConnectionChange
from messaging_client.models import ConnectionState as State
from messaging_client.transport.address import ServerAddress
from messaging_client.transport.auth import TokenSource
from messaging_client.transport.socket import Connection

QUICK: dict[str, Any] = {
    "connect_timeout": 3.0,
    "reconnection_delay": 0.01,
    "reconnection_delay_max": 0.02,
    "randomization_factor": 0.0,
    "fallback_poll_interval": 1000.0,
    "settle_delay": 0.01,
}
"""Settings with which ten reconnections take no time."""


def make_token(user_id: int = 5, role: str = "patient", **claims: Any) -> str:
    return jwt.encode({"id": user_id, "role": role, **claims}, "a key that is long enough for HS256 to be happy")


class Chance(random.Random):
    """Gives the same number always."""

    def __init__(self, value: float = 0.5) -> None:
        super().__init__()
        self.value = value

    def random(self) -> float:
        return self.value


@dataclass
class NotingClock:
    """Sleeps pass at once and are noted; those of the lengths in `held` last until `release`."""

    held: tuple[float, ...] = (15.0,)
    slept: list[float] = field(default_factory=list)
    waiting: list[tuple[float, asyncio.Future[None]]] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=sum(self.slept))

    def monotonic(self) -> float:
        return sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        if seconds in self.held:
            alarm: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.waiting.append((seconds, alarm))
            await alarm
        else:
            self.slept.append(seconds)
            await asyncio.sleep(0)

    def release(self, seconds: float) -> None:
        """End the sleeps of that length."""
        for length, alarm in self.waiting:
            if length == seconds and not alarm.done():
                alarm.set_result(None)


def make_config(**settings: Any) -> MessagingConfig:
    return MessagingConfig(**{**QUICK, **settings})


def make_client(url: str, *, token: Any = None, clock: Clock | None = None, **settings: Any) -> MessagingClient:
    return MessagingClient(url, token=token or make_token(), config=make_config(**settings), clock=clock)


class Line:
    """A `Connection`, and everything that it told.

    Args:
        url: where to.
        token, clock, random: as for the client.
        settings: of `MessagingConfig`, in place of those in `QUICK`.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Any = None,
        clock: Clock | None = None,
        chance: float = 0.5,
        on_event: Callable[[str, tuple[Any, ...]], None] | None = None,
        **settings: Any,
    ) -> None:
        self.events: list[tuple[str, tuple[Any, ...]]] = []
        self.changes: list[ConnectionChange] = []
        self.news = News()
        self._also = on_event
        self.connection = Connection(
            ServerAddress.parse(url, allow_insecure=False),
            make_config(**settings),
            token if isinstance(token, TokenSource) else TokenSource(token or make_token()),
            clock=clock or SystemClock(),
            random=Chance(chance),
            on_event=self._event,
            on_change=self._change,
        )

    def _event(self, name: str, args: tuple[Any, ...]) -> None:
        self.events.append((name, args))
        self.news.tell()
        if self._also is not None:
            self._also(name, args)

    def _change(self, change: ConnectionChange) -> None:
        self.changes.append(change)
        self.news.tell()

    @property
    def state(self) -> State:
        return self.connection.state

    @property
    def names(self) -> list[str]:
        """Names of the events that came."""
        return [name for name, _ in self.events]

    @property
    def moves(self) -> list[tuple[str, str, int]]:
        """State, cause and attempt of every change."""
        return [(change.state.value, change.cause.value, change.attempt) for change in self.changes]

    @property
    def causes(self) -> list[str]:
        return [change.cause.value for change in self.changes]

    async def until(self, predicate: Callable[[], Any], timeout: float = PATIENCE) -> None:
        await self.news.until(predicate, timeout)

    async def until_state(self, state: State, timeout: float = PATIENCE) -> None:
        await self.until(lambda: self.state is state, timeout)

    async def until_connected(self, count: int = 1, timeout: float = PATIENCE) -> None:
        """Wait until it has been connected so many times."""
        await self.until(lambda: self.causes.count("connected") >= count, timeout)

    async def __aenter__(self) -> Line:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.connection.disconnect()
