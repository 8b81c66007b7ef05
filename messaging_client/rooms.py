"""Which conversations' rooms the client is in, on whose behalf."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from messaging_client.errors import MessagingError, RequestError, TransportError
from messaging_client.feed import Feed
from messaging_client.models import Conversation, Id
from messaging_client.positions import Positions
from messaging_client.reading import PERMANENT
from messaging_client.recovery import Recovery
from messaging_client.transport.socket import Connection

_log = logging.getLogger("messaging_client.rooms")

USER = "user"
"""The holder of rooms that the user joined by name."""


class Rooms:
    """Joins a room while somebody holds it, and makes sure that nothing of it is missed.

    Args:
        conversations: iterates over the conversations of the user, past any cache.
        is_connected: whether live events come.
        run: runs a coroutine in a task that the client owns.
    """

    def __init__(
        self,
        connection: Connection,
        feed: Feed,
        recovery: Recovery,
        positions: Positions,
        *,
        conversations: Callable[[], AsyncIterator[Conversation]],
        is_connected: Callable[[], bool],
        run: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        self._connection = connection
        self._feed = feed
        self._recovery = recovery
        self._positions = positions
        self._conversations = conversations
        self._is_connected = is_connected
        self._run = run
        self._holders: dict[Id, set[object]] = {}
        self._takes_all = False
        self._all_listed = False
        self._listing = asyncio.Lock()

    # --- one room ----------------------------------------------------------------------------------------------------

    async def hold(self, conversation_id: Id, holder: object) -> None:
        """Be in a room from now on.

        Raises:
            PermissionDenied, NotFound, ...: the conversation cannot be read by this user, who is not in its room.
        """
        holders = self._holders.setdefault(conversation_id, set())
        is_first = not holders
        holders.add(holder)
        self._recovery.expect(conversation_id)
        try:
            acknowledged = await self._connection.join(conversation_id) if is_first else None
            await self._recovery.begin(conversation_id)
        except (MessagingError, asyncio.CancelledError):
            await self.release(conversation_id, holder)
            raise
        if is_first:
            self._was_asked_for(conversation_id, acknowledged, was_read=True)

    async def release(self, conversation_id: Id, holder: object, *, for_good: bool = False) -> None:
        """Hold a room no longer; it is left when nobody does.

        Args:
            conversation_id: the conversation.
            holder: who held it.
            for_good: forget how far it was read, so that joining it again begins anew.
        """
        holders = self._holders.get(conversation_id, set())
        holders.discard(holder)
        if not holders:
            self._holders.pop(conversation_id, None)
            self._recovery.forget(conversation_id)
            await self._connection.leave(conversation_id)
            if for_good:
                await self._positions.forget(conversation_id)

    # --- all rooms ---------------------------------------------------------------------------------------------------

    async def hold_all(self) -> None:
        """Be in the room of every conversation of the user, present and new.

        Where the server cannot be reached, this is done as soon as it can.

        Raises:
            PermissionDenied, ...: the list cannot be read by this user.
        """
        self._takes_all = True
        try:
            await self._hold_listed()
        except PERMANENT:
            self._takes_all = False
            raise
        except (TransportError, RequestError) as error:
            _log.info("the list of conversations was not read yet: %s", type(error).__name__)

    async def _hold_listed(self) -> None:
        """Hold every conversation of the list; once it was read as a whole, a further one is new."""
        async with self._listing:
            is_following = self._all_listed or await self._positions.are_of_all()
            found = [each.id async for each in self._conversations() if not self._is_held(each.id)]
            await asyncio.gather(*(self._hold_one(each, is_new=is_following) for each in found))
            self._all_listed = True
            await self._positions.now_of_all()

    async def _hold_one(self, conversation_id: Id, *, is_new: bool) -> None:
        """Hold one of all; one that cannot be read does not keep the others out."""
        try:
            if is_new and await self._positions.of(conversation_id) is None:
                await self._hold_new(conversation_id)
            else:
                await self.hold(conversation_id, USER)
        except MessagingError as error:
            _log.warning("conversation %s is listed, but not joined: %s", conversation_id, type(error).__name__)

    async def _hold_new(self, conversation_id: Id) -> None:
        """Join a conversation that came to be: its first messages are news, not history."""
        self._holders.setdefault(conversation_id, set()).add(USER)
        self._recovery.begin_empty(conversation_id)
        self._was_asked_for(conversation_id, await self._connection.join(conversation_id), was_read=False)

    def named(self, conversation_id: Id) -> None:
        """A notice named a conversation: one that is new is joined, where all are wanted."""
        if self._all_listed and not self._is_held(conversation_id):
            self._holders.setdefault(conversation_id, set()).add(USER)
            self._run(self._hold_one(conversation_id, is_new=True))

    async def listed(self, conversation: Conversation) -> None:
        """The list of conversations, polled, showed one."""
        if self._takes_all and not self._is_held(conversation.id):
            await self._hold_one(conversation.id, is_new=self._all_listed)

    # --- connection --------------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """There is a new connection, which has asked for every room."""
        for conversation_id, acknowledged in self._connection.take_acknowledgements().items():
            self._recovery.joined(conversation_id, acknowledged, was_read=False)
        if self._takes_all:
            self._run(self._catch_up())

    async def _catch_up(self) -> None:
        """Look for conversations that came to be while there was no connection."""
        try:
            await self._hold_listed()
        except MessagingError as error:
            _log.warning("the list of conversations could not be read: %s", type(error).__name__)

    def _is_held(self, conversation_id: Id) -> bool:
        return USER in self._holders.get(conversation_id, ())

    def _was_asked_for(self, conversation_id: Id, acknowledged: asyncio.Future[Any] | None, *, was_read: bool) -> None:
        if self._is_connected():
            self._recovery.joined(conversation_id, acknowledged, was_read=was_read)
        else:
            self._recovery.not_joined(conversation_id)
