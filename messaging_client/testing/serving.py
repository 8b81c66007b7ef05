"""The embedded server as a process of its own, for the command line."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

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
        with stopped_by_signals(asked_to_stop.set):
            if on_ready is not None:
                on_ready(server)
            await asked_to_stop.wait()


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` on SIGINT and SIGTERM during the block, where the loop can hear signals."""
    loop = asyncio.get_running_loop()
    before: dict[signal.Signals, Any] = {}
    try:
        for each in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(each)
            loop.add_signal_handler(each, stop)
            before[each] = handler
    except (NotImplementedError, RuntimeError, ValueError):
        pass  # Windows, or not the main thread: whoever runs this cancels it
    try:
        yield
    finally:
        for each, handler in before.items():
            loop.remove_signal_handler(each)
            signal.signal(each, handler)
