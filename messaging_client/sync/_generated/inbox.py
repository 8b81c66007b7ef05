"""The blocking form of `messaging_client.inbox`, written from it by `make generate`."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from messaging_client.errors import MessagingError
from messaging_client.inbox import Inbox as AsyncInbox
from messaging_client.inbox import Kind
from messaging_client.models import Conversation, Id
from messaging_client.sync._generated.session import ConversationSession
from messaging_client.sync.faces import Face, Subscription


class Inbox(Face[AsyncInbox]):
    """The user's conversations, most recent first, kept up to date. A context manager, made by the client.

    Entering it joins every conversation of the user, so that each message is seen as it comes. As after `join_all`, the
    client stays in them until it is closed: an inbox that ends takes nothing away from handlers that rely on it.
    """

    @property
    def error(self) -> MessagingError | None:
        """The `error` of the asynchronous form, as it is now."""
        return self._runtime.call(lambda: self._async.error)

    def close(self) -> None:
        """Stop being live."""
        self._runtime.leave(lambda: self._async.close())

    @property
    def conversations(self) -> tuple[Conversation, ...]:
        """The conversations, the most recently active first."""
        return self._runtime.call(lambda: self._async.conversations)

    @property
    def unread_count(self) -> int:
        """Messages of others that the user has not read, over all conversations."""
        return self._runtime.call(lambda: self._async.unread_count)

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
        return self._runtime.call(lambda: self._async.filter(kind, search))

    def on_change(self, handler: Callable[[Inbox], Any]) -> Subscription[Any]:
        """Call `handler` with this inbox after changes; several changes at a time make one call.

        Args:
            handler: a plain function with one argument, this inbox.

        Returns:
            The subscription.

        Raises:
            ValidationFailed: no callable.
        """
        return self._listen(lambda given: self._async.on_change(given), handler)

    def refresh(self) -> None:
        """Read the whole list again.

        Raises:
            MessagingError: it cannot be read; the error is kept in `error` too.
        """
        self._runtime.run(lambda: self._async.refresh())

    def mark_all_as_read(self) -> None:
        """Mark every message of others in every conversation as read.

        Raises:
            MessagingError: the server did not take one of the marks.
        """
        self._runtime.run(lambda: self._async.mark_all_as_read())

    def create(self, titre: str, patient_id: Id) -> Conversation:
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
        return self._runtime.run(lambda: self._async.create(titre, patient_id))

    def open(self, conversation: Conversation | Id) -> ConversationSession:
        """Give a session on a conversation; enter it with `with`.

        Args:
            conversation: the conversation, or its id.

        Returns:
            The session, not yet entered.

        Raises:
            ValidationFailed: no id.
        """
        return ConversationSession(self._runtime, self._runtime.call(lambda: self._async.open(conversation)))

    def __enter__(self) -> Self:
        self._runtime.run(self._async.__aenter__)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runtime.leave(lambda: self._async.__aexit__(kind, error, trace))
