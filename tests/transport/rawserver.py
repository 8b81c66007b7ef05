"""Servers, clocks and tokens for the tests of REST: a TCP server that says exactly what a test tells it to say."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from messaging_client.config import MessagingConfig
from messaging_client.transport.address import ServerAddress
from messaging_client.transport.auth import TokenSource
from messaging_client.transport.http import RestClient
from messaging_client.wire.routes import RouteTable

CLOSE = "close"
SILENT = "silent"
RESET = "reset"


async def a_moment() -> None:
    """Let happen what is under way."""
    await asyncio.sleep(0.02)


def make_token(user_id: object = 5, role: str = "patient", **claims: object) -> str:
    return jwt.encode({"id": user_id, "role": role, **claims}, "a key that is long enough for HS256 to be happy")


def answer(status: int = 200, body: object = None, headers: Mapping[str, str] | None = None) -> bytes:
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"Content-Length": str(len(content)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + content


@dataclass(frozen=True)
class Seen:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


Step = bytes | str | tuple[Any, ...] | Callable[[Seen], Any]


@dataclass
class RawServer:
    """Answers requests in order with `steps`, the last one again and again.

    A step is bytes to write, CLOSE, RESET or SILENT, a tuple of those, or a function of the request that gives one.
    """

    steps: tuple[Step, ...] = (answer(200, {"data": {}}),)
    tls: ssl.SSLContext | None = None
    read_bodies: bool = True
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    port: int = 0

    async def __aenter__(self) -> RawServer:
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=self.tls, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # a transport closes its socket a turn after it was told to

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def until_seen(self, count: int) -> None:
        await self.until(lambda: len(self.seen) >= count)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            self._news.set()
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0))) if self.read_bodies else b""
        method, target, _ = first.split(" ")
        request = Seen(method, target, headers, body)
        step = self.steps[min(len(self.seen), len(self.steps) - 1)]
        self.seen.append(request)
        self._news.set()
        step = step(request) if callable(step) else step
        for part in step if isinstance(step, tuple) else (step,):
            if part == CLOSE:
                return False
            if part == RESET:
                writer.transport.abort()
                return False
            if part == SILENT:
                await reader.read()
                return False
            writer.write(part)
            await writer.drain()
        return True


class FakeClock:
    """Sleeps shorter than `patience` pass at once and are noted; longer ones end when `advance` has gone so far.

    With `grace`, real seconds, what passes at once does so only after them: time-outs that are not meant stay out.
    """

    def __init__(self, patience: float = 10.0, grace: float = 0.0) -> None:
        self.patience = patience
        self.grace = grace
        self.time = 1000.0
        self.slept: list[float] = []
        self._waiting: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return datetime(2024, 5, 1, tzinfo=UTC) + timedelta(seconds=self.time - 1000)

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        if seconds < self.patience:
            await asyncio.sleep(self.grace)
            self.slept.append(seconds)
            self.time += seconds
            return
        alarm: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((self.time + seconds, alarm))
        await alarm

    def advance(self, seconds: float) -> None:
        self.time += seconds
        for at, alarm in self._waiting:
            if at <= self.time and not alarm.done():
                alarm.set_result(None)


class Chance(random.Random):
    """Gives the same number always; 0.5 leaves delays as they are."""

    def __init__(self, value: float = 0.5) -> None:
        super().__init__()
        self.value = value

    def random(self) -> float:
        return self.value


def make_client(
    server: RawServer | str,
    *,
    token: Any = None,
    clock: Any = None,
    chance: float = 0.5,
    routes: Mapping[str, Any] | None = None,
    **settings: Any,
) -> RestClient:
    url = server if isinstance(server, str) else server.url
    return RestClient(
        ServerAddress.parse(url, allow_insecure=False),
        MessagingConfig(**settings),
        token if isinstance(token, TokenSource) else TokenSource(token or make_token()),
        clock=clock or FakeClock(),
        random=Chance(chance),
        routes=RouteTable.build(routes or {}),
    )
