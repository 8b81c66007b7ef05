"""Others are told of confirmed messages in order, and nobody who sends waits for that."""

from __future__ import annotations

import asyncio

import pytest

from messaging_client.models import Message
from messaging_client.outbox import relays as relays_module
from messaging_client.testing import ManualClock
from tests.outbox.support import Script, an_outbox, outcome, submit


async def test_what_was_confirmed_without_a_connection_is_relayed_once_there_is_one(script: Script) -> None:
    script.is_away = True
    outbox = an_outbox(script)
    for text in ("un", "deux", "trois"):
        assert isinstance(await outcome(submit(outbox, text)), Message)
    assert await outbox.drain(5)
    assert script.relayed == []
    script.is_away = False
    outbox.wake()
    assert await outbox.drain(5)
    assert script.relayed == [1, 2, 3]


async def test_the_next_message_takes_along_those_that_wait(script: Script) -> None:
    script.is_away = True
    outbox = an_outbox(script)
    await outcome(submit(outbox, "un"))
    script.is_away = False
    await outcome(submit(outbox, "deux"))
    assert await outbox.drain(5)
    assert script.relayed == [1, 2]


async def test_a_connection_that_takes_nothing_holds_up_no_send(script: Script, clock: ManualClock) -> None:
    go_on, relay = asyncio.Event(), script.relay

    async def stuck(message: Message) -> bool:
        await go_on.wait()
        return await relay(message)

    script.relay = stuck  # type: ignore[method-assign]
    outbox = an_outbox(script)
    for text in ("un", "deux", "trois"):
        assert isinstance(await outcome(submit(outbox, text)), Message)
    draining = asyncio.ensure_future(outbox.drain(5))
    await clock.advance(5)
    assert not await draining
    go_on.set()
    assert await outbox.drain(5)
    assert script.relayed == [1, 2, 3]


async def test_closing_ends_a_relay_that_is_stuck(script: Script) -> None:
    async def stuck(message: Message) -> bool:
        await asyncio.Event().wait()
        return True

    script.relay = stuck  # type: ignore[method-assign]
    outbox = an_outbox(script)
    await outcome(submit(outbox, "un"))
    await outbox.aclose()
    assert outbox._relays.worker is None


async def test_what_waits_is_bounded_and_the_oldest_gives_way(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relays_module, "RELAYS", 2)
    script.is_away = True
    outbox = an_outbox(script)
    for text in ("un", "deux", "trois"):
        await outcome(submit(outbox, text))
    script.is_away = False
    outbox.wake()
    assert await outbox.drain(5)
    assert script.relayed == [2, 3]
