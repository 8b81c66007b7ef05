"""Write the blocking client from the asynchronous one, into messaging_client/sync/.

    python tools/generate_sync.py            write __init__.py and _generated/
    python tools/generate_sync.py --check    write nothing; end with 1 if a file is not what would be written

Every public method and property of `MessagingClient`, `ConversationSession` and `Inbox` gets a blocking form with the
same name, arguments and documentation; each class that has some of them gets a module named after its own. What the
blocking forms do is in the modules next to `_generated/`, written by hand.
"""

from __future__ import annotations

import argparse
import ast
import copy
import functools
import inspect
import re
import subprocess
import sys
import textwrap
from collections import defaultdict
from pathlib import Path

from sync_source import (
    BY_HAND,
    FACES,
    LEFT_OUT,
    PACKAGE,
    Annotations,
    Imports,
    Member,
    members_of,
    module_name,
)

import messaging_client
from messaging_client import client, inbox, session, subscriptions

ROOT = Path(__file__).parent.parent
HOME = ROOT / "messaging_client" / "sync"

_DOCUMENTATION = [
    (r"`await reply`", "`reply.result()`"),
    (r"from the moment it is awaited", "from the moment that `result()` is called"),
    (r"on awaiting;", "from `result()`;"),
    (r"await\s+", ""),
    (r"async (with|for)\b", r"\1"),
    (r"\b[Aa]n async context manager\b", "a context manager"),
    (r"\basync iterator\b", "iterator"),
    (r"`aclose\(\)`", "`close()`"),
    (r"[Aa] sync or async callable (with|that|;)", r"a plain function \1"),
    (r"a sync or async callable;", "a plain function;"),
]
"""What documentation says differently; a sentence keeps its capital."""


def documentation(text: str | None) -> str:
    """Documentation of the blocking form."""
    said = text or ""
    for pattern, replacement in _DOCUMENTATION:
        said = re.sub(pattern, functools.partial(_said, replacement), said)
    return said.strip()


def _said(replacement: str, match: re.Match[str]) -> str:
    new = match.expand(replacement)
    return new[:1].upper() + new[1:] if match[0][:1].isupper() else new


def as_docstring(text: str, indent: str) -> str:
    """Documentation as it stands in the source."""
    lines = text.splitlines()
    body = textwrap.indent("\n".join(lines[1:]), indent) if len(lines) > 1 else ""
    return f'{indent}"""{lines[0]}' + (f"\n{body}\n{indent}" if body else "") + '"""\n'


def given(arguments: ast.arguments, skip: int = 1) -> str:
    """The arguments of a method, passed on to another with the same ones."""
    positional = [each.arg for each in [*arguments.posonlyargs, *arguments.args]][skip:]
    passed = positional
    if arguments.vararg is not None:
        passed = [*passed, f"*{arguments.vararg.arg}"]
    passed += [f"{each.arg}={each.arg}" for each in arguments.kwonlyargs]
    return ", ".join(passed)


class Writer:
    """Writes one generated module.

    Args:
        name: the module's.
        classes: the classes that it will hold.
    """

    def __init__(self, name: str, classes: set[str]) -> None:
        self.name = name
        self.imports = Imports(classes)
        self.body: list[str] = []

    def add_class(self, owner: type, behind: type, bases: list[str], members: list[Member], generic: bool) -> None:
        """Write a class: the face of `behind`, with the members that `owner` defines."""
        face = f"Async{behind.__name__}"
        self.imports.lines.add(f"from {behind.__module__} import {behind.__name__} as {face}")
        if generic:
            self.imports.lines |= {"from typing import Generic", f"from {owner.__module__} import E"}
            face = f"{face}[E]"
        if not bases:
            self.imports.lines.add(f"from {PACKAGE}.faces import Face")
            bases = [f"Face[{face}]"] + (["Generic[E]"] if generic else [])
        self.body.append(f"\nclass {owner.__name__}({', '.join(bases)}):\n")
        doc = documentation(inspect.getdoc(owner))
        # The constructor's arguments are not for users, but for those of the client.
        doc = doc if owner is client.MessagingClient else doc.partition("\n\nArgs:")[0]
        self.body.append(as_docstring(doc, "    "))
        for each in members:
            self.body.append(self._member(each, behind))
        if "__aenter__" in vars(owner) and owner is not client.MessagingClient:
            self._add_block()

    def _member(self, each: Member, behind: type) -> str:
        if each.kind == "alias":
            assert isinstance(each.annotation, ast.Name)
            return f"\n    {each.name} = {each.annotation.id}\n"
        if each.kind == "attribute":
            assert each.annotation is not None
            return self._property(each, each.annotation, f"The `{each.name}` of the asynchronous form, as it is now.")
        definition = each.nodes[-1]
        if each.kind == "property":
            assert definition.returns is not None
            return self._property(each, definition.returns, documentation(ast.get_docstring(definition)))
        overloads = "".join(self._signature(each, node) + " ...\n" for node in each.nodes[:-1])
        doc = ast.get_docstring(definition)
        text = "" if doc is None else as_docstring(documentation(doc), " " * 8)
        return "\n" + overloads + self._signature(each, definition) + "\n" + text + self._body(each, definition, behind)

    def _property(self, each: Member, annotation: ast.expr, doc: str) -> str:
        returns = self._annotation(annotation, each)
        value = f"self._async.{each.name}"
        if isinstance(annotation, ast.Name) and annotation.id == "Timeline":
            value = f"tuple({value})"
        call = self._wrapped(returns, f"self._runtime.call(lambda: {value})")
        return (
            f"\n    @property\n    def {each.name}(self) -> {ast.unparse(returns)}:\n"
            f"{as_docstring(doc, ' ' * 8)}        return {call}\n"
        )

    def _annotation(self, annotation: ast.expr, each: Member) -> ast.expr:
        """The blocking form of an annotation, with what it needs imported."""
        changed = Annotations().visit(copy.deepcopy(annotation))
        assert isinstance(changed, ast.expr)
        self.imports.need(changed, each.module)
        return changed

    def _signature(self, each: Member, node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
        arguments = copy.deepcopy(node.args)
        for one in ast.walk(arguments):
            if isinstance(one, ast.arg) and one.annotation is not None:
                one.annotation = self._annotation(one.annotation, each)
        for default in [*arguments.defaults, *arguments.kw_defaults]:
            if default is not None:
                self.imports.need(default, each.module)
        assert node.returns is not None, each.name
        returns = self._annotation(node.returns, each)
        if each.kind == "block":
            self.imports.lines.add("from contextlib import AbstractContextManager")
            self.imports.lines.discard("from collections.abc import Iterator")
            assert isinstance(returns, ast.Subscript)
            returns = ast.Subscript(ast.Name("AbstractContextManager"), returns.slice)
        decorators = [
            ast.unparse(one) for one in node.decorator_list if ast.unparse(one) in ("overload", "classmethod")
        ]
        if "overload" in decorators:
            self.imports.lines.add("from typing import overload")
        name = "close" if each.name == "aclose" else each.name
        head = "".join(f"    @{one}\n" for one in decorators)
        return f"{head}    def {name}({ast.unparse(arguments)}) -> {ast.unparse(returns)}:"

    def _body(self, each: Member, node: ast.FunctionDef | ast.AsyncFunctionDef, behind: type) -> str:
        indent = " " * 8
        passed = given(node.args)
        call = f"self._async.{each.name}({passed})"
        if each.name == "__call__":
            call = f"self._async({passed})"
        if each.name == "__init__":
            return f"{indent}super().__init__(lambda: Async{behind.__name__}({passed}))\n"
        if each.kind == "classmethod":
            return f"{indent}return cls._made(lambda: Async{behind.__name__}.{each.name}({passed}))\n"
        if each.name == "aclose":
            return f"{indent}return self._close({passed})\n"
        if each.name == "close":
            return f"{indent}self._runtime.leave(lambda: {call})\n"
        if each.kind == "block":
            self.imports.lines.add(f"from {PACKAGE}.streams import Block")
            return f"{indent}return Block(self._runtime, self._runtime.call(lambda: {call}))\n"
        assert node.returns is not None
        returns = Annotations().visit(copy.deepcopy(node.returns))
        if "Subscription[" in ast.unparse(returns):
            way = "_subscribe" if "Callable[" in ast.unparse(returns) else "_listen"
            call = re.sub(r"\bhandler\b", "given", call)
            return f"{indent}return self.{way}(lambda given: {call}, handler)\n"
        way = "run" if isinstance(node, ast.AsyncFunctionDef) else "call"
        value = self._wrapped(returns, f"self._runtime.{way}(lambda: {call})")
        return f"{indent}{'' if ast.unparse(returns) == 'None' else 'return '}{value}\n"

    def _wrapped(self, returns: ast.expr, call: str) -> str:
        outer = returns.value if isinstance(returns, ast.Subscript) else returns
        name = outer.id if isinstance(outer, ast.Name) else ""
        if name in FACES or name in BY_HAND:
            return f"{name}(self._runtime, {call})"
        if name == "Iterator":
            self.imports.lines.add(f"from {PACKAGE}.streams import Items")
            return f"Items(self._runtime, {call})"
        return call

    def _add_block(self) -> None:
        self.imports.lines |= {"from types import TracebackType", "from typing import Self"}
        self.body.append(
            textwrap.indent(
                textwrap.dedent("""
                    def __enter__(self) -> Self:
                        self._runtime.run(self._async.__aenter__)
                        return self

                    def __exit__(
                        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
                    ) -> None:
                        self._runtime.leave(lambda: self._async.__aexit__(kind, error, trace))
                """),
                "    ",
            )
        )

    def text(self) -> str:
        """The module."""
        head = f'"""The blocking form of `messaging_client.{self.name}`, written from it by `make generate`."""'
        head += "\n\nfrom __future__ import annotations\n\n"
        return head + "\n".join(sorted(self.imports.lines)) + "\n\n" + "".join(self.body)


def modules() -> dict[str, str]:
    """Give the text of every generated module of `_generated/`, by its name."""
    parts = members_of(client.MessagingClient)
    plans: dict[str, list[tuple[type, type, list[Member], bool]]] = defaultdict(list)
    for hook in (subscriptions.EventHook, subscriptions.MessageHook):
        plans["subscriptions"].append((hook, hook, members_of(hook)[hook], hook is subscriptions.EventHook))
    for part, members in parts.items():
        plans[module_name(part)].append((part, client.MessagingClient, members, False))
    for cls in (session.ConversationSession, inbox.Inbox):
        plans[module_name(cls)].append((cls, cls, members_of(cls)[cls], False))
    texts = {"__init__": '"""The generated part of the blocking client; users import `messaging_client.sync`."""\n'}
    for name, plan in plans.items():
        writer = Writer(name, {owner.__name__ for owner, *_ in plan})
        for owner, behind, members, is_generic in plan:
            bases: list[str] = []
            if owner is client.MessagingClient:
                bases = [part.__name__ for part in parts if part is not owner] + ["BlockingClient"]
                for part in parts:
                    if part is not owner:
                        home = module_name(part)
                        writer.imports.lines.add(f"from {PACKAGE}._generated.{home} import {part.__name__}")
                writer.imports.lines.add(f"from {PACKAGE}.faces import BlockingClient")
            writer.add_class(owner, behind, bases, members, is_generic)
        texts[name] = writer.text()
    return texts


def front() -> str:
    """Give the text of `messaging_client/sync/__init__.py`: every public name, in its blocking form."""
    names = sorted(set(messaging_client.__all__) - LEFT_OUT)
    homes = {name: f"{PACKAGE}._generated.{home}" for name, home in FACES.items()}
    homes |= {name: f"{PACKAGE}.{home}" for name, home in BY_HAND.items()}
    lines = [f"from {homes.get(name, 'messaging_client')} import {name}" for name in names]
    listed = "\n".join(f"    {name!r}," for name in names)
    head = '"""The blocking client: `messaging_client` for scripts and threads. Written by `make generate`."""'
    return f"{head}\n\n" + "\n".join(lines) + f"\n\n__all__ = [\n{listed}\n]\n"


def formatted(text: str, path: Path) -> str:
    """The text as `make lint` wants it."""
    for command in (["check", "--select", "I,RUF022", "--fix", "--quiet", "--exit-zero"], ["format", "--quiet"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(path), "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        )
        text = done.stdout
    return text


def main() -> int:
    """Write the files, or look whether they are what would be written."""
    parser = argparse.ArgumentParser(description="Write the blocking client from the asynchronous one.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not up to date")
    check = parser.parse_args().check
    wanted = {HOME / "_generated" / f"{name}.py": text for name, text in modules().items()}
    wanted[HOME / "__init__.py"] = front()
    stale = [path for path in (HOME / "_generated").glob("*.py") if path not in wanted]
    for path, text in wanted.items():
        new = formatted(text, path)
        if not path.exists() or path.read_text() != new:
            stale.append(path)
            if not check:
                path.write_text(new)
    for path in stale:
        if not check and path not in wanted:
            path.unlink()
        print(f"{'not up to date' if check else 'written'}: {path.relative_to(ROOT)}")
    if check and stale:
        print("Say `make generate`.")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
