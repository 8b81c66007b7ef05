"""The embedded server as a process of its own, for the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from messaging_client.signals import calling_at_signals
from messaging_client.testing.options import ServerOptions
from messaging_client.testing.server import MessagingServer


async def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 3000,
    database: str = ":memory:",
    secret: str | None = None,
    options: ServerOptions | None = None,
    on_ready: Callable[[MessagingServer], object] | None = None,
) -> None:
    """Run a server until this is cancelled, or until SIGINT or SIGTERM; prints nothing.

    Args:
        host, port, database, secret, options: as for `MessagingServer`.
        on_ready: called once it listens.

    Raises:
        OSError: the port is taken.
        ConfigurationError: the database or the secret cannot be used.

    """
    asked_to_stop = asyncio.Event()
    async with MessagingServer(database, port, host, options=options, secret=secret) as server:
        with calling_at_signals(asked_to_stop.set):
            if on_ready is not None:
                on_ready(server)
            await asked_to_stop.wait()
