"""The blocking form of `messaging_client.message_operations`, written from it by `make generate`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from messaging_client.client import MessagingClient as AsyncMessagingClient
from messaging_client.models import History, Id, Message
from messaging_client.sync.faces import Face
from messaging_client.sync.streams import Items


class MessageOperations(Face[AsyncMessagingClient]):
    """The part of the client that asks for messages; what its methods have in common is said of `Operations`."""

    def get_conversation_messages(
        self,
        conversation_id: Id,
        page: int = 1,
        limit: int = 50,
        *,
        timeout: float | None = None,
        refresh: bool = False,
    ) -> History:
        """Read a page of messages: page 1 is the newest, messages are oldest first.

        Args:
            conversation_id: the conversation.
            page: from 1.
            limit: messages on a page.
            timeout: seconds for one try.
            refresh: read past the cache.

        Returns:
            The messages, and the conversation where the server gave it.

        Raises:
            ValidationFailed: an argument cannot work; nothing was sent.
            TransportError, AuthenticationError, RequestError: there was no answer, or a refusal.
        """
        return self._runtime.run(
            lambda: self._async.get_conversation_messages(
                conversation_id, page, limit, timeout=timeout, refresh=refresh
            )
        )

    def get_message_history(
        self,
        context_type: str,
        context_id: Id,
        page: int = 1,
        limit: int = 50,
        *,
        timeout: float | None = None,
        refresh: bool = False,
    ) -> History:
        """Read a page of the conversation of a context.

        Args:
            context_type: `ordonnance`, `consultation`, `examen` or another word.
            context_id: its id.
            page: from 1, which is the newest.
            limit: messages on a page.
            timeout: seconds for one try of the request; `request_timeout` if None.
            refresh: read past the cache.

        Returns:
            The messages, and the conversation.

        Raises:
            NotFound: the context has no conversation yet.
            ValidationFailed: an argument cannot work; nothing was sent.
            TransportError, AuthenticationError, RequestError: there was no answer, or a refusal.
        """
        return self._runtime.run(
            lambda: self._async.get_message_history(
                context_type, context_id, page, limit, timeout=timeout, refresh=refresh
            )
        )

    def get_ordonnance_history(
        self, ordonnance_id: Id, page: int = 1, limit: int = 50, *, timeout: float | None = None, refresh: bool = False
    ) -> History:
        """Read a page of the conversation of an ordonnance.

        Args:
            ordonnance_id: the ordonnance.
            page: from 1, which is the newest.
            limit: messages on a page.
            timeout: seconds for one try of the request; `request_timeout` if None.
            refresh: read past the cache.

        Returns:
            The messages, and the conversation.

        Raises:
            NotFound: there is no conversation about it yet.
            ValidationFailed: an argument cannot work; nothing was sent.
            TransportError, AuthenticationError, RequestError: there was no answer, or a refusal.
        """
        return self._runtime.run(
            lambda: self._async.get_ordonnance_history(ordonnance_id, page, limit, timeout=timeout, refresh=refresh)
        )

    def get_new_messages(
        self, conversation_id: Id, since: datetime, limit: int = 50, *, timeout: float | None = None
    ) -> tuple[Message, ...]:
        """Read messages after a time, oldest first.

        Args:
            conversation_id: the conversation.
            since: an aware datetime, exclusive.
            limit: messages at most.
            timeout: seconds for one try.

        Returns:
            The messages; at most `limit`.

        Raises:
            ValidationFailed: an argument cannot work; nothing was sent.
            TransportError, AuthenticationError, RequestError: there was no answer, or a refusal.
        """
        return self._runtime.run(lambda: self._async.get_new_messages(conversation_id, since, limit, timeout=timeout))

    def iter_messages(self, conversation_id: Id) -> Iterator[Message]:
        """Iterate over every message of a conversation, newest first, past the cache.

        Args:
            conversation_id: the conversation.

        Returns:
            An iterator, which reads as it goes.

        Raises:
            ValidationFailed: an argument cannot work; nothing was sent.
            TransportError, AuthenticationError, RequestError: there was no answer, or a refusal.
        """
        return Items(self._runtime, self._runtime.call(lambda: self._async.iter_messages(conversation_id)))

    def mark_message_as_read(self, message_id: Id, *, timeout: float | None = None) -> Message | None:
        """Mark a message as read.

        Args:
            message_id: the message, of somebody else.
            timeout: seconds for one try of the request; `request_timeout` if None.

        Returns:
            The message as the server has it now, or None where the server does not say.

        Raises:
            ValidationFailed: an argument cannot work; nothing was sent.
            TransportError, AuthenticationError, RequestError: there was no answer, or a refusal.
        """
        return self._runtime.run(lambda: self._async.mark_message_as_read(message_id, timeout=timeout))
