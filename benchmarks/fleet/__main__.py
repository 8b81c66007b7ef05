"""Prints what workers handle a second, one and several, and how long a message takes to a handler, with and without.

Workers are processes, as in use; the messaging server and this program share one. Rounds are taken in turn.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from messaging_client import Message, MessagingClient
from messaging_client.fleet import Relay, fleet_status
from messaging_client.testing import MessagingServer
from tests.fleet.nats_process import NatsProcess

PATIENT, DOCTOR = ("patient", 5), ("medecin", 79)
ROOT = Path(__file__).parents[2]
RATE = 100
"""Messages a second of which latencies are measured: at few, a machine that dozes off between them is measured."""


class Bench:
    """One messaging server, one NATS server, and workers in processes."""

    def __init__(self, server: MessagingServer, nats_url: str, folder: Path) -> None:
        self.server, self.nats_url, self.folder = server, nats_url, folder
        self.notes = folder / "notes"

    def client(self) -> MessagingClient:
        return MessagingClient(self.server.url, token=self.server.token(*DOCTOR, expires_in=7200))

    def worker(self, account: str, handler: str, concurrency: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "messaging_client", "work", f"benchmarks.fleet.handlers:{handler}"]
        return subprocess.Popen(
            [*command, "--account", account, "--concurrency", str(concurrency)],
            env=os.environ
            | {
                "MESSAGING_URL": self.server.url,
                "MESSAGING_TOKEN": self.server.token(*DOCTOR, expires_in=7200),
                "NATS_URL": self.nats_url,
                "PYTHONPATH": str(ROOT),
                "BENCH_NOTES": str(self.notes),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    async def handled_a_second(self, account: str, workers: int, messages: int) -> float:
        """Fill a stream, and see how quickly so many workers empty it."""
        rooms = await self._rooms(account)
        async with Relay(self.client(), self.nats_url, account):
            for each in range(messages):
                await self.server.say(rooms[each % len(rooms)], "x", PATIENT)
            await self._until_left(account, messages, messages)
        processes = [self.worker(account, "wait", 1) for _ in range(workers)]
        try:
            first = await self._until_left(account, 0, int(messages * 0.9))
            last = await self._until_left(account, 0, int(messages * 0.1))
        finally:
            end(processes)
        return (first[1] - last[1]) / (last[0] - first[0])

    async def _until_left(self, account: str, least: int, most: int) -> tuple[float, int]:
        while True:
            left = (await fleet_status(self.nats_url, account)).stored
            if least <= left <= most:
                return time.monotonic(), left
            await asyncio.sleep(0.2)  # asking costs NATS a listing of all consumers

    async def milliseconds_alone(self, messages: int) -> float:
        """From the server to the handler of a single process: here the client shares the server's."""
        took: list[float] = []
        rooms = await self._rooms("alone")
        async with self.client() as client:
            client.on_new_message(lambda message: took.append(time.monotonic() - float(message.content)))
            await client.join_all()
            await self._say(rooms, messages)
        return statistics.median(took) * 1000

    async def milliseconds_by_relay(self, account: str, messages: int) -> tuple[float, float]:
        """From the server to the relay's acknowledgement, less the way to its handler; and to a worker's handler."""
        rooms = await self._rooms(account)
        relay = Relay(self.client(), self.nats_url, account)
        added: list[float] = []
        publish = relay._relay

        async def timed(event: Message) -> None:
            began = time.monotonic()
            await publish(event)
            added.append(time.monotonic() - began)

        relay._relay = timed  # type: ignore[method-assign, assignment]
        self.notes.unlink(missing_ok=True)
        async with relay:
            process = self.worker(account, "note", 8)
            try:
                await self._say(rooms, 1)
                while not self.notes.exists():  # noqa: ASYNC110 - another process writes it
                    await asyncio.sleep(0.05)
                await self._say(rooms, messages)
            finally:
                await asyncio.sleep(1)
                end([process])
        took = [float(each) for each in self.notes.read_text().split()][1:]
        return statistics.median(added) * 1000, statistics.median(took) * 1000

    async def _rooms(self, name: str) -> list[int]:
        return [await self.server.create_conversation(f"{name} {each}", [PATIENT, DOCTOR]) for each in range(64)]

    async def _say(self, rooms: Sequence[int], messages: int) -> None:
        for each in range(messages):
            await self.server.say(rooms[each % len(rooms)], f"{time.monotonic()}", PATIENT)
            await asyncio.sleep(1 / RATE)


def end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End processes."""
    for each in processes:
        each.kill()
        each.wait()


def row(name: str, values: Sequence[float], unit: str) -> str:
    """One line: the median, and from least to most."""
    return f"{name:<58} {statistics.median(values):8.2f} {unit} ({min(values):.2f} to {max(values):.2f})"


async def measure(rounds: int, messages: int) -> list[str]:
    """Measure everything, in turn."""
    one: list[float] = []
    four: list[float] = []
    alone: list[float] = []
    added: list[float] = []
    through: list[float] = []
    folder = Path(tempfile.mkdtemp(prefix="bench-fleet-"))
    async with MessagingServer() as server, NatsProcess(folder / "nats") as nats:
        bench = Bench(server, nats.url, folder)
        for each in range(rounds):
            one.append(await bench.handled_a_second(f"one-{each}", 1, messages))
            four.append(await bench.handled_a_second(f"four-{each}", 4, 2 * messages))
            alone.append(await bench.milliseconds_alone(300))
            publish, whole = await bench.milliseconds_by_relay(f"late-{each}", 300)
            added.append(publish)
            through.append(whole)
    ratios = [b / a for a, b in zip(one, four, strict=True)]
    return [
        row("one worker, handler of 10 ms, concurrency 1", one, "messages/s"),
        row("four workers", four, "messages/s"),
        row("four to one (goal 3.5 or more)", ratios, "x"),
        row("message to the handler of one process, p50", alone, "ms"),
        row("publish and acknowledgement in the relay, p50 (goal 1)", added, "ms"),
        row("message to the handler of a worker, p50", through, "ms"),
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
