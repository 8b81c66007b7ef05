"""One Socket.IO connection, from its handshake to its end; it is never used twice.

Each attempt gets a fresh `AsyncClient`: the library's own reconnection reaches states that it never leaves
(`tests/faults/README.md`). The aiohttp session is one for many links (`doors.py`). Private names of the libraries are
used in `engine.py`; here `engineio.base_client.connected_clients` is. `tests/transport/test_link.py` pins them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any, cast

import aiohttp
from aiohttp import WSMsgType
from aiohttp._websocket.reader import WebSocketDataQueue
from aiohttp.http import WebSocketWriter
from engineio import base_client as engine_registry
from engineio import packet as engine_packet

from messaging_client.clock import Clock, new_task
from messaging_client.config import MessagingConfig
from messaging_client.errors import (
    ConnectFailed,
    NotConnected,
    RequestTimeout,
)
from messaging_client.models import ConnectionCause as Cause
from messaging_client.transport import fast_path
from messaging_client.transport.cork import Cork
from messaging_client.transport.doors import Door
from messaging_client.transport.endings import brought_to_end, failure_of, finish, within
from messaging_client.transport.engine import Client, Engine
from messaging_client.transport.frames import Splitter, splitter_before
from messaging_client.transport.packets import DISCONNECT_FRAME, INVALID_FRAME, encode_event, packets_up_to
from messaging_client.transport.refusals import Refusal, explain
from messaging_client.transport.replies import Replies
from messaging_client.transport.sockets import Sockets
from messaging_client.transport.tap import Tap

# Outside the tree of loggers, so that nobody's configuration turns it on: the library's INFO lines print tokens and
# payloads, and cost 45 % of the event rate.
_SILENT = logging.Logger("messaging_client.socketio")  # noqa: LOG001
_SILENT.disabled = True

OUTBOUND_LIMIT = 64
"""Packets that may wait for the network; a further `emit` waits for room. The library's own queue has no bound."""

CLOSE_TIMEOUT = 1.0
"""Seconds that a polite goodbye may take before the socket is shut down."""

_FRAME_TOO_LARGE = 1009  # RFC 6455, section 7.4.1


class Link:
    """One connection to the server.

    Args:
        config: settings of the client.
        clock: for time-outs of calls; the silence of the server is measured in real time.
        on_event: called for each event, in order, with its name and arguments; must not raise or block.
        ssl_context: for `https`, or None.
        tap: told of every frame, or None.

    Attributes:
        on_event: called for each event from now on, while the link `is_telling`.
        is_telling: the link has neither ended nor is it being left.
        splitter: gives whole texts on as they arrive; None where that is not possible.
    """

    def __init__(
        self,
        config: MessagingConfig,
        *,
        clock: Clock,
        on_event: Callable[[str, tuple[Any, ...]], None],
        ssl_context: ssl.SSLContext | None,
        tap: Tap | None = None,
    ) -> None:
        self._config = config
        self._tap = tap
        self._clock = clock
        self.on_event = on_event
        self._ssl_context = ssl_context
        self._sockets = Sockets()
        self._door: Door | None = None
        self._transport: asyncio.Transport | None = None
        self._websocket: aiohttp.ClientWebSocketResponse | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._watchdog: asyncio.TimerHandle | None = None
        self._refusal: Refusal | None = None
        self._leaving = False
        self.is_telling = True
        self._loop = asyncio.get_running_loop()
        self._last_heard = time.monotonic()
        self.ended: asyncio.Future[Cause] = self._loop.create_future()
        self.is_fast = fast_path.is_usable()
        self.splitter: Splitter | None = None
        self._cork: Cork | None = None
        self._writer: WebSocketWriter | None = None  # past which frames can be written; None where that is not possible
        # aiohttp's own default is 4 MiB, and it refuses the limit itself.
        self._most_bytes = config.max_response_bytes + 1
        self.sio = Client(
            reconnection=False,
            handle_sigint=False,
            logger=_SILENT,
            engineio_logger=_SILENT,
            serializer=packets_up_to(config.max_response_bytes),
            websocket_extra_options={"max_msg_size": self._most_bytes, "proxy": config.proxy},
        )
        self._engine: Engine = self.sio.eio
        self._engine.link = self.sio.link = self
        self.replies = Replies(clock)
        self.sio.on("*", self.event)
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
        self._door = self._engine.http = Door(self, self._config.headers, self._ssl_context)
        self._engine.external_http = True
        self._connecting = new_task(
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
        loops = [task for task in (self._engine.read_loop_task, self._engine.write_loop_task) if task]
        if self.ended.done() or self._engine.state != "connected" or len(loops) < 2:
            self.end(Cause.CONNECTION_LOST)
            raise ConnectFailed("The server ended the connection during the handshake; look at its log.")
        # Whatever way a loop ends, even by an exception, the link has ended.
        for loop in loops:
            loop.add_done_callback(self._loop_ended)
        self._connecting = None  # a task that has ended keeps its frames
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
        await self._send(encode_event(event, payload, self._config.max_message_bytes))

    async def ask(self, event: str, payload: Any) -> asyncio.Future[Any]:
        """Emit, and give what is done when the server acknowledges; cancel it when nobody waits any more.

        Raises:
            NotConnected: there is no connection.
            RequestTimeout: there is no room in the outbound queue.
            ValidationFailed: the payload is no JSON, or larger than `max_message_bytes`.
        """
        _, reply = await self._ask(event, payload)
        return reply

    async def call(self, event: str, payload: Any, timeout: float) -> Any:
        """Emit and wait for the acknowledgement, at most `timeout` seconds.

        Returns:
            The argument of the acknowledgement; a tuple if it has several, None if it has none.

        Raises:
            NotConnected, ValidationFailed: see `ask`.
            ConnectionLost: the connection ended before the acknowledgement.
            RequestTimeout: no acknowledgement in time.
        """
        number, reply = await self._ask(event, payload)
        self.replies.limit(number, event, timeout)
        try:
            return await reply
        finally:
            if not reply.done():  # else it is forgotten already
                reply.cancel()

    async def _ask(self, event: str, payload: Any) -> tuple[int, asyncio.Future[Any]]:
        number, reply = self.replies.expect()
        try:
            frames = encode_event(event, payload, self._config.max_message_bytes, number)
            if not self._has_room():
                await self._room()
            self._put(frames)
        except BaseException:
            reply.cancel()
            raise
        return number, reply

    async def _send(self, frames: list[str | bytes]) -> None:
        if not self._has_room():
            await self._room()
        self._put(frames)

    def _has_room(self) -> bool:
        may_write = self._cork is None or self._cork.has_room
        return may_write and self.is_open and self._engine.queue.qsize() < OUTBOUND_LIMIT

    def _put(self, frames: list[str | bytes]) -> None:
        if self._engine.state == "connected" and not self._write_at_once(frames):
            for frame in frames:
                self._engine.queue.put_nowait(engine_packet.Packet(engine_packet.MESSAGE, frame))

    def _write_at_once(self, frames: list[str | bytes]) -> bool:
        """Write a text without the library's queue and its task, if nothing is there and the network takes more."""
        writer, frame = self._writer, frames[0]
        if writer is None or len(frames) > 1 or not isinstance(frame, str):
            return False
        if not self._engine.queue.is_idle or writer.protocol.writing_paused or self._engine.ws.closed:
            return False
        try:
            # What `send_frame` does before it waits for the network, which must not be begun outside of a task.
            writer._write_websocket_frame(f"{engine_packet.MESSAGE}{frame}".encode(), WSMsgType.TEXT, 0)
        except OSError:
            return False  # the library finds out what is wrong, and ends the connection
        return True

    def unreadable(self, error: Exception, frame: Any) -> None:
        """Report a frame that the library, or whoever takes the events, could not handle."""
        with contextlib.suppress(Exception):
            self.event(INVALID_FRAME, type(error).__name__, frame)

    def heard(self) -> None:
        """Note that the server has just sent something."""
        self._last_heard = time.monotonic()

    def end(self, cause: Cause) -> None:
        """The link has ended: nothing is sent or delivered any more, calls that wait fail, the sockets are shut."""
        if self.ended.done() or (self._leaving and cause is not Cause.DISCONNECT):
            return
        if cause is Cause.CONNECTION_LOST and self._websocket is not None:
            cause = Cause.FRAME_TOO_LARGE if self._websocket.close_code == _FRAME_TOO_LARGE else cause
        self.ended.set_result(cause)
        self.is_telling = False
        if self._watchdog is not None:
            self._watchdog.cancel()
        self.replies.fail()
        self._sockets.shut()

    async def close(self, *, politely: bool = False) -> None:
        """Leave nothing behind: no socket, no task, no entry in the library's registry, even when cancelled meanwhile.

        Args:
            politely: tell the server goodbye first, for at most `CLOSE_TIMEOUT` seconds.
        """
        await brought_to_end(self._close(politely=politely))

    async def _close(self, *, politely: bool) -> None:
        if politely and self.is_open:
            self._leaving, self.is_telling = True, False
            await within(CLOSE_TIMEOUT, self._say_goodbye())
        self.end(Cause.DISCONNECT)
        self._sockets.shut()
        await finish(self.replies.take_timer())
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
        if self._transport is not None:
            self._transport.abort()  # whatever the library has made of it: the connector closes those of all links only
            await asyncio.sleep(0)
        if self._door is not None:
            await self._door.close()
        with contextlib.suppress(ValueError):
            engine_registry.connected_clients.remove(self._engine)

    async def _say_goodbye(self) -> None:
        await self._engine.send(DISCONNECT_FRAME)
        await self._engine.queue.join()
        assert self._websocket is not None
        await self._websocket.close()
        # From Python 3.12 on the reading task closes it first, and this returns before the server has answered.
        if self._engine.read_loop_task is not None:
            await asyncio.wait({self._engine.read_loop_task})

    def new_socket(self, address: Any) -> socket.socket:
        """Make a socket for an address, which is shut down with the link."""
        return self._sockets.new(address)

    def new_websocket(self, *args: Any, **kwargs: Any) -> aiohttp.ClientWebSocketResponse:
        """Make what aiohttp makes of these arguments, with what is ours under it."""
        # A tap is told of what the socket's own methods are given and give, which must not be passed by.
        passes_by = self.is_fast and self._tap is None and fast_path.is_aiohttp_known()
        for each in args:
            if isinstance(each, WebSocketWriter):
                self._transport = each.transport
                self._writer = each if passes_by else None
                if self.is_fast:
                    self._cork = each.transport = cast(Any, Cork(each.transport))
            elif passes_by and isinstance(each, WebSocketDataQueue):
                self.splitter = splitter_before(each, self._most_bytes, self.heard)
        self._websocket = aiohttp.ClientWebSocketResponse(*args, **kwargs)
        if self._tap is not None:
            self._tap.websocket(self._websocket)
        return self._websocket

    def _watch(self) -> None:
        """End the link when the server is silent for longer than it promised in its handshake.

        The library does not: with unsent data its read loop waits for the write loop, for ever.
        """
        patience = self._engine.ping_interval + self._engine.ping_timeout
        remaining = self._last_heard + patience - time.monotonic()
        if remaining <= 0:
            self.end(Cause.PING_TIMEOUT)
        else:
            self._watchdog = self._loop.call_later(remaining, self._watch)

    async def _room(self) -> None:
        """Wait for the next turn where much was written in this one, and until the outbound queue has room."""
        if self._cork is not None and not self._cork.has_room:
            await asyncio.sleep(0)
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

    def event(self, name: str, *args: Any) -> None:
        """Hand on an event, unless the link has ended or is being left."""
        if self.is_telling:
            self.on_event(name, args)

    def _loop_ended(self, _loop: object) -> None:
        self.end(Cause.CONNECTION_LOST)

    def _disconnected(self, reason: str = "", *_more: Any) -> None:
        is_server = reason == self.sio.reason.SERVER_DISCONNECT
        self.end(Cause.SERVER_DISCONNECT if is_server else Cause.CONNECTION_LOST)

    def _refused(self, data: Any = None, *_more: Any) -> None:
        # The library calls this too when there is no connection at all, with a text of its own.
        if self._engine.state == "connected":
            self._refusal = Refusal(data)
            self.end(Cause.SERVER_DISCONNECT)
