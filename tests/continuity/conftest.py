"""A doctor who talks, a patient who listens, and a server between them that misbehaves to order."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from messaging_client.testing import MessagingServer
from tests.continuity.support import DOCTOR, PATIENT
from tests.servers import make_server


@pytest.fixture
async def server() -> AsyncIterator[MessagingServer]:
    async with make_server() as server:
        yield server


@pytest.fixture
async def talk(server: MessagingServer) -> int:
    """A conversation between the doctor and the patient, with some history."""
    conversation = await server.create_conversation("Messages - Ordonnance 15", [DOCTOR, PATIENT])
    for number in range(3):
        await server.say(conversation, f"avant {number}", DOCTOR)
    return conversation
