"""A recording, played to a fresh client, tells it what the first one was told."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from scenes import DOCTOR, TIMEOUT, Scene

from messaging_client import (
    ConnectionChange,
    ConnectionState,
    GapDetected,
    Message,
    MessagingClient,
    MessagingConfig,
)
from messaging_client.recording import Replay, recording

QUICK = MessagingConfig(reconnection_delay=0.05, randomization_factor=0.0, settle_delay=0.2, max_retries=0)

Told = list[tuple[Any, ...]]


class Listener:
    """Everything about messages that a client is told, in order."""

    def __init__(self, client: MessagingClient) -> None:
        self.told: Told = []
        self._came = asyncio.Event()
        client.on_new_message(self._message, own=True)
        client.on_gap(self._gap)

    def _message(self, message: Message) -> None:
        self._note("message", message.id, message.conversation_id, message.late, message.timestamp, message.sender.id)

    def _gap(self, gap: GapDetected) -> None:
        self._note("gap", gap.conversation_id, gap.after, gap.before)

    def _note(self, *what: Any) -> None:
        self.told.append(what)
        self._came.set()

    async def until(self, predicate: Any) -> None:
        async with asyncio.timeout(TIMEOUT):
            while not predicate(self.told):
                self._came.clear()
                await self._came.wait()


def has(message_id: int) -> Any:
    return lambda told: any(each[:2] == ("message", message_id) for each in told)


async def eventful(scene: Scene, path: Path) -> Told:
    """Record a client that is told of a message twice, of one late, of one while it was away, and of a gap."""
    client = MessagingClient(scene.server.url, token=scene.server.token(*DOCTOR), config=QUICK)
    with recording(client, path) as recorder:
        async with client:
            heard = Listener(client)
            await client.join_conversation(scene.conversation)
            await scene.server.wait_until(lambda: scene.server.members(scene.conversation))
            await scene.server.wait_until(lambda: scene.requests("new_messages"))
            scene.server.faults.duplicate_events("new_message")
            first = await scene.say("Bonjour, je suis Marie Dupont")
            await heard.until(has(first["id_message"]))
            scene.server.faults.reorder_events("new_message")
            late, newer = await scene.say("un"), await scene.say("deux")
            await heard.until(lambda told: has(late["id_message"])(told) and has(newer["id_message"])(told))
            async with client.expect(ConnectionChange, lambda change: change.state is ConnectionState.CONNECTED):
                away = await scene.say("pendant la coupure", broadcast=False)
                await scene.server.faults.cut()
            await heard.until(has(away["id_message"]))
            scene.server.faults.answer("new_messages", 403)
            await scene.server.faults.cut()
            await heard.until(lambda told: told[-1][0] == "gap")
            await scene.server.wait_until(lambda: scene.server.members(scene.conversation))
            end = await scene.say("fin")
            await heard.until(has(end["id_message"]))
    assert recorder.summary().failure is None
    return heard.told


async def played(path: Path, count: int, speed: float | None) -> Told:
    async with Replay(path, speed=speed) as replay:
        client = MessagingClient(replay.url, token=replay.token, config=QUICK)
        async with client:
            heard = Listener(client)
            await client.join_conversation(1)
            await replay.wait_played(TIMEOUT)
            await heard.until(lambda told: len(told) >= count)
    return heard.told


@pytest.mark.parametrize("speed", [None, 1.0], ids=["fast", "as recorded"])
async def test_a_fresh_client_is_told_what_the_first_one_was(scene: Scene, tmp_path: Path, speed: float | None) -> None:
    path = tmp_path / "bug.jsonl"
    told = await eventful(scene, path)
    await scene.server.aclose()
    again = await played(path, len(told), speed)
    assert again == told
    assert [each[0] for each in told].count("gap") == 1
