"""`make demo-fleet` and the storm of `make soak`: prints what became of every message; 1 if one was lost or doubled."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path

from tests.fleet.storm import Storm, rage


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


_WORDS = {"answered": "handled", "disordered": "order violations", "redelivered": "delivered again"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fleet", description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--conversations", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--restarts", type=int, default=3)
    parser.add_argument("--rate", type=float, default=200.0, help="messages a second that patients write")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--demo", action="store_true", help="a short storm, in which a relay and a worker are killed")
    given = parser.parse_args()
    if given.demo:
        given.messages, given.kills, given.restarts, given.rate = 2_000, 2, 0, 100.0
    folder = Path(tempfile.mkdtemp(prefix="fleet-"))
    storm = Storm(
        folder,
        messages=given.messages,
        conversations=given.conversations,
        kills=given.kills,
        restarts=given.restarts,
        rate=given.rate,
        seed=given.seed,
        victims=("relay 0", "work 0") if given.demo else None,
    )
    say(f"{given.messages} messages in {given.conversations} conversations, 2 relays, 4 workers, seed {given.seed}")
    verdict = asyncio.run(rage(storm, lambda line: say(f"  {line}")))
    for name in ("answered", "lost", "doubled", "disordered", "redelivered", "kills", "restarts"):
        say(f"  {_WORDS.get(name, name):>16} {getattr(verdict, name)}")
    say(f"  {'all well' if verdict.is_well else f'WRONG; files: {folder}'}, after {verdict.seconds:.0f} s")
    for note in verdict.notes[:50]:
        say(f"  {note}")
    return 0 if verdict.is_well else 1


if __name__ == "__main__":
    sys.exit(main())
