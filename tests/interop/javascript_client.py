"""A user of the client in JavaScript, in a process of its own."""

from __future__ import annotations

import asyncio
import itertools
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from typing import Any, Self

from tests.interop.node_process import HERE, NodeError, install

PATIENCE = 20.0


class JavaScriptClient:
    """See `javascript/messaging_api.js` for its methods.

    Args:
        server: of either kind.
        user: who it is.
        settings: of the client: `bareId`, `authenticate`, `token`.

    Attributes:
        heard: the events that came: name and payload.
    """

    def __init__(self, server: Any, user: tuple[str, int], **settings: Any) -> None:
        given = {"url": server.url, "token": server.token(*user), "user": {"type": user[0], "id": user[1]}}
        self._given = given | settings
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._news = asyncio.Event()
        self._process: Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self.heard: list[tuple[str, Any]] = []

    async def __aenter__(self) -> Self:
        install()
        program = str(HERE / "javascript" / "main.js")
        self._process = await asyncio.create_subprocess_exec(
            "node", program, json.dumps(self._given), stdin=PIPE, stdout=PIPE, limit=1 << 22
        )
        self._reader = asyncio.create_task(self._read(self._process))
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._reader is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(PATIENCE):
                await self._reader
                await self._process.wait()
        finally:
            if self._process.returncode is None:
                self._process.kill()
                await self._process.wait()

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            message = json.loads(line)
            if "event" in message:
                self.heard.append((message["event"], message["payload"]))
                self._news.set()
            else:
                self._waiting.pop(message["id"]).set_result(message)
        for each in self._waiting.values():
            each.set_exception(RuntimeError("the client in JavaScript has ended"))

    async def call(self, method: str, *args: Any) -> Any:
        """Call a method, and give what it gives."""
        assert self._process is not None
        assert self._process.stdin is not None
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        line = json.dumps({"id": number, "call": method, "args": args})
        self._process.stdin.write(line.encode() + b"\n")
        async with asyncio.timeout(PATIENCE):
            answer = await self._waiting[number]
        if "error" in answer:
            raise NodeError(answer["error"], answer["status"] or 0)
        return answer["value"]

    async def view(self) -> list[dict[str, Any]]:
        """The messages that its user sees, in order of their ids."""
        seen: list[dict[str, Any]] = await self.call("view")
        return sorted(seen, key=lambda message: int(message["id"]))

    def payloads(self, event: str) -> list[Any]:
        """What came with an event so far."""
        return [payload for name, payload in self.heard if name == event]

    async def until(self, predicate: Callable[[], Any]) -> None:
        """Return as soon as the predicate holds; it is asked again after each event."""
        async with asyncio.timeout(PATIENCE):
            while not predicate():
                self._news.clear()
                await self._news.wait()

    async def until_sees(self, contents: list[str]) -> None:
        """Return once its user sees these messages and no others."""
        async with asyncio.timeout(PATIENCE):
            while [each["content"] for each in await self.view()] != contents:
                await self._news.wait()
                self._news.clear()
