"""The library's two clients, made to hand frames on in order, and past themselves where they have nothing to add.

Private names of the libraries that are used here: `_engineio_client_class`, `_handle_eio_message`, `_handle_connect`,
`_handle_event`, `_handle_ack` and `_binary_packet` of the client, `_receive_packet` and `_read_loop_websocket` of the
engine. Checked with python-socketio 5.14 to 5.18 and python-engineio 4.12 to 4.15 (`fast_path.py`);
`tests/transport/test_link.py` and `tests/transport/test_fast_path.py` pin them.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import engineio
import socketio
from aiohttp import WSMsgType
from engineio import packet as engine_packet

from messaging_client.clock import Signal
from messaging_client.models import ConnectionCause as Cause
from messaging_client.strict_json import loads_from, loads_utf8_from
from messaging_client.transport.outbound import Outbound
from messaging_client.transport.packets import DISCONNECT_FRAME, INVALID_FRAME, RESERVED

if TYPE_CHECKING:
    from messaging_client.transport.link import Link

UNREAD_LIMIT = 1000
"""Packets that may wait for the network, answers to pings and to events that ask for one included. A server that goes
on asking and does not read the answers is left."""

BATCH = 16
"""Frames that are read before others have a turn: a flood must hold up neither handlers nor heartbeats.

A timer is called several turns late at worst. With 64 the event loop is more than 5 ms late in a flood, with 16 about
3 ms, and an event costs no more that can be measured.
"""

# As they begin on the wire: a message of the engine that is an event, or an acknowledgement, of the default namespace.
_PLAIN_EVENT = "42["
_PLAIN_EVENT_BYTES = b"42["
_ACKNOWLEDGEMENT = "43"
_MOST_DIGITS = 18  # of the number of an acknowledgement

# What servers with connectionStateRecovery add to an event, each in the form of its adapter: in memory a yeast, that is
# the time in base 64, from 2020 to 2048 and perhaps counted on after a dot; of Redis streams; of MongoDB.
_OFFSET = re.compile(r"[N-Z][\w-]{6}(\.[\w-]{1,3})?|[0-9]{13}-[0-9]{1,10}|[0-9a-f]{24}", re.ASCII)


def _without_offset(data: list[Any]) -> list[Any]:
    """Give an event without the offset that a server with recovery adds after its last argument.

    Volatile events have none, and nothing in the packet tells them apart: there a last argument of the user's that
    looks just like an offset is taken for one.
    """
    if len(data) > 1 and data[0] != INVALID_FRAME and isinstance(data[-1], str) and _OFFSET.fullmatch(data[-1]):
        return data[:-1]
    return data


class Engine(engineio.AsyncClient):  # type: ignore[misc]
    """The engine client, which hands frames on in order and notes when it last heard from the server."""

    link: Link

    def create_queue(self, *_args: Any, **_kwargs: Any) -> Outbound:
        """Give the library a queue of packets."""
        return Outbound()

    def create_event(self) -> Signal:
        """Give the library what it uses as an `asyncio.Event`."""
        return Signal()

    async def _read_loop_websocket(self) -> None:
        if self.link.is_fast:
            await self._read_frames()
        # What is left is the end of the connection, which the library sees to.
        await super()._read_loop_websocket()

    async def _read_frames(self) -> None:
        """Read frames until the connection ends.

        The library reads each in a task with a time limit of its own; here the link's watchdog sees to silence.
        """
        take, receive, sink, count = self.link.sio.take_plainly, self.ws.receive, self.link.sink, 0
        queued = () if sink is None else sink.queued
        if sink is not None:
            sink.take = take
        while self.state == "connected" and self.write_loop_task:
            count += 1
            if count == BATCH:
                count = 0
                await asyncio.sleep(0)
            if sink is None:
                frame = await receive()
            elif queued:
                # `receive` may wait, at a ping for one, while others are queued: nothing may overtake them.
                frame = await (sink.read() if queued[0][0][0] is WSMsgType.TEXT else receive())
            else:
                sink.ready = BATCH
                try:
                    frame = await receive()
                finally:
                    sink.ready = 0
            if frame.type is WSMsgType.TEXT:
                if take(frame.data):
                    continue
                if isinstance(frame.data, bytes):
                    frame = await self.ws.decoded(frame)
            if not isinstance(frame.data, str | bytes):
                return
            try:
                packet = engine_packet.Packet(encoded_packet=frame.data)
            except Exception:  # noqa: BLE001 - whatever the library makes of it, this is no Engine.IO
                self.link.end(Cause.CONNECTION_LOST)
                return
            await self._receive_packet(packet)

    async def _receive_packet(self, pkt: engine_packet.Packet) -> None:
        self.link.heard()
        if self.queue.qsize() > UNREAD_LIMIT:
            self.link.end(Cause.CONNECTION_LOST)
            return
        if pkt.packet_type == engine_packet.PING:
            # What it carries would be sent back with the answer; a ping of the protocol carries nothing.
            pkt.data = None
        is_event = pkt.packet_type == engine_packet.MESSAGE
        if (is_event and pkt.data == DISCONNECT_FRAME) or pkt.packet_type == engine_packet.CLOSE:
            # The library forgets the first that comes before `connect()` has returned, and at the second it empties
            # the queue, at which its write loop then waits.
            self.link.end(Cause.SERVER_DISCONNECT)
        elif is_event:
            # Not in a task for each frame, as the library has it: what that raises is lost, frame and all.
            try:
                await self.link.sio._handle_eio_message(pkt.data)
            except Exception as error:  # noqa: BLE001 - an odd frame must not end the read loop, and so the link
                self.link.unreadable(error, pkt.data)
        else:
            await super()._receive_packet(pkt)


class Client(socketio.AsyncClient):  # type: ignore[misc]
    """The Socket.IO client, whose events and acknowledgements go to the link."""

    link: Link
    recovers = False

    def take_plainly(self, frame: str | bytes) -> bool:
        """Take a frame that holds one event, or one acknowledgement, and nothing else that the library would see to.

        Args:
            frame: its text, as such or in UTF-8.

        Returns:
            Whether it was taken, with the outcome that the library's own way has; if not, nothing has happened.
        """
        if self._binary_packet is not None or self.eio.queue.qsize() > UNREAD_LIMIT:
            return False
        try:
            if type(frame) is bytes and frame.startswith(_PLAIN_EVENT_BYTES):
                data = loads_utf8_from(frame, 2)
            else:
                text = frame if type(frame) is str else frame.decode()  # type: ignore[union-attr]
                if not text.startswith(_PLAIN_EVENT):
                    return text.startswith(_ACKNOWLEDGEMENT) and self._take_acknowledgement(text)
                data = loads_from(text, 2)
        except (ValueError, RecursionError):
            return False  # not what it looked like: the library's way tells what is wrong with it
        # It begins with a bracket, so it is a list.
        if not data or type(data[0]) is not str or data[0] in RESERVED:
            return False
        link = self.link
        if self.recovers:
            data = _without_offset(data)
        try:
            link.take(data)
        except Exception as error:  # noqa: BLE001 - an odd frame must not end the read loop, and so the link
            link.unreadable(error, frame[1:] if type(frame) is str else frame[1:].decode())  # type: ignore[union-attr]
        return True

    def _take_acknowledgement(self, frame: str) -> bool:
        bracket = frame.find("[", 2, 3 + _MOST_DIGITS)
        digits = frame[2:bracket]
        if bracket < 0 or not (digits.isascii() and digits.isdecimal()) or not (number := int(digits)):
            return False
        data = loads_from(frame, bracket)
        self.link.heard()
        self.link.replies.acknowledged(number, data)
        return True

    def _engineio_client_class(self) -> type[Engine]:
        return Engine

    async def _handle_connect(self, namespace: str | None, data: Any) -> None:
        self.recovers = isinstance(data, dict) and "pid" in data
        await super()._handle_connect(namespace, data)

    async def _handle_event(self, namespace: str | None, id: int | None, data: list[Any]) -> None:
        # Node adds no offset to what wants an acknowledgement.
        told = _without_offset(data) if self.recovers and id is None else data
        await super()._handle_event(namespace, id, told)

    async def _handle_ack(self, namespace: str | None, id: int, data: list[Any]) -> None:
        if (namespace or "/") == "/":
            self.link.replies.acknowledged(id, data)
