"""What was accepted is on the disk: a process is killed the moment it says so, and the file holds it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from messaging_client.store import Cursor
from tests.store.conftest import Opening
from tests.store.support import SERVER

_WRITER = f"""
import asyncio, os, sys
from messaging_client.models import User, UserType
from messaging_client.store import Cursor, open_store
from tests.store.support import a_send

async def main():
    store = open_store(sys.argv[1])
    await store.bind({SERVER!r}, User(id=5, type=UserType.PATIENT))

    async def save(position):
        await store.save_send(a_send(position, content="x" * position))
        os.write(1, b"%d\\n" % position)  # accepted: the reader may believe it from here on

    first = len(await store.sends())
    await store.save_cursors([Cursor(15, newest_id=first)])
    os.write(1, b"ready %d\\n" % first)
    for start in range(first, 1_000_000, 7):
        await asyncio.gather(*(save(position) for position in range(start, start + 7)))

asyncio.run(main())
"""


def _write_until_killed(path: Path, after: int) -> tuple[int, set[int]]:
    """Give how many were there at the start, and which were accepted before the end."""
    with subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        ready = writer.stdout.readline().split()
        assert ready, "the writer ended before it was ready"
        accepted = {int(writer.stdout.readline()) for _ in range(after)}
        writer.kill()
        accepted.update(map(int, writer.stdout.read().split()))
    return int(ready[1]), accepted


@pytest.mark.parametrize("rounds", [pytest.param(3, id="short"), pytest.param(40, id="long", marks=pytest.mark.soak)])
async def test_whatever_was_accepted_survives_sigkill(opened: Opening, path: Path, rounds: int) -> None:
    expected: set[int] = set()
    for number in range(rounds):
        found, accepted = _write_until_killed(path, 1 + 13 * number % 40)
        assert found >= len(expected)
        expected |= accepted
        store = await opened()
        kept = {each.position: each.content for each in await store.sends()}
        assert expected <= kept.keys()
        assert all(content == "x" * position for position, content in kept.items())
        assert await store.cursor(15) == Cursor(15, newest_id=found)
        expected = set(kept)
        await store.aclose()
