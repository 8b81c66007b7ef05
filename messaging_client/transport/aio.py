"""Connections for REST: aiohttp's pool, for it is some five times as fast at 16 requests as httpx's own.

Requests go to aiohttp as they are. httpx around it (httpx-aiohttp) was measured at a third of the time of a send, for
objects that nobody looked at; settings are read as httpx reads them all the same (`tls.py`, `address.py`).

What a caller must know of a failure is whether the request can have reached the server. That is not guessed from
exceptions here but noted on the way (`Attempt`).
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

import aiohttp
import httpx
from aiohttp.connector import Connection
from yarl import URL

from messaging_client.clock import Interrupted, Interruptible
from messaging_client.few import Few
from messaging_client.transport.address import ProxyAddress
from messaging_client.transport.shared import Sessions

MAX_CONNECTIONS = 128
"""Connections of one client at most; further requests wait for one. 64 at a time were measured without waiting."""

IDLE_SECONDS = 4.0
"""How long an idle connection is kept. Node closes one after 5 s (`server.keepAliveTimeout`): being first means that
no request is sent into a connection that the server is just closing."""

_NO_TIMEOUT = aiohttp.ClientTimeout(total=None)  # that is kept from outside, by our clock

_attempt: ContextVar[Attempt] = ContextVar("messaging_client_attempt")


@dataclass(slots=True)
class Attempt:
    """How far one request has come.

    Attributes:
        may_have_left: a connection was ready and the request may have been written to it.
        status: the status of the answer, or None while there is none.

    """

    may_have_left: bool = False
    status: int | None = None


class AttemptFailed(Exception):
    """A request that had no answer, or half of one; the text says in our words what went wrong, and no address.

    Attributes:
        lasting: repeating the request would fail in the same way.

    """

    def __init__(self, text: str, *, lasting: bool = False) -> None:
        super().__init__(text)
        self.lasting = lasting


@dataclass(frozen=True, slots=True, repr=False)
class Received:
    """An answer as it came.

    Attributes:
        status: of HTTP.
        headers: with names in any case.
        body: None if it is larger than was allowed.
        is_compressed: the body is not what was asked for.

    """

    status: int
    headers: Mapping[str, str]
    body: bytes | None
    is_compressed: bool


def _new_session(context: ssl.SSLContext | None) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=_Connector(limit=0, keepalive_timeout=IDLE_SECONDS, ssl=context or True),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )


# A connection belongs to nobody: what names a user is the token, in the headers of each request. Where a certificate
# names one, the TLS context is another, and so are the connections; those through a proxy are kept apart by aiohttp.
_sessions = Sessions(_new_session)


class Pool:
    """What one client has of the connections for REST; nothing is opened before the first request.

    It follows no redirect, keeps no cookie, unpacks nothing, knows no time-out (that is kept from outside, by our
    clock), and does not look at what the environment says of proxies.

    Args:
        context: for TLS, to the server and to the proxy; clients with the same one share their connections.
        proxy: the proxy that all requests go through.

    """

    def __init__(self, context: ssl.SSLContext, proxy: ProxyAddress | None) -> None:
        self._proxy = None if proxy is None else proxy.url
        # With the credentials as a header, for aiohttp's own parameter for them is deprecated.
        self._proxy_headers = {} if proxy is None else _proxy_headers(proxy)
        self._shared = _sessions.use(self, context)
        self._places = asyncio.Semaphore(MAX_CONNECTIONS)
        self._running: Few[Interruptible] = Few()
        self._ended: asyncio.Future[None] | None = None

    async def aclose(self) -> None:
        """End the requests under way, which fail; the last one who uses the connections closes them."""
        if self._running:
            self._ended = self._shared.loop.create_future()
            for each in tuple(self._running):
                each.interrupt()
            await self._ended
        await _sessions.leave(self, self._shared)

    async def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | None,
        attempt: Attempt,
        bound: Callable[[int], int],
    ) -> Received:
        """Send a request, and read the answer.

        Args:
            method: of HTTP.
            url: the whole address.
            headers: all that are sent, but for those that say how long the body is.
            content: the body, or None.
            attempt: told how far it comes.
            bound: gives the size of the largest body that is read, by status.

        Raises:
            AttemptFailed: there was no answer, or half of one.

        """
        running = Interruptible()
        self._running.add(running)
        try:
            return await running.run(self._asked(method, url, headers, content, attempt, bound))
        except Interrupted:
            pass
        finally:
            self._running.discard(running)
            if self._ended is not None and not self._running and not self._ended.done():
                self._ended.set_result(None)
        raise _closed(attempt)

    async def _asked(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | None,
        attempt: Attempt,
        bound: Callable[[int], int],
    ) -> Received:
        target = _parsed(url)
        if self._proxy_headers and target.scheme == "http":
            headers = {**headers, **self._proxy_headers}  # aiohttp sends them with CONNECT only
        before = _attempt.set(attempt)
        try:
            async with (
                self._places,
                self._shared.session.request(
                    method,
                    target,
                    headers=headers,
                    data=content,
                    allow_redirects=False,
                    timeout=_NO_TIMEOUT,
                    proxy=self._proxy,
                    proxy_headers=self._proxy_headers or None,
                ) as response,
            ):
                attempt.status = status = response.status
                body = await _bounded(response, bound(status))
                packed = any(each != "identity" for each in response.headers.getall("content-encoding", ()))
                return Received(status, response.headers, body, packed)
        except (aiohttp.ClientError, OSError) as error:
            failed = _failure(error, attempt)
        finally:
            _attempt.reset(before)
        # Without the libraries' own, whose texts hold addresses.
        raise failed


class _Connector(aiohttp.TCPConnector):
    """Notes when a request has its connection: it is written at once then, so from here on it may have left."""

    async def connect(self, *args: Any, **kwargs: Any) -> Connection:
        connection = await super().connect(*args, **kwargs)
        _attempt.get().may_have_left = True
        return connection


@lru_cache(maxsize=256)  # a tenth of a request's time, and the same few addresses again and again
def _parsed(url: str) -> URL:
    return URL(str(httpx.URL(url)))


async def _bounded(response: aiohttp.ClientResponse, bound: int) -> bytes | None:
    """Read a body, or give None as soon as it is known to be larger than `bound`."""
    if (response.content_length or 0) > bound:
        return None
    body = await response.content.readany()
    while not response.content.at_eof():
        if len(body) > bound:
            return None
        body += await response.content.readany()
    return None if len(body) > bound else body


def _closed(attempt: Attempt) -> AttemptFailed:
    if attempt.status is not None:
        return AttemptFailed("the connection ended inside the answer")
    return AttemptFailed("the client was closed")


def _failure(error: Exception, attempt: Attempt) -> AttemptFailed:
    if attempt.status is not None:
        return AttemptFailed("the connection ended inside the answer")
    for kind, reason in _REASONS:
        if isinstance(error, kind):
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
