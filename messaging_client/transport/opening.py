"""What a link receives before it is ready."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from messaging_client.models import ConnectionCause as Cause
from messaging_client.transport.link import Link
from messaging_client.wire import events as names

EventSink = Callable[[str, tuple[Any, ...]], None]


class Opening:
    """Holds the events of a link that is not ready yet, then lets them through in order.

    Args:
        sink: where events go once the link is ready.
        limit: how many may wait; a server that floods a handshake is cut off.
    """

    def __init__(self, sink: EventSink, limit: int) -> None:
        self._sink = sink
        self._limit = limit
        self._waiting: list[tuple[str, tuple[Any, ...]]] = []
        self._open = False
        self.link: Link | None = None
        self.authenticated: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take(self, name: str, args: tuple[Any, ...]) -> None:
        """Deliver an event, or keep it until the link is ready."""
        if self._open:
            self._sink(name, args)
            return
        if name == names.AUTHENTICATED and not self.authenticated.done():
            self.authenticated.set_result(None)
        if len(self._waiting) < self._limit:
            self._waiting.append((name, args))
        elif self.link is not None:
            self.link.end(Cause.CONNECTION_LOST)

    def release(self) -> None:
        """Deliver what waited; from now on events go straight through."""
        for name, args in self._waiting:
            self._sink(name, args)
        self._waiting.clear()
        self._open = True
        if self.link is not None:
            self.link.on_event = self._sink
