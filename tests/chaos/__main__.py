"""`make chaos`: storms of sends; prints what became of every message, and exits with 1 if one was lost or doubled."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.storm import a_plan, rage


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--conversations", type=int, default=20)
    parser.add_argument("--kills", type=int, default=30, help="of the server, and as many of clients")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--keys", choices=("honoured", "ignored", "both"), default="both")
    parser.add_argument("--keep", action="store_true", help="keep the files of clients and server")
    given = parser.parse_args()
    faults = 0
    for keys in ("honoured", "ignored") if given.keys == "both" else (given.keys,):
        faults += _storm(given, keys)
    return 1 if faults else 0


def _storm(given: argparse.Namespace, keys: str) -> int:
    folder = tempfile.mkdtemp(prefix="chaos-")
    plan = a_plan(
        Path(folder),
        messages=given.messages,
        clients=given.clients,
        processes=given.processes,
        conversations=given.conversations,
        server_kills=given.kills,
        client_kills=given.kills,
        honours_keys=keys == "honoured",
        seed=given.seed,
    )
    say(f"Keys {keys}, seed {given.seed}: {given.messages} messages, {given.kills} kills each way")
    began = time.monotonic()
    verdict = rage(plan, lambda line: say(f"  {line}"))
    for name, count in verdict.counts.items():
        say(f"  {name:>28} {count}")
    for fault in verdict.faults:
        say(f"  WRONG: {fault}")
    say(f"  {'lost or doubled' if verdict.faults else 'all well'}, after {time.monotonic() - began:.0f} s")
    if given.keep or verdict.faults:
        say(f"  files: {folder}")
    else:
        for each in Path(folder).iterdir():
            each.unlink()
        Path(folder).rmdir()
    return len(verdict.faults)


if __name__ == "__main__":
    sys.exit(main())
