"""What is said to be on the disk was synced: SQLite's setting is looked at in the middle of each write."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from messaging_client.store import Cursor, Store
from messaging_client.store.database import Database
from messaging_client.testing import ManualClock
from tests.outbox.support import ME, SERVER, Script, an_outbox, outcome, submit
from tests.store.conftest import Opening
from tests.store.support import a_send

NORMAL, FULL = 1, 2  # as SQLite numbers them


@dataclass
class Written:
    """A statement within a transaction, and how that is synced."""

    statement: str
    values: tuple[Any, ...]
    level: int


class _Connection(sqlite3.Connection):
    """Looks at the setting while a transaction is open, when it cannot be changed any more."""

    written: ClassVar[list[Written]] = []

    def executemany(self, statement: str, rows: Any, /) -> sqlite3.Cursor:
        rows = list(rows)
        cursor = super().executemany(statement, rows)
        assert self.in_transaction
        (level,) = self.execute("PRAGMA synchronous").fetchone()
        self.written += [Written(statement, tuple(row), level) for row in rows]
        return cursor


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Written]]:
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *given, **more: connect(*given, factory=_Connection, **more))
    _Connection.written = found = []
    yield found
    _Connection.written = []


async def test_a_message_and_a_flag_are_synced_and_what_can_be_found_out_again_is_not(
    opened: Opening, written: list[Written]
) -> None:
    store = await opened()
    await store.save_send(a_send(1))
    await store.save_send(a_send(1, attempts=1), durable=False)
    await store.remove_send("key-1")
    await store.save_cursors([Cursor(15)])
    await store.forget_cursor(15)
    await store.set_flag("joined_all")
    assert [each.level for each in written] == [FULL, NORMAL, NORMAL, NORMAL, NORMAL, FULL]


@pytest.mark.parametrize("durable_first", [True, False])
async def test_what_shares_a_transaction_with_a_durable_write_is_synced(
    opened: Opening, written: list[Written], durable_first: bool
) -> None:
    store = await opened()
    sends = [store.save_send(a_send(1)), store.remove_send("key-0")]
    await asyncio.gather(*(sends if durable_first else reversed(sends)))
    assert [each.level for each in written] == [FULL, FULL]


async def test_the_log_is_one_that_syncs_at_every_durable_commit(opened: Opening) -> None:
    store = await opened()

    def settings(database: Database) -> list[Any]:
        names = ("journal_mode", "locking_mode", "fullfsync", "checkpoint_fullfsync")
        return [database.read(f"PRAGMA {name}")[0][0] for name in names]

    assert await store._call(settings) == ["wal", "exclusive", 1, 1]


@pytest.mark.parametrize("is_idempotent", [True, False], ids=["keys honoured", "keys ignored"])
async def test_a_message_is_synced_when_it_is_accepted_and_before_a_request_that_must_be_remembered(
    tmp_path: Any, written: list[Written], is_idempotent: bool
) -> None:
    """Without keys a request that is forgotten is sent again: it is on the disk before it leaves."""
    store = Store(tmp_path / "messages.db")
    script = Script(ManualClock())
    levels_when_sent: list[list[int]] = []
    send = script.send

    async def watched(outgoing: Any) -> Any:
        levels_when_sent.append([each.level for each in written if "INTO sends" in each.statement])
        return await send(outgoing)

    script.send = watched
    outbox = an_outbox(script, is_idempotent=is_idempotent, store=store)
    await store.bind(SERVER, ME)
    outgoing = submit(outbox, "Bonjour")
    await outbox.accepted(outgoing)
    accepted = next(each for each in written if each.values[0] == outgoing.client_message_id)
    assert accepted.level == FULL
    assert not isinstance(await outcome(outgoing), Exception)
    kept, *_, marked = levels_when_sent[0]
    assert (kept, marked) == (FULL, NORMAL if is_idempotent else FULL)
    await outbox.aclose()
    await store.aclose()
