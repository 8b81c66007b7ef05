"""A file has one owner at a time, whatever else the process does, and forks of it are no owners."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from messaging_client.errors import ConfigurationError, StoreError
from messaging_client.store import Store
from messaging_client.store.side_file import SideFile
from tests.store.conftest import Opening
from tests.store.support import PATIENT, SERVER, a_send, bytes_of, in_file, in_it

_HOLDER = f"""
import asyncio, sys
from messaging_client.models import User, UserType
from messaging_client.store import open_store
from messaging_client.errors import ConfigurationError

async def main():
    store = open_store(sys.argv[1])
    try:
        await store.bind({SERVER!r}, User(id=5, type=UserType.PATIENT))
    except ConfigurationError as error:
        print(error, flush=True)
        return
    print("open", flush=True)
    sys.stdin.read()

asyncio.run(main())
"""


def _process(path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


async def test_the_lock_keeps_another_process_out_and_ends_with_its_own(opened: Opening, path: Path) -> None:
    with _process(path) as holder:
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(ConfigurationError, match="in use"):
            await opened()
        holder.kill()
        holder.wait()
    store = await opened()
    # A second client of this process that fails must not drop the lock of the first.
    with pytest.raises(ConfigurationError, match="in use"):
        await opened()
    with _process(path) as late:
        said, _ = late.communicate(timeout=30)
        assert "in use" in said
    await store.save_send(a_send(1))


async def _is_in_use(path: Path) -> bool:
    """Whether another process is told that it is."""
    with _process(path) as late:
        said, _ = await asyncio.to_thread(late.communicate, timeout=30)
        return "in use" in said


async def test_opening_and_closing_the_file_in_this_process_drops_no_lock(opened: Opening, path: Path) -> None:
    await (await opened()).save_send(a_send(1))
    in_it(path)  # a backup, say: the system drops every lock of the other kind that this process has on it
    assert await _is_in_use(path)


async def test_the_path_is_not_free_while_its_file_is_elsewhere(opened: Opening, path: Path) -> None:
    store = await opened()
    await store.save_send(a_send(1))
    moved = path.with_name("moved.db")
    os.rename(path, moved)
    assert await _is_in_use(path)
    assert path.name not in bytes_of(path)
    # Nothing is accepted that the next client at this path would not find.
    with pytest.raises(StoreError, match="moved, replaced or deleted"):
        await store.save_send(a_send(2))
    in_it(path, b"")
    with pytest.raises(StoreError, match="moved, replaced or deleted"):
        await store.save_send(a_send(2))
    os.replace(moved, path)
    await store.save_send(a_send(3))
    await store.aclose()
    assert [each.position for each in await (await opened()).sends()] == [1, 3]


@pytest.mark.parametrize("content", [b"notes of somebody, longer than ours"])
async def test_a_side_file_of_somebody_else_is_left_alone(opened: Opening, path: Path, content: bytes) -> None:
    path.with_name(f"{path.name}-lock").write_bytes(content)
    with pytest.raises(StoreError, match="move it away"):
        await opened()
    assert bytes_of(path) == {f"{path.name}-lock": content}


async def test_an_owner_that_goes_takes_its_side_file_with_it_and_lets_no_two_in(path: Path) -> None:
    """Many come and go at a time, and each leaves a file behind that the next has opened already."""
    inside = most = 0

    def come_and_go() -> None:
        nonlocal inside, most
        for _ in range(200):
            try:
                file = SideFile(path)
            except BlockingIOError:
                continue
            inside += 1
            most = max(most, inside)
            inside -= 1
            file.close()

    await asyncio.gather(*(asyncio.to_thread(come_and_go) for _ in range(4)))
    assert most == 1
    assert not bytes_of(path)


async def test_a_side_file_that_its_owner_takes_away_meanwhile_is_not_taken_for_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = SideFile(path)
    lock = fcntl.flock

    def late(file: object, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        first.close()
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    second = SideFile(path)
    with pytest.raises(BlockingIOError):
        SideFile(path)
    second.close()


# --- forks -----------------------------------------------------------------------------------------------------------


def _in_a_fork(work: Callable[[], None]) -> int:
    """Run something in a forked process, which ends as Python does; gives its exit code."""
    process = os.fork()
    if process == 0:
        code = 99
        try:
            signal.alarm(30)
            work()
            code = 0
        finally:
            gc.collect()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _use(store: Store) -> None:
    """Use it as whoever does not know that it is of another process."""

    async def use() -> None:
        for work in (store.save_send(a_send(9)), store.sends(), store.bind(SERVER, PATIENT)):
            with pytest.raises(StoreError, match="forked"):
                await work
        await store.aclose()

    loop = asyncio.new_event_loop()
    asyncio._set_running_loop(None)
    loop.run_until_complete(use())


async def test_a_fork_cannot_use_it_and_leaves_it_whole(opened: Opening, path: Path) -> None:
    store = await opened()
    await store.save_send(a_send(1))
    wal = path.with_name(f"{path.name}-wal")
    before = wal.stat()
    assert _in_a_fork(lambda: _use(store)) == 0
    # What a fork forgets is not closed by SQLite, which would take away the log of the owner.
    assert _in_a_fork(lambda: _forget(store)) == 0
    assert os.path.samestat(wal.stat(), before)
    assert wal.stat().st_size == before.st_size
    assert await _is_in_use(path)
    await store.save_send(a_send(2))
    await store.aclose()
    assert in_file(path, "SELECT position FROM sends") == [(1,), (2,)]


def _forget(store: Store) -> None:
    store._database = None
    store._opening = None
    gc.collect()


_PARENT = f"""
import asyncio, os, sys, time
from messaging_client.models import User, UserType
from messaging_client.store import open_store

async def main():
    store = open_store(sys.argv[1])
    await store.bind({SERVER!r}, User(id=5, type=UserType.PATIENT))
    if os.fork() == 0:
        print("forked", flush=True)
        sys.stdin.read()
        os._exit(0)
    if sys.argv[2] == "close":
        await store.aclose()
    else:
        os.kill(os.getpid(), 9)
    os.wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("end", ["close", "be killed"])
async def test_a_fork_that_lives_on_does_not_keep_it(opened: Opening, path: Path, end: str) -> None:
    parent = subprocess.Popen(  # noqa: ASYNC220 - returns at once
        [sys.executable, "-W", "ignore", "-c", _PARENT, str(path), end],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout.readline() == "forked\n"
        await _opens_in_the_end(opened)
        parent.stdin.close()


async def _opens_in_the_end(opened: Opening) -> None:
    """The parent goes just now: try until it has."""
    async with asyncio.timeout(30):
        while True:
            try:
                await opened()
            except ConfigurationError:
                await asyncio.sleep(0.02)
            else:
                return
