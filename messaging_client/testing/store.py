"""The server's memory: one SQLite database, in a file or in memory.

A file is written in WAL mode, so that what was answered is there after the process has been killed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from messaging_client.errors import ConfigurationError
from messaging_client.testing.records import Context, Identity, Person, StoredConversation, StoredMessage

Item = TypeVar("Item")

_VERSION = 1
_BUSY_TIMEOUT = 5.0  # seconds to wait for another process that writes to the same file

_SCHEMA = """
CREATE TABLE people (type TEXT, id INTEGER, prenom TEXT, nom TEXT, specialite TEXT, PRIMARY KEY (type, id));
CREATE TABLE contexts (type TEXT, id INTEGER, patient_id INTEGER, medecin_id INTEGER, fields TEXT NOT NULL,
    PRIMARY KEY (type, id));
CREATE TABLE conversations (id INTEGER PRIMARY KEY AUTOINCREMENT, titre TEXT NOT NULL, type_conversation TEXT NOT NULL,
    statut TEXT NOT NULL, contexte_type TEXT, contexte_id INTEGER, context_is_explicit INTEGER NOT NULL,
    created_ms INTEGER NOT NULL, modified_ms INTEGER NOT NULL);
CREATE INDEX by_context ON conversations (contexte_type, contexte_id);
CREATE TABLE participants (conversation_id INTEGER, type TEXT, id INTEGER, position INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, type, id)) WITHOUT ROWID;
CREATE INDEX by_person ON participants (type, id);
CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, conversation_id INTEGER NOT NULL,
    sender_type TEXT NOT NULL, sender_id INTEGER NOT NULL, contenu TEXT NOT NULL, type_message TEXT NOT NULL,
    sent_ms INTEGER NOT NULL, client_message_id TEXT);
CREATE INDEX by_time ON messages (conversation_id, sent_ms, id);
CREATE INDEX by_key ON messages (conversation_id, client_message_id);
CREATE TABLE reads (message_id INTEGER, type TEXT, id INTEGER, read_ms INTEGER NOT NULL,
    PRIMARY KEY (message_id, type, id)) WITHOUT ROWID;
"""

_MESSAGE = """SELECT m.id, m.conversation_id, m.sender_type, m.sender_id, m.contenu, m.type_message, m.sent_ms,
    (SELECT MIN(r.read_ms) FROM reads r WHERE r.message_id = m.id), m.client_message_id FROM messages m """

_CONVERSATION = """SELECT c.id, c.titre, c.type_conversation, c.statut, c.contexte_type, c.contexte_id,
    c.context_is_explicit, c.created_ms, c.modified_ms FROM conversations c """

_COUNT = "SELECT COUNT(*) FROM conversations c "

_OF_PERSON = """WHERE EXISTS (SELECT 1 FROM participants p WHERE p.conversation_id = c.id AND p.type = ? AND p.id = ?)
    AND (? IS NULL OR c.statut = ?) """

_UNREAD = """SELECT COUNT(*) FROM messages m WHERE m.conversation_id = ? AND NOT (m.sender_type = ? AND m.sender_id = ?)
    AND NOT EXISTS (SELECT 1 FROM reads r WHERE r.message_id = m.id AND r.type = ? AND r.id = ?)"""


class Store:
    """Everything the server remembers.

    Args:
        database: path of an SQLite file, or `:memory:`.

    Raises:
        ConfigurationError: the file is not a database of this server, or cannot be opened.

    """

    def __init__(self, database: str) -> None:
        try:
            self._db = sqlite3.connect(database, timeout=_BUSY_TIMEOUT, isolation_level=None)
        except sqlite3.Error as error:
            raise ConfigurationError(f"The database cannot be opened ({error}); check the path.") from error
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._prepare()
        except (sqlite3.Error, ConfigurationError) as error:
            self._db.close()
            raise ConfigurationError(
                f"The database is not one of the embedded messaging server ({error}); give another path."
            ) from error

    def _prepare(self) -> None:
        with self.writing():
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            (tables,) = self._db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
            if version == 0 and tables == 0:
                for statement in _SCHEMA.split(";"):
                    self._db.execute(statement)
                self._db.execute("PRAGMA user_version = 1")
            elif version != _VERSION:
                raise ConfigurationError(f"version {version}, expected {_VERSION}")

    def close(self) -> None:
        """Close the database; what is only in memory is gone."""
        self._db.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction that no other process can come between; undone if the block raises."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # People and contexts

    def put_person(self, person: Person) -> None:
        """Register a person, or change the names of one."""
        self._db.execute(
            "INSERT OR REPLACE INTO people VALUES (?, ?, ?, ?, ?)",
            (*person.identity, person.prenom, person.nom, person.specialite),
        )

    def person(self, identity: Identity) -> Person | None:
        """Find a registered person."""
        row = self._db.execute(
            "SELECT prenom, nom, specialite FROM people WHERE type = ? AND id = ?", identity
        ).fetchone()
        return None if row is None else Person(identity, *row)

    def put_context(self, context: Context) -> None:
        """Register a context, or change one."""
        self._db.execute(
            "INSERT OR REPLACE INTO contexts VALUES (?, ?, ?, ?, ?)",
            (context.type, context.id, context.patient_id, context.medecin_id, json.dumps(context.fields)),
        )

    def context(self, type: str, id: int) -> Context | None:
        """Find a registered context."""
        row = self._db.execute(
            "SELECT patient_id, medecin_id, fields FROM contexts WHERE type = ? AND id = ?", (type, id)
        ).fetchone()
        return None if row is None else Context(type, id, row[0], row[1], json.loads(row[2]))

    def are_acquainted(self, one: Identity, other: Identity) -> bool:
        """Whether both take part in one conversation, or one context concerns both."""
        patient_id, medecin_id = (one.id, other.id) if one.type == "patient" else (other.id, one.id)
        row = self._db.execute(
            """SELECT 1 FROM participants a JOIN participants b ON a.conversation_id = b.conversation_id
               WHERE a.type = ? AND a.id = ? AND b.type = ? AND b.id = ?
               UNION SELECT 1 FROM contexts WHERE ? AND patient_id = ? AND medecin_id = ? LIMIT 1""",
            (*one, *other, one.type != other.type, patient_id, medecin_id),
        ).fetchone()
        return row is not None

    # Conversations

    def add_conversation(
        self,
        titre: str,
        type_conversation: str,
        context: tuple[str, int] | None,
        *,
        explicit: bool,
        participants: Iterable[Identity],
        now_ms: int,
    ) -> int:
        """Store a new conversation, inside `writing()`, and give its id."""
        contexte_type, contexte_id = context or (None, None)
        cursor = self._db.execute(
            "INSERT INTO conversations (titre, type_conversation, statut, contexte_type, contexte_id,"
            " context_is_explicit, created_ms, modified_ms) VALUES (?, ?, 'active', ?, ?, ?, ?, ?)",
            (titre, type_conversation, contexte_type, contexte_id, explicit, now_ms, now_ms),
        )
        new_id = _new_id(cursor)
        self._db.executemany(
            "INSERT INTO participants VALUES (?, ?, ?, ?)",
            [(new_id, person.type, person.id, position) for position, person in enumerate(participants)],
        )
        return new_id

    def conversation(self, id: int) -> StoredConversation | None:
        """Find a conversation."""
        return _first(self._conversations("WHERE c.id = ?", (id,)))

    def conversations_of_context(self, type: str, id: int) -> list[StoredConversation]:
        """Give every conversation about a context, the first one first."""
        return self._conversations("WHERE c.contexte_type = ? AND c.contexte_id = ? ORDER BY c.id", (type, id))

    def conversations_of(
        self, person: Identity, *, statut: str | None, limit: int, offset: int
    ) -> tuple[list[StoredConversation], int]:
        """Give a person's conversations, the latest active first, and how many there are in all."""
        given = (*person, statut, statut)
        (total,) = self._db.execute(_COUNT + _OF_PERSON, given).fetchone()
        order = "ORDER BY c.modified_ms DESC, c.id DESC LIMIT ? OFFSET ?"
        return self._conversations(_OF_PERSON + order, (*given, limit, offset)), total

    def _conversations(self, where: str, given: tuple[Any, ...]) -> list[StoredConversation]:
        return [
            StoredConversation(*(*row, self._participants(row[0])))
            for row in self._db.execute(_CONVERSATION + where, given).fetchall()
        ]

    def _participants(self, conversation_id: int) -> tuple[Identity, ...]:
        rows = self._db.execute(
            "SELECT type, id FROM participants WHERE conversation_id = ? ORDER BY position", (conversation_id,)
        )
        return tuple(Identity(*row) for row in rows)

    def set_status(self, conversation_id: int, statut: str) -> None:
        """Change a conversation's `statut`."""
        self._db.execute("UPDATE conversations SET statut = ? WHERE id = ?", (statut, conversation_id))

    def unread_count(self, conversation_id: int, person: Identity) -> int:
        """Count the messages of others that a person has not read."""
        (count,) = self._db.execute(_UNREAD, (conversation_id, *person, *person)).fetchone()
        return int(count)

    # Messages

    def add_message(
        self,
        conversation_id: int,
        sender: Identity,
        contenu: str,
        type_message: str,
        *,
        sent_ms: int,
        client_message_id: str | None,
    ) -> int:
        """Store a new message, inside `writing()`, and give its id."""
        cursor = self._db.execute(
            "INSERT INTO messages (conversation_id, sender_type, sender_id, contenu, type_message, sent_ms,"
            " client_message_id) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (conversation_id, *sender, contenu, type_message, sent_ms, client_message_id),
        )
        self._db.execute(
            "UPDATE conversations SET modified_ms = MAX(modified_ms, ?) WHERE id = ?", (sent_ms, conversation_id)
        )
        return _new_id(cursor)

    def message(self, id: int) -> StoredMessage | None:
        """Find a message."""
        return _first(self._messages("WHERE m.id = ?", (id,)))

    def message_by_key(self, conversation_id: int, sender: Identity, key: str) -> StoredMessage | None:
        """Find the first message that a sender stored under a key."""
        where = (
            "WHERE m.conversation_id = ? AND m.sender_type = ? AND m.sender_id = ? AND m.client_message_id = ?"
            " ORDER BY m.id LIMIT 1"
        )
        return _first(self._messages(where, (conversation_id, *sender, key)))

    def messages(self, conversation_id: int) -> list[StoredMessage]:
        """Give all messages of a conversation, oldest first."""
        return self._messages("WHERE m.conversation_id = ? ORDER BY m.sent_ms, m.id", (conversation_id,))

    def page_of_messages(self, conversation_id: int, *, limit: int, offset: int) -> tuple[list[StoredMessage], int]:
        """Give a page, counted from the newest message, oldest first, and how many messages there are in all."""
        (total,) = self._db.execute(
            "SELECT COUNT(*) FROM messages WHERE conversation_id = ?", (conversation_id,)
        ).fetchone()
        where = "WHERE m.conversation_id = ? ORDER BY m.sent_ms DESC, m.id DESC LIMIT ? OFFSET ?"
        return self._messages(where, (conversation_id, limit, offset))[::-1], total

    def messages_since(self, conversation_id: int, since_ms: int, limit: int) -> list[StoredMessage]:
        """Give the messages later than a time, oldest first."""
        where = "WHERE m.conversation_id = ? AND m.sent_ms > ? ORDER BY m.sent_ms, m.id LIMIT ?"
        return self._messages(where, (conversation_id, since_ms, limit))

    def _messages(self, where: str, given: tuple[Any, ...]) -> list[StoredMessage]:
        return [
            StoredMessage(row[0], row[1], Identity(row[2], row[3]), *row[4:])
            for row in self._db.execute(_MESSAGE + where, given).fetchall()
        ]

    def mark_read(self, message_id: int, reader: Identity, now_ms: int) -> bool:
        """Note that somebody read a message; False if that was known."""
        cursor = self._db.execute("INSERT OR IGNORE INTO reads VALUES (?, ?, ?, ?)", (message_id, *reader, now_ms))
        return cursor.rowcount == 1


def _first(found: Sequence[Item]) -> Item | None:
    return found[0] if found else None


def _new_id(cursor: sqlite3.Cursor) -> int:
    if cursor.lastrowid is None:  # an INSERT always has one; the type allows for others
        raise sqlite3.ProgrammingError("no row was stored")
    return cursor.lastrowid
