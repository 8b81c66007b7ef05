"""A doctor who talks, a patient who listens, and what was heard."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from messaging_client import GapDetected, Message, MessagingClient, MessagingConfig
from messaging_client.testing import MessagingServer

DOCTOR = ("medecin", 79)
PATIENT = ("patient", 5)

QUICK: dict[str, Any] = {
    "reconnection_delay": 0.02,
    "reconnection_delay_max": 0.1,
    "fallback_poll_interval": 0.2,
    "settle_delay": 0.3,
    "verify_interval": 0.5,
}
"""Settings with which everything happens often."""


@dataclass
class Heard:
    """What the handlers of a client were told."""

    messages: list[Message] = field(default_factory=list)
    gaps: list[GapDetected] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, message: Message) -> None:
        self.messages.append(message)
        self.news.set()

    async def until(self, count: int, timeout: float = 20.0) -> None:
        """Wait until there are that many messages."""
        async with asyncio.timeout(timeout):
            while len(self.messages) < count:
                self.news.clear()
                await self.news.wait()

    @property
    def ids(self) -> list[Any]:
        return [message.id for message in self.messages]

    @property
    def in_time(self) -> list[Any]:
        return [message.id for message in self.messages if not message.late]


def listen(client: MessagingClient) -> Heard:
    heard = Heard()
    client.on_new_message(heard.take)
    client.on_gap(heard.gaps.append)
    return heard


def ids_of(server: MessagingServer, conversation_id: int, first: int = 0) -> list[Any]:
    """The ids that the server has, from a place on."""
    return [message["id_message"] for message in server.messages(conversation_id)][first:]


def patient_of(server: MessagingServer, **settings: Any) -> MessagingClient:
    return MessagingClient(server.url, token=server.token(*PATIENT), config=MessagingConfig(**{**QUICK, **settings}))
