"""The blocking form of `messaging_client.send_operations`, written from it by `make generate`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from messaging_client.client import MessagingClient as AsyncMessagingClient
from messaging_client.events import MessageSent
from messaging_client.models import Id, Message
from messaging_client.sync.faces import Face


class SendOperations(Face[AsyncMessagingClient]):
    """The part of the client that sends."""

    def send_message_to_conversation(
        self,
        conversation_id: Id,
        contenu: str,
        type_message: str = "texte",
        *,
        timeout: float | None = None,
        deadline: float | None = None,
    ) -> Message:
        """Send a message, and return it once the server has stored it.

        While the server cannot be reached it waits; whoever is cancelled while waiting does not stop it.

        Args:
            conversation_id: the conversation.
            contenu: the text.
            type_message: `texte`, `image`, `document` or `audio`.
            timeout: seconds for one request.
            deadline: seconds after which it is given up.

        Returns:
            The message as the server stored it.

        Raises:
            ValidationFailed: it cannot be sent as it is.
            OutboxFull: too many messages are unsent.
            RequestTimeout: it was not sent before the deadline.
            SendUncertain: it may have been stored, and that cannot be found out; it stays in `pending()`.
            MessagingError: it was refused; it stays in `pending()`.
        """
        return self._runtime.run(
            lambda: self._async.send_message_to_conversation(
                conversation_id, contenu, type_message, timeout=timeout, deadline=deadline
            )
        )

    def send_messages(
        self,
        conversation_id: Id,
        contenus: Sequence[str],
        *,
        timeout: float | None = None,
        deadline: float | None = None,
    ) -> tuple[Message, ...]:
        """Send several messages, in order, and return them once the server has stored them all.

        Args:
            conversation_id: the conversation.
            contenus: the texts; all are checked and accepted before the first is sent.
            timeout: seconds for one request.
            deadline: seconds after which those that are not sent are given up.

        Returns:
            The messages as the server stored them, in order.

        Raises:
            MessagingError: the first one that was not stored, as for a single one; the others are sent all the same.
        """
        return self._runtime.run(
            lambda: self._async.send_messages(conversation_id, contenus, timeout=timeout, deadline=deadline)
        )

    def pending(self) -> tuple[Message, ...]:
        """Give the messages that are not certain to be on the server, oldest first.

        Returns:
            The messages, as `sending`, `error` or `uncertain`.
        """
        return self._runtime.call(lambda: self._async.pending())

    def retry(self, message: Message) -> Message:
        """Send a message again that was refused or is uncertain, and return it once the server has stored it.

        It keeps its client message id; one that may be stored is looked for first.

        Args:
            message: one of `pending()`.

        Returns:
            The message as the server stored it.

        Raises:
            ValidationFailed: it is not in `pending()`, or is being sent.
            MessagingError: as for a send.
        """
        return self._runtime.run(lambda: self._async.retry(message))

    def discard(self, message: Message) -> None:
        """Forget a message that was refused or is uncertain.

        Args:
            message: one of `pending()`.

        Raises:
            ValidationFailed: it is not in `pending()`, or is being sent.
            StoreError: the file of `store=` cannot be written; the message stays.
        """
        self._runtime.run(lambda: self._async.discard(message))

    def send_message_via_websocket(self, conversation_id: Id, contenu: str, *, timeout: float = 10.0) -> MessageSent:
        """Send a message over the socket and wait until the server says that it has it.

        An acknowledgement says so, or `message_sent`, or the message itself; without a word, nothing is sent again.

        Args:
            conversation_id: the conversation.
            contenu: the text.
            timeout: seconds.

        Returns:
            What the server said, with the message's id where it gave one.

        Raises:
            NotConnected: there is no connection.
            RequestTimeout, ConnectionLost: no word came; the server may have stored it.
            ValidationFailed: the server could not take it (`server_message` says why), or an argument cannot work.
        """
        return self._runtime.run(
            lambda: self._async.send_message_via_websocket(conversation_id, contenu, timeout=timeout)
        )

    def emit_typing(self, conversation_id: Id, is_typing: bool) -> None:
        """Tell the others in a conversation that the user types, or has stopped.

        Args:
            conversation_id: the conversation.
            is_typing: whether the user types now.

        Raises:
            ValidationFailed: no id.
            NotConnected: there is no connection.
        """
        self._runtime.run(lambda: self._async.emit_typing(conversation_id, is_typing))

    def emit(self, event: str, payload: Any = None) -> None:
        """Send an event of any name.

        Args:
            event: its name.
            payload: its argument, as JSON has it; a tuple is several, None is none.

        Raises:
            NotConnected: there is no connection. Between a loss and its detection, an event can be lost unnoticed.
            ValidationFailed: the payload is no JSON, or larger than `max_message_bytes`.
        """
        self._runtime.run(lambda: self._async.emit(event, payload))

    def call(self, event: str, payload: Any = None, timeout: float = 10.0) -> Any:
        """Send an event and wait for the server's acknowledgement.

        Args:
            event: its name.
            payload: its argument; a tuple is several.
            timeout: seconds.

        Returns:
            What the server acknowledged with; a tuple if it is several values.

        Raises:
            NotConnected: there is no connection.
            ConnectionLost: it ended before the acknowledgement.
            RequestTimeout: no acknowledgement in time.
        """
        return self._runtime.run(lambda: self._async.call(event, payload, timeout))
