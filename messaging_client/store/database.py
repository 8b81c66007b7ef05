"""The SQLite file itself. Everything here runs on the store's own thread and may block it."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from messaging_client.errors import ConfigurationError, MessagingError, StoreError
from messaging_client.store.place import (
    ADVICE,
    APPLICATION_ID,
    VERSION,
    check_file,
    check_marks,
    check_path,
    hide,
    is_same,
    make_file,
)
from messaging_client.store.side_file import SideFile
from messaging_client.store.wal import Wal

try:
    import ctypes
except ImportError:  # a Python that was built without it
    ctypes = None  # type: ignore[assignment]

# Types are enforced where SQLite knows how; what is read is checked in any case.
_STRICT = sqlite3.sqlite_version_info >= (3, 37)

_SCHEMA = (
    "CREATE TABLE owner (server TEXT NOT NULL, user TEXT NOT NULL)" + " STRICT" * _STRICT,
    "CREATE TABLE flags (name TEXT PRIMARY KEY) WITHOUT ROWID" + ", STRICT" * _STRICT,
    """CREATE TABLE cursors (conversation_id TEXT PRIMARY KEY, timestamp TEXT, newest_id TEXT, ids TEXT NOT NULL,
        seen TEXT NOT NULL) WITHOUT ROWID"""
    + ", STRICT" * _STRICT,
    """CREATE TABLE sends (client_message_id TEXT PRIMARY KEY, conversation_id TEXT NOT NULL, position INTEGER NOT NULL,
        content TEXT NOT NULL, kind TEXT NOT NULL, created_at TEXT NOT NULL, timestamp TEXT NOT NULL,
        state TEXT NOT NULL, attempts INTEGER NOT NULL, may_have_left INTEGER NOT NULL, after_time TEXT,
        after_ids TEXT, expires_at TEXT, error TEXT)"""
    + " STRICT" * _STRICT,
    "CREATE INDEX sends_by_position ON sends (position)",
    """CREATE TABLE claims (conversation_id TEXT NOT NULL, message_id TEXT NOT NULL,
        PRIMARY KEY (conversation_id, message_id)) WITHOUT ROWID"""
    + ", STRICT" * _STRICT,
)


@dataclass(frozen=True)
class Write:
    """One statement for some rows; `durable` ones are on the disk before they are said to be done."""

    statement: str
    rows: Sequence[Sequence[Any]]
    durable: bool


class Database:
    """An open file that belongs to nobody else.

    Its lock is that of a `SideFile`, and SQLite's own exclusive one, which keeps other programs out; both end with the
    process, however that ends. A process that is forked from this one does not have the file.

    Args:
        path: where; made if there is nothing.
        server: address of the server that it is for.
        user: type and id of the user that it is for.

    Raises:
        ConfigurationError: somebody else has it open, or it belongs to another server or user.
        StoreError: it cannot be used.
    """

    _identity: os.stat_result

    def __init__(self, path: Path, server: str, user: Sequence[Any]) -> None:
        self._path = path
        self._wal = Wal(Path(f"{path}-wal"))
        with self._explained():
            check_path(path)
            self._side_file = SideFile(path)
            try:
                self._connect(server, json.dumps(list(user)))
            except BaseException:
                self._side_file.close()
                raise
            _OPEN[id(self)] = self

    def close(self) -> None:
        """Close the file; everything that was written is in it."""
        _OPEN.pop(id(self), None)
        with self._explained():
            try:
                # Before SQLite takes the log away, so that it is never missed.
                self._side_file.clear()
            finally:
                self._wal.close()
                try:
                    self._db.close()
                finally:
                    self._side_file.close()

    def write(self, writes: Sequence[Write]) -> None:
        """Write everything, or nothing of it, in one transaction."""
        with self._explained():
            is_durable = any(each.durable for each in writes)
            self._db.execute(f"PRAGMA synchronous = {'FULL' if is_durable else 'NORMAL'}")
            before = self._db.total_changes
            with self._transaction("IMMEDIATE"):
                for each in writes:
                    self._db.executemany(each.statement, each.rows)
                if not is_same(self._path, self._identity):
                    raise StoreError(
                        f"{self._path} was moved, replaced or deleted while it was open, and the next client would not "
                        "find what is written: close this client, put the file back, and make another client."
                    )
            if self._db.total_changes != before:
                extent = self._wal.committed()
                if is_durable and extent is not None:
                    self._side_file.note(extent)

    def read(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Read all rows of a query; a text that is none comes as bytes."""
        with self._explained():
            return self._db.execute(statement, values).fetchall()

    def leave(self) -> None:
        """Leave everything to the process that this one was forked from."""
        # SQLite must not close it here, not even when Python ends: it would believe to be the owner, and take the log
        # away from the real one.
        _LEFT.append(self._db)
        if ctypes is not None and hasattr(ctypes, "pythonapi"):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._db))
        self._side_file.leave()

    def _connect(self, server: str, user: str) -> None:
        with suppress(FileNotFoundError):
            there = self._path.stat()
            # Under another name. Not to be opened and closed again here, for that would drop SQLite's lock on it.
            if any(os.path.samestat(each._identity, there) for each in tuple(_OPEN.values())):
                raise self._error(sqlite3.SQLITE_BUSY)
        check_file(self._path, self._side_file)
        self._identity = make_file(self._path)
        # Statements begin their transactions themselves; waiting for somebody else's lock would be in vain.
        self._db = sqlite3.connect(self._path, timeout=0, isolation_level=None)
        try:
            self._db.text_factory = _text
            self._open(server, user)
        except BaseException:
            self._db.close()
            raise

    def _open(self, server: str, user: str) -> None:
        for setting in ("locking_mode = EXCLUSIVE", "synchronous = FULL", "fullfsync = 1", "checkpoint_fullfsync = 1"):
            self._db.execute(f"PRAGMA {setting}")  # macOS says that it has synced before it has, without `fullfsync`
        with self._transaction("EXCLUSIVE"):
            if self._is_new():
                self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                for statement in _SCHEMA:
                    self._db.execute(statement)
                self._db.execute("INSERT INTO owner VALUES (?, ?)", (server, user))
            else:
                self._check(server, user)
            hide(self._path)
            # Written even if nothing changes: a file that cannot be written is to be known now.
            self._db.execute(f"PRAGMA user_version = {VERSION}")
        self._db.execute("PRAGMA journal_mode = WAL")
        # What a killed process left goes into the database now, and the log begins anew.
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _is_new(self) -> bool:
        tables = self._db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
        return tables == 0 and self._number("user_version") == 0

    def _check(self, server: str, user: str) -> None:
        check_marks(self._path, self._number("application_id"), self._number("user_version"))
        if self._db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise self._error(sqlite3.SQLITE_CORRUPT)
        owners = self._db.execute("SELECT server, user FROM owner").fetchall()
        if len(owners) != 1 or not all(isinstance(each, str) for each in owners[0]):
            raise self._error(sqlite3.SQLITE_CORRUPT)
        if owners != [(server, user)]:
            raise ConfigurationError(
                f"{self._path} belongs to another server or user; give each user at each server a file of their own."
            )

    def _number(self, pragma: str) -> int:
        return int(self._db.execute(f"PRAGMA {pragma}").fetchone()[0])

    @contextmanager
    def _transaction(self, kind: str) -> Iterator[None]:
        self._db.execute(f"BEGIN {kind}")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            # SQLite undoes some failed transactions by itself.
            if self._db.in_transaction:
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            raise self._error(code) from error
        except BlockingIOError as error:
            raise self._error(sqlite3.SQLITE_BUSY) from error
        except OSError as error:
            raise StoreError(f"{self._path}: {error.strerror}; check the path and its permissions.") from error

    def _error(self, code: int) -> MessagingError:
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return ConfigurationError(
                f"{self._path} is in use by another client or program; close that, or give each client its own file."
            )
        advice = ADVICE.get(code, f"SQLite refused (code {code}): move the file away, or give another path")
        return StoreError(f"{self._path}: {advice}.")


def _text(written: bytes) -> str | bytes:
    """Read a text; one that is none stays what it is, for SQLite's own error would show it."""
    try:
        return written.decode()
    except UnicodeDecodeError:
        return written


_OPEN: WeakValueDictionary[int, Database] = WeakValueDictionary()
"""What this process has open."""

_LEFT: list[sqlite3.Connection] = []
"""What is open in the process that this one was forked from."""


def _leave_all() -> None:
    while _OPEN:
        _OPEN.popitem()[1].leave()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_all)
