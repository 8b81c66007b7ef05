"""The blocking form of `messaging_client.client`, written from it by `make generate`."""

from __future__ import annotations

import os
import random as chance
from typing import Self

from messaging_client.cache import CacheInfo
from messaging_client.client import MessagingClient as AsyncMessagingClient
from messaging_client.clock import Clock
from messaging_client.config import MessagingConfig
from messaging_client.models import ConnectionState, Id
from messaging_client.reports import CloseReport, Stats, Status
from messaging_client.sync._generated.inbox import Inbox
from messaging_client.sync._generated.message_operations import MessageOperations
from messaging_client.sync._generated.operations import Operations
from messaging_client.sync._generated.parts import Parts
from messaging_client.sync._generated.send_operations import SendOperations
from messaging_client.sync._generated.session import ConversationSession
from messaging_client.sync._generated.subscriptions import Subscriptions
from messaging_client.sync.faces import BlockingClient
from messaging_client.transport.address import DEFAULT_URL
from messaging_client.transport.auth import Token


class MessagingClient(Parts, Subscriptions, Operations, MessageOperations, SendOperations, BlockingClient):
    """One user's connection to a messaging server: live events, REST, and HTTP while the socket is down.

    Args:
        url: address of the server, `http://` or `https://`.
        token: a JWT, several candidates in order of preference, or a sync or async callable returning either. Claims
            are read without verification of the signature: verifying is the server's business.
        config: settings; the defaults are those of the protocol.
        store: path of an SQLite file that keeps unsent messages and read positions across crashes and restarts; it
            belongs to one server and one user. Without it both live in memory.
        clock: time, for tests.
        random: chance, for tests.

    Raises:
        ConfigurationError: the address or a setting cannot work.
        AuthenticationError: no usable token was given.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        token: Token,
        config: MessagingConfig | None = None,
        store: str | os.PathLike[str] | None = None,
        clock: Clock | None = None,
        random: chance.Random | None = None,
    ) -> None:
        super().__init__(
            lambda: AsyncMessagingClient(url, token=token, config=config, store=store, clock=clock, random=random)
        )

    @classmethod
    def from_env(cls, *, config: MessagingConfig | None = None, store: str | os.PathLike[str] | None = None) -> Self:
        """Make a client of `MESSAGING_URL` (if set) and `MESSAGING_TOKEN`.

        Args:
            config: settings.
            store: path of an SQLite file, as for the class.

        Returns:
            The client, not yet connected.

        Raises:
            ConfigurationError: `MESSAGING_TOKEN` is not set.
        """
        return cls._made(lambda: AsyncMessagingClient.from_env(config=config, store=store))

    def connect(self, *, wait: bool = True) -> None:
        """Connect.

        Args:
            wait: make one attempt, of at most `connect_timeout` seconds, and wait for it; or return at once, while
                rounds of attempts go on in the background.

        Raises:
            ConnectTimeout, ConnectFailed: the attempt failed; the state is `disconnected`, unless rounds of attempts
                were going on already, which go on.
            AuthenticationError: the token was refused; the state is `error`.
            NotConnected: the client was closed.
            ConnectionLost: `disconnect()` or `close()` was called meanwhile.
            ConfigurationError: the file of `store=` is in use, or belongs to another server or user.
            StoreError: the file of `store=` cannot be used.
        """
        self._runtime.run(lambda: self._async.connect(wait=wait))

    def disconnect(self) -> None:
        """End the connection and the polling; subscriptions and joined rooms stay, and `connect()` works again."""
        self._runtime.run(lambda: self._async.disconnect())

    def close(self, drain: float = 5.0) -> CloseReport:
        """Close for good: no socket, task or thread is left. Closing again waits for the same end.

        Whoever is cancelled while waiting gives what waits no more time; the closing itself is brought to its end.
        A handler may close its client; it is not waited for.

        Args:
            drain: seconds that messages get to be sent, and handlers to finish what waits for them.

        Returns:
            What was left undone; with `store=` the next client on the same file sends what is unsent.
        """
        return self._close(drain)

    def run_forever(self) -> None:
        """Return when the client is closed. One that was never connected connects in the background first.

        Raises:
            ConfigurationError, StoreError: the file of `store=` cannot be used.
        """
        self._runtime.run(lambda: self._async.run_forever())

    @property
    def state(self) -> ConnectionState:
        """Where the connection stands."""
        return self._runtime.call(lambda: self._async.state)

    @property
    def socket_id(self) -> str | None:
        """The id of the present connection, or None."""
        return self._runtime.call(lambda: self._async.socket_id)

    def status(self) -> Status:
        """How the client is connected, at this moment.

        Returns:
            State, socket id, attempt, last error, since when, polling or not, and when the token expires.
        """
        return self._runtime.call(lambda: self._async.status())

    def stats(self) -> Stats:
        """Counters since the client was made, and what waits now.

        Returns:
            The counters, as they are now.
        """
        return self._runtime.call(lambda: self._async.stats())

    def wait_connected(self, timeout: float | None = None) -> None:
        """Return once connected.

        Args:
            timeout: seconds, or None for ever.

        Raises:
            ConnectTimeout: not within `timeout` seconds.
            AuthenticationError: the token was refused for good.
            NotConnected: the client was closed.
        """
        self._runtime.run(lambda: self._async.wait_connected(timeout))

    def join_conversation(self, conversation_id: Id) -> None:
        """Enter a conversation's room, now and after every reconnection; what is missed is read back.

        Messages from before are history and are not told to handlers. Without a connection, the room is entered as
        soon as there is one.

        Args:
            conversation_id: the conversation.

        Raises:
            PermissionDenied, NotFound: the user does not take part in it.
            NotConnected: the client was closed.
            ValidationFailed: no id.
        """
        self._runtime.run(lambda: self._async.join_conversation(conversation_id))

    def leave_conversation(self, conversation_id: Id) -> None:
        """Leave a conversation's room, unless a session holds it; joining again begins anew.

        Args:
            conversation_id: the conversation.

        Raises:
            ValidationFailed: no id.
        """
        self._runtime.run(lambda: self._async.leave_conversation(conversation_id))

    def join_all(self) -> None:
        """Enter the room of every conversation of the user, and of those that come to be later.

        Where the server cannot be reached, this is done as soon as it can.

        Raises:
            PermissionDenied, AuthenticationError, UnexpectedResponse: the list cannot be read.
            NotConnected: the client was closed.
        """
        self._runtime.run(lambda: self._async.join_all())

    def open_conversation(
        self, context_type: str, context_id: Id, *, patient_id: Id | None = None, medecin_id: Id | None = None
    ) -> ConversationSession:
        """Find or create the conversation of a context, and give a session on it; enter it with `with`.

        Args:
            context_type: `ordonnance`, `consultation`, `examen` or another word.
            context_id: its id.
            patient_id, medecin_id: the other person, needed where the conversation has to be created.

        Returns:
            The session, not yet entered.

        Raises:
            ValidationFailed: an argument cannot work; nothing was sent.
            TransportError, AuthenticationError, RequestError: there was no answer, or a refusal.
        """
        return ConversationSession(
            self._runtime,
            self._runtime.run(
                lambda: self._async.open_conversation(
                    context_type, context_id, patient_id=patient_id, medecin_id=medecin_id
                )
            ),
        )

    def conversation(self, conversation_id: Id) -> ConversationSession:
        """Give a session on a conversation; enter it with `with`.

        Args:
            conversation_id: the conversation.

        Returns:
            The session, not yet entered.

        Raises:
            ValidationFailed: no id.
        """
        return ConversationSession(self._runtime, self._runtime.call(lambda: self._async.conversation(conversation_id)))

    def inbox(self) -> Inbox:
        """Give the list of the user's conversations; enter it with `with`.

        Returns:
            The inbox, not yet entered.
        """
        return Inbox(self._runtime, self._runtime.call(lambda: self._async.inbox()))

    def clear_cache(self) -> None:
        """Forget everything that was read."""
        self._runtime.call(lambda: self._async.clear_cache())

    def invalidate_conversation(self, conversation_id: Id) -> None:
        """Forget what was read of one conversation.

        Args:
            conversation_id: the conversation.

        Raises:
            ValidationFailed: no id.
        """
        self._runtime.call(lambda: self._async.invalidate_conversation(conversation_id))

    def cache_info(self) -> CacheInfo:
        """Count hits, misses and entries of the cache.

        Returns:
            The counts, as they are now.
        """
        return self._runtime.call(lambda: self._async.cache_info())
