"""A recording, played to a fresh client, tells it what the first one was told."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from scenes import DOCTOR, TIMEOUT, Scene

from messaging_client import (
    AuthenticationError,
    ConfigurationError,
    ConnectionChange,
    ConnectionState,
    CustomEvent,
    GapDetected,
    InvalidPayload,
    Message,
    MessagingClient,
    MessagingConfig,
    MessagingError,
    NotFound,
)
from messaging_client.recording import Replay, recording
from messaging_client.recording.reading import RequestLine, ResponseLine
from messaging_client.recording.script import Answers, Exchanged

QUICK = MessagingConfig(reconnection_delay=0.05, randomization_factor=0.0, settle_delay=0.2, max_retries=0)

Told = list[tuple[Any, ...]]


class Listener:
    """Everything about messages that a client is told, in order."""

    def __init__(self, client: MessagingClient) -> None:
        self.told: Told = []
        self._came = asyncio.Event()
        client.on_new_message(self._message, own=True)
        client.on_gap(self._gap)

    def _message(self, message: Message) -> None:
        self._note("message", message.id, message.conversation_id, message.late, message.timestamp, message.sender.id)

    def _gap(self, gap: GapDetected) -> None:
        self._note("gap", gap.conversation_id, gap.after, gap.before)

    def _note(self, *what: Any) -> None:
        self.told.append(what)
        self._came.set()

    async def until(self, predicate: Any) -> None:
        async with asyncio.timeout(TIMEOUT):
            while not predicate(self.told):
                self._came.clear()
                await self._came.wait()


def has(message_id: int) -> Any:
    return lambda told: any(each[:2] == ("message", message_id) for each in told)


async def eventful(scene: Scene, path: Path) -> Told:
    """Record a client that is told of a message twice, of one late, of one while it was away, and of a gap."""
    client = MessagingClient(scene.server.url, token=scene.server.token(*DOCTOR), config=QUICK)
    with recording(client, path) as recorder:
        async with client:
            heard = Listener(client)
            await client.join_conversation(scene.conversation)
            await scene.server.wait_until(lambda: scene.server.members(scene.conversation))
            await scene.server.wait_until(lambda: scene.requests("new_messages"))
            scene.server.faults.duplicate_events("new_message")
            first = await scene.say("Bonjour, je suis Marie Dupont")
            await heard.until(has(first["id_message"]))
            scene.server.faults.reorder_events("new_message")
            late, newer = await scene.say("un"), await scene.say("deux")
            await heard.until(lambda told: has(late["id_message"])(told) and has(newer["id_message"])(told))
            async with client.expect(ConnectionChange, lambda change: change.state is ConnectionState.CONNECTED):
                away = await scene.say("pendant la coupure", broadcast=False)
                await scene.server.faults.cut()
            await heard.until(has(away["id_message"]))
            scene.server.faults.answer("new_messages", 403)
            await scene.server.faults.cut()
            await heard.until(lambda told: told[-1][0] == "gap")
            await scene.server.wait_until(lambda: scene.server.members(scene.conversation))
            end = await scene.say("fin")
            await heard.until(has(end["id_message"]))
    assert recorder.summary().failure is None
    return heard.told


async def played(path: Path, count: int, speed: float | None) -> Told:
    async with Replay(path, speed=speed) as replay:
        client = MessagingClient(replay.url, token=replay.token, config=QUICK)
        async with client:
            heard = Listener(client)
            await client.join_conversation(1)
            await replay.wait_played(TIMEOUT)
            await heard.until(lambda told: len(told) >= count)
    return heard.told


@pytest.mark.parametrize("speed", [None, 1.0], ids=["fast", "as recorded"])
async def test_a_fresh_client_is_told_what_the_first_one_was(scene: Scene, tmp_path: Path, speed: float | None) -> None:
    path = tmp_path / "bug.jsonl"
    told = await eventful(scene, path)
    await scene.server.aclose()
    again = await played(path, len(told), speed)
    assert again == told
    assert [each[0] for each in told].count("gap") == 1


HEADER = {"kind": "header", "format": 1, "started": "", "client": "1", "server": "", "contents": False}


def written(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in (HEADER, *lines)))
    return path


def opened(link: int, *frames: tuple[str, Any], at: float = 0.0) -> list[dict[str, Any]]:
    """A connection with the server's frames, each as its beginning and its data."""
    handshake = {"kind": "frame", "dir": "in", "link": link, "type": "connect", "frame": "40", "data": {}, "t": at}
    told = [
        {"kind": "frame", "dir": "in", "link": link, "type": "event", "frame": head, "data": data, "t": at}
        for head, data in frames
    ]
    return [handshake, *told]


def exchange(number: int, path: str, query: dict[str, str] | None = None, **outcome: Any) -> list[dict[str, Any]]:
    asked = {"kind": "request", "id": number, "operation": "x", "method": "GET", "path": path, "query": query or {}}
    return [asked, {"kind": "response", "id": number, **outcome}]


def client_of(replay: Replay, **settings: Any) -> MessagingClient:
    config = MessagingConfig(reconnection_delay=0.05, max_retries=0, **settings)
    return MessagingClient(replay.url, token=replay.token, config=config)


async def test_a_frame_that_could_not_be_read_cannot_be_read_again(tmp_path: Path) -> None:
    unreadable = {"kind": "frame", "dir": "in", "link": 1, "type": "event", "frame": "42", "length": 9}
    before, after = opened(1, ("42", ["unknown_event", 1, "x"])), opened(1, ("42", ["unknown_event", 2]))[1:]
    path = written(tmp_path / "bug.jsonl", *before, unreadable, *after)
    async with Replay(path, speed=None) as replay:
        client = client_of(replay)
        async with client.events(CustomEvent, InvalidPayload) as events, client:
            came = [await anext(events) for _ in range(3)]
    assert [getattr(each, "args", None) for each in came] == [(1, "x"), None, (2,)]
    assert isinstance(came[1], InvalidPayload)


async def test_a_refused_handshake_is_refused_again(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "bug.jsonl"
    scene.server.faults.refuse_handshake("jwt of Dupont expired", count=2)
    first = MessagingClient(scene.server.url, token=scene.server.token(*DOCTOR))
    with recording(first, path), pytest.raises(AuthenticationError):
        await first.connect()
    await first.aclose()
    async with Replay(path) as replay:
        assert replay.connections == 2, "the second with the token asked for anew"
        for _ in range(2):
            second = client_of(replay)
            with pytest.raises(AuthenticationError):
                await second.connect()
            await second.aclose()


async def test_what_the_server_acknowledged_is_acknowledged(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "bug.jsonl"
    first = MessagingClient(scene.server.url, token=scene.server.token(*DOCTOR), config=QUICK)
    with recording(first, path):
        async with first:
            reply = await first.call("message_sent", {"message_id": 3})
            assert reply == {"status": "success"}
    async with Replay(path, speed=None) as replay, client_of(replay) as second:
        assert await second.call("message_sent", {"message_id": 4}) == reply
        with pytest.raises(MessagingError):
            await second.call("message_sent", {"message_id": 5}, timeout=0.2)


async def test_requests_get_what_was_recorded_in_that_order_and_the_last_again(tmp_path: Path) -> None:
    route, query = "/messaging/conversations/unread", {}
    empty = {"status": "success", "data": {"conversations": []}}
    path = written(
        tmp_path / "bug.jsonl",
        *exchange(1, route, query, status=503, body={"status": "error"}),
        *exchange(2, route, query, status=429, headers={"retry-after": "7"}, body={"status": "fail"}),
        *exchange(3, route, query, error="ConnectionLost"),
        *exchange(4, route, query, status=200, length=30, headers={"content-type": "text/html"}),
        *exchange(5, route, query, status=200, body=empty),
    )
    async with Replay(path) as replay:
        client = client_of(replay, cache_ttl=1e-6)
        seen: list[Any] = []
        for _ in range(6):
            try:
                seen.append(len((await client.get_unread_conversations()).items))
            except MessagingError as error:
                seen.append((type(error).__name__, getattr(error, "retry_after", None)))
        with pytest.raises(NotFound) as missing:
            await client.get_conversation_messages(9)
        assert "Not in the recording: GET /api/messaging/conversation/9/messages" in str(missing.value.server_message)
        assert [each.partition("?")[0] for each in replay.unknown] == ["GET /api/messaging/conversation/9/messages"]
        await client.aclose()
    assert seen == [
        ("ServerError", None),
        ("RateLimited", 7.0),
        ("ConnectionLost", None),
        ("UnexpectedResponse", None),
        0,
        0,
    ]


async def test_a_client_that_comes_back_gets_it_from_the_start(tmp_path: Path) -> None:
    path = written(tmp_path / "bug.jsonl", *opened(1, ("42", ["one", 1])))
    async with Replay(path, speed=None) as replay:
        for _ in range(2):
            client = client_of(replay)
            came = asyncio.Event()
            client.on("one", lambda *_args, came=came: came.set())
            async with client, asyncio.timeout(TIMEOUT):
                await came.wait()


async def test_a_frame_waits_for_what_was_asked_before_it(tmp_path: Path) -> None:
    route = "/messaging/conversations/unread"
    asked = exchange(1, route, status=200, body={"status": "success", "data": {"conversations": []}})
    path = written(tmp_path / "bug.jsonl", *opened(1), *asked, *opened(1, ("42", ["after", 1]))[1:])
    async with Replay(path, speed=None) as replay:
        order: list[str] = []
        client = client_of(replay)
        client.on("after", lambda *_args: order.append("event"))
        async with client, client.events(CustomEvent) as events:
            for _ in range(3):  # what was not recorded counts for nothing, and takes its time
                with pytest.raises(NotFound):
                    await client.get_conversation_messages(9)
            order.append("request")
            await client.get_unread_conversations()
            async with asyncio.timeout(TIMEOUT):
                await anext(events)
    assert order == ["request", "event"]


async def test_a_frame_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("messaging_client.recording.replay.PATIENCE", 0.05)
    asked = exchange(1, "/x", status=200)
    path = written(tmp_path / "bug.jsonl", *opened(1), *asked, *opened(1, ("42", ["after", 1]))[1:])
    news: list[str] = []
    async with Replay(path, speed=None, on_news=news.append) as replay, client_of(replay):
        await replay.wait_played(TIMEOUT)
    assert news[:3] == [
        "connection 1 of 1",
        "the client does not do all that the recorded one did; going on",
        "everything has been played",
    ]


@pytest.mark.parametrize("speed", [0, -1, 1001, float("nan")])
def test_a_speed_that_cannot_be_is_refused(tmp_path: Path, speed: float) -> None:
    with pytest.raises(ConfigurationError, match="speed"):
        Replay(written(tmp_path / "bug.jsonl"), speed=speed)


async def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    path = written(tmp_path / "bug.jsonl")
    async with Replay(path) as one:
        with pytest.raises(OSError, match="in use"):
            await Replay(path, port=int(one.url.rpartition(":")[2])).__aenter__()


def test_how_answers_are_chosen() -> None:
    def recorded(number: int, query: dict[str, str]) -> Exchanged:
        request = RequestLine(kind="request", id=number, operation="x", method="GET", path="/c/1/new", query=query)
        return Exchanged(request, ResponseLine(kind="response", id=number, status=200))

    answers = Answers(
        [
            recorded(1, {"since": "a", "limit": "50"}),
            recorded(2, {"since": "b", "limit": "50"}),
            recorded(3, {"since": "b", "limit": "50"}),
            recorded(4, {"since": "c", "limit": "50", "page": "2"}),
        ]
    )

    def chosen(path: str, **query: str) -> int | None:
        found = answers.answer("GET", path, query)
        return None if found is None else found.id

    assert chosen("/api/c/1/new", since="b", limit="50") == 2, "the same time"
    assert chosen("/c/1/new", since="z", limit="20") == 1, "the first that nobody had"
    assert chosen("/api/v2/c/1/new", since="b", limit="50") == 3
    assert chosen("/api/c/1/new", since="a", limit="50") == 1, "the last of the same time again"
    assert chosen("/api/c/1/new", since="z", limit="50") == 3, "the last again"
    assert chosen("/api/c/1/new", since="c", limit="50", page="2") == 4
    assert chosen("/api/c/1/new", since="c", page="3") is None, "another page is another thing"
    assert chosen("/api/c/2/new", since="a") is None
    answers.rewind()
    assert chosen("/c/1/new", since="z", limit="20") == 1
