"""TCP: listening on a port that is known before anything runs, and connections that can be cut.

The server runs uvicorn's protocols straight on the event loop, without `uvicorn.Server`: that one takes over the
signals of the process, looks only ten times a second whether it should stop, and waits for clients to leave.
Names that this stands on, none of them private: uvicorn's `H11Protocol` with its constructor, `app_state`, `access_log`
and `connection_made`, `WebSocketsSansIOProtocol.conn`, `ServerState.connections` and `.tasks`, and `Protocol.debug` of
websockets; `tests/testing/test_library_contract.py` pins them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

KEEP_ALIVE = 60  # seconds; uvicorn's 5 let a client's pooled connection end just as it is used again
ACCEPT_TURNS = 5  # turns of the loop after which a connection that was just accepted has its protocol
STOP_TIMEOUT = 0.5  # seconds that requests under way get to notice that their connection is gone

log = logging.getLogger(__name__)

App = Callable[[Any, Any, Any], Awaitable[None]]


class _WebSocket(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol, which keeps frames and headers out of the log: they hold tokens and messages."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn.debug = False


class _Protocol(H11Protocol):
    """uvicorn's HTTP protocol, which hands its transport on to the application: `scope["state"]["transport"]`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.access_log = False  # the setting of this name would silence every other server of the process too

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


def transport_of(scope: Any) -> asyncio.Transport:
    """The TCP connection that a request or a WebSocket came over."""
    return cast(asyncio.Transport, scope["state"]["transport"])


def bind(host: str, port: int) -> socket.socket:
    """Take a port; 0 takes a free one.

    Raises:
        OSError: the port is taken, or the address is not this machine's.

    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol left open asyncio would not turn Nagle's algorithm off: 40 ms for each answer
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere the option would let two servers share a port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


class Network:
    """A listening socket and its connections.

    Args:
        app: an ASGI application.
        max_frame: largest WebSocket frame in bytes.

    """

    def __init__(self, app: App, max_frame: int) -> None:
        self._config = uvicorn.Config(
            app,
            http=_Protocol,
            ws=_WebSocket,
            lifespan="off",
            log_config=None,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE,
            ws_max_size=max_frame,
            ws_ping_interval=None,  # Engine.IO has pings of its own
        )
        self._state = ServerState()
        self._server: asyncio.Server | None = None

    async def start(self, listening: socket.socket) -> None:
        """Accept connections."""
        self._config.load()
        self._server = await asyncio.get_running_loop().create_server(self._new_protocol, sock=listening)

    def _new_protocol(self) -> _Protocol:
        return _Protocol(config=self._config, server_state=self._state, app_state={})

    async def stop(self) -> None:
        """Close the port and cut every connection; requests under way end without an answer."""
        if self._server is None:
            return
        loop = asyncio.get_running_loop()
        for listening in self._server.sockets:
            # Accept no more, but let those that were accepted have their protocol: asyncio (3.11) loses the socket of
            # one that has none yet when its server is closed.
            with contextlib.suppress(NotImplementedError):  # the loop of Windows accepts in another way
                loop.remove_reader(listening.fileno())
        for _ in range(ACCEPT_TURNS):
            await asyncio.sleep(0)
        self._server.close()
        for connection in list(self._state.connections):
            connection.transport.abort()
        tasks = set(self._state.tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP_TIMEOUT)
            for task in late:
                task.cancel()
            if late:
                log.warning("%d requests had to be cancelled", len(late))
                await asyncio.wait(late)
        await self._server.wait_closed()
        self._server = None
