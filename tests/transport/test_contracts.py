"""Names of libraries that the client leans on, beyond what is documented; `test_link.py` has those of Socket.IO.

That none is missing is looked for in the source itself.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import engineio
import socketio
from aiohttp._websocket.reader import WebSocketDataQueue
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import WebSocketWriter
from pydantic import BaseModel
from socketio import packet

import messaging_client
from messaging_client.transport import fast_path

PACKAGE = Path(messaging_client.__file__).parent

PRIVATE = {
    "_engineio_client_class": socketio.AsyncClient,
    "_engineio_server_class": socketio.AsyncServer,
    "_binary_packet": socketio.AsyncClient,
    "_handle_ack": socketio.AsyncClient,
    "_handle_connect": socketio.AsyncClient,
    "_handle_eio_connect": socketio.AsyncServer,
    "_handle_eio_message": socketio.AsyncClient,
    "_handle_event": socketio.AsyncClient,
    "_read_loop_websocket": engineio.AsyncClient,
    "_write_loop": engineio.AsyncClient,
    "_receive_packet": engineio.AsyncClient,
    "_write_websocket_frame": WebSocketWriter,
}
"""Every private name of a library that the package calls or overrides, and whose it is."""


def private_names() -> Iterator[str]:
    """Private attributes that are used, or overridden in a subclass of a library's class, and are not our own."""
    # What the terminal interface uses of Textual stands in tests/tui/test_contracts.py.
    paths = [path for path in PACKAGE.rglob("*.py") if path.parent.name != "tui"]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in paths]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    ours = {node.id for node in nodes if isinstance(node, ast.Name)}
    ours |= {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}
    ours |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    for node in nodes:
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            calls_the_base = isinstance(node.value, ast.Call) and ast.unparse(node.value) == "super()"
            if node.attr not in ours or calls_the_base:
                yield node.attr
        if isinstance(node, ast.ClassDef):
            libraries = (socketio.AsyncClient, socketio.AsyncServer, engineio.AsyncClient, engineio.AsyncServer)
            for base in (ast.unparse(each) for each in node.bases):
                known = {f"{each.__module__.partition('.')[0]}.{each.__name__}": each for each in libraries}
                for member in node.body if base in known else ():
                    name = getattr(member, "name", "")
                    if name.startswith("_") and not name.startswith("__") and hasattr(known[base], name):
                        yield name


def test_no_private_name_is_without_its_contract() -> None:
    assert set(private_names()) == set(PRIVATE)
    client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
    assert client._binary_packet is None
    for name, owner in PRIVATE.items():
        if owner is WebSocketWriter and not fast_path.is_aiohttp_known():
            continue  # then it is not called
        assert name == "_binary_packet" or callable(getattr(owner, name)), name


def parameters(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)  # type: ignore[arg-type]


def test_python_socketio() -> None:
    assert parameters(socketio.AsyncClient._handle_eio_message) == ["self", "data"]
    assert parameters(socketio.AsyncClient._handle_event) == ["self", "namespace", "id", "data"]
    assert {"serializer", "websocket_extra_options"} <= {
        *parameters(socketio.base_client.BaseClient.__init__),
        *parameters(engineio.base_client.BaseClient.__init__),
    }
    client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
    assert {"http", "external_http", "queue", "read_loop_task", "write_loop_task", "state"} <= set(vars(client.eio))
    # A packet is decoded, and given attachments, by these.
    assert parameters(packet.Packet.add_attachment) == ["self", "attachment"]
    assert {"attachments", "attachment_count", "packet_type", "data", "id", "namespace"} <= set(
        vars(packet.Packet(packet.EVENT))
    )


async def test_aiohttp() -> None:
    # Told before a redirect is followed, and what it raises ends the request.
    source = inspect.getsource(aiohttp.ClientSession._request)
    assert source.index("send_request_redirect") < source.index("redirects += 1")
    assert {"ws_response_class", "trace_configs", "cookie_jar"} <= set(parameters(aiohttp.ClientSession.__init__))
    assert "socket_factory" in parameters(aiohttp.TCPConnector.__init__)
    # What `frames.py` puts another one in place of, or looks into.
    assert isinstance(WebSocketDataQueue(None, 1, loop=None)._buffer, deque)  # type: ignore[arg-type]
    assert isinstance(ResponseHandler(loop=asyncio.get_running_loop())._buffer, deque)
    # Where it is noted that a request may leave.
    assert "await self._connector.connect(" in inspect.getsource(aiohttp.client)


def test_pydantic() -> None:
    """What `wire/construct.py` sets is what an instance has."""

    class Model(BaseModel):
        x: int = 0

    made = Model(x=1)
    assert made.__dict__ == {"x": 1}
    assert made.__pydantic_fields_set__ == {"x"}
    assert made.__pydantic_extra__ is None
    assert made.__pydantic_private__ is None


def test_the_writer_of_a_websocket() -> None:
    """It writes whole frames to its transport, which is an attribute that can be replaced."""
    written = inspect.getsource(WebSocketWriter)
    assert set(re.findall(r"self\.transport\.(\w+)", written)) == {"is_closing", "write"}
    assert "self.transport = transport" in written
    assert parameters(aiohttp.ClientWebSocketResponse.__init__)[1:5] == ["reader", "writer", "protocol", "response"]
