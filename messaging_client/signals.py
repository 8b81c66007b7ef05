"""SIGINT and SIGTERM as something to wait for."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


async def until_told_to_stop(on_ready: Callable[[], object] | None = None) -> None:
    """Return at SIGINT or SIGTERM; where the loop cannot hear signals, this waits to be cancelled.

    Args:
        on_ready: called once signals are heard, so that whoever waits for what it says may send one at once.
    """
    asked_to_stop = asyncio.Event()
    with calling_at_signals(asked_to_stop.set):
        if on_ready is not None:
            on_ready()
        await asked_to_stop.wait()


@contextmanager
def calling_at_signals(stop: Callable[[], None]) -> Iterator[None]:
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
