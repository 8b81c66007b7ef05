"""The server of a storm: a process that fails in every way it can until it is killed."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from multiprocessing.connection import Connection

from messaging_client.testing import MessagingServer, ServerOptions
from messaging_client.testing.rules import Reply, RestFault
from tests.chaos.plan import HAPPENS, SECRET, Journal, Plan, read_journal

CUTS, CLEARINGS = 0.15, 0.2  # how often all sockets are cut, and how often all is well for a moment
READS = ("messages", "new_messages")
BETWEEN_FAULTS = (0.05, 0.4)  # seconds


def run_server(plan: Plan, life: int, pipe: Connection) -> None:
    """Serve until killed. The first life makes the conversations. A word starts the storm, another one ends it."""
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of every write to a socket that was cut
    asyncio.run(_serve(plan, life, pipe))


async def _serve(plan: Plan, life: int, pipe: Connection) -> None:
    options = ServerOptions(idempotency=plan.honours_keys, echo_client_message_id=plan.honours_keys)
    async with MessagingServer(str(plan.database), plan.port, options=options, secret=SECRET) as server:
        if life == 0:
            for number, pair in enumerate(plan.pairs):
                # A context of its own: two people have one conversation about each.
                await server.create_conversation(f"Messages - Ordonnance {number + 1}", list(pair))
        pipe.send("ready")
        await asyncio.to_thread(pipe.recv)
        journal = Journal(plan.faults)
        due = set(HAPPENS) - {what for what, *_ in read_journal(plan.faults)}
        _count(server, journal, due)
        storm = asyncio.ensure_future(_storm(server, random.Random(f"{plan.seed} server {life}"), journal, due))
        await asyncio.to_thread(pipe.recv)
        storm.cancel()
        server.faults.clear()
        await asyncio.Event().wait()


def _count(server: MessagingServer, journal: Journal, due: set[str]) -> None:
    """Note every fault of a request when it happens, and not when it is asked for; and that it is due no more."""
    answers = server.faults._rules.answers
    take = answers.take

    def counted(operation: str) -> RestFault | None:
        fault = take(operation)
        if fault is not None:
            journal.write(_name(operation, fault))
            due.discard(_name(operation, fault))
        return fault

    answers.take = counted  # type: ignore[method-assign]


def _name(operation: str, fault: RestFault) -> str:
    if operation in READS:
        return "reads failed"
    if isinstance(fault, Reply) and fault.status in (429, 503):
        return f"answered {fault.status}"
    return "answers lost after storing" if fault.after_storing else "requests lost before storing"


async def _storm(server: MessagingServer, chance: random.Random, journal: Journal, due: set[str]) -> None:
    """Let things go wrong, the ones that are due first: in a short storm, chance alone would leave some out."""
    faults = server.faults
    first: dict[str, Callable[[], None]] = {
        "answers lost after storing": lambda: faults.drop_after_storing("send"),
        "requests lost before storing": lambda: faults.drop_before_storing("send"),
        "answered 429": lambda: faults.answer("send", 429, retry_after=0.1),
        "answered 503": lambda: faults.answer("send", 503),
        "reads failed": lambda: faults.answer("new_messages", 502),
    }
    for each in sorted(due & first.keys()):
        first[each]()
    ways: list[Callable[[], None]] = [
        lambda: faults.drop_after_storing("send", count=chance.randint(1, 4)),
        lambda: faults.drop_before_storing("send", count=chance.randint(1, 4)),
        lambda: faults.answer("send", chance.choice((500, 502, 504)), after_storing=chance.random() < 0.7),
        lambda: faults.truncate("send"),
        lambda: faults.answer(None, 429, retry_after=chance.choice((0.1, 0.3))),
        lambda: faults.answer("send", 503, count=chance.randint(1, 3)),
        lambda: faults.answer(chance.choice(READS), chance.choice((500, 502, 503)), count=chance.randint(1, 2)),
        lambda: faults.drop_before_storing(chance.choice(READS)),
        lambda: faults.truncate(chance.choice(READS)),
        lambda: faults.delay("send", chance.uniform(0.05, 0.3), count=2, after_storing=True),
        lambda: faults.drop_events("new_message", count=2),
        lambda: faults.duplicate_events("new_message", count=2),
    ]
    deck: list[Callable[[], None]] = []
    while True:
        await asyncio.sleep(chance.uniform(*BETWEEN_FAULTS))
        luck = chance.random()
        if luck < CUTS or "sockets cut" in due:
            count = await faults.cut()
            journal.write("sockets cut", count)
            due -= {"sockets cut"} if count else set()
        elif luck < CUTS + CLEARINGS and not due & first.keys():
            faults.clear()  # or the last messages would meet all that nobody else has met
        else:
            if not deck:  # each way once before any comes again
                deck = chance.sample(ways, len(ways))
            deck.pop()()
