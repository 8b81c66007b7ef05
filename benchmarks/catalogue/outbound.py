"""What goes out: sends over REST, events and acknowledgements over the socket, and what it costs to keep sends."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measure import Benchmark, Plan, Row, Setting, Side, at_least, at_most
from benchmarks.processes import PEER, TOKEN, Run, node, python, server


@asynccontextmanager
async def _latency(setting: Setting) -> AsyncIterator[Plan]:
    async with server() as url:
        given = {
            "url": url,
            "token": TOKEN,
            "peer": PEER,
            "warm": setting.some(200, 20),
            "count": setting.some(1_000, 50),
        }
        work = "send by REST → event in the other client's handler, p50"
        yield Plan(
            sides={
                "ours": partial(python, "ours", "latency", given, speed=setting.speed),
                "bare": partial(python, "bare", "latency", given, speed=setting.speed),
                "javascript": partial(node, "latency", given),
            },
            rows=[
                Row(work, "ours", "p50_ms", "ms", "bare python-socketio + plain httpx", "bare", at_most(0.55)),
                Row(work, "ours", "p50_ms", "ms", "socket.io-client + axios", "javascript", at_most(1.2)),
            ],
        )


@asynccontextmanager
async def _sends(setting: Setting) -> AsyncIterator[Plan]:
    sides: dict[str, Side] = {}
    rows = []
    async with server() as url:
        for many in (16,) if setting.quick else (16, 64):
            each = setting.some(1_600, 64) // many
            given = {"url": url, "token": TOKEN, "at_a_time": many, "warm": 2, "each": each}
            sides[f"ours {many}"] = partial(python, "ours", "sends", given, speed=setting.speed)
            sides[f"httpx {many}"] = partial(python, "bare", "sends", given, speed=setting.speed)
            sides[f"axios {many}"] = partial(node, "sends", given)
            work = f"sends in {many} conversations at a time"
            rows += [
                Row(work, f"ours {many}", "rate", "sends/s", "plain httpx", f"httpx {many}", at_least(4)),
                Row(work, f"ours {many}", "rate", "sends/s", "axios, keep-alive", f"axios {many}", at_least(1)),
            ]
        yield Plan(sides=sides, rows=rows)


@asynccontextmanager
async def _socket(setting: Setting) -> AsyncIterator[Plan]:
    async with server() as url:
        given = {"url": url, "token": TOKEN}
        emits = {**given, "warm": setting.some(5_000, 100), "count": setting.some(50_000, 1_000)}
        calls = {**given, "warm": setting.some(1_000, 64), "count": setting.some(10_000, 500), "in_flight": 64}
        yield Plan(
            sides={
                f"{side} {work}": partial(python, side, work, amounts, speed=setting.speed)
                for work, amounts in (("emits", emits), ("calls", calls))
                for side in ("ours", "bare")
            },
            rows=[
                Row("`emit`", "ours emits", "rate", "events/s", "bare python-socketio", "bare emits", at_least(2.5)),
                Row(
                    "`call` (acknowledged), 64 in flight",
                    "ours calls",
                    "rate",
                    "calls/s",
                    "bare python-socketio",
                    "bare calls",
                    at_least(6),
                ),
            ],
        )


@asynccontextmanager
async def _durability(setting: Setting) -> AsyncIterator[Plan]:
    numbers = itertools.count()
    sides: dict[str, Side] = {}
    rows = []
    # Where the work is, and not in the system's place for temporary files, which may be memory.
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=Path.cwd()) as folder:
        async with server() as url:
            for keys, many in itertools.product((True, False), (16,) if setting.quick else (1, 16)):
                each = setting.some(320, 16) // (1 if many == 1 else 8)
                given = {"url": url, "token": TOKEN, "at_a_time": many, "warm": 1, "each": each, "keys": keys}
                name = f"{many}, keys {'honoured' if keys else 'ignored'}"
                memory: Callable[..., Awaitable[Run]] = partial(python, "ours", "sends", speed=setting.speed)
                sides[f"memory {name}"] = partial(memory, given)
                sides[f"store {name}"] = partial(_stored, memory, given, numbers, folder)
                work = f"sends with `store=`, {many} at a time, keys {'honoured' if keys else 'ignored'}"
                rows.append(Row(work, f"store {name}", "rate", "sends/s", "the same in memory", f"memory {name}"))
            yield Plan(sides=sides, rows=rows)


async def _stored(
    work: Callable[..., Awaitable[Run]], given: dict[str, Any], numbers: itertools.count[int], folder: str
) -> Run:
    return await work({**given, "store": str(Path(folder, f"{next(numbers)}.db"))})


BENCHMARKS = (
    Benchmark("latency", "from a send over REST to the handler of another client", _latency, both=True),
    Benchmark("sends", "sends over REST, many at a time", _sends, both=True),
    Benchmark("socket", "events and acknowledged events to the server", _socket, both=True),
    Benchmark("durability", "what it costs that a send survives the process", _durability),
)
