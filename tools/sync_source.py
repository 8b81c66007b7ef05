"""What the asynchronous client has for users: its members, with annotations and imports for the blocking one."""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any

import messaging_client
from messaging_client import client

PACKAGE = "messaging_client.sync"

FACES = {
    "MessagingClient": "client",
    "ConversationSession": "session",
    "Inbox": "inbox",
    "EventHook": "subscriptions",
    "MessageHook": "subscriptions",
}
"""Generated classes that stand in annotations and wrap what asynchronous methods return, each with its module."""

BY_HAND = {
    "EventStream": "streams",
    "Expectation": "streams",
    "Subscription": "faces",
}
"""Classes written by hand that do the same."""

LEFT_OUT = {"Timeline", "CHECKS", "CheckOutcome", "CheckResult", "Diagnosis", "diagnose"}
"""Public names of the package that the blocking client has no use for; a diagnosis is a coroutine: `asyncio.run`."""


@dataclass
class Member:
    """A public name of a class: its definitions as written (several where overloaded), and how it is reached."""

    name: str
    kind: str
    module: ModuleType
    nodes: list[ast.FunctionDef | ast.AsyncFunctionDef] = field(default_factory=list)
    line: int = 0
    annotation: ast.expr | None = None


def members_of(cls: type) -> dict[type, list[Member]]:
    """Give the public members of a class, by the class that defines them, as they follow in the source."""
    found: dict[type, list[Member]] = defaultdict(list)
    seen: set[str] = set()
    for owner in cls.__mro__:
        if not owner.__module__.startswith("messaging_client"):
            continue
        for name, value in vars(owner).items():
            is_public = (
                not name.startswith("_")
                or (name == "__call__")
                or (name == "__init__" and owner is client.MessagingClient)
            )
            if is_public and name not in seen:
                seen.add(name)
                found[owner].append(member(owner, name, value))
        for name, annotation, line in public_attributes(owner):
            if name not in seen:
                seen.add(name)
                found[owner].append(Member(name, "attribute", module_of(owner), line=line, annotation=annotation))
    for each in found.values():
        each.sort(key=lambda member: member.line)
    return found


def member(owner: type, name: str, value: Any) -> Member:
    """Look at one member."""
    function = value
    kind = "method"
    if isinstance(value, property):
        function, kind = value.fget, "property"
    elif isinstance(value, classmethod):
        function, kind = value.__func__, "classmethod"
    function = inspect.unwrap(function)  # see `messaging_client.boundary`
    assert isinstance(function, FunctionType), f"{owner.__name__}.{name}: what is this?"
    if function.__name__ != name:
        return Member(
            name,
            "alias",
            module_of(owner),
            line=function.__code__.co_firstlineno,
            annotation=ast.Name(function.__name__),
        )
    nodes = [
        node
        for node in class_node(owner).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
    ]
    if any(ast.unparse(each) == "asynccontextmanager" for each in nodes[-1].decorator_list):
        kind = "block"
    return Member(name, kind, module_of(owner), nodes, nodes[0].lineno)


def public_attributes(owner: type) -> list[tuple[str, ast.expr, int]]:
    """Attributes without an underscore that `__init__` sets, with their annotations."""
    return [
        (node.target.attr, node.annotation, node.lineno)
        for node in ast.walk(class_node(owner))
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Attribute)
        and ast.unparse(node.target.value) == "self"
        and not node.target.attr.startswith("_")
    ]


def module_of(owner: type) -> ModuleType:
    """The module that a class is in."""
    return sys.modules[owner.__module__]


def module_name(owner: type) -> str:
    """The last part of its name."""
    return owner.__module__.rpartition(".")[2]


@functools.cache
def tree_of(module: ModuleType) -> ast.Module:
    """The source of a module."""
    return ast.parse(inspect.getsource(module))


def class_node(owner: type) -> ast.ClassDef:
    """The source of a class."""
    return next(
        node
        for node in tree_of(module_of(owner)).body
        if isinstance(node, ast.ClassDef) and node.name == owner.__name__
    )


class Annotations(ast.NodeTransformer):
    """Turns annotations of the asynchronous client into those of the blocking one."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Names that mean something else here."""
        if node.id == "AsyncIterator":
            return ast.Name("Iterator")
        if node.id == "MessageStream":
            return expression("EventStream[Message]")
        if node.id == "Timeline":
            return expression("tuple[Message, ...]")
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        """`Handler[E]`, whatever it returns there, is a plain function here."""
        if isinstance(node.value, ast.Name) and node.value.id == "Handler":
            return ast.Subscript(
                ast.Name("Callable"), ast.Tuple([ast.List([self.visit(node.slice)]), ast.Name("object")])
            )
        return self.generic_visit(node)  # type: ignore[return-value]

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        """`Awaitable[None] | None` is what handlers return there."""
        if ast.unparse(node.left).startswith("Awaitable["):
            return ast.Name("object")
        return self.generic_visit(node)  # type: ignore[return-value]


def expression(text: str) -> ast.expr:
    """The syntax of an expression."""
    return ast.parse(text, mode="eval").body


class Imports:
    """The imports of one generated module, found by where the asynchronous one has its names from.

    Args:
        own: classes that the module itself holds.
    """

    def __init__(self, own: set[str]) -> None:
        self._own = own
        self.lines: set[str] = set()

    def need(self, node: ast.AST, module: ModuleType) -> None:
        """Import every name in a piece of source."""
        for each in ast.walk(node):
            if isinstance(each, ast.Name):
                self.need_name(each.id, module)

    def need_name(self, name: str, module: ModuleType) -> None:
        """Import a name that is known in a module."""
        if name in self._own or (hasattr(builtins, name) and name not in vars(module)):
            return
        if name in FACES:
            self.lines.add(f"from {PACKAGE}._generated.{FACES[name]} import {name}")
        elif name in BY_HAND:
            self.lines.add(f"from {PACKAGE}.{BY_HAND[name]} import {name}")
        elif name in ("Iterator", "Callable"):
            self.lines.add(f"from collections.abc import {name}")
        else:
            self.lines.add(self._found(name, module))

    def _found(self, name: str, module: ModuleType) -> str:
        for node in tree_of(module).body:
            if isinstance(node, ast.ImportFrom | ast.Import):
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        what = alias.name + (f" as {alias.asname}" if alias.asname else "")
                        return (
                            f"from {node.module} import {what}"
                            if isinstance(node, ast.ImportFrom)
                            else f"import {what}"
                        )
        home = module.__name__ if hasattr(module, name) else getattr(messaging_client, name).__module__
        return f"from {home} import {name}"
