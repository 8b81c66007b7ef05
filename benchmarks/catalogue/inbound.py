"""What comes in: floods, a steady stream, and slow handlers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from benchmarks.measure import Benchmark, Plan, Row, Setting, at_least, at_most
from benchmarks.processes import TOKEN, node, python, server

BARE = "bare python-socketio, async handler, plain dicts"
JAVASCRIPT = "socket.io-client, the same normalisation in JavaScript"


@asynccontextmanager
async def _inbound(setting: Setting) -> AsyncIterator[Plan]:
    count = setting.some(50_000, 2_000)
    work = f"inbound `new_message`, flood of {count:,}"
    async with server() as url:
        given = {"url": url, "token": TOKEN, "warm": setting.some(5_000, 500), "count": count}
        yield Plan(
            sides={
                "ours": partial(python, "ours", "flood", given, speed=setting.speed),
                "joined": partial(python, "ours", "flood", {**given, "joined": True}, speed=setting.speed),
                "bare": partial(python, "bare", "flood", given, speed=setting.speed),
                "javascript": partial(node, "flood", given),
            },
            rows=[
                Row(f"{work}{of}", side, "rate", "events/s", against, theirs, goal)
                for against, theirs, goal in ((BARE, "bare", at_least(5)), (JAVASCRIPT, "javascript", at_least(0.7, 1)))
                for side, of in (("ours", ", not joined"), ("joined", ", joined"))
            ],
        )


@asynccontextmanager
async def _steady(setting: Setting) -> AsyncIterator[Plan]:
    rate, count = 2_000, setting.some(4_000, 1_000)
    async with server() as url:
        given = {"url": url, "token": TOKEN, "warm": setting.some(2_000, 200), "count": count, "rate": rate}
        yield Plan(
            sides={side: partial(python, side, "steady", given, speed=setting.speed) for side in ("ours", "bare")},
            rows=[Row(f"CPU per event at a steady {rate:,}/s", "ours", "cpu_us", "µs", BARE, "bare", at_most(0.5))],
        )


@asynccontextmanager
async def _peak(setting: Setting) -> AsyncIterator[Plan]:
    count = setting.some(30_000, 3_000)
    async with server() as url:
        given = {"url": url, "token": TOKEN, "count": count, "delay": 0.01}
        work = f"peak memory, {count:,} events, handler of 10 ms"
        in_order, at_once = {**given, "ordered": True}, {**given, "ordered": False}
        yield Plan(
            sides={
                "ours": partial(python, "ours", "peak", given, speed=setting.speed),
                "bare, in order": partial(python, "bare", "peak", in_order, speed=setting.speed),
                "bare, at once": partial(python, "bare", "peak", at_once, speed=setting.speed),
            },
            rows=[
                Row(
                    work, "ours", "peak_mib", "MiB", f"{BARE}, one at a time by a lock", "bare, in order", at_most(0.1)
                ),
                Row(work, "ours", "peak_mib", "MiB", f"{BARE}, any number at a time", "bare, at once"),
            ],
        )


@asynccontextmanager
async def _lag(setting: Setting) -> AsyncIterator[Plan]:
    count, interval = setting.some(50_000, 3_000), 100
    async with server(pingInterval=interval) as url:
        given = {"url": url, "token": TOKEN, "warm": setting.some(5_000, 500), "count": count}
        work = f"flood of {count:,}"
        yield Plan(
            sides={side: partial(python, side, "lag", given, speed=setting.speed) for side in ("ours", "bare")},
            rows=[
                Row(f"event-loop lag during a {work}, p99", "ours", "lag_p99_ms", "ms", goal=at_most(5)),
                Row(f"the same of bare python-socketio, {work}, p99", "bare", "lag_p99_ms", "ms"),
                Row(
                    f"pings (one each {interval} ms) not answered, {work}",
                    "ours",
                    "unanswered",
                    "pings",
                    goal=at_most(0),
                ),
                Row(
                    f"longest wait of a ping for its answer, {work}",
                    "ours",
                    "pong_ms",
                    "ms",
                    "bare python-socketio",
                    "bare",
                ),
            ],
        )


@asynccontextmanager
async def _stall(setting: Setting) -> AsyncIterator[Plan]:
    count = setting.some(30_000, 2_000)
    async with server() as url:
        given = {"url": url, "token": TOKEN, "warm": setting.some(5_000, 500), "count": count}
        sides = {
            name: partial(python, "ours", "beside_slow", {**given, "slow": slow}, speed=setting.speed)
            for name, slow in (("slow", True), ("alone", False))
        }
        work = f"flood of {count:,} to a handler, with a slow one (10 ms) beside it"
        yield Plan(sides=sides, rows=[Row(work, "slow", "rate", "events/s", "the same handler alone", "alone")])


@asynccontextmanager
async def _recording(setting: Setting) -> AsyncIterator[Plan]:
    count = setting.some(30_000, 1_000)
    async with server() as url:
        given = {"url": url, "token": TOKEN, "warm": setting.some(3_000, 300), "count": count}
        work, alone = f"flood of {count:,}, recorded into a file", "the same client, not recorded"
        yield Plan(
            sides={
                side: partial(python, "ours", how, given, speed=setting.speed)
                for side, how in (("recorded", "recorded"), ("alone", "flood"))
            },
            rows=[
                Row(work, "recorded", "rate", "events/s", alone, "alone"),
                Row(f"CPU per event, {work}", "recorded", "cpu_us", "µs", alone, "alone"),
            ],
        )


BENCHMARKS = (
    Benchmark("inbound", "a flood of messages to an async handler", _inbound, both=True),
    Benchmark("steady", "processor time of an event at a steady rate", _steady, both=True),
    Benchmark("peak", "memory where a handler is slower than what comes", _peak),
    Benchmark("lag", "how late the event loop is in a flood, and whether pings are answered", _lag, both=True),
    Benchmark("stall", "whether a slow handler holds another one up", _stall),
    Benchmark("recording", "what it costs to write everything down", _recording),
)
