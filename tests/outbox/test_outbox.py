"""Queues: order, several at a time, bounds, deadlines, retry and discard, the end."""

from __future__ import annotations

import asyncio

import pytest

from messaging_client.errors import (
    ConnectFailed,
    ConnectionLost,
    NotConnected,
    NotFound,
    OutboxFull,
    RequestTimeout,
    SendUncertain,
    ValidationFailed,
)
from messaging_client.models import Message, MessageStatus
from messaging_client.outbox import Outgoing
from messaging_client.testing import ManualClock
from tests.outbox.support import START, Script, an_outbox, outcome, submit

AWAY = ConnectFailed("away")
CUT = ConnectionLost("cut", may_have_left=True)
REFUSED = ValidationFailed("bad", operation="send", status=400)


# --- order -----------------------------------------------------------------------------------------------------------


async def test_a_conversation_keeps_its_order_and_sends_one_at_a_time(script: Script, clock: ManualClock) -> None:
    script.answers = [CUT, AWAY, ("lost", CUT)]
    outbox = an_outbox(script)
    sent = [submit(outbox, f"m{number}") for number in range(5)]
    await clock.advance(30)
    for outgoing in sent:
        assert isinstance(await outcome(outgoing), Message)
    assert script.contents() == [f"m{number}" for number in range(5)]
    assert script.most_at_a_time == 1


async def test_conversations_do_not_wait_for_each_other_up_to_a_bound(script: Script, clock: ManualClock) -> None:
    script.hold = asyncio.Event()
    outbox = an_outbox(script)
    sent = [submit(outbox, "un", number) for number in range(20)]
    await clock.advance(0)
    assert script.at_a_time == 8
    script.hold.set()
    for outgoing in sent:
        assert isinstance(await outcome(outgoing), Message)
    assert script.most_at_a_time == 8


async def test_a_conversation_that_waits_does_not_hold_up_another(script: Script, clock: ManualClock) -> None:
    script.answers = [CUT]
    outbox = an_outbox(script, is_idempotent=False)
    waiting = submit(outbox, "un", 1)
    await clock.advance(1)  # between its two reads
    assert isinstance(await outcome(submit(outbox, "deux", 2)), Message)
    assert not waiting.done.done()
    await outbox.aclose()


async def test_a_pending_message_stands_behind_the_newest_of_its_conversation(script: Script) -> None:
    outbox = an_outbox(script)
    later = script.add(15, "avant").timestamp.replace(year=2030)
    assert submit(outbox, "un", after=later).pending.timestamp == later
    assert submit(outbox, "un", after=START.replace(year=2000)).pending.timestamp == script.clock.now()
    await outbox.drain(1)


async def test_listeners_see_each_step_of_their_conversation(script: Script) -> None:
    script.answers = [REFUSED]
    outbox = an_outbox(script)
    seen: list[tuple[str, MessageStatus, bool]] = []

    def listener(outgoing: Outgoing) -> None:
        seen.append((outgoing.pending.content, outgoing.pending.status, outgoing.confirmed is not None))

    stop = outbox.listen(15, listener)
    outgoing = submit(outbox, "un")
    submit(outbox, "ailleurs", 16)
    await outcome(outgoing)
    await outcome(outbox.retry(outgoing.pending))
    stop()
    await outcome(submit(outbox, "deux"))
    sending, error = MessageStatus.SENDING, MessageStatus.ERROR
    assert seen == [("un", sending, False), ("un", error, False), ("un", sending, False), ("un", sending, True)]


# --- bounds ----------------------------------------------------------------------------------------------------------


async def test_a_full_outbox_takes_nothing_more_until_there_is_room(script: Script, clock: ManualClock) -> None:
    script.answers = [REFUSED]
    outbox = an_outbox(script, limit=2)
    refused = submit(outbox, "un")
    await outcome(refused)
    script.hold = asyncio.Event()
    waiting = submit(outbox, "deux")
    with pytest.raises(OutboxFull, match="2 messages are unsent"):
        submit(outbox, "trois")
    await outbox.discard(refused.pending)
    submit(outbox, "trois")
    script.hold.set()
    await outcome(waiting)
    await outbox.drain(1)
    assert script.contents() == ["deux", "trois"]


# --- deadlines -------------------------------------------------------------------------------------------------------


async def test_a_message_that_never_left_is_given_up_at_its_deadline(script: Script, clock: ManualClock) -> None:
    script.answers = [AWAY] * 100
    outbox = an_outbox(script)
    head, second = submit(outbox, "un", deadline=10), submit(outbox, "deux", deadline=5)
    await clock.advance(5)
    assert not head.done.done()
    error = await outcome(second)
    assert isinstance(error, RequestTimeout)
    assert not error.may_have_left
    await clock.advance(5)
    assert isinstance(await outcome(head), RequestTimeout)
    assert [each.pending.status for each in outbox.pending()] == [MessageStatus.ERROR] * 2
    script.answers = []
    outbox.wake()
    assert isinstance(await outcome(submit(outbox, "trois")), Message)
    assert script.contents() == ["trois"]


@pytest.mark.parametrize("is_idempotent", [True, False])
async def test_a_message_that_may_have_left_is_uncertain_at_its_deadline(
    script: Script, clock: ManualClock, is_idempotent: bool
) -> None:
    script.hold = asyncio.Event()
    outbox = an_outbox(script, is_idempotent=is_idempotent)
    outgoing, behind = submit(outbox, "un", deadline=3), submit(outbox, "deux")
    await clock.advance(3)
    assert isinstance(await outcome(outgoing), SendUncertain)
    script.hold.set()
    assert isinstance(await outcome(behind), Message)
    assert [each.pending.status for each in outbox.pending()] == [MessageStatus.UNCERTAIN]


async def test_a_deadline_that_is_kept_changes_nothing(script: Script, clock: ManualClock) -> None:
    outbox = an_outbox(script)
    assert isinstance(await outcome(submit(outbox, "un", deadline=1)), Message)
    await clock.advance(5)
    assert clock.sleeping == ()
    assert outbox.pending() == ()


# --- retry and discard -----------------------------------------------------------------------------------------------


async def test_a_retry_keeps_the_key_and_looks_before_it_sends(script: Script, clock: ManualClock) -> None:
    script.answers = [("lost", CUT)]
    script.reads = [None, NotFound("none", operation="new_messages")]
    outbox = an_outbox(script, is_idempotent=False)
    outgoing = submit(outbox, "un")
    assert isinstance(await outcome(outgoing), SendUncertain)
    key = outgoing.client_message_id
    again = outbox.retry(outgoing.pending)
    message = await outcome(again)
    assert message.client_message_id == again.client_message_id == key
    assert script.contents() == ["un"]
    assert len(script.sent()) == 1


async def test_a_discarded_message_is_gone(script: Script) -> None:
    script.answers = [REFUSED]
    outbox = an_outbox(script)
    outgoing = submit(outbox, "un")
    await outcome(outgoing)
    await outbox.discard(outgoing.pending)
    assert outbox.pending() == ()
    for what in (outbox.retry, outbox.discard):
        with pytest.raises(ValidationFailed, match="not among those unsent"):
            result = what(outgoing.pending)
            await result


async def test_what_is_being_sent_can_be_neither_retried_nor_discarded(script: Script) -> None:
    script.hold = asyncio.Event()
    outbox = an_outbox(script)
    outgoing = submit(outbox, "un")
    with pytest.raises(ValidationFailed, match="being sent"):
        outbox.retry(outgoing.pending)
    with pytest.raises(ValidationFailed, match="being sent"):
        await outbox.discard(outgoing.pending)
    script.hold.set()
    assert isinstance(await outcome(outgoing), Message)


# --- the end ---------------------------------------------------------------------------------------------------------


async def test_who_waits_no_longer_does_not_stop_the_message(script: Script, clock: ManualClock) -> None:
    script.hold = asyncio.Event()
    outbox = an_outbox(script)
    waiting = asyncio.ensure_future(outbox.wait(submit(outbox, "un")))
    await clock.advance(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    script.hold.set()
    assert await outbox.drain(1)
    assert script.contents() == ["un"]


async def test_draining_ends_with_the_queues_or_with_the_time(script: Script, clock: ManualClock) -> None:
    outbox = an_outbox(script)
    submit(outbox, "un")
    assert await outbox.drain(5)
    assert await outbox.drain(0)
    script.answers = [AWAY] * 100
    submit(outbox, "deux")
    draining = asyncio.ensure_future(outbox.drain(5))
    await clock.advance(4.9)
    assert not draining.done()
    await clock.advance(0.1)
    assert not await draining
    await outbox.aclose()


async def test_closing_says_what_is_left_and_whether_it_may_be_stored(script: Script, clock: ManualClock) -> None:
    outbox = an_outbox(script)
    script.hold = asyncio.Event()
    in_flight, behind = submit(outbox, "un"), submit(outbox, "deux", deadline=60)
    await clock.advance(1)
    left = await outbox.aclose()
    assert [(each.content, each.status) for each in left] == [
        ("un", MessageStatus.UNCERTAIN),
        ("deux", MessageStatus.ERROR),
    ]
    for outgoing, may_have_left in ((in_flight, True), (behind, False)):
        error = await outcome(outgoing)
        assert isinstance(error, ConnectionLost)
        assert error.may_have_left is may_have_left
    with pytest.raises(NotConnected, match="closed"):
        submit(outbox, "trois")
    assert clock.sleeping == ()
    assert await outbox.aclose() == left


async def test_an_error_that_is_not_ours_does_not_stop_the_queue(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    script.answers = [("lost", RuntimeError("canary"))]
    outbox = an_outbox(script)
    first, second = submit(outbox, "un"), submit(outbox, "deux")
    error = await outcome(first)
    assert isinstance(error, SendUncertain)
    assert isinstance(error.__cause__, RuntimeError)
    assert isinstance(await outcome(second), Message)
    assert "RuntimeError" in caplog.text
    assert "canary" not in caplog.text
