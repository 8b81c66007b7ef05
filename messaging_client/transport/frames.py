"""Frames of a web socket that are taken as they arrive, in the turn in which the network brings them.

aiohttp's parser makes an object of each and puts it into a queue, at which the task that reads wakes up. Where that
task waits for the next frame, a text that is whole in one frame needs none of this; whatever else comes goes that way.
Used of aiohttp, checked with 3.14 (`fast_path.py`): `WebSocketReader`'s `feed_data` and `feed_eof`, the `_buffer` and
`_protocol` of its queue and the `_reading_paused` that it asks that for, the protocol's `_buffer` and `set_parser`.
`tests/transport/test_frames.py` pins them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from struct import Struct
from typing import Any, cast

from aiohttp import WSMsgType
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader

Take = Callable[[bytes, int, int], bool]
"""Takes a text, in UTF-8 and perhaps not well formed, that stands in bytes from one place up to another; or leaves it
untouched and says False."""

BATCH = 32
"""Frames that are taken before others have a turn: a flood must hold up neither handlers nor heartbeats.

A timer is called several turns late at worst, so this is what an event loop is late by in a flood; with half as many an
event costs a fifteenth more on asyncio's own loop, for a turn has its price (docs/performance.md).
"""

_MOST_WAITING = 128 * 1024  # bytes, as in aiohttp's queue; then the network has to wait
_MOST_PIECES = 1024  # that are kept apart: the object of each takes more than a few bytes

# RFC 6455, section 5.2: the first byte of a frame has its last fragment's mark and what it is, the second its length.
_FINAL, _OPCODE, _CLOSE = 0x80, 0x0F, 0x08
_WHOLE_TEXT = _FINAL | 0x01
_MASKED, _MASK_SIZE = 0x80, 4
_TWO_BYTES, _EIGHT_BYTES = 126, 127  # in place of a length: it follows, in so many bytes
_SHORT, _LONG = Struct(">H").unpack_from, Struct(">Q").unpack_from
_GIVEN = (WSMsgType.TEXT, WSMsgType.BINARY)
# After an upgrade none comes, and the protocol's own takes most of a kilobyte.
_NO_ANSWERS: deque[Any] = deque(maxlen=0)


class Splitter:
    """Stands before aiohttp's parser, and gives whole texts to whoever has come to take them.

    It splits from the first byte on, so that it knows where a frame begins. It is told when the task that reads waits
    for a frame: only then is anything worked off, and after a frame that is the task's all others wait for it.

    The queue takes it for the protocol, for either holds the network up, and it goes on when both have room again.

    Args:
        queue: the parser's, in which the task that reads finds all other frames.
        most_bytes: how long a frame must not be; such a one goes to the parser, which refuses it by its head.
        heard: called when a text was taken, or a part of a frame came.

    Attributes:
        parser: aiohttp's, which gets all other frames, each once it is whole.
        queued: what is in the queue.
    """

    __slots__ = (
        "_data",
        "_has_ended",
        "_has_paused",
        "_heard",
        "_is_between_fragments",
        "_is_free",
        "_is_through",
        "_left",
        "_loop",
        "_may_take",
        "_more",
        "_most_bytes",
        "_next_turn",
        "_place",
        "_protocol",
        "_reading_paused",
        "_size",
        "_take",
        "_wanted",
        "parser",
        "queued",
    )

    parser: WebSocketReader

    def __init__(self, queue: WebSocketDataQueue, most_bytes: int, heard: Callable[[], None]) -> None:
        self.queued: deque[Any] = queue._buffer
        self._protocol: Any = queue._protocol
        queue._protocol = cast(Any, self)
        self._reading_paused = False  # by the queue, which has enough; its name for it
        self._most_bytes = most_bytes
        self._heard = heard
        self._loop = asyncio.get_running_loop()
        self._take: Take | None = None
        self._may_take: Callable[[], bool] = bool
        self._is_free = True  # the task that reads waits, or there is none
        self._is_through = False  # the parser gets all bytes as they come
        self._is_between_fragments = False
        self._has_ended = False
        self._has_paused = False  # because of what waits here
        self._data = b""
        self._place = 0  # up to which it is worked off
        self._more: list[bytes] = []  # what came after it
        self._size = 0  # of all that is not worked off
        self._wanted = 2  # how much of it there must be, or there is nothing to do
        self._left = BATCH
        self._next_turn: asyncio.Handle | None = None

    # --- what the task that reads says -------------------------------------------------------------------------------

    def attach(self, take: Take, may_take: Callable[[], bool]) -> None:
        """Give whole texts to `take` from now on, while the task that reads waits, where `may_take` says so."""
        self._take, self._may_take = take, may_take
        self._is_free = False

    def wait(self) -> None:
        """The task has worked off what was queued, and waits for the next frame, until there is one."""
        self._is_free = True
        if self._size >= self._wanted or self._has_ended or self._has_paused:
            self._soon()

    def detach(self) -> None:
        """Give nobody anything any more: all goes by the queue."""
        if not self._is_through:
            self._pass_all(self._data[self._place :])

    @property
    def has_queued(self) -> bool:
        """Whether something is queued that is the task's; what only controls the web socket it is not given."""
        return any(frame.type in _GIVEN for frame, _ in self.queued)

    # --- what the queue says -----------------------------------------------------------------------------------------

    def pause_reading(self) -> None:
        """The queue has enough."""
        self._reading_paused = True
        self._protocol.pause_reading()

    def resume_reading(self) -> None:
        """The queue has room again."""
        self._reading_paused = False
        self._soon()
        self._go_on()

    def _go_on(self) -> None:
        if not (self._has_paused or self._reading_paused):
            self._protocol.resume_reading()

    # --- what the network brings -------------------------------------------------------------------------------------

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take what came, as the parser does, and give what that gives: whether it broke the protocol."""
        if self._is_through:
            return self.parser.feed_data(data)
        if self._size:
            self._more.append(bytes(data))
            if len(self._more) > _MOST_PIECES:
                self._more = [b"".join(self._more)]
        else:
            self._data, self._place = bytes(data), 0
        self._size += len(data)
        if self._next_turn is None:
            self._work()
        if 0 < self._size < self._wanted:
            self._heard()  # a frame that is long in coming
        if self._size > _MOST_WAITING and self._size >= self._wanted and not self._has_paused:
            self._has_paused = True
            self._protocol.pause_reading()
        return self.parser.feed_data(b"") if self._is_through else (False, b"")

    def feed_eof(self) -> None:
        """Nothing more comes: so the parser is told, once what came is worked off."""
        if self._is_through:
            self.parser.feed_eof()
        else:
            self._has_ended = True
            if self._next_turn is None:
                self._work()

    # --- how it is worked off ----------------------------------------------------------------------------------------

    def _soon(self) -> None:
        if self._next_turn is None and not self._is_through:
            self._next_turn = self._loop.call_soon(self._in_turn)

    def _in_turn(self) -> None:
        self._next_turn = None
        self._left = BATCH
        if not self._is_through:
            self._work()

    def _work(self) -> None:
        """Work off what can be now: a batch, or up to a frame that is the task's or fills the queue."""
        if self._is_free and self._size >= self._wanted and not self._reading_paused:
            if self._more:
                self._data = b"".join([self._data[self._place :], *self._more])
                self._place = 0
                self._more.clear()
            self._split()
        if self._is_through:
            return
        if not self._left:
            self._soon()
        elif self._is_free and self._size < self._wanted:
            self._worked_off()

    def _worked_off(self) -> None:
        if self._has_paused:
            self._has_paused = False
            self._go_on()
        if self._has_ended:
            self._has_ended = False
            self.parser.feed_eof()

    def _split(self) -> None:
        """Give whole frames on, one after the other."""
        data, place, before, left = self._data, self._place, self._place, self._left
        passed_on = 0
        take, most, end = self._taker(), self._most_bytes, len(self._data)
        self._wanted = 2
        try:
            while left and self._is_free and place + 2 <= end:
                first, length, start = data[place], data[place + 1], place + 2
                if length == _TWO_BYTES and start + 2 <= end:
                    length = data[start] << 8 | data[start + 1]
                    start += 2
                elif length >= _TWO_BYTES:
                    first = 0 if length & _MASKED else first  # such a text has to be unmasked before it is one
                    start, length = _head(data, place)
                if length >= most:
                    self._pass_all(data[place:])
                    return
                stop = start + length
                if stop > end:
                    self._wanted = stop - place
                    break
                begin, place = place, stop
                if first == _WHOLE_TEXT and take is not None and take(data, start, stop):
                    left -= 1
                elif data[begin] & _OPCODE == _CLOSE:
                    self._pass_all(data[begin:])
                    return
                else:
                    self._pass_on(data[begin:stop])
                    left -= 1
                    passed_on += 1
                    if self._reading_paused:
                        break
                    take = self._taker()
        finally:
            if self._left - left > passed_on:
                self._heard()  # what only controls the web socket is no sign of the server behind it
            self._place, self._left = place, left
            self._size -= place - before
            if self._size < self._wanted and not self._is_through:  # what is left is the beginning of a frame
                self._data, self._place = data[place:], 0

    def _taker(self) -> Take | None:
        return self._take if self._take is not None and not self._is_between_fragments and self._may_take() else None

    def _pass_on(self, frame: bytes) -> None:
        """Give a frame to the parser; where it puts something into the queue, that is the reader's turn."""
        has_failed, _ = self.parser.feed_data(frame)
        if has_failed:
            self._pass_all(b"")
        elif frame[0] & _OPCODE < _CLOSE:  # else it controls, and may stand between fragments; no reader returns for it
            self._is_between_fragments = not frame[0] & _FINAL
            self._is_free = self._is_between_fragments or self._take is None

    def _pass_all(self, data: bytes) -> None:
        """Give the parser this, and all that has come and is to come."""
        self._is_through, self._is_free, self._take = True, False, None
        if self._next_turn is not None:
            self._next_turn.cancel()
        rest = b"".join([data, *self._more])
        self._data, self._place, self._size = b"", 0, 0
        self._more.clear()
        if rest:
            self.parser.feed_data(rest)
        self._worked_off()


def _head(data: bytes, place: int) -> tuple[int, int]:
    """Where the payload of a frame begins, and its length; 0 where that has not come yet."""
    code = data[place + 1] & ~_MASKED
    start = place + 2 + (2 if code == _TWO_BYTES else 8 if code == _EIGHT_BYTES else 0)
    if start > len(data):
        return start, 0
    if code == _TWO_BYTES:
        (code,) = _SHORT(data, place + 2)
    elif code == _EIGHT_BYTES:
        (code,) = _LONG(data, place + 2)
    return start + (_MASK_SIZE if data[place + 1] & _MASKED else 0), code


def splitter_before(queue: WebSocketDataQueue, most_bytes: int, heard: Callable[[], None]) -> Splitter:
    """Have aiohttp put a splitter before the parser that it makes next for this queue.

    It makes it with the web socket, and tells the protocol, in the same turn and before anything can be read. Arguments
    are as for `Splitter`.
    """
    protocol: Any = queue._protocol
    protocol._buffer = _NO_ANSWERS
    splitter = Splitter(queue, most_bytes, heard)

    def set_parser(parser: WebSocketReader, *rest: Any, **options: Any) -> None:
        del protocol.set_parser
        splitter.parser = parser
        protocol.set_parser(splitter, *rest, **options)

    protocol.set_parser = set_parser
    return splitter
