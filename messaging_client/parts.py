"""How the parts of a client are put together, and what goes between them."""

from __future__ import annotations

import asyncio
import os
import random as chance
from collections.abc import AsyncIterator, Coroutine
from typing import TYPE_CHECKING, Any

from messaging_client.all_rooms import AllRooms
from messaging_client.arguments import checked_message
from messaging_client.cache import ReadCache
from messaging_client.clock import Clock, SystemClock, new_task
from messaging_client.config import MessagingConfig
from messaging_client.dispatch import Dispatcher
from messaging_client.errors import AuthenticationError, ConfigurationError, NotConnected
from messaging_client.events import ConnectionChange, ConversationUpdated
from messaging_client.fallback import Fallback
from messaging_client.feed import Feed
from messaging_client.few import Few
from messaging_client.intake import Intake
from messaging_client.models import ConnectionCause, ConnectionState, Conversation, Id, Message, User, UserType
from messaging_client.observing.telemetry import observer_for_client
from messaging_client.operations import Operations
from messaging_client.outbox import Keeper, Outbox
from messaging_client.positions import Positions, PositionStore
from messaging_client.reading import Reader
from messaging_client.recovery import Recovery
from messaging_client.rest import RestOperations
from messaging_client.rooms import Rooms
from messaging_client.sending import Sending
from messaging_client.sessions import Sessions
from messaging_client.subscriptions import Subscriptions
from messaging_client.transport.address import ServerAddress
from messaging_client.transport.auth import Token, TokenSource
from messaging_client.transport.retry import Backoff
from messaging_client.transport.tap import Tap
from messaging_client.wire.messages import message_order_key, order_key
from messaging_client.wire.routes import RouteTable

if TYPE_CHECKING:
    from messaging_client.store import Store

# Shared by all clients of a process: neither has anything that changes, and each takes some kilobytes.
_DEFAULTS = MessagingConfig()
_CHANCE = chance.SystemRandom()


def load_libraries() -> None:
    """Load what a connection needs, for which an event loop would stand still while the first client is made."""
    import jwt  # noqa: F401

    import messaging_client.transport.http
    import messaging_client.transport.socket  # noqa: F401


class Parts(Subscriptions, Operations):
    """The parts of a client; `MessagingClient` is what users make of them, and says what the arguments are."""

    def __init__(
        self,
        url: str,
        *,
        token: Token,
        config: MessagingConfig | None,
        clock: Clock | None,
        random: chance.Random | None,
        store: str | os.PathLike[str] | None,
    ) -> None:
        _check_parts(config, clock, random)
        self._config = _DEFAULTS if config is None else config
        self._clock: Clock = clock or SystemClock()
        self._random = random or _CHANCE
        self._tokens = TokenSource(token)
        self._observer = observer_for_client()
        self._wanted = False
        self._background: Few[asyncio.Task[Any]] = Few()
        self._store = None if store is None else _opened(store)
        address = ServerAddress.parse(url, allow_insecure=self._config.allow_insecure)
        self._put_together_reading(address)
        self._put_together_live(address)
        self._server = address.base_url
        self._outbox = Outbox(
            Sending(
                self._rest,
                self._feed,
                is_live=self._is_live,
                take=self._intake.message,
                relay=self._tell_others,
            ),
            self._clock,
            self._random,
            keeper=Keeper(self._store, self._open_store),
            limit=self._config.outbox_size,
            is_idempotent=self._config.server_idempotency,
            backoff=Backoff(self._config.randomization_factor),
            observer=self._observer,
        )
        self._tokens.on_change = self._outbox.token_changed
        self._sessions = Sessions(self, message_order_key)
        self._observer.watch(self)

    def _put_together_reading(self, address: ServerAddress) -> None:
        """REST and what stands on it: cache, feed, read-back."""
        config, clock = self._config, self._clock
        from messaging_client.transport.http import RestClient  # as in load_libraries

        self._cache = ReadCache(config, clock)
        self._http = RestClient(
            address,
            config,
            self._tokens,
            clock=clock,
            random=self._random,
            routes=RouteTable.build(config.routes),
            observer=self._observer,
        )
        self._rest = RestOperations(
            self._http,
            self._cache,
            config,
            clock=clock,
            user=self._know_user,
            report=lambda fault: self._intake.report(fault),
        )
        self._reader = Reader(self._rest, message_order_key, clock, config.queue_size)
        self._dispatcher = Dispatcher(
            config.queue_size,
            refill=self._reader.page_from,
            order=message_order_key,
            clock=clock,
            around=self._observer.around,
        )
        self._positions = Positions(
            self._opened_store,
            handled=self._dispatcher.handled,
            order_key=order_key,
            is_kept=self._store is not None,
        )
        self._feed = Feed(
            self._tell,
            order=message_order_key,
            hold_limit=config.queue_size,
            monotonic=clock.monotonic,
            is_own=self._is_own,
            place=self._dispatcher.publish_in_conversation,
            on_progress=self._positions.progressed,
        )
        self._recovery = Recovery(
            self._feed,
            self._reader,
            self._positions,
            config,
            clock=clock,
            random=self._random,
            report_gap=self._dispatcher.report_gap,
        )

    def _put_together_live(self, address: ServerAddress) -> None:
        """The connection and what stands on it: intake, rooms, polling in its place."""
        from messaging_client.transport.socket import Connection  # as in load_libraries

        config, clock = self._config, self._clock
        self._intake = Intake(
            self._dispatcher,
            self._feed,
            self._recovery,
            self._cache,
            clock=clock,
            publish=self._publish,
            on_conversation=lambda event: self._all_rooms.named(event),
        )
        self._connection = Connection(
            address,
            config,
            self._tokens,
            clock=clock,
            random=self._random,
            on_event=self._intake.take,
            on_change=self._connection_changed,
            observer=self._observer,
        )
        self._rooms = Rooms(
            self._connection,
            self._recovery,
            self._positions,
            is_connected=self._is_live,
            run=self._run,
        )
        self._all_rooms = AllRooms(
            self._rooms,
            self._positions,
            clock=clock,
            random=self._random,
            randomization_factor=config.randomization_factor,
            conversations=self._active_conversations,
            server_time=lambda: self._http.server_time,
            is_connected=self._is_live,
            run=self._run,
        )
        self._fallback = Fallback(
            self._feed,
            self._recovery,
            config,
            clock=clock,
            random=self._random,
            conversations=self._active_conversations,
            on_listed=self._listed,
        )

    def _is_live(self) -> bool:
        return self.is_connected

    def _active_conversations(self) -> AsyncIterator[Conversation]:
        return self._rest.iter_conversations("active")

    # --- what the parts ask of each other ----------------------------------------------------------------------------

    @property
    def is_connected(self) -> bool:
        """Whether live events come."""
        return self._connection.state is ConnectionState.CONNECTED

    @property
    def current_user(self) -> User:
        """The user that the token names.

        Raises:
            NotConnected: the token comes from a callable that was not asked yet.
            AuthenticationError: the token's claims name nobody.
        """
        user = self._tokens.user
        if user is not None:
            return user
        if self._tokens.was_asked:
            raise AuthenticationError("The token names no user (claims id and role); give one that does.")
        raise NotConnected("The user is known once the token callable was asked: await client.connect() first.")

    def is_own(self, message: Message) -> bool:
        """Tell whether this user sent a message: same type and same id.

        Where the server names no type, an id alone names a person if one participant alone has it (wire protocol,
        section 2). Where that is not known, the user's own id is taken for the user: a bot must not answer itself.

        Args:
            message: any message.

        Returns:
            True if so; False where the user is not known yet.

        Raises:
            ValidationFailed: it is no message.
        """
        return self._is_own(checked_message("is_own", message))

    def _is_own(self, message: Message) -> bool:
        user, sender = self._tokens.user, message.sender
        if user is None or sender.id != user.id:
            return False
        if sender.type is not UserType.UNKNOWN:
            return sender.type == user.type
        types = {each.type for each in self._all_rooms.people_of(message.conversation_id) if each.id == sender.id}
        return user.type in types or not types

    def _set_tap(self, tap: Tap | None) -> None:
        """Have all that is sent and received from now on told to `tap`; used by recordings."""
        self._connection.set_tap(tap)
        self._http.set_tap(tap)

    async def _hold_room(self, conversation_id: Id, holder: object) -> bool:
        """Be in a room as long as `holder` holds it; used by sessions. See `Rooms.hold`."""
        return await self._rooms.hold(conversation_id, holder, asks_first=True)

    async def _release_room(self, conversation_id: Id, holder: object) -> None:
        """Hold a room no longer; used by sessions."""
        await self._rooms.release(conversation_id, holder)

    async def _identity(self) -> tuple[str, User]:
        """Give the server's address and the user; used by relays."""
        return self._server, await self._know_user()

    def _keep_positions_in(self, store: PositionStore) -> None:
        """Keep read positions in a place that others share; used by relays, before they connect."""
        if self._store is not None or self._wanted:
            raise ConfigurationError("A relay's client is made without store=, and connected by the relay.")
        self._positions.keep_in(store)

    def _tell(self, message: Message) -> None:
        """Whichever way a message came, who is told of it finds it when they read."""
        if message.conversation_id is not None:
            self._cache.message_came(message.conversation_id)
        self._dispatcher.publish(message)

    def _publish(self, event: Any) -> None:
        self._dispatcher.publish(event)

    def _connection_changed(self, change: ConnectionChange) -> None:
        if change.state is ConnectionState.CONNECTED:
            self._end_polling()
            self._outbox.wake()
            self._recovery.start_verifying()
            self._rooms.connected()
            self._all_rooms.connected()
        else:
            if change.previous is ConnectionState.CONNECTED:
                self._recovery.pause(release=False)
            if not self._wanted or change.cause is ConnectionCause.AUTHENTICATION_REFUSED:
                self._end_polling()
            elif change.state is not ConnectionState.CONNECTING:
                self._fallback.start()
        self._publish(change.model_copy(update={"polling": self._fallback.is_active}))

    def _end_polling(self) -> None:
        task = self._fallback.stop()
        if task is not None:
            self._keep(task)

    async def _listed(self, conversation: Conversation, has_changed: bool) -> None:
        """A poll saw a conversation: what the socket would have told is told."""
        if has_changed:
            self._intake.changed(
                ConversationUpdated(conversation_id=conversation.id, status=conversation.status, raw=conversation.raw)
            )
        await self._all_rooms.listed(conversation)

    async def _opened_store(self) -> Store | None:
        """Give the store, open for this user; None where there is none."""
        if self._store is not None:
            await self._know_user()
            await self._open_store()
        return self._store

    async def _open_store(self) -> User:
        """Open the file for the present user; gives the user."""
        user = self.current_user
        if self._store is not None:
            await self._store.bind(self._server, user)
        return user

    def _run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = new_task(work)
        self._keep(task)
        return task

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _opened(store: str | os.PathLike[str]) -> Store:
    from messaging_client.store import open_store  # with SQLite, which is loaded where it is used

    return open_store(store)


def _check_parts(config: object, clock: object, random: object) -> None:
    """Check what a client is put together of.

    Raises:
        ConfigurationError: one of them is something else.
    """
    if config is not None and not isinstance(config, MessagingConfig):
        raise ConfigurationError("config must be a MessagingConfig, such as MessagingConfig(connect_timeout=5.0).")
    if clock is not None and not all(callable(getattr(clock, each, None)) for each in ("now", "monotonic", "sleep")):
        raise ConfigurationError("clock must have now(), monotonic() and sleep(); leave it out for the system's.")
    if random is not None and not isinstance(random, chance.Random):
        raise ConfigurationError("random must be a random.Random; leave it out for chance.")
