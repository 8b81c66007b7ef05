"""The interface as a web page: `textual-serve`, and who may open it.

Whoever gets the page is the user. So it is given to nobody who does not know the key in the address that the terminal
shows, and its socket to no other page, not even one of another port of this machine.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from shlex import join
from urllib.parse import urlsplit

from aiohttp import WSCloseCode, web
from textual_serve.app_service import AppService
from textual_serve.server import Server, to_int

from messaging_client.errors import ConfigurationError
from messaging_client.signals import until_told_to_stop
from messaging_client.tui.app import PATIENCE

TITLE = "messaging-client chat"
_KEY_PARAMETER = "key"
_ENDING = 3 * PATIENCE  # seconds that the interfaces get to send what is left

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ChatServer(Server):
    """Runs an interface of its own, in a process of its own, for each page that is open.

    Args:
        command: what runs the interface; nothing secret may stand in it, for others on this machine can see it.
        host, port: where to listen.
        public_url: the address by which browsers reach it.

    Attributes:
        key: what the address has to hold; a new one each time.
    """

    def __init__(self, command: Sequence[str], host: str, port: int, public_url: str) -> None:
        super().__init__(join(command), host=host, port=port, title=TITLE, public_url=public_url.rstrip("/"))
        self.key = secrets.token_urlsafe(24)
        self._cookie = f"messaging_chat_{port}"  # browsers share cookies between the ports of a host
        self._pages: dict[AppService, web.WebSocketResponse] = {}

    @property
    def address(self) -> str:
        """The address to open, key included."""
        return f"{self.public_url}/?{_KEY_PARAMETER}={self.key}"

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard)
        app.on_response_prepare.append(self._harden)
        return app

    async def on_startup(self, app: web.Application) -> None:
        """Print nothing: whoever runs it says where it is."""

    # --- who may -----------------------------------------------------------------------------------------------------

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.host != urlsplit(self.public_url).netloc:
            raise web.HTTPForbidden(text="Open the address that the terminal shows.")
        if self._is_key(request.query.get(_KEY_PARAMETER)) and request.path == "/":
            entered = web.HTTPSeeOther("/")  # so that the key stands in the address no longer
            entered.set_cookie(self._cookie, self.key, httponly=True, samesite="Strict", path="/")
            return entered
        if not self._is_key(request.cookies.get(self._cookie)):
            raise web.HTTPForbidden(text="Open the address that the terminal shows, with its key.")
        if request.path == "/ws" and request.headers.get("Origin") != _origin(self.public_url):
            raise web.HTTPForbidden(text="Another page may not use this one.")
        return await handler(request)

    def _is_key(self, given: str | None) -> bool:
        return given is not None and hmac.compare_digest(given.encode(), self.key.encode())

    async def _harden(self, _request: web.Request, response: web.StreamResponse) -> None:
        """Nothing is fetched from elsewhere, kept by the browser, told to other sites or shown within another page."""
        socket = urlsplit(self.public_url)._replace(scheme="wss" if self.public_url.startswith("https") else "ws")
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
            f"img-src 'self' data:; font-src 'self' data:; connect-src 'self' {socket.geturl()}; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Content-Type-Options"] = "nosniff"

    # --- pages -------------------------------------------------------------------------------------------------------

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Run an interface for as long as its page is open, and until it has sent what is left."""
        socket = web.WebSocketResponse(heartbeat=15)
        await socket.prepare(request)

        async def close() -> None:
            await socket.close()

        page = AppService(
            self.command,
            write_bytes=socket.send_bytes,
            write_str=socket.send_str,
            close=close,
            download_manager=self.download_manager,
        )
        self._pages[page] = socket
        try:
            await page.start(to_int(request.query.get("width", ""), 80), to_int(request.query.get("height", ""), 24))
            await self._process_messages(socket, page)
        finally:
            await page.stop()
            self._pages.pop(page, None)
        return socket

    async def end_pages(self) -> None:
        """Close every page; each interface sends what is left, and ends."""
        for socket in list(self._pages.values()):
            await socket.close(code=WSCloseCode.GOING_AWAY)
        with suppress(TimeoutError):
            async with asyncio.timeout(_ENDING):
                await asyncio.gather(*(page.stop() for page in list(self._pages)), return_exceptions=True)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def page_address(host: str, port: int, exposed_as: str | None) -> str:
    """Give the address of the page.

    Args:
        host, port: where it listens.
        exposed_as: the address by which other machines reach it, or None.

    Raises:
        ConfigurationError: it would be reached from other machines, and that was not asked for.
    """
    if exposed_as is not None:
        parts = urlsplit(exposed_as)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/") or parts.query:
            raise ConfigurationError("--expose takes an address without a path, as https://chat.example.org.")
        return exposed_as.rstrip("/")
    if not _is_loopback(host):
        raise ConfigurationError(
            "Whoever reaches the page is the user: it is served to this machine only, unless --expose URL says "
            "by which address others reach it."
        )
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def serve_chat(server: ChatServer, on_ready: Callable[[], object]) -> None:
    """Serve pages until SIGINT or SIGTERM, and let their interfaces end.

    Args:
        server: what serves them.
        on_ready: called when it listens.

    Raises:
        ConfigurationError: it cannot listen there.
    """
    # Without an access log, which would hold the key.
    runner = web.AppRunner(await server._make_app(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, server.host, server.port).start()
        except OSError as error:
            raise ConfigurationError(f"Cannot listen on {server.host}, port {server.port}: {error.strerror}.") from None
        await until_told_to_stop(on_ready)
    finally:
        await server.end_pages()
        await runner.cleanup()
