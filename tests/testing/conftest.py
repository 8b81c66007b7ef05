"""Raw clients, so that the server is not tested with the code that it is to test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import socketio

from messaging_client.testing import MessagingServer, ServerOptions

PATIENT = ("patient", 5)
DOCTOR = ("medecin", 79)
STRANGER = ("medecin", 80)
TIMEOUT = 20.0


@dataclass
class Reply:
    status: int
    headers: Any
    text: str
    json: Any

    @property
    def data(self) -> Any:
        assert self.json["status"] == "success", self.json
        return self.json["data"]

    @property
    def message(self) -> str:
        assert self.json["status"] == ("fail" if self.status < 500 else "error"), self.json
        return self.json["message"]


class Rest:
    """One user's REST client."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str | None) -> None:
        self.session = session
        self.url = url
        self.token = token

    async def __call__(self, method: str, path: str, *, headers: dict[str, str] | None = None, **given: Any) -> Reply:
        auth = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        async with self.session.request(
            method, f"{self.url}/api{path}", headers=auth | (headers or {}), **given
        ) as response:
            text = await response.text()
            is_json = "json" in response.headers.get("Content-Type", "") and text
            return Reply(response.status, response.headers, text, await response.json() if is_json else None)

    async def get(self, path: str, **params: Any) -> Reply:
        return await self("GET", path, params=params)

    async def post(self, path: str, json: Any = None, **given: Any) -> Reply:
        return await self("POST", path, json=json, **given)

    async def send(self, conversation_id: Any, contenu: str, key: str | None = None, **more: Any) -> Reply:
        headers = {"Idempotency-Key": key} if key else {}
        return await self.post(
            f"/messaging/conversation/{conversation_id}/message", {"contenu": contenu} | more, headers=headers
        )


class Live:
    """One user's bare Socket.IO client, which keeps what it gets."""

    def __init__(self) -> None:
        self.sio = socketio.AsyncClient(reconnection=False, handle_sigint=False)
        self.heard: list[tuple[str, Any]] = []
        self.gone: asyncio.Event = asyncio.Event()
        self._news = asyncio.Condition()
        self.sio.on("*", self._take)
        self.sio.on("disconnect", self._lost)
        self.sio.on("connect_error", self._refused)
        self.refusals: list[Any] = []

    async def _take(self, event: str, *args: Any) -> None:
        async with self._news:
            self.heard.append((event, args[0] if len(args) == 1 else args))
            self._news.notify_all()

    async def _lost(self, reason: Any = None) -> None:
        self.gone.set()

    async def _refused(self, data: Any = None) -> None:
        self.refusals.append(data)

    async def connect(self, url: str, token: Any, **given: Any) -> None:
        auth = token if isinstance(token, dict) else {"token": token}
        self.gone.clear()
        given = {"transports": ["websocket"], "wait_timeout": TIMEOUT} | given
        await self.sio.connect(url, auth=auth, **given)

    def of(self, event: str) -> list[Any]:
        return [payload for name, payload in self.heard if name == event]

    async def hear(self, event: str, count: int = 1) -> Any:
        """Wait for that many events of a name, and give the last of them."""
        async with asyncio.timeout(TIMEOUT), self._news:
            await self._news.wait_for(lambda: len(self.of(event)) >= count)
        return self.of(event)[count - 1]

    async def settle(self) -> None:
        """Wait until everything that the server has sent so far is here: events keep their order."""
        before = len(self.of("error"))
        await self.sio.emit("typing", "nonsense")  # answered with an error
        await self.hear("error", before + 1)
        self.heard = [each for each in self.heard if each[0] != "error" or each[1]["event"] != "typing"]

    async def close(self) -> None:
        with contextlib.suppress(Exception):
            await self.sio.disconnect()
        http = self.sio.eio.http
        if http is not None and not http.closed:
            await http.close()


@pytest.fixture
def options() -> ServerOptions:
    return ServerOptions()


@pytest.fixture
async def server(options: ServerOptions) -> AsyncIterator[MessagingServer]:
    async with MessagingServer(options=options) as running:
        running.add_user(*PATIENT, prenom="Marie", nom="Dupont")
        running.add_user(*DOCTOR, prenom="Sakura", nom="Saza", specialite="Cardiologue")
        yield running


@pytest.fixture
async def conversation(server: MessagingServer) -> int:
    return await server.create_conversation("Messages - Ordonnance 15", [PATIENT, DOCTOR])


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(TIMEOUT)) as opened:
        yield opened


@pytest.fixture
def rest(session: aiohttp.ClientSession, server: MessagingServer) -> Callable[..., Rest]:
    return lambda user: Rest(session, server.url, server.token(*user))


@pytest.fixture
def patient(rest: Callable[..., Rest]) -> Rest:
    return rest(PATIENT)


@pytest.fixture
def doctor(rest: Callable[..., Rest]) -> Rest:
    return rest(DOCTOR)


@pytest.fixture
def stranger(rest: Callable[..., Rest]) -> Rest:
    return rest(STRANGER)


@pytest.fixture
async def live(server: MessagingServer) -> AsyncIterator[Callable[..., Any]]:
    """`await live(PATIENT)`, or `await live(PATIENT, joined=1)`: a connected client."""
    made: list[Live] = []

    async def connect(user: tuple[str, int] | None, *, joined: int | None = None, token: str | None = None) -> Live:
        client = Live()
        made.append(client)
        if user is not None:
            await client.connect(server.url, token or server.token(*user))
            if joined is not None:
                sid = client.sio.get_sid()
                await client.sio.emit("join_conversation", {"conversationId": joined})
                await server.wait_until(lambda: sid in server.rooms().get(f"conversation:{joined}", []))
        return client

    yield connect
    for client in made:
        await client.close()
