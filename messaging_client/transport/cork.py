"""Frames that are sent in one go, where asyncio would make a system call of each."""

from __future__ import annotations

import asyncio
from typing import Any

MOST_BYTES = 64 * 1024
"""What may wait; the transport is told of more at once, so that it can say when it has enough."""

_FRAME_COSTS = 1024  # bytes that a frame counts for, beside its own, in what is written in a turn
_TEXT_FRAME = 0x81  # RFC 6455, section 5.2: the first byte of a text message in one frame


class Cork:
    """Stands before the transport of a WebSocket, and gives it text frames joined, once in a turn of the event loop.

    All else goes on at once, with what waits before it: what closes the WebSocket may close the transport behind it.
    The order never changes.

    Args:
        transport: what frames are written to.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.is_closing = transport.is_closing  # asked before every frame
        self._loop = asyncio.get_running_loop()
        self._in_turn = 0
        self._frames: list[bytes] = []
        self._size = 0
        self._due: asyncio.Handle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    @property
    def has_room(self) -> bool:
        """Whether more may be written in this turn: whoever writes without end must let others have theirs."""
        return self._in_turn < MOST_BYTES

    def write(self, data: bytes) -> None:
        """Write a frame, soon."""
        if self._due is None:
            self._due = self._loop.call_soon(self._turned)
        self._frames.append(data)
        self._size += len(data)
        self._in_turn += len(data) + _FRAME_COSTS
        if self._size > MOST_BYTES or data[0] != _TEXT_FRAME:
            self.flush()

    def _turned(self) -> None:
        self._due, self._in_turn = None, 0
        self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self._frames and not self._transport.is_closing():
            self._transport.write(b"".join(self._frames))
        self._frames.clear()
        self._size = 0
