"""Acknowledgements that somebody waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import socketio

from messaging_client.errors import ConnectionLost


class Replies:
    """The acknowledgements to come on one link.

    The library's `call()` waits its full time when the link is gone, and keeps the callback of whoever gave up.

    Args:
        sio: the link's client.
    """

    def __init__(self, sio: socketio.AsyncClient) -> None:
        self._sio = sio
        self._waiting: set[asyncio.Future[Any]] = set()

    async def ask(self, event: str, payload: Any) -> asyncio.Future[Any]:
        """Emit, and give what is done when the server acknowledges; cancel it when nobody waits any more."""
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def acknowledged(*args: Any) -> None:
            if not reply.done():
                reply.set_result(args if len(args) > 1 else args[0] if args else None)

        def done(_reply: asyncio.Future[Any]) -> None:
            self._waiting.discard(reply)
            if reply.cancelled():
                self._forget(acknowledged)
            else:
                reply.exception()  # nobody may be waiting

        self._waiting.add(reply)
        reply.add_done_callback(done)
        await self._sio.emit(event, payload, callback=acknowledged)
        return reply

    def fail(self) -> None:
        """The link has ended: no acknowledgement comes any more."""
        for reply in tuple(self._waiting):
            if not reply.done():
                reply.set_exception(
                    ConnectionLost("The connection ended before the acknowledgement came.", may_have_left=True)
                )

    def _forget(self, callback: Callable[..., None]) -> None:
        waiting = self._sio.callbacks.get("/", {})
        for number in [number for number, each in waiting.items() if each is callback]:
            del waiting[number]
