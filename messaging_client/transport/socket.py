"""The connection: a state machine that makes links, watches them, and makes new ones.

One task, the supervisor, owns the attempts and the link; everything else asks it. Defaults come from the wire protocol,
section 1: 15 s for an attempt, 2 s doubling to 5 s between attempts, 10 attempts, then a new round every 60 s.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

from messaging_client.boundary import without_frames
from messaging_client.clock import Clock, Signal, end_task, finished_within, new_task, run_within, until_done
from messaging_client.config import MessagingConfig
from messaging_client.errors import (
    AuthenticationError,
    ConnectionLost,
    ConnectTimeout,
    MessagingError,
    NotConnected,
    TransportError,
)
from messaging_client.events import ConnectionChange
from messaging_client.models import ConnectionCause as Cause
from messaging_client.models import ConnectionState as State
from messaging_client.models import Id
from messaging_client.observing.logs import say
from messaging_client.observing.observer import Observer
from messaging_client.transport.address import ServerAddress
from messaging_client.transport.attempts import Attempts
from messaging_client.transport.auth import TokenSource, TokenUnavailable
from messaging_client.transport.joins import Joins
from messaging_client.transport.link import Link
from messaging_client.transport.opening import EventSink, Opening
from messaging_client.transport.states import check_move
from messaging_client.transport.tap import Tap

_log = logging.getLogger("messaging_client.connection")

ChangeSink = Callable[[ConnectionChange], None]
_CLOSED = "This client was closed; make another one."


class Connection:
    """The Socket.IO connection of one client, through all its links.

    Args:
        address: the server.
        config: settings of the client.
        tokens: where the handshake's token comes from.
        clock, random: time and chance, so that tests can set them.
        on_event: called for each event of the server, in order; must not block or raise.
        on_change: called for each move, after it; must not block or raise.
        observer: told of every attempt.

    Attributes:
        connections, reconnections, tried: how many there were, those of them after a loss, and the attempts.
    """

    def __init__(
        self,
        address: ServerAddress,
        config: MessagingConfig,
        tokens: TokenSource,
        *,
        clock: Clock,
        random: random.Random,
        on_event: EventSink,
        on_change: ChangeSink,
        observer: Observer | None = None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._random = random
        self._on_change = on_change
        self._observer = observer or Observer()
        self._link: Link | None = None  # set in the state CONNECTED only
        self._supervisor: asyncio.Task[None] | None = None
        self._lifecycle = asyncio.Lock()
        self._outcome: asyncio.Future[None] | None = None
        self._wake = Signal()
        self._waiters = 0
        self._closing: asyncio.Future[None] | None = None
        self._goes_on = False
        self._is_kept = False  # somebody wants the connection other than those who wait for it
        self._refused: str | None = None  # final, until the user connects again
        self._is_closed = False
        self.tap: Tap | None = None
        self._changed = Signal()
        self._joins = Joins(config)
        self._attempts = Attempts(
            address, config, tokens, self._joins, clock=clock, on_event=on_event, adopt=self._adopt
        )
        self.state = State.DISCONNECTED
        self.attempt = 0
        self.last_error: MessagingError | None = None
        self.since: datetime = clock.now()
        self.reconnections = self.connections = self.tried = 0

    @property
    def socket_id(self) -> str | None:
        """The id of the present connection, or None."""
        return self._link.socket_id if self._link is not None else None

    @property
    def rooms(self) -> tuple[Id, ...]:
        """The conversations that are joined after every connection."""
        return self._joins.wanted

    def set_tap(self, tap: Tap | None) -> None:
        """Have every frame of the links to come, and every move, told to `tap`; None ends it."""
        self._attempts.tap = self.tap = tap

    async def connect(self, *, wait: bool = True) -> None:
        """Make one attempt and wait for it, or start rounds of attempts in the background.

        While rounds go on already, the next attempt is made at once, and its failure does not end them.

        Raises:
            ConnectTimeout, ConnectFailed, AuthenticationError: how the attempt failed.
            ConnectionLost: `disconnect()` was called meanwhile.
            NotConnected: it was ended for good.
        """
        async with self._lifecycle:
            if self._is_closed:
                raise NotConnected(_CLOSED)
            if self.state is State.CONNECTED:
                return
            if self._supervisor is None or self._supervisor.done():
                self._goes_on = self._is_kept = not wait
                self._refused = None
                self._wake.clear()
                self._supervisor = new_task(
                    self._supervise(self._observer.here()),
                    name="messaging_client connection",
                    context=self._observer.context(),
                )
            else:
                self._goes_on = self._goes_on or not wait
                self._is_kept = self._is_kept or not wait
                self._wake.set()
            outcome = self._next_outcome()
        if not wait:
            return
        self._waiters += 1
        try:
            await asyncio.shield(outcome)
            self._is_kept = True
        except asyncio.CancelledError:
            if self._waiters == 1 and not self._is_kept:
                await self.disconnect()
            raise
        finally:
            self._waiters -= 1

    async def disconnect(self, *, for_good: bool = False) -> None:
        """End the connection, or the attempts at one; what was joined is kept. Returns within about a second."""
        if for_good:
            self._is_closed = True
            self._changed.set()
        # Once begun it is brought to its end, even when the caller is cancelled.
        self._closing = new_task(self._disconnect())
        await asyncio.shield(self._closing)

    async def _disconnect(self) -> None:
        async with self._lifecycle:
            await end_task(self._supervisor)
            self._supervisor = None
            self.attempt = 0
            if self.state is not State.DISCONNECTED:
                self._move(State.DISCONNECTED, Cause.DISCONNECT)
            self._settle(ConnectionLost("The connection was ended by disconnect() or aclose(); connect again."))

    async def wait_connected(self, timeout: float | None = None) -> None:
        """Return once connected.

        Raises:
            ConnectTimeout: not within `timeout` seconds.
            AuthenticationError: the token was refused for good.
            NotConnected: the client was closed.
        """
        try:
            await run_within(self._clock, self._until_connected(), timeout)
        except TimeoutError:
            raise ConnectTimeout(f"Not connected after {timeout:g} s; status() tells the last error.") from None

    async def emit(self, event: str, payload: Any = None) -> None:
        """Send an event; NotConnected when there is no connection (see `Link.emit` for the rest)."""
        await self._require_link().emit(event, payload)

    def call(self, event: str, payload: Any, timeout: float) -> Coroutine[Any, Any, Any]:
        """Send an event and wait for its acknowledgement (see `Link.call`)."""
        return self._require_link().call(event, payload, timeout)

    async def join(self, conversation_id: Id) -> asyncio.Future[Any] | None:
        """Enter a conversation's room, now and after every connection to come.

        Returns:
            What is done when the server acknowledges, which few servers do; None without a connection.
        """
        return await self._joins.join(conversation_id, self._link)

    async def leave(self, conversation_id: Id) -> None:
        """Leave a conversation's room, now and for the connections to come."""
        await self._joins.leave(conversation_id, self._link)

    def take_acknowledgements(self) -> dict[Id, asyncio.Future[Any]]:
        """Give what the joins of a new connection are acknowledged with, once."""
        return self._joins.take_replies()

    # --- the supervisor ------------------------------------------------------------------------------------------

    async def _supervise(self, asked: Any) -> None:
        """Make the first attempt, then keep the connection up until it is refused, given up or cancelled."""
        self.attempt = 1
        self._move(State.CONNECTING, Cause.CONNECT)
        try:
            try:
                await self._attempt(asked)
            except MessagingError as error:
                # A token callable that fails may do so for a moment only; rounds ask it again.
                if not isinstance(error, TransportError) and not (
                    self._goes_on and isinstance(error, TokenUnavailable)
                ):
                    self._refuse(error)
                    return
                onward = State.RECONNECTING if self._goes_on else State.DISCONNECTED
                self._fail(onward, Cause.ATTEMPT_FAILED, error)
                if not self._goes_on or not await self._rounds(made=1):
                    return
            self._goes_on = True
            await self._keep_up()
        finally:
            if self._link is not None:
                link, self._link = self._link, None
                await link.close(politely=True)

    async def _attempt(self, asked: Any) -> None:
        """Make one attempt, and tell the observer; `asked` says who has asked for it."""
        self.tried += 1
        is_again = self.state is State.RECONNECTING
        began = self._observer.attempt_began(self.attempt, is_again=is_again, asked=asked)
        try:
            await self._attempts.make()
        except BaseException as error:
            self._observer.attempt_ended(began, error)
            raise
        self._observer.attempt_ended(began, None)

    async def _keep_up(self) -> None:
        """While connected: wait for the loss, and replace the link."""
        while self._link is not None:
            # Not awaited by itself: when this task is cancelled, the link must not seem to have ended.
            await until_done(self._link.ended)
            lost, self._link = self._link, None
            cause = lost.ended.result()
            self.attempt = 0
            self.last_error = ConnectionLost(f"The connection ended ({cause}).")
            if not self._config.reconnection:
                # Closed first: who hears of the move may connect again, and must find this task done.
                await lost.close()
                self._move(State.DISCONNECTED, cause, self.last_error)
                return
            self._move(State.RECONNECTING, cause, self.last_error)
            await lost.close()
            if not await self._rounds(made=0):
                return

    async def _rounds(self, *, made: int) -> bool:
        """Rounds of attempts until one succeeds.

        Args:
            made: attempts that this round has behind it.

        Returns:
            True once connected; False when authentication was refused.
        """
        pauses = 0
        at_once = False
        while True:
            for number in range(made + 1, self._config.reconnection_attempts + 1):
                if not at_once:
                    await self._pause(self._delay(pauses))
                    pauses += 1
                at_once = False
                self.attempt = number
                self._move(State.RECONNECTING, Cause.ATTEMPT)
                try:
                    await self._attempt(None)
                except TokenUnavailable as error:
                    self._note(error)
                except AuthenticationError as error:
                    self._refuse(error)
                    return False
                except TransportError as error:
                    self._note(error)
                else:
                    return True
                self._wake.clear()  # this was the attempt that was asked for
            self._move(State.ERROR, Cause.ATTEMPTS_EXHAUSTED, self.last_error)
            await self._pause(self._config.reconnection_round_interval)
            made, pauses, at_once = 0, 0, True
            self.attempt = 0
            self._move(State.RECONNECTING, Cause.ROUND)

    def _delay(self, pauses: int) -> float:
        """Seconds to wait after so many pauses in a round: doubling, jittered, then capped, as in socket.io-client."""
        base = self._config.reconnection_delay * 2 ** min(pauses, 30)
        jitter = self._config.randomization_factor * (2 * self._random.random() - 1)
        return float(min(base * (1 + jitter), self._config.reconnection_delay_max))

    async def _pause(self, seconds: float) -> None:
        """Sleep, unless the user asks for a connection meanwhile, or has since the last attempt."""
        woken = asyncio.ensure_future(self._wake.wait())
        try:
            await finished_within(self._clock, woken, seconds)
        finally:
            woken.cancel()
        self._wake.clear()

    def _adopt(self, link: Link, opening: Opening) -> None:
        """Take over a link that is ready."""
        self._link = link
        self.connections += 1
        self.reconnections += self.state is State.RECONNECTING
        self._move(State.CONNECTED, Cause.CONNECTED)
        self.attempt = 0
        self._settle(None)
        opening.release()

    # --- moves ---------------------------------------------------------------------------------------------------

    def _move(self, state: State, cause: Cause, error: MessagingError | None = None) -> None:
        """The one way from a state to another: checked, logged and announced."""
        previous = self.state
        check_move(previous, cause, state)
        self.state = state
        self.since = self._clock.now()
        self._changed.set()
        self._changed = Signal()
        say(
            _log,
            logging.INFO,
            "connection changed",
            state=state.value,
            previous=previous.value,
            cause=cause.value,
            attempt=self.attempt,
            error=error,
        )
        change = ConnectionChange(
            state=state,
            previous=previous,
            cause=cause,
            attempt=self.attempt,
            error=error,
            socket_id=self.socket_id,
        )
        if self.tap is not None:
            self.tap.moved(change)
        self._on_change(change)

    def _fail(self, state: State, cause: Cause, error: MessagingError) -> None:
        self._move(state, cause, without_frames(error))
        self._note(error)

    def _refuse(self, error: MessagingError) -> None:
        """Authentication was refused for good: no attempt follows by itself."""
        self._refused = str(error)
        self._fail(State.ERROR, Cause.AUTHENTICATION_REFUSED, error)

    def _note(self, error: MessagingError) -> None:
        """Keep the error of a failed attempt, and tell it to those who wait for the attempt."""
        self.last_error = without_frames(error)
        self._settle(error)

    def _next_outcome(self) -> asyncio.Future[None]:
        if self._outcome is None or self._outcome.done():
            self._outcome = asyncio.get_running_loop().create_future()
        return self._outcome

    def _settle(self, error: MessagingError | None) -> None:
        """Tell those who wait for the present attempt how it went."""
        if self._outcome is None or self._outcome.done():
            return
        if error is None:
            self._outcome.set_result(None)
        else:
            self._outcome.set_exception(error)
            self._outcome.exception()  # nobody may be waiting
        self._outcome = None

    async def _until_connected(self) -> None:
        while self.state is not State.CONNECTED:
            if self._is_closed:
                raise NotConnected(_CLOSED)
            if self._refused is not None:
                raise AuthenticationError(self._refused)
            await self._changed.wait()

    def _require_link(self) -> Link:
        if self._link is None:
            raise NotConnected("There is no connection; wait for `wait_connected()`, or send over REST.")
        return self._link
