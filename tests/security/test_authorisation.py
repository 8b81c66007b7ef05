"""Every route and every event of the embedded server against everybody who may not use it. The table is generated."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import socketio
from intruders import (
    ASKS,
    BAD_TOKENS,
    CONTENT,
    DOCTOR,
    EVENTS,
    HARMLESS,
    NAMESAKE,
    NEIGHBOUR,
    PATIENT,
    PUBLIC,
    SECRET,
    STRANGER,
    TO_THEMSELVES,
    Ask,
    User,
    dump,
    events_of_the_server,
    filled,
    options,
    routes_of_the_server,
)

from messaging_client.testing import MessagingServer

TIMEOUT = 20.0
STATUS_OF_A_BAD_TOKEN = 401

WITH_BODY = [ask for ask in ASKS if ask.body is not None]
MALFORMED: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "no UTF-8": b'{"contenu": "\xff"}',
    "a list": b"[]",
    "a text": b'"contenu"',
    "not finite": b'{"contenu": NaN}',
    "too deep": b'{"x":' * 2000 + b"1" + b"}" * 2000,
    "wrong types": json.dumps(
        {name: [{}] for name in ("contenu", "messages", "conversation_id", "titre", "participants")}
    ).encode(),
    "a lone surrogate": b'{"contenu": "\\ud800", "titre": "\\ud800", "participants": [], "messages": ["\\ud800"]}',
    "digits": b'{"contenu": ' + b"9" * 5000 + b"}",
}
OVERSIZED = b'{"contenu": "' + b"x" * 50_000 + b'"}'


@pytest.fixture
async def server() -> AsyncIterator[MessagingServer]:
    async with MessagingServer(secret=SECRET, options=options(max_body_size=20_000)) as running:
        await filled(running)
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(TIMEOUT)) as session:
        yield session


async def answer(
    http: aiohttp.ClientSession, server: MessagingServer, ask: Ask, token: str | None, **given: Any
) -> tuple[int, str]:
    """Status and text of an answer; `body=` in place of the right one."""
    target = given.get("target") or ask.target()
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    body = given.get("body", b"" if ask.body is None else json.dumps(ask.body).encode())
    async with http.request(
        ask.method,
        f"{server.url}/api{target}",
        params=given.get("query", ask.query),
        data=body,
        headers=headers | {"Content-Type": "application/json"} | given.get("headers", {}),
    ) as response:
        return response.status, await response.text()


def is_refusal(text: str) -> bool:
    return json.loads(text)["status"] in ("fail", "error") and CONTENT not in text


# --- the table ----------------------------------------------------------------------------------------------------


async def test_nothing_was_forgotten(server: MessagingServer) -> None:
    """A new route or event is not served untested."""
    assert sorted(set(routes_of_the_server())) == sorted(ask.name for ask in ASKS)
    assert events_of_the_server(server) == set(EVENTS)
    for ask in ASKS:
        assert set(ask.others) == {NAMESAKE, STRANGER, NEIGHBOUR}, ask.name
        assert (200 in ask.others.values()) is (ask.name in TO_THEMSELVES), ask.name


async def test_whom_it_concerns_gets_it(server: MessagingServer, http: aiohttp.ClientSession) -> None:
    """So that the refusals below are for want of the right, not of a well-formed request."""
    for ask in ASKS:
        status, text = await answer(http, server, ask, server.token(*ask.by))
        assert status in (200, 201), (ask.name, text)
        assert json.loads(text)["status"] == "success", ask.name


@pytest.mark.parametrize("kind", BAD_TOKENS)
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_routes_without_a_good_token(server: MessagingServer, http: aiohttp.ClientSession, kind: str) -> None:
    before = dump(server)
    for ask in ASKS:
        status, text = await answer(http, server, ask, BAD_TOKENS[kind](server, ask.by))
        if ask.name in PUBLIC:
            assert (status, json.loads(text)["data"]) == (200, {"uptime": "ok"})
        else:
            assert (status, is_refusal(text)) == (STATUS_OF_A_BAD_TOKEN, True), (ask.name, status, text)
    assert dump(server) == before


@pytest.mark.parametrize("user", [NAMESAKE, STRANGER, NEIGHBOUR], ids=["same id", "doctor", "patient"])
async def test_routes_for_other_people(server: MessagingServer, http: aiohttp.ClientSession, user: User) -> None:
    before = dump(server)
    for ask in ASKS:
        status, text = await answer(http, server, ask, server.token(*user))
        assert status == ask.others[user], (ask.name, status, text)
        assert CONTENT not in text, ask.name
        if status == 200:
            assert TO_THEMSELVES[ask.name](json.loads(text)["data"], user), (ask.name, text)
        else:
            assert is_refusal(text), (ask.name, text)
    assert dump(server) == before


@pytest.mark.parametrize("kind", MALFORMED)
async def test_routes_with_a_malformed_body(server: MessagingServer, http: aiohttp.ClientSession, kind: str) -> None:
    before = dump(server)
    for ask in WITH_BODY:
        status, text = await answer(http, server, ask, server.token(*ask.by), body=MALFORMED[kind])
        assert (status, is_refusal(text)) == (400, True), (ask.name, status, text)
    assert dump(server) == before


async def test_routes_with_an_oversized_body(server: MessagingServer, http: aiohttp.ClientSession) -> None:
    before = dump(server)
    for ask in ASKS:
        for token in (server.token(*ask.by), None):
            status, text = await answer(http, server, ask, token, body=OVERSIZED)
            assert (status, is_refusal(text)) == (413, True), (ask.name, status, text)
    assert dump(server) == before


async def test_ids_cannot_be_guessed(server: MessagingServer, http: aiohttp.ClientSession) -> None:
    """What is there and belongs to others, and what is not there, give the very same answer."""
    for ask in ASKS:
        for user, expected in ask.others.items():
            if "id" not in ask.values or expected == 200:
                continue
            given = [ask.target({**ask.values, "id": number}) for number in (ask.values["id"], 424242)]
            answers = [await answer(http, server, ask, server.token(*user), target=target) for target in given]
            assert answers[0] == answers[1], (ask.name, user)


SQL = (
    "1 OR 1=1",
    "1; DROP TABLE messages",
    "1'; DELETE FROM messages; --",
    "' UNION SELECT * FROM messages --",
    '") OR ("1"="1',
    "%' OR '%'='",
    "1\0",
)


def variants(value: Any, text: str) -> list[Any]:
    """The value with each of its leaves replaced by a text, one at a time."""
    if isinstance(value, dict):
        return [{**value, name: each} for name, inner in value.items() for each in variants(inner, text)]
    if isinstance(value, list):
        return [[*value[:n], each, *value[n + 1 :]] for n, inner in enumerate(value) for each in variants(inner, text)]
    return [text]


@pytest.mark.parametrize("text", SQL)
async def test_sql_through_every_parameter(server: MessagingServer, http: aiohttp.ClientSession, text: str) -> None:
    """Of the stranger, who then has nothing but what is the stranger's own; and of the owner, who breaks nothing."""
    before = dump(server)
    stored = server.messages(1)
    quoted = "".join(f"%{byte:02X}" for byte in text.encode())
    for ask in ASKS:
        for user in (STRANGER, ask.by):
            token = server.token(*user)
            tries: list[dict[str, Any]] = [{"target": ask.target({**ask.values, name: quoted})} for name in ask.values]
            tries += [
                {"query": {**ask.query, name: text}} for name in ("page", "limit", "statut", "since", "sort", "id")
            ]
            if ask.body is not None:
                tries += [{"body": json.dumps(body).encode()} for body in variants(ask.body, text)]
                tries += [{"headers": {"Idempotency-Key": text.replace("\0", "")}}]
            for given in tries:
                status, answered = await answer(http, server, ask, token, **given)
                assert status in (200, 201, 400, 403, 404), (ask.name, given, status, answered)
                if user == STRANGER:
                    assert CONTENT not in answered, (ask.name, given)
    assert server.messages(1)[: len(stored)] == [{**stored[0], **server.messages(1)[0]}]
    names = {line.split('"')[1] for line in before.splitlines() if line.startswith("INSERT INTO")}
    assert names <= {line.split('"')[1] for line in dump(server).splitlines() if line.startswith("INSERT INTO")}
    assert server._memory().store._db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    # What was stored was stored as it was written.
    texts = {message["contenu"] for message in server.messages(1)}
    assert texts <= {stored[0]["contenu"], "bonjour", text}


# --- events -------------------------------------------------------------------------------------------------------


class Caller:
    """A bare Socket.IO client."""

    def __init__(self) -> None:
        self.sio = socketio.AsyncClient(reconnection=False, handle_sigint=False)
        self.heard: list[tuple[str, Any]] = []
        self.sio.on("*", self._take)

    async def _take(self, event: str, *args: Any) -> None:
        self.heard.append((event, args))

    async def settle(self) -> None:
        """All that was sent before has come: an event that is answered is answered last."""
        await self.sio.call("message_sent", {}, timeout=TIMEOUT)

    def of(self, *names: str) -> list[Any]:
        return [each for each in self.heard if each[0] in names]


@contextlib.asynccontextmanager
async def called(server: MessagingServer, user: User) -> AsyncIterator[Caller]:
    caller = Caller()
    await caller.sio.connect(
        server.url, auth={"token": server.token(*user)}, transports=["websocket"], wait_timeout=TIMEOUT
    )
    try:
        yield caller
    finally:
        await caller.sio.disconnect()


MESSAGES = ("new_message", "user_typing", "note_shared")


async def test_the_owner_is_heard(server: MessagingServer) -> None:
    """So that the silence below is not for want of a well-formed event."""
    await server.say(1, "of the patient", PATIENT)
    async with called(server, PATIENT) as patient, called(server, DOCTOR) as doctor:
        for caller in (patient, doctor):
            await caller.sio.emit("join_conversation", EVENTS["join_conversation"])
            await caller.settle()
        for event in ("typing", "new_message", "send_message", "note_shared"):
            payload = EVENTS[event] | ({"id": 2} if event == "new_message" else {})
            reply = await patient.sio.call(event, payload, timeout=TIMEOUT)
            assert not (isinstance(reply, dict) and reply.get("status") == "error"), (event, reply)
        await doctor.settle()
        assert {name for name, _ in doctor.of(*MESSAGES)} == set(MESSAGES)


@pytest.mark.parametrize("user", [NAMESAKE, STRANGER, NEIGHBOUR], ids=["same id", "doctor", "patient"])
@pytest.mark.parametrize("event", EVENTS)
async def test_events_of_other_people(server: MessagingServer, event: str, user: User) -> None:
    """Strangers' rooms cannot be joined, typed in, written to, or told of messages, real or forged."""
    async with called(server, DOCTOR) as doctor, called(server, user) as intruder:
        await doctor.sio.emit("join_conversation", EVENTS["join_conversation"])
        await doctor.settle()
        before = dump(server)
        reply = await intruder.sio.call(event, EVENTS[event], timeout=TIMEOUT)
        assert (event in HARMLESS) is not (isinstance(reply, dict) and reply["status"] == "error"), reply
        await doctor.settle()
        assert doctor.of(*MESSAGES, "conversation_updated", "notification") == []
        assert [member.id for member in server.members(1)] == [79]
        assert dump(server) == before
        # And nothing of the conversation comes to who knocked at it.
        await server.say(1, CONTENT, DOCTOR)
        await server.typing(1, DOCTOR)
        await intruder.settle()
        assert CONTENT not in str(intruder.heard)
        assert intruder.of(*MESSAGES, "conversation_updated", "notification") == []


@pytest.mark.parametrize("forged", [{"id": 1}, {"id": 424242}, {"id": "1 OR 1=1"}, {}, {"message": {"id": 1}}])
async def test_a_relay_of_what_one_did_not_send(server: MessagingServer, forged: Any) -> None:
    """Not even by a participant: the message is the doctor's; nothing of a payload is believed."""
    async with called(server, PATIENT) as patient, called(server, DOCTOR) as doctor:
        await doctor.sio.emit("join_conversation", EVENTS["join_conversation"])
        await doctor.settle()
        payload = {"conversation_id": 1, "content": "forged", "sender": {"id": 79, "type": "medecin"}, **forged}
        reply = await patient.sio.call("new_message", payload, timeout=TIMEOUT)
        assert reply["status"] == "error"
        await doctor.settle()
        assert doctor.of(*MESSAGES) == []


async def test_a_relay_tells_what_is_stored(server: MessagingServer) -> None:
    await server.say(1, "as stored", PATIENT, broadcast=False)
    async with called(server, PATIENT) as patient, called(server, DOCTOR) as doctor:
        await doctor.sio.emit("join_conversation", EVENTS["join_conversation"])
        await doctor.settle()
        forged = {"id": 2, "content": "forged", "conversation_id": 2, "sender": {"id": 79, "type": "medecin"}}
        await patient.sio.call("new_message", forged, timeout=TIMEOUT)
        await doctor.settle()
        ((_, (told,)),) = doctor.of("new_message")
        assert "as stored" in str(told)
        assert "forged" not in str(told)
        assert told["sender"]["id"] == 5


@pytest.mark.parametrize("kind", BAD_TOKENS)
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_events_without_a_good_token(server: MessagingServer, http: aiohttp.ClientSession, kind: str) -> None:
    """The handshake is refused, and events that are sent all the same are not heard."""
    token = BAD_TOKENS[kind](server, PATIENT)
    before = dump(server)
    async with http.ws_connect(f"{server.url}/socket.io/?EIO=4&transport=websocket") as ws:
        assert (await ws.receive_str(timeout=TIMEOUT)).startswith("0")
        for event, payload in EVENTS.items():  # before any handshake
            await ws.send_str("42" + json.dumps([event, payload]))
        await ws.send_str("40" + json.dumps({} if token is None else {"token": token}))
        assert (await ws.receive_str(timeout=TIMEOUT)).startswith('44{"message":"Authentication error"')
        with contextlib.suppress(ConnectionError):  # it may have hung up
            for event, payload in EVENTS.items():
                await ws.send_str("42" + json.dumps([event, payload]))
            await ws.send_str("40" + json.dumps({} if token is None else {"token": token}))
        with contextlib.suppress(TypeError):  # what is no text is its end
            while (said := await ws.receive_str(timeout=TIMEOUT)) and not said.startswith("44"):
                assert CONTENT not in said
    assert server.events == ()
    assert server.connections() == []
    assert dump(server) == before


async def test_events_before_authenticate() -> None:
    """On a server that wants the event, and of somebody else than the token names."""
    async with MessagingServer(secret=SECRET, options=options(authenticate_event=True)) as server:
        await filled(server)
        before = dump(server)
        async with called(server, PATIENT) as patient:
            for event, payload in EVENTS.items():
                if event != "authenticate":
                    reply = await patient.sio.call(event, payload, timeout=TIMEOUT)
                    assert reply["status"] == "error", event
            for other in (NAMESAKE, DOCTOR):
                claimed = {"userId": other[1], "userType": other[0]}
                assert (await patient.sio.call("authenticate", claimed, timeout=TIMEOUT))["status"] == "error"
            assert server.rooms() == {}
            assert (await patient.sio.call("authenticate", EVENTS["authenticate"], timeout=TIMEOUT))["success"]
        assert dump(server) == before


MALFORMED_PAYLOADS: tuple[Any, ...] = (
    None,
    "nonsense",
    7,
    [],
    {},
    {"conversationId": {"$ne": None}},
    {"conversationId": "1 OR 1=1", "message": {"content": "x"}},
    {"conversationId": -1, "userId": -1, "userType": [], "id": []},
    {"conversationId": 10**30, "id": 10**30, "userId": 10**30},
    {"conversationId": "1'; DROP TABLE messages; --", "id": "1'; --", "userId": "1'; --"},
    {"conversationId": 1.5, "message": [], "id": True},
)


@pytest.mark.parametrize("event", EVENTS)
async def test_events_with_a_malformed_payload(server: MessagingServer, event: str) -> None:
    before = dump(server)
    async with called(server, PATIENT) as patient:
        for payload in MALFORMED_PAYLOADS:
            reply = await patient.sio.call(event, payload, timeout=TIMEOUT)
            assert event in HARMLESS or reply["status"] == "error", (payload, reply)
        assert patient.sio.connected
    assert dump(server) == before


@pytest.mark.parametrize("event", EVENTS)
async def test_events_that_are_too_large(http: aiohttp.ClientSession, event: str) -> None:
    """The connection is cut, and others stay."""
    async with MessagingServer(secret=SECRET, options=options(max_http_buffer_size=10_000)) as server:
        await filled(server)
        before = dump(server)
        async with called(server, DOCTOR) as doctor:
            async with http.ws_connect(f"{server.url}/socket.io/?EIO=4&transport=websocket") as ws:
                await ws.receive_str(timeout=TIMEOUT)
                await ws.send_str("40" + json.dumps({"token": server.token(*PATIENT)}))
                assert (await ws.receive_str(timeout=TIMEOUT)).startswith("40")
                await ws.send_str("42" + json.dumps([event, {**EVENTS[event], "more": "x" * 20_000}]))
                async with asyncio.timeout(TIMEOUT):
                    while (await ws.receive()).type is aiohttp.WSMsgType.TEXT:
                        pass
            await server.wait_until(lambda: not server.connections(PATIENT), timeout=TIMEOUT)
            await doctor.settle()
        assert event not in [each.event for each in server.events if each.event != "message_sent"]
        assert dump(server) == before


def test_how_many_cases_there_are() -> None:
    """The documentation says how many; the number is made here."""
    routes = len(ASKS) * (len(BAD_TOKENS) + 3 + 2) + len(WITH_BODY) * len(MALFORMED)
    events = len(EVENTS) * (len(BAD_TOKENS) + 3 + len(MALFORMED_PAYLOADS) + 1)
    page = (Path(__file__).parents[2] / "docs/security.md").read_text(encoding="utf-8")
    assert f"{routes} cases of routes" in page
    assert f"{events} of events" in page
