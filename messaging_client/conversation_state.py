"""What is known of one conversation that somebody has open: one state, whoever looks at it and however many do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any

from messaging_client.arrivals import Arrivals
from messaging_client.clock import new_task
from messaging_client.errors import MessagingError, NotFound
from messaging_client.events import ConnectionChange, ConversationUpdated, TypingEvent
from messaging_client.feed import Key, relayed_as
from messaging_client.few import Few
from messaging_client.history_pages import HistoryPages
from messaging_client.host import Host
from messaging_client.models import ConnectionState, ContextType, Conversation, History, Id, Message, Participant
from messaging_client.outbox import Outgoing
from messaging_client.people import People
from messaging_client.read_marks import ReadMarks, is_read, kept
from messaging_client.timeline import Timeline
from messaging_client.typing_indicator import OwnTyping, TypingUsers
from messaging_client.unsent import Unsent, is_pending

_REFRESH_INTERVAL = 2.0  # seconds between two reads that notices cause
_FURTHER_PAGES = 3  # older pages that such a read goes back at most; the next one goes on from there


class ConversationState:
    """The messages, people and typing of a conversation, kept up to date while it is open.

    Args:
        host: the client.
        conversation_id: the conversation.
        order: the order of messages.
        reading: lets so many conversations read at a time what was not asked for by the user.
    """

    def __init__(
        self, host: Host, conversation_id: Id, order: Callable[[Message], Key], reading: asyncio.Semaphore
    ) -> None:
        self._host = host
        self._reading = reading
        self.conversation_id = conversation_id
        self.messages = Timeline(order, lambda message: not is_read(message) and not host._is_own(message))
        self.people = People(host._rest, host._clock, host._config.user_cache_ttl)
        self.pages = HistoryPages(
            host._rest,
            conversation_id,
            self.messages,
            take=self._take,
            order=order,
            pending=lambda: len(host._outbox.pending(conversation_id)),
            may_change=lambda message: host._is_own(message) and not is_read(message) and not is_pending(message),
        )
        self._unsent = Unsent(host._outbox, conversation_id, self.messages, lambda: self.pages.was_read)
        self.marks = ReadMarks(
            host._rest,
            conversation_id,
            self.messages,
            self.pages,
            is_own=host._is_own,
            clock=host._clock,
            changed=self.changed,
        )
        self._typists: TypingUsers | None = None  # this and the next one from their first use on
        self._own_typing: OwnTyping | None = None
        self.arrivals = Arrivals()
        self.error: MessagingError | None = None
        self._watchers: list[Callable[[], None]] = []
        self._stops: list[Callable[[], None]] = []
        self._opening: asyncio.Task[None] | None = None
        self._is_open = False
        self._tasks: Few[asyncio.Task[Any]] = Few()
        self._refreshing: asyncio.Task[None] | None = None
        self._naming: asyncio.Task[None] | None = None
        self._is_stale = False
        self._closed = False
        self._was_context_asked = False
        self._loads = 0
        self._asked = 0  # loads are numbered, so that what an older one brings does not take a newer one's place
        self._applied = 0

    # --- life --------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Become live, once, however many open it at a time; loads the newest page.

        Raises:
            MessagingError: it cannot be read.
        """
        if self._is_open:
            return
        if self._opening is None:
            self._opening = new_task(self._open())
        await asyncio.shield(self._opening)

    async def _open(self) -> None:
        host, target = self._host, self.conversation_id
        self._stops.append(host._feed.watch(target, self._message))
        self._stops.append(host._outbox.listen(target, self._outgoing))
        # At once: a message that comes next ends the typing, also where both come together.
        self._stops.append(host._dispatcher.watch(TypingEvent, self._typing, conversation_id=target).cancel)
        updates = host._dispatcher.subscribe(ConversationUpdated, self._updated, conversation_id=target)
        self._stops.append(updates.cancel)
        with host._rest.page_kept(target) as pages:
            is_after = await host._hold_room(target, self)
        for outgoing in host._outbox.pending(target):
            self._outgoing(outgoing)
        # It shows what those in the room are not told any more, and nothing newer is here.
        is_latest = bool(pages) and is_after and not self._asked and not self.pages.has_marks
        await self._refresh(pages[-1] if is_latest else None)
        self._is_open, self._opening = True, None  # a task that has ended keeps its frames

    async def aclose(self) -> None:
        """Be live no more; the room is left unless somebody else holds it."""
        self._closed = True
        for stop in self._stops:
            stop()
        self._stops.clear()
        tasks: set[asyncio.Task[Any]] = {task for task in (*self._tasks, self._opening) if task is not None}
        tasks.discard(asyncio.current_task())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._own_typing is not None:
            await self._own_typing.aclose()
        if self._typists is not None:
            await self._typists.aclose()
        await self._host._release_room(self.conversation_id, self)

    # --- what is known -----------------------------------------------------------------------------------------------

    @property
    def loading(self) -> bool:
        """Whether the conversation is being read because somebody asked for it."""
        return self._loads > 0

    @property
    def typing_users(self) -> tuple[Participant, ...]:
        """The others who type now, with names as far as they are known."""
        return () if self._typists is None else tuple(map(self.people.named_person, self._typists.present))

    @property
    def own_typing(self) -> OwnTyping:
        """The user's own indicator; once the conversation is closed it says no more that the user types."""
        if self._own_typing is None:
            host, target = self._host, self.conversation_id
            self._own_typing = OwnTyping(
                host._clock,
                host._config.typing_expiry,
                lambda is_typing: host.emit_typing(target, is_typing),
                closed=self._closed,
            )
        return self._own_typing

    def suppose(self, conversation: Conversation) -> None:
        """Take what is known of the conversation already, for servers that give messages alone."""
        self.pages.conversation = self.pages.conversation or conversation

    # --- reading -----------------------------------------------------------------------------------------------------

    async def refresh(self) -> None:
        """Read the newest page again, with conversation and participants, and older ones where statuses may change.

        Raises:
            MessagingError: it cannot be read; the error is kept in `error` too.
        """
        await self._refresh(None)

    async def _refresh(self, first: History | None) -> None:
        self._loads += 1
        self.changed()
        try:
            self.pages.statuses_changed()
            await self._load(first=first)
        finally:
            self._loads -= 1
            self.changed()

    async def load_older(self) -> int:
        """Read the page before the oldest message here; gives how many messages came."""
        added = await self.pages.load_older()
        self.changed()
        return added

    async def _load(self, further_pages: int | None = None, first: History | None = None) -> None:
        self._asked += 1
        asked = self._asked
        try:
            await self.pages.load_newest(first)
            people = await self._read_people()
            if asked > self._applied:
                self._applied = asked
                self._take_people(people)
            await self.pages.load_statuses(further_pages)
        except MessagingError as error:
            if asked >= self._applied:
                self.error = error
            raise
        if asked >= self._applied:
            self.error = None

    async def _read_people(self) -> tuple[Participant, ...]:
        conversation = self.pages.conversation
        people = conversation.participants if conversation is not None else ()
        if len(people) < 2:
            with suppress(NotFound):  # a server without this route
                found = await self._host._rest.participants(self.conversation_id, timeout=None, refresh=False)
                people = found or people
        return people

    def _take_people(self, people: tuple[Participant, ...]) -> None:
        if self.people.replace(people):
            self._name_messages()
        # A load that somebody asked for can outlive the conversation; nobody would end what it starts.
        if not self._closed and self.people.wants_names and (self._naming is None or self._naming.done()):
            self._naming = self._run(self._find_names())

    async def _find_names(self) -> None:
        if await self.people.find_names():
            self._name_messages()
            self.changed()

    def _name_messages(self) -> None:
        for message in self.messages:
            if not message.sender.is_named:
                self.messages.put(self.people.named(message))

    @property
    def context(self) -> Mapping[str, Any]:
        """What the conversation is about, as far as it is known; asked for when somebody first looks at it."""
        conversation = self.pages.conversation
        is_known = self.pages.context is not None or conversation is None or conversation.context_id is None
        if not (is_known or self._was_context_asked or self._closed):
            assert conversation is not None
            assert conversation.context_id is not None
            self._was_context_asked = True
            self._run(self._load_context(conversation.context_type, conversation.context_id))
        return self.pages.context or {}

    async def _load_context(self, kind: ContextType | str, number: Id) -> None:
        """It stands in the history of the context only."""
        with suppress(MessagingError):  # it is there to be shown; the conversation is whole without it
            history = await self._host._rest.history(kind, number, 1, 1, timeout=None, refresh=False)
            if self.pages.context is None and history.context is not None:
                self.pages.context = history.context
                self.changed()

    def stale(self) -> None:
        """Something changed on the server, perhaps a read mark: read again, but not all the time."""
        if self._refreshing is None:
            self._refreshing = self._run(self._refresh_sparingly())
        else:
            self._is_stale = True

    async def _refresh_sparingly(self) -> None:
        is_told = True
        try:
            while is_told or not self.pages.has_statuses:
                self._is_stale = False
                if is_told:
                    self.pages.statuses_changed()
                has_failed = not await self._load_in_turn()
                self.changed()
                await self._host._clock.sleep(_REFRESH_INTERVAL)
                is_told = self._is_stale
                if has_failed and not is_told:
                    return  # it is in `error`; the next notice, or connection, reads again
        finally:
            self._refreshing = None

    async def _load_in_turn(self) -> bool:
        """Load when not too many others do; gives whether it could be read."""
        async with self._reading:
            try:
                await self._load(_FURTHER_PAGES)
            except MessagingError:
                return False
        return True

    # --- what comes in -----------------------------------------------------------------------------------------------

    def connection_changed(self, change: ConnectionChange) -> None:
        """The connection moved; what changed in the meantime, other than new messages, is read again."""
        if change.state is ConnectionState.CONNECTED:
            self.stale()
        self.changed()

    def _updated(self, _event: ConversationUpdated) -> None:
        self.stale()

    def _message(self, message: Message, is_new: bool) -> None:
        if not is_new and is_pending(message) and self.messages.get(message.id) is None:
            return  # it has come under the id that the server gave it
        if self._take(message, is_new=is_new):
            self.changed()
        if is_new:
            self.arrivals.add(self.messages.get(message.id) or message)
            if self._typists is not None:
                self._typists.sent(message)

    def _take(self, message: Message, *, is_new: bool = False) -> bool:
        """Put a message of the server in its place; gives whether anything changed."""
        message = self.people.named(message)
        known = self.messages.get(message.id)
        settled = self._host._is_own(message) and self._unsent.settle(message, is_new=is_new)
        temporary = relayed_as(message)
        if temporary is not None:
            settled = self.messages.remove(temporary) or settled
        return self.messages.put(message if known is None else kept(known, message)) or settled

    def _outgoing(self, outgoing: Outgoing) -> None:
        """A message on its way has changed."""
        if self._unsent.is_shown(outgoing):
            self.messages.put(self.people.named(outgoing.pending))
        elif outgoing.confirmed is not None:
            self._take(outgoing.confirmed)
        self.changed()

    def _typing(self, event: TypingEvent) -> None:
        person = self.people.typist(event)
        user = self._host.current_user
        if person is not None and not person.is_same_person(user):
            if self._typists is None:
                self._typists = TypingUsers(self._host._clock, self._host._config.typing_expiry, self.changed)
            waiting = self._host._feed.waiting(self.conversation_id)
            self._typists.hear(person, event, waiting)

    # --- watching ----------------------------------------------------------------------------------------------------

    def watch(self, watcher: Callable[[], None]) -> Callable[[], None]:
        """Call `watcher` at every change; returns what ends it."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher) if watcher in self._watchers else None

    def changed(self) -> None:
        """Tell that something changed."""
        for watcher in tuple(self._watchers):
            watcher()

    def _run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = new_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
