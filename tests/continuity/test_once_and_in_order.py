"""Whatever the network does, a handler hears every message once and in order."""

from __future__ import annotations

import asyncio
import random

import pytest

from messaging_client import NotConnected
from messaging_client.testing import MessagingServer
from tests.continuity.support import DOCTOR, PATIENT, Heard, ids_of, listen, patient_of


async def heard_all(server: MessagingServer, talk: int, heard: Heard, timeout: float = 20) -> None:
    """Wait until the handler was told as many as the server has since the history."""
    await heard.until(len(server.messages(talk)) - 3, timeout)


async def test_restarts(server: MessagingServer, talk: int) -> None:
    """20 restarts during 2 000 messages, a part of them stored while the client is away."""
    async with patient_of(server) as client, client.conversation(talk) as session:
        heard = listen(client)
        for _ in range(20):
            for number in range(60):
                await server.say(talk, f"live {number}", DOCTOR)
                if number % 20 == 0:
                    await asyncio.sleep(0)
            await server.stop()
            for number in range(20):
                await server.say(talk, f"away {number}", DOCTOR)
            await server.start()
            for number in range(20):
                await server.say(talk, f"back {number}", DOCTOR)
            await client.wait_connected(10)
        await heard_all(server, talk, heard)
        assert heard.ids == ids_of(server, talk, 3)
        assert len(heard.ids) == 2000
        assert not any(message.late for message in heard.messages)
        assert not heard.gaps
        assert [message.id for message in session.messages][-2000:] == heard.ids


async def test_a_join_that_takes_its_time(server: MessagingServer, talk: int) -> None:
    """A message stored while the server still looks the permission up is broadcast to nobody."""
    server.faults.slow_join(0.7, count=None)
    # No notice tells of what was missed: it is the read after the settling delay that finds it.
    server.faults.drop_events("conversation_updated", count=None)
    server.faults.drop_events("notification", count=None)
    async with patient_of(server, settle_delay=2.0) as client:
        heard = listen(client)
        await client.join_conversation(talk)
        for number in range(5):
            await server.say(talk, f"during the join {number}", DOCTOR)
            await asyncio.sleep(0.1)
        await server.wait_until(lambda: server.members(talk))
        await server.say(talk, "joined", DOCTOR)
        await heard_all(server, talk, heard)
        assert heard.ids == ids_of(server, talk, 3)
        assert not any(message.late for message in heard.messages)

        await server.faults.cut()
        for number in range(3):
            await server.say(talk, f"away {number}", DOCTOR)
        await client.wait_connected(10)
        for number in range(8):
            await server.say(talk, f"during the next join {number}", DOCTOR)
            await asyncio.sleep(0.1)
        await heard_all(server, talk, heard)
        assert heard.ids == ids_of(server, talk, 3)
        assert not any(message.late for message in heard.messages)


async def unruly(server: MessagingServer, talk: int, seed: int, rounds: int) -> None:
    """Bursts, with sockets cut in the middle of them and events duplicated, reordered and dropped."""
    chance = random.Random(seed)
    faults = server.faults
    misdeeds = [
        lambda: faults.duplicate_events("new_message", count=5),
        lambda: faults.reorder_events("new_message", count=4),
        lambda: faults.drop_events("new_message", count=3),
        lambda: None,
    ]
    for _ in range(rounds):
        chance.choice(misdeeds)()
        for number in range(chance.randrange(5, 40)):
            await server.say(talk, f"{number}", DOCTOR)
            if chance.random() < 0.1:
                await asyncio.sleep(0)
        if chance.random() < 0.5:
            await faults.cut(PATIENT)
    faults.clear()


@pytest.mark.parametrize("seed", range(3))
async def test_events_that_go_astray(server: MessagingServer, talk: int, seed: int) -> None:
    async with patient_of(server) as client, client.conversation(talk) as session:
        heard = listen(client)
        await unruly(server, talk, seed, rounds=12)
        await heard_all(server, talk, heard)
        expected = ids_of(server, talk, 3)
        assert sorted(heard.ids) == expected
        assert heard.in_time == sorted(heard.in_time)
        assert [message.id for message in session.messages][-len(expected) :] == expected
        assert not heard.gaps


@pytest.mark.parametrize(
    ("seed", "pause"),
    [(0, 0.05), (3, 0.05), *(pytest.param(seed, 1.0, marks=pytest.mark.soak) for seed in range(3))],
)
async def test_events_that_go_astray_and_an_outage(server: MessagingServer, talk: int, seed: int, pause: float) -> None:
    """The same with an outage, of 40 s in the long form, during which only HTTP is there."""
    async with patient_of(server, fallback_poll_interval=5 * pause) as client, client.conversation(talk) as session:
        heard = listen(client)
        await unruly(server, talk, seed, rounds=60)
        await client.wait_connected(10)
        server.faults.refuse_upgrade(503, count=None)
        await server.faults.cut(PATIENT)
        for number in range(40):
            await server.say(talk, f"outage {number}", DOCTOR)
            await asyncio.sleep(pause)
        assert len(heard.messages) > 30
        assert client.status().polling
        server.faults.clear()
        await client.connect()
        await unruly(server, talk, seed + 100, rounds=20)
        await heard_all(server, talk, heard)
        expected = ids_of(server, talk, 3)
        assert sorted(heard.ids) == expected
        assert heard.in_time == sorted(heard.in_time)
        assert [message.id for message in session.messages][-len(expected) :] == expected


async def test_an_outage_is_bridged_by_polling(server: MessagingServer, talk: int) -> None:
    async with patient_of(server, reconnection_attempts=1000) as client, client.conversation(talk) as session:
        heard = listen(client)
        server.faults.refuse_upgrade(503, count=None)
        await server.faults.cut(PATIENT)
        for number in range(5):
            async with client.expect(type(session.messages[0]), timeout=5) as reply:
                await server.say(talk, f"outage {number}", DOCTOR)
            await reply
            assert not client.is_connected
            assert client.status().polling
        server.faults.clear()
        await client.wait_connected(10)
        assert not client.status().polling
        await server.say(talk, "back", DOCTOR)
        await heard_all(server, talk, heard)
        assert heard.ids == ids_of(server, talk, 3)
        assert not any(message.late for message in heard.messages)


async def test_a_lost_broadcast_is_found_by_its_notice(server: MessagingServer, talk: int) -> None:
    async with patient_of(server, verify_interval=1000.0) as client:
        heard = listen(client)
        await client.join_conversation(talk)
        await server.wait_until(lambda: server.members(talk))
        server.faults.drop_events("new_message", count=1)
        await server.say(talk, "nobody is told", DOCTOR)
        await heard_all(server, talk, heard)


async def settled(server: MessagingServer) -> None:
    """Wait for the read that ends a first join: the room is sure to be joined then."""
    await server.wait_until(
        lambda: any(each.operation == "new_messages" and each.status == 200 for each in server.requests)
    )


async def test_a_lost_broadcast_without_notice_is_found_by_verification(server: MessagingServer, talk: int) -> None:
    async with patient_of(server, settle_delay=0.05) as client:
        heard = listen(client)
        await client.join_conversation(talk)
        await settled(server)
        await server.say(talk, "lost", DOCTOR, broadcast=False)
        server.faults.drop_events("notification", count=None)
        server.faults.drop_events("conversation_updated", count=None)
        await server.say(talk, "told", DOCTOR)
        await heard_all(server, talk, heard)
        assert heard.ids == ids_of(server, talk, 3)[::-1]
        assert [message.late for message in heard.messages] == [False, True]


async def test_what_is_stored_while_the_first_join_is_slow_is_no_history(server: MessagingServer, talk: int) -> None:
    """Stored after the room was asked for, and broadcast before the server has joined it."""
    server.faults.slow_join(0.7)
    server.faults.delay("messages", 0.3, count=None)
    server.faults.drop_events("conversation_updated", count=None)
    server.faults.drop_events("notification", count=None)
    async with patient_of(server, settle_delay=2.0) as client:
        heard = listen(client)
        joining = asyncio.create_task(client.join_conversation(talk))
        await server.wait_until(lambda: any(each.event == "join_conversation" for each in server.events))
        await server.say(talk, "already asked for", DOCTOR)
        await joining
        await heard.until(1)
        assert heard.ids == ids_of(server, talk, 3)


async def test_the_first_of_two_who_hold_a_room_is_cancelled(server: MessagingServer, talk: int) -> None:
    server.faults.delay("messages", 0.3)
    async with patient_of(server, verify_interval=1000.0) as client:
        heard = listen(client)

        async def look() -> None:
            async with client.conversation(talk):
                pass

        first = asyncio.create_task(look())
        await server.wait_until(lambda: any(each.operation == "messages" for each in server.requests))
        second = asyncio.create_task(client.join_conversation(talk))
        await asyncio.sleep(0)
        first.cancel()
        await second
        await server.say(talk, "heard", DOCTOR)
        await heard.until(1)
        await server.wait_until(lambda: server.members(talk))
        assert first.cancelled()


async def test_one_of_two_calls_that_join_is_cancelled(server: MessagingServer, talk: int) -> None:
    server.faults.delay("messages", 0.3)
    async with patient_of(server, verify_interval=1000.0) as client:
        heard = listen(client)
        calls = [asyncio.create_task(client.join_conversation(talk)) for _ in range(2)]
        await server.wait_until(lambda: any(each.operation == "messages" for each in server.requests))
        calls[0].cancel()
        await calls[1]
        await server.say(talk, "heard", DOCTOR)
        await heard.until(1)


async def test_leaving_while_joining_leaves(server: MessagingServer, talk: int) -> None:
    server.faults.delay("messages", 0.3)
    async with patient_of(server) as client:
        joining = asyncio.create_task(client.join_conversation(talk))
        await server.wait_until(lambda: any(each.operation == "messages" for each in server.requests))
        await client.leave_conversation(talk)
        await joining
        assert not server.members(talk)
        assert not any(each.event == "join_conversation" for each in server.events)


async def test_a_join_that_is_under_way_when_the_client_closes(server: MessagingServer, talk: int) -> None:
    server.faults.silence("messages", count=None)
    client = patient_of(server)
    await client.connect()
    joining = asyncio.create_task(client.join_conversation(talk))
    await server.wait_until(lambda: any(each.operation == "messages" for each in server.requests))
    await client.aclose(drain=0)
    with pytest.raises(NotConnected):
        await joining
