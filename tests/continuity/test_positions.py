"""With a store, a bot that was away is given what it missed: at least once across a restart, once within a process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from messaging_client import ConfigurationError, Message, MessagingClient, MessagingConfig
from messaging_client.testing import MessagingServer
from tests.continuity.support import DOCTOR, PATIENT, QUICK, Heard, ids_of, listen


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "bot.db"


def bot(server: MessagingServer, store: Path, **settings: object) -> MessagingClient:
    config = MessagingConfig(**{**QUICK, **settings})  # type: ignore[arg-type]
    return MessagingClient(server.url, token=server.token(*PATIENT), store=store, config=config)


async def one_life(server: MessagingServer, store: Path, talk: int, count: int, name: str) -> Heard:
    """A bot comes, hears what it missed and `count` more, and goes."""
    async with bot(server, store) as client:
        heard = listen(client)
        await client.join_conversation(talk)
        before = len(heard.messages)
        for number in range(count):
            await server.say(talk, f"{name} {number}", DOCTOR)
        await heard.until(before + count)
    return heard


async def test_what_was_missed_comes_after_a_restart(server: MessagingServer, talk: int, store: Path) -> None:
    lives = [await one_life(server, store, talk, 5, "first")]
    for number in range(70):
        await server.say(talk, f"away {number}", DOCTOR)
    lives.append(await one_life(server, store, talk, 5, "second"))
    lives.append(await one_life(server, store, talk, 5, "third"))
    assert [len(each.ids) for each in lives] == [5, 75, 5]
    assert [each for life in lives for each in life.ids] == ids_of(server, talk, 3)


async def test_the_message_whose_handler_closes_the_client_does_not_come_again(
    server: MessagingServer, talk: int, store: Path
) -> None:
    client = bot(server, store)
    told: list[str] = []

    @client.on_new_message
    async def stop(message: Message) -> None:
        told.append(message.content)
        await client.aclose()

    await client.join_conversation(talk)
    running = asyncio.create_task(client.run_forever())
    await server.say(talk, "stop", DOCTOR)
    async with asyncio.timeout(20):
        await running
    assert told == ["stop"]
    assert (await one_life(server, store, talk, 1, "second")).in_time == ids_of(server, talk, 4)


async def test_a_message_that_no_handler_had_comes_again(server: MessagingServer, talk: int, store: Path) -> None:
    async with bot(server, store) as client:
        never = asyncio.Event()
        begun = asyncio.Event()

        @client.on_new_message
        async def stuck(message: Message) -> None:
            begun.set()
            await never.wait()

        await client.join_conversation(talk)
        await server.say(talk, "first", DOCTOR)
        await server.say(talk, "second", DOCTOR)
        await begun.wait()
        report = await client.aclose(drain=0.05)
        assert report.cancelled == 1
    heard = await one_life(server, store, talk, 0, "")
    await heard.until(2)
    assert heard.ids == ids_of(server, talk, 3)


async def test_an_iterator_that_nobody_asks_holds_nothing_up_for_ever(
    server: MessagingServer, talk: int, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one that was made and forgotten would have everything come again after every restart."""
    monkeypatch.setattr("messaging_client.streams.PATIENCE", 0.05)
    async with bot(server, store) as client, client.conversation(talk) as session:
        heard = listen(client)
        forgotten = session.stream(), client.events(Message)
        await server.say(talk, "first", DOCTOR)
        await heard.until(1)
        async with asyncio.timeout(20):
            while (committing := client._positions._committing) is not None:
                await asyncio.wait({committing})
        assert [each.queue.waiting for each in forgotten] == [1, 1]
        cursor = await client._store.cursor(talk)
        assert heard.ids[0] in cursor.ids | set(cursor.seen)


async def test_what_an_iterator_was_not_asked_for_yet_comes_again(
    server: MessagingServer, talk: int, store: Path
) -> None:
    async with bot(server, store) as client, client.events(Message) as messages:
        heard = listen(client)
        await client.join_conversation(talk)
        for number in range(3):
            await server.say(talk, f"first {number}", DOCTOR)
        await heard.until(3)
        for _ in range(2):  # so that it is done with the first one
            await anext(messages)
        await client.aclose()
    heard = await one_life(server, store, talk, 0, "")
    await heard.until(2)
    assert heard.ids[-2:] == ids_of(server, talk, 4)


async def test_leaving_begins_anew(server: MessagingServer, talk: int, store: Path) -> None:
    async with bot(server, store) as client:
        await client.join_conversation(talk)
        await client.leave_conversation(talk)
    await server.say(talk, "not for the bot", DOCTOR)
    heard = await one_life(server, store, talk, 1, "second")
    assert heard.ids == ids_of(server, talk, 4)


async def test_all_conversations_and_one_that_came_to_be_meanwhile(
    server: MessagingServer, talk: int, store: Path
) -> None:
    async with bot(server, store) as client:
        await client.join_all()
    other = await server.create_conversation("Messages - Examen 23", [DOCTOR, PATIENT])
    await server.say(talk, "missed", DOCTOR)
    await server.say(other, "missed too", DOCTOR)
    async with bot(server, store) as client:
        heard = listen(client)
        await client.join_all()
        await heard.until(2)
        assert sorted(heard.ids) == sorted([*ids_of(server, talk, 3), *ids_of(server, other)])


async def test_one_owner_at_a_time(server: MessagingServer, store: Path) -> None:
    async with bot(server, store):
        with pytest.raises(ConfigurationError):
            async with bot(server, store):
                pass
    async with bot(server, store):
        pass


async def test_leaving_from_within_a_handler_begins_anew(server: MessagingServer, talk: int, store: Path) -> None:
    async with bot(server, store) as client:
        heard = listen(client)
        left = asyncio.Event()

        @client.on_new_message
        async def leave(message: Message) -> None:
            if message.content == "stop":
                await client.leave_conversation(talk)
                left.set()

        await client.join_conversation(talk)
        await server.say(talk, "stop", DOCTOR)
        async with asyncio.timeout(20):
            await left.wait()
            while client._positions._committing is not None:
                await asyncio.wait({client._positions._committing})
        await server.say(talk, "not for the bot", DOCTOR)
        await client.join_conversation(talk)
        await server.wait_until(lambda: server.members(talk))
        await server.say(talk, "again", DOCTOR)
        await heard.until(2)
        assert [each.content for each in heard.messages] == ["stop", "again"]


async def test_one_that_was_left_is_not_told_from_before_when_all_are_joined(
    server: MessagingServer, talk: int, store: Path
) -> None:
    async with bot(server, store) as client:
        await client.join_all()
        await client.leave_conversation(talk)
    await server.say(talk, "not for the bot", DOCTOR)
    async with bot(server, store) as client:
        heard = listen(client)
        await client.join_all()
        await server.wait_until(lambda: server.members(talk))
        await server.say(talk, "for the bot", DOCTOR)
        await heard.until(1)
        assert [each.content for each in heard.messages] == ["for the bot"]


async def test_one_with_a_position_that_becomes_active_again(server: MessagingServer, talk: int, store: Path) -> None:
    async with bot(server, store) as client:
        await client.join_all()
    await server.set_status(talk, "archivée")
    await server.say(talk, "missed", DOCTOR)
    async with bot(server, store) as client:
        heard = listen(client)
        await client.join_all()
        await server.set_status(talk, "active")
        await heard.until(1)
        await server.wait_until(lambda: server.members(talk))
        assert heard.ids == ids_of(server, talk, 3)


async def test_one_that_came_to_be_and_was_not_handled_comes_again(
    server: MessagingServer, talk: int, store: Path
) -> None:
    async with bot(server, store) as client:
        await client.join_all()
    other = await server.create_conversation("Messages - Examen 23", [DOCTOR, PATIENT])
    await server.say(other, "first", DOCTOR)
    async with bot(server, store) as client:
        begun = asyncio.Event()

        @client.on_new_message
        async def stuck(message: Message) -> None:
            begun.set()
            await asyncio.Event().wait()

        await client.join_all()
        async with asyncio.timeout(20):
            await begun.wait()
        await client.aclose(drain=0)
    async with bot(server, store) as client:
        heard = listen(client)
        await client.join_all()
        await heard.until(1)
        assert heard.ids == ids_of(server, other)


async def test_what_waits_for_a_read_when_the_client_is_closed_is_left_to_the_next(
    server: MessagingServer, talk: int, store: Path
) -> None:
    """Told at the end, it would be ahead of what was missed, which the next client tells."""
    async with bot(server, store) as client:
        heard = listen(client)
        await client.join_conversation(talk)
        await server.wait_until(lambda: server.members(talk))
        for read in ("messages", "new_messages"):
            server.faults.silence(read, count=None)
        await server.faults.cut(PATIENT)
        await server.say(talk, "missed", DOCTOR)
        await server.wait_until(lambda: server.members(talk))
        await server.say(talk, "live", DOCTOR)
        async with asyncio.timeout(20):
            while not client._feed.threads[talk].held:  # noqa: ASYNC110 - nobody says so
                await asyncio.sleep(0.005)
    assert heard.messages == []
    server.faults.clear()
    assert (await one_life(server, store, talk, 1, "second")).in_time == ids_of(server, talk, 3)
