"""Connecting and disconnecting again and again leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import heapq
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
from engineio import base_client as engine_registry
from peers import descriptors, poll
from processes import DOCTOR, server_process

from messaging_client import MessagingClient

WARM_UP = 5
NOT_OURS = {"yarl.URL", "logging.LogRecord"}
"""Addresses, of which yarl keeps a bounded number (each holds the time of day), and the log, which pytest keeps."""


def forget_cancelled_timers() -> None:
    """Do what asyncio's loop does by itself once there are a hundred of them, or their time has come."""
    loop: Any = asyncio.get_running_loop()
    loop._scheduled[:] = [timer for timer in loop._scheduled if not timer.cancelled()]
    heapq.heapify(loop._scheduled)
    loop._timer_cancelled_count = 0


def idle_connections() -> int:
    """How many connections of REST wait for the next request, as they do for `IDLE_SECONDS`."""
    pools = [each for each in gc.get_objects() if isinstance(each, aiohttp.BaseConnector)]
    return sum(len(waiting) for pool in pools for waiting in pool._conns.values())


Cycle = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Inventory:
    tasks: int
    descriptors: int
    registry: int
    memory: int
    objects: Counter[str]

    @classmethod
    def take(cls) -> Inventory:
        forget_cancelled_timers()
        gc.collect()
        return cls(
            len(asyncio.all_tasks()),
            descriptors() - idle_connections(),
            len(engine_registry.connected_clients),
            psutil.Process().memory_info().rss,
            Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects()),
        )


async def count(cycle: Cycle, times: int) -> None:
    for _ in range(WARM_UP):
        await cycle()
        Inventory.take()
    await poll(lambda: len(asyncio.all_tasks()) == 1)
    before = Inventory.take()
    for _ in range(times):
        await cycle()
    await poll(lambda: len(asyncio.all_tasks()) == 1)
    after = Inventory.take()
    assert (after.tasks, after.descriptors, after.registry) == (before.tasks, before.descriptors, before.registry)
    assert idle_connections() <= 1
    assert after.memory - before.memory < 4_000_000
    growth = after.objects - before.objects
    grown = {name: number for name, number in growth.items() if number >= times // 2 and name not in NOT_OURS}
    assert grown == {}


CYCLES = [pytest.param(15, id="short"), pytest.param(200, id="200", marks=pytest.mark.soak)]


@pytest.mark.parametrize("times", CYCLES)
async def test_one_client_that_connects_and_disconnects(tmp_path: Path, times: int) -> None:
    async with server_process(tmp_path) as server:
        client = MessagingClient(server.url, token=server.token(DOCTOR))

        async def cycle() -> None:
            await client.connect()
            await client.join_conversation(server.conversation_id)
            await client.disconnect()

        await count(cycle, times)
        await client.aclose()


@pytest.mark.parametrize("times", CYCLES)
async def test_a_client_of_its_own_for_each_connection(tmp_path: Path, times: int) -> None:
    async with server_process(tmp_path) as server:

        async def cycle() -> None:
            async with MessagingClient(server.url, token=server.token(DOCTOR)) as client:
                client.on_new_message(print)
                await client.join_conversation(server.conversation_id)

        await count(cycle, times)
