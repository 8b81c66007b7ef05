"""A message has one end, whatever comes at the same moment: a deadline, a slow disk, a discard, an error of others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from messaging_client.errors import (
    ConnectFailed,
    ConnectionLost,
    RequestTimeout,
    SendUncertain,
    StoreError,
    ValidationFailed,
)
from messaging_client.models import Message, MessageStatus
from messaging_client.outbox import Outbox, Outgoing
from messaging_client.store import SendState, Store, open_store
from messaging_client.testing import ManualClock
from tests.outbox.support import Script, an_outbox, in_the_end, outcome, submit

AWAY = ConnectFailed("away")
CUT = ConnectionLost("cut", may_have_left=True)
REFUSED = ValidationFailed("bad", operation="send", status=400)
FULL = StoreError("the disk is full")


class SlowStore:
    """A store whose writes of one kind wait until they are let go on."""

    def __init__(self, store: Store, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.arrived, self.go_on = asyncio.Event(), asyncio.Event()
        self.fails = False
        work = getattr(store, name)

        async def slow(*args: object, **kwargs: object) -> None:
            self.arrived.set()
            await self.go_on.wait()
            if self.fails:
                raise FULL
            await work(*args, **kwargs)

        monkeypatch.setattr(store, name, slow)

    async def wait(self) -> None:
        async with asyncio.timeout(20):
            await self.arrived.wait()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = open_store(tmp_path / "messages.db")
    yield store
    await store.aclose()


# --- a deadline beside another end -----------------------------------------------------------------------------------


async def test_a_deadline_while_the_file_forgets_a_confirmed_message(
    script: Script, clock: ManualClock, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = an_outbox(script, store=store)
    slow = SlowStore(store, "confirm_send", monkeypatch)
    outgoing = submit(outbox, "un", deadline=10)
    await slow.wait()
    await clock.advance(11)
    slow.go_on.set()
    assert isinstance(await outcome(outgoing), Message)
    assert (outbox.pending(), await store.sends()) == ((), [])
    await outbox.aclose()


async def test_a_deadline_while_a_refusal_is_written_down(
    script: Script, clock: ManualClock, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.answers = [REFUSED]
    outbox = an_outbox(script, store=store)
    script.hold = asyncio.Event()
    outgoing = submit(outbox, "un", deadline=10)
    async with asyncio.timeout(20):
        await script.arrived.wait()
    slow = SlowStore(store, "save_send", monkeypatch)
    script.hold.set()
    await slow.wait()
    await clock.advance(11)
    slow.go_on.set()
    assert await outcome(outgoing) is REFUSED
    assert [each.state for each in await store.sends()] == [SendState.REFUSED]
    await outbox.aclose()


@pytest.mark.parametrize("is_away", [True, False])
@pytest.mark.parametrize("turns", range(16))
async def test_a_deadline_while_a_message_comes_to_the_head(script: Script, turns: int, is_away: bool) -> None:
    script.hold = asyncio.Event()
    script.answers = [None, *[AWAY] * 100] if is_away else []
    outbox = an_outbox(script)
    submit(outbox, "un")
    second = submit(outbox, "deux", deadline=1000)
    for _ in range(30):
        await asyncio.sleep(0)
    script.hold.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    await outbox._queues.give_up(second, 1000)
    ended = await outcome(second)
    await outbox.drain(1)
    assert isinstance(ended, Message) == ("deux" in script.contents())
    if not isinstance(ended, Message):
        assert isinstance(ended, RequestTimeout)
        assert [each.pending.status for each in outbox.pending()] == [MessageStatus.ERROR]
    assert not (is_away and isinstance(ended, Message))
    await outbox.aclose()


@pytest.mark.parametrize("is_idempotent", [True, False])
async def test_a_deadline_says_what_the_transport_says(
    script: Script, clock: ManualClock, store: Store, is_idempotent: bool
) -> None:
    script.hold = asyncio.Event()
    script.leaves = False  # the connection is being made all the while
    outbox = an_outbox(script, is_idempotent=is_idempotent, store=store)
    outgoing = submit(outbox, "un", deadline=10)
    async with asyncio.timeout(20):
        await script.arrived.wait()
    assert [each.may_have_left for each in await store.sends()] == [True]  # if the process died now
    await clock.advance(11)
    error = await outcome(outgoing)
    assert isinstance(error, RequestTimeout)
    assert not error.may_have_left
    assert [(each.state, each.may_have_left) for each in await store.sends()] == [(SendState.REFUSED, False)]
    await outbox.aclose()


async def test_a_deadline_after_an_earlier_request_that_may_have_left(script: Script, clock: ManualClock) -> None:
    script.answers = [CUT]
    outbox = an_outbox(script)
    outgoing = submit(outbox, "un", deadline=10)
    await clock.advance(0.1)
    script.hold, script.leaves = asyncio.Event(), False
    await clock.advance(11)
    assert isinstance(await outcome(outgoing), SendUncertain)
    await outbox.aclose()


@pytest.mark.parametrize("may_have_left", [True, False])
async def test_a_deadline_that_was_over_before_the_restart(
    script: Script, clock: ManualClock, store: Store, may_have_left: bool
) -> None:
    script.hold = asyncio.Event()
    script.leaves = may_have_left
    outbox = an_outbox(script, store=store)
    submit(outbox, "un", deadline=10)
    async with asyncio.timeout(20):
        await script.arrived.wait()
    await outbox.aclose()
    await clock.advance(11)
    script.log.clear()
    outbox = an_outbox(script, store=store)
    await outbox.start()
    (outgoing,) = outbox.pending()
    assert isinstance(await outcome(outgoing), SendUncertain if may_have_left else RequestTimeout)
    assert script.sent() == []
    script.hold, script.leaves = None, True
    assert isinstance(await in_the_end(clock, outbox.retry(outgoing.pending)), Message)
    await outbox.aclose()


async def test_closing_while_the_end_of_a_message_is_written_down(
    script: Script, clock: ManualClock, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it is told as given up, and sent by the next client on the file."""
    script.hold = asyncio.Event()
    outbox = an_outbox(script, store=store)
    submit(outbox, "un")
    second = submit(outbox, "deux", deadline=10)
    async with asyncio.timeout(20):
        await script.arrived.wait()
    slow = SlowStore(store, "save_send", monkeypatch)
    await clock.advance(11)
    await slow.wait()
    closing = asyncio.ensure_future(outbox.aclose())
    await asyncio.wait({closing}, timeout=0.05)
    slow.go_on.set()
    await closing
    assert isinstance(await outcome(second), RequestTimeout)
    assert [(each.content, each.state) for each in await store.sends()] == [
        ("un", SendState.QUEUED),
        ("deux", SendState.REFUSED),
    ]


# --- discard beside retry --------------------------------------------------------------------------------------------


async def test_what_is_being_discarded_is_not_retried(
    script: Script, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.answers = [REFUSED]
    outbox = an_outbox(script, store=store)
    outgoing = submit(outbox, "un")
    await outcome(outgoing)
    slow = SlowStore(store, "remove_send", monkeypatch)
    slow.fails = True
    discarding = asyncio.ensure_future(outbox.discard(outgoing.pending))
    await slow.wait()
    with pytest.raises(ValidationFailed, match="being discarded"):
        outbox.retry(outgoing.pending)
    with pytest.raises(ValidationFailed, match="being discarded"):
        await outbox.discard(outgoing.pending)
    slow.go_on.set()
    with pytest.raises(StoreError):
        await discarding
    slow.fails = False
    await outbox.discard(outgoing.pending)
    assert (outbox.pending(), await store.sends(), script.sent()) == ((), [], ["un"])
    await outbox.aclose()


# --- cancellations and errors of others ------------------------------------------------------------------------------


@pytest.mark.parametrize("leaves", [True, False])
async def test_a_cancellation_from_within_is_a_failed_try(script: Script, clock: ManualClock, leaves: bool) -> None:
    script.answers = [("lost", asyncio.CancelledError())] if leaves else []
    script.leaves = leaves
    send, calls = script.send, 0

    async def cancelled_once(outgoing: Outgoing) -> Message:
        nonlocal calls
        calls += 1
        if calls == 1 and not leaves:
            raise asyncio.CancelledError
        return await send(outgoing)

    script.send = cancelled_once  # type: ignore[method-assign]
    outbox = an_outbox(script)
    first, second = submit(outbox, "un"), submit(outbox, "deux")
    assert isinstance(await in_the_end(clock, first), Message)
    assert isinstance(await in_the_end(clock, second), Message)
    assert script.contents() == ["un", "deux"]
    await outbox.aclose()


async def test_a_read_that_is_cancelled_from_within_is_repeated(clock: ManualClock) -> None:
    script = Script(clock, keys=False)
    script.answers = [("lost", CUT)]
    read, calls = script.read_after, 0

    async def cancelled_once(*args: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise asyncio.CancelledError
        return await read(*args)  # type: ignore[arg-type]

    script.read_after = cancelled_once  # type: ignore[method-assign, assignment]
    outbox = an_outbox(script, is_idempotent=False)
    assert isinstance(await in_the_end(clock, submit(outbox, "un")), Message)
    assert script.contents() == ["un"]
    await outbox.aclose()


async def test_a_delivery_that_is_cancelled_from_within_has_an_end(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = an_outbox(script)
    cancelled: list[object] = []

    async def cancelled_once(outgoing: Outgoing, **_: object) -> None:
        if not cancelled:
            cancelled.append(outgoing)
            raise asyncio.CancelledError

    monkeypatch.setattr(outbox._keeper, "mark", cancelled_once)
    first, second = submit(outbox, "un"), submit(outbox, "deux")
    assert isinstance(await outcome(first), SendUncertain)
    assert isinstance(await outcome(second), Message)
    await outbox.aclose()


@pytest.mark.parametrize("goes_on", [True, False])
async def test_messages_whose_worker_somebody_cancels(script: Script, clock: ManualClock, goes_on: bool) -> None:
    script.hold = asyncio.Event()
    outbox = an_outbox(script)
    sent = [submit(outbox, "un"), submit(outbox, "deux")]
    await clock.advance(0)
    (worker,) = outbox._queues.workers
    worker.cancel()
    await clock.advance(0)
    script.hold.set()
    if goes_on:
        sent.append(submit(outbox, "trois"))
        for each in sent:
            assert isinstance(await outcome(each), Message)
        assert script.contents() == ["un", "deux", "trois"]
    await outbox.aclose()
    if not goes_on:
        errors = [await outcome(each) for each in sent]
        assert [isinstance(each, ConnectionLost) and each.may_have_left for each in errors] == [True, False]


@pytest.mark.parametrize("where", ["confirmed", "relay", "listener", "store"])
async def test_an_error_of_others_after_the_confirmation_sends_nothing_again(
    script: Script, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    def fails(*args: object) -> None:
        raise RuntimeError("canary")

    outbox: Outbox = an_outbox(script, store=store)
    if where == "listener":
        outbox.listen(15, fails)
    elif where == "store":
        monkeypatch.setattr(store, "confirm_send", fails)
    else:
        monkeypatch.setattr(script, where, fails)
        outbox = an_outbox(script, store=store)
    first, second = submit(outbox, "un"), submit(outbox, "deux")
    for outgoing in (first, second):
        assert isinstance(await outcome(outgoing), Message)
    assert await outbox.drain(5)
    assert (script.sent(), outbox.pending()) == (["un", "deux"], ())
    assert "RuntimeError" in caplog.text
    assert "canary" not in caplog.text
    await outbox.aclose()
