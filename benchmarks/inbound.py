"""A flood of messages to an async handler: typed, recognised and in order here, plain dictionaries there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import socketio

from benchmarks.flood_server import running
from benchmarks.measure import Comparison, in_turn
from messaging_client import Message, MessagingClient, MessagingConfig

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJpZCI6NzksInJvbGUiOiJtZWRlY2luIn0.c2lnbmF0dXJl"


class _Arrivals:
    """Counts what arrives, from the first to the last."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.seen = 0
        self.began = 0.0
        self.done: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def one(self) -> None:
        self.seen += 1
        if self.seen == 1:
            self.began = time.perf_counter()
        elif self.seen == self._count and not self.done.done():
            self.done.set_result(self._count / (time.perf_counter() - self.began))


async def _ours(url: str, count: int, first: Callable[[], int]) -> float:
    arrivals = _Arrivals(count)
    config = MessagingConfig(queue_size=count)
    async with MessagingClient(url, token=TOKEN, config=config) as client:

        @client.on_new_message
        async def handle(_message: Message) -> None:
            arrivals.one()

        await client.emit("flood", (first(), count))
        return await arrivals.done


async def _bare(url: str, count: int, first: Callable[[], int]) -> float:
    arrivals = _Arrivals(count)
    client = socketio.AsyncClient()

    @client.on("new_message")
    async def handle(_payload: dict[str, Any]) -> None:
        arrivals.one()

    await client.connect(url, transports=["websocket"])
    try:
        await client.emit("flood", (first(), count))
        return await arrivals.done
    finally:
        await client.disconnect()


async def compare(times: int, count: int) -> list[Comparison]:
    numbers = iter(range(1, 10**9, count))
    async with running() as url:
        return [
            await in_turn(
                f"inbound `new_message`, {count:,} at once",
                "bare python-socketio, plain dicts",
                "events/s",
                lambda: _ours(url, count, lambda: next(numbers)),
                lambda: _bare(url, count, lambda: next(numbers)),
                times,
            )
        ]
