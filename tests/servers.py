"""Which server the tests of behaviour run on: the one place that decides.

The modules in `BEHAVIOUR` run whole on each of two servers: `[embedded]`, the one of `messaging_client.testing`, and
`[node]`, which stands on the real Socket.IO and Express (`tests/interop/node/`). They make their servers with
`make_server`, or with `Scene`, which does. A test that has a reason to run once says it:
`@pytest.mark.one_server("it asserts on ...")`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from messaging_client.clock import Clock
from messaging_client.testing import MessagingServer, ServerOptions
from tests.interop.node_process import why_no_node
from tests.interop.node_server import NodeServer

HERE = Path(__file__).parent
KINDS = ("embedded", "node")

BEHAVIOUR = frozenset(
    {
        "continuity/test_once_and_in_order.py",
        "continuity/test_polling.py",
        "continuity/test_positions.py",
        "outbox/test_sending.py",
        "test_connection_faults.py",
        "test_inbox.py",
        "test_join_all.py",
        "test_operations.py",
        "test_session.py",
        "test_session_life.py",
        "test_session_reading.py",
        "test_session_sending.py",
        "test_session_typing.py",
        "test_session_watching.py",
    }
)


class _Choice:
    """The kind of server that is made now, and how many were made."""

    def __init__(self) -> None:
        self.kind = "embedded"
        self.made = 0


_choice = _Choice()


def make_server(*, options: ServerOptions | None = None, clock: Clock | None = None) -> MessagingServer:
    """Make a server of the kind that the running test is for; not yet started."""
    _choice.made += 1
    if _choice.kind == "embedded":
        return MessagingServer(options=options, clock=clock)
    if clock is not None:
        raise ValueError("The server on Node has no clock to move by hand: mark the test with one_server.")
    made: Any = NodeServer(options=options)  # the same interface, as far as these tests use it
    return made


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Let a test of behaviour run on every kind of server."""
    path = metafunc.definition.path
    if path.is_relative_to(HERE) and path.relative_to(HERE).as_posix() in BEHAVIOUR:
        marks = list(metafunc.definition.iter_markers("one_server"))
        assert all(mark.args and isinstance(mark.args[0], str) for mark in marks), "one_server wants a reason"
        metafunc.parametrize("server_kind", KINDS[:1] if marks else KINDS, indirect=True)


@contextmanager
def chosen(kind: str) -> Iterator[None]:
    """Make servers of a kind during the block, which must make one if it is not the usual kind."""
    if kind == "node" and (reason := why_no_node()):
        pytest.skip(reason)
    before = _choice.made
    _choice.kind = kind
    try:
        yield
    finally:
        _choice.kind = "embedded"
    if kind != "embedded":
        assert _choice.made > before, 'it made no server: mark it `one_server("it talks to no server")`'
