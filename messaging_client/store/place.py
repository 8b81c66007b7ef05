"""Whether a path can be used, as far as that can be told before SQLite sees the file, which may change it."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import suppress
from pathlib import Path

from messaging_client.errors import StoreError
from messaging_client.store.side_file import SideFile
from messaging_client.store.wal import has_lost, is_there

VERSION = 1
"""Version of the schema; a file with a newer one is left alone."""

APPLICATION_ID = 0x4D534743
"""Marks the file as ours ("MSGC"), in SQLite's own header."""

ADVICE = {
    sqlite3.SQLITE_FULL: "the disk is full: free some space, then try again; nothing that was accepted is lost",
    sqlite3.SQLITE_IOERR: "reading or writing failed: check the disk and its free space, then try again",
    sqlite3.SQLITE_READONLY: "the file or its folder is read-only: make both writable, or give another path",
    sqlite3.SQLITE_PERM: "the file or its folder may not be used: check their permissions, or give another path",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened: check that its folder exists and is writable",
    sqlite3.SQLITE_CORRUPT: "the file is damaged: move it away, and put a backup or nothing in its place",
    sqlite3.SQLITE_NOTADB: "the file is no SQLite database: give another path, or move the file away",
}

_HEADER = 100
_FORMAT = b"SQLite format 3\0"


def check_path(path: Path) -> None:
    """Make sure that a file can be there, and be written.

    Raises:
        StoreError: it cannot.
    """
    if path.is_dir():
        raise StoreError(f"{path} is a folder; give the path of a file in it.")
    is_usable = not path.parent.exists() or _may(path.parent, os.W_OK | os.X_OK)
    if not is_usable or (path.exists() and not _may(path, os.R_OK | os.W_OK)):
        raise StoreError(f"{path}: {ADVICE[sqlite3.SQLITE_READONLY]}.")


def check_file(path: Path, side_file: SideFile) -> None:
    """Make sure that what is there, if anything, is ours and whole. Nobody else of this process may have it open.

    Raises:
        StoreError: it is not.
    """
    header = b""
    with suppress(FileNotFoundError), path.open("rb") as file:
        header = file.read(_HEADER)
    wal = Path(f"{path}-wal")
    if not header:
        if is_there(wal):  # SQLite would empty it
            raise StoreError(f"{wal} belongs to a file that is not there: put that back to {path}, or move both away.")
        return
    if is_there(Path(f"{path}-journal")):
        return  # a change was not finished, and SQLite must undo it first
    if not header.startswith(_FORMAT):
        raise StoreError(f"{path}: {ADVICE[sqlite3.SQLITE_NOTADB]}.")
    if len(header) < _HEADER:
        raise StoreError(f"{path}: {ADVICE[sqlite3.SQLITE_CORRUPT]}.")
    check_marks(path, int.from_bytes(header[68:72], "big"), int.from_bytes(header[60:64], "big", signed=True))
    noted = side_file.read()
    if noted is not None and has_lost(wal, noted):
        raise StoreError(
            f"{wal} is damaged, and holds messages that were accepted: keep a copy of {path} and of both files beside "
            f"it, then put a backup of the three in their place, or move them away. Nothing was changed."
        )


def check_marks(path: Path, application_id: int, version: int) -> None:
    """Make sure that a file is ours, and not from the future.

    Raises:
        StoreError: it is not.
    """
    if application_id != APPLICATION_ID:
        raise StoreError(f"{path} belongs to another program; give another path.")
    if version > VERSION:
        raise StoreError(
            f"{path} was written by a newer version of messaging_client (schema {version}, known here: {VERSION}): "
            "update the package, or give another path. Nothing was changed."
        )


def make_file(path: Path) -> os.stat_result:
    """Make the file, readable by its owner only, if there is none; gives which one it is."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600))
    return path.stat()


def hide(path: Path) -> None:
    """Make a file that is ours readable by its owner only; SQLite gives new side files the same mode."""
    for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm"), Path(f"{path}-journal")):
        if name.exists() and stat.S_IMODE(name.stat().st_mode) & 0o077:
            name.chmod(0o600)


def is_same(path: Path, known: os.stat_result) -> bool:
    """Whether a file is still the one that is at its path."""
    try:
        return os.path.samestat(path.stat(), known)
    except FileNotFoundError:
        return False


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)
