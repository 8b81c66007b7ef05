"""One Socket.IO connection, from its handshake to its end; it is never used twice.

Each attempt gets a fresh `AsyncClient` and aiohttp session: the library's own reconnection reaches states that it never
leaves (`python-socketio-facts.md`). Private names of the libraries that are used here, checked with python-socketio
5.18.1 and python-engineio 4.15.1: `_engineio_client_class`, `_handle_eio_message`, `_handle_connect` and
`_handle_event` of the client, `_receive_packet` of the engine, and `engineio.base_client.connected_clients`;
`tests/transport/test_link.py` pins them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import ssl
from collections.abc import Callable
from typing import Any, cast

import aiohttp
import engineio
import socketio
from engineio import base_client as engine_registry
from engineio import packet as engine_packet

from messaging_client.clock import Clock, finished_within
from messaging_client.config import MessagingConfig
from messaging_client.errors import (
    ConnectFailed,
    NotConnected,
    RequestTimeout,
)
from messaging_client.models import ConnectionCause as Cause
from messaging_client.transport.endings import brought_to_end, failure_of, finish, within
from messaging_client.transport.packets import INVALID_FRAME, encode_event, packets_up_to
from messaging_client.transport.refusals import Refusal, explain
from messaging_client.transport.replies import Replies
from messaging_client.transport.sockets import Sockets

# Outside the tree of loggers, so that nobody's configuration turns it on: the library's INFO lines print tokens and
# payloads, and cost 45 % of the event rate.
_SILENT = logging.Logger("messaging_client.socketio")  # noqa: LOG001
_SILENT.disabled = True

OUTBOUND_LIMIT = 64
"""Packets that may wait for the network; a further `emit` waits for room. The library's own queue has no bound."""

UNREAD_LIMIT = 1000
"""Packets that may wait for the network, answers to pings and to events that ask for one included. A server that goes
on asking and does not read the answers is left."""

CLOSE_TIMEOUT = 1.0
"""Seconds that a polite goodbye may take before the socket is shut down."""

_FRAME_TOO_LARGE = 1009  # RFC 6455, section 7.4.1
_DISCONNECT_FRAME = "1"  # Socket.IO protocol 5: DISCONNECT of the default namespace


# What servers with connectionStateRecovery add to an event, each in the form of its adapter: in memory a yeast, that is
# the time in base 64, from 2020 to 2048 and perhaps counted on after a dot; of Redis streams; of MongoDB.
_OFFSET = re.compile(r"[N-Z][\w-]{6}(\.[\w-]{1,3})?|[0-9]{13}-[0-9]{1,10}|[0-9a-f]{24}", re.ASCII)


def _without_offset(data: list[Any]) -> list[Any]:
    """Give an event without the offset that a server with recovery adds after its last argument.

    Volatile events have none, and nothing in the packet tells them apart: there a last argument of the user's that
    looks just like an offset is taken for one.
    """
    if len(data) > 1 and data[0] != INVALID_FRAME and isinstance(data[-1], str) and _OFFSET.fullmatch(data[-1]):
        return data[:-1]
    return data


async def _refuse_redirect(_session: Any, _context: Any, told: aiohttp.TraceRequestRedirectParams) -> None:
    """Stop at a redirect, which aiohttp would follow: the token would be said to whoever it leads to."""
    response = told.response
    raise aiohttp.WSServerHandshakeError(response.request_info, (), status=response.status)


def no_redirects() -> aiohttp.TraceConfig:
    """Give what makes a session refuse redirects."""
    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_refuse_redirect)
    return trace


class _Engine(engineio.AsyncClient):  # type: ignore[misc]
    """The engine client, which hands frames on in order and notes when it last heard from the server."""

    link: Link

    async def _receive_packet(self, pkt: engine_packet.Packet) -> None:
        self.link.heard()
        if self.queue.qsize() > UNREAD_LIMIT:
            self.link.end(Cause.CONNECTION_LOST)
            return
        if pkt.packet_type == engine_packet.PING:
            # What it carries would be sent back with the answer; a ping of the protocol carries nothing.
            pkt.data = None
        is_event = pkt.packet_type == engine_packet.MESSAGE
        if (is_event and pkt.data == _DISCONNECT_FRAME) or pkt.packet_type == engine_packet.CLOSE:
            # The library forgets the first that comes before `connect()` has returned, and at the second it empties
            # the queue, at which its write loop then waits.
            self.link.end(Cause.SERVER_DISCONNECT)
        elif is_event:
            # Not in a task for each frame, as the library has it: what that raises is lost, frame and all.
            try:
                await self.link.sio._handle_eio_message(pkt.data)
            except Exception as error:  # noqa: BLE001 - an odd frame must not end the read loop, and so the link
                self.link.unreadable(error, pkt.data)
        else:
            await super()._receive_packet(pkt)


class _Client(socketio.AsyncClient):  # type: ignore[misc]
    recovers = False

    def _engineio_client_class(self) -> type[_Engine]:
        return _Engine

    async def _handle_connect(self, namespace: str | None, data: Any) -> None:
        self.recovers = isinstance(data, dict) and "pid" in data
        await super()._handle_connect(namespace, data)

    async def _handle_event(self, namespace: str | None, id: int | None, data: list[Any]) -> None:
        # Node adds no offset to what wants an acknowledgement.
        told = _without_offset(data) if self.recovers and id is None else data
        await super()._handle_event(namespace, id, told)


class Link:
    """One connection to the server.

    Args:
        config: settings of the client.
        clock: for time-outs of calls; the silence of the server is measured in real time.
        on_event: called for each event, in order, with its name and arguments; must not raise or block.
        ssl_context: for `https`, or None.
    """

    def __init__(
        self,
        config: MessagingConfig,
        *,
        clock: Clock,
        on_event: Callable[[str, tuple[Any, ...]], None],
        ssl_context: ssl.SSLContext | None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._on_event = on_event
        self._ssl_context = ssl_context
        self._sockets = Sockets()
        self._session: aiohttp.ClientSession | None = None
        self._websocket: aiohttp.ClientWebSocketResponse | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._watchdog: asyncio.TimerHandle | None = None
        self._refusal: Refusal | None = None
        self._leaving = False
        self._loop = asyncio.get_running_loop()
        self._last_heard = self._loop.time()
        self.ended: asyncio.Future[Cause] = self._loop.create_future()
        self.sio = _Client(
            reconnection=False,
            handle_sigint=False,
            logger=_SILENT,
            engineio_logger=_SILENT,
            serializer=packets_up_to(config.max_response_bytes),
            # aiohttp's own default is 4 MiB, and it refuses the limit itself.
            websocket_extra_options={"max_msg_size": config.max_response_bytes + 1, "proxy": config.proxy},
        )
        self._engine: _Engine = self.sio.eio
        self._engine.link = self
        self._replies = Replies(self.sio)
        self.sio.on("*", self._event)
        self.sio.on("disconnect", self._disconnected)
        self.sio.on("connect_error", self._refused)
        # In place of the library's own, which says nothing of a loss during the handshake.
        self._engine.on("disconnect", self._disconnected)

    async def open(self, origin: str, path: str, auth: dict[str, Any]) -> None:
        """Connect and wait for the namespace acknowledgement; the caller bounds the time by cancelling.

        Raises:
            HandshakeRefused: the server answered, with a refusal.
            ConnectFailed: it could not be reached, or did not speak Socket.IO.
        """
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._ssl_context or True, socket_factory=self._sockets.new),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=dict(self._config.headers),
            trace_configs=[no_redirects()],
            ws_response_class=cast(Any, self._new_websocket),
        )
        self._engine.http = self._session
        self._engine.external_http = True
        self._connecting = asyncio.create_task(
            self.sio.connect(
                origin,
                auth=auth,
                transports=["websocket"],
                namespaces=["/"],
                socketio_path=path,
                # The caller's own limit is what counts; the library's must only not come first.
                wait_timeout=self._config.connect_timeout * 2,
            )
        )
        # The library waits its full time for a namespace whose connection is gone.
        either: set[asyncio.Future[Any]] = {self._connecting, self.ended}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if self._refusal is not None:
            raise explain(self._refusal)
        if self._connecting.done() and (failure := failure_of(self._connecting)):
            raise explain(failure)
        loops = (self._engine.read_loop_task, self._engine.write_loop_task)
        if self.ended.done() or self._engine.state != "connected" or not all(loops):
            self.end(Cause.CONNECTION_LOST)
            raise ConnectFailed("The server ended the connection during the handshake; look at its log.")
        # Whatever way a loop ends, even by an exception, the link has ended.
        for loop in loops:
            loop.add_done_callback(lambda _task: self.end(Cause.CONNECTION_LOST))
        self._watch()

    @property
    def socket_id(self) -> str | None:
        """The Socket.IO id of this connection."""
        sid = self.sio.get_sid("/")
        return sid if isinstance(sid, str) else None

    @property
    def is_open(self) -> bool:
        """Whether the link stands, as far as is known."""
        return not self.ended.done()

    async def emit(self, event: str, payload: Any) -> None:
        """Hand an event to the network; waits while too many wait already.

        Raises:
            NotConnected, RequestTimeout, ValidationFailed: see `call`.
        """
        frames = encode_event(event, payload, self._config.max_message_bytes)
        await self._room()
        for frame in frames:
            await self._engine.send(frame)

    async def ask(self, event: str, payload: Any) -> asyncio.Future[Any]:
        """Emit, and give what is done when the server acknowledges; cancel it when nobody waits any more.

        Raises:
            NotConnected: there is no connection.
            RequestTimeout: there is no room in the outbound queue.
            ValidationFailed: the payload is no JSON, or larger than `max_message_bytes`.
        """
        encode_event(event, payload, self._config.max_message_bytes)
        await self._room()
        return await self._replies.ask(event, payload)

    async def call(self, event: str, payload: Any, timeout: float) -> Any:
        """Emit and wait for the acknowledgement, at most `timeout` seconds.

        Returns:
            The argument of the acknowledgement; a tuple if it has several, None if it has none.

        Raises:
            NotConnected, ValidationFailed: see `ask`.
            ConnectionLost: the connection ended before the acknowledgement.
            RequestTimeout: no acknowledgement in time.
        """
        reply = await self.ask(event, payload)
        try:
            if await finished_within(self._clock, reply, timeout):
                return reply.result()
        finally:
            reply.cancel()
        raise RequestTimeout(
            f"No acknowledgement of '{event}' within {timeout:g} s; the server may have taken it all the same.",
            may_have_left=True,
        )

    def unreadable(self, error: Exception, frame: Any) -> None:
        """Report a frame that the library, or whoever takes the events, could not handle."""
        with contextlib.suppress(Exception):
            self._event(INVALID_FRAME, type(error).__name__, frame)

    def heard(self) -> None:
        """Note that the server has just sent something."""
        self._last_heard = self._loop.time()

    def end(self, cause: Cause) -> None:
        """The link has ended: nothing is sent or delivered any more, calls that wait fail, the sockets are shut."""
        if self.ended.done() or (self._leaving and cause is not Cause.DISCONNECT):
            return
        if cause is Cause.CONNECTION_LOST and self._websocket is not None:
            cause = Cause.FRAME_TOO_LARGE if self._websocket.close_code == _FRAME_TOO_LARGE else cause
        self.ended.set_result(cause)
        if self._watchdog is not None:
            self._watchdog.cancel()
        self._replies.fail()
        self._sockets.shut()

    async def close(self, *, politely: bool = False) -> None:
        """Leave nothing behind: no socket, no task, no entry in the library's registry, even when cancelled meanwhile.

        Args:
            politely: tell the server goodbye first, for at most `CLOSE_TIMEOUT` seconds.
        """
        await brought_to_end(self._close(politely=politely))

    async def _close(self, *, politely: bool) -> None:
        if politely and self.is_open:
            self._leaving = True
            await within(CLOSE_TIMEOUT, self._say_goodbye())
        self.end(Cause.DISCONNECT)
        self._sockets.shut()
        await finish(self._connecting)
        # With the socket shut both loops end by themselves; cancelling is the last resort.
        loops = {task for task in (self._engine.read_loop_task, self._engine.write_loop_task) if task}
        if loops:
            await asyncio.wait(loops, timeout=CLOSE_TIMEOUT)
        for task in loops:
            await finish(task)
        if self._websocket is not None:
            # The library loses sight of one whose first frame is not what it should be.
            await within(CLOSE_TIMEOUT, self._websocket.close())
        if self._session is not None:
            await self._session.close()
        with contextlib.suppress(ValueError):
            engine_registry.connected_clients.remove(self._engine)

    async def _say_goodbye(self) -> None:
        await self._engine.send(_DISCONNECT_FRAME)
        await self._engine.queue.join()
        assert self._websocket is not None
        await self._websocket.close()

    def _new_websocket(self, *args: Any, **kwargs: Any) -> aiohttp.ClientWebSocketResponse:
        self._websocket = aiohttp.ClientWebSocketResponse(*args, **kwargs)
        return self._websocket

    def _watch(self) -> None:
        """End the link when the server is silent for longer than it promised in its handshake.

        The library does not: with unsent data its read loop waits for the write loop, for ever.
        """
        patience = self._engine.ping_interval + self._engine.ping_timeout
        remaining = self._last_heard + patience - self._loop.time()
        if remaining <= 0:
            self.end(Cause.PING_TIMEOUT)
        else:
            self._watchdog = self._loop.call_later(remaining, self._watch)

    async def _room(self) -> None:
        """Wait until the outbound queue has room."""
        queue = self._engine.queue
        deadline = self._loop.time() + self._config.request_timeout
        while self.is_open and queue.qsize() >= OUTBOUND_LIMIT:
            drained = asyncio.ensure_future(queue.join())
            try:
                remaining = deadline - self._loop.time()
                await asyncio.wait({drained, self.ended}, timeout=remaining, return_when=asyncio.FIRST_COMPLETED)
                if not drained.done() and self.is_open:
                    raise RequestTimeout("The connection takes nothing more; wait, or reconnect.")
            finally:
                drained.cancel()
        if not self.is_open:
            raise NotConnected("There is no connection; wait for `wait_connected()`, or send over REST.")

    def _event(self, name: str, *args: Any) -> None:
        if self.is_open and not self._leaving:
            self._on_event(name, args)

    def _disconnected(self, reason: str = "", *_more: Any) -> None:
        is_server = reason == self.sio.reason.SERVER_DISCONNECT
        self.end(Cause.SERVER_DISCONNECT if is_server else Cause.CONNECTION_LOST)

    def _refused(self, data: Any = None, *_more: Any) -> None:
        # The library calls this too when there is no connection at all, with a text of its own.
        if self._engine.state == "connected":
            self._refusal = Refusal(data)
            self.end(Cause.SERVER_DISCONNECT)
