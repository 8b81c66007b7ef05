"""What an event costs with one open session and with many, with an empty one and with a long one."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

from benchmarks.flood_server import message
from benchmarks.measure import Comparison, in_turn
from messaging_client import ConversationSession, MessagingClient, MessagingConfig
from messaging_client.testing import MessagingServer
from messaging_client.wire.messages import message_from_wire

_NUMBERS = iter(range(1_000_000, 10**9))


def _event(conversation_id: int) -> dict[str, Any]:
    number = next(_NUMBERS)
    return message(number) | {"conversation_id": conversation_id, "id": number}


async def _rate(client: MessagingClient, conversation_id: int, count: int) -> float:
    """Events of one conversation for each second of processor time, from the socket's door to handlers and sessions.

    What was there before is kept from the garbage collector, whose full passes would fall on one side by chance.
    """
    events = [(_event(conversation_id),) for _ in range(count)]
    gc.collect()
    gc.freeze()
    began = time.process_time()
    for each in events:
        client._intake.take("new_message", each)
    await client._dispatcher.drain(60)
    rate = count / (time.process_time() - began)
    gc.unfreeze()
    return rate


async def compare(times: int, many: int, long: int, count: int) -> list[Comparison]:
    config = MessagingConfig(queue_size=10 * count, cache_ttl=600.0)
    people = [("patient", 5), ("medecin", 79)]
    async with MessagingServer() as server, AsyncExitStack() as stack:
        ids = [await server.create_conversation(f"Suivi {number}", people) for number in range(many)]
        token = server.token("medecin", 79)
        one = await stack.enter_async_context(MessagingClient(server.url, token=token, config=config))
        crowd = await stack.enter_async_context(MessagingClient(server.url, token=token, config=config))
        await _open(stack, one, ids[:1])
        await _open(stack, crowd, ids)
        rows = [
            await in_turn(
                f"events with {many:,} open sessions",
                "with one",
                "events/s of CPU",
                lambda: _rate(crowd, ids[0], count),
                lambda: _rate(one, ids[0], count),
                times,
            )
        ]
        filled, empty = ids[1], ids[2]
        sessions = await _open(stack, one, [filled, empty])
        for session in sessions:
            session.on_change(_show)
        _fill(sessions[0], filled, long)
        rows.append(
            await in_turn(
                f"events in a session of {long:,} messages",
                "in an empty one",
                "events/s of CPU",
                lambda: _rate(one, filled, count),
                lambda: _rate(one, empty, count),
                times,
            )
        )
    return rows


async def _open(stack: AsyncExitStack, client: MessagingClient, ids: Sequence[int]) -> list[ConversationSession]:
    return [await stack.enter_async_context(client.conversation(each)) for each in ids]


def _fill(session: ConversationSession, conversation_id: int, count: int) -> None:
    now = datetime.now(UTC)
    for _ in range(count):
        session.messages.put(message_from_wire(_event(conversation_id), received_at=now))


def _show(session: ConversationSession) -> None:
    """What a user interface looks at after each change."""
    assert session.messages[-1].timestamp
    assert session.unread_count >= 0
