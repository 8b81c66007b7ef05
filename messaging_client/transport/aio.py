"""The httpx transport for REST: aiohttp underneath, for its connection pool is some five times as fast at 16 requests.

httpx-aiohttp 0.2.0 reports a refused connection, a failed name look-up and a server that closed after it had read the
request all as `httpx.ConnectTimeout`, and lets some of aiohttp's exceptions through. What a caller must know is whether
the request can have reached the server. That is not guessed from exceptions here but noted on the way (`Attempt`).
"""

from __future__ import annotations

import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import unquote

import aiohttp
import httpx
from aiohttp.connector import Connection
from httpx_aiohttp import AiohttpTransport

from messaging_client.transport.address import ProxyAddress

MAX_CONNECTIONS = 128
"""Connections of one client at most; further requests wait for one. 64 at a time were measured without waiting."""

IDLE_SECONDS = 4.0
"""How long an idle connection is kept. Node closes one after 5 s (`server.keepAliveTimeout`): being first means that
no request is sent into a connection that the server is just closing."""

EXTENSION = "messaging_client.attempt"
"""The key of `httpx.Request.extensions` under which the transport finds the `Attempt` to write to."""

_attempt: ContextVar[Attempt] = ContextVar("messaging_client_attempt")


@dataclass
class Attempt:
    """How far one request has come.

    Attributes:
        may_have_left: a connection was ready and the request may have been written to it.
        status: the status of the answer, or None while there is none.

    """

    may_have_left: bool = False
    status: int | None = None


class AttemptFailed(httpx.TransportError):
    """A request that had no answer, or half of one; the text says in our words what went wrong, and no address.

    Attributes:
        lasting: repeating the request would fail in the same way.

    """

    def __init__(self, text: str, *, lasting: bool = False) -> None:
        super().__init__(text)
        self.lasting = lasting


class Transport(AiohttpTransport):
    """A connection pool of its own, in which nothing is opened before the first request.

    Requests are handed to it as they are: the rest of httpx's client (redirects, cookies, authentication, time-outs, a
    log of addresses) is not wanted here, and would take a third of a request's time. Time-outs are kept from outside,
    by our clock. Each request must carry an `Attempt` as its extension `EXTENSION`.

    Args:
        context: for TLS, to the server and to the proxy.
        proxy: the proxy that all requests go through.

    """

    def __init__(self, context: ssl.SSLContext, proxy: ProxyAddress | None) -> None:
        # With the credentials as a header, for aiohttp's own parameter for them is deprecated.
        self._proxy_headers = {} if proxy is None else _proxy_headers(proxy)
        via = None if proxy is None else httpx.Proxy(proxy.url, headers=self._proxy_headers)
        super().__init__(verify=context, trust_env=False, proxy=via, client=self._make_session)

    def _make_session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=_Connector(limit=MAX_CONNECTIONS, keepalive_timeout=IDLE_SECONDS, ssl=self.ssl_context),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; AttemptFailed where there is no answer."""
        if self._proxy_headers and request.url.scheme == "http":
            request.headers.update(self._proxy_headers)  # aiohttp sends them with CONNECT only
        attempt: Attempt = request.extensions[EXTENSION]
        with _told_in_our_words(attempt):
            before = _attempt.set(attempt)
            try:
                response = await super().handle_async_request(request)
            finally:
                _attempt.reset(before)
        attempt.status = response.status_code
        response.stream = _Body(cast("httpx.AsyncByteStream", response.stream), attempt)
        return response


class _Connector(aiohttp.TCPConnector):
    """Notes when a request has its connection: it is written at once then, so from here on it may have left."""

    async def connect(self, *args: Any, **kwargs: Any) -> Connection:
        connection = await super().connect(*args, **kwargs)
        _attempt.get().may_have_left = True
        return connection


class _Body(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, attempt: Attempt) -> None:
        self._stream = stream
        self._attempt = attempt

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _told_in_our_words(self._attempt):
            async for chunk in self._stream:
                yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


@contextlib.contextmanager
def _told_in_our_words(attempt: Attempt) -> Iterator[None]:
    """Turn every failure of the libraries into `AttemptFailed`, without their texts: those hold addresses."""
    failed: AttemptFailed | None = None
    try:
        yield
    except (httpx.TransportError, aiohttp.ClientError, OSError) as error:
        failed = _failure(error, attempt)
    if failed is not None:
        raise failed


def _failure(error: Exception, attempt: Attempt) -> AttemptFailed:
    cause = error.__cause__ if isinstance(error, httpx.TransportError) else error
    if attempt.status is not None:
        return AttemptFailed("the connection ended inside the answer")
    for kind, reason in _REASONS:
        if isinstance(cause, kind):
            return AttemptFailed(reason, lasting=issubclass(kind, _LASTING))
    reason = "the connection ended before the answer" if attempt.may_have_left else "the server could not be reached"
    return AttemptFailed(reason)


_LASTING = (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError)

_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (aiohttp.ClientProxyConnectionError, "the proxy could not be reached"),
    (aiohttp.ClientHttpProxyError, "the proxy refused"),
    (aiohttp.ClientConnectorDNSError, "the server's name could not be resolved"),
    (
        aiohttp.ClientConnectorCertificateError,
        "the server's certificate is not trusted (see verify in the config)",
    ),
    (aiohttp.ClientConnectorSSLError, "TLS could not be agreed on; perhaps the server speaks plain http"),
    (aiohttp.ClientConnectorError, "the server could not be reached"),
    (aiohttp.ClientResponseError, "the answer is not HTTP; perhaps the server speaks https, or another protocol"),
)


def _proxy_headers(proxy: ProxyAddress) -> dict[str, str]:
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
    return {"proxy-authorization": "Basic " + base64.b64encode(pair).decode("ascii")}
