"""The store as the client uses it: SQLite on a thread of its own, so that no disk ever holds up the event loop."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from messaging_client.canonical import can_be_written
from messaging_client.clock import new_task
from messaging_client.errors import ConfigurationError, MessagingError, StoreError
from messaging_client.models import Id, User
from messaging_client.observing.logs import say
from messaging_client.store.database import Database, Write
from messaging_client.store.records import (
    CURSOR_COLUMNS,
    SEND_COLUMNS,
    Cursor,
    Row,
    StoredSend,
    cursor_from_row,
    cursor_to_row,
    read_id,
    send_from_row,
    send_to_row,
    write_id,
)

_log = logging.getLogger("messaging_client.store")

Result = TypeVar("Result")
Item = TypeVar("Item")

THREAD_NAME = "messaging-store"


def _insert(table: str, columns: str, *, otherwise: str = "REPLACE") -> str:
    marks = ", ".join("?" * len(columns.split(",")))
    return f"INSERT OR {otherwise} INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608 - constants only


_SAVE_SEND = _insert("sends", SEND_COLUMNS)
_SAVE_CURSOR = _insert("cursors", CURSOR_COLUMNS)
_ADD_CURSOR = _insert("cursors", CURSOR_COLUMNS, otherwise="IGNORE")
_ONE_CURSOR = f"SELECT {CURSOR_COLUMNS} FROM cursors WHERE conversation_id = ?"  # noqa: S608 - constants only
_LISTED = "listed until "  # a flag, with a time
_REMOVE_SEND = "DELETE FROM sends WHERE client_message_id = ?"
# A message without a mark, or with a later one, is not taken for one that was confirmed before.
_ADD_CLAIM = """INSERT OR IGNORE INTO claims SELECT ?, ?
    WHERE EXISTS (SELECT 1 FROM sends WHERE conversation_id = ? AND after_ids IS NOT NULL)"""
_NEEDED = "(SELECT 1 FROM sends WHERE sends.conversation_id = claims.conversation_id AND after_ids IS NOT NULL)"
_REMOVE_CLAIMS = f"DELETE FROM claims WHERE conversation_id = ? AND NOT EXISTS {_NEEDED}"  # noqa: S608 - constants only
_REMOVE_UNNEEDED_CLAIMS = f"DELETE FROM claims WHERE NOT EXISTS {_NEEDED}"  # noqa: S608 - constants only


def open_store(path: str | os.PathLike[str]) -> Store:
    """Make a store at a path. Nothing is opened before `bind`.

    Args:
        path: of an SQLite file; it is made if there is none, in a folder that exists.

    Raises:
        ConfigurationError: it is no path.
    """
    try:
        name = os.fspath(path)
    except TypeError:
        name = ""
    if not isinstance(name, str) or not name or "\0" in name or name == ":memory:" or not can_be_written(name):
        raise ConfigurationError('store must be the path of a file, such as "messages.db"; leave it out for memory.')
    return Store(Path(os.path.realpath(name)))


class Store:
    """Unsent messages and read positions in one file, used by one client at a time.

    What is written while another write is under way shares the next transaction, so that many sends at a time cost
    one wait for the disk.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._owner: tuple[str, tuple[str, Id]] | None = None
        self._opening: asyncio.Task[Database] | None = None
        self._database: Database | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._waiting: list[tuple[Sequence[Write], asyncio.Future[None]]] = []
        self._flushing: asyncio.Task[None] | None = None
        self._closed = False
        self._process = os.getpid()

    def __repr__(self) -> str:
        return f"<Store {self._path}>"

    # --- life --------------------------------------------------------------------------------------------------------

    async def bind(self, server: str, user: User) -> None:
        """Open the file for one user at one server; once it is open, doing it again changes nothing.

        Args:
            server: the server's address.
            user: the user.

        Raises:
            ConfigurationError: the file is in use, or belongs to another server or user.
            StoreError: it cannot be used; the text says what to do.
        """
        owner = (server, (user.type.value, user.id))
        self._usable()
        if self._owner not in (None, owner):
            raise ConfigurationError(f"{self._path} is open for another server or user; give each a file of their own.")
        if self._opening is None:
            self._owner = owner
            self._opening = new_task(self._open(server, owner[1]))
        opening = self._opening
        try:
            await asyncio.shield(opening)
        except MessagingError:
            if self._opening is opening:
                self._opening = self._owner = None
            raise

    async def aclose(self) -> None:
        """Finish what is being written, and close; no thread is left. Doing it again changes nothing."""
        self._closed = True
        if self._process != os.getpid():
            return  # the thread is the parent's, and so is the file
        if self._opening is not None:
            await asyncio.wait({self._opening})
        while self._flushing is not None:
            await asyncio.wait({self._flushing})
        thread, self._thread = self._thread, None
        if thread is None:
            return
        database, self._database = self._database, None
        try:
            if database is not None:
                await asyncio.get_running_loop().run_in_executor(thread, database.close)
        finally:
            thread.shutdown()

    async def _open(self, server: str, user: tuple[str, Id]) -> Database:
        thread = ThreadPoolExecutor(1, THREAD_NAME)
        try:
            opened = asyncio.get_running_loop().run_in_executor(thread, Database, self._path, server, user)
            self._database = await opened
        except BaseException:
            thread.shutdown()
            raise
        self._thread = thread
        return self._database

    # --- read positions ----------------------------------------------------------------------------------------------

    async def cursor(self, conversation_id: Id) -> Cursor | None:
        """Give the read position of a conversation, or None."""
        found = await self._read(_ONE_CURSOR, cursor_from_row, write_id(conversation_id))
        return found[0] if found else None

    async def add_cursor(self, cursor: Cursor) -> None:
        """Keep a read position, unless its conversation has one."""
        await self._write(_ADD_CURSOR, [cursor_to_row(cursor)], durable=False)

    async def save_cursors(self, cursors: Iterable[Cursor]) -> None:
        """Keep read positions, all of them or none; one may be lost when the power fails, and is then read again."""
        await self._write(_SAVE_CURSOR, [cursor_to_row(each) for each in cursors], durable=False)

    async def forget_cursor(self, conversation_id: Id) -> None:
        """Drop the read position of a conversation."""
        statement = "DELETE FROM cursors WHERE conversation_id = ?"
        await self._write(statement, [(write_id(conversation_id),)], durable=False)

    # --- flags -------------------------------------------------------------------------------------------------------

    async def get_flag(self, name: str) -> bool:
        """Whether a flag is set."""
        return bool(await self._call(lambda database: database.read("SELECT 1 FROM flags WHERE name = ?", (name,))))

    async def set_flag(self, name: str, value: bool = True) -> None:
        """Set a flag, or take it back."""
        statement = "INSERT OR REPLACE INTO flags VALUES (?)" if value else "DELETE FROM flags WHERE name = ?"
        await self._write(statement, [(name,)], durable=True)

    async def listed_until(self) -> datetime | None:
        """Give the server time up to which every conversation was in a list, UTC; None where nothing tells."""
        found = await self._read(
            f"SELECT name FROM flags WHERE name GLOB '{_LISTED}*'",  # noqa: S608 - constants only
            lambda row: datetime.fromisoformat(row[0].removeprefix(_LISTED)),
        )
        return min(found, default=None)

    async def set_listed_until(self, moment: datetime | None) -> None:
        """Keep that time, or that nothing tells it."""
        written = [] if moment is None else [(_LISTED + moment.isoformat(),)]
        await self._write_all(
            [
                Write(f"DELETE FROM flags WHERE name GLOB '{_LISTED}*'", [()], durable=True),  # noqa: S608 - constants only
                Write("INSERT OR REPLACE INTO flags VALUES (?)", written, durable=True),
            ]
        )

    # --- messages on their way ---------------------------------------------------------------------------------------

    async def sends(self) -> list[StoredSend]:
        """Give every message on its way, in the order of positions."""
        statement = f"SELECT {SEND_COLUMNS} FROM sends ORDER BY position"  # noqa: S608 - constants only
        return await self._read(statement, send_from_row)

    async def save_send(self, send: StoredSend, *, durable: bool = True) -> None:
        """Keep a message, or what has changed of it; what is `durable` survives even a power failure on return."""
        await self._write(_SAVE_SEND, [send_to_row(send)], durable=durable)

    async def remove_send(self, client_message_id: str) -> None:
        """Drop a message. When the power fails it may be there again: whoever finds it looks at the server first."""
        await self._write_all(
            [
                Write(_REMOVE_SEND, [(client_message_id,)], durable=False),
                Write(_REMOVE_UNNEEDED_CLAIMS, [()], durable=False),
            ]
        )

    async def confirm_send(self, client_message_id: str, conversation_id: Id, message_id: Id) -> None:
        """Drop a message that was confirmed, and keep its id while another of the conversation may be taken for it."""
        conversation, message = write_id(conversation_id), write_id(message_id)
        await self._write_all(
            [
                Write(_REMOVE_SEND, [(client_message_id,)], durable=False),
                Write(_ADD_CLAIM, [(conversation, message, conversation)], durable=False),
                Write(_REMOVE_CLAIMS, [(conversation,)], durable=False),
            ]
        )

    async def add_claim(self, conversation_id: Id, message_id: Id) -> None:
        """Keep the id of a message that was sent by another way, while another may be taken for it."""
        conversation, message = write_id(conversation_id), write_id(message_id)
        await self._write(_ADD_CLAIM, [(conversation, message, conversation)], durable=False)

    async def claims(self) -> list[tuple[Id, Id]]:
        """Give the ids that messages on their way must not be taken for, with their conversations."""
        return await self._read(
            "SELECT conversation_id, message_id FROM claims", lambda row: (read_id(row[0]), read_id(row[1]))
        )

    # --- on the thread -----------------------------------------------------------------------------------------------

    async def _read(self, statement: str, convert: Callable[[Row], Item], *parameters: str) -> list[Item]:
        rows = await self._call(lambda database: database.read(statement, parameters))
        try:
            return [convert(row) for row in rows]
        except (ValueError, TypeError):
            pass  # the exception would show what is in the file
        raise StoreError(f"{self._path}: the file is damaged: move it away, and put a backup or nothing in its place.")

    async def _call(self, work: Callable[[Database], Result]) -> Result:
        self._usable()
        while self._flushing is not None:  # what was written before is read
            await asyncio.wait({self._flushing})
        database, thread = self._opened()
        return await asyncio.get_running_loop().run_in_executor(thread, work, database)

    async def _write(self, statement: str, rows: Sequence[Sequence[Any]], *, durable: bool) -> None:
        await self._write_all([Write(statement, rows, durable)])

    async def _write_all(self, writes: Sequence[Write]) -> None:
        """Write several things in one transaction."""
        self._usable()
        self._opened()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append((writes, done))
        if self._flushing is None:
            self._flushing = new_task(self._flush())
        await done

    async def _flush(self) -> None:
        """Write what waits, and what comes meanwhile, one transaction after the other."""
        database, thread = self._opened()
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                writes = [write for together, _ in batch for write in together]
                failure: MessagingError | None = StoreError(f"{self._path} could not be written.")
                try:
                    await asyncio.get_running_loop().run_in_executor(thread, database.write, writes)
                    failure = None
                except MessagingError as error:
                    failure = error
                except Exception as error:  # noqa: BLE001 - a value that SQLite does not take; others go on waiting
                    say(_log, logging.ERROR, "store could not be written", path=str(self._path), error=error)
                finally:
                    _settle([done for _, done in batch], failure)
        finally:
            self._flushing = None

    def _opened(self) -> tuple[Database, ThreadPoolExecutor]:
        if self._database is None or self._thread is None:
            raise StoreError("The store is not open yet; call bind() first.")
        return self._database, self._thread

    def _usable(self) -> None:
        if self._closed:
            raise StoreError(f"{self._path} was closed with its client; make another client.")
        if self._process != os.getpid():
            raise StoreError(f"{self._path} belongs to the process that this one was forked from; make another client.")


def _settle(waiting: Iterable[asyncio.Future[None]], failure: MessagingError | None) -> None:
    for done in waiting:
        if done.done():
            continue  # whoever waited was cancelled
        if failure is None:
            done.set_result(None)
        else:
            done.set_exception(type(failure)(str(failure)))
