"""The rooms that a connection is in, through all its links."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from messaging_client.config import MessagingConfig
from messaging_client.errors import NotConnected
from messaging_client.models import Id
from messaging_client.transport.link import Link
from messaging_client.wire import events as names
from messaging_client.wire import payloads


class Joins:
    """Knows which rooms are wanted, and asks for them on each link.

    Args:
        config: tells how a server wants to be asked.
    """

    def __init__(self, config: MessagingConfig) -> None:
        self._config = config
        self._wanted: dict[Id, None] = {}
        self._replies: dict[Id, asyncio.Future[Any]] = {}

    @property
    def wanted(self) -> tuple[Id, ...]:
        """The conversations whose rooms are wanted."""
        return tuple(self._wanted)

    async def join(self, conversation_id: Id, link: Link | None) -> asyncio.Future[Any] | None:
        """Want a room from now on, and ask for it if there is a link.

        Returns:
            What is done when the server acknowledges; None without a link.
        """
        self._wanted[conversation_id] = None
        if link is not None:
            # A link that breaks now is replaced, and the next one joins every room.
            with contextlib.suppress(NotConnected):
                return await self._ask(conversation_id, link)
        return None

    async def leave(self, conversation_id: Id, link: Link | None) -> None:
        """Want a room no longer."""
        self._wanted.pop(conversation_id, None)
        if link is not None:
            with contextlib.suppress(NotConnected):
                await self._say_left(conversation_id, link)

    async def join_all(self, link: Link) -> None:
        """Ask for every room that is wanted, those included that come to be wanted meanwhile.

        Raises:
            NotConnected: the link broke.
        """
        asked: dict[Id, asyncio.Future[Any]] = {}
        # After the last look nothing waits any more, so that nothing can change unseen.
        while asked.keys() != self._wanted.keys():
            for each in [each for each in self._wanted if each not in asked]:
                asked[each] = await self._ask(each, link)
            for each in [each for each in asked if each not in self._wanted]:
                asked.pop(each).cancel()
                await self._say_left(each, link)
        self._replies = asked

    def take_replies(self) -> dict[Id, asyncio.Future[Any]]:
        """Give what the joins of `join_all` are acknowledged with, once."""
        taken, self._replies = self._replies, {}
        return taken

    async def _ask(self, conversation_id: Id, link: Link) -> asyncio.Future[Any]:
        return await link.ask(names.JOIN_CONVERSATION, self._payload(conversation_id))

    async def _say_left(self, conversation_id: Id, link: Link) -> None:
        await link.emit(names.LEAVE_CONVERSATION, self._payload(conversation_id))

    def _payload(self, conversation_id: Id) -> Any:
        return payloads.join(conversation_id, self._config.join_payload)
