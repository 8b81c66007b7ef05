"""Which conversations' rooms the client is in, on whose behalf."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from messaging_client.clock import end_task, is_being_cancelled
from messaging_client.errors import NotConnected
from messaging_client.feed import Point
from messaging_client.few import Few
from messaging_client.models import Id
from messaging_client.positions import Positions
from messaging_client.recovery import Recovery

if TYPE_CHECKING:
    from messaging_client.transport.socket import Connection

USER = "user"
"""The holder of rooms that the user joined by name."""


@dataclass(eq=False, slots=True)
class Room:
    """A room that somebody holds.

    Attributes:
        holders: on whose behalf the client is in it.
        calls: how many calls wait for it to be entered, by holder.
        entering: what enters it, once for all who hold it; None once it was entered.
        was_entered: whether it was entered, and that is taken note of.
        asks_first: the newest page is read when it has been asked for, not before.
        is_left: the user has left it for good, though somebody else may hold it still.
    """

    holders: set[object] = field(default_factory=set)
    calls: dict[object, int] = field(default_factory=dict)
    entering: asyncio.Task[None] | None = None
    was_entered: bool = False
    asks_first: bool = False
    is_left: bool = False

    @property
    def is_entered(self) -> bool:
        """Whether it was entered."""
        return self.was_entered or (
            self.entering is not None and self.entering.done() and not _has_failed(self.entering)
        )

    def call_ended(self, holder: object) -> int:
        """A call waits no longer; gives how many of this holder still do."""
        left = self.calls.pop(holder) - 1
        if left:
            self.calls[holder] = left
        elif not self.calls:
            self.calls.clear()  # which lets go of its memory
        return left

    def ended(self, entering: asyncio.Task[None]) -> None:
        """Look at how entering it has ended, whoever is there to hear of it."""
        if not _has_failed(entering):
            self.was_entered, self.entering = True, None  # a task that has ended keeps its frames


class Rooms:
    """Joins a room while somebody holds it, and makes sure that nothing of it is missed.

    Args:
        is_connected: whether live events come.
        run: runs a coroutine in a task that the client owns.

    Attributes:
        left: the conversations that the user has left by name.
    """

    def __init__(
        self,
        connection: Connection,
        recovery: Recovery,
        positions: Positions,
        *,
        is_connected: Callable[[], bool],
        run: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        self._connection = connection
        self._recovery = recovery
        self._positions = positions
        self._is_connected = is_connected
        self._run = run
        self._rooms: dict[Id, Room] = {}
        self.left: Few[Id] = Few()

    def is_held_by_user(self, conversation_id: Id) -> bool:
        """Whether the user is in a room, or on the way into it."""
        room = self._rooms.get(conversation_id)
        return room is not None and USER in room.holders

    async def hold(
        self, conversation_id: Id, holder: object, start: Point | None = None, *, asks_first: bool = False
    ) -> bool:
        """Be in a room from now on.

        Args:
            conversation_id: the conversation.
            holder: on whose behalf.
            start: everything after it is new, unless an earlier process stopped elsewhere; None for the newest page,
                which is history.
            asks_first: read that page when the room has been asked for, so that it shows all that is not told to those
                who are in the room; what is stored meanwhile may be history then.

        Returns:
            Whether it was entered now, and asked for before anything was read.

        Raises:
            PermissionDenied, NotFound, ...: the conversation cannot be read by this user, who is not in its room.
        """
        room = self._rooms.setdefault(conversation_id, Room())
        room.holders.add(holder)
        if holder is USER:
            room.is_left = False
            self.left.discard(conversation_id)
        if room.is_entered:
            return False
        self._recovery.expect(conversation_id, start)
        if room.entering is None or _has_failed(room.entering):
            room.asks_first = asks_first
            room.entering = self._run(self._enter(conversation_id, room, start))
            room.entering.add_done_callback(room.ended)
        await self._until_entered(conversation_id, room, holder)
        return room.asks_first

    async def _until_entered(self, conversation_id: Id, room: Room, holder: object) -> None:
        """Wait with the others; who is cancelled, or hears of a failure, lets go, and nobody else has to."""
        assert room.entering is not None
        entering = room.entering
        room.calls[holder] = room.calls.get(holder, 0) + 1
        try:
            await asyncio.shield(entering)
        except BaseException:
            if not room.call_ended(holder) and self._rooms.get(conversation_id) is room:
                await self.release(conversation_id, holder)
            if entering.cancelled() and not is_being_cancelled():
                raise NotConnected("The client was closed before the conversation was joined.") from None
            raise
        room.call_ended(holder)

    async def _enter(self, conversation_id: Id, room: Room, start: Point | None) -> None:
        """Read where the conversation stands, then ask for its room: what is stored after that read is new.

        The other way round, a message that is stored once the room was asked for, and broadcast before the server has
        joined it, stands in the newest page and passes for history. That is right for a session, which shows the page
        and has no other need of one. Either way everything after the page is told: live, or by the read that follows
        when the room is sure to be joined.
        """
        asks_first = room.asks_first
        if asks_first:
            acknowledged = await self._connection.join(conversation_id)
        was_read = await self._recovery.begin(conversation_id, start)
        if self._rooms.get(conversation_id) is not room:
            return  # nobody held it any longer
        if not asks_first:
            acknowledged = await self._connection.join(conversation_id)
        if self._rooms.get(conversation_id) is not room:
            return
        if self._is_connected():
            self._recovery.joined(conversation_id, acknowledged, was_read=was_read)
        else:
            self._recovery.not_joined(conversation_id)

    async def release(self, conversation_id: Id, holder: object, *, for_good: bool = False) -> None:
        """Hold a room no longer; it is left when nobody does.

        Args:
            conversation_id: the conversation.
            holder: who held it.
            for_good: forget how far it was read, so that joining it again begins anew.
        """
        room = self._rooms.get(conversation_id) or Room()
        room.holders.discard(holder)
        if for_good:
            room.is_left = True
            self.left.add(conversation_id)
        if room.holders:
            return
        self._rooms.pop(conversation_id, None)
        self._recovery.forget(conversation_id, for_good=room.is_left)
        if room.is_left:
            self._positions.drop(conversation_id)
        await self._connection.leave(conversation_id)
        if not room.calls:
            await end_task(room.entering)
        if room.is_left:
            await self._positions.forget(conversation_id)

    def connected(self) -> None:
        """There is a new connection, which has asked for every room."""
        for conversation_id, acknowledged in self._connection.take_acknowledgements().items():
            self._recovery.joined(conversation_id, acknowledged, was_read=False)


def _has_failed(task: asyncio.Task[None]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
