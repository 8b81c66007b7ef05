"""What is live for as long as the interface shows it: entered as soon as the server lets it, and closed in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from messaging_client import (
    AuthenticationError,
    ConversationSession,
    Inbox,
    MessagingError,
    NotFound,
    PermissionDenied,
)
from messaging_client.clock import end_task, new_task

RETRY_INTERVAL = 10.0
"""Seconds between two tries to read what could not be read."""

_FINAL = (AuthenticationError, NotFound, PermissionDenied)  # tried again when the user asks or the connection is back

L = TypeVar("L", Inbox, ConversationSession)


class Opening(Generic[L]):
    """Enters an inbox or a session, again and again until that succeeds; then tells of its changes.

    Args:
        make: gives one that was not entered yet.
        changed: called at every change, the failures to enter it included.

    Attributes:
        value: the inbox or session, once it is live.
        error: why the last try failed, or None.
    """

    def __init__(self, make: Callable[[], L], changed: Callable[[], None]) -> None:
        self._make: Callable[[], L] = make
        self._changed = changed
        self._again = asyncio.Event()
        self._entering: asyncio.Task[None] | None = None
        self.value: L | None = None
        self.error: MessagingError | None = None

    def start(self) -> None:
        """Begin to enter it."""
        self._entering = new_task(self._enter())

    def try_again(self) -> None:
        """Try again now, if it is not live yet."""
        self._again.set()

    async def close(self) -> None:
        """Give it up."""
        await end_task(self._entering)
        if self.value is not None:
            await self.value.close()

    async def _enter(self) -> None:
        while True:
            live = self._make()
            self._again.clear()
            try:
                await live.__aenter__()
            except MessagingError as error:
                self.error = error
                self._changed()
                await self._pause(error)
            else:
                self.value, self.error = live, None
                live.on_change(lambda _live: self._changed())
                self._changed()
                return

    async def _pause(self, error: MessagingError) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(None if isinstance(error, _FINAL) else RETRY_INTERVAL):
                await self._again.wait()
