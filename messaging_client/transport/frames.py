"""Frames of aiohttp's web socket that are taken as they arrive, in the turn in which the network brings them.

aiohttp puts each into a queue, at which the task that reads wakes up. Where that task waits, and nothing is queued
before it, a frame of text needs neither. Used of aiohttp, checked with 3.14 (`fast_path.py`): `WebSocketDataQueue` and
`WebSocketReader`, the former's `_buffer` and `_protocol`, the protocol's `set_parser`, the socket's `_parser`.
`tests/transport/test_frames.py` pins them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp import WSCloseCode, WSMessage, WSMsgType
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import WebSocketWriter

_TEXT = WSMsgType.TEXT
_queue = WebSocketDataQueue.feed_data
# After an upgrade none comes, and the protocol's own takes most of a kilobyte.
_NO_ANSWERS: deque[Any] = deque(maxlen=0)
_BUFFERED = 2**16  # bytes, as aiohttp has it; it stops reading from the network at twice as many


class Sink(WebSocketDataQueue):
    """aiohttp's queue of frames, past which those of text can go.

    Attributes:
        take: takes the text of a frame, in UTF-8 and perhaps not well formed, or leaves it untouched and says False.
        ready: how many more frames `take` may be given now; whoever reads sets it when nothing is queued and it waits
            for the next frame, and back to 0 when it waits no more.
        queued: the frames that are queued, in order, each with its size; texts are bytes.
    """

    def __init__(self, protocol: ResponseHandler, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(protocol, _BUFFERED, loop=loop)
        self.take: Callable[[bytes], bool] | None = None
        self.ready = 0
        self.queued = self._buffer

    def feed_data(self, data: Any, size: int) -> None:
        """Take a frame, or queue it and all that follow, until the reader has worked them off."""
        if self.ready:
            if data[0] is _TEXT and self.take is not None and self.take(data[1]):
                self.ready -= 1
                return
            self.ready = 0
        _queue(self, data, size)


class Socket(aiohttp.ClientWebSocketResponse):
    """aiohttp's socket, which still gives texts where its queue holds bytes."""

    async def receive(self, timeout: float | None = None) -> Any:
        """Give the next frame, as the base does."""
        frame: Any = await super().receive(timeout)
        return await self.decoded(frame) if frame.type is _TEXT and type(frame.data) is bytes else frame

    async def decoded(self, frame: Any) -> Any:
        """Give a frame of text with its text; where it is none, close, and give the error, as the base does."""
        try:
            return WSMessage(_TEXT, frame.data.decode(), frame.extra)
        except UnicodeDecodeError as error:
            self._close_code = WSCloseCode.INVALID_TEXT
            await self.close(code=WSCloseCode.INVALID_TEXT)
            return WSMessage(WSMsgType.ERROR, error, None)


def websocket_with_sink(
    max_msg_size: int, reader: WebSocketDataQueue, writer: WebSocketWriter, *args: Any, **kwargs: Any
) -> tuple[aiohttp.ClientWebSocketResponse, Sink]:
    """Make a web socket as aiohttp would of these arguments, but with a `Sink` for its queue.

    aiohttp makes the parser, with the queue that it knows of, and tells the protocol, once it has been given the
    socket and before anything can be read: there another parser takes its place.
    """
    protocol: Any = reader._protocol
    protocol._buffer = _NO_ANSWERS
    sink = Sink(protocol, asyncio.get_running_loop())
    websocket = Socket(sink, writer, *args, **kwargs)
    parser = WebSocketReader(sink, max_msg_size, compress=bool(websocket.compress), decode_text=False)

    def set_parser(_parser: object, _queue: object, data_received_cb: Callable[[], None] | None = None) -> None:
        del protocol.set_parser
        websocket._parser = parser
        protocol.set_parser(parser, sink, data_received_cb)

    protocol.set_parser = set_parser
    return websocket, sink
