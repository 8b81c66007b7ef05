"""Waiting for messages, streams of them, and being told of changes: nothing is missed, nothing hangs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from scenes import DOCTOR, TIMEOUT, Scene, contents, until

from messaging_client import (
    ConversationSession,
    ExpectTimeout,
    HandlerError,
    Message,
    NotConnected,
    Participant,
    UserType,
    ValidationFailed,
)
from messaging_client.arrivals import KEPT, Arrivals
from messaging_client.testing import ManualClock


async def test_a_reply_that_came_before_the_wait_is_not_missed() -> None:
    async with Scene() as scene:
        await scene.fill(3)
        session = await scene.session(await scene.client())
        await session.send("question")
        await scene.say("réponse")
        await until(session, lambda: contents(session)[-1] == "réponse")
        assert (await session.wait_for_message(timeout=TIMEOUT)).content == "réponse"


async def test_a_message_that_came_during_entry_is_news() -> None:
    async with Scene() as scene:
        await scene.fill(1)
        client = await scene.client()
        scene.server.faults.delay("messages", 0.2, after_storing=True)
        entering = asyncio.create_task(client.conversation(scene.conversation).__aenter__())
        await scene.server.wait_until(lambda: scene.server.members(scene.conversation))
        await scene.server.wait_until(lambda: scene.requests("messages"))
        await asyncio.sleep(0.05)  # the first page is on its way, without this message
        await scene.say("pendant l'entrée")
        session = await entering
        assert (await session.wait_for_message(timeout=TIMEOUT)).content == "pendant l'entrée"
        assert contents(session) == ["m1", "pendant l'entrée"]
        await session.close()


async def test_each_wait_gives_the_next_message() -> None:
    async with Scene() as scene:
        session = await scene.session(await scene.client())
        for content in ("un", "deux", "trois"):
            await scene.say(content)
            await scene.say("moi", DOCTOR)
        assert [(await session.wait_for_message(timeout=TIMEOUT)).content for _ in range(3)] == ["un", "deux", "trois"]
        await session.send("à moi")
        assert (await session.wait_for_message(own=True, timeout=TIMEOUT)).content in {"moi", "à moi"}


async def test_a_predicate_passes_others_over_without_losing_them() -> None:
    async with Scene() as scene:
        clock = ManualClock()
        session = await scene.session(await scene.client(clock=clock))
        await scene.say("un")
        await scene.say("deux")
        await until(session, lambda: len(session.messages) == 2)
        late = asyncio.create_task(session.wait_for_message(lambda m: m.content == "trois", timeout=3.0))
        await clock.wait_for_sleepers(2)
        await clock.advance(3.0)
        with pytest.raises(ExpectTimeout, match="within 3 s"):
            await late
        assert (await session.wait_for_message(lambda m: m.content == "deux")).content == "deux"


async def test_two_who_wait_at_a_time_do_not_take_each_others_messages() -> None:
    async with Scene() as scene:
        session = await scene.session(await scene.client())
        both = asyncio.gather(
            session.wait_for_message(lambda m: m.content == "b", timeout=TIMEOUT),
            session.wait_for_message(lambda m: m.content == "a", timeout=TIMEOUT),
        )
        await asyncio.sleep(0)
        await scene.say("b")
        await scene.say("a")
        assert [message.content for message in await both] == ["b", "a"]
        two = asyncio.gather(session.wait_for_message(timeout=TIMEOUT), session.wait_for_message(timeout=TIMEOUT))
        await asyncio.sleep(0)
        await scene.say("c")
        await scene.say("d")
        assert sorted(message.content for message in await two) == ["c", "d"]


async def test_an_error_of_the_predicate_is_the_users_own() -> None:
    async with Scene() as scene:
        session = await scene.session(await scene.client())
        await scene.say("un")
        with pytest.raises(ZeroDivisionError):
            await session.wait_for_message(lambda _message: 1 / 0, timeout=TIMEOUT)


async def test_a_session_that_is_closed_ends_waits_and_streams() -> None:
    async with Scene() as scene:
        client = await scene.client()
        kept = await scene.session(client)
        session = await scene.session(client)
        stream = session.stream()
        waiting = asyncio.create_task(session.wait_for_message())
        await asyncio.sleep(0)
        await session.close()
        with pytest.raises(NotConnected):
            await waiting
        assert [message async for message in stream] == []
        with pytest.raises(NotConnected):
            await session.wait_for_message()
        await scene.say("pour l'autre")
        assert (await kept.wait_for_message(timeout=TIMEOUT)).content == "pour l'autre"


async def test_a_cancelled_wait_leaves_its_message_to_the_next() -> None:
    async with Scene() as scene:
        session = await scene.session(await scene.client())
        waiting = asyncio.create_task(session.wait_for_message())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await scene.say("un")
        assert (await session.wait_for_message(timeout=TIMEOUT)).content == "un"


# --- streams ---------------------------------------------------------------------------------------------------------


async def test_a_stream_begins_with_what_came_since_entry() -> None:
    async with Scene() as scene:
        await scene.fill(2)
        session = await scene.session(await scene.client())
        await session.send("question")
        await scene.say("un")
        await until(session, lambda: contents(session)[-1] == "un")
        await scene.say("deux")
        seen = []
        async for message in session.stream():
            seen.append(message.content)
            if len(seen) == 2:
                break
        assert seen == ["un", "deux"]


async def test_a_stream_goes_on_where_the_last_one_or_a_wait_stopped() -> None:
    async with Scene() as scene:
        session = await scene.session(await scene.client())
        for content in ("un", "deux", "trois", "quatre"):
            await scene.say(content)
        await until(session, lambda: len(session.messages) == 4)
        assert (await session.wait_for_message(timeout=TIMEOUT)).content == "un"
        for expected in ("deux", "trois", "quatre"):
            async for message in session.stream():
                assert message.content == expected
                break


async def test_two_streams_each_give_everything_own_messages_if_wanted() -> None:
    async with Scene() as scene:
        session = await scene.session(await scene.client())
        others, everything = session.stream(), session.stream(own=True)
        await scene.say("un")
        await session.wait_for_message(timeout=TIMEOUT)
        await session.send("moi")
        await scene.say("deux")
        assert [(await anext(others)).content for _ in range(2)] == ["un", "deux"]
        assert [(await anext(everything)).content for _ in range(3)] == ["un", "moi", "deux"]


@pytest.mark.one_server("it talks to no server")
def test_what_is_kept_for_those_who_wait_is_bounded() -> None:
    arrivals = Arrivals()
    sender = Participant(id=5, type=UserType.PATIENT)
    for number in range(1, KEPT + 6):
        arrivals.add(Message(id=number, conversation_id=1, content="", sender=sender, timestamp=datetime.now(UTC)))
    assert arrivals.count == KEPT + 5
    assert [message.id for _, message in arrivals.after(0)] == list(range(6, KEPT + 6))
    assert [(number, message.id) for number, message in arrivals.after(KEPT + 4)] == [(KEPT + 5, KEPT + 5)]


# --- changes ---------------------------------------------------------------------------------------------------------


async def test_sync_and_async_handlers_are_told_and_several_changes_make_one_call() -> None:
    async with Scene() as scene:
        session = await scene.session(await scene.client())
        calls: list[int] = []
        go_on = asyncio.Event()

        @session.on_change
        async def slow(given: ConversationSession) -> None:
            assert given is session
            calls.append(len(given.messages))
            await go_on.wait()

        await scene.say("1")
        await until(session, lambda: calls == [1])
        for content in "2345":
            await scene.say(content)
        await until(session, lambda: len(session.messages) == 5)
        assert calls == [1]
        go_on.set()
        await until(session, lambda: calls[-1] == 5)
        assert len(calls) <= 4
        slow.cancel()
        before = len(calls)
        await session.send("6")
        assert len(calls) == before


async def test_a_handler_that_raises_is_reported_and_called_again() -> None:
    async with Scene() as scene:
        client = await scene.client()
        session = await scene.session(client)

        @session.on_change
        def broken(_session: ConversationSession) -> None:
            raise KeyError

        for content in "12":
            async with client.expect(HandlerError) as report:
                await session.send(content)
            error = await report
            assert isinstance(error.error, KeyError)
            assert "broken" in error.handler


async def test_a_handler_may_use_the_session() -> None:
    async with Scene() as scene:
        session = await scene.session(await scene.client())

        @session.on_change
        async def answer(given: ConversationSession) -> None:
            for message in given.messages:
                if not given.is_own(message) and message.status != "read":
                    await given.mark_as_read(message)
                    await given.send("vu")

        await scene.say("un")
        await until(session, lambda: contents(session) == ["un", "vu"] and session.unread_count == 0)


async def test_a_handler_must_be_callable() -> None:
    async with Scene() as scene:
        session = await scene.session(await scene.client())
        with pytest.raises(ValidationFailed, match="callable"):
            session.on_change(None)
