"""`MessagingClient`: what users call."""

from __future__ import annotations

import asyncio
import os
import random as chance
from types import TracebackType
from typing import Self

from messaging_client import arguments as check
from messaging_client.boundary import guard
from messaging_client.cache import CacheInfo, messages_of, people_of
from messaging_client.clock import Clock
from messaging_client.closing import Closing
from messaging_client.config import MessagingConfig
from messaging_client.errors import ConfigurationError, ConnectionLost, NotConnected
from messaging_client.inbox import Inbox
from messaging_client.models import ConnectionState, Id
from messaging_client.numbers import Reading, readings_of, stats_of
from messaging_client.parts import Parts
from messaging_client.reports import CloseReport, Stats, Status
from messaging_client.rooms import USER
from messaging_client.session import ConversationSession
from messaging_client.transport.address import DEFAULT_URL
from messaging_client.transport.auth import Token


class MessagingClient(Parts):
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
        super().__init__(url, token=token, config=config, store=store, clock=clock, random=random)
        self._closing = Closing(self._close)
        self._ends = 0  # how often the connection was ended by the user

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
        token = os.environ.get("MESSAGING_TOKEN", "")
        if not token:
            raise ConfigurationError(
                "Set MESSAGING_TOKEN to the user's JWT, and MESSAGING_URL to the server's address."
            )
        return cls(os.environ.get("MESSAGING_URL") or DEFAULT_URL, token=token, config=config, store=store)

    def __repr__(self) -> str:
        return f"<MessagingClient {self.state}>"

    # --- life --------------------------------------------------------------------------------------------------------

    async def connect(self, *, wait: bool = True) -> None:
        """Connect.

        Args:
            wait: make one attempt, of at most `connect_timeout` seconds, and wait for it; or return at once, while
                rounds of attempts go on in the background.

        Raises:
            ConnectTimeout, ConnectFailed: the attempt failed; the state is `disconnected`, unless rounds of attempts
                were going on already, which go on.
            AuthenticationError: the token was refused; the state is `error`.
            NotConnected: the client was closed.
            ConnectionLost: `disconnect()` or `aclose()` was called meanwhile.
            ConfigurationError: the file of `store=` is in use, or belongs to another server or user.
            StoreError: the file of `store=` cannot be used.
        """
        self._check_open()
        ends = self._ends
        if self._store is not None:
            await self._know_user()  # to see whose file it is
            await self._outbox.start()
        if ends != self._ends:
            raise ConnectionLost("disconnect() or aclose() was called meanwhile; connect again.")
        self._wanted = True
        await self._connection.connect(wait=wait)
        self._outbox.token_changed()  # whoever connects again has seen to it

    def _check_open(self) -> None:
        if self._closing.is_begun:
            raise NotConnected("This client was closed; make another one.")

    async def disconnect(self) -> None:
        """End the connection and the polling; subscriptions and joined rooms stay, and `connect()` works again."""
        await self._disconnect(for_good=False)

    async def _disconnect(self, *, for_good: bool) -> None:
        self._ends += 1
        self._wanted = False
        await self._connection.disconnect(for_good=for_good)
        # With positions, what waits for a read is left to the next client, which reads what stands before it.
        self._recovery.pause(release=not (for_good and self._positions.are_kept))
        self._end_polling()

    async def aclose(self, drain: float = 5.0) -> CloseReport:
        """Close for good: no socket, task or thread is left. Closing again waits for the same end.

        Whoever is cancelled while waiting gives what waits no more time; the closing itself is brought to its end.
        A handler may close its client; it is not waited for.

        Args:
            drain: seconds that messages get to be sent, and handlers to finish what waits for them.

        Returns:
            What was left undone; with `store=` the next client on the same file sends what is unsent.
        """
        return await self._closing.run(check.checked_wait("aclose", "drain", drain))

    async def _close(self, drain: float) -> CloseReport:
        closing = self._closing
        ends = self._clock.monotonic() + drain
        await closing.unless_hurried(self._outbox.drain(drain))
        await self._disconnect(for_good=True)
        await self._positions.stop()
        await closing.unless_hurried(
            self._dispatcher.drain(max(0.0, ends - self._clock.monotonic()), but=closing.callers)
        )
        cancelled = await self._dispatcher.end_work(but=closing.callers)
        # What an iterator still holds comes again; a message whose handler closes the client does not.
        if not cancelled and self._dispatcher.has_handled_all(but=closing.callers):
            await self._positions.commit()
        await self._sessions.aclose()
        unsent = await self._outbox.aclose()
        await self._recovery.aclose()
        background = self._background - closing.callers
        for task in background:
            task.cancel()
        if background:
            await asyncio.wait(background)
        await self._http.aclose()
        self._dispatcher.close()
        if self._store is not None:
            await self._store.aclose()
        self._observer.closed(self)
        return CloseReport(unsent=unsent, cancelled=cancelled)

    async def __aenter__(self) -> Self:
        try:
            await self.connect()
        except BaseException:
            await self.aclose(drain=0)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def run_forever(self) -> None:
        """Return when the client is closed. One that was never connected connects in the background first.

        Raises:
            ConfigurationError, StoreError: the file of `store=` cannot be used.
        """
        if not self._wanted and not self._closing.is_begun:
            await self.connect(wait=False)
        await self._closing.done.wait()

    # --- state -------------------------------------------------------------------------------------------------------

    @property
    def state(self) -> ConnectionState:
        """Where the connection stands."""
        return self._connection.state

    @property
    def socket_id(self) -> str | None:
        """The id of the present connection, or None."""
        return self._connection.socket_id

    def status(self) -> Status:
        """How the client is connected, at this moment.

        Returns:
            State, socket id, attempt, last error, since when, polling or not, and when the token expires.
        """
        connection = self._connection
        return Status(
            state=connection.state,
            socket_id=connection.socket_id,
            attempt=connection.attempt,
            last_error=connection.last_error,
            since=connection.since,
            polling=self._fallback.is_active,
            token_expires_at=self._tokens.expires_at,
        )

    def stats(self) -> Stats:
        """Counters since the client was made, and what waits now.

        Returns:
            The counters, as they are now.
        """
        return stats_of(self)

    def _readings(self) -> tuple[dict[Reading, int], dict[Reading, int]]:
        return readings_of(self)  # asked by the measurements, in any thread

    async def wait_connected(self, timeout: float | None = None) -> None:
        """Return once connected.

        Args:
            timeout: seconds, or None for ever.

        Raises:
            ConnectTimeout: not within `timeout` seconds.
            AuthenticationError: the token was refused for good.
            NotConnected: the client was closed.
        """
        seconds = check.checked_patience("wait_connected", timeout)
        await self._connection.wait_connected(seconds)

    # --- rooms -------------------------------------------------------------------------------------------------------

    async def join_conversation(self, conversation_id: Id) -> None:
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
        target = check.checked_id("join_conversation", "conversation_id", conversation_id)
        self._check_open()
        await self._rooms.hold(target, USER)

    async def leave_conversation(self, conversation_id: Id) -> None:
        """Leave a conversation's room, unless a session holds it; joining again begins anew.

        Args:
            conversation_id: the conversation.

        Raises:
            ValidationFailed: no id.
        """
        await self._rooms.release(
            check.checked_id("leave_conversation", "conversation_id", conversation_id), USER, for_good=True
        )

    async def join_all(self) -> None:
        """Enter the room of every conversation of the user, and of those that come to be later.

        Where the server cannot be reached, this is done as soon as it can.

        Raises:
            PermissionDenied, AuthenticationError, UnexpectedResponse: the list cannot be read.
            NotConnected: the client was closed.
        """
        self._check_open()
        await self._all_rooms.hold()

    # --- conversations -----------------------------------------------------------------------------------------------

    async def open_conversation(
        self, context_type: str, context_id: Id, *, patient_id: Id | None = None, medecin_id: Id | None = None
    ) -> ConversationSession:
        """Find or create the conversation of a context, and give a session on it; enter it with `async with`.

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
        conversation = await self.find_or_create_conversation(context_type, context_id, patient_id, medecin_id)
        return self._sessions.open(conversation.id, conversation)

    def conversation(self, conversation_id: Id) -> ConversationSession:
        """Give a session on a conversation; enter it with `async with`.

        Args:
            conversation_id: the conversation.

        Returns:
            The session, not yet entered.

        Raises:
            ValidationFailed: no id.
        """
        return self._sessions.open(check.checked_id("conversation", "conversation_id", conversation_id))

    def inbox(self) -> Inbox:
        """Give the list of the user's conversations; enter it with `async with`.

        Returns:
            The inbox, not yet entered.
        """
        return Inbox(self)

    # --- cache -------------------------------------------------------------------------------------------------------

    def clear_cache(self) -> None:
        """Forget everything that was read."""
        self._cache.clear()

    def invalidate_conversation(self, conversation_id: Id) -> None:
        """Forget what was read of one conversation.

        Args:
            conversation_id: the conversation.

        Raises:
            ValidationFailed: no id.
        """
        target = check.checked_id("invalidate_conversation", "conversation_id", conversation_id)
        self._cache.invalidate(messages_of(target), people_of(target))

    def cache_info(self) -> CacheInfo:
        """Count hits, misses and entries of the cache.

        Returns:
            The counts, as they are now.
        """
        return self._cache.info()


guard(MessagingClient)  # where exceptions leave the package
