"""A server that means harm, in REST and in events, and how long it holds up the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Self

import aiohttp
from aiohttp import web

from messaging_client import MessagingClient, MessagingConfig
from messaging_client.testing import mint_token
from messaging_client.wire.answers import parse_json

TOKEN = mint_token("k" * 32, "patient", 5)
TIMEOUT = 20.0

Body = bytes | Callable[[], bytes]


class HostileServer:
    """Answers every request with what it was told to, and says what it is told to over the socket.

    Attributes:
        body: of every answer of REST; or by the end of the path.
        opening: Engine.IO's first frame.
        sockets: the open ones.
    """

    def __init__(self) -> None:
        self.body: bytes | Mapping[str, bytes] = b'{"status":"success","data":{"messages":[]}}'
        self.status = 200
        self.headers: dict[str, str] = {}
        self.opening = '0{"sid":"e","upgrades":[],"pingInterval":25000,"pingTimeout":20000}'
        self.welcome = '40{"sid":"s"}'
        self.sockets: list[web.WebSocketResponse] = []
        self.requests = 0
        self.port = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/socket.io/", self._socket)
        app.router.add_route("*", "/{path:.*}", self._rest)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        for each in self.sockets:
            with contextlib.suppress(Exception):
                await each.close()
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, **settings: Any) -> MessagingClient:
        return MessagingClient(self.url, token=TOKEN, config=MessagingConfig(max_retries=0, **settings))

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        await request.read()
        body = self.body
        if isinstance(body, Mapping):
            body = next((each for end, each in body.items() if request.path.endswith(end)), b"")
        return web.Response(status=self.status, body=body, headers={"Content-Type": "application/json", **self.headers})

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(max_msg_size=0)
        await ws.prepare(request)
        with contextlib.suppress(ConnectionError):
            await ws.send_str(self.opening)
            async for message in ws:
                if message.type is aiohttp.WSMsgType.TEXT and message.data.startswith("40"):
                    await ws.send_str(self.welcome)
                    self.sockets.append(ws)
        return ws

    async def say(self, frame: str | bytes) -> None:
        """Send a frame over the newest socket."""
        ws = self.sockets[-1]
        await (ws.send_str(frame) if isinstance(frame, str) else ws.send_bytes(frame))

    async def emit(self, name: str, *args: Any) -> None:
        await self.say("42" + json.dumps([name, *args]))


@contextlib.asynccontextmanager
async def served() -> AsyncIterator[HostileServer]:
    async with HostileServer() as server:
        yield server


async def longest_block(work: Awaitable[Any]) -> float:
    """Await something; the longest time for which the loop did nothing else meanwhile.

    Measured in the thread's own time of the processor, so that other processes do not count.
    """
    loop = asyncio.get_running_loop()
    longest, last, goes_on = 0.0, time.thread_time(), True

    def tick() -> None:
        nonlocal longest, last
        now = time.thread_time()
        longest, last = max(longest, now - last), now
        if goes_on:
            loop.call_soon(tick)

    loop.call_soon(tick)
    try:
        await work
    finally:
        goes_on = False
    return max(longest, time.thread_time() - last)


def seconds_to_parse(body: bytes) -> float:
    """What reading the JSON alone takes, at best."""

    def once() -> float:
        began = time.thread_time()
        parse_json(body)
        return time.thread_time() - began

    return min(once() for _ in range(3))
