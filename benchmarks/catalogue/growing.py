"""How costs grow: with clients in a process, with open sessions, with messages in one, with the size of a message."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from benchmarks.measure import Benchmark, Growth, Line, Plan, Row, Setting, Side, at_least, at_most
from benchmarks.processes import TOKEN, node, python, server

_BARE = "bare python-socketio"


@asynccontextmanager
async def _clients(setting: Setting) -> AsyncIterator[Plan]:
    sizes = [20] if setting.quick else [10, 100, 1_000]
    most = sizes[-1]
    sides: dict[str, Side] = {}
    async with server() as url:
        for many in sizes:
            given = {"url": url, "token": TOKEN, "count": many}
            for side in ("ours", "bare"):
                sides[f"{side} {many}"] = partial(python, side, "crowd", given, speed=setting.speed)
        work, against = f"{most:,} clients, with REST and a session each", f"{_BARE}, socket only"
        ours, bare = f"ours {most}", f"bare {most}"

        def lines(metric: str) -> list[Line]:
            return [
                Line("messaging_client, REST and a session each", {each: f"ours {each}" for each in sizes}, metric),
                Line(against, {each: f"bare {each}" for each in sizes}, metric),
            ]

        yield Plan(
            sides=sides,
            rows=[
                Row(
                    f"{work}: memory",
                    ours,
                    "kib_each",
                    "KiB each",
                    against,
                    bare,
                    at_most(1.8),
                ),
                Row(f"{work}: time to connect", ours, "connect_ms_each", "ms each", against, bare, at_most(2)),
                Row(
                    f"{work}: until each has a session",
                    ours,
                    "ready_ms_each",
                    "ms each",
                    against,
                    bare,
                ),
            ],
            growths=[
                Growth("Memory of a client", "clients in one process", "KiB each", lines("kib_each")),
                Growth("Time to connect", "clients in one process", "ms each", lines("connect_ms_each")),
            ],
        )


@asynccontextmanager
async def _sessions(setting: Setting) -> AsyncIterator[Plan]:
    opened = [1, 20] if setting.quick else [1, 10, 100, 1_000]
    filled = [0, 500] if setting.quick else [0, 1_000, 10_000, 50_000]
    count, rounds = setting.some(10_000, 500), setting.some(4, 1)
    sides: dict[str, Side] = {}
    async with server() as url:
        places = [(many, 0) for many in opened] + [(1, held) for held in filled[1:]]
        for many, held in places:
            given = {"url": url, "token": TOKEN, "opened": many, "filled": held, "count": count, "rounds": rounds}
            sides[f"{many} sessions, {held} messages"] = partial(python, "ours", "sessions", given, speed=setting.speed)
        one = "1 sessions, 0 messages"
        most, longest = f"{opened[-1]} sessions, 0 messages", f"1 sessions, {filled[-1]} messages"
        by_opened: dict[float, str] = {each: f"{each} sessions, 0 messages" for each in opened}
        by_filled: dict[float, str] = {each: f"1 sessions, {each} messages" for each in filled}
        work = "events of a conversation with an open session"
        yield Plan(
            sides=sides,
            rows=[
                Row(f"{work}, {opened[-1]:,} open", most, "rate", "events/s", "one open, empty", one, at_least(0.8)),
                Row(
                    f"{work}, {filled[-1]:,} messages in it",
                    longest,
                    "rate",
                    "events/s",
                    "one open, empty",
                    one,
                    at_least(0.8),
                ),
            ],
            growths=[
                Growth("CPU of an event", "open sessions", "µs", [Line("messaging_client", by_opened, "cpu_us")]),
                Growth(
                    "CPU of an event",
                    "messages in the session before",
                    "µs",
                    [Line("messaging_client", by_filled, "cpu_us")],
                ),
            ],
        )


@asynccontextmanager
async def _sizes(setting: Setting) -> AsyncIterator[Plan]:
    sizes = [4_096] if setting.quick else [100, 1_024, 4_096, 16_384, 65_536]
    sides: dict[str, Side] = {}
    async with server() as url:
        for size in sizes:
            count = min(setting.some(10_000, 500), max(setting.some(1_000, 100), 64 * 1024 * 1024 // size))
            given = {"url": url, "token": TOKEN, "warm": count // 10, "count": count, "size": size}
            sides[f"ours {size}"] = partial(python, "ours", "flood", given, speed=setting.speed)
            sides[f"bare {size}"] = partial(python, "bare", "flood", given, speed=setting.speed)
            sides[f"javascript {size}"] = partial(node, "flood", given)
        labels = {"ours": "messaging_client", "bare": _BARE, "javascript": "socket.io-client"}
        lines = [Line(label, {size: f"{side} {size}" for size in sizes}, "cpu_us") for side, label in labels.items()]
        yield Plan(sides=sides, growths=[Growth("CPU of an event", "bytes of text in the message", "µs", lines)])


BENCHMARKS = (
    Benchmark("clients", "clients in one process: memory and time to connect", _clients),
    Benchmark("sessions", "events with many open sessions, and with long ones", _sessions),
    Benchmark("sizes", "events of messages from 100 bytes to 64 KiB", _sizes),
)
