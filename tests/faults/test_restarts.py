"""A server process that is killed and started again."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from peers import poll
from processes import DOCTOR, PATIENT, server_process

from messaging_client import Message, MessagingClient, MessagingConfig
from messaging_client.events import ConnectionChange

# Attempts enough for a busy machine, on which a server takes seconds to start.
SHORT = {"reconnection_delay": 0.1, "reconnection_delay_max": 0.3, "settle_delay": 0.1, "reconnection_attempts": 1000}
LIMIT = 8.0  # seconds until the client is back, from the moment that the server listens


@pytest.mark.parametrize(
    ("away", "settings"),
    [
        pytest.param(0.3, SHORT, id="short"),
        pytest.param(3.0, {}, id="the protocol's own delays", marks=pytest.mark.soak),
    ],
)
async def test_a_server_killed_and_started_again(tmp_path: Path, away: float, settings: dict[str, Any]) -> None:
    heard: list[str] = []
    changes: list[ConnectionChange] = []
    async with (
        server_process(tmp_path) as server,
        MessagingClient(server.url, token=server.token(DOCTOR)) as doctor,
        MessagingClient(server.url, token=server.token(PATIENT), config=MessagingConfig(**settings)) as patient,
    ):
        patient.on_new_message(lambda message: heard.append(message.content))
        patient.on_connection_change(changes.append)
        await patient.join_conversation(server.conversation_id)
        async with patient.expect(Message):
            await doctor.send_message_to_conversation(server.conversation_id, "before")

        await server.kill()
        await poll(lambda: changes)
        assert changes[0].cause == "connection_lost"
        await asyncio.sleep(away)
        await server.start()
        listening = time.monotonic()
        # Stored before the client is back: nobody broadcasts it to it.
        async with patient.expect(Message, lambda each: each.content == "meanwhile", timeout=LIMIT + 5):
            await doctor.send_message_to_conversation(server.conversation_id, "meanwhile")
            await patient.wait_connected(LIMIT)
            assert time.monotonic() - listening < LIMIT

        async with patient.expect(Message, lambda each: each.content == "after", timeout=LIMIT):
            await doctor.send_message_to_conversation(server.conversation_id, "after")
        await poll(lambda: len(heard) == 3)
        assert heard == ["before", "meanwhile", "after"]
