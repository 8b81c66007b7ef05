"""A damaged write-ahead log is told; one that a crash has torn is taken as far as it goes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from messaging_client.errors import StoreError
from tests.store.conftest import Opening
from tests.store.support import SERVER, a_send, bytes_of, in_it, in_turn

FRAME = 24 + 4096
ACCEPTED = 5

_WRITER = f"""
import asyncio, os, sys
from messaging_client.models import User, UserType
from messaging_client.store import Cursor, open_store
from tests.store.support import a_send

async def main():
    store = open_store(sys.argv[1])
    await store.bind({SERVER!r}, User(id=5, type=UserType.PATIENT))
    for position in range(int(sys.argv[2])):
        await store.save_send(a_send(position, content="x" * int(sys.argv[3])))
        await store.save_cursors([Cursor(15, newest_id=position)])
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""


def _write_and_be_killed(path: Path, count: int = ACCEPTED, size: int = 10) -> None:
    subprocess.run([sys.executable, "-c", _WRITER, str(path), str(count), str(size)], check=False)


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _commits(path: Path) -> list[int]:
    """Where in the log the frames are that end a transaction: of a message and of a position in turn."""
    data = _wal(path).read_bytes()
    return [at for at in range(32, len(data), FRAME) if any(data[at + 4 : at + 8])]


def _flip(at: int) -> Callable[[Path], None]:
    def flip(path: Path) -> None:
        data = bytearray(_wal(path).read_bytes())
        data[at] ^= 0x40
        _wal(path).write_bytes(data)

    return flip


def _flip_last(path: Path) -> None:
    """Damage the last frame that was synced: it ends the last message."""
    _flip(_commits(path)[-2] + 1000)(path)


def _cut(path: Path) -> None:
    os.truncate(_wal(path), _commits(path)[-2] + 2000)


def _zero(path: Path) -> None:
    data = bytearray(_wal(path).read_bytes())
    data[4096:8192] = bytes(4096)
    _wal(path).write_bytes(data)


DAMAGE = {
    "magic": _flip(3),
    "size": _flip(11),
    "salt": _flip(20),
    "sum": _flip(30),
    "salt of a frame": _flip(32 + 8),
    "sum of a frame": _flip(32 + 20),
    "page": _flip(32 + 24 + 200),
    "last page": _flip_last,
    "cut": _cut,
    "zeros": _zero,
}


@pytest.mark.parametrize("ruin", DAMAGE.values(), ids=DAMAGE)
async def test_a_log_that_was_damaged_is_told_and_left_as_it_is(
    path: Path, opened: Opening, ruin: Callable[[Path], None]
) -> None:
    _write_and_be_killed(path)
    ruin(path)
    before = bytes_of(path)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"-wal is damaged, .* accepted"):
            await opened()
        assert bytes_of(path) == before


def _lose_the_tail(path: Path) -> None:
    """The position behind the last message was not synced: the power can take it."""
    os.truncate(_wal(path), _commits(path)[-2] + FRAME)


def _lose_the_middle_of_the_tail(path: Path) -> None:
    _flip(_commits(path)[-2] + FRAME + 5)(path)


def _leave_garbage_behind(path: Path) -> None:
    data = _wal(path).read_bytes()
    _wal(path).write_bytes(data + os.urandom(10_000) + data[32 : 32 + FRAME])


def _lose_the_note(path: Path) -> None:
    in_it(path.with_name(f"{path.name}-lock"), b"")


def _tear_the_note(path: Path) -> None:
    in_it(path.with_name(f"{path.name}-lock"), bytes(20))


CRASHES = {
    "tail": _lose_the_tail,
    "middle of the tail": _lose_the_middle_of_the_tail,
    "garbage": _leave_garbage_behind,
    "note": _lose_the_note,
    "torn note": _tear_the_note,
    "nothing": lambda _: None,
}


@pytest.mark.parametrize("crash", CRASHES.values(), ids=CRASHES)
async def test_what_a_crash_can_do_is_taken_up(path: Path, opened: Opening, crash: Callable[[Path], None]) -> None:
    _write_and_be_killed(path)
    crash(path)
    store = await opened()
    assert [each.position for each in await store.sends()] == list(range(ACCEPTED))
    await store.save_send(a_send(ACCEPTED))
    await store.aclose()
    assert list(bytes_of(path)) == [path.name]


async def test_a_log_that_began_anew_is_known_by_its_salt(path: Path, opened: Opening) -> None:
    """SQLite writes it from its start again once a thousand pages are in it."""
    for _ in range(2):
        _write_and_be_killed(path, count=90, size=60_000)
        assert _wal(path).stat().st_size < 1500 * FRAME
        store = await opened()
        assert len(await store.sends()) == 90
        await store.aclose()
    _write_and_be_killed(path, count=90, size=60_000)
    _flip(32 + 24 + 200)(path)
    with pytest.raises(StoreError, match="-wal is damaged"):
        await opened()


async def test_a_log_whose_file_is_gone_is_told(path: Path, opened: Opening) -> None:
    _write_and_be_killed(path)
    os.unlink(path)
    before = bytes_of(path)
    with pytest.raises(StoreError, match="belongs to a file that is not there"):
        await opened()
    assert bytes_of(path) == before


async def test_a_log_that_another_program_has_put_away_is_not_missed(path: Path, opened: Opening) -> None:
    _write_and_be_killed(path)
    in_turn(path, "DELETE FROM sends WHERE position = 0")
    assert not _wal(path).exists()
    assert len(await (await opened()).sends()) == ACCEPTED - 1
