"""The SQLite file itself. Everything here runs on the store's own thread and may block it."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from messaging_client.errors import ConfigurationError, MessagingError, StoreError

VERSION = 2
"""Version of the schema; a file with a newer one is left alone."""

APPLICATION_ID = 0x4D534743
"""Marks the file as ours ("MSGC"), in SQLite's own header."""

_CLAIMS = """CREATE TABLE claims (conversation_id TEXT NOT NULL, message_id TEXT NOT NULL,
    PRIMARY KEY (conversation_id, message_id)) WITHOUT ROWID"""

_SCHEMA = (
    "CREATE TABLE owner (server TEXT NOT NULL, user TEXT NOT NULL)",
    "CREATE TABLE flags (name TEXT PRIMARY KEY) WITHOUT ROWID",
    """CREATE TABLE cursors (conversation_id TEXT PRIMARY KEY, timestamp TEXT, newest_id TEXT, ids TEXT NOT NULL,
        seen TEXT NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE sends (client_message_id TEXT PRIMARY KEY, conversation_id TEXT NOT NULL, position INTEGER NOT NULL,
        content TEXT NOT NULL, kind TEXT NOT NULL, created_at TEXT NOT NULL, timestamp TEXT NOT NULL,
        state TEXT NOT NULL, attempts INTEGER NOT NULL, may_have_left INTEGER NOT NULL, after_time TEXT,
        after_ids TEXT, expires_at TEXT, error TEXT)""",
    "CREATE INDEX sends_by_position ON sends (position)",
    _CLAIMS,
)

_MIGRATIONS: dict[int, tuple[str, ...]] = {1: (_CLAIMS,)}
"""What makes a file of the next version of one of this version."""

_ADVICE = {
    sqlite3.SQLITE_FULL: "the disk is full: free some space, then try again; nothing that was accepted is lost",
    sqlite3.SQLITE_IOERR: "reading or writing failed: check the disk and its free space, then try again",
    sqlite3.SQLITE_READONLY: "the file or its folder is read-only: make both writable, or give another path",
    sqlite3.SQLITE_PERM: "the file or its folder may not be used: check their permissions, or give another path",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened: check that its folder exists and is writable",
    sqlite3.SQLITE_CORRUPT: "the file is damaged: move it away, and put a backup or nothing in its place",
    sqlite3.SQLITE_NOTADB: "the file is no SQLite database: give another path, or move the file away",
}


@dataclass(frozen=True)
class Write:
    """One statement for some rows; `durable` ones are on the disk before they are said to be done."""

    statement: str
    rows: Sequence[Sequence[Any]]
    durable: bool


class Database:
    """An open file that belongs to nobody else.

    The lock is SQLite's own exclusive one on the file: it ends with the process, however that ends.

    Args:
        path: where; made if there is nothing.
        server: address of the server that it is for.
        user: type and id of the user that it is for.

    Raises:
        ConfigurationError: somebody else has it open, or it belongs to another server or user.
        StoreError: it cannot be used.
    """

    def __init__(self, path: Path, server: str, user: Sequence[Any]) -> None:
        self._path = path
        with self._explained():
            _prepare_file(path)
            # Statements begin their transactions themselves; waiting for somebody else's lock would be in vain.
            self._db = sqlite3.connect(path, timeout=0, isolation_level=None)
            try:
                self._open(server, json.dumps(list(user)))
            except BaseException:
                self._db.close()
                raise

    def close(self) -> None:
        """Close the file; everything that was written is in it."""
        with self._explained():
            self._db.close()

    def write(self, writes: Sequence[Write]) -> None:
        """Write everything, or nothing of it, in one transaction."""
        with self._explained():
            level = "FULL" if any(each.durable for each in writes) else "NORMAL"
            self._db.execute(f"PRAGMA synchronous = {level}")
            with self._transaction("IMMEDIATE"):
                for each in writes:
                    self._db.executemany(each.statement, each.rows)

    def read(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Read all rows of a query."""
        with self._explained():
            return self._db.execute(statement, values).fetchall()

    def _open(self, server: str, user: str) -> None:
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        with self._transaction("EXCLUSIVE"):
            if self._is_new():
                self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                for statement in _SCHEMA:
                    self._db.execute(statement)
                self._db.execute("INSERT INTO owner VALUES (?, ?)", (server, user))
            else:
                self._check(server, user)
                for version in range(max(1, self._number("user_version")), VERSION):
                    for statement in _MIGRATIONS[version]:
                        self._db.execute(statement)
            # Written even if nothing changes: a file that cannot be written is to be known now.
            self._db.execute(f"PRAGMA user_version = {VERSION}")
        self._db.execute("PRAGMA journal_mode = WAL")

    def _is_new(self) -> bool:
        tables = self._db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
        return tables == 0 and self._number("user_version") == 0

    def _check(self, server: str, user: str) -> None:
        if self._number("application_id") != APPLICATION_ID:
            raise StoreError(f"{self._path} belongs to another program; give another path.")
        version = self._number("user_version")
        if version > VERSION:
            raise StoreError(
                f"{self._path} was written by a newer version of messaging_client (schema {version}, known here: "
                f"{VERSION}): update the package, or give another path. Nothing was changed."
            )
        if self._db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise self._error(sqlite3.SQLITE_CORRUPT)
        owners = self._db.execute("SELECT server, user FROM owner").fetchall()
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
        except OSError as error:
            raise StoreError(f"{self._path}: {error.strerror}; check the path and its permissions.") from error

    def _error(self, code: int) -> MessagingError:
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return ConfigurationError(
                f"{self._path} is in use by another client or program; close that, or give each client its own file."
            )
        advice = _ADVICE.get(code, f"SQLite refused (code {code}): move the file away, or give another path")
        return StoreError(f"{self._path}: {advice}.")


def _prepare_file(path: Path) -> None:
    """Make the file, or what is there already, readable by its owner only; SQLite gives its side files the same mode.

    A file that exists is not opened: closing it again would drop the lock of another connection of this process.
    """
    if path.is_dir():
        raise StoreError(f"{path} is a folder; give the path of a file in it.")
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600))
    for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm"), Path(f"{path}-journal")):
        if name.exists() and stat.S_IMODE(name.stat().st_mode) & 0o077:
            name.chmod(0o600)
    if not _may(path, os.R_OK | os.W_OK) or not _may(path.parent, os.W_OK | os.X_OK):
        raise StoreError(f"{path}: {_ADVICE[sqlite3.SQLITE_READONLY]}.")


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)
