"""The embedded server as a process of its own, for the command line."""

from __future__ import annotations

from collections.abc import Callable

from messaging_client.signals import until_told_to_stop
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
    async with MessagingServer(database, port, host, options=options, secret=secret) as server:
        await until_told_to_stop(None if on_ready is None else lambda: on_ready(server))
