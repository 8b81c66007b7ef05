"""The blocking form of `messaging_client.session`, written from it by `make generate`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

from messaging_client.context_info import ContextInfo
from messaging_client.errors import MessagingError
from messaging_client.models import ContextType, Conversation, Id, Message, Participant, User
from messaging_client.session import ConversationSession as AsyncConversationSession
from messaging_client.sync.faces import Face, Subscription
from messaging_client.sync.streams import Block, EventStream


class ConversationSession(Face[AsyncConversationSession]):
    """One conversation, live from entry to exit. A context manager, made by the client.

    Two sessions on one conversation share one state. Nothing is marked as read by itself.
    """

    def close(self) -> None:
        """Stop being live. The room is left unless another session or the user holds it."""
        self._runtime.leave(lambda: self._async.close())

    @property
    def conversation_id(self) -> Id:
        """The conversation's id."""
        return self._runtime.call(lambda: self._async.conversation_id)

    @property
    def conversation(self) -> Conversation | None:
        """The conversation as the server gave it last; None where it gave only messages."""
        return self._runtime.call(lambda: self._async.conversation)

    @property
    def context_type(self) -> ContextType | str | None:
        """`ordonnance`, `examen`, `consultation` or another word; None while the conversation is not known."""
        return self._runtime.call(lambda: self._async.context_type)

    @property
    def context_id(self) -> Id | None:
        """The id of the context, or None."""
        return self._runtime.call(lambda: self._async.context_id)

    @property
    def context_info(self) -> ContextInfo:
        """Title and description of the context, to show."""
        return self._runtime.call(lambda: self._async.context_info)

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages, always by time then id, own and pending ones included."""
        return self._runtime.call(lambda: tuple(self._async.messages))

    @property
    def participants(self) -> tuple[Participant, ...]:
        """Who takes part, with names as far as they are known."""
        return self._runtime.call(lambda: self._async.participants)

    @property
    def typing_users(self) -> tuple[Participant, ...]:
        """The others who type now; one disappears by itself after `typing_expiry` seconds without news."""
        return self._runtime.call(lambda: self._async.typing_users)

    @property
    def current_user(self) -> User:
        """The user that the token names."""
        return self._runtime.call(lambda: self._async.current_user)

    @property
    def is_patient(self) -> bool:
        """Whether the user is a patient."""
        return self._runtime.call(lambda: self._async.is_patient)

    @property
    def is_medecin(self) -> bool:
        """Whether the user is a doctor."""
        return self._runtime.call(lambda: self._async.is_medecin)

    @property
    def is_connected(self) -> bool:
        """Whether live events come; otherwise messages are fetched over HTTP."""
        return self._runtime.call(lambda: self._async.is_connected)

    @property
    def loading(self) -> bool:
        """Whether the conversation is being read."""
        return self._runtime.call(lambda: self._async.loading)

    @property
    def error(self) -> MessagingError | None:
        """Why reading failed last, or None."""
        return self._runtime.call(lambda: self._async.error)

    @property
    def unread_count(self) -> int:
        """Messages of others that the user has not read."""
        return self._runtime.call(lambda: self._async.unread_count)

    def is_own(self, message: Message) -> bool:
        """Tell whether the user sent a message.

        Args:
            message: any message.

        Returns:
            True if so.
        """
        return self._runtime.call(lambda: self._async.is_own(message))

    def send(self, content: str, type: str = "text", wait: bool = True, deadline: float | None = None) -> Message:
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
        return self._runtime.run(lambda: self._async.send(content, type, wait, deadline))

    send_message_unified = send

    def retry(self, message: Message) -> Message:
        """Send a message again that was refused or is uncertain; it keeps its client message id.

        Args:
            message: one of `messages` that is `error` or `uncertain`.

        Returns:
            The message as the server stored it.

        Raises:
            ValidationFailed: it is not in `pending()`, or is being sent.
            MessagingError: as for a send.
        """
        return self._runtime.run(lambda: self._async.retry(message))

    def discard(self, message: Message) -> None:
        """Drop a message that was refused or is uncertain.

        Args:
            message: one of `messages` that is `error` or `uncertain`.

        Raises:
            ValidationFailed: it is not in `pending()`, or is being sent.
            StoreError: the file of `store=` cannot be written; the message stays.
        """
        self._runtime.run(lambda: self._async.discard(message))

    def mark_as_read(self, message: Message) -> Message:
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
        return self._runtime.run(lambda: self._async.mark_as_read(message))

    def mark_all_as_read(self) -> None:
        """Mark every message of others as read.

        Raises:
            NotConnected: the session was not entered.
            MessagingError: the server did not take one of the marks.
        """
        self._runtime.run(lambda: self._async.mark_all_as_read())

    def set_typing(self, is_typing: bool) -> None:
        """Tell others that the user types; taken back by itself after `typing_expiry` seconds without another call.

        Args:
            is_typing: whether the user types now.

        Raises:
            NotConnected: the session was not entered.
        """
        self._runtime.run(lambda: self._async.set_typing(is_typing))

    def typing(self) -> AbstractContextManager[None]:
        """Tell others that the user types, for as long as the block runs.

        Returns:
            A context manager.

        Raises:
            NotConnected: the session was not entered.
        """
        return Block(self._runtime, self._runtime.call(lambda: self._async.typing()))

    def refresh(self) -> None:
        """Read the newest page, the conversation and its people again, and older pages whose statuses may change.

        Raises:
            NotConnected: the session was not entered.
            MessagingError: it cannot be read; the error is kept in `error` too.
        """
        self._runtime.run(lambda: self._async.refresh())

    def load_older(self) -> int:
        """Read the page before the oldest message here.

        Returns:
            How many messages came; 0 at the beginning of the conversation.

        Raises:
            NotConnected: the session was not entered.
            MessagingError: the page cannot be read.
        """
        return self._runtime.run(lambda: self._async.load_older())

    def stream(self, own: bool = False) -> EventStream[Message]:
        """Iterate over new messages: those that came after entry and were not given to anybody yet, and those to come.

        So a reply that comes between a send and this call is not missed. It ends when the session is closed.

        Args:
            own: the user's own too.

        Returns:
            An iterator.

        Raises:
            NotConnected: the session was not entered, or was closed.
        """
        return EventStream(self._runtime, self._runtime.call(lambda: self._async.stream(own)))

    def wait_for_message(
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
        return self._runtime.run(lambda: self._async.wait_for_message(predicate, timeout, own))

    def on_change(self, handler: Callable[[ConversationSession], Any]) -> Subscription[Any]:
        """Call `handler` with this session after changes; several changes at a time make one call.

        Args:
            handler: a plain function with one argument, this session.

        Returns:
            The subscription.

        Raises:
            ValidationFailed: no callable.
        """
        return self._listen(lambda given: self._async.on_change(given), handler)

    def __enter__(self) -> Self:
        self._runtime.run(self._async.__aenter__)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runtime.leave(lambda: self._async.__aexit__(kind, error, trace))
