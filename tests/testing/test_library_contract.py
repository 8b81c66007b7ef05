"""Names of libraries that the embedded server stands on, beyond what their documentation promises."""

from __future__ import annotations

import inspect

import engineio
import socketio
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.protocol import Protocol


def parameters(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)  # type: ignore[arg-type]


def source_around(member: type) -> str:
    """Give the text of a class's module; that of a class alone is parsed, at which CPython 3.11 fails now and then."""
    module = inspect.getmodule(member)
    assert module is not None
    return inspect.getsource(module)


def test_uvicorn() -> None:
    assert {"config", "server_state", "app_state"} <= set(parameters(H11Protocol))
    source = source_around(H11Protocol)
    assert '"state": self.app_state.copy()' in source  # what the application finds in its scope
    assert "app_state=self.app_state" in source  # and what a WebSocket takes over
    assert "self.access_log" in source
    state = ServerState()
    assert state.connections == state.tasks == set()
    assert "self.conn = ServerProtocol(" in source_around(WebSocketsSansIOProtocol)
    assert {"pause_writing", "resume_writing"} <= set(vars(WebSocketsSansIOProtocol))


def test_websockets() -> None:
    assert "if self.debug:" in source_around(Protocol)


def test_python_socketio() -> None:
    assert parameters(socketio.AsyncServer._handle_connect) == ["self", "eio_sid", "namespace", "data"]
    assert parameters(socketio.AsyncServer._handle_eio_connect) == ["self", "eio_sid", "environ"]
    assert "self._engineio_server_class()(" in inspect.getsource(socketio.base_server)


def test_python_engineio() -> None:
    server = engineio.AsyncServer(async_mode="asgi", logger=_quiet())
    assert server.sockets == {}
    source = inspect.getsource(engineio.AsyncServer._handle_connect)
    assert source.index("'pingInterval'") < source.index("s.send(pkt)") < source.index("_trigger_event('connect'")


def _quiet() -> object:
    import logging

    return logging.getLogger("quiet")
