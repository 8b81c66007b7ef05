"""Files that cannot be used: a clear error each, and nothing overwritten."""

from __future__ import annotations

import asyncio
import os
import resource
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from messaging_client import MessagingClient
from messaging_client.errors import StoreError
from messaging_client.store import Cursor
from messaging_client.store.place import VERSION
from messaging_client.testing import MessagingServer
from tests.store.conftest import Opening
from tests.store.support import LOOSE, a_send, bytes_of, in_turn, largest_of, mode_of, set_mode

NOBODY = 65534


@pytest.fixture
async def used(opened: Opening, path: Path) -> Path:
    """A file with messages in it, closed."""
    store = await opened()
    await asyncio.gather(*(store.save_send(a_send(position, content="x" * 100)) for position in range(200)))
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


def _alter(*statements: str) -> Callable[[Path], None]:
    return lambda path: in_turn(path, *statements)


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
    set_mode(used, 0o644)
    before = bytes_of(used)
    with pytest.raises(StoreError, match=advice):
        await opened()
    assert bytes_of(used) == before
    assert mode_of(used) == 0o644  # it may be somebody else's


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sends SET state = 'nonsense' WHERE position = 7",
        "UPDATE sends SET conversation_id = 'true' WHERE position = 7",
        "UPDATE sends SET after_ids = '{}' WHERE position = 7",
        "UPDATE sends SET created_at = 'canary' WHERE position = 7",
        "UPDATE sends SET client_message_id = 7 WHERE position = 7",
        "UPDATE sends SET conversation_id = 7.5 WHERE position = 7",
        "UPDATE sends SET conversation_id = replace(hex(zeroblob(50000)), '00', '[') WHERE position = 7",
        "UPDATE sends SET position = 'canary' WHERE position = 7",
        "UPDATE sends SET position = 9223372036854775807 WHERE position = 7",
        "UPDATE sends SET position = NULL WHERE position = 7",
        "UPDATE sends SET content = x'63616e617279' WHERE position = 7",
        "UPDATE sends SET content = CAST(x'63616e617279ff' AS TEXT) WHERE position = 7",
        "UPDATE sends SET kind = 1 WHERE position = 7",
        "UPDATE sends SET created_at = '2025-01-01T00:00:00' WHERE position = 7",
        "UPDATE sends SET created_at = '0001-01-01T00:00:00+10:00' WHERE position = 7",
        "UPDATE sends SET timestamp = NULL WHERE position = 7",
        "UPDATE sends SET attempts = 'canary' WHERE position = 7",
        "UPDATE sends SET attempts = -1 WHERE position = 7",
        "UPDATE sends SET may_have_left = 2 WHERE position = 7",
        "UPDATE sends SET after_time = '2025-01-01' WHERE position = 7",
        "UPDATE sends SET after_ids = 7 WHERE position = 7",
        "UPDATE sends SET expires_at = '2025-01-01T00:00:00' WHERE position = 7",
        "UPDATE sends SET expires_at = 7 WHERE position = 7",
        "UPDATE sends SET error = 7 WHERE position = 7",
    ],
)
async def test_a_row_that_is_not_understood_is_told_without_showing_it(
    used: Path, opened: Opening, statement: str
) -> None:
    _alter(*LOOSE, statement)(used)
    store = await opened()
    with pytest.raises(StoreError, match="damaged") as told:
        await store.sends()
    assert "canary" not in repr(told.value)
    assert told.value.__context__ is None


@pytest.mark.skipif(sqlite3.sqlite_version_info < (3, 37), reason="this SQLite does not check types")
async def test_sqlite_takes_no_value_of_another_type(used: Path) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        _alter("UPDATE sends SET position = 'x' WHERE position = 7")(used)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE cursors SET timestamp = '2025-01-01T00:00:00'",
        "UPDATE cursors SET newest_id = '[]'",
        "UPDATE cursors SET ids = '7'",
        "UPDATE cursors SET seen = '[null]'",
    ],
)
async def test_a_position_that_is_not_understood_is_told(used: Path, opened: Opening, statement: str) -> None:
    _alter("INSERT INTO cursors VALUES ('15', NULL, NULL, '[]', '[]')", statement)(used)
    with pytest.raises(StoreError, match="damaged"):
        await (await opened()).cursor(15)


@pytest.mark.parametrize("statement", ["DELETE FROM owner", "INSERT INTO owner SELECT * FROM owner"])
async def test_a_file_without_one_owner_is_damaged(used: Path, opened: Opening, statement: str) -> None:
    _alter(statement)(used)
    with pytest.raises(StoreError, match="damaged"):
        await opened()


async def test_a_value_that_cannot_be_written_ends_its_own_write_only(opened: Opening) -> None:
    store = await opened()
    odd = asyncio.ensure_future(store.save_send(a_send(2, attempts=2**70)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    other = asyncio.ensure_future(store.save_send(a_send(1)))
    async with asyncio.timeout(20):
        with pytest.raises(StoreError, match="could not be written"):
            await odd
        await other
    assert await store.sends() == [a_send(1)]


async def test_a_client_on_a_file_that_is_not_understood_says_so_and_waits_for_nothing(path: Path) -> None:
    async with MessagingServer() as server:
        conversation = await server.create_conversation("Messages - Ordonnance 15", [("patient", 5), ("medecin", 79)])
        token = server.token("medecin", 79)
        client = MessagingClient(server.url, token=token, store=path)
        await client.connect()
        server.faults.silence("send")
        async with client.conversation(conversation) as session:
            await session.send("Bonjour", wait=False)
        await client.aclose(drain=0)
        for statement in ("UPDATE sends SET position = 'x'", "UPDATE sends SET expires_at = '2025-01-01T00:00:00'"):
            _alter(*LOOSE, statement)(path)
            client = MessagingClient(server.url, token=token, store=path)
            async with asyncio.timeout(20):
                with pytest.raises(StoreError, match="damaged"):
                    await client.connect()
                with pytest.raises(StoreError, match="damaged"):
                    await client.send_message_to_conversation(conversation, "Bonjour")
                await client.aclose()


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
    assert await again.cursor(15) is None


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
