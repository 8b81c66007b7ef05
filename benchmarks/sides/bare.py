"""What a user would write with the bare libraries: python-socketio with plain dictionaries, and httpx."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import socketio

from benchmarks.sides.common import (
    CONVERSATION,
    PATIENCE,
    Arrivals,
    at_a_time,
    calls_timed,
    emits_timed,
    lag_measured,
    lag_watched,
    memory_kib,
    p50_ms,
    peak_kib,
    timed_flood,
)

CONNECTING_AT_A_TIME = 50


@asynccontextmanager
async def _connected(url: str, token: str) -> AsyncIterator[Any]:
    client = socketio.AsyncClient()
    await client.connect(url, transports=["websocket"], auth={"token": token})
    try:
        yield client
    finally:
        await client.disconnect()


class _Flooded:
    def __init__(self, client: Any) -> None:
        self.client = client
        self.arrivals = Arrivals()
        client.on("new_message", self._handle)

    async def _handle(self, _payload: dict[str, Any]) -> None:
        self.arrivals.one()

    async def ask(self, event: str, payload: Any) -> Any:
        return await self.client.call(event, payload, timeout=PATIENCE)


async def flood(url: str, token: str, warm: int, count: int, *, size: int | None = None) -> dict[str, float]:
    async with _connected(url, token) as client:
        flooded = _Flooded(client)
        return await timed_flood(flooded.ask, flooded.arrivals, warm, count, conversation=CONVERSATION, size=size)


async def lag(url: str, token: str, warm: int, count: int) -> dict[str, float]:
    lags: list[float] = []
    async with _connected(url, token) as client:
        flooded = _Flooded(client)
        await timed_flood(flooded.ask, flooded.arrivals, 0, warm)
        await flooded.ask("prepare", {"first": 2 + warm, "count": count})
        async with lag_watched(lags):
            done = flooded.arrivals.expect(count)
            await flooded.ask("flood", None)
            await done
        beats = await client.call("heartbeats")
    return lag_measured(lags, beats)


async def peak(url: str, token: str, count: int, delay: float, *, ordered: bool) -> dict[str, float]:
    """As ours; the library has a task for each event, so that one who wants them in order makes them wait at a lock."""
    lock = asyncio.Lock()
    async with _connected(url, token) as client:

        async def handle(_payload: dict[str, Any]) -> None:
            if not ordered:
                await asyncio.sleep(delay)
                return
            async with lock:
                await asyncio.sleep(delay)

        client.on("new_message", handle)
        await client.call("prepare", {"first": 1, "count": count}, timeout=60)
        gc.collect()
        before = memory_kib()
        await client.call("flood", timeout=60)
        await asyncio.sleep(delay * 3)
        return {"peak_mib": (max(peak_kib(), memory_kib()) - before) / 1024}


async def steady(url: str, token: str, warm: int, count: int, rate: int) -> dict[str, float]:
    async with _connected(url, token) as client:
        flooded = _Flooded(client)
        for first, many in ((1, warm), (1 + warm, count)):
            done = flooded.arrivals.expect(many)
            cpu = time.process_time()
            await flooded.ask("steady", {"first": first, "count": many, "rate": rate})
            await done
        return {"cpu_us": (time.process_time() - cpu) / count * 1e6}


def _http(token: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}, trust_env=False)


async def _post(client: httpx.AsyncClient, url: str, conversation: int, number: int) -> None:
    body = {"contenu": f"message {number}", "type_message": "texte"}
    answer = await client.post(f"{url}/api/messaging/conversation/{conversation}/message", json=body)
    answer.raise_for_status()
    answer.json()


async def latency(url: str, token: str, peer: str, warm: int, count: int) -> dict[str, float]:
    arrived: asyncio.Future[float]
    taken = []
    async with _connected(url, token) as sender, _connected(url, peer) as receiver, _http(token) as client:

        async def handle(_payload: dict[str, Any]) -> None:
            arrived.set_result(time.perf_counter())

        async def ignore(_payload: dict[str, Any]) -> None:
            pass

        receiver.on("new_message", handle)
        sender.on("new_message", ignore)
        for number in range(warm + count):
            arrived = asyncio.get_running_loop().create_future()
            began = time.perf_counter()
            await _post(client, url, CONVERSATION, number)
            taken.append(await arrived - began)
    return p50_ms(taken[warm:])


async def sends(url: str, token: str, at_a_time: int, warm: int, each: int) -> dict[str, float]:
    async with _http(token) as client:

        async def send(conversation: int, count: int) -> None:
            for number in range(count):
                await _post(client, url, conversation, number)

        for many in (warm, each):
            began = time.perf_counter()
            await asyncio.gather(*(send(conversation, many) for conversation in range(at_a_time)))
        return {"rate": at_a_time * each / (time.perf_counter() - began)}


async def emits(url: str, token: str, warm: int, count: int) -> dict[str, float]:
    async with _connected(url, token) as client:
        return await emits_timed(client, warm, count)


async def calls(url: str, token: str, warm: int, count: int, in_flight: int) -> dict[str, float]:
    async with _connected(url, token) as client:
        return await calls_timed(client, warm, count, in_flight)


async def crowd(url: str, token: str, count: int) -> dict[str, float]:
    gc.collect()
    before = memory_kib()
    clients = [socketio.AsyncClient() for _ in range(count)]

    def connecting(client: Any) -> Any:
        async def connect() -> None:
            await client.connect(url, transports=["websocket"], auth={"token": token})

        return connect

    began = time.perf_counter()
    await at_a_time(CONNECTING_AT_A_TIME, [connecting(each) for each in clients])
    connected = time.perf_counter() - began
    gc.collect()
    used = memory_kib() - before
    await at_a_time(CONNECTING_AT_A_TIME, [each.disconnect for each in clients])
    each = connected / count * 1e3
    return {"kib_each": used / count, "connect_ms_each": each, "ready_ms_each": each}
