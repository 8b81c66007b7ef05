"""Files that cannot be used: a clear error each, and nothing overwritten."""

from __future__ import annotations

import os
import resource
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from messaging_client.errors import StoreError
from messaging_client.store import Cursor
from messaging_client.store.database import VERSION
from tests.store.conftest import Opening
from tests.store.support import a_send, bytes_of, largest_of, set_mode

NOBODY = 65534


@pytest.fixture
async def used(opened: Opening, path: Path) -> Path:
    """A file with messages in it, closed."""
    store = await opened()
    for position in range(200):
        await store.save_send(a_send(position, content="x" * 100))
    await store.aclose()
    return path


def _ruin_the_start(path: Path) -> None:
    path.write_bytes(b"\x7fELF" + path.read_bytes()[4:])


def _ruin_the_middle(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096 : 3 * 4096] = os.urandom(2 * 4096)
    path.write_bytes(data)


def _cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:6000])


def _alter(statement: str) -> Callable[[Path], None]:
    def alter(path: Path) -> None:
        database = sqlite3.connect(path, isolation_level=None)
        database.execute(statement)
        database.close()

    return alter


def _be_of_another_program(path: Path) -> None:
    path.unlink()
    _alter("CREATE TABLE things (a)")(path)


@pytest.mark.parametrize(
    ("ruin", "advice"),
    [
        (_ruin_the_start, "no SQLite database"),
        (_ruin_the_middle, "damaged"),
        (_cut_short, "damaged"),
        (lambda path: path.write_text("Bonjour " * 200), "no SQLite database"),
        (_be_of_another_program, "another program"),
        (_alter("PRAGMA application_id = 1"), "another program"),
        (_alter(f"PRAGMA user_version = {VERSION + 1}"), "newer version"),
    ],
    ids=["header", "pages", "cut short", "text", "other program", "other application", "newer version"],
)
async def test_a_file_that_is_not_understood_is_left_as_it_is(
    used: Path, opened: Opening, ruin: Callable[[Path], None], advice: str
) -> None:
    ruin(used)
    before = bytes_of(used)
    with pytest.raises(StoreError, match=advice):
        await opened()
    assert bytes_of(used) == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sends SET state = 'nonsense' WHERE position = 7",
        "UPDATE sends SET conversation_id = 'true' WHERE position = 7",
        "UPDATE sends SET after_ids = '{}' WHERE position = 7",
        "UPDATE sends SET created_at = 'canary' WHERE position = 7",
    ],
)
async def test_a_row_that_is_not_understood_is_told_without_showing_it(
    used: Path, opened: Opening, statement: str
) -> None:
    _alter(statement)(used)
    store = await opened()
    with pytest.raises(StoreError, match="damaged") as told:
        await store.sends()
    assert "canary" not in repr(told.value)
    assert told.value.__context__ is None


@pytest.fixture
def somewhere() -> Iterator[Path]:
    """A folder that everybody can reach."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        yield Path(folder)


@contextmanager
def powerless() -> Iterator[None]:
    """Be no superuser, for whom every file is writable."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(("what", "mode"), [("messages.db", 0o400), ("", 0o500)], ids=["file", "folder"])
async def test_what_is_read_only_is_told_and_stays(somewhere: Path, opened: Opening, what: str, mode: int) -> None:
    path = somewhere / "mine" / "messages.db"
    with powerless():
        os.mkdir(path.parent)
        store = await opened(path)
        await store.save_send(a_send(1))
        await store.aclose()
        before = bytes_of(path)
        set_mode(path.parent / what, mode)
        with pytest.raises(StoreError, match="read-only"):
            await opened(path)
        assert bytes_of(path) == before
        set_mode(path.parent / what, 0o700)
        assert await (await opened(path)).sends() == [a_send(1)]


@pytest.mark.parametrize("name", ["missing/messages.db", ".", "x" * 300])
async def test_a_place_where_no_file_can_be(path: Path, opened: Opening, name: str) -> None:
    with pytest.raises(StoreError, match=r"check the path|is a folder"):
        await opened(path.parent / name)
    assert not bytes_of(path)


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """As if the disk were full: the system refuses to write beyond that size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_refuses_what_is_new_and_keeps_what_was_accepted(opened: Opening, path: Path) -> None:
    store = await opened()
    await store.save_send(a_send(1))
    with no_file_larger_than(largest_of(path) + 100):
        with pytest.raises(StoreError, match="free space"):
            await store.save_send(a_send(2, content="x" * 100_000))
        with pytest.raises(StoreError, match="free space"):
            await store.save_cursors([Cursor(15, seen=tuple(range(50_000)))])
        assert [each.position for each in await store.sends()] == [1]
    await store.save_send(a_send(3))
    await store.aclose()
    again = await opened()
    assert [each.position for each in await again.sends()] == [1, 3]
    assert await again.cursors() == {}


async def test_a_database_that_may_not_grow_is_a_full_disk(opened: Opening) -> None:
    store = await opened()
    await store.save_send(a_send(1))
    await store._call(lambda database: database.read("PRAGMA max_page_count = 1"))
    with pytest.raises(StoreError, match="disk is full"):
        await store.save_send(a_send(2, content="x" * 100_000))
    assert await store.sends() == [a_send(1)]


async def test_a_full_disk_from_the_start(opened: Opening, path: Path) -> None:
    with no_file_larger_than(1000), pytest.raises(StoreError, match="free space"):
        await opened()
    store = await opened()
    await store.save_send(a_send(1))
    assert await store.sends() == [a_send(1)]
