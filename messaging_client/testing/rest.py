"""The REST side: finding the operation, checking the token, and what may go wrong on the way (protocol, section 3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from messaging_client.testing.exchange import ClientGone, Exchange
from messaging_client.testing.inputs import Refused, parse_json
from messaging_client.testing.options import AnswerStyle
from messaging_client.testing.records import Identity, RequestRecord
from messaging_client.testing.rules import Silence
from messaging_client.testing.surroundings import Surroundings

NOBODY = Identity("", -1)


@dataclass(frozen=True, slots=True)
class Call:
    """A request, as a handler gets it.

    Attributes:
        user: whom the token names.
        method: GET, POST and so on.
        path: what stands in the route's placeholders.
        query: the last of each name.
        headers: names in small letters.
        body: as it came.

    """

    user: Identity
    method: str
    path: Mapping[str, Any]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Read the body as a JSON object.

        Raises:
            Refused: 400.

        """
        return parse_json(self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """A success.

    Attributes:
        data: what the envelope holds.
        short: what servers that answer shortly put in its place, or None for the same.
        status: 200 or 201.
        empty: whether there is no body at all.

    """

    data: Any
    short: Any = None
    status: int = 200
    empty: bool = False

    def payload(self, style: AnswerStyle) -> Any:
        """Spell the answer as this server does; None for an empty one."""
        if self.empty:
            return None
        if style == "bare":
            return self.data
        return {"status": "success", "data": self.short if style == "short" and self.short is not None else self.data}


Handler = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A route of the table.

    Attributes:
        operation: its name, as in `faults`.
        methods: those that it takes.
        path: below the API's own, with placeholders.
        handler: what does the work.
        is_public: whether it asks for no token.

    """

    operation: str
    methods: list[str]
    path: str
    handler: Handler
    is_public: bool = False


def failure(status: int, message: str) -> dict[str, Any]:
    """The envelope of a failure."""
    return {"status": "error" if status >= 500 else "fail", "message": message}


class Operation:
    """One entry of the route table, as an ASGI application."""

    def __init__(self, entry: Entry, around: Surroundings) -> None:
        self._entry = entry
        self._around = around

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        record = note(self._around, self._entry.operation, scope)
        exchange = Exchange(scope, receive, send, record)
        try:
            await self._answer(exchange, scope["method"], record)
        except ClientGone:
            pass
        except Exception:
            record.status = 500  # which Starlette answers
            raise
        finally:
            self._around.changes.notify()

    async def _answer(self, exchange: Exchange, method: str, record: RequestRecord) -> None:
        try:
            await exchange.read(self._around.options.max_body_size)
        except Refused as refused:
            await exchange.answer(refused.status, failure(refused.status, refused.message), {"connection": "close"})
            return
        rules, name = self._around.rules, self._entry.operation
        delay, fault = rules.delays.take(name), rules.answers.take(name)
        self._around.changes.notify()
        if delay and not delay.after_storing and not await self._around.lifetime.pause(delay.seconds):
            await exchange.hang_up()
            return
        if fault and not fault.after_storing:
            await self._play(exchange, fault)
            return
        status, payload = await self._work(exchange, method, record)
        if delay and delay.after_storing:
            await self._around.lifetime.pause(delay.seconds)
        if fault:
            await self._play(exchange, fault, status, payload)
        else:
            await exchange.answer(status, payload)

    async def _work(self, exchange: Exchange, method: str, record: RequestRecord) -> tuple[int, Any]:
        """Do what was asked, and give status and body of the answer."""
        try:
            user = NOBODY if self._entry.is_public else self._around.tokens.verify(bearer(exchange.headers))
            if user is not NOBODY:
                record.user = user
            call = Call(user, method, exchange.path, exchange.query, exchange.headers, exchange.body)
            answer = await self._entry.handler(call)
        except Refused as refused:
            return refused.status, failure(refused.status, refused.message)
        return answer.status, answer.payload(self._around.options.answers)

    async def _play(self, exchange: Exchange, fault: Any, *answer: Any) -> None:
        if isinstance(fault, Silence):
            with self._around.rules.silence(exchange.transport):
                await exchange.play(fault)
        else:
            await exchange.play(fault, *answer)


def note(around: Surroundings, operation: str, scope: Any) -> RequestRecord:
    """Note that a request has come."""
    record = RequestRecord(operation, scope["method"], scope["path"], scope["query_string"].decode("latin-1"))
    around.requests.append(record)
    around.changes.notify()
    return record


def bearer(headers: Mapping[str, str]) -> str | None:
    """The token of an `Authorization` header, or None."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def build(entries: list[Entry], around: Surroundings) -> Starlette:
    """Make the ASGI application of a route table."""

    def refuse(request: Request, error: Exception) -> JSONResponse:
        status, headers = (error.status_code, error.headers) if isinstance(error, HTTPException) else (500, None)
        texts = {404: "Route inconnue", 405: "Méthode non autorisée", 500: "Erreur interne"}
        if status != 500:  # a failure of ours has been noted by its operation
            note(around, "unknown", request.scope).status = status
        return JSONResponse(failure(status, texts.get(status, "Erreur")), status, headers)

    app = Starlette(
        routes=[
            Route(around.options.api_path.rstrip("/") + entry.path, Operation(entry, around), methods=entry.methods)
            for entry in entries
        ],
        middleware=[Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"])],
        exception_handlers={HTTPException: refuse, Exception: refuse},
    )
    app.router.redirect_slashes = False
    return app
