"""A server on this machine that tells a client what another one was told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import socketio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from messaging_client import strict_json
from messaging_client.clock import SystemClock
from messaging_client.errors import ConfigurationError
from messaging_client.recording.reading import Recording, ResponseLine, read_recording
from messaging_client.recording.script import Answers, Cue, LinkScript, exchanges_of, links_of
from messaging_client.testing.lifetime import Changes, Lifetime
from messaging_client.testing.network import Network, bind, transport_of
from messaging_client.testing.options import ServerOptions
from messaging_client.testing.sockets import new_server
from messaging_client.testing.tokens import mint_token

PATIENCE = 2.0
"""Seconds that a frame waits for a client to ask what had been asked before it in the recording."""

_HOST = "127.0.0.1"
_TOKEN_LIFE = 7 * 24 * 3600
_TYPES = ("patient", "medecin")


class Replay:
    """Serves a recording to one client at a time, on this machine only; an async context manager.

    Each connection of the client is told what the next connection of the recording was told. Requests get the outcomes
    that were recorded for the same method, path and query, in that order, and the last of them again at the end. A
    client that says goodbye where the recorded one did not, and comes back, gets it all from the start.

    Args:
        source: path of a recording, or one that was read.
        port: 0 takes a free one.
        speed: how fast frames follow each other, 2.0 being twice as fast as recorded; None for at once. A frame never
            comes before the client has asked what had been asked before it, unless it does not ask within 2 s.
        on_news: called with a line of text when something is worth telling.

    Raises:
        RecordingError: the file cannot be read.
        ConfigurationError: an argument cannot work.

    Attributes:
        recording: what is served.
        unknown: requests that were not recorded, as `GET /messaging/…`, each once.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | Recording,
        *,
        port: int = 0,
        speed: float | None = 1.0,
        on_news: Callable[[str], object] = lambda _line: None,
    ) -> None:
        if speed is not None and not 0 < speed <= 1000:
            raise ConfigurationError("speed must be above 0, and 1000 at most; or None for at once.")
        self.recording = source if isinstance(source, Recording) else read_recording(source)
        self.unknown: list[str] = []
        self._port = port
        self._speed = speed
        self._on_news = on_news
        self._answers = Answers(exchanges_of(self.recording))
        self._links: list[LinkScript] = []
        self._options = ServerOptions()
        self._played = asyncio.Event()
        self._rewind()

    def _rewind(self) -> None:
        self._links = links_of(self.recording)
        self._answers.rewind()
        self._next = 0
        self._served = 0
        self._missing = Counter[str]()  # what the client has not asked, though it was asked in the recording
        self._heard = Counter[str]()  # events of the client, by socket id
        self._scripts: dict[str, LinkScript] = {}
        self._played.clear()

    # --- life --------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            OSError: the port is taken.
        """
        listening = bind(_HOST, self._port)
        self._port = listening.getsockname()[1]
        self._lifetime = Lifetime(SystemClock())
        self._changes = Changes()
        self._sio = new_server(self._options)
        self._sio.on_connected = self._connected
        self._sio.on("connect", self._connect)
        self._sio.on("disconnect", self._disconnect)
        self._sio.on("*", self._event)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            is_live = scope["type"] == "websocket"
            await (self._sio.handle_request if is_live else self._answer)(scope, receive, send)

        self._network = Network(app, self._options.max_http_buffer_size)
        await self._network.start(listening)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lifetime.begin_stop()
        await self._network.stop()
        await self._sio.end()
        await self._lifetime.end()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{_HOST}:{self._port}"

    @property
    def token(self) -> str:
        """A token that names the user of the recording; any other one is taken as well."""
        user = self.recording.user
        kind, identity = ("patient", 0) if user is None or user.type not in _TYPES else (user.type, user.id)
        return mint_token(secrets.token_hex(), kind, 0, expires_in=_TOKEN_LIFE, id=identity)

    @property
    def connections(self) -> int:
        """How many connections the recording holds."""
        return len(self._links)

    async def wait_played(self, timeout: float | None = None) -> None:
        """Return once the last connection of the recording has been told all that it was told.

        Args:
            timeout: seconds.

        Raises:
            TimeoutError: it was not within that time.
        """
        async with asyncio.timeout(timeout):
            await self._played.wait()

    # --- connections -------------------------------------------------------------------------------------------------

    async def _connect(self, sid: str, environ: Any, auth: Any) -> None:
        if self._next >= len(self._links):
            if not self._links or self._links[-1].refusal is None:
                return
            self._rewind()  # who was refused at the end says no goodbye
        script = self._links[self._next]
        self._next += 1
        if self._next == 1 and self._served > script.answers:
            # Somebody else has asked before, or asked more: the connection begins with what it began with.
            self._answers.rewind()
            self._served = script.answers
        if script.refusal is not None:
            self._say(f"connection {self._next} of {len(self._links)}: refused, as recorded")
            self._look_for_end()
            data = script.refusal if isinstance(script.refusal, dict) else {"message": script.refusal}
            details = () if data.get("data") is None else (data["data"],)
            raise socketio.exceptions.ConnectionRefusedError(str(data.get("message") or ""), *details)
        self._scripts[sid] = script

    async def _connected(self, sid: str) -> None:
        script = self._scripts.get(sid)
        if script is None:
            self._say("a connection beyond those of the recording: nothing is told on it")
        else:
            self._say(f"connection {self._next} of {len(self._links)}")
            self._lifetime.start_task(self._play(sid, script))

    async def _disconnect(self, sid: str, reason: str) -> None:
        script = self._scripts.pop(sid, None)
        has_left = reason == self._sio.reason.CLIENT_DISCONNECT
        goes_on = script is not None and script.was_left and self._next < len(self._links)
        if has_left and not goes_on and not self._scripts:
            self._say("the client has left; the next one gets it from the start")
            self._rewind()
        self._changes.notify()

    async def _event(self, event: str, sid: str, *args: Any) -> Any:
        self._heard[sid] += 1
        self._changes.notify()
        script = self._scripts.get(sid)
        recorded = script.acknowledgements.get(event) if script is not None else None
        return tuple(recorded.popleft()) if recorded else self._sio.not_handled

    async def _play(self, sid: str, script: LinkScript) -> None:
        started = asyncio.get_running_loop().time()
        for cue in script.cues:
            if self._speed is not None:
                due = started + cue.after / self._speed - asyncio.get_running_loop().time()
                await self._lifetime.pause(max(0.0, due))
            await self._until_asked(sid, cue)
            if self._lifetime.is_over or self._scripts.get(sid) is not script:
                return
            await self._tell(sid, cue.frame)
        self._look_for_end()

    async def _until_asked(self, sid: str, cue: Cue) -> None:
        """Wait until the client has asked, and told, what had been before this in the recording."""

        def is_level() -> bool:
            return sid not in self._scripts or (
                self._served + self._missing["answers"] >= cue.answers
                and self._heard[sid] + self._missing[sid] >= cue.heard
            )

        try:
            await self._changes.wait_until(is_level, PATIENCE)
        except TimeoutError:
            self._say("the client does not do all that the recorded one did; going on")
            self._missing["answers"] = max(self._missing["answers"], cue.answers - self._served)
            self._missing[sid] = max(self._missing[sid], cue.heard - self._heard[sid])

    async def _tell(self, sid: str, frame: str | bytes | None) -> None:
        eio_sid = self._sio.manager.eio_sid_from_sid(sid, "/")
        if frame is not None:
            await self._sio.eio.send(eio_sid, frame)
            return
        transport = transport_of(self._sio.environ[eio_sid]["asgi.scope"])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._sio.eio.sockets[eio_sid].queue.join()  # what was told before arrives
        transport.close()

    def _look_for_end(self) -> None:
        if self._next == len(self._links) and not self._played.is_set():
            self._played.set()
            self._say("everything has been played")

    # --- requests ----------------------------------------------------------------------------------------------------

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        try:
            await request.body()  # else the connection would be of no more use
        except ClientDisconnect:
            return
        recorded = self._answers.answer(request.method, scope["path"], dict(request.query_params))
        if recorded is None:
            await self._not_recorded(request)(scope, receive, send)
            return
        self._served += 1
        self._changes.notify()
        if recorded.status is None:
            await _break_off(scope, receive)
        else:
            await _response(recorded)(scope, receive, send)

    def _not_recorded(self, request: Request) -> Response:
        place = f"{request.method} {request.url.path}" + (f"?{request.url.query}" if request.url.query else "")
        if place not in self.unknown:
            self.unknown.append(place)
            self._say(f"not recorded: {place}")
        text = f"Not in the recording: {place}. It holds: {', '.join(self._answers.places()) or 'no request'}."
        return JSONResponse({"status": "fail", "message": text}, 404)

    def _say(self, line: str) -> None:
        self._on_news(line)


async def _break_off(scope: Any, receive: Any) -> None:
    """End the connection, as there was no answer; inside of one, for without it aiohttp would ask once more."""
    transport = transport_of(scope)
    transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
    transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass


def _response(recorded: ResponseLine) -> Response:
    assert recorded.status is not None
    if recorded.length:
        body = b"?" * recorded.length  # what could not be read was left out
    elif "body" in recorded.model_fields_set:
        body = strict_json.dumps(recorded.body).encode()
    else:
        body = b""
    headers = {"content-type": "application/json", **recorded.headers}
    return Response(body, recorded.status, headers)
