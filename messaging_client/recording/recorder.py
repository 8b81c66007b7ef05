"""Writes down what a client sends and receives."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import aiohttp

from messaging_client._version import __version__
from messaging_client.client import MessagingClient
from messaging_client.errors import ConfigurationError, MessagingError
from messaging_client.events import ConnectionChange
from messaging_client.models import ConnectionState
from messaging_client.recording.lines import Lines, RecordingError
from messaging_client.recording.redaction import Json, Redaction
from messaging_client.transport.exchange import Call
from messaging_client.transport.statuses import Answer
from messaging_client.wire.structural import is_id, own_routes

if TYPE_CHECKING:
    from messaging_client.sync import MessagingClient as BlockingClient

FORMAT = 1
"""The version of the file's format."""

MOST_BYTES = 100 * 1024 * 1024
"""How large a recording may become unless said otherwise."""

_LEAST_BYTES = 4096
_GOODBYE = "41"  # the engine's MESSAGE, and in it Socket.IO's DISCONNECT
_LIBRARIES = ("python-socketio", "python-engineio", "aiohttp", "httpx", "pydantic")


@dataclass(frozen=True)
class RecordingSummary:
    """What a recording holds.

    Attributes:
        path: of the file.
        frames: how many frames of Socket.IO were seen, in and out.
        requests: how many REST requests were seen.
        connections: how many WebSockets were opened.
        bytes: the size of the file.
        seconds: how long it took.
        is_full: whether it ended early, at the largest size that was allowed.
        failure: why it ended early otherwise, such as a full disk; None if it did not.
    """

    path: str
    frames: int
    requests: int
    connections: int
    bytes: int
    seconds: float
    is_full: bool
    failure: str | None


class Recorder:
    """A recording under way; made by `recording()`, and a context manager.

    Args:
        client: whose frames and requests are recorded.
        path, contents, max_bytes, overwrite, keep_url: as for `recording()`.

    Attributes:
        on_full: called once, when the file has reached its largest size or cannot be written any more.
    """

    def __init__(
        self,
        client: MessagingClient | BlockingClient,
        path: str | os.PathLike[str],
        *,
        contents: bool,
        max_bytes: int,
        overwrite: bool,
        keep_url: bool,
    ) -> None:
        client = getattr(client, "_async", client)  # what stands behind a blocking one
        if not isinstance(client, MessagingClient):
            raise ConfigurationError("recording() takes a MessagingClient.")
        if isinstance(max_bytes, bool) or not isinstance(max_bytes, int) or max_bytes < _LEAST_BYTES:
            raise ConfigurationError(f"max_bytes must be a whole number of bytes, {_LEAST_BYTES} or more.")
        self.on_full: Callable[[], object] | None = None
        self._client = client
        self._path = path
        self._contents = contents
        self._max_bytes = max_bytes
        self._overwrite = overwrite
        self._keep_url = keep_url
        self._redaction = Redaction(contents=contents, segments=own_routes(client._config.routes))
        self._lines: Lines | None = None
        self._started = 0.0
        self._seconds = 0.0
        self._frames = self._requests = self._connections = 0
        self._knows_user = False

    def __enter__(self) -> Self:
        """Begin.

        Raises:
            RecordingError: the file is there already, or cannot be made.
            ConfigurationError: the client is connected, or recorded, already.
        """
        if self._lines is not None:
            raise ConfigurationError("A recording is made once; call recording() again.")
        if self._client.state is not ConnectionState.DISCONNECTED:
            raise ConfigurationError(
                "Begin the recording before the client connects (or disconnect() first): "
                "what is told during the handshake is part of it."
            )
        if self._client._connection.tap is not None:
            raise ConfigurationError("This client is recorded already; end that recording first.")
        self._lines = Lines(self._path, max_bytes=self._max_bytes, overwrite=self._overwrite)
        self._started = time.monotonic()
        self._lines.write(self._header())
        self._client._set_tap(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the recording; the client goes on. May be called again."""
        lines = self._lines
        if lines is None or self._seconds:
            return
        self._client._set_tap(None)
        self._seconds = time.monotonic() - self._started
        reason = "full" if lines.is_full else "closed"
        lines.write({"t": self._now(), "kind": "end", "reason": reason}, is_last=True)
        lines.close()

    @property
    def is_full(self) -> bool:
        """Whether the file has reached its largest size, or cannot be written any more."""
        return self._lines is not None and (self._lines.is_full or self._lines.failure is not None)

    def summary(self) -> RecordingSummary:
        """Say what has been recorded so far.

        Returns:
            Counts, size and time.

        Raises:
            RecordingError: the recording has not begun.
        """
        lines = self._lines
        if lines is None:
            raise RecordingError("The recording has not begun: use it in a with statement.")
        return RecordingSummary(
            path=os.fspath(lines.path),
            frames=self._frames,
            requests=self._requests,
            connections=self._connections,
            bytes=lines.written,
            seconds=self._seconds or time.monotonic() - self._started,
            is_full=lines.is_full,
            failure=lines.failure,
        )

    # --- what the client tells ---------------------------------------------------------------------------------------

    def websocket(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        """Have every frame of a WebSocket written down, in and out, and its end."""
        self._connections += 1
        _Ear(websocket, self._connections, self._frame, self._note)

    def asked(self, call: Call, method: str, path: str) -> Callable[[Answer | MessagingError], None]:
        """Write a request down; gives what writes its outcome down."""
        self._requests += 1
        number = self._requests
        self._note(lambda: self._request(number, call, method, path))
        return lambda outcome: self._note(lambda: self._response(number, outcome))

    def moved(self, change: ConnectionChange) -> None:
        """Write down that the connection has moved from a state to another."""
        entry: Json = {"kind": "state", "state": change.state.value, "previous": change.previous.value}
        entry |= {"cause": change.cause.value, "attempt": change.attempt}
        if change.error is not None:
            entry["error"] = type(change.error).__name__
        self._note(lambda: entry)

    # --- lines -------------------------------------------------------------------------------------------------------

    def _now(self) -> float:
        return round(time.monotonic() - self._started, 6)

    def _note(self, make: Callable[[], Json]) -> None:
        """Write a line; whatever goes wrong with it is not the client's business."""
        lines = self._lines
        if lines is None or self._seconds or self.is_full:
            return
        at = self._now()
        try:
            self._note_user(lines, at)
            lines.write({"t": at, **make()})
        except Exception as error:  # noqa: BLE001 - a fault of the recording must not harm a client that works
            lines.failure = f"an unexpected {type(error).__name__}; please report it"
        self._look_for_end(lines)

    def _look_for_end(self, lines: Lines) -> None:
        if self.on_full is not None and (lines.is_full or lines.failure is not None):
            self.on_full()

    def _note_user(self, lines: Lines, at: float) -> None:
        """Write down who the user is, once the token has been read."""
        user = self._client._tokens.user
        if self._knows_user or user is None:
            return
        self._knows_user = True
        identity = user.id if isinstance(user.id, int) or is_id(user.id) else self._redaction.placeholder(user.id)
        lines.write({"t": at, "kind": "user", "type": user.type.value, "id": identity})

    def _frame(self, link: int, direction: str, frame: str | bytes) -> None:
        self._frames += 1
        self._note(lambda: {"kind": "frame", "dir": direction, "link": link, **self._redaction.frame(frame)})

    def _request(self, number: int, call: Call, method: str, path: str) -> Json:
        path, _, query = path.partition("?")
        entry: Json = {"kind": "request", "dir": "out", "id": number, "operation": call.operation, "method": method}
        entry |= {"path": self._redaction.path(path), "query": self._redaction.query(query)}
        return entry | self._redaction.body(call.content)

    def _response(self, number: int, outcome: Answer | MessagingError) -> Json:
        entry: Json = {"kind": "response", "dir": "in", "id": number}
        if isinstance(outcome, Answer):
            entry |= {"status": outcome.status, "headers": self._redaction.headers(outcome.headers)}
            return entry | self._redaction.body(outcome.body)
        status = getattr(outcome, "status", None)
        return entry | {"error": type(outcome).__name__} | ({} if status is None else {"status": status})

    def _header(self) -> Json:
        client = self._client
        return {
            "kind": "header",
            "format": FORMAT,
            "started": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "client": __version__,
            "python": platform.python_version(),
            "platform": platform.system(),
            "libraries": {name: _version(name) for name in _LIBRARIES},
            "server": client._server if self._keep_url else self._redaction.placeholder(client._server),
            "contents": self._contents,
        }


class _Ear:
    """Stands before the methods of one WebSocket that read and write."""

    def __init__(
        self,
        websocket: aiohttp.ClientWebSocketResponse,
        link: int,
        frame: Callable[[int, str, str | bytes], None],
        note: Callable[[Callable[[], Json]], None],
    ) -> None:
        self._link = link
        self._frame = frame
        self._note = note
        self._is_closed = self._has_left = False
        self._receive = websocket.receive
        self._send_str, self._send_bytes = websocket.send_str, websocket.send_bytes
        replaced = {"receive": self._received, "send_str": self._sent_str, "send_bytes": self._sent_bytes}
        for name, method in replaced.items():
            setattr(websocket, name, method)

    async def _received(self, *args: Any, **given: Any) -> aiohttp.WSMessage:
        message = await self._receive(*args, **given)
        if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            self._frame(self._link, "in", message.data)
        elif not self._is_closed:
            self._is_closed = True
            self._end(message)
        return message

    async def _sent_str(self, data: str, *args: Any, **given: Any) -> None:
        self._has_left |= data == _GOODBYE
        self._frame(self._link, "out", data)
        await self._send_str(data, *args, **given)

    async def _sent_bytes(self, data: bytes, *args: Any, **given: Any) -> None:
        self._frame(self._link, "out", data)
        await self._send_bytes(data, *args, **given)

    def _end(self, message: aiohttp.WSMessage) -> None:
        is_ours = self._has_left or message.type is aiohttp.WSMsgType.CLOSING
        entry: Json = {"kind": "close", "dir": "out" if is_ours else "in", "link": self._link}
        if message.type is aiohttp.WSMsgType.CLOSE and isinstance(message.data, int):
            entry["code"] = message.data
        self._note(lambda: entry)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "unknown"
