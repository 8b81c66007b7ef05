from __future__ import annotations

import asyncio
import json
import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from rawserver import CLOSE, SILENT, FakeClock, RawServer, a_moment, answer, make_client, make_token

from messaging_client.errors import (
    AuthenticationError,
    ConfigurationError,
    Conflict,
    ConnectFailed,
    ConnectionLost,
    MessagingError,
    NotConnected,
    NotFound,
    PermissionDenied,
    RateLimited,
    RequestError,
    RequestTimeout,
    ServerError,
    TransportError,
    UnexpectedResponse,
    ValidationFailed,
)
from messaging_client.transport.auth import TokenSource
from messaging_client.transport.http import RestClient

MESSAGES = ("messages", {"conversation_id": 15})
SEND = ("send", {"conversation_id": 15})


async def failure_of(client: RestClient, *args: Any, **kwargs: Any) -> MessagingError:
    with pytest.raises(MessagingError) as caught:
        await client.request(*args, **kwargs)
    assert "\n" not in str(caught.value)
    assert caught.value.__context__ is None
    return caught.value


async def test_a_request_as_it_travels() -> None:
    token = make_token()
    async with RawServer((answer(200, {"status": "success"}),)) as server:
        client = make_client(server, token=token, headers={"X-Clinic": "7", "Accept": "text/html"})
        result = await client.request(
            "messages",
            {"conversation_id": "conv_1"},
            query={"page": 1, "since": "2024-05-01T12:00:00.000Z"},
            headers={"Idempotency-Key": "k"},
        )
        assert result == {"status": "success"}
        (seen,) = server.seen
        assert (seen.method, seen.path) == ("GET", "/api/messaging/conversation/conv_1/messages")
        assert seen.target.endswith("?page=1&since=2024-05-01T12:00:00.000Z")
        assert seen.headers["authorization"] == f"Bearer {token}"
        assert seen.headers["accept"] == "application/json"
        assert seen.headers["accept-encoding"] == "identity"
        assert (seen.headers["x-clinic"], seen.headers["idempotency-key"]) == ("7", "k")
        assert "content-type" not in seen.headers
        await client.aclose()


async def test_a_body_as_it_travels() -> None:
    async with RawServer((answer(201, {"data": [1]}),)) as server:
        client = make_client(server)
        assert await client.request(*SEND, body={"contenu": "Présent 🎉"}, repeatable=False) == {"data": [1]}
        (seen,) = server.seen
        assert seen.method == "POST"
        assert json.loads(seen.body) == {"contenu": "Présent 🎉"}
        assert seen.headers["content-type"] == "application/json"
        await client.aclose()


async def test_nothing_happens_before_the_first_request() -> None:
    client = make_client("http://127.0.0.1:1")
    assert not client.closed
    await client.aclose()
    await client.aclose()
    assert client.closed
    error = await failure_of(client, *MESSAGES)
    assert isinstance(error, NotConnected)
    assert not error.may_have_left


async def test_health_goes_without_token() -> None:
    asked: list[int] = []
    async with RawServer((answer(200), answer(200, b"  \r\n"), answer(204), answer(401))) as server:
        client = make_client(server, token=lambda: asked.append(1))
        for _ in range(3):
            assert await client.request("health", authenticated=False) is None
        assert isinstance(await failure_of(client, "health", authenticated=False), AuthenticationError)
        assert len(server.seen) == 4
        assert all("authorization" not in seen.headers for seen in server.seen)
        assert asked == []
        await client.aclose()


async def test_path_prefix_and_api_path() -> None:
    async with RawServer() as server:
        for settings, expected in (
            ({}, "/clinic/api/health"),
            ({"api_path": "/v2/"}, "/clinic/v2/health"),
            ({"api_path": "/"}, "/clinic/health"),
        ):
            client = make_client(server.url + "/clinic/", **settings)
            await client.request("health", authenticated=False)
            assert server.seen[-1].path == expected
            await client.aclose()


async def test_cookies_are_not_kept() -> None:
    async with RawServer((answer(200, {}, {"Set-Cookie": "sid=secret; Path=/"}),)) as server:
        client = make_client(server)
        await client.request(*MESSAGES)
        await client.request(*MESSAGES)
        assert [seen.headers.get("cookie") for seen in server.seen] == [None, None]
        assert server.connections == 1
        await client.aclose()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ValidationFailed),
        (403, PermissionDenied),
        (404, NotFound),
        (405, RequestError),
        (409, Conflict),
        (410, RequestError),
        (413, ValidationFailed),
        (418, RequestError),
        (422, ValidationFailed),
        (500, ServerError),
        (501, ServerError),
    ],
)
async def test_errors_by_code(status: int, kind: type[RequestError]) -> None:
    said = {"status": "fail", "message": "Marie Dupont " + "x" * 3000}
    async with RawServer((answer(status, said),)) as server:
        client = make_client(server)
        error = await failure_of(client, *MESSAGES)
        assert type(error) is kind
        assert (error.operation, error.status) == ("messages", status)
        assert error.server_message == said["message"][:2000]
        assert "Marie" not in f"{error} {error!r}"
        assert str(error).startswith("messages: ")
        assert str(status) in str(error)
        assert len(server.seen) == 1, "nothing of this is worth repeating"
        await client.aclose()


@pytest.mark.parametrize("body", [None, b"<html>", b"[]", b'{"message": ""}', b'{"status": "fail"}', b"\xff"])
async def test_refusals_without_words(body: bytes | None) -> None:
    async with RawServer((answer(400, body),)) as server:
        client = make_client(server)
        error = await failure_of(client, *MESSAGES)
        assert isinstance(error, ValidationFailed)
        assert error.server_message is None
        await client.aclose()


@pytest.mark.parametrize("body", [b"<!DOCTYPE html><html>Welcome</html>", b"{", b'"\xff"', b"NaN nonsense"])
async def test_a_success_that_is_not_json(body: bytes) -> None:
    async with RawServer((answer(200, body, {"Content-Type": "text/html"}),)) as server:
        client = make_client(server)
        error = await failure_of(client, *MESSAGES)
        assert isinstance(error, UnexpectedResponse)
        assert error.status == 200
        assert "not JSON" in str(error)
        await client.aclose()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("operation", ["messages", "send"])
async def test_redirects_are_not_followed(status: int, operation: str) -> None:
    async with RawServer() as elsewhere, RawServer() as server:
        server.steps = (answer(status, b"", {"Location": elsewhere.url + "/steal"}),)
        client = make_client(server)
        error = await failure_of(client, operation, {"conversation_id": 1})
        assert isinstance(error, UnexpectedResponse)
        assert "redirects are not followed" in str(error)
        assert error.status == status
        assert (len(server.seen), elsewhere.seen, elsewhere.connections) == (1, [], 0)
        await client.aclose()


async def test_not_modified_is_unexpected_too() -> None:
    async with RawServer((answer(304),)) as server:
        client = make_client(server)
        assert isinstance(await failure_of(client, *MESSAGES), UnexpectedResponse)
        await client.aclose()


async def test_a_protocol_switch_is_unexpected() -> None:
    async with RawServer((b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",)) as server:
        client = make_client(server)
        error = await failure_of(client, *MESSAGES)
        assert isinstance(error, (UnexpectedResponse, ConnectionLost))
        await client.aclose()


# Authentication


async def test_a_refused_token_is_renewed_once() -> None:
    old, new = make_token(5), make_token(5, exp=1893456000)
    given = iter([old, new])
    async with RawServer((answer(401, {"message": old}), answer(200, {"data": 1}))) as server:
        client = make_client(server, token=lambda: next(given))
        assert await client.request(*SEND, body={}, repeatable=False) == {"data": 1}
        assert [seen.headers["authorization"] for seen in server.seen] == [f"Bearer {old}", f"Bearer {new}"]
        await client.aclose()


@pytest.mark.parametrize("repeatable", [True, False])
async def test_a_token_refused_twice(repeatable: bool) -> None:
    async with RawServer((answer(401, {"message": "jwt expired: secret"}),)) as server:
        client = make_client(server)
        error = await failure_of(client, *MESSAGES, repeatable=repeatable)
        assert isinstance(error, AuthenticationError)
        assert "secret" not in str(error)
        assert "messages" in str(error)
        assert "401" in str(error)
        assert len(server.seen) == 2
        await client.aclose()


async def test_a_renewal_is_kept_through_repetitions() -> None:
    old, new = make_token(5), make_token(5, exp=1893456000)
    asked = iter([old, new])
    steps = (answer(503), answer(401), answer(503), answer(200, {}))
    async with RawServer(steps) as server:
        client = make_client(server, token=lambda: next(asked))
        assert await client.request(*MESSAGES) == {}
        sent = [seen.headers["authorization"].split()[1] for seen in server.seen]
        assert sent == [old, old, new, new]
        await client.aclose()


async def test_many_requests_share_a_renewal() -> None:
    old, new = make_token(5), make_token(5, exp=1893456000)
    asked: list[str] = []

    async def give() -> str:
        asked.append(old if not asked else new)
        return asked[-1]

    def check(seen: Any) -> bytes:
        return answer(200, {}) if seen.headers["authorization"].endswith(new) else answer(401)

    async with RawServer((check,)) as server:
        client = make_client(server, token=TokenSource(give))
        await asyncio.gather(*(client.request(*MESSAGES) for _ in range(16)))
        assert asked == [old, new]
        await client.aclose()


async def test_a_token_callable_that_hangs_is_within_the_time() -> None:
    clock = FakeClock()
    asked = asyncio.Event()

    async def hang() -> str:
        asked.set()
        await asyncio.Event().wait()
        return ""

    async with RawServer() as server:
        client = make_client(server, token=hang, clock=clock, max_retries=0)
        request = asyncio.ensure_future(failure_of(client, *SEND, body={}, repeatable=False))
        await asked.wait()
        clock.advance(15)
        error = await request
        assert isinstance(error, RequestTimeout)
        assert not error.may_have_left
        assert server.connections == 0
        assert client.stats.failures == 1
        await client.aclose()


# Repetition


async def test_exact_delays_of_repetitions() -> None:
    clock = FakeClock()
    cut = (answer(200, None, {"Content-Length": "9"}), CLOSE)
    steps = (answer(503), answer(502), cut, answer(504), answer(200, {"data": 1}))
    async with RawServer(steps) as server:
        client = make_client(server, clock=clock)
        assert await client.request(*MESSAGES) == {"data": 1}
        assert clock.slept == [0.5, 1.0, 2.0, 4.0]
        assert (client.stats.requests, client.stats.retries, client.stats.failures) == (1, 4, 0)
        await client.aclose()


@pytest.mark.parametrize(("chance", "expected"), [(0.0, [0.25, 0.5]), (0.75, [0.625, 1.25])])
async def test_delays_with_chance(chance: float, expected: list[float]) -> None:
    clock = FakeClock()
    async with RawServer((answer(503),)) as server:
        client = make_client(server, clock=clock, chance=chance, max_retries=2)
        assert isinstance(await failure_of(client, *MESSAGES), ServerError)
        assert clock.slept == expected
        assert len(server.seen) == 3
        assert (client.stats.requests, client.stats.retries, client.stats.failures) == (1, 2, 1)
        await client.aclose()


async def test_repetitions_end_with_the_last_error() -> None:
    clock = FakeClock()
    async with RawServer((answer(503), answer(503, {"message": "down"}, {"Retry-After": "3"}))) as server:
        client = make_client(server, clock=clock)
        error = await failure_of(client, *MESSAGES)
        assert isinstance(error, ServerError)
        assert (error.status, error.server_message, error.retry_after) == (503, "down", 3)
        assert clock.slept == [0.5, 3, 3, 3]
        assert len(server.seen) == 5
        await client.aclose()


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_sends_are_sent_once(status: int) -> None:
    async with RawServer((answer(status, None, {"Retry-After": "1"}),)) as server:
        client = make_client(server)
        error = await failure_of(client, *SEND, body={}, repeatable=False)
        assert isinstance(error, (RateLimited, ServerError))
        assert (error.status, error.retry_after) == (status, 1)
        assert len(server.seen) == 1
        await client.aclose()


@pytest.mark.parametrize("header", ["7", "date", None, "nonsense"])
async def test_retry_after_of_a_429(header: str | None) -> None:
    clock = FakeClock()
    written = format_datetime(clock.now() + timedelta(seconds=7), usegmt=True) if header == "date" else header
    limited = answer(429, None, {"Retry-After": written} if written else {})
    async with RawServer((limited, answer(200, {"data": 1}))) as server:
        client = make_client(server, clock=clock)
        assert await client.request(*MESSAGES) == {"data": 1}
        assert clock.slept == [7.0 if header in ("7", "date") else 0.5]
        await client.aclose()


@pytest.mark.parametrize("header", ["60", "9999999999", format_datetime(datetime(2030, 1, 1, tzinfo=UTC), usegmt=True)])
async def test_a_retry_after_beyond_the_deadline_is_told_at_once(header: str) -> None:
    clock = FakeClock()
    async with RawServer((answer(429, None, {"Retry-After": header}),)) as server:
        client = make_client(server, clock=clock)
        error = await failure_of(client, *MESSAGES)
        assert isinstance(error, RateLimited)
        assert error.retry_after is not None
        assert error.retry_after >= 60
        assert clock.slept == []
        assert len(server.seen) == 1
        await client.aclose()


@pytest.mark.parametrize(("deadline", "slept"), [(15.0, [0.5, 1, 2, 4]), (7.5, [0.5, 1, 2]), (0.5, [])])
async def test_no_repetition_beyond_the_deadline(deadline: float, slept: list[float]) -> None:
    clock = FakeClock(grace=0.1)
    async with RawServer((answer(503),)) as server:
        client = make_client(server, clock=clock, request_deadline=deadline, max_retries=100)
        assert isinstance(await failure_of(client, *MESSAGES), ServerError)
        assert clock.slept == slept
        await client.aclose()


async def test_a_try_ends_with_the_deadline() -> None:
    clock = FakeClock()
    async with RawServer((SILENT,)) as server:
        client = make_client(server, clock=clock, request_deadline=20.0)
        request = asyncio.ensure_future(failure_of(client, *MESSAGES))
        await server.until_seen(1)
        clock.patience = 1.0
        clock.advance(15)
        await server.until_seen(2)
        clock.advance(4.5)
        assert isinstance(await request, RequestTimeout)
        assert len(server.seen) == 2
        assert clock.slept == [0.5]
        await client.aclose()


async def test_a_longer_timeout_of_one_call_takes_the_place_of_the_deadline() -> None:
    clock = FakeClock()
    async with RawServer((SILENT,)) as server:
        client = make_client(server, clock=clock, max_retries=0)
        request = asyncio.ensure_future(failure_of(client, *MESSAGES, timeout=100))
        await server.until_seen(1)
        clock.advance(99)
        await a_moment()
        assert not request.done()
        clock.advance(1)
        error = await request
        assert "100 s" in str(error)
        await client.aclose()


@pytest.mark.parametrize("timeout", [0, -1, math.inf, math.nan, True, "5"])
async def test_a_timeout_that_is_none(timeout: Any) -> None:
    client = make_client("http://127.0.0.1:1")
    error = await failure_of(client, *MESSAGES, timeout=timeout)
    assert isinstance(error, ValidationFailed)
    assert (error.status, error.operation) == (None, "messages")
    assert client.stats.failures == 1


@pytest.mark.parametrize("body", [{"a": object()}, {"a": math.nan}, {"a": "\ud800"}, {("a",): 1}])
async def test_a_body_that_json_cannot_hold(body: object) -> None:
    client = make_client("http://127.0.0.1:1")
    error = await failure_of(client, *SEND, body=body)
    assert isinstance(error, ValidationFailed)
    assert error.status is None


# Alternatives

TWO = {"messages": ["GET /new/{conversation_id}", "GET /old/{conversation_id}"]}


def only(*paths: str, status: int = 404) -> Any:
    return lambda seen: answer(200, {"path": seen.path}) if seen.path.startswith(paths) else answer(status)


async def test_the_spelling_that_works_is_kept() -> None:
    async with RawServer((only("/api/old/"),)) as server:
        client = make_client(server, routes=TWO)
        for n in (1, 2):
            assert await client.request("messages", {"conversation_id": n}) == {"path": f"/api/old/{n}"}
        assert [seen.path for seen in server.seen] == ["/api/new/1", "/api/old/1", "/api/old/2"]
        await client.aclose()


async def test_a_proven_spelling_answers_for_itself() -> None:
    async with RawServer((only("/api/new/1"),)) as server:
        client = make_client(server, routes=TWO)
        await client.request("messages", {"conversation_id": 1})
        error = await failure_of(client, "messages", {"conversation_id": 2})
        assert isinstance(error, NotFound)
        assert [seen.path for seen in server.seen] == ["/api/new/1", "/api/new/2"]
        await client.aclose()


async def test_nothing_found_proves_nothing() -> None:
    async with RawServer((answer(404),)) as server:
        client = make_client(server, routes=TWO)
        for _ in range(2):
            assert isinstance(await failure_of(client, *MESSAGES), NotFound)
        assert len(server.seen) == 4
        assert client.stats.retries == 0
        await client.aclose()


@pytest.mark.parametrize(("status", "proven"), [(403, True), (400, True), (401, False), (500, False), (302, False)])
async def test_what_a_refusal_proves(status: int, proven: bool) -> None:
    answers = iter([answer(status)] * (2 if status == 401 else 1) + [answer(404)] * 2)
    async with RawServer((lambda _: next(answers),)) as server:
        client = make_client(server, routes=TWO)
        await failure_of(client, *MESSAGES)
        before = len(server.seen)
        assert isinstance(await failure_of(client, *MESSAGES), NotFound)
        assert len(server.seen) - before == (1 if proven else 2)
        await client.aclose()


async def test_a_page_in_place_of_json_proves_nothing() -> None:
    async with RawServer((answer(200, b"<html>"), answer(404), answer(200, {}))) as server:
        client = make_client(server, routes=TWO)
        assert isinstance(await failure_of(client, *MESSAGES), UnexpectedResponse)
        assert await client.request(*MESSAGES) == {}
        await client.aclose()


async def test_another_method_is_tried_after_405_and_404() -> None:
    for status in (404, 405):
        async with RawServer((lambda seen, s=status: answer(204 if seen.method == "PUT" else s),)) as server:
            client = make_client(server)
            for _ in range(2):
                assert await client.request("mark_read", {"message_id": 7}) is None
            assert [seen.method for seen in server.seen] == ["PATCH", "PUT", "PUT"]
            await client.aclose()


@pytest.mark.parametrize(
    ("first", "second", "kind"), [(404, 405, NotFound), (405, 404, NotFound), (405, 405, RequestError)]
)
async def test_the_most_telling_refusal_is_raised(first: int, second: int, kind: type[RequestError]) -> None:
    async with RawServer((answer(first), answer(second))) as server:
        client = make_client(server)
        assert type(await failure_of(client, "mark_read", {"message_id": 7})) is kind
        await client.aclose()


async def test_the_second_spelling_is_repeated_within_the_same_bounds() -> None:
    clock = FakeClock()
    async with RawServer((answer(503), answer(404), answer(503), answer(200, {}))) as server:
        client = make_client(server, routes=TWO, clock=clock)
        assert await client.request(*MESSAGES) == {}
        assert clock.slept == [0.5, 1.0]
        await client.aclose()


# Settings


@pytest.mark.parametrize("settings", [{"verify": "missing.pem"}, {"cert": "missing.pem"}, {"proxy": "socks5://h:1"}])
def test_settings_that_cannot_work_are_told_at_once(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        make_client("https://127.0.0.1:1", **settings)


async def test_a_refused_connection_is_repeated_and_told() -> None:
    clock = FakeClock()
    client = make_client("http://127.0.0.1:1", clock=clock)
    error = await failure_of(client, *MESSAGES)
    assert isinstance(error, ConnectFailed)
    assert isinstance(error, TransportError)
    assert clock.slept == [0.5, 1, 2, 4]
    await client.aclose()


@pytest.mark.parametrize("count", [16, 64, 200])
async def test_many_at_a_time(count: int) -> None:
    async with RawServer((lambda seen: answer(200, {"path": seen.path}),)) as server:
        client = make_client(server)
        results = await asyncio.gather(*(client.request("messages", {"conversation_id": n}) for n in range(count)))
        assert results == [{"path": f"/api/messaging/conversation/{n}/messages"} for n in range(count)]
        assert server.connections <= 128
        await client.aclose()
        await server.until(lambda: server.open == 0)
