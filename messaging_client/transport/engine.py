"""The library's two clients, made to hand frames on in order, and past themselves where they have nothing to add.

Private names of the libraries that are used here: `_engineio_client_class`, `_handle_eio_message`, `_handle_connect`,
`_handle_event`, `_handle_ack` and `_binary_packet` of the client, `_receive_packet`, `_read_loop_websocket` and
`_write_loop` of the engine. Checked with python-socketio 5.14 to 5.18 and python-engineio 4.12 to 4.15
(`fast_path.py`); `tests/transport/test_link.py` and `tests/transport/test_fast_path.py` pin them.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import engineio
import socketio
from aiohttp import ClientError, WSMsgType
from engineio import packet as engine_packet

from messaging_client.clock import Signal
from messaging_client.models import ConnectionCause as Cause
from messaging_client.strict_json import loads_event
from messaging_client.transport.frames import BATCH, Splitter
from messaging_client.transport.outbound import Outbound
from messaging_client.transport.packets import DISCONNECT_FRAME, INVALID_FRAME, RESERVED

if TYPE_CHECKING:
    from messaging_client.transport.link import Link

UNREAD_LIMIT = 1000
"""Packets that may wait for the network, answers to pings and to events that ask for one included. A server that goes
on asking and does not read the answers is left."""

# On the wire: how a message of the engine begins that is an event, or an acknowledgement, of the default namespace; and
# a ping of the engine.
_PLAIN_EVENT = b"42["
_ACKNOWLEDGEMENT = b"43"
_PING = b"2"
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
    write_loop_task: asyncio.Task[None] | None

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
        splitter = self.link.splitter
        if splitter is None:
            await self._read_each(None)
            return
        splitter.attach(self.link.sio.take, self.link.sio.may_take)
        try:
            await self._read_each(splitter)
        finally:
            splitter.detach()

    async def _read_each(self, splitter: Splitter | None) -> None:
        """Read what comes by aiohttp's queue."""
        take, receive, count = self.link.sio.take_text, self.ws.receive, 0
        while self.state == "connected" and self.write_loop_task:
            count += 1
            if count == BATCH:
                count = 0
                await asyncio.sleep(0)
            if splitter is not None and not splitter.has_queued:
                splitter.wait()
            frame = await receive()
            if frame.type is WSMsgType.TEXT and take(frame.data):
                continue
            if not isinstance(frame.data, str | bytes):
                return
            try:
                packet = engine_packet.Packet(encoded_packet=frame.data)
            except Exception:  # noqa: BLE001 - whatever the library makes of it, this is no Engine.IO
                self.link.end(Cause.CONNECTION_LOST)
                return
            await self._receive_packet(packet)

    async def _write_loop(self) -> None:
        """Send what is queued, until the reading task says that the connection has ended.

        The library's gives up where it had nothing to send for a while; here the link's watchdog sees to silence. And
        it ends, and the connection with it, where something cannot be sent any more: what came before that is told.
        """
        if not self.link.is_fast:
            await super()._write_loop()
            return
        is_broken = False
        while (packet := await self.queue.get()) is not None:
            try:
                if not is_broken:
                    await (self.ws.send_bytes if packet.binary else self.ws.send_str)(packet.encode())
            except (ClientError, OSError):
                is_broken = True
            self.queue.task_done()
        self.queue.task_done()
        self.write_loop_task = None

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

    def take_text(self, frame: str) -> bool:
        """Note that the server has just sent something, and take the text of a frame as `take` does."""
        self.link.heard()
        return self.may_take() and self.take(data := frame.encode(errors="surrogatepass"), 0, len(data))

    def may_take(self) -> bool:
        """Whether not all goes the library's way: it waits for no attachment, and the server reads its answers."""
        return self._binary_packet is None and self.eio.queue.qsize() <= UNREAD_LIMIT

    def take(self, data: bytes, start: int, stop: int) -> bool:
        """Take a frame that holds one event, one acknowledgement or a ping, and nothing that only the library sees to.

        Args:
            data: bytes in which its text stands, in UTF-8.
            start: where it begins.
            stop: where it ends.

        Returns:
            Whether it was taken, with the outcome that the library's own way has; if not, nothing has happened.
        """
        try:
            if not data.startswith(_PLAIN_EVENT, start):
                return self._take_another(data[start:stop])
            event = loads_event(data[start + 2 : stop])
        except (ValueError, RecursionError):
            return False  # not what it looked like: the library's way tells what is wrong with it
        # It begins with a bracket, so it is a list.
        if not event or type(event[0]) is not str or event[0] in RESERVED:
            return False
        if self.recovers:
            event = _without_offset(event)
        try:
            if self.link.is_telling:
                self.link.on_event(event[0], tuple(event[1:]))
        except Exception as error:  # noqa: BLE001 - an odd frame must not end the read loop, and so the link
            self.link.unreadable(error, data[start + 1 : stop].decode())
        return True

    def _take_another(self, frame: bytes) -> bool:
        if frame == _PING:
            if self.eio.state == "connected":
                self.eio.queue.put_nowait(engine_packet.Packet(engine_packet.PONG))
            return True
        bracket = frame.find(b"[", 2, 3 + _MOST_DIGITS)
        digits = frame[2:bracket]
        if bracket < 0 or not (frame.startswith(_ACKNOWLEDGEMENT) and digits.isdigit() and (number := int(digits))):
            return False
        args = loads_event(frame[bracket:])
        self.link.replies.acknowledged(number, args)
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
