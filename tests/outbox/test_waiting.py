"""What waits, for how long, and whom a word of the server concerns: full files, `Retry-After`, tokens."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from messaging_client.errors import (
    AuthenticationError,
    ConnectionLost,
    MessagingError,
    RateLimited,
    RequestTimeout,
    SendUncertain,
    StoreError,
)
from messaging_client.models import Message, MessageStatus
from messaging_client.outbox import Keeper
from messaging_client.store import open_store
from messaging_client.testing import ManualClock
from messaging_client.transport.auth import TokenUnavailable
from tests.outbox.support import Script, an_outbox, in_the_end, outcome, submit

CUT = ConnectionLost("cut", may_have_left=True)
OFTEN = RateLimited("often", operation="send", retry_after=20)
REFUSED = AuthenticationError("refused")


# --- the file --------------------------------------------------------------------------------------------------------


async def test_a_file_that_is_full_for_a_moment_delays_and_refuses_nothing(
    script: Script, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path / "messages.db")
    outbox = an_outbox(script, store=store)
    mark, is_full = Keeper.mark, True

    async def full(self: Keeper, *args: object, **kwargs: object) -> None:
        if is_full:
            raise StoreError("the disk is full")
        await mark(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Keeper, "mark", full)
    sent = [submit(outbox, text) for text in ("un", "deux")]
    for outgoing in sent:
        await outbox.accepted(outgoing)
    await clock.advance(30)
    assert script.sent() == []
    assert [each.pending.status for each in outbox.pending()] == [MessageStatus.SENDING] * 2
    is_full = False
    for outgoing in sent:
        assert isinstance(await in_the_end(clock, outgoing), Message)
    assert script.contents() == ["un", "deux"]
    await outbox.aclose()
    await store.aclose()


# --- Retry-After -----------------------------------------------------------------------------------------------------


async def test_who_waits_for_a_place_hears_of_it_too(script: Script, clock: ManualClock) -> None:
    script.answers = [OFTEN] * 8
    script.hold = asyncio.Event()
    outbox = an_outbox(script)
    sent = [submit(outbox, "un", number) for number in range(30)]
    await clock.advance(0)
    script.hold.set()
    await clock.advance(19.9)
    assert script.times("send") == [0] * 8
    await clock.advance(0.1)
    for outgoing in sent:
        assert isinstance(await outcome(outgoing), Message)
    assert script.times("send") == [0] * 8 + [20] * 30


async def test_a_read_that_is_asked_to_wait_holds_every_queue(clock: ManualClock) -> None:
    script = Script(clock, keys=False)
    script.reads = [RateLimited("often", operation="messages", retry_after=20)]
    outbox = an_outbox(script, is_idempotent=False)
    first = submit(outbox, "un", 1)
    await clock.advance(1)
    second = submit(outbox, "deux", 2)
    await clock.advance(18.9)
    assert (script.times("newest"), script.times("send")) == ([0], [])
    await clock.advance(0.1)
    for outgoing in (first, second):
        assert isinstance(await outcome(outgoing), Message)
    assert script.times("send") == [20, 20]


async def test_a_gate_that_closes_while_the_newest_are_read_is_seen(clock: ManualClock) -> None:
    script = Script(clock, keys=False)
    outbox = an_outbox(script, is_idempotent=False)
    newest, go_on = script.newest, asyncio.Event()

    async def slow(conversation_id: object) -> object:
        found = await newest(conversation_id)  # type: ignore[arg-type]
        await go_on.wait()
        return found

    script.newest = slow  # type: ignore[method-assign, assignment]
    outgoing = submit(outbox, "un")
    await clock.advance(0)
    outbox._delivery.gate.ask(20)
    go_on.set()
    await clock.advance(19.9)
    assert script.sent() == []
    await clock.advance(0.1)
    assert isinstance(await outcome(outgoing), Message)


# --- tokens ----------------------------------------------------------------------------------------------------------


async def test_a_token_that_cannot_be_had_is_waited_for(script: Script, clock: ManualClock) -> None:
    script.answers = [TokenUnavailable("away")] * 6
    outbox = an_outbox(script)
    sent = [submit(outbox, text) for text in ("un", "deux")]
    for outgoing in sent:
        assert isinstance(await in_the_end(clock, outgoing), Message)
    assert script.times("send")[:7] == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 23.5]
    assert script.contents() == ["un", "deux"]


async def test_a_refused_token_ends_one_message_and_holds_the_others(script: Script, clock: ManualClock) -> None:
    script.answers = [REFUSED] * 10
    script.hold = asyncio.Event()
    outbox = an_outbox(script)
    sent = [submit(outbox, text, number) for number in range(3) for text in ("un", "deux")]
    await clock.advance(0)  # three requests are under way, and all are refused
    script.hold.set()
    await clock.advance(600)
    ended = [each for each in sent if each.done.done()]
    assert [each.done.exception() for each in ended] == [REFUSED]
    assert [each.pending.status for each in outbox.pending()].count(MessageStatus.SENDING) == 5
    assert len(script.sent()) == 3
    script.answers = []
    outbox.wake()  # connected: the token is taken
    for outgoing in sent:
        if outgoing not in ended:
            assert isinstance(await outcome(outgoing), Message)


@pytest.mark.parametrize("sign", ["connected", "token", "retry", "send"])
async def test_what_a_refused_token_holds_leaves_when_there_is_reason_to_try(
    script: Script, clock: ManualClock, sign: str
) -> None:
    script.answers = [REFUSED]
    outbox = an_outbox(script)
    first, second = submit(outbox, "un"), submit(outbox, "deux")
    assert await outcome(first) is REFUSED
    await clock.advance(60)
    assert not second.done.done()
    if sign == "connected":
        outbox.wake()
    elif sign == "token":
        outbox.token_changed()
    elif sign == "retry":
        outbox.retry(first.pending)
    else:
        submit(outbox, "trois")
    assert isinstance(await outcome(second), Message)
    await outbox.drain(5)


async def test_a_deadline_ends_what_a_refused_token_holds(script: Script, clock: ManualClock) -> None:
    script.answers = [REFUSED]
    outbox = an_outbox(script)
    first, second = submit(outbox, "un"), submit(outbox, "deux", deadline=30)
    assert await outcome(first) is REFUSED
    await clock.advance(30)
    assert isinstance(await outcome(second), RequestTimeout)


async def test_reading_back_with_a_refused_token_ends_one_message_too(clock: ManualClock) -> None:
    script = Script(clock, keys=False)
    script.answers = [("lost", CUT), ("lost", CUT)]
    outbox = an_outbox(script, is_idempotent=False)
    script.reads = [None, None, REFUSED]
    script.hold = asyncio.Event()
    sent = [submit(outbox, "un", 1), submit(outbox, "deux", 2)]
    await clock.advance(0)
    script.hold.set()
    await clock.advance(60)
    ends: list[MessagingError | None] = [each.done.exception() if each.done.done() else None for each in sent]  # type: ignore[misc]
    assert [type(each) for each in ends] == [SendUncertain, type(None)]
    outbox.token_changed()
    assert isinstance(await outcome(sent[1]), Message)
    assert script.contents(2) == ["deux"]
