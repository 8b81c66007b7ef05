"""What the Python sides share: counting what arrives, how late the event loop is, and what memory is used."""

from __future__ import annotations

import asyncio
import math
import resource
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

CONVERSATION = 15
PATIENCE = 120.0  # seconds; for failure only
Ask = Callable[[str, Any], Awaitable[Any]]
"""Asks the server for something and gives what it acknowledges with."""


class Arrivals:
    """Counts what is handled, and knows when the last one was."""

    def __init__(self) -> None:
        self._left = 0
        self._done: asyncio.Future[None] | None = None

    def expect(self, count: int) -> asyncio.Future[None]:
        """Begin to count; gives what is done when that many were handled."""
        self._left = count
        self._done = asyncio.get_running_loop().create_future()
        return self._done

    def one(self) -> None:
        """One was handled."""
        self._left -= 1
        if self._left == 0 and self._done is not None and not self._done.done():
            self._done.set_result(None)

    def fail(self, why: str) -> None:
        """Not all of them will be handled."""
        if self._done is not None and not self._done.done():
            self._done.set_exception(RuntimeError(f"{why}; {self._left} were still to come"))


async def timed_flood(
    ask: Ask, arrivals: Arrivals, warm: int, count: int, *, first: int = 1, **how: Any
) -> dict[str, float]:
    """Let the server flood: one event, so many to get warm, and so many that count; its frames are made before.

    Args:
        ask: asks the server.
        arrivals: counts what is handled.
        warm: events before the clock starts.
        count: events that count, from asking for them until the last one was handled.
        first: number of the first event.
        how: `conversation` and `size`, for the server.

    Returns:
        `rate`, events/s; `cpu_us`, microseconds of processor time for each.
    """
    # Where a room has just been joined, the first one waits until that is certain.
    for many in filter(None, (1, warm, count)):
        await ask("prepare", {"first": first, "count": many, **how})
        done = arrivals.expect(many)
        began, cpu = time.perf_counter(), time.process_time()
        asking = asyncio.ensure_future(ask("flood", None))
        async with asyncio.timeout(PATIENCE):
            await done
        seconds, spent = time.perf_counter() - began, time.process_time() - cpu
        await asking
        first += many
    return {"rate": count / seconds, "cpu_us": spent / count * 1e6}


@asynccontextmanager
async def lag_watched(lags: list[float]) -> AsyncIterator[None]:
    """Note, about every millisecond, how much later than asked for the event loop called, in milliseconds."""

    async def watch() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            lags.append((time.perf_counter() - began - 0.001) * 1000)

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def percentile(values: Sequence[float], part: float) -> float:
    """The value that this part of them does not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * part) - 1)]


def p50_ms(seconds: Sequence[float]) -> dict[str, float]:
    """The median of times, as a measurement in milliseconds."""
    return {"p50_ms": statistics.median(seconds) * 1000}


def lag_measured(lags: Sequence[float], beats: dict[str, float]) -> dict[str, float]:
    """Make a measurement of the loop's lags, and of what the server says of its pings; the last may be under way."""
    unanswered = max(0, beats["pings"] - beats["pongs"] - 1)
    return {"lag_p99_ms": percentile(lags, 0.99), "unanswered": unanswered, "pong_ms": beats["worst_ms"]}


def memory_kib() -> float:
    """Memory of this process, resident, in KiB."""
    return float(psutil.Process().memory_info().rss) / 1024


def peak_kib() -> float:
    """The most that this process has had resident since its start, in KiB."""
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def contents(path: str) -> bytes:
    """The bytes of a file."""
    return Path(path).read_bytes()


async def emits_timed(client: Any, warm: int, count: int) -> dict[str, float]:
    """Events to the server, until it has counted them all."""
    payload = {"conversationId": CONVERSATION, "isTyping": True, "timestamp": "2025-08-23T10:00:00.000Z"}
    await client.call("sink")
    for many in (warm, count):
        began = time.perf_counter()
        for _ in range(many):
            await client.emit("typing", payload)
        counted = await client.call("counted", timeout=60)
    assert counted == warm + count
    return {"rate": count / (time.perf_counter() - began)}


async def calls_timed(client: Any, warm: int, count: int, in_flight: int) -> dict[str, float]:
    """Events that the server acknowledges, so many in flight."""
    payload = {"conversationId": CONVERSATION, "isTyping": True}

    async def one() -> None:
        assert await client.call("ask", payload) == payload

    for many in (warm, count):
        began = time.perf_counter()
        await at_a_time(in_flight, [one] * many)
    return {"rate": count / (time.perf_counter() - began)}


async def at_a_time(many: int, jobs: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Do all of them, so many at a time."""
    waiting = iter(jobs)

    async def work() -> None:
        for job in waiting:
            await job()

    await asyncio.gather(*(work() for _ in range(many)))
