"""Processes of a benchmark: the server on Node, and one for each run of a side. Server and sides have cores apart."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
JAVASCRIPT = Path(__file__).parent / "javascript"
SPEED = ("uvloop", "msgspec")  # the extra for speed
PATIENCE = 300.0  # seconds; for failure only
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJpZCI6NzksInJvbGUiOiJtZWRlY2luIn0.c2lnbmF0dXJl"  # of doctor 79; nobody verifies it
PEER = "eyJhbGciOiJIUzI1NiJ9.eyJpZCI6NSwicm9sZSI6InBhdGllbnQifQ.c2lnbmF0dXJl"  # of patient 5


class SideFailed(Exception):
    """A run of a side ended without figures, or its server did not begin; the text has its last words."""


@dataclass(frozen=True)
class Run:
    """What one run of a side gave.

    Attributes:
        measured: figures by name.
        uses: what of the extra for speed the process had loaded.
    """

    measured: Mapping[str, float]
    uses: tuple[str, ...]


def cores() -> tuple[set[int], set[int]] | None:
    """The cores of server and sides; None where there is but one, or they cannot be chosen."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    present = sorted(os.sched_getaffinity(0))
    return ({present[0]}, {present[1]}) if len(present) > 1 else None


def _pinned(place: int) -> Callable[[], None] | None:
    found = cores()
    if found is None:
        return None
    return lambda: os.sched_setaffinity(0, found[place])


@asynccontextmanager
async def server(**options: Any) -> AsyncIterator[str]:
    """Run the server for the block; gives its address.

    Args:
        options: of Socket.IO, such as `pingInterval`, milliseconds. Pings come oftener than usual, and may wait longer:
            the bare library's write loop ends where nothing was written for 30 seconds, and a ping waits behind what
            the network holds of a flood.
    """
    given = {"pingInterval": 5_000, "pingTimeout": 60_000, **options}
    process = await asyncio.create_subprocess_exec(
        "node",
        str(JAVASCRIPT / "server.js"),
        json.dumps(given),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=_pinned(0),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = await process.stdout.readline()
        if not port:
            raise SideFailed("the server ended before it listened")
        yield f"http://127.0.0.1:{int(port)}"
    finally:
        process.stdin.close()
        await process.wait()


async def python(side: str, work: str, given: Mapping[str, Any], *, speed: bool) -> Run:
    """Run a side of `benchmarks.sides` once."""
    return await run(sys.executable, "-m", "benchmarks.sides", side, work, json.dumps({**given, "speed": speed}))


async def node(work: str, given: Mapping[str, Any]) -> Run:
    """Run the JavaScript side once."""
    return await run("node", str(JAVASCRIPT / "side.js"), work, json.dumps(given))


async def run(*command: str) -> Run:
    """Run a command that prints its figures as JSON on its last line.

    Raises:
        SideFailed: it did not.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        preexec_fn=_pinned(1),
    )
    try:
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise SideFailed(f"{' '.join(command[-3:])}: {err.decode()[-2000:]}")
    told = json.loads(out.splitlines()[-1])
    return Run(told["measured"], tuple(told["uses"]))
