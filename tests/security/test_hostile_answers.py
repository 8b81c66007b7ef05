"""An untrusted server over REST: each route, in every wrong way, to the real client; and lists without end."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hostile import TIMEOUT, HostileServer, longest_block, seconds_to_parse, served
from hostile_payloads import CONVERSATIONS, MESSAGES, QUICKLY, payloads
from hypothesis import given
from hypothesis import strategies as st

from messaging_client import InvalidPayload, MessagingClient, MessagingError, UnexpectedResponse
from messaging_client.wire import routes

SINCE = datetime(2025, 1, 1, tzinfo=UTC)


def wrapped(*data: Any) -> list[Any]:
    """In an envelope and without one."""
    return [*({"status": "success", "data": each} for each in data), *data]


PEOPLE = [{"id": 5, "type": "patient", "info": {"nom": "Durand", "prenom": "Zoé"}}, {"medecin_id": 79}]
PAGES = {"page": 1, "limit": 50, "total": 2, "totalPages": 1}
LISTED = wrapped(*({"messages": [each], "pagination": PAGES} for each in MESSAGES[:8]))
CONVERSED = wrapped(*({"conversations": [each], "pagination": PAGES} for each in CONVERSATIONS[:8]))

Call = Callable[[MessagingClient], Awaitable[Any]]

ROUTES: dict[str, tuple[Call, list[Any]]] = {
    routes.MEDECIN_CONVERSATIONS: (lambda c: c.get_medecin_conversations(79, refresh=True), CONVERSED),
    routes.PATIENT_CONVERSATIONS: (lambda c: c.get_patient_conversations(refresh=True), CONVERSED),
    routes.UNREAD: (lambda c: c.get_unread_conversations(refresh=True), CONVERSED),
    routes.MESSAGES: (lambda c: c.get_conversation_messages(15, refresh=True), LISTED),
    routes.NEW_MESSAGES: (lambda c: c.get_new_messages(15, SINCE), LISTED),
    routes.PARTICIPANTS: (
        lambda c: c.get_conversation_participants(15, refresh=True),
        wrapped({"participants": PEOPLE}, PEOPLE),
    ),
    routes.USER_INFO: (
        lambda c: c.get_user_info(79, "medecin", refresh=True),
        wrapped({"id": 79, "type": "medecin", "nom": "S", "prenom": "S", "specialite": "x"}),
    ),
    routes.SEND: (
        lambda c: c._rest.send(15, "x", "texte", client_message_id=None, timeout=None),
        wrapped(*({"message": each} for each in MESSAGES[:8])),
    ),
    routes.CREATE: (lambda c: c.create_conversation("t", PEOPLE_TO_INVITE), wrapped(*CONVERSATIONS[:8])),
    routes.HISTORY: (
        lambda c: c.get_message_history("ordonnance", 15, refresh=True),
        wrapped(*({**each["data"], "conversation": CONVERSATIONS[0]} for each in LISTED[:8])),
    ),
    routes.PERMISSIONS: (lambda c: c.check_messaging_permissions(15, 5), wrapped({"peut_lire": True})),
    routes.MARK_READ: (
        lambda c: c.mark_message_as_read(1),
        wrapped(*({"message": each} for each in MESSAGES[:8])),
    ),
    routes.HEALTH: (lambda c: c.check_health(), wrapped({"uptime": "ok"})),
}
PEOPLE_TO_INVITE = [{"participant_id": 79, "participant_type": "medecin"}]
READ_ELSEWHERE = {routes.PATIENT, routes.MEDECIN, routes.SEND_MANY}
"""The first two are asked when `USER_INFO` answers 404, and read by the same reader; the last has no method."""


class Desk:
    """A hostile server and a client of it, for a test that is not a coroutine itself."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.invalid: list[InvalidPayload] = []

    def __enter__(self) -> Desk:
        self.runner.run(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self.runner.run(self._close())
        self.runner.close()

    async def _open(self) -> None:
        self.server = await HostileServer().__aenter__()
        self.client = self.server.client()
        self.client.on_invalid_payload(self.invalid.append)

    async def _close(self) -> None:
        await self.client.aclose(drain=0)
        await self.server.__aexit__()

    def ask(self, call: Call, status: int, headers: dict[str, str], body: str) -> Any:
        return self.runner.run(self._ask(call, status, headers, body))

    async def _ask(self, call: Call, status: int, headers: dict[str, str], body: str) -> Any:
        self.invalid.clear()
        self.server.status, self.server.headers = status, headers
        self.server.body = b"" if status == 204 else body.encode("utf-8", "surrogatepass")
        async with asyncio.timeout(TIMEOUT):
            try:
                return await call(self.client)
            except MessagingError as error:
                return error
            finally:
                await self.client._dispatcher.handled()


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with Desk() as desk:
        yield desk


STATUSES = st.sampled_from([200] * 12 + [201, 204, 302, 400, 401, 404, 409, 429, 500, 503, 599])
HEADERS = st.sampled_from(
    [{}] * 8
    + [
        {"Retry-After": value}
        for value in ("9" * 10, "-1", "1e9", "Fri, 31 Dec 9999 23:59:59 -1400", "Fri, 99 Xxx", "\x85")
    ]
)


@pytest.mark.parametrize("operation", ROUTES)
def test_an_answer(desk: Desk, operation: str) -> None:
    """A model, or an error of ours; what cannot be read is reported; nothing else comes out."""
    call, good = ROUTES[operation]

    @QUICKLY
    @given(payloads(good), STATUSES, HEADERS)
    def reads(body: str, status: int, headers: dict[str, str]) -> None:
        found = desk.ask(call, status, headers, body)
        repr(found)
        if isinstance(found, MessagingError):
            assert "\n" not in str(found)
            str(found).encode()
            str(getattr(found, "server_message", "") or "").encode()
        elif status >= 300:
            assert operation == routes.HEALTH
            assert found is False

    reads()


def test_no_route_was_forgotten() -> None:
    assert set(routes.DEFAULT_ROUTES) == {*ROUTES, *READ_ELSEWHERE}


# --- lists without end --------------------------------------------------------------------------------------------

MANY = 100_000
LESS = 15_000  # where the reader is the same


def envelope(name: str, items: list[Any]) -> bytes:
    return json.dumps({"status": "success", "data": {name: items}}, separators=(",", ":")).encode()


def messages(count: int, **more: Any) -> bytes:
    # Times that go up and down, so that they have to be put in order.
    return envelope(
        "messages", [{"id": i, "contenu": "x", "date_envoi": i * 7919 % 9973, **more} for i in range(count)]
    )


LISTS: dict[str, tuple[Callable[[], bytes], Call, int]] = {
    "messages": (lambda: messages(MANY), lambda c: c.get_conversation_messages(1, refresh=True), MANY),
    "one message again and again": (
        lambda: envelope("messages", [{"id": 1, "contenu": "x"}] * LESS),
        lambda c: c.get_conversation_messages(1, refresh=True),
        LESS,
    ),
    "new messages": (lambda: messages(LESS), lambda c: c.get_new_messages(1, SINCE), LESS),
    "history": (lambda: messages(LESS, conversationId=3), lambda c: c.get_ordonnance_history(1, refresh=True), LESS),
    "conversations": (
        lambda: envelope("conversations", [{"id": i} for i in range(LESS)]),
        lambda c: c.get_patient_conversations(refresh=True),
        LESS,
    ),
    "unread": (
        lambda: envelope("conversations", [{"id": i} for i in range(LESS)]),
        lambda c: c.get_unread_conversations(refresh=True),
        LESS,
    ),
    "participants": (
        lambda: envelope("participants", [{"id": i} for i in range(LESS)]),
        lambda c: c.get_conversation_participants(1, refresh=True),
        LESS,
    ),
}


def length(found: Any) -> int:
    return len(found.messages if hasattr(found, "messages") else found)


@pytest.mark.parametrize("name", LISTS)
async def test_a_long_list_holds_up_the_loop_no_longer_than_its_parsing(name: str) -> None:
    """At most 50 ms longer, at the best of some tries: the machine may be busy with other things.

    Automatic garbage collection is off meanwhile: what a full one takes depends on everything else in the process,
    and a library has no say in it.
    """
    make, call, count = LISTS[name]
    body = make()
    async with served() as server:
        server.body = body
        client = server.client(max_response_bytes=20_000_000)
        beyond = []
        gc.collect()
        gc.disable()
        try:
            for _ in range(30):
                found: list[Any] = []

                async def ask(found: list[Any] = found) -> None:
                    found.append(await call(client))

                block = await longest_block(ask())
                assert length(found[0]) == count
                beyond.append(block - seconds_to_parse(body))
                if beyond[-1] < 0.05:
                    break
        finally:
            gc.enable()
            await client.aclose(drain=0)
    assert min(beyond) < 0.05, beyond


async def test_a_long_list_of_nothing_is_reported_item_by_item() -> None:
    async with served() as server:
        server.body = envelope("messages", [0, "", {}, []] * (LESS // 4))
        client = server.client()
        found = await client.get_conversation_messages(1)
        assert found.messages == ()
        assert client.stats().invalid_payloads == LESS
        assert client.stats().queued <= 1000
        await client.aclose(drain=0)


async def test_a_list_that_is_longer_than_asked_for_is_read_back_whole() -> None:
    """After a connection: a conversation that was joined is read from the point on that is known."""
    async with served() as server:
        server.body = {
            "/messages": envelope("messages", [{"id": 0, "contenu": "x", "date_envoi": 1}]),
            "/new-messages": envelope("messages", [{"id": i, "contenu": "x", "date_envoi": i} for i in range(1, LESS)]),
        }
        client = server.client(max_response_bytes=20_000_000, queue_size=LESS, settle_delay=0.01)
        await client.connect()
        told: list[Any] = []
        whole = asyncio.Event()

        def take(message: Any) -> None:
            told.append(message.id)
            if len(told) == LESS - 1:
                whole.set()

        client.on_new_message(take)
        await client.join_conversation(7)
        async with asyncio.timeout(60):
            await whole.wait()
        assert told == list(range(1, LESS))
        await client.aclose(drain=0)


@pytest.mark.parametrize("count", [500, 501])
async def test_a_conversation_with_participants_past_counting(count: int) -> None:
    async with served() as server:
        people = [{"id": i, "type": "patient"} for i in range(count)]
        server.body = envelope("conversations", [{"id": 1, "participants": people}, {"id": 2}])
        client = server.client()
        found = await client.get_patient_conversations()
        assert [each.id for each in found] == ([1, 2] if count == 500 else [2])
        assert client.stats().invalid_payloads == count - 500
        await client.aclose(drain=0)


async def test_a_body_of_10_mb_is_refused() -> None:
    async with served() as server:
        server.body = envelope("messages", [{"id": 1, "contenu": "x" * 10_000_000}])
        client = server.client()
        with pytest.raises(UnexpectedResponse, match="max_response_bytes"):
            await client.get_conversation_messages(1)
        server.status = 500
        with pytest.raises(MessagingError) as refused:
            await client.get_conversation_messages(1)
        assert refused.value.server_message is None  # type: ignore[attr-defined]
        await client.aclose(drain=0)
