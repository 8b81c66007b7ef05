"""What the tests of the store share."""

from __future__ import annotations

import sqlite3
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from messaging_client.models import Id, MessageType, User, UserType
from messaging_client.store import StoredSend
from messaging_client.store.records import SEND_COLUMNS

SERVER = "http://localhost:3000"
PATIENT = User(id=5, type=UserType.PATIENT, role="patient")
NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)


def a_send(position: int = 1, conversation_id: Id = 15, content: str = "Bonjour docteur", **more: Any) -> StoredSend:
    given = {
        "client_message_id": f"key-{position}",
        "kind": MessageType.TEXT,
        "created_at": NOON,
        "timestamp": NOON + timedelta(seconds=position),
    }
    return StoredSend(conversation_id=conversation_id, position=position, content=content, **(given | more))


def in_file(path: Path, query: str) -> list[Any]:
    """What stands in a file that nobody has open."""
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def bytes_of(path: Path) -> dict[str, bytes]:
    """Every file of a folder, as it is."""
    return {each.name: each.read_bytes() for each in path.parent.iterdir() if each.is_file()}


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def set_mode(path: Path, mode: int) -> None:
    path.chmod(mode)


def largest_of(path: Path) -> int:
    """Bytes of the largest file of a folder."""
    return max(map(len, bytes_of(path).values()))


def in_it(path: Path, data: bytes | None = None) -> bytes:
    """Open a file and close it again: read it, or write it anew."""
    if data is not None:
        path.write_bytes(data)
    return path.read_bytes()


def in_turn(path: Path, *statements: str) -> None:
    """Do something to a file behind the back of the client."""
    database = sqlite3.connect(path, isolation_level=None)
    try:
        for each in statements:
            database.execute(each)
    finally:
        database.close()


LOOSE = (
    f"CREATE TABLE loose ({SEND_COLUMNS})",
    "INSERT INTO loose SELECT * FROM sends",
    "DROP TABLE sends",
    "ALTER TABLE loose RENAME TO sends",
)
"""Makes the table of a file of which SQLite does not check the types, as in files of before."""
