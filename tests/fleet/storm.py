"""A storm: messages of many conversations, relays and workers that are killed, a NATS server that is started anew."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from messaging_client.fleet import fleet_status
from messaging_client.testing import MessagingServer
from tests.fleet.nats_process import NatsProcess

DOCTOR = ("medecin", 79)
ROOT = Path(__file__).parents[2]


@dataclass
class Storm:
    """What is done, and how often.

    Attributes:
        kills: of relays and workers together, each started again after a while.
        victims: who is killed, in this order; chance chooses where nobody is named.
        restarts: of the NATS server.
        patience: seconds without progress after which what is missing is lost.
    """

    folder: Path
    messages: int = 20_000
    conversations: int = 200
    relays: int = 2
    workers: int = 4
    kills: int = 20
    restarts: int = 3
    victims: tuple[str, ...] | None = None
    seed: int = 0
    ack_wait: float = 3.0
    patience: float = 60.0
    rate: float = 400.0


@dataclass
class Verdict:
    """What became of every message."""

    answered: int = 0
    lost: int = 0
    doubled: int = 0
    disordered: int = 0
    redelivered: int = 0
    kills: int = 0
    restarts: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        return not (self.lost or self.doubled or self.disordered)


class Crew:
    """Processes of `messaging-client relay` and `work`."""

    def __init__(self, server: MessagingServer, nats_url: str, storm: Storm) -> None:
        self._environment = os.environ | {
            "MESSAGING_URL": server.url,
            "MESSAGING_TOKEN": server.token(*DOCTOR, expires_in=7200),
            "NATS_URL": nats_url,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])),
        }
        self._storm = storm
        self._log = (storm.folder / "crew.log").open("ab")
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def names(self) -> list[str]:
        storm = self._storm
        return [f"relay {each}" for each in range(storm.relays)] + [f"work {each}" for each in range(storm.workers)]

    def start(self, name: str) -> None:
        command = [sys.executable, "-m", "messaging_client"]
        if name.startswith("relay"):
            command += ["relay"]
        else:
            command += ["work", "tests.fleet.answering:answer", "--server-idempotency"]
            command += ["--ack-wait", str(self._storm.ack_wait)]
        command += ["--account", "storm"]
        self.processes[name] = subprocess.Popen(
            command, env=self._environment, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
        )

    async def until_said(self, name: str) -> None:
        """Wait until a process says that it has begun: workers want the stream, patients' words a relay."""
        word = b"relaying" if name.startswith("relay") else b"working"
        wanted = sum(each.split()[0] == name.split()[0] for each in self.processes)
        async with asyncio.timeout(60):
            while (self._storm.folder / "crew.log").read_bytes().count(word) < wanted:
                assert self.processes[name].poll() is None, (self._storm.folder / "crew.log").read_text()
                await asyncio.sleep(0.05)

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def end(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._log.close()


async def rage(storm: Storm, say: Callable[[str], None]) -> Verdict:
    """Let a storm rage, and see what became of every message."""
    chance = random.Random(storm.seed)
    verdict = Verdict()
    began = time.monotonic()
    storm.folder.mkdir(parents=True, exist_ok=True)
    async with (
        MessagingServer() as server,
        NatsProcess(storm.folder / "nats") as nats,
    ):
        rooms = [
            await server.create_conversation(f"Messages - Ordonnance {each}", [("patient", each), DOCTOR])
            for each in range(1, storm.conversations + 1)
        ]
        crew = Crew(server, nats.url, storm)
        try:
            for name in crew.names():
                crew.start(name)
                await crew.until_said(name)
            weather = asyncio.create_task(_weather(storm, crew, nats, chance, verdict, say))
            try:
                await _speak(storm, server, rooms)
                await weather
            finally:
                weather.cancel()
                await asyncio.gather(weather, return_exceptions=True)
            await _settle(storm, server, rooms, say)
        finally:
            crew.end()
        verdict.redelivered = (await fleet_status(nats.url, "storm")).redeliveries
        _judge(storm, server, rooms, verdict)
    verdict.seconds = time.monotonic() - began
    return verdict


async def _speak(storm: Storm, server: MessagingServer, rooms: list[int]) -> None:
    began = time.monotonic()
    for number in range(storm.messages):
        room = number % len(rooms)
        await server.say(rooms[room], f"{number}", ("patient", room + 1))
        ahead = number / storm.rate - (time.monotonic() - began)
        if ahead > 0.01:
            await asyncio.sleep(ahead)


async def _weather(
    storm: Storm,
    crew: Crew,
    nats: NatsProcess,
    chance: random.Random,
    verdict: Verdict,
    say: Callable[[str], None],
) -> None:
    events = ["kill"] * storm.kills + ["restart"] * storm.restarts
    chance.shuffle(events)
    span = storm.messages / storm.rate
    victims = list(storm.victims or ())
    for event in events:
        await asyncio.sleep(span / (len(events) + 1) * chance.uniform(0.5, 1.2))
        if event == "restart":
            nats.kill()
            await asyncio.sleep(chance.uniform(0.1, 2.0))
            await nats.start()
            verdict.restarts += 1
            say("NATS server killed and started")
            continue
        name = victims.pop(0) if victims else chance.choice(crew.names())
        crew.kill(name)
        await asyncio.sleep(chance.uniform(0.0, 1.0))
        crew.start(name)
        verdict.kills += 1
        say(f"{name} killed and started")


async def _settle(storm: Storm, server: MessagingServer, rooms: list[int], say: Callable[[str], None]) -> None:
    """Wait until every message has its answer, or nothing happens any more."""
    last, since = -1, time.monotonic()
    while True:
        count = sum(len(server.messages(each)) for each in rooms)
        if count >= 2 * storm.messages:
            break
        if count != last:
            last, since = count, time.monotonic()
            say(f"{count - storm.messages} of {storm.messages} answered")
        elif time.monotonic() - since > storm.patience:
            break
        await asyncio.sleep(1)
    await asyncio.sleep(2 * storm.ack_wait)  # for what would come twice


def _judge(storm: Storm, server: MessagingServer, rooms: list[int], verdict: Verdict) -> None:
    for each in rooms:
        contents = [str(message["contenu"]) for message in server.messages(each)]
        asked = [content for content in contents if not content.startswith("re ")]
        answers = [content.removeprefix("re ") for content in contents if content.startswith("re ")]
        counted = Counter(answers)
        verdict.answered += len(counted)
        verdict.lost += len(set(asked) - set(counted))
        verdict.doubled += sum(count - 1 for count in counted.values())
        first = list(dict.fromkeys(answers))
        wrong = [(a, b) for a, b in itertools.pairwise(first) if int(a) > int(b)]
        verdict.disordered += len(wrong)
        verdict.notes += [f"conversation {each}: {a} was answered before {b}" for a, b in wrong]
        verdict.notes += [f"conversation {each}: {number} was not answered" for number in set(asked) - set(counted)]
