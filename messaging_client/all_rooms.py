"""`join_all`: the room of every conversation of the user, and of those that come to be later."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from messaging_client.clock import Clock, Signal, finished_within
from messaging_client.errors import MessagingError, RequestError, TransportError
from messaging_client.events import ConversationUpdated, Notification
from messaging_client.feed import Point
from messaging_client.few import Few
from messaging_client.models import Conversation, ConversationStatus, Id, Participant
from messaging_client.observing.logs import say
from messaging_client.positions import Positions
from messaging_client.reading import FIRST_RETRY, LONGEST_RETRY, PERMANENT, TOLD
from messaging_client.rooms import USER, Rooms
from messaging_client.wire.events import NEW_CONVERSATION

_log = logging.getLogger("messaging_client.rooms")


@dataclass(frozen=True)
class Listed:
    """The last list of conversations that was read as a whole.

    Attributes:
        until: server time up to which it knew of every conversation, a second early at most; None where nothing tells.
    """

    until: datetime | None


class AllRooms:
    """Holds every room on the user's behalf, but those that the user has left by name.

    What is new in a conversation that was in no list before is decided by server times alone: all of it if it came to
    be after the last complete list, else what came after that list. So a notice about an archived conversation tells
    nothing old, and a conversation whose first message came before its notice loses nothing.

    Args:
        conversations: iterates over the conversations of the user, past any cache.
        server_time: the server's clock, as its latest answer told it; None where none did.
        is_connected: whether live events come.
        run: runs a coroutine in a task that the client owns.
        randomization_factor: part of the delay between two tries that is left to chance.
    """

    def __init__(
        self,
        rooms: Rooms,
        positions: Positions,
        *,
        clock: Clock,
        random: random.Random,
        randomization_factor: float,
        conversations: Callable[[], AsyncIterator[Conversation]],
        server_time: Callable[[], datetime | None],
        is_connected: Callable[[], bool],
        run: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        self._rooms = rooms
        self._positions = positions
        self._clock = clock
        self._random = random
        self._randomization_factor = randomization_factor
        self._conversations = conversations
        self._server_time = server_time
        self._is_connected = is_connected
        self._run = run
        self._is_wanted = False
        self._listed: Listed | None = None
        self._listing = asyncio.Lock()
        self._starts: dict[Id, Point | None] = {}  # of conversations that could not be held yet
        self._people: dict[Id, tuple[Participant, ...]] = {}
        self._anew: Few[Id] = Few()  # left by the user, and wanted again with all others
        self._asked_at: datetime | None = None  # server time when the first list was asked for in vain
        self._is_due = False
        self._looking: asyncio.Task[None] | None = None
        self._hurry = Signal()
        self._pace = 0.0
        self._looked_at = float("-inf")

    async def hold(self) -> None:
        """Be in the room of every conversation of the user, present and new, those that were left included.

        Where the server cannot be reached, this is done as soon as it can.

        Raises:
            PermissionDenied, AuthenticationError, ...: the list cannot be read by this user.
        """
        self._is_wanted = True
        self._anew |= self._rooms.left
        self._rooms.left.clear()
        try:
            await self._hold_listed()
        except TOLD:
            self._is_wanted = self._listed is not None
            raise
        except (TransportError, RequestError) as error:
            say(_log, logging.INFO, "conversations not listed yet", error=error)
            self._is_due = True
            self._asked_at = self._asked_at or self._server_time()
        if self._is_due:
            self._slow_down()
            self._look()

    # --- what tells of conversations ---------------------------------------------------------------------------------

    def named(self, event: ConversationUpdated | Notification) -> None:
        """A notice named a conversation; one that is not known is looked for in the list."""
        target = event.conversation_id
        if target is None or not self._is_missing(target):
            return
        if isinstance(event, Notification) and event.type == NEW_CONVERSATION:
            self._starts.setdefault(target, Point())
            if self._listed is not None:
                self._run(self._hold_new(target))
        elif isinstance(event, Notification) or event.status in (None, ConversationStatus.ACTIVE):
            self._look()

    async def listed(self, conversation: Conversation) -> None:
        """The list of conversations, polled, showed one."""
        self._people[conversation.id] = conversation.participants
        if self._is_missing(conversation.id):
            await self._hold_one(conversation.id, await self._start_of(conversation, await self._last_list()))

    def people_of(self, conversation_id: Id | None) -> tuple[Participant, ...]:
        """Who takes part in a conversation, as the list shows it; nobody where it was not read."""
        return () if conversation_id is None else self._people.get(conversation_id, ())

    def connected(self) -> None:
        """There is a new connection: conversations may have come to be while there was none."""
        if self._is_wanted:
            self._pace = 0.0
            self._hurry.set()
            self._look()

    def _is_missing(self, conversation_id: Id) -> bool:
        is_left = conversation_id in self._rooms.left
        return self._is_wanted and not is_left and not self._rooms.is_held_by_user(conversation_id)

    # --- the list ----------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Read the list as a whole once more, however often the server fails; while connected, for polls do it else."""
        self._is_due = True
        if self._looking is None or self._looking.done():
            self._looking = self._run(self._look_until_read())

    async def _look_until_read(self) -> None:
        while self._is_due and self._is_wanted and self._is_connected():
            self._hurry.clear()
            await self._pause()
            try:
                has_found = await self._hold_listed()
            except PERMANENT as error:
                say(_log, logging.WARNING, "conversations cannot be listed", error=error)
                return
            except MessagingError as error:
                say(_log, logging.INFO, "conversations not listed", error=error)
                has_found, self._is_due = False, True
            if has_found and not self._is_due:
                self._pace = 0.0
            else:
                self._slow_down()

    def _slow_down(self) -> None:
        """The next look waits longer: the server failed, or notices name what no list shows."""
        self._pace = min(max(2 * self._pace, FIRST_RETRY), LONGEST_RETRY)
        self._looked_at = self._clock.monotonic()

    async def _pause(self) -> None:
        pause = self._pace * (1 + self._randomization_factor * self._random.random())
        remaining = self._looked_at + pause - self._clock.monotonic()
        if self._pace and remaining > 0:
            hurry = asyncio.ensure_future(self._hurry.wait())
            try:
                await finished_within(self._clock, hurry, remaining)
            finally:
                hurry.cancel()

    async def _hold_listed(self) -> bool:
        """Hold every conversation of the list; once it was read as a whole, a further one is new.

        Returns:
            Whether one was found that was not held before.
        """
        async with self._listing:
            self._is_due = False
            before = await self._last_list()
            until: datetime | None = None
            found: list[Conversation] = []
            is_begun = False
            async for each in self._conversations():
                if not is_begun:
                    until, is_begun = self._server_time(), True
                self._people[each.id] = each.participants
                until = max(filter(None, (until, *_times_of(each))), default=None)
                if self._is_missing(each.id):
                    found.append(each)
            if not is_begun:
                until = self._server_time()
            starts = {each.id: (await self._start_of(each, before), _known_ground(each, until)) for each in found}
            for conversation_id, start in self._starts.items():
                if self._is_missing(conversation_id):
                    starts.setdefault(conversation_id, (start, None))
            outcomes = await asyncio.gather(*(self._hold_one(each, *start) for each, start in starts.items()))
            self._is_due = self._is_due or not all(outcomes)
            self._listed = Listed(until)
            await self._positions.now_of_all(until)
            return bool(starts)

    async def _last_list(self) -> Listed | None:
        """The last complete list, of this process or an earlier one; None before the first."""
        if self._listed is None and await self._positions.are_of_all():
            return Listed(await self._positions.listed_until())
        return self._listed

    async def _start_of(self, conversation: Conversation, before: Listed | None) -> Point | None:
        """From where on a conversation of the list is new; None for its newest page, which is history."""
        if conversation.id in self._starts:
            return self._starts[conversation.id]
        if await self._positions.was_left(conversation.id) or conversation.id in self._anew:
            await self._positions.came_back(conversation.id)
            return None
        if before is None:
            # The user asked to be in it then: what has come since is no history.
            return None if self._asked_at is None else Point.after(self._asked_at)
        if before.until is None:
            return None
        created = conversation.created_at
        if created is not None and created >= before.until:
            return Point()
        # It was there already, and in no list: archived, perhaps.
        return Point.after(before.until)

    async def _hold_new(self, conversation_id: Id) -> None:
        """Hold a conversation that has just come to be; if that fails, it is tried again with the list."""
        if not await self._hold_one(conversation_id, self._starts.get(conversation_id, Point())):
            self._look()

    async def _hold_one(self, conversation_id: Id, start: Point | None, later: Point | None = None) -> bool:
        """Hold one of all; one that cannot be read does not keep the others out.

        Args:
            conversation_id: the conversation.
            start: from where on it is new; None for its newest page, which is history.
            later: the same for another try, by when the newest page may hold news.

        Returns:
            False if it is to be tried again.
        """
        self._starts[conversation_id] = start
        try:
            if start is not None:
                # Kept before anything of it is told: a list read later says nothing of where it began.
                await self._positions.begin(conversation_id, start)
            await self._rooms.hold(conversation_id, USER, start)
        except MessagingError as error:
            say(
                _log,
                logging.WARNING,
                "conversation is listed but not joined",
                conversation_id=conversation_id,
                error=error,
            )
            self._starts[conversation_id] = start or later
            return isinstance(error, PERMANENT)
        self._starts.pop(conversation_id, None)
        self._anew.discard(conversation_id)
        return True


def _known_ground(conversation: Conversation, until: datetime | None) -> Point | None:
    """What a list shows to be history: up to the last message, else up to when it was read; None where none tells."""
    last = conversation.last_message
    if last is not None and last.timestamp is not None:
        return Point.after(last.timestamp)
    return None if until is None else Point.after(until)


def _times_of(conversation: Conversation) -> tuple[datetime | None, ...]:
    last = conversation.last_message
    return conversation.created_at, conversation.last_activity, last.timestamp if last is not None else None
