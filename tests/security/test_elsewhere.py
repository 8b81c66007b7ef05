"""A token goes to the server that was configured, whatever a server says about where to go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp
import pytest
from aiohttp import web

from messaging_client import ConnectFailed, MessagingClient, MessagingConfig, UnexpectedResponse
from messaging_client.testing import mint_token

TOKEN = mint_token("k" * 32, "patient", 5)
TIMEOUT = 20.0


@dataclass
class Listener:
    """A server that takes everything, and keeps what it was told."""

    location: str | None = None
    status: int = 302
    heard: list[str] = field(default_factory=list)
    port: int = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.StreamResponse:
        self.heard.append(f"{request.raw_path} {dict(request.headers)} {await request.text()}")
        if self.location is not None:
            return web.Response(status=self.status, headers={"Location": self.location})
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return web.json_response({"status": "success", "data": {"conversations": []}})
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await ws.send_str('0{"sid":"e","upgrades":[],"pingInterval":25000,"pingTimeout":20000}')
        async for message in ws:
            self.heard.append(str(message.data))
            if message.type is aiohttp.WSMsgType.TEXT and message.data.startswith("40"):
                await ws.send_str('40{"sid":"s"}')
        return ws


STATUSES = [301, 302, 303, 307, 308]

PLACES: dict[str, Callable[[Listener, Listener], str]] = {
    "another host": lambda here, there: f"http://localhost:{there.port}/socket.io/?EIO=4&transport=websocket",
    "another port": lambda here, there: f"http://127.0.0.1:{there.port}/socket.io/?EIO=4&transport=websocket",
    "without a scheme": lambda here, there: f"//127.0.0.1:{there.port}/",
    "the same host": lambda here, there: "/elsewhere",
}


@pytest.fixture
async def there() -> AsyncIterator[Listener]:
    async with Listener() as listener:
        yield listener


async def test_the_listener_would_hear_it(there: Listener) -> None:
    """So that silence below is not for want of ears."""
    client = MessagingClient(f"http://127.0.0.1:{there.port}", token=TOKEN)
    await client.connect()
    await client.get_unread_conversations()
    await client.aclose()
    assert sum(TOKEN in each for each in there.heard) == 2  # one over the socket, one over REST


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("status", STATUSES)
async def test_an_upgrade_that_is_redirected(there: Listener, status: int, place: str) -> None:
    async with Listener(status=status) as here:
        here.location = PLACES[place](here, there)
        client = MessagingClient(
            f"http://127.0.0.1:{here.port}", token=TOKEN, config=MessagingConfig(headers={"X-Key": "k1"})
        )
        async with asyncio.timeout(TIMEOUT):
            with pytest.raises(ConnectFailed, match=f"HTTP {status}"):
                await client.connect()
        await client.aclose()
        assert len(here.heard) == 1
        assert TOKEN not in str(here.heard)  # it goes along once the socket is open
    assert there.heard == []


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("status", STATUSES)
async def test_a_request_that_is_redirected(there: Listener, status: int, place: str) -> None:
    async with Listener(status=status) as here:
        here.location = PLACES[place](here, there)
        client = MessagingClient(f"http://127.0.0.1:{here.port}", token=TOKEN, config=MessagingConfig(max_retries=0))
        with pytest.raises(UnexpectedResponse, match="redirects are not followed"):
            await client.get_unread_conversations()
        await client.aclose()
        assert len(here.heard) == 1
    assert there.heard == []


async def test_nothing_of_the_environment_sends_it_elsewhere(
    there: Listener, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """Neither a proxy nor credentials that the environment names: what is not in the configuration is not used."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login canary password canary")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    async with Listener() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        client = MessagingClient(f"http://127.0.0.1:{there.port}", token=TOKEN)
        await client.connect()
        await client.get_unread_conversations()
        await client.aclose()
        assert proxy.heard == []
    assert "Basic" not in str(there.heard)
