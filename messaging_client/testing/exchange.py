"""One HTTP request and its answer, or what goes wrong instead."""

from __future__ import annotations

import json
from email.utils import formatdate
from typing import Any

from starlette.datastructures import Headers, QueryParams

from messaging_client.testing.inputs import Refused
from messaging_client.testing.network import transport_of
from messaging_client.testing.records import RequestRecord
from messaging_client.testing.rules import Drop, Raw, Reply, RestFault, Silence, Truncate

DRAIN_LIMIT = 16  # how many times the largest body is read and dropped, so that the refusal can be sent
JSON_TYPE = "application/json; charset=utf-8"


class ClientGone(Exception):
    """The client closed the connection while it was still sending."""


class Exchange:
    """A request that is being answered.

    Args:
        scope, receive, send: as ASGI gives them.
        record: the note of the request, which gets the status of the answer.

    Attributes:
        transport: the connection that it came over.
        headers, query, path: of the request; `path` holds what stands in the route's placeholders.
        body: empty until it has been read.

    """

    def __init__(self, scope: Any, receive: Any, send: Any, record: RequestRecord) -> None:
        self._receive = receive
        self._send = send
        self._record = record
        self.transport = transport_of(scope)
        self.headers = Headers(scope=scope)
        self.query = QueryParams(scope["query_string"])
        self.path = scope["path_params"]
        self.body = b""

    async def read(self, largest: int) -> None:
        """Read the body.

        Raises:
            Refused: 413.
            ClientGone: it never came whole.

        """
        parts: list[bytes] = []
        size = 0
        more = True
        while more and size <= largest * DRAIN_LIMIT:
            event = await self._receive()
            if event["type"] == "http.disconnect":
                raise ClientGone
            size += len(event.get("body", b""))
            if size <= largest:
                parts.append(event.get("body", b""))
            more = event.get("more_body", False)
        if size > largest:
            raise Refused(413, "Corps trop volumineux")
        self.body = b"".join(parts)

    async def answer(self, status: int, payload: Any, headers: dict[str, str] | None = None) -> None:
        """Answer with JSON, or with nothing for None."""
        body = b"" if payload is None else json.dumps(payload).encode()
        await self._respond(status, body, {"content-type": JSON_TYPE} | (headers or {}))

    async def play(self, fault: RestFault, status: int = 200, payload: Any = None) -> None:
        """Do what a fault says.

        Args:
            fault: the fault.
            status, payload: the answer that would have been given, for a fault that gives half of it.

        """
        match fault:
            case Reply():
                await self._respond(fault.status, fault.body, dict(fault.headers))
            case Truncate():
                body = json.dumps(payload).encode()
                await self._start(status, {"content-type": JSON_TYPE, "content-length": str(len(body))})
                await self._send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
                self.transport.close()
            case Raw():
                self.transport.write(fault.data)
                self.transport.close()
            case Drop():
                self.transport.abort()
            case Silence():
                pass
        if not isinstance(fault, Reply):
            await self._gone()

    async def hang_up(self) -> None:
        """Close the connection without an answer."""
        self.transport.abort()
        await self._gone()

    async def _gone(self) -> None:
        """Wait until the connection is closed, by whichever side."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _respond(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        await self._start(status, headers | {"content-length": str(len(body))})
        await self._send({"type": "http.response.body", "body": body})

    async def _start(self, status: int, headers: dict[str, str]) -> None:
        self._record.status = status
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        raw.append((b"date", formatdate(usegmt=True).encode()))
        await self._send({"type": "http.response.start", "status": status, "headers": raw})
