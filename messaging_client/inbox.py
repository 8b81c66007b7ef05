"""`Inbox`: the list of a user's conversations, live."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from messaging_client import arguments as check
from messaging_client.boundary import guard
from messaging_client.cache import LISTS, ReadCache
from messaging_client.changes import Changes
from messaging_client.clock import end_task, new_task
from messaging_client.dispatch import Subscription
from messaging_client.errors import MessagingError, NotConnected
from messaging_client.events import ConnectionChange, ConversationUpdated, Notification
from messaging_client.host import Host
from messaging_client.models import (
    ConnectionState,
    Conversation,
    Id,
    Message,
    MessagePreview,
    Participant,
    UserType,
)
from messaging_client.people import People
from messaging_client.read_marks import for_each, unread_of
from messaging_client.session import ConversationSession

Kind = Literal["all", "unread", "ordonnance", "examen", "consultation"]
_KINDS = ("all", "unread", "ordonnance", "examen", "consultation")

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_REFRESH_INTERVAL = 1.0  # seconds between two reads of the list that notices cause
_REFRESH_TRIES = 3


class InboxHost(Host, Protocol):
    """What an inbox needs of the client that it belongs to."""

    _cache: ReadCache

    def conversation(self, conversation_id: Id) -> ConversationSession:
        """A session on a conversation."""
        ...

    async def create_conversation(self, titre: str, participants: Any) -> Conversation:
        """Create a conversation."""
        ...

    async def join_all(self) -> None:
        """Be in every conversation's room."""
        ...


class Inbox:
    """The user's conversations, most recent first, kept up to date. An async context manager, made by the client.

    Entering it joins every conversation of the user, so that each message is seen as it comes. As after `join_all`, the
    client stays in them until it is closed: an inbox that ends takes nothing away from handlers that rely on it.
    """

    def __init__(self, client: InboxHost) -> None:
        self._client = client
        self._conversations: dict[Id, Conversation] = {}
        self._changes: Changes[Inbox] = Changes(client._dispatcher, self)
        self._subscriptions: list[Subscription[Any]] = []
        self._stop_watching: Callable[[], None] | None = None
        self._refreshing: asyncio.Task[None] | None = None
        self._people = People(client._rest, client._clock, client._config.user_cache_ttl)
        self._naming: asyncio.Task[None] | None = None
        self._again = False
        self._closed = False
        self._change_count = 0
        self._asked = 0  # reads of the list are numbered, so that an older answer does not take a newer one's place
        self._applied = 0
        self.error: MessagingError | None = None

    def __repr__(self) -> str:
        return f"<Inbox of {len(self._conversations)} conversations>"

    async def __aenter__(self) -> Self:
        if self._closed:
            raise NotConnected("This inbox was closed; make another one.")
        if self._subscriptions:
            return self
        listen = self._client._dispatcher.subscribe
        self._subscriptions = [
            listen(Message, self._message),
            listen(ConversationUpdated, self._stale),
            listen(Notification, self._stale),
            listen(ConnectionChange, self._reconnected),
        ]
        # What this client changes, such as a read mark of a session, the server need not tell it.
        self._stop_watching = self._client._cache.watch(LISTS, lambda: self._stale(None))
        try:
            await self._client.join_all()
            await self.refresh()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop being live."""
        self._closed = True
        for each in self._subscriptions:
            each.cancel()
        if self._stop_watching is not None:
            self._stop_watching()
        self._changes.close()
        tasks = [task for task in (self._refreshing, self._naming) if task is not None]
        for task in tasks:
            task.cancel()  # both at once, also where the caller is cancelled while it waits for the first
        for task in tasks:
            await end_task(task)

    # --- looking -----------------------------------------------------------------------------------------------------

    @property
    def conversations(self) -> tuple[Conversation, ...]:
        """The conversations, the most recently active first."""
        return tuple(map(self._named, sorted(self._conversations.values(), key=_recency, reverse=True)))

    @property
    def unread_count(self) -> int:
        """Messages of others that the user has not read, over all conversations."""
        return sum(conversation.unread_count for conversation in self._conversations.values())

    def filter(self, kind: Kind = "all", search: str = "") -> tuple[Conversation, ...]:
        """Give the conversations of a kind in which a text is found, the most recently active first.

        Args:
            kind: `all`, `unread`, or a type of context.
            search: looked for in participants' names, title and last message; accents and case do not count, and
                every word must be found.

        Returns:
            The conversations.

        Raises:
            ValidationFailed: another kind, or a search that is no text.
        """
        if kind not in _KINDS:
            raise check.refuse("filter", f"kind must be one of {', '.join(_KINDS)}.")
        if not isinstance(search, str):
            raise check.refuse("filter", "search must be a text; leave it out to see all.")
        words = _plain(search).split()
        return tuple(
            conversation
            for conversation in self.conversations
            if _is_of_kind(conversation, kind) and all(word in _searched(conversation) for word in words)
        )

    def on_change(self, handler: Callable[[Inbox], Any]) -> Subscription[Any]:
        """Call `handler` with this inbox after changes; several changes at a time make one call.

        Args:
            handler: a sync or async callable with one argument, this inbox.

        Returns:
            The subscription.

        Raises:
            ValidationFailed: no callable.
        """
        return self._changes.subscribe(handler)

    # --- doing -------------------------------------------------------------------------------------------------------

    async def refresh(self) -> None:
        """Read the whole list again.

        Raises:
            MessagingError: it cannot be read; the error is kept in `error` too.
        """
        for _ in range(_REFRESH_TRIES):
            before = self._change_count
            self._asked += 1
            asked = self._asked
            try:
                found = {each.id: each async for each in self._client._rest.iter_conversations("active")}
            except MessagingError as error:
                if asked > self._applied:
                    self.error = error
                raise
            if before == self._change_count:
                break
        else:
            # Something came each time while the list was read, which may be older than that: once more, later.
            self._stale(None)
        if asked > self._applied and not self._closed:
            self._applied = asked
            self._take(found)

    def _take(self, found: dict[Id, Conversation]) -> None:
        """Show the list as it was read."""
        self.error = None
        self._conversations = found
        self._people.replace(person for each in found.values() for person in each.participants)
        if self._people.wants_names and (self._naming is None or self._naming.done()):
            self._naming = new_task(self._find_names())
        self._changed()

    async def _find_names(self) -> None:
        """Ask for the names that the list does not give."""
        if await self._people.find_names():
            self._changed()

    async def mark_all_as_read(self) -> None:
        """Mark every message of others in every conversation as read.

        Raises:
            MessagingError: the server did not take one of the marks.
        """
        rest = self._client._rest

        async def mark(message: Message) -> None:
            await rest.mark_read(message.id, timeout=None)

        try:
            for conversation in [each for each in self._conversations.values() if each.unread_count]:
                await for_each(mark, await unread_of(rest, conversation, self._client.is_own))
        except BaseException:
            self._stale(None)  # some are marked, and the server may tell nobody
            raise
        await self.refresh()

    async def create(self, titre: str, patient_id: Id) -> Conversation:
        """Create a conversation with a patient.

        Args:
            titre: its title.
            patient_id: the patient.

        Returns:
            The conversation as the server made it.

        Raises:
            ValidationFailed: an argument cannot work; nothing was sent.
            TransportError, AuthenticationError, RequestError: there was no answer, or a refusal.
        """
        patient = Participant(id=check.checked_id("create", "patient_id", patient_id), type=UserType.PATIENT)
        conversation = await self._client.create_conversation(titre, [patient])
        self._put(conversation)
        return conversation

    def open(self, conversation: Conversation | Id) -> ConversationSession:
        """Give a session on a conversation; enter it with `async with`.

        Args:
            conversation: the conversation, or its id.

        Returns:
            The session, not yet entered.

        Raises:
            ValidationFailed: no id.
        """
        return self._client.conversation(conversation.id if isinstance(conversation, Conversation) else conversation)

    # --- what comes in -----------------------------------------------------------------------------------------------

    def _message(self, message: Message) -> None:
        """Show a new message at once; the counts come from the server a moment later."""
        known = self._conversations.get(message.conversation_id) if message.conversation_id is not None else None
        if known is None:
            self._stale(None)
            return
        last = known.last_message
        is_newest = last is None or last.timestamp is None or message.timestamp >= last.timestamp
        update: dict[str, Any] = {}
        if is_newest:
            update["last_message"] = MessagePreview(
                content=message.content, timestamp=message.timestamp, sender=message.sender
            )
            update["last_activity"] = max(message.timestamp, known.last_activity or message.timestamp)
        self._put(known.model_copy(update=update))
        self._stale(None)

    def _stale(self, _event: Any) -> None:
        """The list has changed on the server: read it again, but not all the time."""
        if self._refreshing is None and not self._closed:
            self._refreshing = new_task(self._refresh_sparingly())
        else:
            self._again = True

    def _reconnected(self, change: ConnectionChange) -> None:
        if change.state is ConnectionState.CONNECTED:
            self._stale(change)

    async def _refresh_sparingly(self) -> None:
        try:
            while True:
                self._again = False
                try:
                    await self.refresh()
                except MessagingError:
                    self._changed()  # the error is in `error`; the next notice, or connection, reads again
                await self._client._clock.sleep(_REFRESH_INTERVAL)
                if not self._again:
                    return
        finally:
            self._refreshing = None

    def _named(self, conversation: Conversation) -> Conversation:
        """Give the people of a conversation their names, where only the inbox knows them."""
        if all(person.is_named for person in conversation.participants):
            return conversation
        people = tuple(map(self._people.named_person, conversation.participants))
        patient, medecin = (
            None if person is None else self._people.named_person(person)
            for person in (conversation.patient, conversation.medecin)
        )
        return conversation.model_copy(update={"participants": people, "patient": patient, "medecin": medecin})

    def _put(self, conversation: Conversation) -> None:
        self._change_count += 1
        self._conversations[conversation.id] = conversation
        self._changed()

    def _changed(self) -> None:
        self._changes.note()


def _recency(conversation: Conversation) -> datetime:
    last = conversation.last_message
    times = (conversation.last_activity, last.timestamp if last is not None else None, conversation.created_at)
    return max((each for each in times if each is not None), default=_LONG_AGO)


def _is_of_kind(conversation: Conversation, kind: str) -> bool:
    if kind == "all":
        return True
    return conversation.unread_count > 0 if kind == "unread" else conversation.context_type == kind


def _searched(conversation: Conversation) -> str:
    last = conversation.last_message
    texts = [conversation.title, last.content if last is not None else ""]
    texts += [person.display_name for person in conversation.participants]
    return _plain("\n".join(texts))


def _plain(text: str) -> str:
    """The text without accents and case."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(each for each in parts if not unicodedata.combining(each))


guard(Inbox)  # where exceptions leave the package
