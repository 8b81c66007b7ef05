"""The private names of Textual and textual-serve that the terminal interface leans on."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from textual.app import App
from textual_serve.server import Server

import messaging_client.tui

PRIVATE = {
    "_fatal_error": App,
    "_exit_renderables": App,
    "_close_messages_no_wait": App,
    "_make_app": Server,
    "_process_messages": Server,
}
"""Each, and whose it is; overridden or called by `tui/app.py` and `tui/served.py`."""

_PUBLIC = {"_replace"}  # of named tuples


def _names() -> Iterator[str]:
    trees = [ast.parse(path.read_text()) for path in Path(messaging_client.tui.__file__).parent.glob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    ours = {node.id for node in nodes if isinstance(node, ast.Name)}
    ours |= {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}
    functions = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    used = {node.attr for node in nodes if isinstance(node, ast.Attribute)} - ours - functions - _PUBLIC
    overridden = {name for name in functions if hasattr(App, name) or hasattr(Server, name)}
    yield from (name for name in used | overridden if name.startswith("_") and not name.startswith("__"))


def test_no_private_name_is_without_its_contract() -> None:
    assert set(_names()) == set(PRIVATE)


def test_each_is_there() -> None:
    app = App[None]()
    for name, owner in PRIVATE.items():
        assert hasattr(app if owner is App else owner, name), name
    assert app._exit_renderables == []
