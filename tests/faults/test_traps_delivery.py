"""Traps 10, 17 (inbound) and 18: what the server sends arrives in order, whole, and however odd its neighbours are."""

from __future__ import annotations

import asyncio
import random

import pytest
from lines import Line, make_client
from peers import Peer, Visit, poll

from messaging_client import InvalidPayload, Message
from messaging_client.models import ConnectionState as State
from messaging_client.transport.packets import INVALID_FRAME

MESSAGE = {
    "id": 7,
    "conversation_id": 15,
    "contenu": "Bonjour",
    "expediteur_id": 79,
    "expediteur_type": "medecin",
    "date_envoi": "2025-01-01T10:00:00Z",
}

# --- 10: order --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batches", [1, 10])
async def test_trap_10_a_handler_that_awaits_randomly_keeps_the_order(batches: int) -> None:
    heard: list[int] = []
    chance = random.Random(10)
    async with Peer() as peer:
        client = make_client(peer.url)

        @client.on("tick")
        async def tick(number: int) -> None:
            await asyncio.sleep(chance.choice([0, 0, 0.001, 0.003]))
            heard.append(number)

        async with client:
            for number in range(300):
                await peer.visit.emit("tick", number)
                if number % (300 // batches) == 0:
                    await asyncio.sleep(0)
            await poll(lambda: len(heard) == 300)
            assert heard == list(range(300))


async def test_trap_10_text_and_binary_events_keep_their_order() -> None:
    async with Peer() as peer, Line(peer.url) as line:
        await line.connection.connect()
        for number in range(50):
            if number % 2:
                await peer.visit.send(f'451-["e",{{"_placeholder":true,"num":0}},{number}]')
                await peer.visit.send(bytes([number]))
            else:
                await peer.visit.emit("e", None, number)
        await line.until(lambda: len(line.events) == 50)
        assert [args for _, args in line.events] == [(bytes([n]) if n % 2 else None, n) for n in range(50)]


async def test_trap_10_an_event_that_wants_an_acknowledgement_gets_one() -> None:
    async with Peer() as peer, Line(peer.url) as line:
        await line.connection.connect()
        await peer.visit.send('4212["asked",1]')
        await peer.until(lambda: "4312[]" in peer.visit.frames)
        assert line.events == [("asked", (1,))]


# --- odd frames among good ones ---------------------------------------------------------------------------------------

ODD_FRAMES: dict[str, list[str | bytes]] = {
    "an object for an event": ['42{"a":1}'],
    "an event without a name": ["42[]"],
    "an event named by a number": ["42[1]"],
    "a reserved name": ['42["connect"]'],
    "another reserved name": ['42["disconnect"]'],
    "no packet type": ["4"],
    "an unknown packet type": ["49"],
    "not JSON": ['42["x"'],
    "not a number": ['42["x",NaN]'],
    "nested beyond measure": ["42" + "[" * 100_000],
    "text for an attachment": ['451-["x",{"_placeholder":true,"num":0}]', '42["y"]'],
    "an attachment that is not there": ['451-["x",{"_placeholder":true,"num":5}]', b"1"],
    "a binary event without attachments": ['450-["x"]'],
    "bytes that nobody announced": [b"\x00\xff"],
    "an acknowledgement of nothing": ["43[]"],
    "a connection without an object": ["40[]"],
}


@pytest.mark.parametrize("frames", list(ODD_FRAMES.values()), ids=list(ODD_FRAMES))
async def test_an_odd_frame_is_reported_and_costs_neither_the_link_nor_the_order(frames: list[str | bytes]) -> None:
    async with Peer() as peer, Line(peer.url) as line:
        await line.connection.connect()
        await peer.visit.emit("before")
        for frame in frames:
            await peer.visit.send(frame)
        await peer.visit.emit("after")
        await line.until(lambda: "after" in line.names)
        assert line.names == ["before", INVALID_FRAME, "after"]
        assert line.state is State.CONNECTED
        assert len(peer.visits) == 1


@pytest.mark.parametrize("frame", ["4399[]", '40{"sid":"again"}', "6", "3probe"])
async def test_a_frame_that_means_nothing_here_is_passed_over(frame: str) -> None:
    async with Peer() as peer, Line(peer.url) as line:
        await line.connection.connect()
        await peer.visit.send(frame)
        await peer.visit.emit("after")
        await line.until(lambda: line.names == ["after"])


@pytest.mark.parametrize("frame", ["z", "", "0{}", "9"])
async def test_a_frame_that_is_no_engine_packet_ends_the_link_or_nothing(frame: str) -> None:
    """Whichever it is, a link that is said to stand still delivers."""
    async with Peer() as peer, Line(peer.url) as line:
        await line.connection.connect()
        await peer.visit.send(frame)
        await asyncio.sleep(0.05)
        await line.until_state(State.CONNECTED)
        await peer.visit.emit("after")
        await line.until(lambda: line.names == ["after"])


async def test_a_refusal_that_comes_late_ends_the_link() -> None:
    async with Peer() as peer, Line(peer.url) as line:
        await line.connection.connect()
        await peer.visit.send('44{"message":"late"}')
        await line.until_connected(2)
        assert line.causes[2] == "server_disconnect"


async def test_an_odd_frame_is_an_invalid_payload_event() -> None:
    async with Peer() as peer, make_client(peer.url) as client:
        async with client.expect(InvalidPayload) as reported:
            await peer.visit.send('42{"a":1}')
        fault = await reported
        assert (fault.source, fault.raw) == ("frame", '2{"a":1}')


# --- 17: frames that are too large ------------------------------------------------------------------------------------


async def test_trap_17_an_inbound_frame_up_to_the_limit_arrives() -> None:
    async with Peer() as peer, Line(peer.url, max_response_bytes=10_000) as line:
        await line.connection.connect()
        await peer.visit.emit("large", "x" * (10_000 - len('42["large", ""]')))
        await line.until(lambda: line.names == ["large"])


async def test_trap_17_one_beyond_the_limit_is_named_as_the_cause_and_the_link_replaced() -> None:
    async with Peer() as peer, Line(peer.url, max_response_bytes=10_000) as line:
        await line.connection.connect()
        await peer.visit.emit("large", "x" * (10_001 - len('42["large", ""]')))
        await line.until_connected(2)
        assert line.causes[2] == "frame_too_large"
        await peer.visit.emit("after")
        await line.until(lambda: line.names == ["after"])


async def test_trap_17_more_than_the_4_mib_of_the_library_where_the_user_allows_it() -> None:
    async with Peer() as peer, Line(peer.url, max_response_bytes=6_000_000) as line:
        await line.connection.connect()
        await peer.visit.emit("large", "x" * 5_000_000)
        await line.until(lambda: line.names == ["large"])


# --- 18: a server with connectionStateRecovery ------------------------------------------------------------------------


async def recover(visit: Visit) -> None:
    await visit.open()
    await visit.asked()
    await visit.accept(pid="a-private-id")
    await visit.stay()


async def test_trap_18_the_offset_of_a_server_with_recovery_is_no_argument() -> None:
    told: list[tuple[object, ...]] = []
    async with Peer(recover) as peer, make_client(peer.url) as client:
        client.on("one", lambda value: told.append((value,)))
        client.on("text", lambda value: told.append((value,)))
        client.on("two", lambda first, second: told.append((first, second)))
        async with client.expect(Message) as message:
            await peer.visit.emit("one", {"a": 1}, "OQtFGt6")
            await peer.visit.emit("text", "words", "OQtFGt7.1")
            await peer.visit.emit("two", 1, 2, "1706000000000-0")
            await peer.visit.emit("two", 1, 2)  # volatile events have none
            await peer.visit.emit("new_message", MESSAGE, "OQtFGt8")
        assert (await message).id == 7
        await poll(lambda: len(told) == 4)
        assert sorted(map(repr, told)) == sorted(map(repr, [({"a": 1},), ("words",), (1, 2), (1, 2)]))
        assert client.stats().handler_errors == 0


# The last argument, which is the server's own on one side and the user's on the other.
OFFSETS = ["OQtFGt6", "OQtFGt7.1", "PZz_-09.a0", "1706000000000-0", "1706000000000-17", "507f1f77bcf86cd799439011"]
NO_OFFSETS = [
    "",
    "words",
    "bonjour",
    "urgent",
    "4711",
    "2025-01-01",
    "temp_17060000",
    "3f2b6c1e-0000-4000-8000-1234567890ab",
]


@pytest.mark.parametrize("offset", OFFSETS)
async def test_trap_18_the_offset_of_an_event_without_payload(offset: str) -> None:
    async with Peer(recover) as peer, Line(peer.url) as line:
        await line.connection.connect()
        await peer.visit.emit("ring", offset)
        await peer.visit.emit("ring", offset, offset)
        await peer.visit.send(f'451-["b",{{"_placeholder":true,"num":0}},"{offset}"]')
        await peer.visit.send(b"1")
        await peer.visit.emit("ring", 5, None)
        await line.until(lambda: len(line.events) == 4)
        assert line.events == [("ring", ()), ("ring", (offset,)), ("b", (b"1",)), ("ring", (5, None))]


@pytest.mark.parametrize("text", NO_OFFSETS)
async def test_trap_18_a_volatile_event_keeps_its_last_argument(text: str) -> None:
    async with Peer(recover) as peer, Line(peer.url) as line:
        await line.connection.connect()
        await peer.visit.emit("status", text)
        await line.until(lambda: line.events == [("status", (text,))])


async def test_trap_18_an_event_that_wants_an_acknowledgement_has_no_offset() -> None:
    async with Peer(recover) as peer, Line(peer.url) as line:
        await line.connection.connect()
        await peer.visit.send('4212["asked",1,"OQtFGt6"]')
        await peer.visit.send('4213["asked","OQtFGt6"]')
        await peer.until(lambda: "4313[]" in peer.visit.frames)
        assert line.events == [("asked", (1, "OQtFGt6")), ("asked", ("OQtFGt6",))]


async def test_trap_18_a_frame_that_cannot_be_read_is_reported_whole() -> None:
    async with Peer(recover) as peer, Line(peer.url) as line:
        await line.connection.connect()
        await peer.visit.send("49QtFGt6")
        await line.until(lambda: line.names == [INVALID_FRAME])
        assert len(line.events[0][1]) == 2


async def test_trap_18_without_recovery_every_argument_is_the_users() -> None:
    async with Peer() as peer, Line(peer.url) as line:
        await line.connection.connect()
        await peer.visit.emit("two", 1, "OQtFGt6")
        await line.until(lambda: line.events == [("two", (1, "OQtFGt6"))])
