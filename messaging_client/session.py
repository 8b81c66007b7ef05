"""`ConversationSession`: one conversation, live, as somebody sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

from messaging_client import arguments as check
from messaging_client.arrivals import MessageStream, Waiting
from messaging_client.boundary import guard
from messaging_client.changes import Changes
from messaging_client.clock import end_task, new_task
from messaging_client.context_info import ContextInfo, context_info
from messaging_client.conversation_state import ConversationState
from messaging_client.dispatch import Subscription
from messaging_client.errors import MessagingError, NotConnected
from messaging_client.host import Host
from messaging_client.models import ContextType, Conversation, Id, Message, Participant, User, UserType
from messaging_client.timeline import Timeline


class ConversationSession:
    """One conversation, live from entry to exit. An async context manager, made by the client.

    Two sessions on one conversation share one state. Nothing is marked as read by itself.

    Args:
        client: the client.
        conversation_id: the conversation.
        known: what is known of it already, or None.
        take: gives the conversation's state, which others may use too.
        give_back: says that it is used no longer.
    """

    def __init__(
        self,
        client: Host,
        conversation_id: Id,
        known: Conversation | None,
        take: Callable[[ConversationSession], ConversationState],
        give_back: Callable[[ConversationSession], Awaitable[None]],
    ) -> None:
        self._client = client
        self._conversation_id = conversation_id
        self._known = known
        self._take = take
        self._give_back = give_back
        self._taken: ConversationState | None = None
        self._changes: Changes[ConversationSession] = Changes(client._dispatcher, self)
        self._stop: Callable[[], None] | None = None
        self._waits: Waiting | None = None
        self._closed = False

    def __repr__(self) -> str:
        return f"<ConversationSession {self.conversation_id}>"

    async def __aenter__(self) -> Self:
        if self._closed:
            raise NotConnected("This session was closed; open another one.")
        if self._taken is None:
            self._taken = self._take(self)
            self._stop = self._taken.watch(self._changes.note)
            self._waits = Waiting(
                self._taken.arrivals,
                self._conversation_id,
                self._client._dispatcher,
                self._client._clock,
                self._client._config.queue_size,
            )
            if self._known is not None:
                self._taken.suppose(self._known)
        try:
            await self._taken.open()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop being live. The room is left unless another session or the user holds it."""
        if self._closed:
            return
        self._closed = True
        if self._stop is not None:
            self._stop()
        self._changes.close()
        if self._waits is not None:
            self._waits.close()
        if self._taken is not None:
            await self._give_back(self)

    @property
    def _waiting(self) -> Waiting:
        if self._waits is None or self._closed:
            raise NotConnected("Enter the session first, or open another one: this one is not live.")
        return self._waits

    @property
    def _state(self) -> ConversationState:
        if self._taken is None:
            raise NotConnected("Enter the session first: async with session: ...")
        return self._taken

    # --- state -------------------------------------------------------------------------------------------------------

    @property
    def conversation_id(self) -> Id:
        """The conversation's id."""
        return self._conversation_id

    @property
    def conversation(self) -> Conversation | None:
        """The conversation as the server gave it last; None where it gave only messages."""
        return self._state.pages.conversation

    @property
    def context_type(self) -> ContextType | str | None:
        """`ordonnance`, `examen`, `consultation` or another word; None while the conversation is not known."""
        return self.conversation.context_type if self.conversation is not None else None

    @property
    def context_id(self) -> Id | None:
        """The id of the context, or None."""
        return self.conversation.context_id if self.conversation is not None else None

    @property
    def context_info(self) -> ContextInfo:
        """Title and description of the context, to show."""
        return context_info(self.context_type, self.context_id, self.conversation_id, self._state.context)

    @property
    def messages(self) -> Timeline:
        """The messages, always by time then id, own and pending ones included."""
        return self._state.messages

    @property
    def participants(self) -> tuple[Participant, ...]:
        """Who takes part, with names as far as they are known."""
        return self._state.people.present

    @property
    def typing_users(self) -> tuple[Participant, ...]:
        """The others who type now; one disappears by itself after `typing_expiry` seconds without news."""
        return self._state.typing_users

    @property
    def current_user(self) -> User:
        """The user that the token names."""
        return self._client.current_user

    @property
    def is_patient(self) -> bool:
        """Whether the user is a patient."""
        return self.current_user.type is UserType.PATIENT

    @property
    def is_medecin(self) -> bool:
        """Whether the user is a doctor."""
        return self.current_user.type is UserType.MEDECIN

    @property
    def is_connected(self) -> bool:
        """Whether live events come; otherwise messages are fetched over HTTP."""
        return self._client.is_connected

    @property
    def loading(self) -> bool:
        """Whether the conversation is being read."""
        return self._state.loading

    @property
    def error(self) -> MessagingError | None:
        """Why reading failed last, or None."""
        return self._state.error

    @property
    def unread_count(self) -> int:
        """Messages of others that the user has not read."""
        return self._state.marks.unread_count

    def is_own(self, message: Message) -> bool:
        """Tell whether the user sent a message.

        Args:
            message: any message.

        Returns:
            True if so.
        """
        return self._client.is_own(message)

    # --- actions -----------------------------------------------------------------------------------------------------

    async def send(self, content: str, type: str = "text", wait: bool = True, deadline: float | None = None) -> Message:
        """Send a message. It stands in `messages` at once, and becomes `sent` in place.

        Args:
            content: the text.
            type: `text`, `image`, `document` or `audio`.
            wait: wait until the server has it; otherwise return the pending message.
            deadline: seconds after which it is given up.

        Returns:
            The message as the server stored it, or the pending one with `wait=False`; with `store=` it is on the disk.

        Raises:
            ValidationFailed: it cannot be sent as it is.
            OutboxFull: too many messages are unsent.
            RequestTimeout: it was not sent before the deadline; it stays in `messages` as `error`.
            SendUncertain: it may have been stored; it stays in `messages` as `uncertain`.
            MessagingError: it was refused; it stays in `messages` as `error`.
        """
        text = check.checked_content("send", content, self._client._config.max_message_bytes)
        newest = self.messages[-1].timestamp if self.messages else None
        outbox = self._client._outbox
        outgoing = outbox.submit(
            self.conversation_id,
            text,
            check.checked_type("send", type),
            self.current_user,
            after=newest,
            deadline=check.checked_deadline("send", deadline),
        )
        await self._state.own_typing.set(False)
        return await (outbox.wait(outgoing) if wait else outbox.accepted(outgoing))

    send_message_unified = send

    async def retry(self, message: Message) -> Message:
        """Send a message again that was refused or is uncertain; it keeps its client message id.

        Args:
            message: one of `messages` that is `error` or `uncertain`.

        Returns:
            The message as the server stored it.

        Raises:
            ValidationFailed: it is not in `pending()`, or is being sent.
            MessagingError: as for a send.
        """
        return await self._client._outbox.wait(self._client._outbox.retry(message))

    async def discard(self, message: Message) -> None:
        """Drop a message that was refused or is uncertain.

        Args:
            message: one of `messages` that is `error` or `uncertain`.

        Raises:
            ValidationFailed: it is not in `pending()`, or is being sent.
            StoreError: the file of `store=` cannot be written; the message stays.
        """
        await self._client._outbox.discard(message)

    async def mark_as_read(self, message: Message) -> Message:
        """Mark a message of somebody else as read.

        Args:
            message: one of this conversation; one's own, and one that is read, stay as they are.

        Returns:
            The message as it is now.

        Raises:
            ValidationFailed: it belongs to another conversation.
            NotConnected: the session was not entered.
            TransportError, AuthenticationError, RequestError: there was no answer, or a refusal.
        """
        return await self._state.marks.mark(message)

    async def mark_all_as_read(self) -> None:
        """Mark every message of others as read.

        Raises:
            NotConnected: the session was not entered.
            MessagingError: the server did not take one of the marks.
        """
        await self._state.marks.mark_all()

    async def set_typing(self, is_typing: bool) -> None:
        """Tell others that the user types; taken back by itself after `typing_expiry` seconds without another call.

        Args:
            is_typing: whether the user types now.

        Raises:
            NotConnected: the session was not entered.
        """
        await self._state.own_typing.set(is_typing)

    @asynccontextmanager
    async def typing(self) -> AsyncIterator[None]:
        """Tell others that the user types, for as long as the block runs.

        Returns:
            An async context manager.

        Raises:
            NotConnected: the session was not entered.
        """
        keeper = new_task(self._state.own_typing.keep())
        try:
            yield
        finally:
            await end_task(keeper)
            await self._state.own_typing.set(False)

    async def refresh(self) -> None:
        """Read the newest page, the conversation and its people again, and older pages whose statuses may change.

        Raises:
            NotConnected: the session was not entered.
            MessagingError: it cannot be read; the error is kept in `error` too.
        """
        await self._state.refresh()

    async def load_older(self) -> int:
        """Read the page before the oldest message here.

        Returns:
            How many messages came; 0 at the beginning of the conversation.

        Raises:
            NotConnected: the session was not entered.
            MessagingError: the page cannot be read.
        """
        return await self._state.load_older()

    # --- watching ----------------------------------------------------------------------------------------------------

    def stream(self, own: bool = False) -> MessageStream:
        """Iterate over new messages: those that came after entry and were not given to anybody yet, and those to come.

        So a reply that comes between a send and this call is not missed. It ends when the session is closed.

        Args:
            own: the user's own too.

        Returns:
            An async iterator.

        Raises:
            NotConnected: the session was not entered, or was closed.
        """
        return self._waiting.stream(None if own else lambda message: not self.is_own(message))

    async def wait_for_message(
        self, predicate: Callable[[Message], bool] | None = None, timeout: float | None = None, own: bool = False
    ) -> Message:
        """Give the next new message: one that came after entry, and after the latest one that this method gave.

        So a reply that comes between a send and this call is not missed. Messages that `stream` gave are given too.

        Args:
            predicate: which message; those that do not match are passed over.
            timeout: seconds, or None for ever.
            own: the user's own count too.

        Returns:
            The message.

        Raises:
            ExpectTimeout: none came in time.
            NotConnected: the session was closed meanwhile.
        """
        if predicate is not None:
            check.checked_callable("wait_for_message", "predicate", predicate)
        seconds = check.checked_patience("wait_for_message", timeout)

        def wants(message: Message) -> bool:
            return (own or not self.is_own(message)) and (predicate is None or predicate(message))

        return await self._waiting.wait(wants, seconds)

    def on_change(self, handler: Callable[[ConversationSession], Any]) -> Subscription[Any]:
        """Call `handler` with this session after changes; several changes at a time make one call.

        Args:
            handler: a sync or async callable with one argument, this session.

        Returns:
            The subscription.

        Raises:
            ValidationFailed: no callable.
        """
        return self._changes.subscribe(handler)


guard(ConversationSession)  # where exceptions leave the package
