"""The short way past the library, held against the library's own way frame by frame; and its switch."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import engineio
import pytest
import socketio
from aiohttp import WSMessage, WSMsgType
from engineio import packet as engine_packet
from hypothesis import given
from hypothesis import strategies as st
from lines import make_config
from peers import Peer, Visit, poll

from messaging_client.clock import SystemClock
from messaging_client.models import ConnectionCause as Cause
from messaging_client.transport import fast_path
from messaging_client.transport.engine import UNREAD_LIMIT
from messaging_client.transport.frames import BATCH
from messaging_client.transport.link import Link
from messaging_client.transport.packets import INVALID_FRAME

# --- both ways on the same frames -------------------------------------------------------------------------------------

Outcome = tuple[Any, ...]


class Reader:
    """A link without a network, that is given frames as if they had come; notes all that comes of them."""

    def __init__(self, *, is_fast: bool, recovers: bool = False, raises: frozenset[str] = frozenset()) -> None:
        self.told: list[Outcome] = []
        self.taken = 0
        self._raises = raises
        self._is_fast = is_fast
        self.link = Link(make_config(), clock=SystemClock(), on_event=self._event, ssl_context=None)
        self.link.sio.recovers = recovers
        self.link.sio.namespaces["/"] = "sid"
        self.link.sio.eio.state = "connected"
        self.asked = {}
        for _ in range(3):
            number, reply = self.link.replies.expect()
            self.asked[number] = reply

    def _event(self, name: str, args: tuple[Any, ...]) -> None:
        self.told.append((name, args))
        if name in self._raises:
            raise ValueError(name)

    async def read(self, frame: str | bytes) -> None:
        """As `Engine._read_frames`."""
        if self._is_fast and isinstance(frame, str) and self.link.sio.take_text(frame):
            self.taken += 1
            return
        try:
            packet = engine_packet.Packet(encoded_packet=frame)
        except ValueError:
            self.link.end(Cause.CONNECTION_LOST)
        else:
            await self.link.sio.eio._receive_packet(packet)

    def outcome(self) -> Outcome:
        sio = self.link.sio
        done = {number: reply for number, reply in self.asked.items() if reply.done()}
        replies = {number: reply.exception() or reply.result() for number, reply in done.items()}
        sent = [packet.encode() for packet in sio.eio.queue._queue]
        ended = self.link.ended.result() if self.link.ended.done() else None
        return exact(self.told), exact(replies), sent, ended, sio._binary_packet is None


def exact(value: Any) -> Any:
    """A value with its types, so that 1, 1.0 and True differ, and not-a-number is itself."""
    if isinstance(value, dict):
        return "dict", [(exact(key), exact(each)) for key, each in value.items()]
    if isinstance(value, list | tuple):
        return type(value).__name__, [exact(each) for each in value]
    return type(value).__name__, repr(value)


def compare(frames: list[str | bytes], **settings: Any) -> int:
    """Both ways give the same; gives how many frames took the short one."""

    async def both() -> int:
        short, long = Reader(is_fast=True, **settings), Reader(is_fast=False, **settings)
        for frame in frames:
            for reader in (short, long):
                await reader.read(frame)
            assert short.outcome() == long.outcome(), frame
        return short.taken

    return asyncio.run(both())


texts = st.text(max_size=8) | st.sampled_from(["é", "\ud83d\ude00", "\u2028", "\0", "\\ud800", "NaN", "-", "/"])
numbers = st.integers() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda each: st.lists(each, max_size=4) | st.dictionaries(texts, each, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(
    ["new_message", "typing", "connect", "disconnect", "connect_error", "__disconnect_final", "*", INVALID_FRAME, ""]
) | st.text(max_size=5)
offsets = st.sampled_from(
    ["PAbcdef", "PAbcdef.12", "1712345678901-0", "0123456789abcdef01234567", "PAbcdefg", "Pabc", "PAbcdef\n"]
)


def dumped(value: Any, ascii_only: bool) -> str:
    return json.dumps(value, ensure_ascii=ascii_only)


events = st.builds(
    lambda name, args, offset, ascii_only: "42" + dumped([name, *args, *offset], ascii_only),
    names,
    st.lists(values, max_size=3),
    st.lists(offsets, max_size=1),
    st.booleans(),
)
acknowledgements = st.builds(
    lambda number, args: f"43{number}{json.dumps(args)}",
    st.sampled_from(["0", "1", "2", "3", "4", "01", "", "1-", "٣", "9" * 19, "9" * 101]),
    st.lists(values, max_size=2),
)
others = st.sampled_from(
    [
        "42",
        "42[",
        "42[]",
        "42[[]]",
        "42[1]",
        "42[null]",
        '42["e"',
        '42["e"]x',
        '42["e",]',
        '42["e",NaN]',
        '42["e",-Infinity]',
        '42["e",1e400]',
        '42["e",18446744073709551616]',
        '42["e",-9223372036854775809]',
        '42["e","\\ud800"]',
        '42["e",{"a":1,"b":2,"a":3}]',
        '42["e"] ',
        ' 42["e"]',
        '42 ["e"]',
        "42" + "[" * 300 + "]" * 300,
        "42" + "[" * 100_000,
        '42["e",' + "9" * 5000 + "]",
        '421["e"]',
        '42/,["e"]',
        '42/admin,["e",1]',
        '42/admin,1["e"]',
        "42{}",
        '42"e"',
        "43[1]",
        "431",
        "431{}",
        "431[",
        "43/admin,1[1]",
        "43/,1[1]",
        '40{"sid":"again"}',
        "44{}",
        "41/admin,",
        '451-["e",{"_placeholder":true,"num":0}]',
        '4510-["e"]',
        '461-1[{"_placeholder":true,"num":0}]',
        b"bytes",
        "bQUJD",
        "2",
        "2probe",
        "3",
        "6",
        "5",
        "4",
        "4x",
        "47",
        '4{"a":1}',
        "48[1]",
        "0{}",
    ]
)
frames = st.one_of(events, acknowledgements, others)


@given(st.lists(frames, max_size=12), st.booleans(), st.sampled_from([frozenset(), frozenset({"new_message"})]))
def test_any_frames_have_the_same_outcome_both_ways(
    given: list[str | bytes], recovers: bool, raises: frozenset[str]
) -> None:
    compare(given, recovers=recovers, raises=raises)


@given(st.text(alphabet='42[]3{}"e,:\\u0d8-/ \n', max_size=30))
def test_any_text_that_begins_like_one_has_the_same_outcome_both_ways(rest: str) -> None:
    for beginning in ("42[", '42["e"', "43", "431["):
        compare([beginning + rest])


@given(st.lists(st.builds(lambda args: "42" + json.dumps(["e", *args]), st.lists(values, max_size=2)), min_size=1))
def test_plain_events_take_the_short_way(given: list[str | bytes]) -> None:
    assert compare(given) == len(given)
    assert compare(given, recovers=True) == len(given)


@pytest.mark.parametrize(
    ("frame", "taken"),
    [
        ('42["e",1]', 1),
        ('42["e",18446744073709551616]', 1),
        ('432[{"ok":true}]', 1),
        ("4399[1]", 1),
        ('42["connect"]', 0),
        (f"42[{json.dumps(INVALID_FRAME)},1,2]", 0),
        ("42[1]", 0),
        ('421["e"]', 0),
        ('42/admin,["e"]', 0),
        ('42["e",NaN]', 0),
        ("430[1]", 0),
        ("2", 1),
        ("2probe", 0),
    ],
)
def test_what_takes_the_short_way(frame: str, taken: int) -> None:
    assert compare([frame]) == taken


def test_what_stands_between_a_packet_and_its_attachment_is_left_to_the_library() -> None:
    assert compare(['451-["e",{"_placeholder":true,"num":0}]', '42["e",1]', b"late", '42["e",2]']) == 1


def test_the_integers_stay_integers() -> None:
    async def told(frame: str) -> Any:
        reader = Reader(is_fast=True)
        await reader.read(frame)
        return reader.told

    assert asyncio.run(told('42["e",{"id":18446744073709551616}]')) == [("e", ({"id": 2**64},))]


@pytest.mark.parametrize("is_fast", [True, False])
@pytest.mark.parametrize("state", ["connected", "disconnected"])
def test_a_ping_is_answered_while_there_is_a_connection(is_fast: bool, state: str) -> None:
    async def outcome() -> list[str]:
        reader = Reader(is_fast=is_fast)
        reader.link.sio.eio.state = state
        await reader.read("2")
        return [packet.encode() for packet in reader.link.sio.eio.queue._queue]

    assert asyncio.run(outcome()) == (["3"] if state == "connected" else [])


@pytest.mark.parametrize("is_fast", [True, False])
def test_a_server_that_reads_no_answers_is_left_on_its_next_event(is_fast: bool) -> None:
    async def outcome() -> Outcome:
        reader = Reader(is_fast=is_fast)
        for _ in range(UNREAD_LIMIT + 1):
            reader.link.sio.eio.queue.put_nowait(engine_packet.Packet(engine_packet.PONG))
        await reader.read('42["e"]')
        return reader.told, reader.link.ended.result()

    assert asyncio.run(outcome()) == ([], Cause.CONNECTION_LOST)


# --- on a real connection ---------------------------------------------------------------------------------------------


@asynccontextmanager
async def linked(url: str, told: list[Any]) -> AsyncIterator[Link]:
    link = Link(make_config(), clock=SystemClock(), on_event=lambda *each: told.append(each), ssl_context=None)
    try:
        await link.open(url, "/socket.io", {})
        yield link
    finally:
        await link.close()


@pytest.fixture(params=["1", "0"], ids=["fast", "slow"])
def switch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setenv(fast_path.VARIABLE, request.param)
    return bool(request.param == "1")


async def test_what_goes_through_a_socket_is_the_same(switch: bool) -> None:
    told: list[Any] = []
    async with Peer() as peer, linked(peer.url, told) as link:
        assert link.is_fast is switch
        reply = await link.ask("ask", 1)
        await peer.until(lambda: peer.visit.events)
        await peer.visit.emit("one", {"é": 2**70})
        await peer.visit.acknowledge(peer.visit.events[0], "yes", 2)
        await peer.visit.send('451-["two",{"_placeholder":true,"num":0}]')
        await peer.visit.send(b"bytes")
        await peer.visit.send('427["three"]')
        await peer.visit.send("42[oops")
        await peer.visit.send("2")
        await peer.visit.emit("four")
        assert await asyncio.wait_for(reply, 20) == ("yes", 2)
        await poll(lambda: len(told) == 5)
        assert told == [
            ("one", ({"é": 2**70},)),
            ("two", (b"bytes",)),
            ("three", ()),
            (INVALID_FRAME, ("Expecting value", "2[oops")),
            ("four", ()),
        ]
        await peer.until(lambda: {"437[]", "3"} <= set(peer.visit.frames))


@pytest.mark.parametrize(
    ("frame", "cause"),
    [
        ("41", Cause.SERVER_DISCONNECT),
        ("1", Cause.SERVER_DISCONNECT),
        ("", Cause.CONNECTION_LOST),
        ("x", Cause.CONNECTION_LOST),
        ("4" * 5_000_000, Cause.FRAME_TOO_LARGE),
        (None, Cause.CONNECTION_LOST),
    ],
    ids=["disconnect", "close", "empty", "nonsense", "too large", "gone"],
)
async def test_every_end_is_the_same_and_nothing_is_told_after_it(
    switch: bool, frame: str | None, cause: Cause
) -> None:
    told: list[Any] = []
    async with Peer() as peer, linked(peer.url, told) as link:
        assert link.is_fast is switch
        await peer.visit.emit("before")
        if frame is None:
            peer.visit.abort()
        else:
            with contextlib.suppress(ConnectionError):  # it may be over already
                await peer.visit.send(frame)
                await peer.visit.emit("after")
        assert await asyncio.wait_for(asyncio.shield(link.ended), 20) is cause
    assert told == [("before", ())] or (frame is None and not told)


async def test_what_comes_while_the_link_is_left_is_not_told(switch: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    async with Peer() as peer, linked(peer.url, told) as link:
        assert link.is_fast is switch
        say_goodbye = link._say_goodbye

        async def slowly() -> None:
            await peer.visit.emit("late")
            await peer.visit.emit("later", "x" * 100_000)
            await asyncio.sleep(0.05)  # for what must not come there is no event
            await say_goodbye()

        monkeypatch.setattr(link, "_say_goodbye", slowly)
        await link.close(politely=True)
    assert told == []


async def test_silence_ends_the_link_though_only_events_came(switch: bool) -> None:
    told: list[Any] = []

    async def brief(visit: Visit) -> None:
        await visit.welcome(ping_interval=0.3, ping_timeout=0.2)
        for number in range(4):
            await asyncio.sleep(0.2)  # each before the server's promise is over, all of them after it
            await visit.emit("n", number)
        await visit.stay()

    async with Peer(brief) as peer, linked(peer.url, told) as link:
        cause = await asyncio.wait_for(asyncio.shield(link.ended), 20)
        assert cause in ({Cause.PING_TIMEOUT} if switch else {Cause.PING_TIMEOUT, Cause.CONNECTION_LOST})
        assert [args[0] for _, args in told] == [0, 1, 2, 3]


async def test_others_have_their_turn_during_a_flood_and_pings_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """All frames are there at once, and reading one never waits."""
    told: list[Any] = []
    turns: list[int] = []
    link = Link(make_config(), clock=SystemClock(), on_event=lambda *each: told.append(each), ssl_context=None)
    waiting = ['42["n"]'] * (BATCH * 10) + ["2"] + ['42["n"]'] * (BATCH * 10)

    class Socket:
        async def receive(self) -> Any:
            if not waiting:
                link.end(Cause.DISCONNECT)
                return WSMessage(WSMsgType.CLOSED, None, None)
            return WSMessage(WSMsgType.TEXT, waiting.pop(0), "")

    async def other() -> None:
        while not link.ended.done():
            turns.append(len(told))
            await asyncio.sleep(0)

    engine = link.sio.eio
    engine.ws, engine.state, engine.write_loop_task = Socket(), "connected", asyncio.create_task(asyncio.sleep(20))
    others = asyncio.create_task(other())
    await engine._read_frames()
    await others
    assert len(told) == BATCH * 20
    assert max(later - earlier for earlier, later in itertools.pairwise(turns)) <= BATCH
    assert [packet.encode() for packet in engine.queue._queue] == ["3"]
    engine.write_loop_task.cancel()
    await link.close()


# --- the switch -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("given", "is_usable"), [(None, True), ("1", True), ("", True), ("0", False), (" 0 ", False)])
def test_the_switch(given: str | None, is_usable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(fast_path.VARIABLE, raising=False)
    if given is not None:
        monkeypatch.setenv(fast_path.VARIABLE, given)
    assert fast_path.is_usable() is is_usable


@pytest.mark.parametrize(
    ("versions", "is_known"),
    [
        ({"python-socketio": "5.18.1", "python-engineio": "4.15.1"}, True),
        ({"python-socketio": "5.14.0", "python-engineio": "4.12.3"}, True),
        ({"python-socketio": "5.19.0", "python-engineio": "4.15.1"}, False),
        ({"python-socketio": "5.18.1", "python-engineio": "4.16.0"}, False),
        ({"python-socketio": "5.18.1", "python-engineio": "unknown"}, False),
        ({"python-socketio": "5.18.1"}, False),
    ],
)
def test_libraries_that_nobody_has_looked_at_are_left_alone(
    versions: dict[str, str], is_known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        if name not in versions:
            raise fast_path.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(fast_path.metadata, "version", version)
    assert fast_path._are_libraries_known.__wrapped__() is is_known


def test_the_libraries_that_are_installed_are_known() -> None:
    """If not: compare `_read_loop_websocket`, `Packet` and what `engine.py` names with the new version; then add it."""
    assert fast_path._are_libraries_known(), (socketio.__version__, engineio.__version__)


def test_on_uvloop() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def talk() -> None:
        told: list[Any] = []
        async with Peer() as peer, linked(peer.url, told) as link:
            for number in range(200):
                await link.emit("n", number)
            asking = asyncio.create_task(link.call("ask", {}, 20.0))
            await peer.until(lambda: len(peer.visit.events) == 201)
            assert [each.args[0] for each in peer.visit.events[:-1]] == list(range(200))
            await peer.visit.emit("one", 1)
            await peer.visit.acknowledge(peer.visit.events[-1], "yes")
            assert await asking == "yes"
            assert told == [("one", (1,))]
            peer.visit.abort()
            assert await asyncio.wait_for(asyncio.shield(link.ended), 20) is Cause.CONNECTION_LOST

    uvloop.run(talk())
