"""One attempt at a connection: the token, the handshake, the rooms."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from messaging_client.clock import Clock, finished_within
from messaging_client.config import MessagingConfig
from messaging_client.errors import (
    AuthenticationError,
    ConnectFailed,
    ConnectTimeout,
    NotConnected,
    TransportError,
)
from messaging_client.observing.logs import say
from messaging_client.transport import tls
from messaging_client.transport.address import ServerAddress
from messaging_client.transport.auth import TokenSource
from messaging_client.transport.endings import brought_to_end, failure_of
from messaging_client.transport.joins import Joins
from messaging_client.transport.link import Link
from messaging_client.transport.opening import EventSink, Opening
from messaging_client.transport.refusals import HandshakeRefused
from messaging_client.transport.tap import Tap
from messaging_client.wire import events as names
from messaging_client.wire import payloads

_log = logging.getLogger("messaging_client.connection")


class Attempts:
    """Makes links that are ready.

    Args:
        address: the server.
        config: settings of the client.
        tokens: where the handshake's token comes from.
        joins: the rooms to enter.
        clock: what `connect_timeout` is measured by.
        on_event: called for each event of the server, in order, once the link has been adopted.
        adopt: takes over each link that is ready, with the events that wait for its release.

    Attributes:
        tap: told of every frame of the links to come, or None.
    """

    tap: Tap | None = None

    def __init__(
        self,
        address: ServerAddress,
        config: MessagingConfig,
        tokens: TokenSource,
        joins: Joins,
        *,
        clock: Clock,
        on_event: EventSink,
        adopt: Callable[[Link, Opening], None],
    ) -> None:
        self._address = address
        self._config = config
        self._tokens = tokens
        self._joins = joins
        self._clock = clock
        self._on_event = on_event
        self._adopt = adopt

    async def make(self) -> None:
        """Make one attempt, within `connect_timeout` seconds as a whole: token, handshake, rooms.

        Raises:
            TransportError, AuthenticationError: it failed, and left nothing behind.
        """
        limit = self._config.connect_timeout
        handshake = asyncio.ensure_future(self._handshake())
        try:
            if not await finished_within(self._clock, handshake, limit):
                raise ConnectTimeout(
                    f"The server did not finish the handshake within {limit:g} s; "
                    "check the address, or raise connect_timeout."
                )
            failure = failure_of(handshake)
        finally:
            handshake.cancel()
            await brought_to_end(handshake)
        if isinstance(failure, TransportError | AuthenticationError):
            raise failure
        if failure is not None:
            # A fault of ours must not end the supervisor: it is a failed attempt, said loudly.
            say(_log, logging.ERROR, "attempt failed unexpectedly", error=failure)
            raise ConnectFailed(f"The attempt failed unexpectedly ({type(failure).__name__}); please report it.")

    async def _handshake(self) -> None:
        trial = self._tokens.trial()
        while True:
            token = await trial.token()
            try:
                await self._open_link(token)
            except HandshakeRefused as refusal:
                if not refusal.about_authentication:
                    raise
            else:
                return
            if not trial.refused():
                raise AuthenticationError(
                    "The server refused the token at the handshake, and the fresh one too; "
                    "give a valid token and connect again."
                )

    async def _open_link(self, token: str) -> None:
        """Open a link and make it ready; it is handed over only then, and its events wait till then."""
        opening = Opening(self._on_event, self._config.queue_size)
        context = tls.context_for(self._config.verify, self._config.cert) if self._address.scheme == "https" else None
        link = Link(self._config, clock=self._clock, on_event=opening.take, ssl_context=context, tap=self.tap)
        opening.link = link
        is_handed_over = False
        try:
            path = self._address.path + self._config.socketio_path
            await link.open(self._address.origin, path, payloads.handshake_auth(token))
            await self._make_ready(link, opening)
            is_handed_over = True
            self._adopt(link, opening)
        finally:
            if not is_handed_over:
                await link.close()

    async def _make_ready(self, link: Link, opening: Opening) -> None:
        """Authenticate where the server wants an event for it, and join every room again."""
        # A link that breaks meanwhile says so to whoever sends; it is told below.
        with contextlib.suppress(NotConnected):
            if self._config.authenticate_event and self._tokens.user is not None:
                await link.emit(names.AUTHENTICATE, payloads.authenticate(self._tokens.user))
                either: set[asyncio.Future[Any]] = {opening.authenticated, link.ended}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            await self._joins.join_all(link)
        if not link.is_open:
            raise ConnectFailed("The connection broke before it was ready; look at the server's log.")
