"""`client.stats()`: what is counted is what has happened."""

from __future__ import annotations

import asyncio
from dataclasses import FrozenInstanceError, fields
from datetime import UTC, datetime, timedelta

import pytest
from scenes import DOCTOR, PATIENT, TIMEOUT, Scene
from support import eventually, joined

from messaging_client import (
    ConnectionState,
    GapDetected,
    Message,
    MessagingError,
    SendUncertain,
    Stats,
)
from messaging_client.testing import BackgroundServer


async def test_a_new_client_has_counted_nothing() -> None:
    async with Scene() as scene:
        stats = (await scene.client(connect=False)).stats()
        assert stats.state is ConnectionState.DISCONNECTED
        assert {getattr(stats, each.name) for each in fields(Stats)} == {ConnectionState.DISCONNECTED, 0}
        with pytest.raises(FrozenInstanceError):
            stats.messages = 1  # type: ignore[misc]


async def test_events_doubles_late_ones_and_gaps() -> None:
    async with Scene() as scene:
        client = await scene.client(reconnection_delay=0.01, settle_delay=0.01)
        await joined(scene, client)
        scene.server.faults.duplicate_events("new_message")
        await scene.say("un")
        await eventually(lambda: client.stats().duplicates)
        stats = client.stats()
        # One more is counted where what follows the join reads it back as well.
        assert (stats.messages, stats.late, stats.gaps) == (1, 0, 0)
        assert stats.duplicates in (1, 2)
        assert stats.events >= 3
        async with client.expect(Message, lambda each: each.late, timeout=TIMEOUT) as late:
            await scene.say("deux", at=datetime.now(UTC) - timedelta(minutes=5))
        await late
        assert client.stats().late == 1
        scene.server.faults.answer("messages", 403, count=None)
        scene.server.faults.answer("new_messages", 403, count=None)
        async with client.expect(GapDetected, timeout=TIMEOUT) as gap:
            await scene.server.faults.cut(DOCTOR)
        await gap
        assert client.stats().gaps == 1


async def test_connections_and_attempts() -> None:
    async with Scene() as scene:
        client = await scene.client(reconnection_delay=0.01, reconnection_delay_max=0.01)
        scene.server.faults.refuse_upgrade()
        lost = asyncio.Event()
        client.on_connection_change(lambda _: lost.set())
        await scene.server.faults.cut(DOCTOR)
        await asyncio.wait_for(lost.wait(), TIMEOUT)
        await client.wait_connected(TIMEOUT)
        stats = client.stats()
        assert (stats.state, stats.connections, stats.reconnections, stats.attempts) == (
            ConnectionState.CONNECTED,
            2,
            1,
            3,
        )


async def test_sends_by_their_end_and_requests_by_theirs() -> None:
    async with Scene() as scene:
        client = await scene.client(max_retries=0)
        await client.send_message_to_conversation(scene.conversation, "un")
        scene.server.faults.answer("send", 422)
        with pytest.raises(MessagingError):
            await client.send_message_to_conversation(scene.conversation, "deux")
        stats = client.stats()
        assert (stats.sends, stats.confirmed, stats.refused, stats.uncertain, stats.pending) == (2, 1, 1, 0, 1)
        assert stats.requests_refused == 1
        assert 0 < stats.last_send_seconds < TIMEOUT
        assert 0 < stats.send_seconds < TIMEOUT
        scene.server.faults.drop_after_storing("send")
        scene.server.faults.answer("messages", 403, count=None)
        with pytest.raises(SendUncertain):
            await client.send_message_to_conversation(scene.conversation, "trois")
        stats = client.stats()
        assert (stats.sends, stats.confirmed, stats.refused, stats.uncertain, stats.pending) == (3, 1, 1, 1, 2)
        assert stats.requests_unanswered == 1
        assert stats.requests >= stats.failures >= stats.requests_refused + stats.requests_unanswered
        assert 0 < stats.last_request_seconds < TIMEOUT
        (refused, _) = client.pending()
        await client.retry(refused)
        stats = client.stats()
        assert (stats.sends, stats.confirmed, stats.pending) == (4, 2, 1)


async def test_the_cache_and_what_waits() -> None:
    async with Scene() as scene:
        client = await scene.client()
        for _ in range(3):
            await client.get_conversation_messages(scene.conversation)
        stats = client.stats()
        assert (stats.cache_hits, stats.cache_misses, stats.cache_entries) == (2, 1, 1)
        await joined(scene, client)
        first, second = client.events(Message), client.events(Message)
        for number in range(3):
            async with client.expect(Message, timeout=TIMEOUT) as came:
                await scene.say(f"m{number}")
            await came
        await first.__anext__()
        stats = client.stats()
        assert (stats.queued, stats.queued_longest) == (5, 3)
        first.cancel()
        second.cancel()
        assert client.stats().queued == 0


def test_the_blocking_client_has_them_too() -> None:
    from messaging_client.sync import MessagingClient

    with BackgroundServer() as server, MessagingClient(server.url, token=server.token(*PATIENT)) as client:
        with client.open_conversation("ordonnance", 15, medecin_id=79) as session:
            session.send("Bonjour")
        stats = client.stats()
        assert (stats.sends, stats.confirmed, stats.connections) == (1, 1, 1)
