"""Socket.IO connections: handshakes, rooms, sending, and cutting them (wire protocol, sections 1 and 4).

Private names of the libraries that are used here: `AsyncServer._engineio_server_class`, `._handle_eio_connect` and
`._handle_connect`; `tests/testing/test_library_contract.py` pins them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import engineio
import socketio

from messaging_client.testing.event_faults import Delivery
from messaging_client.testing.inputs import Refused
from messaging_client.testing.network import transport_of
from messaging_client.testing.options import ServerOptions
from messaging_client.testing.records import Identity
from messaging_client.testing.rules import (
    CloseSocket,
    ConnectFault,
    DelayConnect,
    Garble,
    RefuseConnect,
    RefuseUpgrade,
    StaySilent,
    UpgradeFault,
)
from messaging_client.testing.surroundings import Surroundings

log = logging.getLogger(__name__)

_SILENT = logging.getLogger("messaging_client.testing.socketio")
_SILENT.addFilter(lambda record: False)  # the libraries' INFO lines print tokens and payloads

CUT_TIMEOUT = 1.0  # seconds that a cut waits for the server itself to notice it


class _Engine(engineio.AsyncServer):  # type: ignore[misc]
    """The engine, which knows its background tasks: it leaves a sleeping ping behind for each connection."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.background: set[asyncio.Task[Any]] = set()

    def start_background_task(self, target: Any, *args: Any, **kwargs: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = super().start_background_task(target, *args, **kwargs)
        self.background.add(task)
        task.add_done_callback(self.background.discard)
        return task


class Server(socketio.AsyncServer):  # type: ignore[misc]
    """The server, which says when a client has had its CONNECT packet."""

    on_connected: Callable[[str], Awaitable[None]]

    def _engineio_server_class(self) -> type[_Engine]:
        return _Engine

    async def _handle_eio_connect(self, eio_sid: str, environ: Any) -> None:
        await super()._handle_eio_connect(eio_sid, environ)
        # The engine tells the client whole seconds, so 0 for an interval of 0.2: tell the truth.
        queue = self.eio.sockets[eio_sid].queue
        opening = queue.get_nowait()
        queue.task_done()
        opening.data["pingInterval"] = round(self.eio.ping_interval * 1000)
        queue.put_nowait(opening)

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        await super()._handle_connect(eio_sid, namespace, data)
        sid = self.manager.sid_from_eio_sid(eio_sid, "/")
        if sid is not None and self.manager.is_connected(sid, "/"):
            await self.on_connected(sid)

    async def end(self) -> None:
        """End what the libraries left running, once the connections have been cut."""
        background = set(self.eio.background)
        for task in background:
            task.cancel()
        if background:
            await asyncio.wait(background)


def new_server(options: ServerOptions) -> Server:
    """Make a Socket.IO server, an ASGI application by its `handle_request`, without handlers."""
    return Server(
        async_mode="asgi",
        async_handlers=False,  # one event of a client after the other, in order
        cors_allowed_origins="*",
        transports=["websocket"],
        ping_interval=options.ping_interval,
        ping_timeout=options.ping_timeout,
        max_http_buffer_size=options.max_http_buffer_size,
        logger=_SILENT,
        engineio_logger=_SILENT,
    )


@dataclass(slots=True, eq=False)
class Client:
    """A connected Socket.IO client.

    Attributes:
        sid: its socket id.
        user: whom its token names.
        transport: its TCP connection.
        is_admitted: whether it counts: connected, and authenticated where the server wants the event.

    """

    sid: str
    user: Identity
    transport: asyncio.Transport
    is_admitted: bool = False


class Sockets:
    """Every Socket.IO connection of a running server.

    Args:
        around: what the parts of the server share.

    Attributes:
        clients: by socket id.
        rooms: socket ids by name of the room, in order of joining.
        on_connected, on_gone, on_event: what `Realtime` does with a client that has connected, one that has left,
            and an event.

    """

    on_connected: Callable[[Client], Awaitable[None]]
    on_gone: Callable[[Client], Awaitable[None]]
    on_event: Callable[[str, Client, tuple[Any, ...]], Awaitable[Any]]

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._transports: set[asyncio.Transport] = set()
        self._frozen: set[asyncio.Transport] = set()
        self.clients: dict[str, Client] = {}
        self.rooms: dict[str, dict[str, None]] = {}
        self._sio = new_server(around.options)
        self._sio.on_connected = self._connected
        self._sio.on("connect", self._connect)
        self._sio.on("disconnect", self._disconnect)
        self._sio.on("*", self._event)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request to the Socket.IO address."""
        if scope["type"] != "websocket":
            await self._sio.handle_request(scope, receive, send)
            return
        transport = transport_of(scope)
        self._transports.add(transport)
        try:
            fault = self._around.rules.upgrades.take("upgrade")
            self._around.changes.notify()
            if fault is None:
                await self._serve(scope, receive, send)
            else:
                with self._around.rules.silence(transport):
                    await _spoil(fault, receive, send)
        finally:
            self._transports.discard(transport)

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self._sio.handle_request(scope, receive, send)
        except Exception:
            # A frame that is no packet ends the engine's read loop, but neither its writer nor the client's presence
            log.exception("a Socket.IO connection has ended on an odd frame")
            for eio_sid, environ in list(self._sio.environ.items()):
                if environ["asgi.scope"] is scope:
                    socket = self._sio.eio.sockets[eio_sid]
                    await socket.close(wait=False, abort=True, reason=self._sio.reason.TRANSPORT_ERROR)
                    await socket.queue.put(None)

    async def stop(self) -> None:
        """End what the libraries left running; the network has cut the connections before."""
        await self._sio.end()

    # The life of a connection

    async def _connect(self, sid: str, environ: Any, auth: Any) -> None:
        transport = transport_of(environ["asgi.scope"])
        lifetime = self._around.lifetime
        await lifetime.pause(self._around.options.middleware_delay)
        fault = self._around.rules.connects.take("connect")
        self._around.changes.notify()
        await self._spoil_connect(fault, transport)
        if lifetime.is_over or transport.is_closing():
            raise socketio.exceptions.ConnectionRefusedError("The connection is gone")
        try:
            user = self._around.tokens.verify(auth.get("token") if isinstance(auth, dict) else None)
        except Refused:
            raise socketio.exceptions.ConnectionRefusedError("Authentication error") from None
        self.clients[sid] = Client(sid, user, transport)

    async def _spoil_connect(self, fault: ConnectFault | None, transport: asyncio.Transport) -> None:
        match fault:
            case DelayConnect():
                await self._around.lifetime.pause(fault.seconds)
            case RefuseConnect():
                details = () if fault.data is None else (fault.data,)
                raise socketio.exceptions.ConnectionRefusedError(fault.message, *details)
            case StaySilent():
                with self._around.rules.silence(transport) as over:
                    await self._around.lifetime.wait_for(over)

    async def _connected(self, sid: str) -> None:
        client = self.clients.get(sid)
        if client is not None:
            await self.on_connected(client)
            self._around.changes.notify()

    async def _disconnect(self, sid: str, reason: str) -> None:
        client = self.clients.pop(sid)
        self._frozen.discard(client.transport)
        for room in list(self.rooms):
            self.leave(sid, room)
        await self.on_gone(client)
        self._around.changes.notify()

    async def _event(self, event: str, sid: str, *args: Any) -> Any:
        client = self.clients.get(sid)
        return None if client is None else await self.on_event(event, client, args)

    # Rooms and sending

    def join(self, sid: str, room: str) -> None:
        """Put a socket into a room, unless it is gone."""
        if sid in self.clients:
            self.rooms.setdefault(room, {})[sid] = None
            self._around.changes.notify()

    def leave(self, sid: str, room: str) -> None:
        """Take a socket out of a room."""
        members = self.rooms.get(room, {})
        members.pop(sid, None)
        if not members:
            self.rooms.pop(room, None)
        self._around.changes.notify()

    def of(self, user: Identity | None) -> list[Client]:
        """Every connection of a user, or of everybody."""
        return [client for client in self.clients.values() if user in (None, client.user)]

    async def publish(self, event: str, *args: Any, rooms: Iterable[str], skip: str | None = None) -> None:
        """Send an event to every socket of some rooms, once each.

        Args:
            event: its name.
            args: its arguments.
            rooms: names of rooms; a room nobody is in is none.
            skip: a socket id that gets nothing.

        """
        members = dict.fromkeys(sid for room in rooms for sid in self.rooms.get(room, ()))
        await self.send(event, args, [sid for sid in members if sid != skip])

    async def send(self, event: str, args: tuple[Any, ...], sids: Iterable[str]) -> None:
        """Send an event to sockets, unless a fault has other plans."""
        deliveries = self._around.event_faults.pass_on(Delivery(event, args, tuple(sids)), self._user_of)
        self._around.changes.notify()
        await self.deliver(deliveries)

    async def deliver(self, deliveries: Iterable[Delivery]) -> None:
        """Send events, one after the other, past all faults."""
        for delivery in deliveries:
            if delivery.sockets:
                await self._sio.emit(delivery.event, delivery.args, to=list(delivery.sockets))

    def _user_of(self, sid: str) -> Identity | None:
        client = self.clients.get(sid)
        return None if client is None else client.user

    # Cutting

    async def cut(self, user: Identity | None) -> int:
        """Abort the TCP connections of a user's sockets, or of all, even of those in a handshake; gives how many."""
        doomed = {client.transport for client in self.of(user)} | (set() if user else self._transports)
        standing = sum(not transport.is_closing() for transport in doomed)  # one that was cut may still be worked off
        for transport in doomed:
            if transport in self._frozen:
                _protocol(transport).resume_writing()  # else who writes to it might never wake
            transport.abort()
        await self._until_gone(doomed)
        return standing

    async def disconnect(self, user: Identity | None) -> int:
        """End the connections of a user, or all, as `socket.disconnect(true)` does; gives how many."""
        doomed = self.of(user)
        for client in doomed:
            socket = self._sio.eio.sockets[self._sio.manager.eio_sid_from_sid(client.sid, "/")]
            await self._sio.disconnect(client.sid)
            await socket.close(wait=False)
            await socket.queue.put(None)  # lets the writer close the WebSocket
        await self._until_gone({client.transport for client in doomed})
        return len(doomed)

    async def _until_gone(self, transports: set[asyncio.Transport]) -> None:
        def are_gone() -> bool:
            return not any(client.transport in transports for client in self.clients.values())

        await self._around.changes.wait_until(are_gone, CUT_TIMEOUT)

    def freeze(self, user: Identity | None) -> int:
        """Neither read from nor write to a user's sockets, or any: a link that is half open; gives how many."""
        for client in self.of(user):
            client.transport.pause_reading()
            _protocol(client.transport).pause_writing()
            self._frozen.add(client.transport)
        return len(self._frozen)

    def thaw(self) -> None:
        """Go on with frozen sockets."""
        for transport in self._frozen:
            _protocol(transport).resume_writing()
            transport.resume_reading()
        self._frozen.clear()


def _protocol(transport: asyncio.Transport) -> asyncio.BaseProtocol:
    protocol = transport.get_protocol()
    if protocol is None:  # asyncio's own transports always have one
        raise RuntimeError("a connection without a protocol")
    return protocol


async def _spoil(fault: UpgradeFault, receive: Any, send: Any) -> None:
    """Let a WebSocket upgrade fail, and wait until the client has left."""
    match fault:
        case RefuseUpgrade():
            headers = [(b"content-type", b"text/plain; charset=utf-8")]
            await send({"type": "websocket.http.response.start", "status": fault.status, "headers": headers})
            await send({"type": "websocket.http.response.body", "body": fault.body.encode()})
        case CloseSocket():
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": fault.code})
        case Garble():
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.send", "text": fault.frame})
        case StaySilent(at="open"):
            await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass
