"""Handlers of the benchmark's workers."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from messaging_client import Message
from messaging_client.fleet import Delivery

NOTES = Path(os.environ["BENCH_NOTES"])
_is_open = False


async def wait(message: Message, delivery: Delivery) -> None:
    """A handler that waits for something else, as bots do; nobody's begins before all workers are there."""
    global _is_open
    while not _is_open:
        await asyncio.sleep(0.01)
        _is_open = NOTES.with_name("open").exists()
    await asyncio.sleep(0.01)


async def note(message: Message, delivery: Delivery) -> None:
    """Write down when a message came; `message.content` is when it was sent."""
    with NOTES.with_name("handled").open("a") as file:
        file.write(f"{time.monotonic() - float(message.content)}\n")
