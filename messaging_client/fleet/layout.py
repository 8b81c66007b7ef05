"""Names and settings that relays and workers of one account share: streams, buckets, subjects, partitions."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from messaging_client.errors import ConfigurationError
from messaging_client.models import Id, User
from messaging_client.store.records import write_id

SCHEMA = 1
"""Version of the form that events have in the stream; a worker leaves alone what is newer than it knows."""

MOST_PARTITIONS = 1024
_ACCOUNT = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Layout:
    """What the streams of one account look like.

    Attributes:
        account: name of the account, of letters, digits, `_` and `-`.
        partitions: how many; conversations are spread over them, and each is worked off in order.
        duplicate_window: seconds within which the stream keeps one copy of an event that several relays publish.
        max_bytes: size that the stream may have; when it is full, relays wait.
        replicas: servers of a cluster that keep each stream.
    """

    account: str
    partitions: int = 32
    duplicate_window: float = 120.0
    max_bytes: int = 1 << 30
    replicas: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.account, str) or not _ACCOUNT.fullmatch(self.account):
            raise ConfigurationError(
                "account must be a name of at most 64 letters, digits, _ and -, such as triage-bot."
            )
        _check_number("partitions", self.partitions, 1, MOST_PARTITIONS)
        _check_number("max_bytes", self.max_bytes, 1 << 20, 1 << 50)
        _check_number("replicas", self.replicas, 1, 5)
        if isinstance(self.duplicate_window, bool) or not isinstance(self.duplicate_window, int | float):
            raise ConfigurationError("duplicate_window must be a number of seconds.")
        if not 1 <= self.duplicate_window <= 86400:
            raise ConfigurationError("duplicate_window must be from 1 second to a day.")

    @property
    def stream(self) -> str:
        """Name of the stream of events."""
        return f"messaging-{self.account}"

    @property
    def dead_stream(self) -> str:
        """Name of the stream of events that could not be handled."""
        return f"messaging-{self.account}-dead"

    @property
    def positions(self) -> str:
        """Name of the bucket with the relays' read positions."""
        return f"messaging-{self.account}-positions"

    @property
    def handled(self) -> str:
        """Name of the bucket with what was handled last in each conversation."""
        return f"messaging-{self.account}-handled"

    def subject(self, partition: int | str, event: str) -> str:
        """Give the subject of a partition's events of one kind."""
        return f"messaging.{self.account}.{partition}.{event}"

    def partition_in(self, subject: str) -> int:
        """Give the partition that a subject of events names."""
        return int(subject.split(".")[2])

    def news(self, partition: int | str) -> str:
        """Give the subject on which the server says that a partition has another event; headers only."""
        return f"messaging-news.{self.account}.{partition}"

    def dead_subject(self, partition: int | str, event: str) -> str:
        """Give the subject of what could not be handled."""
        return f"messaging-dead.{self.account}.{partition}.{event}"

    def consumer(self, partition: int) -> str:
        """Give the name of a partition's durable consumer."""
        return f"partition-{partition}"

    def partition_of(self, conversation_id: Id | None) -> int:
        """Give the partition of a conversation, the same in every process and version."""
        digest = hashlib.sha256(written(conversation_id).encode()).digest()
        return int.from_bytes(digest[:8]) % self.partitions

    def marks(self, server: str, user: User) -> dict[str, str]:
        """What is noted on the stream, so that nobody mixes accounts, partitions or forms."""
        return self.own_marks() | {"messaging.server": server, "messaging.user": f"{user.type.value} {user.id}"}

    def own_marks(self) -> dict[str, str]:
        """The same without whose account it is, which a worker without a client does not know."""
        return {"messaging.schema": str(SCHEMA), "messaging.partitions": str(self.partitions)}


def written(conversation_id: Id | None) -> str:
    """Write an id down, so that 15 and "15x" differ; `null` for events without a conversation."""
    return "null" if conversation_id is None else write_id(conversation_id)


def key_of(text: str) -> str:
    """Give a key for any text, as buckets take it: the same text has the same in every process."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:48]


def _check_number(name: str, value: object, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigurationError(f"{name} must be an integer from {least} to {most}.")
