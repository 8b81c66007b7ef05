"""One lock for each conversation, as long as somebody has it or waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from messaging_client.models import Id


class Locks:
    """Has those who do something with a conversation do it one after the other. With none waiting, it holds nothing."""

    __slots__ = ("_locks",)

    def __init__(self) -> None:
        self._locks: dict[Id, tuple[asyncio.Lock, int]] = {}  # with how many have it or wait

    @asynccontextmanager
    async def of(self, conversation_id: Id) -> AsyncIterator[None]:
        """Wait for the others of this conversation, and have them wait."""
        lock, users = self._locks.get(conversation_id) or (asyncio.Lock(), 0)
        self._locks[conversation_id] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            _, users = self._locks.pop(conversation_id)
            if users > 1:
                self._locks[conversation_id] = lock, users - 1
