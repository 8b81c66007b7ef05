"""The parts of the server put together."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any, Self

from messaging_client.clock import Clock
from messaging_client.testing.lifetime import Lifetime
from messaging_client.testing.messaging import Messaging
from messaging_client.testing.network import Network
from messaging_client.testing.options import ServerOptions
from messaging_client.testing.realtime import Realtime
from messaging_client.testing.rest import build
from messaging_client.testing.routes import Routes
from messaging_client.testing.shapes import Shapes
from messaging_client.testing.sockets import Sockets
from messaging_client.testing.store import Store
from messaging_client.testing.surroundings import Surroundings


@dataclass(frozen=True, slots=True)
class Memory:
    """What outlasts a stop: the database, and what works on it."""

    store: Store
    messaging: Messaging
    shapes: Shapes

    @classmethod
    def open(cls, database: str, options: ServerOptions, clock: Clock) -> Self:
        """Open the database.

        Raises:
            ConfigurationError: it cannot be used.

        """
        store = Store(database)
        return cls(store, Messaging(store, options, clock), Shapes(store, options))


@dataclass(frozen=True, slots=True)
class Running:
    """What is there from a start to its stop."""

    lifetime: Lifetime
    sockets: Sockets
    realtime: Realtime
    network: Network

    async def stop(self) -> None:
        """Close the port and cut every connection; nothing is left running."""
        self.lifetime.begin_stop()
        self.sockets.thaw()
        await self.network.stop()
        await self.sockets.stop()
        await self.lifetime.end()


async def launch(around: Surroundings, memory: Memory, listening: socket.socket) -> Running:
    """Put the parts together, and accept connections on a socket that is bound."""
    sockets = Sockets(around)
    realtime = Realtime(around, sockets, memory.store, memory.messaging, memory.shapes)
    routes = Routes(around.options, memory.store, memory.messaging, memory.shapes, realtime)
    rest = build(routes.table(), around)
    live = around.options.socketio_path.rstrip("/")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        is_live = scope["path"] == live or scope["path"].startswith(f"{live}/")
        await (sockets if is_live else rest)(scope, receive, send)

    network = Network(app, around.options.max_http_buffer_size)
    await network.start(listening)
    return Running(around.lifetime, sockets, realtime, network)
