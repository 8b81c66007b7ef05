"""How links open their WebSockets: by an aiohttp session that all links of an event loop with one TLS context share.

A session with its connector takes six kilobytes. Nothing that passes from a link to another is kept in it: no
connection goes back into the pool, there are no cookies, and headers are those of each request.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Protocol, cast

import aiohttp

from messaging_client.transport.shared import Sessions

# aiohttp's own limit of the whole holds a timer for five minutes; the whole attempt is bounded from outside.
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=30.0)


class Opener(Protocol):
    """Who opens a WebSocket."""

    def new_socket(self, address: Any) -> socket.socket:
        """Make a socket for an address as `getaddrinfo` gives it."""
        ...

    def new_websocket(self, *args: Any, **kwargs: Any) -> aiohttp.ClientWebSocketResponse:
        """Make what aiohttp makes of these arguments."""
        ...


_opener: ContextVar[Opener] = ContextVar("messaging_client_opener")


def _new_socket(address: Any) -> socket.socket:
    return _opener.get().new_socket(address)


def _new_websocket(*args: Any, **kwargs: Any) -> aiohttp.ClientWebSocketResponse:
    return _opener.get().new_websocket(*args, **kwargs)


async def _refuse_redirect(_session: Any, _context: Any, told: aiohttp.TraceRequestRedirectParams) -> None:
    """Stop at a redirect, which aiohttp would follow: the token would be said to whoever it leads to."""
    response = told.response
    raise aiohttp.WSServerHandshakeError(response.request_info, (), status=response.status)


def no_redirects() -> aiohttp.TraceConfig:
    """Give what makes a session refuse redirects."""
    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_refuse_redirect)
    return trace


def _new_session(context: ssl.SSLContext | None) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0,
            force_close=True,
            use_dns_cache=False,  # each attempt looks the name up, for a server that has moved is found again
            ssl=context or True,
            socket_factory=_new_socket,
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=_TIMEOUT,
        trace_configs=[no_redirects()],
        ws_response_class=cast(Any, _new_websocket),
    )


_sessions = Sessions(_new_session)


class Door:
    """What the engine client is given as its aiohttp session: it opens the WebSocket of one link.

    Args:
        opener: makes socket and WebSocket.
        headers: of the upgrade, besides those of the library.
        context: for `https`, or None; doors with the same one share their session.
    """

    __slots__ = ("__weakref__", "_headers", "_opener", "_shared", "closed")

    def __init__(self, opener: Opener, headers: Mapping[str, str], context: ssl.SSLContext | None) -> None:
        self.closed = False
        self._opener = opener
        self._headers = headers
        self._shared = _sessions.use(self, context)

    async def ws_connect(self, url: str, *, headers: Mapping[str, str], **options: Any) -> Any:
        """Open a WebSocket, as `aiohttp.ClientSession.ws_connect` does."""
        before = _opener.set(self._opener)
        try:
            return await self._shared.session.ws_connect(url, headers={**self._headers, **headers}, **options)
        finally:
            _opener.reset(before)

    async def close(self) -> None:
        """Open nothing more; the last door closes the session."""
        if not self.closed:
            self.closed = True
            await _sessions.leave(self, self._shared)
