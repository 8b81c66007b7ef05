"""A storm: processes that send and see, a server that fails, and somebody who kills both."""

from __future__ import annotations

import contextlib
import multiprocessing
import random
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.chaos.crew import run_clients
from tests.chaos.plan import Journal, Plan
from tests.chaos.verdict import Verdict, judge, missing, stored
from tests.chaos.weather import run_server

# Processes are forked from one that has imported everything, so that each starts in an instant.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.chaos.crew", "tests.chaos.weather", "tests.chaos.sender"])

PATIENCE = 120.0  # seconds without any progress, after which the storm has failed

Say = Callable[[str], None]


class Stuck(Exception):
    """Nothing has moved for `PATIENCE` seconds."""


class _Life:
    """A process that can be killed and started again."""

    def __init__(self, work: Callable[..., None], *given: Any) -> None:
        self._work = work
        self._given = given
        self.lives = 0
        self.start()

    def start(self) -> None:
        self.pipe, theirs = PROCESSES.Pipe()
        self.process = PROCESSES.Process(target=self._work, args=(*self._given, self.lives, theirs), daemon=True)
        self.process.start()
        theirs.close()
        self.lives += 1

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()

    def hears(self, word: str, seconds: float = PATIENCE) -> None:
        """Wait for a word of the process.

        Raises:
            Stuck: it does not come.
        """
        with contextlib.suppress(EOFError):
            if self.pipe.poll(seconds) and self.pipe.recv() == word:
                return
        raise Stuck(f"a process did not say that it is {word}")


def rage(plan: Plan, say: Say = lambda _line: None) -> Verdict:
    """Run a storm to its end, and say what became of every message."""
    server = _Life(run_server, plan)
    crews: list[_Life] = []
    try:
        server.hears("ready")
        crews.extend(_Life(run_clients, plan, number) for number in range(plan.processes))
        for crew in crews:
            crew.hears("ready")
        for each in (server, *crews):
            each.pipe.send("go")  # what is sent before all have joined would be history to some
        _kill_as_it_goes(plan, server, crews, say)
        _let_settle(plan, server, crews, say)
        return judge(plan)
    except Stuck as stuck:
        verdict = judge(plan)
        verdict.faults.append(f"stuck: {stuck}")
        return verdict
    finally:
        for each in (server, *crews):
            each.kill()


def _kill_as_it_goes(plan: Plan, server: _Life, crews: list[_Life], say: Say) -> None:
    """Kill a server or a crew whenever some more messages have been stored."""
    chance = random.Random(f"{plan.seed} kills")
    faults = Journal(plan.faults)
    victims = ["server"] * plan.server_kills + ["crew"] * plan.client_kills
    chance.shuffle(victims)
    for number, victim in enumerate(victims):
        _wait_for(plan, plan.messages * (number + 1) // (len(victims) + 2))
        faults.write(f"{victim} killed", 1)
        if victim == "server":
            server.kill()
            time.sleep(chance.uniform(0, 0.5))  # how long it is away
            server.start()
            server.hears("ready")
            server.pipe.send("go")
        else:
            crew = chance.choice(crews)
            crew.kill()
            time.sleep(chance.uniform(0, 0.5))
            crew.start()
            crew.pipe.send("go")
        say(f"{len(stored(plan))} stored; {victim} killed and started again ({number + 1} of {len(victims)})")


def _let_settle(plan: Plan, server: _Life, crews: list[_Life], say: Say) -> None:
    """Wait until everything was sent and seen, with no more faults once it was sent."""
    for crew in crews:
        while crew.pipe.poll(PATIENCE):
            if crew.pipe.recv() == "sent":
                break
        else:
            raise Stuck("a process has not sent everything")
    server.pipe.send("calm")
    say("all sent; waiting until all is seen")
    _until_none_is_left(lambda: missing(plan), every=1.0)
    for crew in crews:
        crew.pipe.send("close")
        crew.hears("closed")


def _wait_for(plan: Plan, count: int) -> None:
    _until_none_is_left(lambda: count - len(stored(plan)), every=0.1)


def _until_none_is_left(measure: Callable[[], int], every: float) -> None:
    """Look again and again, and lose patience when nothing moves."""
    least, since = measure(), time.monotonic()
    while least > 0:
        time.sleep(every)
        now = measure()
        if now < least:
            least, since = now, time.monotonic()
        elif time.monotonic() - since > PATIENCE:
            raise Stuck(f"nothing has moved for {PATIENCE:g} s")


def a_plan(folder: Path, **sizes: Any) -> Plan:
    """Make a plan with a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return Plan(folder=str(folder), port=port, **sizes)
