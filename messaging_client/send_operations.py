"""What users send: messages through the outbox or over the socket, and events of any name."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from messaging_client import arguments as check
from messaging_client.cache import LISTS, ReadCache, messages_of
from messaging_client.clock import Clock
from messaging_client.config import MessagingConfig
from messaging_client.dispatch import Dispatcher
from messaging_client.errors import NotConnected, TransportError, ValidationFailed
from messaging_client.events import MessageSent
from messaging_client.models import Id, Message, User
from messaging_client.observing.observer import Observer
from messaging_client.outbox import Outbox, Outgoing
from messaging_client.socket_send import SocketSend, observed, send_over
from messaging_client.transport.auth import TokenSource
from messaging_client.wire import events as names
from messaging_client.wire import payloads

if TYPE_CHECKING:
    from messaging_client.transport.socket import Connection


class SendOperations:
    """The part of the client that sends."""

    _cache: ReadCache
    _clock: Clock
    _config: MessagingConfig
    _connection: Connection
    _dispatcher: Dispatcher
    _observer: Observer
    _outbox: Outbox
    _tokens: TokenSource

    @property
    def current_user(self) -> User:
        """The user that the token names."""
        raise NotConnected("a subclass knows the user")

    # --- messages ----------------------------------------------------------------------------------------------------

    async def send_message_to_conversation(
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
        (outgoing,) = await self._submit(conversation_id, (contenu,), type_message, timeout, deadline)
        return await self._outbox.wait(outgoing)

    async def send_messages(
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
        texts = check.checked_list("send", "contenus", contenus)
        sent = await self._submit(conversation_id, texts, "texte", timeout, deadline)
        return tuple([await self._outbox.wait(outgoing) for outgoing in sent])

    async def _send_once(self, conversation_id: Id, content: str, key: str) -> Message:
        """Send a message under a key of the caller's, so that doing it again is the same send; used by workers."""
        outgoing = self._outbox.find(key)
        if outgoing is None:
            (outgoing,) = await self._submit(conversation_id, (content,), "texte", None, None, key)
        elif outgoing.done.done():
            outgoing = self._outbox.retry(outgoing.pending)
        return await self._outbox.wait(outgoing)

    async def _submit(
        self,
        conversation_id: Id,
        contents: Sequence[str],
        type: str,
        timeout: float | None,
        deadline: float | None,
        key: str | None = None,
    ) -> list[Outgoing]:
        target = check.checked_id("send", "conversation_id", conversation_id)
        kind = check.checked_type("send", type)
        largest = self._config.max_message_bytes
        texts = [check.checked_content("send", each, largest) for each in contents]
        try_seconds = check.checked_timeout("send", timeout)
        seconds = check.checked_deadline("send", deadline)
        user = await self._know_user()
        self._outbox.make_room(len(texts))
        sent = [
            self._outbox.submit(target, each, kind, user, deadline=seconds, timeout=try_seconds, key=key)
            for each in texts
        ]
        for outgoing in sent:
            await self._outbox.accepted(outgoing)
        return sent

    async def _know_user(self) -> User:
        """Give the present user; where the token comes from a callable, it is asked."""
        if self._tokens.user is None and not self._tokens.was_asked:
            await self._tokens.current()
        return self.current_user

    def pending(self) -> tuple[Message, ...]:
        """Give the messages that are not certain to be on the server, oldest first.

        Returns:
            The messages, as `sending`, `error` or `uncertain`.
        """
        return tuple(outgoing.pending for outgoing in self._outbox.pending())

    async def retry(self, message: Message) -> Message:
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
        return await self._outbox.wait(self._outbox.retry(message))

    async def discard(self, message: Message) -> None:
        """Forget a message that was refused or is uncertain.

        Args:
            message: one of `pending()`.

        Raises:
            ValidationFailed: it is not in `pending()`, or is being sent.
            StoreError: the file of `store=` cannot be written; the message stays.
        """
        await self._outbox.discard(message)

    async def send_message_via_websocket(
        self, conversation_id: Id, contenu: str, *, timeout: float = 10.0
    ) -> MessageSent:
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
        target = check.checked_id(names.SEND_MESSAGE, "conversation_id", conversation_id)
        text = check.checked_content(names.SEND_MESSAGE, contenu, self._config.max_message_bytes)
        seconds = check.checked_seconds(names.SEND_MESSAGE, timeout)
        key = str(uuid.uuid4())
        outgoing = payloads.send_over_socket(
            target, text, sender=self.current_user, client_message_id=key, now=self._clock.now()
        )
        temporary = str(outgoing["message"]["id"])
        self._outbox.expect(key, target, text)
        sending = SocketSend(target, key)
        try:
            with observed(self._observer, sending, self._clock):
                sent = await send_over(
                    self._connection, self._dispatcher, outgoing, (key, temporary), self._clock, seconds
                )
                sending.stored_id = None if sent.message_id == temporary else sent.message_id
        except ValidationFailed:
            self._outbox.expect_no_more(key)
            raise
        except TransportError as error:
            if not error.may_have_left:
                self._outbox.expect_no_more(key)
            raise
        finally:
            # Without a word, it may be stored all the same.
            self._cache.invalidate(messages_of(target), LISTS)
        if sending.stored_id is not None:
            await self._outbox.learn_stored(key, target, sending.stored_id)
        return sent

    # --- events to the server ----------------------------------------------------------------------------------------

    async def emit_typing(self, conversation_id: Id, is_typing: bool) -> None:
        """Tell the others in a conversation that the user types, or has stopped.

        Args:
            conversation_id: the conversation.
            is_typing: whether the user types now.

        Raises:
            ValidationFailed: no id.
            NotConnected: there is no connection.
        """
        target = check.checked_id(names.TYPING, "conversation_id", conversation_id)
        await self._connection.emit(names.TYPING, payloads.typing(target, bool(is_typing), self._clock.now()))

    async def emit(self, event: str, payload: Any = None) -> None:
        """Send an event of any name.

        Args:
            event: its name.
            payload: its argument, as JSON has it; a tuple is several, None is none.

        Raises:
            NotConnected: there is no connection. Between a loss and its detection, an event can be lost unnoticed.
            ValidationFailed: the payload is no JSON, or larger than `max_message_bytes`.
        """
        await self._connection.emit(_checked_name(event), payload)

    async def call(self, event: str, payload: Any = None, timeout: float = 10.0) -> Any:
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
        name = _checked_name(event)
        return await self._connection.call(name, payload, check.checked_wait(name, "timeout", timeout))

    async def _tell_others(self, message: Message) -> bool:
        """Relay a stored message, for servers that do not broadcast by themselves; False if that cannot be done now."""
        if not self._config.notify_sent:
            return True
        try:
            await self._connection.emit(names.NEW_MESSAGE, payloads.relay_new_message(message))
            sent = payloads.message_sent(message, self.current_user.id, self._clock.now())
            await self._connection.emit(names.MESSAGE_SENT, sent)
        except TransportError:
            return False
        except ValidationFailed:
            pass  # the message is stored: that it is too large for the socket with all around it changes nothing
        return True


def _checked_name(event: Any) -> str:
    if not isinstance(event, str) or not event or event in ("connect", "disconnect", "connect_error"):
        raise check.refuse("emit", "An event needs a name, other than Socket.IO's own connect and disconnect.")
    return event
