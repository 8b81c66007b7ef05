"""`make bench`: every comparison, as one table."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import platform
import sqlite3
from importlib.metadata import version

from benchmarks import durability, inbound, sends, sessions
from benchmarks.measure import Comparison

_LIBRARIES = ("python-socketio", "aiohttp", "httpx", "httpx-aiohttp", "pydantic")


async def _all(times: int, quick: bool) -> list[Comparison]:
    return [
        *await inbound.compare(times, 2_000 if quick else 20_000),
        *await sends.compare(times, 5 if quick else 40),
        *await durability.compare(times, 3 if quick else 40),
        *await sessions.compare(times, 20 if quick else 1_000, 500 if quick else 50_000, 200 if quick else 5_000),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="how often each side is measured")
    parser.add_argument("--quick", action="store_true", help="small amounts, to see that it works; no figures to quote")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    rows = asyncio.run(_all(given.times, given.quick))
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    python = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    print(f"{platform.machine()}, {os.cpu_count()} cores, {python}; {libraries}.")
    print(f"Both sides in turn, {given.times} times; medians, and the spread of the single ratios.\n")
    print("| work | against | ratio | spread | here | there |\n| --- | --- | --- | --- | --- | --- |")
    for row in rows:
        print(row.row())


if __name__ == "__main__":
    main()
