"""What reading back proves, on a server that honours no keys: found, absent, or not to be told."""

from __future__ import annotations

import asyncio
import html
from collections.abc import Callable
from typing import Any

import pytest

from messaging_client.errors import ConnectFailed, ConnectionLost, NotFound, SendUncertain
from messaging_client.models import Message, Participant, UserType
from messaging_client.outbox import Found, Known, Mark, Unreadable
from messaging_client.outbox import claims as claims_module
from messaging_client.testing import ManualClock
from tests.outbox.support import Script, an_outbox, in_the_end, outcome, submit

AWAY = ConnectFailed("away")
CUT = ConnectionLost("cut", may_have_left=True)
NOWHERE = NotFound("none", operation="messages")


@pytest.fixture
def script(clock: ManualClock) -> Script:
    return Script(clock, keys=False)


async def after_a_cut(script: Script, content: str = "ok", *, is_stored: bool = True) -> Message | BaseException:
    """How a send ends whose request is cut."""
    script.answers = [("lost", CUT) if is_stored else CUT]
    outbox = an_outbox(script, is_idempotent=False)
    ended = await in_the_end(script.clock, submit(outbox, content))
    await outbox.aclose()
    return ended


def each(**changes: Any) -> Callable[[Found], Found]:
    """A server that shows every message in a way of its own."""

    def shows(found: Found) -> Found:
        changed = [
            message.model_copy(update={name: value(message) for name, value in changes.items()})
            for message in found.messages
        ]
        return Found(tuple(changed), found.unreadable, found.is_complete)

    return shows


# --- what the reads show ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("incomplete", [{1}, {2}, {1, 2}], ids=["first", "second", "both"])
async def test_absent_is_said_of_complete_reads_only(script: Script, incomplete: set[int]) -> None:
    reads = 0

    def shows(found: Found) -> Found:
        nonlocal reads
        reads += 1
        return Found(found.messages, is_complete=reads - 1 not in incomplete)  # the first is before the send

    script.shows = shows
    assert isinstance(await after_a_cut(script, is_stored=False), SendUncertain)
    assert script.contents() == []


@pytest.mark.parametrize(
    "shows",
    [
        each(sender=lambda message: Participant(id=message.sender.id)),
        each(content=lambda message: html.escape(message.content)),
        each(content=lambda message: message.content + "\n"),
    ],
    ids=["no type of the sender", "escaped", "a line more"],
)
async def test_a_server_that_spells_it_in_its_own_way_has_it(script: Script, shows: Any) -> None:
    script.shows = shows
    message = await after_a_cut(script, "TA < 14 & pouls")
    assert isinstance(message, Message)
    assert (message.id, len(script.sent())) == (1, 1)


@pytest.mark.parametrize(
    "shows",
    [
        each(sender=lambda message: Participant()),
        each(type=lambda message: "unknown"),
        each(content=lambda message: message.content.replace("<", "").replace("é", "e\u0301")),
    ],
    ids=["nobody", "another type", "stripped"],
)
async def test_what_could_be_the_message_is_never_taken_for_another(script: Script, shows: Any) -> None:
    script.shows = shows
    assert isinstance(await after_a_cut(script, "pouls < 90, pas élevé"), SendUncertain)
    assert len(script.sent()) == 1


@pytest.mark.parametrize(
    ("content", "sender"), [("autre chose", UserType.MEDECIN), ("ok", UserType.PATIENT)], ids=["text", "person"]
)
async def test_what_is_certainly_another_makes_nothing_uncertain(
    script: Script, content: str, sender: UserType
) -> None:
    outbox = an_outbox(script, is_idempotent=False)
    script.answers = [CUT]
    outgoing = submit(outbox, "ok")
    await script.clock.advance(1)
    other = script.add(15, content)
    script.stored[15] = [other.model_copy(update={"sender": Participant(id=79, type=sender)})]
    assert isinstance(await in_the_end(script.clock, outgoing), Message)
    assert len(script.sent()) == 2


# --- what cannot be read ---------------------------------------------------------------------------------------------


def unreadable(*those: Unreadable, is_new: bool = True) -> Callable[[Found], Found]:
    """A server with messages that cannot be read; new ones come after the first read."""
    reads = 0

    def shows(found: Found) -> Found:
        nonlocal reads
        reads += 1
        return Found(found.messages, those if reads > 1 or not is_new else ())

    return shows


@pytest.mark.parametrize("lost", [Unreadable(2), Unreadable("x"), Unreadable()])
async def test_what_cannot_be_read_proves_no_absence(script: Script, lost: Unreadable) -> None:
    script.add(15, "avant")
    script.shows = unreadable(lost)
    assert isinstance(await after_a_cut(script, is_stored=False), SendUncertain)


@pytest.mark.parametrize("lost", [Unreadable(1), Unreadable(2, "another")])
async def test_what_cannot_be_read_and_is_another_does_no_harm(script: Script, lost: Unreadable) -> None:
    script.add(15, "avant")
    script.shows = unreadable(lost)
    assert isinstance(await after_a_cut(script, is_stored=False), Message)
    assert script.contents() == ["avant", "ok"]


@pytest.mark.parametrize("message_id", [40, "x"])
async def test_what_could_not_be_read_before_the_send_is_known(script: Script, message_id: Any) -> None:
    script.shows = unreadable(Unreadable(message_id), is_new=False)
    assert isinstance(await after_a_cut(script, is_stored=False), Message)
    assert len(script.sent()) == 2


async def test_a_key_is_found_on_a_message_that_cannot_be_read(script: Script) -> None:
    outbox = an_outbox(script, is_idempotent=False)
    script.answers = [CUT]
    outgoing = submit(outbox, "ok")
    script.shows = unreadable(Unreadable(7, outgoing.client_message_id))
    message = await in_the_end(script.clock, outgoing)
    assert isinstance(message, Message)
    assert (message.id, message.content, len(script.sent())) == (7, "ok", 1)


# --- how far it was known --------------------------------------------------------------------------------------------


async def test_the_answer_without_a_time_moves_the_mark(script: Script, clock: ManualClock) -> None:
    script.add(15, "avant")
    send = script.send

    async def untimed(outgoing: Any) -> Message:
        message = await send(outgoing)
        return message.model_copy(update={"timestamp": clock.now(), "timestamp_is_receipt": True})

    script.send = untimed  # type: ignore[method-assign]
    outbox = an_outbox(script, is_idempotent=False)
    first, second = submit(outbox, "ok"), submit(outbox, "ok")
    await in_the_end(clock, first)
    await in_the_end(clock, second)
    assert second.mark is not None
    assert second.mark.ids == {2}


async def test_an_answer_moves_the_mark_without_a_read(script: Script, clock: ManualClock) -> None:
    outbox = an_outbox(script, is_idempotent=False)
    sent = [submit(outbox, "ok") for _ in range(5)]
    for outgoing in sent:
        await in_the_end(clock, outgoing)
    assert [each.mark.number for each in sent if each.mark] == [None, 1, 2, 3, 4]
    assert len(script.sent("newest")) == 1


async def test_what_another_device_said_long_before_is_not_taken_for_this_one(
    script: Script, clock: ManualClock
) -> None:
    outbox = an_outbox(script, is_idempotent=False)
    await in_the_end(clock, submit(outbox, "un"))
    script.add(15, "ok")  # on the telephone
    await clock.advance(60)
    script.answers = [CUT]
    message = await in_the_end(clock, submit(outbox, "ok"))
    assert isinstance(message, Message)
    assert message.id == 3
    assert script.contents() == ["un", "ok", "ok"]


async def test_what_came_after_a_message_that_was_found_is_not_taken_for_the_next_one(
    script: Script, clock: ManualClock
) -> None:
    outbox = an_outbox(script, is_idempotent=False)
    script.answers = [("lost", CUT)]
    await in_the_end(clock, submit(outbox, "un"))
    script.add(15, "ok")  # on the telephone, while the answer was missing
    script.answers = [CUT]
    message = await in_the_end(clock, submit(outbox, "ok"))  # at once
    assert isinstance(message, Message)
    assert (message.id, script.contents()) == (3, ["un", "ok", "ok"])


async def test_what_was_newest_is_read_again_when_the_server_was_away_for_a_moment(
    script: Script, clock: ManualClock
) -> None:
    outbox = an_outbox(script, is_idempotent=False)
    script.answers = [AWAY, CUT]
    outgoing = submit(outbox, "ok")
    await clock.advance(0.3)
    script.add(15, "ok")
    message = await in_the_end(clock, outgoing)
    assert isinstance(message, Message)
    assert (message.id, script.contents()) == (2, ["ok", "ok"])


@pytest.mark.parametrize("is_current", [True, False])
async def test_what_other_parts_have_read_spares_a_read(script: Script, clock: ManualClock, is_current: bool) -> None:
    newest = script.add(15, "ok")
    script.known[15] = Known(Mark.of([newest]), is_current)
    outbox = an_outbox(script, is_idempotent=False)
    script.answers = [CUT]
    outgoing = submit(outbox, "ok")
    assert isinstance(await in_the_end(clock, outgoing), Message)
    assert len(script.sent("newest")) == (0 if is_current else 1)
    assert script.contents() == ["ok", "ok"]


async def test_what_other_parts_have_read_counts_beside_what_is_known_here(script: Script, clock: ManualClock) -> None:
    outbox = an_outbox(script, is_idempotent=False)
    await in_the_end(clock, submit(outbox, "un"))
    newest = script.add(15, "ok")
    script.known[15] = Known(Mark.of([newest]))
    script.answers = [CUT]
    outgoing = submit(outbox, "ok")  # at once: what was newest here is taken to be so still
    assert isinstance(await in_the_end(clock, outgoing), Message)
    assert len(script.sent("newest")) == 1
    assert script.contents() == ["un", "ok", "ok"]


async def test_the_mark_is_not_renewed_once_a_request_may_have_left(script: Script, clock: ManualClock) -> None:
    """The server stores the first request so late that two reads have not shown it; then the second is refused room."""
    outbox = an_outbox(script, is_idempotent=False)
    script.answers = [CUT, AWAY, CUT]
    outgoing = submit(outbox, "ok")
    await clock.advance(2)
    assert script.times("send") == [0, 2]
    script.add(15, "ok")  # the first request, at last
    message = await in_the_end(clock, outgoing)
    assert isinstance(message, Message)
    assert (message.id, script.contents()) == (1, ["ok"])


@pytest.mark.parametrize("error", [NOWHERE, AWAY], ids=["refused", "away"])
async def test_what_is_newest_is_asked_for_until_the_server_says_no(
    script: Script, clock: ManualClock, error: Any
) -> None:
    script.reads = [error] * 3
    outbox = an_outbox(script, is_idempotent=False)
    assert isinstance(await in_the_end(clock, submit(outbox, "ok")), Message)
    assert script.times("newest") == ([0] if error is NOWHERE else [0, 0.5, 1.5, 3.5])


# --- servers whose lists carry keys ----------------------------------------------------------------------------------


async def test_where_lists_carry_keys_nothing_else_is_looked_at(clock: ManualClock) -> None:
    script = Script(clock)
    outbox = an_outbox(script, is_idempotent=False)
    for _ in range(5):
        await in_the_end(clock, submit(outbox, "un"))
        await clock.advance(60)
    assert len(script.sent("newest")) == 2  # the second has shown a message of ours with its key
    script.answers = [CUT]
    outgoing = submit(outbox, "ok")
    await clock.advance(1)
    script.add(15, "ok")  # another device
    assert isinstance(await in_the_end(clock, outgoing), Message)
    assert script.contents() == [*["un"] * 5, "ok", "ok"]


async def test_an_answer_that_shows_the_key_says_nothing_of_lists(clock: ManualClock) -> None:
    script = Script(clock)
    script.shows = each(client_message_id=lambda message: None)
    outbox = an_outbox(script, is_idempotent=False)
    await in_the_end(clock, submit(outbox, "un"))
    script.answers = [("lost", CUT)]
    message = await in_the_end(clock, submit(outbox, "ok"))
    assert isinstance(message, Message)
    assert script.contents() == ["un", "ok"]


# --- whose it is -----------------------------------------------------------------------------------------------------


async def test_what_went_another_way_is_not_taken_for_this_one(script: Script, clock: ManualClock) -> None:
    outbox = an_outbox(script, is_idempotent=False)
    await in_the_end(clock, submit(outbox, "un"))
    outbox.expect("key", 15, "ok")
    stored = script.add(15, "ok")
    await outbox.learn_stored("key", 15, stored.id)
    script.answers = [CUT]
    message = await in_the_end(clock, submit(outbox, "ok"))
    assert isinstance(message, Message)
    assert message.id == 3


@pytest.mark.parametrize(("said", "expected"), [("ok", SendUncertain), ("autre", Message)])
async def test_while_there_is_no_word_about_one_that_went_another_way_nothing_is_guessed(
    script: Script, clock: ManualClock, said: str, expected: type[object]
) -> None:
    outbox = an_outbox(script, is_idempotent=False)
    outbox.expect("key", 15, said)
    script.answers = [("lost", CUT), ("lost", CUT)]
    assert isinstance(await in_the_end(clock, submit(outbox, "ok")), expected)
    outbox.expect_no_more("key")
    assert isinstance(await in_the_end(clock, submit(outbox, "ok")), Message)


async def test_when_confirmed_ids_had_to_be_forgotten_nothing_is_guessed(
    script: Script, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims_module, "CLAIMS", 2)
    outbox = an_outbox(script, is_idempotent=False)
    script.reads = [None, NOWHERE]
    script.answers = [CUT]
    first = submit(outbox, "ok")
    assert isinstance(await in_the_end(clock, first), SendUncertain)
    for _ in range(4):
        await in_the_end(clock, submit(outbox, "ok"))
    assert isinstance(await in_the_end(clock, outbox.retry(first.pending)), SendUncertain)
    last = submit(outbox, "ok")  # nothing confirmed since its mark was forgotten
    script.answers = [("lost", CUT)]
    assert isinstance(await in_the_end(clock, last), Message)
    await asyncio.sleep(0)
    assert isinstance(await outcome(first), SendUncertain)
