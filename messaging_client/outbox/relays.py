"""Telling others of confirmed messages, out of the way of the queues: a socket that takes nothing holds up no send."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from messaging_client.clock import end_task, new_task
from messaging_client.models import Message
from messaging_client.observing.logs import say

_log = logging.getLogger("messaging_client.outbox")

RELAYS = 1000
"""Confirmed messages that wait to be relayed; beyond that the oldest are left to what others read by themselves."""


class Relays:
    """Relays messages one after the other, in the order in which they were confirmed.

    What cannot be relayed now, for there is no connection, waits in memory for `wake`, or for the next message.

    Args:
        relay: tells others of a message; False where that cannot be done now.
    """

    def __init__(self, relay: Callable[[Message], Awaitable[bool]]) -> None:
        self._relay = relay
        self._waiting: deque[Message] | None = None  # most of a kilobyte, made for the first one
        self._is_closed = False
        self.worker: asyncio.Task[None] | None = None

    def add(self, message: Message) -> None:
        """Relay a message."""
        if self._waiting is None:
            self._waiting = deque(maxlen=RELAYS)
        self._waiting.append(message)
        self.wake()

    def wake(self) -> None:
        """There may be a connection."""
        if self.worker is None and self._waiting and not self._is_closed:
            self.worker = new_task(self._work())

    async def aclose(self) -> None:
        """Relay nothing more."""
        self._is_closed = True
        await end_task(self.worker)

    async def _work(self) -> None:
        try:
            while self._waiting:
                message = self._waiting[0]
                if not await self._is_done_with(message):
                    return
                if self._waiting and self._waiting[0] is message:  # it may have given way to newer ones
                    self._waiting.popleft()
        finally:
            self.worker = None

    async def _is_done_with(self, message: Message) -> bool:
        try:
            return await self._relay(message)
        except Exception as error:  # noqa: BLE001 - the message is stored: what goes wrong here must harm nothing
            say(_log, logging.ERROR, "message was not relayed", message_id=message.id, error=error)
            return True
