"""Each way in which a request can fail, over real sockets, and what is said of it."""

from __future__ import annotations

import asyncio
import gzip
import logging
import ssl
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from rawserver import CLOSE, RESET, SILENT, FakeClock, RawServer, Seen, a_moment, answer, make_client, make_token

from messaging_client.errors import (
    AuthenticationError,
    ConnectFailed,
    ConnectionLost,
    MessagingError,
    NotConnected,
    RequestTimeout,
    ServerError,
    TransportError,
    UnexpectedResponse,
    ValidationFailed,
)
from messaging_client.transport.http import RestClient

SEND = ("send", {"conversation_id": 15})
CUT_BODY = (answer(200, None, {"Content-Length": "50"}) + b'{"data": ', CLOSE)


async def failure_of(client: RestClient, *args: Any, **kwargs: Any) -> MessagingError:
    with pytest.raises(MessagingError) as caught:
        await client.request(*args, **kwargs)
    assert "\n" not in str(caught.value)
    assert caught.value.__context__ is None
    return caught.value


async def send_fails(client: RestClient) -> TransportError:
    error = await failure_of(client, *SEND, body={"contenu": "x"}, repeatable=False)
    assert isinstance(error, TransportError)
    await client.aclose()
    return error


# Never left


async def test_refused() -> None:
    async with RawServer() as server:
        pass
    error = await send_fails(make_client(server))
    assert isinstance(error, ConnectFailed)
    assert not error.may_have_left
    assert "could not be reached" in str(error)


async def test_name_that_does_not_exist() -> None:
    error = await send_fails(make_client("https://does-not-exist.invalid"))
    assert isinstance(error, ConnectFailed)
    assert not error.may_have_left
    assert "could not be resolved" in str(error)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


async def test_certificate_that_nobody_trusts(server_tls: ssl.SSLContext) -> None:
    async with RawServer(tls=server_tls) as server:
        clock = FakeClock()
        error = await failure_of(client := make_client(server, clock=clock), "messages", {"conversation_id": 1})
        assert isinstance(error, ConnectFailed)
        assert not error.may_have_left
        assert "certificate is not trusted" in str(error)
        assert clock.slept == [], "asking again would not make it trusted"
        assert server.seen == []
        await client.aclose()


async def test_certificate_of_another_host(authority: trustme.CA, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("example.org").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with RawServer(tls=context) as server:
        error = await send_fails(make_client(server, verify=str(tmp_path / "ca.pem")))
        assert isinstance(error, ConnectFailed)
        assert not error.may_have_left


async def test_certificate_that_is_trusted(server_tls: ssl.SSLContext, authority: trustme.CA, tmp_path: Path) -> None:
    ca, client_cert = str(tmp_path / "ca.pem"), str(tmp_path / "client.pem")
    authority.cert_pem.write_to_path(ca)
    authority.issue_cert("client.example.org").private_key_and_cert_chain_pem.write_to_path(client_cert)
    server_tls.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(server_tls)
    async with RawServer(tls=server_tls) as server:
        client = make_client(server, verify=ca, cert=client_cert)
        assert await client.request(*SEND, body={}) == {"data": {}}
        await client.aclose()
        client = make_client(server, verify=False, cert=client_cert)
        assert await client.request(*SEND, body={}) == {"data": {}}
        await client.aclose()


async def test_tls_to_a_server_that_speaks_plain_http() -> None:
    async with RawServer((b"",)) as plain:
        plain._serve = greet_in_plain_text  # type: ignore[method-assign]
        error = await send_fails(make_client(f"https://127.0.0.1:{plain.port}"))
        assert isinstance(error, ConnectFailed)
        assert not error.may_have_left
        assert "TLS" in str(error)


async def greet_in_plain_text(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    writer.close()


async def test_a_handshake_that_does_not_end() -> None:
    clock = FakeClock()
    async with RawServer() as plain:

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            plain._news.set()
            try:
                await reader.read(-1)
            finally:
                writer.close()

        plain._serve = silent  # type: ignore[method-assign]
        client = make_client(f"https://127.0.0.1:{plain.port}", clock=clock)
        sending = asyncio.ensure_future(send_fails(client))
        await plain.until(lambda: plain.connections == 1)
        clock.advance(15)
        error = await sending
        assert isinstance(error, RequestTimeout)
        assert not error.may_have_left
        assert "no connection within 15 s" in str(error)


# May have left


@pytest.mark.parametrize("ending", [CLOSE, RESET])
async def test_closed_before_the_answer(ending: str) -> None:
    async with RawServer((ending,)) as server:
        error = await send_fails(make_client(server))
        assert isinstance(error, ConnectionLost)
        assert error.may_have_left
        assert "before the answer" in str(error)
        assert len(server.seen) == 1, "a send is never sent twice"


@pytest.mark.parametrize("ending", [CLOSE, RESET])
async def test_a_kept_connection_that_fails_on_reuse(ending: str) -> None:
    async with RawServer((answer(200, {}), ending, answer(200, {"data": 1}))) as server:
        client = make_client(server)
        await client.request(*SEND, body={}, repeatable=False)
        error = await failure_of(client, *SEND, body={}, repeatable=False)
        assert isinstance(error, ConnectionLost)
        assert error.may_have_left
        assert (len(server.seen), server.connections) == (2, 1)
        assert await client.request(*SEND, body={}, repeatable=False) == {"data": 1}
        await client.aclose()


async def test_a_read_on_a_kept_connection_is_asked_again_at_once() -> None:
    clock = FakeClock()
    async with RawServer((answer(200, {}), CLOSE, answer(200, {"data": 1}))) as server:
        client = make_client(server, clock=clock)
        await client.request("messages", {"conversation_id": 1})
        assert await client.request("messages", {"conversation_id": 1}) == {"data": 1}
        assert clock.slept == []
        await client.aclose()


@pytest.mark.parametrize(
    "cut",
    [
        CUT_BODY,
        (answer(200, None, {"Content-Length": "50"}) + b'{"data": ', RESET),
        (b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n', CLOSE),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_closed_inside_the_answer(cut: Any) -> None:
    async with RawServer((cut,)) as server:
        error = await send_fails(make_client(server))
        assert isinstance(error, ConnectionLost)
        assert error.may_have_left
        assert len(server.seen) == 1


async def test_a_refusal_whose_text_is_cut_is_a_refusal_all_the_same() -> None:
    async with RawServer((answer(422, None, {"Content-Length": "50"}), CUT_BODY)) as server:
        server.steps = ((answer(422, None, {"Content-Length": "50"}), CLOSE),)
        client = make_client(server)
        error = await failure_of(client, *SEND, body={}, repeatable=False)
        assert isinstance(error, ValidationFailed)
        assert error.status == 422
        await client.aclose()


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/1.1 abc Whatever\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x16\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
)
async def test_an_answer_that_is_not_http(garbage: bytes) -> None:
    async with RawServer(((garbage, CLOSE),)) as server:
        error = await send_fails(make_client(server))
        assert isinstance(error, ConnectionLost)
        assert error.may_have_left
        assert len(server.seen) == 1


async def test_plain_http_to_a_server_that_speaks_tls(server_tls: ssl.SSLContext) -> None:
    async with RawServer(tls=server_tls) as server:
        error = await send_fails(make_client(f"http://127.0.0.1:{server.port}"))
        assert isinstance(error, ConnectionLost)


async def test_silence() -> None:
    clock = FakeClock()
    async with RawServer((SILENT,)) as server:
        client = make_client(server, clock=clock)
        sending = asyncio.ensure_future(failure_of(client, *SEND, body={}, timeout=20, repeatable=False))
        await server.until_seen(1)
        clock.advance(19.9)
        await a_moment()
        assert not sending.done()
        clock.advance(0.1)
        error = await sending
        assert isinstance(error, RequestTimeout)
        assert error.may_have_left
        assert "no answer within 20 s" in str(error)
        await server.until(lambda: server.open == 0)
        await client.aclose()


async def test_a_trickle_does_not_hold_anybody() -> None:
    clock = FakeClock()
    async with RawServer(((answer(200, None, {"Content-Length": "9"}) + b"{", SILENT),)) as server:
        client = make_client(server, clock=clock)
        sending = asyncio.ensure_future(failure_of(client, *SEND, body={}, repeatable=False))
        await server.until_seen(1)
        await a_moment()
        clock.advance(15)
        error = await sending
        assert isinstance(error, RequestTimeout)
        assert error.may_have_left
        await client.aclose()


async def test_what_left_once_may_have_left_for_good() -> None:
    async with RawServer((CUT_BODY,)) as server:
        client = make_client(server, max_retries=1)
        sending = asyncio.ensure_future(failure_of(client, "mark_read", {"message_id": 1}))
        await server.until_seen(1)
        server._server.close()
        error = await sending
        assert isinstance(error, ConnectFailed)
        assert error.may_have_left
        await client.aclose()


# Too large


async def test_an_announced_size_is_believed() -> None:
    async with RawServer(((answer(200, None, {"Content-Length": "1001"}), SILENT),)) as server:
        client = make_client(server, max_response_bytes=1000)
        error = await failure_of(client, "messages", {"conversation_id": 1})
        assert isinstance(error, UnexpectedResponse)
        assert "max_response_bytes (1000)" in str(error)
        await server.until(lambda: server.open == 0)
        await client.aclose()


async def test_more_than_allowed_is_not_read_on() -> None:
    written = 0

    def endless(_: Seen) -> Any:
        nonlocal written
        yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        while True:
            written += 1000
            yield b"3e8\r\n" + b" " * 1000 + b"\r\n"

    class Endless(tuple[Any, ...]):
        def __iter__(self) -> Any:
            return endless(self[0])

    async with RawServer((lambda seen: Endless((seen,)),)) as server:
        client = make_client(server, max_response_bytes=10_000)
        error = await failure_of(client, "messages", {"conversation_id": 1})
        assert isinstance(error, UnexpectedResponse)
        await server.until(lambda: server.open == 0)
        assert written < 20_000_000
        await client.aclose()


async def test_exactly_the_size_allowed() -> None:
    body = b'"' + b"x" * 998 + b'"'
    async with RawServer((answer(200, body),)) as server:
        client = make_client(server, max_response_bytes=1000)
        assert await client.request("messages", {"conversation_id": 1}) == "x" * 998
        await client.aclose()


async def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    async with RawServer((answer(200, bomb, {"Content-Encoding": "gzip"}),)) as server:
        client = make_client(server)
        error = await failure_of(client, "messages", {"conversation_id": 1})
        assert isinstance(error, UnexpectedResponse)
        assert "compressed" in str(error)
        await client.aclose()


async def test_the_text_of_a_refusal_is_bounded_too() -> None:
    async with RawServer((answer(500, b"x" * 100_000), answer(500, None, {"Content-Length": "99999999"}))) as server:
        client = make_client(server)
        for _ in range(2):
            error = await failure_of(client, "messages", {"conversation_id": 1})
            assert isinstance(error, ServerError)
            assert error.server_message is None
        await client.aclose()


async def test_a_body_refused_before_it_was_read() -> None:
    async with RawServer(((answer(413, {"message": "too large"}, {"Connection": "close"}), SILENT),)) as server:
        server.read_bodies = False
        client = make_client(server)
        error = await failure_of(client, *SEND, body={"contenu": "x" * 1_000_000}, repeatable=False)
        assert isinstance(error, ValidationFailed)
        assert error.status == 413
        await client.aclose()


# Nothing is left behind


@pytest.mark.parametrize("step", [SILENT, (answer(200, None, {"Content-Length": "9"}) + b"{", SILENT)])
async def test_a_cancelled_request(step: Any) -> None:
    async with RawServer((step,)) as server:
        client = make_client(server)
        others = asyncio.all_tasks()
        request = asyncio.ensure_future(client.request(*SEND, body={}))
        await server.until_seen(1)
        await a_moment()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        await server.until(lambda: server.open == 0)
        await a_moment()
        assert asyncio.all_tasks() - others <= server._tasks
        assert client.stats.failures == 0
        server.steps = (answer(200, {"data": 1}),)
        assert await client.request(*SEND, body={}) == {"data": 1}
        await client.aclose()


async def test_cancelled_while_waiting_to_try_again() -> None:
    clock = FakeClock(patience=0.1)
    async with RawServer((answer(503),)) as server:
        client = make_client(server, clock=clock)
        request = asyncio.ensure_future(client.request("messages", {"conversation_id": 1}))
        await server.until_seen(1)
        await a_moment()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        await client.aclose()
        assert len(server.seen) == 1


async def test_closing_ends_what_is_under_way() -> None:
    async with RawServer((SILENT,)) as server:
        client = make_client(server)
        sending = asyncio.ensure_future(failure_of(client, *SEND, body={}, repeatable=False))
        reading = asyncio.ensure_future(failure_of(client, "messages", {"conversation_id": 1}))
        await server.until_seen(2)
        await client.aclose()
        error = await sending
        assert isinstance(error, ConnectionLost)
        assert error.may_have_left
        assert isinstance(await reading, TransportError)
        assert client.closed


async def test_closing_wakes_who_waits_to_try_again() -> None:
    clock = FakeClock(patience=0.1)
    async with RawServer((answer(503),)) as server:
        client = make_client(server, clock=clock)
        reading = asyncio.ensure_future(failure_of(client, "messages", {"conversation_id": 1}))
        await server.until_seen(1)
        await a_moment()
        await client.aclose()
        assert isinstance(await reading, NotConnected)


async def test_closing_fails_who_waits_for_a_connection() -> None:
    async with RawServer((SILENT,)) as server:
        client = make_client(server)
        sends = [failure_of(client, *SEND, body={}, repeatable=False) for _ in range(140)]
        sending = asyncio.gather(*sends)
        await server.until_seen(128)
        await client.aclose()
        errors = await sending
        assert all(isinstance(error, TransportError) for error in errors)
        assert sum(not error.may_have_left for error in errors if isinstance(error, TransportError)) == 12


async def test_a_cancelled_wait_for_a_connection_is_a_cancellation() -> None:
    async with RawServer((SILENT,)) as server:
        client = make_client(server)
        sending = [asyncio.ensure_future(client.request(*SEND, body={}, repeatable=False)) for _ in range(129)]
        await server.until_seen(128)
        sending[-1].cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending[-1]
        await client.aclose()
        await asyncio.gather(*sending, return_exceptions=True)


async def test_idle_connections_are_kept_and_closed() -> None:
    async with RawServer() as server:
        client = make_client(server)
        for _ in range(3):
            await client.request("messages", {"conversation_id": 1})
        assert (server.connections, server.open) == (1, 1)
        await client.aclose()
        await server.until(lambda: server.open == 0)


# Proxy


async def test_plain_requests_through_a_proxy() -> None:
    async with RawServer((answer(200, {"data": 1}),)) as proxy:
        client = make_client("http://localhost:3000", proxy=f"http://ann:hunter2@127.0.0.1:{proxy.port}")
        assert await client.request("health") == {"data": 1}
        (seen,) = proxy.seen
        assert seen.target == "http://localhost:3000/api/health"
        assert seen.headers["proxy-authorization"] == "Basic YW5uOmh1bnRlcjI="
        await client.aclose()


async def test_a_proxy_that_refuses_the_tunnel() -> None:
    async with RawServer(((answer(407), CLOSE),)) as proxy:
        error = await send_fails(make_client("https://example.org", proxy=f"http://u:hunter2@127.0.0.1:{proxy.port}"))
        assert isinstance(error, ConnectFailed)
        assert not error.may_have_left
        assert "proxy" in str(error)
        assert "hunter2" not in str(error)
        (seen,) = proxy.seen
        assert (seen.method, seen.target) == ("CONNECT", "example.org:443")
        assert "authorization" not in seen.headers
        assert seen.headers["proxy-authorization"] == "Basic dTpodW50ZXIy"


async def test_a_proxy_that_is_not_there() -> None:
    error = await send_fails(make_client("http://localhost:3000", proxy="http://127.0.0.1:1"))
    assert isinstance(error, ConnectFailed)
    assert "proxy could not be reached" in str(error)


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with RawServer() as proxy, RawServer() as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        client = make_client(server)
        await client.request("health")
        assert (len(server.seen), proxy.connections) == (1, 0)
        await client.aclose()


# Secrets

SECRET = "Zéphyrine-a-mal"
FAILURES: dict[str, Callable[[str], Any]] = {
    "closed": lambda token: CLOSE,
    "reset": lambda token: RESET,
    "garbage": lambda token: (f"{token} {SECRET}\r\n\r\n".encode(), CLOSE),
    "cut": lambda token: (answer(200, None, {"Content-Length": "999"}) + f"{token} {SECRET}".encode(), CLOSE),
    "html": lambda token: answer(200, f"<html>{token} {SECRET}".encode()),
    "json": lambda token: answer(200, f'{{"{token}": "{SECRET}'.encode()),
    "header": lambda token: answer(302, None, {"Location": f"https://elsewhere/{token}"}),
    "compressed": lambda token: answer(200, SECRET.encode(), {"Content-Encoding": token}),
    "ok": lambda token: answer(200, {"data": SECRET + token}),
    **{
        str(status): lambda token, status=status: answer(status, {"message": f"{SECRET} {token}"}, {"X": token})
        for status in (400, 401, 403, 404, 405, 409, 413, 418, 422, 429, 500, 503)
    },
}


@pytest.mark.parametrize("way", [*FAILURES, "refused", "proxy", "silent", "unsendable"])
async def test_token_and_content_are_nowhere_to_be_read(way: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpx").setLevel(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    token = make_token(5, canary=SECRET)
    clock = FakeClock()
    errors: list[MessagingError] = []
    async with RawServer((FAILURES.get(way, lambda _: SILENT)(token),)) as server:
        settings = {"proxy": f"http://u:{SECRET}@127.0.0.1:{server.port}"} if way == "proxy" else {}
        if way == "refused":
            server._server.close()
        client = make_client(server, token=token, clock=clock, max_retries=1, **settings)
        for operation, repeatable in (("messages", True), ("send", False)):
            request = asyncio.ensure_future(
                client.request(
                    operation,
                    {"conversation_id": "conv_9876"},
                    query={"since": "4321-query"},
                    body={"contenu": SECRET, "x": "\ud800" if way == "unsendable" else ""},
                    repeatable=repeatable,
                )
            )
            while not request.done():
                await a_moment()
                clock.advance(15 if way in ("silent", "proxy") else 0)
            if request.exception() is not None:
                error = request.exception()
                assert isinstance(error, MessagingError)
                errors.append(error)
        await client.aclose()
    logged = [f"{record.getMessage()} {record.args!r} {record.exc_text}" for record in caplog.records]
    shown = [text for error in errors for text in (str(error), repr(error), *traceback.format_exception(error))]
    assert len(errors) == (0 if way == "ok" else 2)
    assert any("operation=messages method=GET" in text for text in logged) or way == "unsendable"
    for text in [*logged, *shown]:
        for secret in (SECRET, token, *token.split("."), "conv_9876", "4321-query"):
            assert secret not in text
    for error in errors:
        assert isinstance(error, AuthenticationError) or error.__cause__ is None
        assert error.__context__ is None


async def test_the_log_of_httpx_goes_on_for_others(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with RawServer() as server:
        client = make_client(server)
        await client.request("health")
        await client.aclose()
    assert [record.name for record in caplog.records if record.name == "httpx"] == []
    logging.getLogger("httpx").info("HTTP Request: somebody else's")
    assert [record.name for record in caplog.records] == ["httpx"]


async def test_the_log_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="messaging_client.rest")
    async with RawServer((answer(503), answer(200, {}))) as server:
        client = make_client(server)
        await client.request("messages", {"conversation_id": 1})
        await client.aclose()
    lines = [record.getMessage() for record in caplog.records if record.name == "messaging_client.rest"]
    assert lines == [
        "request: operation=messages method=GET status=503 took_ms=0",
        "request: operation=messages method=GET status=200 took_ms=0",
    ]


# Connections that clients share


async def test_clients_share_connections_and_no_tokens() -> None:
    async with RawServer() as server:
        tokens = [make_token(each) for each in (5, 6)]
        clients = [make_client(server, token=each) for each in tokens]
        for client in clients:
            await client.request("participants", {"conversation_id": 15})
        assert server.connections == 1
        assert [seen.headers["authorization"] for seen in server.seen] == [f"Bearer {each}" for each in tokens]
        await clients[0].aclose()
        assert server.open == 1
        await clients[1].request("participants", {"conversation_id": 15})
        assert server.connections == 1
        await clients[1].aclose()
        await server.until(lambda: server.open == 0)


async def test_closing_a_client_ends_its_own_requests_only() -> None:
    async with RawServer((SILENT,)) as server, RawServer() as other:
        closed, stays = make_client(server), make_client(server)
        asked = [asyncio.ensure_future(failure_of(each, *SEND, repeatable=False)) for each in (closed, stays)]
        await server.until_seen(2)
        await closed.aclose()
        assert isinstance(await asked[0], ConnectionLost)
        await a_moment()
        assert not asked[1].done()
        await server.until(lambda: server.open == 1)
        await stays.aclose()
        assert isinstance(await asked[1], ConnectionLost)
        await server.until(lambda: server.open == 0)
        again = make_client(other)  # there is something to share anew
        await again.request("health", authenticated=False)
        await again.aclose()


async def test_connections_of_one_certificate_are_not_anothers(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with RawServer(tls=context) as server:
        clients = []
        for name in ("one", "other"):
            own = ssl.create_default_context()
            authority.configure_trust(own)
            authority.issue_cert(f"{name}@example.org").configure_cert(own)
            clients.append(make_client(server, verify=own))
        for client in clients:
            await client.request("health", authenticated=False)
        assert server.connections == 2
        for client in clients:
            await client.aclose()
