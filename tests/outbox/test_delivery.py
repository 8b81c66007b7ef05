"""What becomes of one message, whatever the server answers; with exact delays."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from messaging_client.errors import (
    Conflict,
    ConnectFailed,
    ConnectionLost,
    MessagingError,
    NotFound,
    PermissionDenied,
    RateLimited,
    RequestError,
    RequestTimeout,
    SendUncertain,
    ServerError,
    UnexpectedResponse,
    ValidationFailed,
)
from messaging_client.models import Message, MessageStatus
from messaging_client.testing import ManualClock
from tests.outbox.support import SOMEBODY, Script, an_outbox, outcome, submit

AWAY = ConnectFailed("away")
CUT = ConnectionLost("cut", may_have_left=True)


def server_error(status: int, retry_after: float | None = None) -> ServerError:
    return ServerError("failed", operation="send", status=status, retry_after=retry_after)


BUSY = server_error(503)
MAY_BE_STORED = [
    CUT,
    RequestTimeout("slow", may_have_left=True),
    server_error(500),
    server_error(502),
    server_error(504),
    server_error(524),
    UnexpectedResponse("html", operation="send", status=200),
]
REFUSALS = [
    ValidationFailed("bad", operation="send", status=400),
    ValidationFailed("large", operation="send", status=413),
    PermissionDenied("no", operation="send", status=403),
    NotFound("none", operation="send", status=404),
    Conflict("closed", operation="send", status=409),
    UnexpectedResponse("redirect", operation="send", status=302),
    server_error(501),
]


def named(error: MessagingError) -> str:
    return f"{type(error).__name__}-{getattr(error, 'status', '')}"


# --- confirmed -------------------------------------------------------------------------------------------------------


async def test_a_confirmed_message_is_told_once_and_relayed(script: Script) -> None:
    outbox = an_outbox(script)
    outgoing = submit(outbox, "un")
    assert [each.pending.status for each in outbox.pending()] == [MessageStatus.SENDING]
    message = await outbox.wait(outgoing)
    assert isinstance(message, Message)
    assert message.client_message_id == outgoing.client_message_id
    await outbox.drain(1)
    assert (script.told, script.relayed, outbox.pending()) == ([1], [1], ())


@pytest.mark.parametrize("error", MAY_BE_STORED, ids=named)
@pytest.mark.parametrize("is_stored", [True, False], ids=["stored", "not stored"])
@pytest.mark.parametrize("server", ["idempotent", "keys", "neither"])
async def test_an_unknown_fate_is_found_out(
    clock: ManualClock, error: MessagingError, is_stored: bool, server: str
) -> None:
    script = Script(clock, keys=server != "neither")
    script.add(15, "un")  # by the same user, before
    script.answers = [("lost", error) if is_stored else error]
    outbox = an_outbox(script, is_idempotent=server == "idempotent")
    outgoing = submit(outbox, "un")
    await clock.advance(10)
    assert isinstance(await outcome(outgoing), Message)
    assert script.contents() == ["un", "un"]
    if server == "idempotent":
        assert (script.times("send"), script.sent("read")) == ([0.0, 0.5], [])
    elif is_stored:
        assert (script.times("send"), script.times("read")) == ([0.0], [0.0])
    else:
        assert (script.times("send"), script.times("read")) == ([0.0, 2.0], [0.0, 2.0])


@pytest.mark.parametrize("error", [AWAY, BUSY, RateLimited("often", operation="send")], ids=named)
@pytest.mark.parametrize("is_idempotent", [True, False])
async def test_a_server_that_is_not_there_is_tried_with_backoff(
    script: Script, clock: ManualClock, error: MessagingError, is_idempotent: bool
) -> None:
    script.answers = [error] * 7
    outbox = an_outbox(script, is_idempotent=is_idempotent)
    outgoing = submit(outbox, "un")
    await clock.advance(60)
    assert isinstance(await outcome(outgoing), Message)
    assert script.times("send") == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 23.5, 31.5]
    assert script.sent("read") == []  # it never left: there is nothing to find out
    assert script.contents() == ["un"]


async def test_the_connection_coming_back_ends_the_wait(script: Script, clock: ManualClock) -> None:
    script.answers = [AWAY] * 3
    outbox = an_outbox(script)
    outgoing = submit(outbox, "un")
    await clock.advance(3)
    outbox.wake()
    await clock.advance(0)
    assert isinstance(await outcome(outgoing), Message)
    assert script.times("send") == [0, 0.5, 1.5, 3]


async def test_failures_of_several_conversations_at_a_time_count_once(script: Script, clock: ManualClock) -> None:
    script.answers = [AWAY] * 3
    script.hold = asyncio.Event()
    outbox = an_outbox(script)
    sent = [submit(outbox, "un", number) for number in range(3)]
    await clock.advance(0)
    script.hold.set()
    await clock.advance(10)
    for outgoing in sent:
        assert isinstance(await outcome(outgoing), Message)
    assert script.times("send") == [0] * 3 + [0.5] * 3


# --- refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", REFUSALS, ids=named)
async def test_a_refusal_is_final_for_one_message_only(script: Script, error: MessagingError) -> None:
    script.answers = [error]
    outbox = an_outbox(script, is_idempotent=False)
    first, second = submit(outbox, "un"), submit(outbox, "deux")
    assert await outcome(first) is error
    assert isinstance(await outcome(second), Message)
    assert [(each.pending.content, each.pending.status) for each in outbox.pending()] == [("un", MessageStatus.ERROR)]
    assert script.sent() == ["un", "deux"]


async def test_a_refusal_after_a_request_that_may_be_stored_is_uncertain(script: Script, clock: ManualClock) -> None:
    script.answers = [CUT, REFUSALS[0]]
    outbox = an_outbox(script)
    outgoing = submit(outbox, "un")
    await clock.advance(1)
    error = await outcome(outgoing)
    assert isinstance(error, SendUncertain)
    assert error.__cause__ is REFUSALS[0]


@pytest.mark.parametrize("is_idempotent", [True, False], ids=["keys", "read back"])
async def test_a_server_that_fails_for_long_is_asked_until_it_is_well_again_and_order_is_kept(
    script: Script, clock: ManualClock, is_idempotent: bool
) -> None:
    script.answers = [server_error(500)] * 30
    outbox = an_outbox(script, is_idempotent=is_idempotent)
    first, second = submit(outbox, "un"), submit(outbox, "deux")
    await clock.advance(600)
    assert isinstance(await outcome(first), Message)
    assert isinstance(await outcome(second), Message)
    assert script.sent() == ["un"] * 31 + ["deux"]
    assert script.contents() == ["un", "deux"]
    apart = [later - earlier for earlier, later in pairwise(script.times("send")[:31])]
    assert max(apart) == (8 if is_idempotent else 10)  # two seconds of these between two reads


@pytest.mark.parametrize("is_idempotent", [True, False], ids=["keys", "read back"])
async def test_a_server_that_is_not_understood_leaves_the_message_uncertain(
    script: Script, clock: ManualClock, is_idempotent: bool
) -> None:
    odd = UnexpectedResponse("html", operation="send", status=200)
    script.answers = [odd, odd, odd, odd, AWAY, *[odd] * 5]
    outbox = an_outbox(script, is_idempotent=is_idempotent)
    first, second = submit(outbox, "un"), submit(outbox, "deux")
    await clock.advance(200)
    error = await outcome(first)
    assert isinstance(error, SendUncertain)
    assert error.__cause__ is odd
    assert isinstance(await outcome(second), Message)
    assert script.sent() == ["un"] * 10 + ["deux"]


@pytest.mark.parametrize("status", [408, 425])
@pytest.mark.parametrize("is_idempotent", [True, False])
async def test_what_the_server_asks_to_say_again_is_said_again(
    script: Script, clock: ManualClock, status: int, is_idempotent: bool
) -> None:
    script.answers = [RequestError("later", operation="send", status=status)] * 3
    outbox = an_outbox(script, is_idempotent=is_idempotent)
    outgoing = submit(outbox, "un")
    await clock.advance(10)
    assert isinstance(await outcome(outgoing), Message)
    assert (script.times("send"), script.sent("read")) == ([0, 0.5, 1.5, 3.5], [])


async def test_a_conflict_after_a_request_that_may_be_under_way_asks_again(script: Script, clock: ManualClock) -> None:
    conflict = Conflict("under way", operation="send", status=409)
    script.answers = [("lost", CUT), conflict, conflict]
    outbox = an_outbox(script)
    outgoing = submit(outbox, "un")
    await clock.advance(10)
    assert isinstance(await outcome(outgoing), Message)
    script.answers = [CUT, *[conflict] * 10]
    outgoing = submit(outbox, "deux")
    await clock.advance(100)
    error = await outcome(outgoing)
    assert isinstance(error, SendUncertain)  # the key may stand for another message
    assert error.__cause__ is conflict


# --- uncertain -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [PermissionDenied("no", operation="new_messages", status=403), NotFound("none", operation="new_messages")],
    ids=named,
)
async def test_what_cannot_be_read_back_is_uncertain(script: Script, error: MessagingError) -> None:
    script.answers = [CUT]
    script.reads = [None, error]  # the newest messages are read before the first send
    outbox = an_outbox(script, is_idempotent=False)
    first, second = submit(outbox, "un"), submit(outbox, "deux")
    told = await outcome(first)
    assert isinstance(told, SendUncertain)
    assert told.__cause__ is error
    assert isinstance(await outcome(second), Message)
    assert [each.pending.status for each in outbox.pending()] == [MessageStatus.UNCERTAIN]


async def test_without_a_known_point_before_it_only_the_key_tells(clock: ManualClock) -> None:
    for keys, is_stored in ((True, True), (True, False), (False, True)):
        script = Script(clock, keys=keys)
        script.reads = [NotFound("no such route", operation="messages")]
        script.answers = [("lost", CUT) if is_stored else CUT]
        outbox = an_outbox(script, is_idempotent=False)
        told = await outcome(submit(outbox, "un"))
        assert isinstance(told, Message if keys and is_stored else SendUncertain)
        assert len(script.sent()) == 1
        await outbox.aclose()


@pytest.mark.parametrize("failure", [AWAY, CUT, BUSY, server_error(502)], ids=named)
async def test_reading_back_waits_for_the_server(script: Script, clock: ManualClock, failure: MessagingError) -> None:
    script.answers = [("lost", CUT)]
    script.reads = [None, failure, failure, failure]
    outbox = an_outbox(script, is_idempotent=False)
    outgoing = submit(outbox, "un")
    await clock.advance(10)
    assert isinstance(await outcome(outgoing), Message)
    assert script.times("read") == [0, 0.5, 1.5, 3.5]
    assert script.contents() == ["un"]


async def test_a_slow_server_is_found_by_the_second_read(script: Script, clock: ManualClock) -> None:
    script.answers = [CUT]
    outbox = an_outbox(script, is_idempotent=False)
    outgoing = submit(outbox, "un")
    await clock.advance(1)
    script.add(15, "un", key=outgoing.client_message_id)
    await clock.advance(1)
    assert isinstance(await outcome(outgoing), Message)
    assert script.times("read") == [0, 2]
    assert script.contents() == ["un"]


# --- Retry-After -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [RateLimited("often", operation="send", retry_after=20), server_error(503, 20)], ids=named
)
async def test_retry_after_is_obeyed_by_all_conversations(
    script: Script, clock: ManualClock, error: MessagingError
) -> None:
    script.answers = [error]
    outbox = an_outbox(script)
    first = submit(outbox, "un", 1)
    await clock.advance(1)
    others = [submit(outbox, "deux", number) for number in (1, 2, 3)]
    await clock.advance(18)
    outbox.wake()  # a connection is no reason not to obey
    await clock.advance(0.9)
    assert script.times("send") == [0]
    await clock.advance(0.1)
    for outgoing in (first, *others):
        assert isinstance(await outcome(outgoing), Message)
    assert script.times("send") == [0, 20, 20, 20, 20]


async def test_retry_after_holds_reading_back_too(script: Script, clock: ManualClock) -> None:
    script.answers = [("lost", CUT)]
    script.reads = [None, RateLimited("often", operation="new_messages", retry_after=7)]
    outbox = an_outbox(script, is_idempotent=False)
    outgoing = submit(outbox, "un")
    await clock.advance(10)
    assert isinstance(await outcome(outgoing), Message)
    assert script.times("read") == [0, 7]


# --- whose message it is ---------------------------------------------------------------------------------------------


async def test_a_message_of_another_send_is_not_taken_for_this_one(clock: ManualClock) -> None:
    script = Script(clock, keys=False)
    outbox = an_outbox(script, is_idempotent=False)
    await outcome(submit(outbox, "ok"))
    script.answers = [CUT]
    outgoing = submit(outbox, "ok")
    await clock.advance(5)
    assert isinstance(await outcome(outgoing), Message)
    assert script.contents() == ["ok", "ok"]
    assert script.told == [1, 2]


@pytest.mark.parametrize(
    ("other", "is_taken"),
    [
        ({"content": "ok"}, True),
        ({"content": "ok "}, True),
        ({"content": "Ok"}, False),
        ({"content": "ok", "key": "another"}, False),
        ({"content": "ok", "sender": SOMEBODY}, False),
    ],
)
async def test_which_message_is_taken_for_the_one_sent(
    clock: ManualClock, other: dict[str, Any], is_taken: bool
) -> None:
    script = Script(clock, keys=False)
    script.answers = [CUT]
    outbox = an_outbox(script, is_idempotent=False)
    outgoing = submit(outbox, "ok")
    await clock.advance(1)
    script.add(15, **other)
    await clock.advance(10)
    assert isinstance(await outcome(outgoing), Message)
    assert len(script.sent()) == (1 if is_taken else 2)


async def test_two_uncertain_messages_that_say_the_same_are_not_one(clock: ManualClock) -> None:
    script = Script(clock, keys=False)
    script.reads = [None, NotFound("none", operation="new_messages")]
    script.answers = [("lost", CUT), ("lost", CUT)]
    outbox = an_outbox(script, is_idempotent=False)
    first, second = submit(outbox, "ok"), submit(outbox, "ok")
    assert isinstance(await outcome(first), SendUncertain)
    one = await outcome(second)
    again = outbox.retry(first.pending)
    other = await outcome(again)
    assert {one.id, other.id} == {1, 2}
    assert script.contents() == ["ok", "ok"]
    assert len(script.sent()) == 2


async def test_what_another_device_sent_while_the_server_was_away_is_not_taken_for_this_one(clock: ManualClock) -> None:
    script = Script(clock, keys=False)
    script.answers = [AWAY, AWAY, CUT]
    outbox = an_outbox(script, is_idempotent=False)
    outgoing = submit(outbox, "ok")
    await clock.advance(1)
    script.add(15, "ok")
    await clock.advance(10)
    assert isinstance(await outcome(outgoing), Message)
    assert script.contents() == ["ok", "ok"]
    assert script.told == [2]


async def test_a_message_stored_after_it_was_thought_absent_is_found_at_the_next_doubt(clock: ManualClock) -> None:
    script = Script(clock, keys=False)
    script.answers = [CUT, CUT]
    outbox = an_outbox(script, is_idempotent=False)
    outgoing = submit(outbox, "ok")
    await clock.advance(2)
    assert len(script.sent()) == 2
    script.add(15, "ok")  # the first request, at last
    await clock.advance(10)
    assert isinstance(await outcome(outgoing), Message)
    assert script.contents() == ["ok"]
