"""Messages on the store: what one outbox left, the next one takes up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from messaging_client.errors import (
    ConfigurationError,
    ConnectFailed,
    ConnectionLost,
    MessagingError,
    SendUncertain,
    StoreError,
    ValidationFailed,
)
from messaging_client.models import Message, MessageStatus
from messaging_client.outbox import Outbox
from messaging_client.store import SendState, Store, StoredSend, open_store
from messaging_client.testing import ManualClock
from tests.outbox.support import ME, SERVER, SOMEBODY, Script, an_outbox, in_the_end, outcome, submit

AWAY = ConnectFailed("away")
CUT = ConnectionLost("cut", may_have_left=True)
REFUSED = ValidationFailed("bad", operation="send", status=400)

Opening = Callable[..., "tuple[Outbox, Store]"]


@pytest.fixture
async def opened(tmp_path: Path, script: Script) -> AsyncIterator[Opening]:
    """`opened()`: an outbox on a store, as after a restart; the one before is to be closed first."""
    async with AsyncExitStack() as stack:

        def make(is_idempotent: bool = False) -> tuple[Outbox, Store]:
            store = open_store(tmp_path / "messages.db")
            outbox = an_outbox(script, is_idempotent=is_idempotent, store=store)
            stack.push_async_callback(close, outbox, store)
            return outbox, store

        yield make


async def close(outbox: Outbox, store: Store) -> None:
    await outbox.aclose()
    await store.aclose()


async def kept(store: Store) -> list[StoredSend]:
    return await store.sends()


async def test_what_was_not_sent_is_sent_by_the_next_one_in_order(script: Script, opened: Opening) -> None:
    script.answers = [AWAY] * 10
    outbox, store = opened()
    sent = [submit(outbox, f"m{number}", number % 2) for number in range(6)]
    for outgoing in sent:
        assert (await outbox.accepted(outgoing)).status is MessageStatus.SENDING
    before = [outgoing.pending for outgoing in sent]
    left = await outbox.aclose()
    assert [each.status for each in left] == [MessageStatus.SENDING] * 6
    with pytest.raises(ConnectionLost, match="next client"):
        await outbox.wait(sent[0])
    await store.aclose()

    script.answers = []
    outbox, store = opened()
    await outbox.start()
    assert [each.pending for each in outbox.pending()] == before
    for outgoing in outbox.pending():
        assert isinstance(await in_the_end(script.clock, outgoing), Message)
    assert (script.contents(0), script.contents(1)) == (["m0", "m2", "m4"], ["m1", "m3", "m5"])
    assert await kept(store) == []


async def test_what_an_earlier_one_left_goes_before_what_is_new(script: Script, opened: Opening) -> None:
    script.answers = [AWAY]
    outbox, store = opened()
    await outbox.accepted(submit(outbox, "un"))
    await close(outbox, store)
    outbox, store = opened()
    outgoing = submit(outbox, "deux")  # before anybody has asked for the earlier ones
    assert isinstance(await in_the_end(script.clock, outgoing), Message)
    assert script.contents() == ["un", "deux"]


@pytest.mark.parametrize("is_stored", [True, False])
@pytest.mark.parametrize("is_idempotent", [True, False])
async def test_a_request_that_was_under_way_is_found_out(
    script: Script, clock: ManualClock, opened: Opening, is_stored: bool, is_idempotent: bool
) -> None:
    script.keys = is_idempotent
    script.hold = asyncio.Event()
    script.add(15, "un")
    outbox, store = opened(is_idempotent)
    outgoing = submit(outbox, "un")
    async with asyncio.timeout(20):
        await script.arrived.wait()
    if is_stored:
        script.add(15, "un", key=outgoing.client_message_id if is_idempotent else None)
    await close(outbox, store)

    script.hold = None
    outbox, store = opened(is_idempotent)
    await outbox.start()
    (again,) = outbox.pending()
    assert again.may_have_left
    assert isinstance(await in_the_end(clock, again), Message)
    assert script.contents() == ["un", "un"]


async def test_ends_are_kept_until_they_are_retried_or_discarded(script: Script, opened: Opening) -> None:
    script.answers = [REFUSED, ("lost", CUT)]
    script.reads = [None, REFUSED]  # the newest messages, then the read back
    outbox, store = opened()
    refused, uncertain = submit(outbox, "un"), submit(outbox, "deux")
    assert await outcome(refused) is REFUSED
    assert isinstance(await outcome(uncertain), SendUncertain)
    assert [(each.content, each.state) for each in await kept(store)] == [
        ("un", SendState.REFUSED),
        ("deux", SendState.UNCERTAIN),
    ]
    await close(outbox, store)

    outbox, store = opened()
    await outbox.start()
    first, second = outbox.pending()
    assert (first.pending.status, second.pending.status) == (MessageStatus.ERROR, MessageStatus.UNCERTAIN)
    error = await outcome(first)
    assert isinstance(error, MessagingError)
    assert "ValidationFailed" in str(error)
    await outbox.discard(first.pending)
    assert isinstance(await outcome(outbox.retry(second.pending)), Message)
    assert script.contents() == ["deux"]
    assert await kept(store) == []


async def test_a_deadline_outlives_the_process(script: Script, clock: ManualClock, opened: Opening) -> None:
    script.answers = [AWAY] * 20
    outbox, store = opened()
    for seconds in (10, 100):
        await outbox.accepted(submit(outbox, f"{seconds}", seconds, deadline=seconds))
    await close(outbox, store)
    await clock.advance(50)
    script.answers = []
    outbox, store = opened()
    await outbox.start()
    late, early = outbox.pending()
    await clock.advance(0)
    assert isinstance(await outcome(early), Message)
    assert not isinstance(await outcome(late), Message)
    assert script.contents(10) in ([], ["10"])


async def test_a_message_that_cannot_be_kept_is_not_sent(script: Script, opened: Opening) -> None:
    outbox, store = opened()
    await outbox.start()
    await store._call(lambda database: database.read("PRAGMA max_page_count = 1"))
    with pytest.raises(StoreError, match="disk is full"):
        await outbox.accepted(submit(outbox, "x" * 100_000))
    assert outbox.pending() == ()
    assert await outbox.drain(1)
    assert script.sent() == []


async def test_a_retry_that_cannot_be_kept_leaves_the_message_as_it_was(script: Script, opened: Opening) -> None:
    script.answers = [REFUSED]
    outbox, store = opened()
    outgoing = submit(outbox, "un")
    await outcome(outgoing)
    await store.aclose()
    with pytest.raises(StoreError):
        await outbox.wait(outbox.retry(outgoing.pending))
    with pytest.raises(StoreError):
        await outbox.discard(outgoing.pending)
    (still,) = outbox.pending()
    assert (still.pending.status, still.error) == (MessageStatus.ERROR, REFUSED)
    assert script.sent() == ["un"]


async def test_a_confirmation_that_cannot_be_written_down_is_told_all_the_same(
    script: Script, opened: Opening, caplog: pytest.LogCaptureFixture
) -> None:
    script.hold = asyncio.Event()
    outbox, store = opened()
    outgoing = submit(outbox, "un")
    await outbox.accepted(outgoing)
    async with asyncio.timeout(20):
        await script.arrived.wait()
    await store.aclose()
    script.hold.set()
    assert isinstance(await outcome(outgoing), Message)
    assert "still stored" in caplog.text
    outbox, store = opened()
    await outbox.start()
    (again,) = outbox.pending()
    assert isinstance(await outcome(again), Message)
    assert script.contents() == ["un"]


async def test_the_file_of_another_user_is_refused_to_whoever_sends(
    script: Script, opened: Opening, tmp_path: Path
) -> None:
    other = open_store(tmp_path / "messages.db")
    await other.bind(SERVER, SOMEBODY)
    await other.aclose()
    outbox, _ = opened()
    with pytest.raises(ConfigurationError, match="another server or user"):
        await outbox.start()
    with pytest.raises(ConfigurationError, match="another server or user"):
        await outbox.accepted(submit(outbox, "un"))
    assert script.sent() == []


async def test_a_store_that_is_free_again_can_be_used(script: Script, opened: Opening, tmp_path: Path) -> None:
    other = open_store(tmp_path / "messages.db")
    await other.bind(SERVER, ME)
    outbox, _ = opened()
    with pytest.raises(ConfigurationError, match="in use"):
        await outbox.accepted(submit(outbox, "un"))
    await other.aclose()
    assert isinstance(await outcome(submit(outbox, "deux")), Message)
    assert script.contents() == ["deux"]


async def test_that_a_request_has_not_left_is_kept_too(script: Script, clock: ManualClock, opened: Opening) -> None:
    script.answers = [AWAY] * 10
    outbox, store = opened()
    await outbox.accepted(submit(outbox, "un"))
    await clock.wait_for_sleepers(timeout=20)  # it waits for the next try
    (row,) = await kept(store)
    assert (row.attempts, row.may_have_left) == (1, False)


async def test_what_is_known_before_a_send_is_kept(script: Script, opened: Opening) -> None:
    newest = script.add(15, "avant")
    script.hold = asyncio.Event()
    outbox, store = opened()
    outgoing = submit(outbox, "un")
    async with asyncio.timeout(20):
        await script.arrived.wait()
    (row,) = await kept(store)
    assert (row.after_time, row.after_ids) == (newest.timestamp, frozenset({newest.id}))
    assert (row.attempts, row.may_have_left, row.content) == (1, True, "un")
    assert row == outgoing.to_store()
