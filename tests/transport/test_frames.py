"""Frames taken as they arrive: held against the library's own way, whatever pieces the network brings them in."""

from __future__ import annotations

import asyncio
import itertools
import struct
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from aiohttp import WSCloseCode
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader
from aiohttp.client_proto import ResponseHandler
from hypothesis import given, settings
from hypothesis import strategies as st
from peers import Peer, poll
from test_fast_path import Outcome, Reader, acknowledgements, events, linked

from messaging_client.canonical import can_be_written
from messaging_client.models import ConnectionCause as Cause
from messaging_client.transport import fast_path
from messaging_client.transport.engine import UNREAD_LIMIT
from messaging_client.transport.frames import _MOST_WAITING, BATCH, Splitter
from messaging_client.transport.packets import INVALID_FRAME

pytestmark = pytest.mark.skipif(
    fast_path._version("aiohttp") < fast_path._KNOWN_AIOHTTP[0], reason="this aiohttp is older: all goes by its queue"
)


@pytest.fixture(scope="module", autouse=True)
def _turned_on() -> Iterator[None]:
    """Also where the rest of the tests go without it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(fast_path.VARIABLE, "1")
        yield


_PING = None  # one of the web socket itself, not of Engine.IO


class Fragments(str):
    """A text that comes in three frames, with a ping of the web socket in between."""

    __slots__ = ()


class Masked(str):
    """A text whose bytes are masked, as no server should send them."""

    __slots__ = ()


class Protocol:
    """What aiohttp's queue knows of the connection."""

    _reading_paused = False

    def __init__(self) -> None:
        self.told: list[str] = []
        self.failed = False
        self.parser: Any = None
        self.queue: Any = None

    def pause_reading(self) -> None:
        self._reading_paused = True
        self.told.append("pause")

    def resume_reading(self) -> None:
        self._reading_paused = False
        self.told.append("resume")

    def set_parser(self, parser: Any, queue: Any, _callback: Any = None) -> None:
        self.parser, self.queue = parser, queue


class Writer:
    """A network that is slow to take what is sent."""

    async def send_frame(self, *_: object) -> None:
        for _turn in range(3):
            await asyncio.sleep(0)

    async def close(self, *_: object) -> None:
        await self.send_frame()


class Response:
    connection = None

    def close(self) -> None:
        """As of a response."""


class Wire:
    """A link that reads from a web socket into which bytes are put by hand."""

    def __init__(self, **settings: Any) -> None:
        self.reader = Reader(is_fast=True, **settings)
        self.link, self.protocol = self.reader.link, Protocol()
        loop = asyncio.get_running_loop()
        queue = WebSocketDataQueue(self.protocol, 2**16, loop=loop)  # type: ignore[arg-type]
        # As `ClientSession._ws_connect` does.
        self.socket: Any = self.link.new_websocket(
            queue, Writer(), None, Response(), aiohttp.ClientWSTimeout(), True, True, loop, compress=0
        )
        self.socket._parser = parser = WebSocketReader(queue, self.link._most_bytes, compress=False, decode_text=True)
        self.protocol.set_parser(parser, queue)
        engine = self.link.sio.eio
        engine.ws, engine.write_loop_task = self.socket, object()
        self.reading = loop.create_task(self._read())

    async def _read(self) -> None:
        await self.link.sio.eio._read_frames()

    @property
    def splitter(self) -> Any:
        return self.link.splitter

    async def put(self, data: bytes, turns: int = 0) -> None:
        self.protocol.failed = self.protocol.failed or self.protocol.parser.feed_data(data)[0]
        for _turn in range(turns):
            await asyncio.sleep(0)

    async def end(self) -> None:
        for _turn in range(1000):
            await asyncio.sleep(0)
            if not self.splitter.queued and self.splitter._size < self.splitter._wanted:
                break
        for _turn in range(10):
            await asyncio.sleep(0)
        if not self.reading.done():
            self.reading.cancel()
            await asyncio.wait({self.reading})


def on_the_wire(frame: str | bytes | None) -> bytes:
    if isinstance(frame, Fragments):
        body = frame.encode()
        cuts = [body[: len(body) // 3], body[len(body) // 3 : len(body) // 2], body[len(body) // 2 :]]
        return one(0x01, cuts[0]) + one(0x89, b"") + one(0x00, cuts[1]) + one(0x80, cuts[2])
    if isinstance(frame, Masked):
        mask = b"\x01\x02\x03\x04"
        body = bytes(each ^ mask[place % 4] for place, each in enumerate(frame.encode()))
        return one(0x81, body, mask)
    code, body = (0x89, b"") if frame is None else (0x81, frame.encode()) if isinstance(frame, str) else (0x82, frame)
    return one(code, body)


def one(code: int, body: bytes, mask: bytes = b"") -> bytes:
    """A frame (RFC 6455, section 5.2)."""
    length, masked = len(body), 0x80 if mask else 0
    if length < 126:
        head = bytes([code, masked | length])
    elif length < 65536:
        head = bytes([code, masked | 126]) + struct.pack(">H", length)
    else:
        head = bytes([code, masked | 127]) + struct.pack(">Q", length)
    return head + mask + body


others: st.SearchStrategy[str | bytes | None] = st.sampled_from(
    [
        _PING,
        "2",
        "2x",
        "6",
        '421["e"]',
        '427["e",1]',
        "42{}",
        '42["e",NaN]',
        '42["e","\\ud800"]',
        '42["e"] ',
        '42["e",18446744073709551616]',
        "43[1]",
        '42/admin,["e"]',
        '451-["e",{"_placeholder":true,"num":0}]',
        b"bytes",
        Fragments('42["n",1]'),
        Fragments('42["é",2]'),
        Masked('42["n",1]'),
        Masked('42["n","' + "x" * 70_000 + '"]'),
        '42["n","' + "x" * 300 + '"]',
        '42["n","' + "x" * 70_000 + '"]',
    ]
)


def can_be_sent(frame: str) -> bool:
    return can_be_written(frame) and len(frame) < 60_000


plain = (events | acknowledgements).filter(can_be_sent)


@settings(deadline=None)
@given(
    st.lists(plain | plain | others, max_size=60),
    st.lists(st.tuples(st.integers(1, 400), st.integers(0, 4)), min_size=1, max_size=12),
    st.booleans(),
    st.sampled_from([frozenset(), frozenset({"new_message"})]),
)
def test_frames_have_the_outcome_of_the_librarys_way_in_whatever_pieces_they_come(
    given: list[str | bytes | None], pieces: list[tuple[int, int]], recovers: bool, raises: frozenset[str]
) -> None:
    async def by_wire() -> Outcome:
        wire = Wire(recovers=recovers, raises=raises)
        data = b"".join(map(on_the_wire, given))
        for turn in range(len(data)):
            size, turns = pieces[turn % len(pieces)]
            await wire.put(data[:size], turns)
            data = data[size:]
            if not data:
                break
        await wire.end()
        return wire.reader.outcome()

    async def by_library() -> Outcome:
        reader = Reader(is_fast=False, recovers=recovers, raises=raises)
        for frame in given:
            if frame is not None:
                await reader.read(frame)
        return reader.outcome()

    assert asyncio.run(by_wire()) == asyncio.run(by_library())


async def test_nothing_overtakes_what_waits() -> None:
    wire = Wire()
    await asyncio.sleep(0)
    # Every fifth wants an answer, and goes the library's way.
    numbers = [f'42{"" if number % 5 else "7"}["n",{number}]' for number in range(10 * BATCH)]
    for start in range(0, len(numbers), 7):
        await wire.put(b"".join(map(on_the_wire, [_PING, *numbers[start : start + 7]])), turns=start % 3)
    await wire.end()
    assert [args[0] for _, args in wire.reader.told] == list(range(len(numbers)))


async def test_a_masked_text_is_not_taken_as_it_stands() -> None:
    wire = Wire()
    await asyncio.sleep(0)
    await wire.put(bytes([0x81, 0x80 | 9]) + b"\0\0\0\1" + b'42["n",1]')  # which means 42[#n",0]
    await wire.end()
    assert [name for name, _ in wire.reader.told] == [INVALID_FRAME]


async def test_what_waits_for_an_attachment_lets_nothing_by() -> None:
    wire = Wire()
    await asyncio.sleep(0)
    frames = ['451-["e",{"_placeholder":true,"num":0}]', '42["n",1]']
    await wire.put(b"".join(map(on_the_wire, frames)))
    await wire.end()
    assert [name for name, _ in wire.reader.told] == [INVALID_FRAME]


async def test_a_server_that_reads_no_answers_is_left_within_a_batch() -> None:
    wire = Wire()
    await asyncio.sleep(0)
    await wire.put(on_the_wire("2") * (UNREAD_LIMIT + 2 * BATCH) + on_the_wire('42["e"]'))
    await wire.end()
    assert wire.reader.told == []
    assert wire.link.ended.result() is Cause.CONNECTION_LOST


async def test_a_ping_behind_what_is_queued_holds_nothing_up() -> None:
    wire = Wire()
    # Before the reader begins, all goes by the queue.
    await wire.put(b"".join(map(on_the_wire, ['42["n",0]', _PING, '42["n",1]', _PING])), turns=20)
    await wire.put(on_the_wire('42["n",2]'), turns=3)
    assert wire.reader.told == [("n", (0,)), ("n", (1,)), ("n", (2,))]
    await wire.end()


async def test_a_batch_is_taken_at_once_and_the_rest_in_turns() -> None:
    wire = Wire()
    await asyncio.sleep(0)
    told, turns = wire.reader.told, []
    await wire.put(on_the_wire('42["n"]') * (10 * BATCH))
    assert len(told) == BATCH
    while len(told) < 10 * BATCH:
        turns.append(len(told))
        await asyncio.sleep(0)
    assert max(later - earlier for earlier, later in itertools.pairwise(turns)) <= BATCH
    # The network may bring many pieces in one turn.
    await asyncio.sleep(0)
    for _piece in range(10 * BATCH):
        await wire.put(on_the_wire('42["n"]'))
    assert len(told) == 11 * BATCH
    await wire.end()
    assert len(told) == 20 * BATCH
    assert wire.splitter._data == b""  # nothing of it is kept


async def test_the_network_is_held_up_where_too_much_waits() -> None:
    wire = Wire()
    await asyncio.sleep(0)
    await wire.put(on_the_wire(f'42["n","{"x" * 10_000}"]') * 4 * BATCH)
    assert wire.protocol.told == ["pause"]
    await wire.end()
    assert wire.protocol.told == ["pause", "resume"]
    assert len(wire.reader.told) == 4 * BATCH


async def test_the_network_is_not_held_up_by_the_beginning_of_a_frame() -> None:
    wire = Wire()
    await asyncio.sleep(0)
    event = on_the_wire(f'42["n","{"x" * 3 * _MOST_WAITING}"]')
    for start in range(0, len(event), 50_000):
        await wire.put(event[start : start + 50_000], 1)
    assert wire.protocol.told == []
    assert len(wire.reader.told) == 1
    await wire.end()


@pytest.mark.parametrize("before", [_PING, '42["n",1]'])
async def test_the_network_is_held_up_too_where_frames_go_by_the_queue(before: str | None) -> None:
    wire = Wire()
    await asyncio.sleep(0)
    count, most, piece = 6000, 0, 2**16
    data = (on_the_wire(before) + on_the_wire(Masked(f'42["n","{"x" * 200}"]'))) * count
    while data:
        if not wire.protocol._reading_paused:
            await wire.put(data[:piece])
            data = data[piece:]
        most = max(most, wire.splitter._size)
        await asyncio.sleep(0)
    await poll(lambda: sum(args != (1,) for _, args in wire.reader.told) == count)
    await wire.end()
    assert most <= _MOST_WAITING + piece
    assert not wire.protocol._reading_paused


@pytest.mark.parametrize("frame", [on_the_wire(_PING), one(0x8A, b""), one(0x00, b"")])
async def test_small_frames_that_are_not_taken_come_by_the_batch_too(frame: bytes) -> None:
    wire = Wire()
    await asyncio.sleep(0)
    await wire.put(one(0x01, b"") + frame * 20_000 + one(0x80, b'42["n"]'))
    assert wire.splitter._size > 20_000
    turns = 0
    while not wire.reader.told:
        await asyncio.sleep(0)
        turns += 1
        assert wire.socket._reader._stalled_reader is None  # it would copy all that it keeps at each frame
    assert turns > 20_000 / BATCH - 1
    await wire.end()


async def test_nothing_overtakes_a_text_behind_more_pings_than_the_queue_holds() -> None:
    wire = Wire()
    wire.reading.cancel()  # before it has begun
    await wire.put(b"".join([*map(on_the_wire, [_PING] * 2000), on_the_wire('42["n",1]')]))
    reading = asyncio.create_task(wire._read())
    await asyncio.sleep(0)
    await wire.put(on_the_wire('42["n",2]'))
    await poll(lambda: len(wire.reader.told) == 2)
    assert wire.reader.told == [("n", (1,)), ("n", (2,))]
    reading.cancel()


async def test_the_end_is_told_behind_what_waits_for_a_full_queue() -> None:
    wire = Wire()
    await asyncio.sleep(0)
    await wire.put(on_the_wire(_PING) * 5000 + on_the_wire('42["n",1]'))
    wire.protocol.parser.feed_eof()
    await asyncio.wait_for(asyncio.shield(wire.reading), 20)
    assert wire.socket.closed
    assert wire.reader.told == [("n", (1,))]


async def test_a_frame_in_pieces_of_few_bytes_is_not_kept_as_an_object_for_each() -> None:
    wire = Wire()
    await asyncio.sleep(0)
    event = on_the_wire(f'42["n","{"x" * 60_000}"]')
    for start in range(0, len(event), 3):
        await wire.put(event[start : start + 3])
        assert len(wire.splitter._more) <= 1024
    await wire.end()
    assert [len(args[0]) for _, args in wire.reader.told] == [60_000]


async def test_nothing_behind_a_close_frame_that_is_masked_is_told() -> None:
    wire = Wire()
    await asyncio.sleep(0)
    await wire.put(on_the_wire('42["n",1]') + one(0x88, b"\x03\xe8", b"\0\0\0\0") + on_the_wire('42["n",2]'))
    await wire.end()
    assert wire.socket.closed
    assert wire.reader.told == [("n", (1,))]


async def test_a_frame_that_is_too_long_is_refused_by_its_head() -> None:
    wire = Wire()
    await asyncio.sleep(0)
    await wire.put(on_the_wire('42["n"]') + b"\x81\x7f" + struct.pack(">Q", wire.link._most_bytes), 3)
    assert wire.protocol.failed
    await wire.end()
    assert wire.socket.close_code == WSCloseCode.MESSAGE_TOO_BIG
    assert wire.reader.told == [("n", ())]


@pytest.mark.parametrize("before", [0, 2 * BATCH])
async def test_a_text_that_is_no_utf_8_ends_it(before: int) -> None:
    wire = Wire()
    await asyncio.sleep(0)
    event, bad = on_the_wire('42["e"]'), b'42["\xff"]'
    await wire.put(event * before + one(0x81, bad) + event)
    await wire.end()
    assert wire.reading.done()
    assert not wire.reading.cancelled()
    assert (wire.socket.closed, wire.socket.close_code) == (True, WSCloseCode.INVALID_TEXT)
    assert wire.reader.told == [("e", ())] * before


@pytest.mark.parametrize("before", [0, 20 * BATCH])
@pytest.mark.parametrize("turns", [0, 1, 20])
async def test_all_that_came_before_the_end_is_told_and_nothing_that_comes_behind_it(before: int, turns: int) -> None:
    event = on_the_wire('42["e"]')
    for end in (one(0x88, b"\x03\xe8"), None):
        wire = Wire()
        await asyncio.sleep(0)
        await wire.put(event * before + (end + event if end else event[:3]), turns)
        if end is None:
            wire.protocol.parser.feed_eof()
        await asyncio.wait_for(asyncio.shield(wire.reading), 20)
        assert wire.socket.closed
        assert wire.reader.told == [("e", ())] * before


async def test_once_nobody_reads_all_goes_by_the_queue() -> None:
    wire = Wire()
    await asyncio.sleep(0)
    event = on_the_wire('42["e"]')
    await wire.put(event * (4 * BATCH) + event[:3])
    wire.reading.cancel()
    await asyncio.wait({wire.reading})
    await wire.put(event[3:] + on_the_wire(b"bytes"))
    queued = 4 * BATCH + 1 - len(wire.reader.told)
    assert BATCH < queued < 4 * BATCH
    got = [(await wire.socket.receive()).data for _ in range(queued + 1)]
    assert got == ['42["e"]'] * queued + [b"bytes"]


async def test_before_somebody_reads_all_goes_by_the_queue() -> None:
    wire = Wire()
    wire.reading.cancel()  # before it has begun
    await wire.put(on_the_wire("0é") + on_the_wire(b"bytes") + b"\x81")
    assert [(await wire.socket.receive()).data for _ in range(2)] == ["0é", b"bytes"]
    reading = asyncio.create_task(wire._read())
    await asyncio.sleep(0)
    await wire.put(b"\x07" + b'42["e"]')
    assert wire.reader.told == [("e", ())]
    reading.cancel()


# --- what it stands on ------------------------------------------------------------------------------------------------


async def test_the_private_names_of_aiohttp() -> None:
    assert fast_path.is_aiohttp_known(), aiohttp.__version__
    async with Peer() as peer, linked(peer.url, []) as link:
        websocket: Any = link._websocket
        protocol = websocket._response.connection.protocol
        assert type(protocol) is ResponseHandler
        assert "set_parser" not in vars(protocol)
        splitter = link.splitter
        assert type(splitter) is Splitter
        assert splitter is protocol._payload_parser
        assert websocket._parser is splitter.parser
        assert websocket._reader is protocol._payload
        assert websocket._reader._buffer is splitter.queued
        assert splitter._take is not None
        assert splitter._is_free  # the reader waits


async def test_without_a_version_of_aiohttp_that_is_known_all_goes_through_its_queue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fast_path, "is_aiohttp_known", lambda: False)
    told: list[Any] = []
    async with Peer() as peer, linked(peer.url, told) as link:
        assert link.splitter is None
        await peer.visit.emit("one", "é")
        await poll(lambda: told)
    assert told == [("one", ("é",))]
