"""What it costs that a send survives the process and the power: sends with SQLite against sends with memory."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from functools import partial
from pathlib import Path

from benchmarks.flood_server import running
from benchmarks.measure import Comparison, in_turn
from messaging_client import MessagingClient, MessagingConfig

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJpZCI6NzksInJvbGUiOiJtZWRlY2luIn0.c2lnbmF0dXJl"


async def _rate(url: str, at_a_time: int, each: int, keys: bool, store: Path | None) -> float:
    """Confirmed sends per second: one after the other in each conversation, several conversations at a time."""
    config = MessagingConfig(notify_sent=False, server_idempotency=keys)
    client = MessagingClient(url, token=TOKEN, config=config, store=store)

    async def send(conversation: int, count: int) -> None:
        for number in range(count):
            await client.send_message_to_conversation(conversation, f"message {number}")

    try:
        # Not counted: the file is made, and without keys the conversation is read once.
        await asyncio.gather(*(send(conversation, 1) for conversation in range(at_a_time)))
        began = time.perf_counter()
        await asyncio.gather(*(send(conversation, each) for conversation in range(at_a_time)))
        return at_a_time * each / (time.perf_counter() - began)
    finally:
        await client.aclose()


async def compare(times: int, each: int) -> list[Comparison]:
    numbers = itertools.count()
    # Where the work is, and not in the system's place for temporary files, which may be memory.
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as folder:
        async with running() as url:
            rows = []
            for keys, at_a_time in itertools.product((True, False), (1, 16)):
                work = partial(_rate, url, at_a_time, each * (8 if at_a_time == 1 else 1), keys)
                rows.append(
                    await in_turn(
                        f"sends with `store=`, keys {'honoured' if keys else 'ignored'}, {at_a_time} at a time",
                        "the same in memory",
                        "sends/s",
                        lambda work=work: work(Path(folder, f"{next(numbers)}.db")),  # type: ignore[misc]
                        partial(work, None),
                        times,
                    )
                )
            return rows
