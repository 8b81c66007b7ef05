"""What the outbox needs of the rest of the client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from messaging_client.models import Id, Message
from messaging_client.outbox.marks import Mark
from messaging_client.outbox.outgoing import Outgoing
from messaging_client.outbox.settling import Found


@dataclass(frozen=True)
class Known:
    """What other parts of the client have read of a conversation.

    Attributes:
        mark: the newest messages that a complete read has shown.
        is_current: whether nothing can have come since, as far as the client is told.
    """

    mark: Mark
    is_current: bool = False


class Exchange(Protocol):
    """Sends, reads, and tells."""

    async def send(self, outgoing: Outgoing) -> Message:
        """Send a message once, note in `outgoing.progress` how far that came, and give it as the server stored it."""
        ...

    async def read_after(self, conversation_id: Id, mark: Mark) -> Found:
        """Read everything after a mark; what is before it does no harm. One that fails is not repeated here."""
        ...

    async def newest(self, conversation_id: Id) -> Found:
        """Read the newest messages. One that fails is not repeated here."""
        ...

    def newest_known(self, conversation_id: Id) -> Known | None:
        """What other parts have read, or None."""
        ...

    def confirmed(self, message: Message) -> None:
        """Take a message that the server has stored."""
        ...

    async def relay(self, message: Message) -> bool:
        """Tell others of it, for servers that do not; False where that cannot be done now."""
        ...
