"""What is written comes back as it was, from a file that belongs to one client, one user and one server."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from messaging_client.errors import ConfigurationError, StoreError
from messaging_client.models import MessageType, User, UserType
from messaging_client.store import Cursor, SendState, open_store
from messaging_client.store.database import Database
from messaging_client.store.store import THREAD_NAME
from tests.store.conftest import Opening
from tests.store.support import NOON, PATIENT, SERVER, a_send, bytes_of, in_file, mode_of, set_mode

CURSORS = (
    Cursor(conversation_id=15),
    Cursor(conversation_id="15x", timestamp=NOON, newest_id=3, ids=frozenset({3, "b"}), seen=("temp_1", 4)),
    Cursor(conversation_id="conv_1", timestamp=NOON + timedelta(microseconds=1), newest_id="z"),
)
SENDS = (
    a_send(1),
    a_send(
        2,
        "conv_1",
        "Où ? 💊\0\n",
        kind=MessageType.DOCUMENT,
        state=SendState.UNCERTAIN,
        attempts=3,
        may_have_left=True,
        after_time=NOON,
        after_ids=frozenset({7, "7x"}),
        expires_at=NOON + timedelta(hours=1),
        error="SendUncertain",
    ),
    a_send(3, state=SendState.REFUSED),
)


# --- what comes back -------------------------------------------------------------------------------------------------


async def test_everything_comes_back_as_it_was(opened: Opening) -> None:
    store = await opened()
    await store.save_cursors(CURSORS)
    await asyncio.gather(*(store.save_send(each) for each in reversed(SENDS)))
    await store.set_flag("joined_all")
    await store.aclose()

    again = await opened()
    assert [await again.cursor(each.conversation_id) for each in CURSORS] == list(CURSORS)
    assert await again.sends() == list(SENDS)
    assert await again.get_flag("joined_all")
    assert not await again.get_flag("another")


async def test_the_last_write_of_a_thing_counts(opened: Opening) -> None:
    store = await opened()
    await store.save_send(SENDS[0])
    await store.save_send(a_send(1, attempts=1))
    await store.save_send(SENDS[1])
    await store.remove_send(SENDS[1].client_message_id)
    await store.save_cursors([Cursor(15), Cursor("15x"), Cursor(15, newest_id=9)])
    await store.forget_cursor("15x")
    await store.set_flag("joined_all")
    await store.set_flag("joined_all", False)

    assert await store.sends() == [a_send(1, attempts=1)]
    assert await store.cursor(15) == Cursor(15, newest_id=9)
    assert await store.cursor("15x") is None
    assert not await store.get_flag("joined_all")


async def test_a_position_is_added_where_there_is_none(opened: Opening) -> None:
    store = await opened()
    await store.add_cursor(Cursor(15, newest_id=9))
    await store.add_cursor(Cursor(15))
    assert await store.cursor(15) == Cursor(15, newest_id=9)
    assert await store.cursor("15") is None


async def test_until_when_conversations_were_listed_is_one_time(opened: Opening) -> None:
    store = await opened()
    await store.set_flag("listed")
    assert await store.listed_until() is None
    for moment in (NOON + timedelta(hours=1), NOON):
        await store.set_listed_until(moment)
        assert await store.listed_until() == moment
    await store.set_listed_until(None)
    assert await store.listed_until() is None
    assert await store.get_flag("listed")


async def test_a_read_sees_what_was_written_before_it(opened: Opening) -> None:
    store = await opened()
    writing = [asyncio.ensure_future(store.save_send(a_send(position))) for position in range(50)]
    await asyncio.sleep(0)
    assert [each.position for each in await store.sends()] == list(range(50))
    await asyncio.gather(*writing)


async def test_writes_at_the_same_time_share_a_transaction(opened: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await opened()
    sizes: list[int] = []
    write = Database.write
    monkeypatch.setattr(Database, "write", lambda self, writes: (sizes.append(len(writes)), write(self, writes))[1])
    await asyncio.gather(*(store.save_send(a_send(position)) for position in range(100)))
    assert sizes == [100]


async def test_a_confirmed_id_is_kept_while_another_message_may_be_taken_for_it(opened: Opening) -> None:
    store = await opened()
    marked = a_send(1, after_ids=frozenset({1}), may_have_left=True)
    for each in (marked, a_send(2), a_send(3), a_send(4, 16)):
        await store.save_send(each)
    await store.confirm_send("key-2", 15, 9)
    await store.confirm_send("key-4", 16, "9x")  # nothing else is there of this conversation
    await store.add_claim(15, "10x")
    await store.add_claim(16, 11)
    await store.aclose()

    again = await opened()
    assert sorted(await again.claims(), key=str) == [(15, "10x"), (15, 9)]
    assert [each.position for each in await again.sends()] == [1, 3]
    await again.confirm_send("key-3", 15, 12)
    assert len(await again.claims()) == 3
    await again.remove_send("key-1")
    assert (await again.claims(), await again.sends()) == ([], [])


async def test_nobody_sees_a_content(opened: Opening) -> None:
    store = await opened()
    await store.save_send(a_send(content="canary"))
    assert "canary" not in repr(await store.sends()) + repr(store)


# --- whose file ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("server", "user"),
    [
        ("http://localhost:3001", PATIENT),
        (SERVER, User(id=6, type=UserType.PATIENT)),
        (SERVER, User(id=5, type=UserType.MEDECIN)),
        (SERVER, User(id="5x", type=UserType.PATIENT)),
    ],
)
async def test_a_file_is_of_one_user_at_one_server(opened: Opening, server: str, user: User) -> None:
    store = await opened()
    with pytest.raises(ConfigurationError, match="another server or user"):
        await store.bind(server, user)
    await store.save_send(SENDS[0])
    await store.aclose()
    with pytest.raises(ConfigurationError, match="another server or user"):
        await opened(server=server, user=user)
    assert await (await opened(user=PATIENT.model_copy(update={"role": "other"}))).sends() == [SENDS[0]]


async def test_binding_again_changes_nothing(opened: Opening) -> None:
    store = await opened()
    await store.save_send(SENDS[0])
    await asyncio.gather(store.bind(SERVER, PATIENT), store.bind(SERVER, PATIENT))
    assert await store.sends() == [SENDS[0]]


@pytest.mark.parametrize("detour", [False, True], ids=["same path", "by a link"])
async def test_two_clients_of_a_process_cannot_share_a_file(opened: Opening, path: Path, detour: bool) -> None:
    first = await opened()
    other = path.parent / "link.db"
    other.hardlink_to(path)
    with pytest.raises(ConfigurationError, match="in use"):
        await opened(other if detour else path)
    await first.save_send(SENDS[0])
    await first.aclose()
    assert await (await opened()).sends() == [SENDS[0]]


# --- the file and the thread -----------------------------------------------------------------------------------------


async def test_only_its_owner_can_read_the_file(opened: Opening, path: Path) -> None:
    store = await opened()
    await store.save_send(SENDS[0])
    files = sorted(bytes_of(path))
    assert files == [path.name, f"{path.name}-lock", f"{path.name}-wal"]
    assert {mode_of(path.with_name(name)) for name in files} == {0o600}
    await store.aclose()
    set_mode(path, 0o644)
    await opened()
    assert mode_of(path) == 0o600


async def test_closing_ends_the_thread_and_leaves_one_file(opened: Opening, path: Path) -> None:
    store = await opened()
    assert [each for each in threading.enumerate() if each.name.startswith(THREAD_NAME)]
    last = asyncio.ensure_future(store.save_send(SENDS[0]))
    await asyncio.sleep(0)
    await asyncio.gather(store.aclose(), store.aclose())
    await last
    assert not [each for each in threading.enumerate() if each.name.startswith(THREAD_NAME)]
    assert list(bytes_of(path)) == [path.name]
    assert in_file(path, "SELECT client_message_id FROM sends") == [("key-1",)]
    for use in (store.sends(), store.save_send(SENDS[0]), store.bind(SERVER, PATIENT)):
        with pytest.raises(StoreError, match="closed"):
            await use


async def test_closing_while_it_opens(path: Path) -> None:
    store = open_store(path)
    opening = asyncio.ensure_future(store.bind(SERVER, PATIENT))
    await asyncio.sleep(0)
    await store.aclose()
    await opening
    assert not [each for each in threading.enumerate() if each.name.startswith(THREAD_NAME)]


async def test_a_cancelled_caller_does_not_undo_a_write(opened: Opening) -> None:
    store = await opened()
    writes = [asyncio.ensure_future(store.save_send(a_send(position))) for position in (1, 2)]
    await asyncio.sleep(0)
    writes[0].cancel()
    await writes[1]
    assert [each.position for each in await store.sends()] == [1, 2]


async def test_a_store_that_is_not_open_says_so(path: Path) -> None:
    store = open_store(path)
    with pytest.raises(StoreError, match="bind"):
        await store.sends()
    assert not bytes_of(path)


@pytest.mark.parametrize("path", ["", ":memory:", "a\0b", None, 5, b"messages.db"])
def test_what_is_no_path_is_refused(path: object) -> None:
    with pytest.raises(ConfigurationError, match="path of a file"):
        open_store(path)
