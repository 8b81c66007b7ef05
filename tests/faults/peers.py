"""Servers that misbehave to order; none of them is ours."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import WSMsgType, web

PATIENCE = 20.0
"""Real seconds after which a test gives up waiting for something that should come at once, on a busy machine too."""

PROMPTLY = 5.0
"""Real seconds: far less than it takes without the cure, more than a busy machine needs; `make soak` is exact."""


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def poll(predicate: Callable[[], Any], timeout: float = PATIENCE) -> None:
    """Wait for what nothing signals."""
    async with asyncio.timeout(timeout):
        while not predicate():  # noqa: ASYNC110 - descriptors and sockets signal nothing
            await asyncio.sleep(0.005)


class News:
    """Lets tests wait until something holds; it is asked again whenever there is news."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def tell(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    async def until(self, predicate: Callable[[], Any], timeout: float = PATIENCE) -> None:
        async with asyncio.timeout(timeout):
            while not predicate():
                await self._event.wait()


# --- a Socket.IO server that does what a script says ------------------------------------------------------------------

_sids = itertools.count(1)


@dataclass(frozen=True)
class Sent:
    """An event that a client sent."""

    name: str
    args: list[Any]
    id: int | None


class Visit:
    """One WebSocket of a client, as the server sees it."""

    def __init__(self, peer: Peer, request: web.Request, ws: web.WebSocketResponse) -> None:
        self.peer = peer
        self.request = request
        self.headers = request.headers
        self.ws = ws
        self.sid = f"peer-{next(_sids)}"
        self.auth: Any = None
        self.frames: list[str | bytes] = []
        self.events: list[Sent] = []
        self.close_code: int | None = None
        self.over = False

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events]

    @property
    def rooms(self) -> list[Any]:
        """What the client asked to join, in order."""
        return [event.args[0]["conversationId"] for event in self.events if event.name == "join_conversation"]

    async def open(self, *, ping_interval: float = 25.0, ping_timeout: float = 20.0) -> None:
        """Open the Engine.IO session."""
        session = {
            "sid": "engine",
            "upgrades": [],
            "pingInterval": round(ping_interval * 1000),
            "pingTimeout": round(ping_timeout * 1000),
            "maxPayload": 1_000_000,
        }
        await self.send("0" + json.dumps(session))

    async def asked(self) -> None:
        """Wait until the client asks for the namespace, and note its `auth`."""
        frame = await self.receive()
        assert isinstance(frame, str), frame
        assert frame.startswith("40"), frame
        self.auth = json.loads(frame[2:]) if len(frame) > 2 else None

    async def accept(self, **more: Any) -> None:
        """Acknowledge the namespace."""
        await self.send("40" + json.dumps({"sid": self.sid, **more}))

    async def welcome(self, **pings: float) -> None:
        """The whole of a handshake that goes well."""
        await self.open(**pings)
        await self.asked()
        await self.accept()

    async def serve(self) -> None:
        """Be a good server."""
        await self.welcome()
        await self.stay()

    async def refuse(self, data: Any) -> None:
        """Refuse the namespace, as a middleware does."""
        await self.send("44" + json.dumps(data))

    async def emit(self, name: str, *args: Any) -> None:
        await self.send("42" + json.dumps([name, *args]))

    async def acknowledge(self, sent: Sent, *args: Any) -> None:
        await self.send(f"43{sent.id}{json.dumps(list(args))}")

    async def send(self, frame: str | bytes) -> None:
        """Send a raw WebSocket message."""
        if isinstance(frame, bytes):
            await self.ws.send_bytes(frame)
        else:
            await self.ws.send_str(frame)

    async def receive(self) -> str | bytes | None:
        """The client's next message; None once the connection is over."""
        message = await self.ws.receive()
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            self.close_code = self.ws.close_code
            return None
        self.frames.append(message.data)
        if isinstance(message.data, str) and message.data.startswith("42"):
            digits = "".join(itertools.takewhile(str.isdigit, message.data[2:]))
            name, *args = json.loads(message.data[2 + len(digits) :])
            self.events.append(Sent(name, args, int(digits) if digits else None))
        self.peer.news.tell()
        return message.data

    async def stay(self) -> None:
        """Read what comes until the connection is over, and say nothing."""
        while await self.receive() is not None:
            pass

    def abort(self) -> None:
        """Cut the TCP connection."""
        if self.request.transport is not None:
            self.request.transport.abort()


Script = Callable[[Visit], Awaitable[None]]


class Peer:
    """A server that follows a script for each WebSocket, and answers every REST request with nothing new.

    Args:
        scripts: what is done with the first connection, the second and so on; the last one again and again. By default
            it is a good server.
        port: 0 takes a free one.
        refusals: HTTP statuses with which the first upgrades are answered.
    """

    def __init__(self, *scripts: Script, port: int = 0, refusals: tuple[int, ...] = ()) -> None:
        self._scripts = scripts or (Visit.serve,)
        self._refusals = list(refusals)
        self._runner: web.AppRunner | None = None
        self.port = port
        self.news = News()
        self.visits: list[Visit] = []
        self.upgrades = 0
        self.failures: list[BaseException] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def visit(self) -> Visit:
        """The latest connection."""
        return self.visits[-1]

    @property
    def open(self) -> int:
        """How many connections stand."""
        return sum(not visit.over for visit in self.visits)

    async def until(self, predicate: Callable[[], Any], timeout: float = PATIENCE) -> None:
        await self.news.until(predicate, timeout)

    async def __aenter__(self) -> Peer:
        app = web.Application()
        app.router.add_get("/socket.io/", self._upgrade)
        app.router.add_route("*", "/api/{rest:.*}", self._rest)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        assert not self.failures, self.failures

    async def stop(self) -> None:
        """Cut everything and listen no more."""
        runner, self._runner = self._runner, None
        if runner is not None:
            for visit in self.visits:
                visit.abort()
            await runner.cleanup()

    async def _upgrade(self, request: web.Request) -> web.StreamResponse:
        self.upgrades += 1
        self.news.tell()
        if self._refusals:
            return web.Response(status=self._refusals.pop(0), text="Non")
        ws = web.WebSocketResponse(max_msg_size=0, timeout=0.2)
        visit = Visit(self, request, ws)
        script = self._scripts[min(len(self.visits), len(self._scripts) - 1)]
        await ws.prepare(request)
        self.visits.append(visit)
        self.news.tell()
        try:
            await script(visit)
        except (ConnectionError, asyncio.CancelledError):
            pass
        except BaseException as error:
            self.failures.append(error)
            raise
        finally:
            with contextlib.suppress(ConnectionError, RuntimeError):
                await ws.close()
            visit.over = True
            self.news.tell()
        return ws

    async def _rest(self, request: web.Request) -> web.Response:
        if request.path.endswith("/messages") or request.path.endswith("/new-messages"):
            return web.json_response({"status": "success", "data": {"messages": []}})
        return web.json_response({"status": "success", "data": {"conversations": []}})


# --- below Socket.IO --------------------------------------------------------------------------------------------------


class Bare:
    """A TCP server that does with every connection what a function says, and counts those that stand."""

    def __init__(self, talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
        self._talk = talk
        self._tasks: set[asyncio.Task[None]] = set()
        self.news = News()
        self.accepted = 0
        self.open = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Bare:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self.open += 1
        self.news.tell()
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._talk(reader, writer)
        finally:
            writer.transport.abort()
            self.open -= 1
            self.news.tell()


async def say_nothing(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Accept the TCP connection, read, and stay silent until the client has gone."""
    while await reader.read(65536):
        pass


class Wire:
    """A TCP proxy that can stop forwarding, as a link does that is half open: nobody is told anything.

    Args:
        port: of the server behind it.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._bare = Bare(self._forward)
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return self._bare.url

    @property
    def open(self) -> int:
        return self._bare.open

    def stop(self) -> None:
        """Forward nothing from now on, and read nothing."""
        self._flowing.clear()

    def go(self) -> None:
        self._flowing.set()

    def cut(self) -> None:
        """Abort every connection, on both sides."""
        for writer in self._writers:
            writer.transport.abort()

    async def __aenter__(self) -> Wire:
        await self._bare.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._bare.__aexit__()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        both = {writer, far_writer}
        self._writers |= both
        pumps = {
            asyncio.ensure_future(self._pump(reader, far_writer)),
            asyncio.ensure_future(self._pump(far_reader, writer)),
        }
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._writers -= both
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            far_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await self._flowing.wait()
            data = await reader.read(65536)
            if not data:
                return
            await self._flowing.wait()
            writer.write(data)
            await writer.drain()
