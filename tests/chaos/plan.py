"""How large a storm is, who takes part in it, and what its processes write down."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECRET = "0123456789abcdef" * 4
FIRST_DOCTOR = 101

HAPPENS = (
    "server killed",
    "crew killed",
    "sockets cut",
    "answers lost after storing",
    "requests lost before storing",
    "answered 429",
    "answered 503",
    "reads failed",
)
"""What a storm is made of: each must have happened, or nothing was shown."""

User = tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The sizes of a storm.

    Attributes:
        messages: accepted from all clients together.
        clients: half of them patients, half of them doctors.
        processes: that the clients live in.
        conversations: each of a patient and a doctor.
        server_kills, client_kills: how often a server, or a process of clients, is killed and started again.
        honours_keys: whether the server honours idempotency keys.
        seed: of all chance.
        port: of the server.
        folder: where everything is written.
    """

    messages: int
    clients: int
    processes: int
    conversations: int
    server_kills: int
    client_kills: int
    honours_keys: bool
    seed: int
    port: int
    folder: str

    @property
    def users(self) -> list[User]:
        """Patients and doctors in turn."""
        return [
            ("patient", 1 + number // 2) if number % 2 == 0 else ("medecin", FIRST_DOCTOR + number // 2)
            for number in range(self.clients)
        ]

    def users_of(self, process: int) -> list[User]:
        """Who lives in a process."""
        return self.users[process :: self.processes]

    @property
    def pairs(self) -> list[tuple[User, User]]:
        """Who takes part in each conversation."""
        patients, doctors = self.users[::2], self.users[1::2]
        return [
            (patients[number % len(patients)], doctors[(number + number // len(patients)) % len(doctors)])
            for number in range(self.conversations)
        ]

    def quota(self, conversation: int) -> int:
        """Messages that are accepted from each of both in a conversation."""
        share, rest = divmod(self.messages // 2, self.conversations)
        return share + (conversation < rest)

    @property
    def url(self) -> str:
        """The address of the server."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> Path:
        """The file of the server."""
        return Path(self.folder, "server.db")

    @property
    def faults(self) -> Path:
        """What the server did wrong."""
        return Path(self.folder, "faults.jsonl")

    def store_of(self, user: User) -> Path:
        """The file of a client."""
        return Path(self.folder, f"{user[0]}-{user[1]}.db")

    def journal_of(self, user: User) -> Path:
        """What a client has seen and done."""
        return Path(self.folder, f"{user[0]}-{user[1]}.jsonl")


class Journal:
    """Lines that outlive their process: each is handed to the system at once."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, what: str, *values: Any) -> None:
        os.write(self._file, json.dumps([what, *values]).encode() + b"\n")


def read_journal(path: Path) -> Iterator[list[Any]]:
    """Every line of a journal so far; none if there is no journal yet."""
    if path.exists():
        with path.open() as lines:
            for line in lines:
                if line.endswith("\n"):
                    yield json.loads(line)


WORDS = ("ok", "oui", "merci")
TERSE = 4  # every so many conversations is one of few words


def is_terse(conversation: int) -> bool:
    """Whether those who take part say the same few words again and again, so that a text names no message."""
    return conversation % TERSE == TERSE - 1


def content_of(user: User, conversation: int, number: int) -> str:
    """The text of a message: one of a few, or one that no other message has."""
    name = f"{user[0]} {user[1]} dans {conversation}, numéro {number}"
    return WORDS[zlib.crc32(name.encode()) % len(WORDS)] if is_terse(conversation) else name
