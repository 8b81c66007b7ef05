"""Prints what workers handle a second, one and several, and how long a message takes to a handler, with and without.

Whatever is measured is a process of its own, as in use: workers, a relay, a client by itself, a bare NATS client. The
messaging server shares this program's. Streams are full before their workers start. Rounds are taken in turn.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import nats
from nats.js import JetStreamContext

from messaging_client import MessagingClient, MessagingConfig
from messaging_client.fleet import Relay
from messaging_client.testing import MessagingServer
from tests.fleet.nats_process import NatsProcess

RATES = (100, 400)
"""Messages a second of which latencies are measured: the fewer, the more of a machine that dozes off between them."""
PATIENT, DOCTOR = ("patient", 5), ("medecin", 79)
ROOT = Path(__file__).parents[2]
SETTLED = MessagingConfig().settle_delay + 1
"""Seconds until rooms are sure to be joined: before, each message has a client read back, which is another thing."""


class Bench:
    """One messaging server, one NATS server, and what is measured in processes."""

    def __init__(self, server: MessagingServer, nats_url: str, js: JetStreamContext, folder: Path) -> None:
        self.server, self.nats_url, self.js = server, nats_url, js
        self.notes = folder / "notes"

    def process(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a Python program, which finds servers, account and where to write what it took in its environment."""
        return subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env=os.environ
            | {
                "MESSAGING_URL": self.server.url,
                "MESSAGING_TOKEN": self.server.token(*DOCTOR, expires_in=7200),
                "NATS_URL": self.nats_url,
                "PYTHONPATH": str(ROOT),
                "BENCH_NOTES": str(self.notes),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )

    def worker(self, account: str, handler: str, concurrency: int) -> subprocess.Popen[str]:
        command = ["messaging_client", "work", f"benchmarks.fleet.handlers:{handler}"]
        return self.process(*command, "--account", account, "--concurrency", str(concurrency))

    @asynccontextmanager
    async def side(self, *arguments: str) -> AsyncIterator[list[float]]:
        """Run one of `benchmarks.fleet.sides`; afterwards, the list holds the milliseconds that it wrote down."""
        took: list[float] = []
        process = self.process("benchmarks.fleet.sides", *arguments)
        try:
            await _heard(process)
            await asyncio.sleep(SETTLED)
            yield took
            process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(process.wait, 30)
            took += [float(each) * 1000 for each in self.notes.read_text().split()]
        finally:
            end([process])

    async def handled_a_second(self, account: str, workers: int, messages: int) -> float:
        """Fill a stream, and see how quickly so many workers empty it."""
        rooms = await self._rooms(account)
        client = MessagingClient(self.server.url, token=self.server.token(*DOCTOR, expires_in=7200))
        async with Relay(client, self.nats_url, account):
            for number in range(messages):
                await self.server.say(rooms[number % len(rooms)], "x", PATIENT)
            await self._until_left(account, messages, messages)
        gate = self.notes.with_name("open")
        gate.unlink(missing_ok=True)
        processes = [self.worker(account, "wait", 1) for _ in range(workers)]
        try:
            for each in processes:
                await _heard(each)
            await asyncio.sleep(1)
            gate.touch()
            first = await self._until_left(account, 0, int(messages * 0.9))
            last = await self._until_left(account, 0, int(messages * 0.1))
        finally:
            end(processes)
        return (first[1] - last[1]) / (last[0] - first[0])

    async def _until_left(self, account: str, least: int, most: int) -> tuple[float, int]:
        while True:
            left = (await self.js.stream_info(f"messaging-{account}")).state.messages
            if least <= left <= most:
                return time.monotonic(), left
            await asyncio.sleep(0.1)

    async def p50(self, messages: int, rate: int, side: str, *given: str) -> float:
        """Milliseconds that each message took one of `benchmarks.fleet.sides`, of so many a second."""
        rooms = await self._rooms(side)
        async with self.side(side, *given) as took:
            await self._say(rooms, messages, rate)
        return statistics.median(took)

    async def to_a_worker(self, account: str, messages: int) -> float:
        """Milliseconds from a message to the handler of a worker, by way of a relay."""
        rooms = await self._rooms(account)
        handled = self.notes.with_name("handled")
        handled.unlink(missing_ok=True)
        async with self.side("relay", account):
            process = self.worker(account, "note", 8)
            try:
                await self._say(rooms, 1, RATES[0])
                while not handled.exists():  # noqa: ASYNC110 - another process writes it
                    await asyncio.sleep(0.05)
                await self._say(rooms, messages, RATES[0])
            finally:
                end([process])
        return statistics.median([float(each) * 1000 for each in handled.read_text().split()][1:])

    async def _rooms(self, name: str) -> list[int]:
        return [await self.server.create_conversation(f"{name} {each}", [PATIENT, DOCTOR]) for each in range(64)]

    async def _say(self, rooms: Sequence[int], messages: int, rate: int) -> None:
        began = time.monotonic()
        for each in range(messages):
            await self.server.say(rooms[each % len(rooms)], f"{time.monotonic()}", PATIENT)
            await asyncio.sleep(max(0.0, began + (each + 1) / rate - time.monotonic()))
        await asyncio.sleep(0.5)  # for the last of them


async def _heard(process: subprocess.Popen[str]) -> None:
    """Wait until a process says that it is ready."""
    assert process.stdout is not None
    assert await asyncio.to_thread(process.stdout.readline)


def end(processes: Sequence[subprocess.Popen[str]]) -> None:
    """End processes."""
    for each in processes:
        each.kill()
        each.wait()
        if each.stdout is not None:
            each.stdout.close()


def row(name: str, values: Sequence[float], unit: str) -> str:
    """One line: the median, and from least to most."""
    return f"{name:<62} {statistics.median(values):8.2f} {unit} ({min(values):.2f} to {max(values):.2f})"


async def measure(rounds: int, messages: int) -> list[str]:
    """Measure everything, in turn."""
    one: list[float] = []
    four: list[float] = []
    worker: list[float] = []
    ways: dict[int, list[tuple[float, float, float]]] = {rate: [] for rate in RATES}
    folder = Path(tempfile.mkdtemp(prefix="bench-fleet-"))
    async with MessagingServer() as server, NatsProcess(folder / "nats") as served:
        connection = await nats.connect(served.url)
        bench = Bench(server, served.url, connection.jetstream(), folder)
        for each in range(rounds):
            one.append(await bench.handled_a_second(f"one-{each}", 1, messages))
            four.append(await bench.handled_a_second(f"four-{each}", 4, 2 * messages))
            for rate, found in ways.items():
                many = messages * rate // RATES[0]
                alone = await bench.p50(many, rate, "alone")
                stream = await bench.p50(many, rate, "relay", f"relayed-{each}-{rate}")
                bare = await bench.p50(many, rate, "bare", f"bare-{each}-{rate}", str(rate))
                found.append((alone, stream, bare))
            worker.append(await bench.to_a_worker(f"handled-{each}", messages))
        await connection.close()
    return [
        row("one worker, handler of 10 ms, concurrency 1", one, "messages/s"),
        row("four workers", four, "messages/s"),
        row("four to one (goal 3.5 or more)", [b / a for a, b in zip(one, four, strict=True)], "x"),
        row("message to the handler of a worker, p50, at 100/s", worker, "ms"),
        *(line for rate, found in ways.items() for line in _rows_of(rate, found)),
    ]


def _rows_of(rate: int, found: Sequence[tuple[float, float, float]]) -> list[str]:
    """What a relay adds: the rows of one pace."""
    return [
        f"p50 at {rate} messages/s:",
        row("  message to the handler of a single process", [alone for alone, _, _ in found], "ms"),
        row("  message to the acknowledgement of a relay's publish", [stream for _, stream, _ in found], "ms"),
        row("  nats-py by itself: publish and acknowledgement", [bare for _, _, bare in found], "ms"),
        row("  what a relay adds to a single process's way (goal 1)", [b - a for a, b, _ in found], "ms"),
        row("  of that, more than nats-py by itself takes", [b - a - c for a, b, c in found], "ms"),
    ]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=500)
    given = parser.parse_args()
    sys.stdout.write("\n".join(asyncio.run(measure(given.rounds, given.messages))) + "\n")


if __name__ == "__main__":
    main()
