"""The server of a storm: a process that fails in every way it can until it is killed."""

from __future__ import annotations

import asyncio
import random
from multiprocessing.connection import Connection

from messaging_client.testing import MessagingServer, ServerOptions
from tests.chaos.plan import SECRET, Plan

CUTS, CLEARINGS = 0.15, 0.2  # how often all sockets are cut, and how often all is well for a moment
BETWEEN_FAULTS = (0.05, 0.4)  # seconds


def run_server(plan: Plan, life: int, pipe: Connection) -> None:
    """Serve until killed. The first life makes the conversations. A word starts the storm, another one ends it."""
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
        storm = asyncio.ensure_future(_storm(server, random.Random(f"{plan.seed} server {life}")))
        await asyncio.to_thread(pipe.recv)
        storm.cancel()
        server.faults.clear()
        await asyncio.Event().wait()


async def _storm(server: MessagingServer, chance: random.Random) -> None:
    faults = server.faults
    ways = [
        lambda: faults.drop_after_storing("send", count=chance.randint(1, 4)),
        lambda: faults.drop_before_storing("send", count=chance.randint(1, 4)),
        lambda: faults.answer("send", chance.choice((500, 502, 504)), after_storing=chance.random() < 0.7),
        lambda: faults.truncate("send"),
        lambda: faults.answer(None, 429, retry_after=chance.choice((0.1, 0.3))),
        lambda: faults.answer("send", 503, count=chance.randint(1, 3)),
        lambda: faults.delay("send", chance.uniform(0.05, 0.3), count=2, after_storing=True),
        lambda: faults.drop_events("new_message", count=2),
        lambda: faults.duplicate_events("new_message", count=2),
    ]
    while True:
        await asyncio.sleep(chance.uniform(*BETWEEN_FAULTS))
        luck = chance.random()
        if luck < CUTS:
            await faults.cut()
        elif luck < CUTS + CLEARINGS:
            faults.clear()  # or the last messages would meet all that nobody else has met
        else:
            chance.choice(ways)()
