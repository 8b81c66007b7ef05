"""The Node process that the servers live in: Node, its packages, and talking to the process by lines of JSON."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import select
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PATIENCE = 30.0  # seconds; for failure only
INSTALL_PATIENCE = 600.0
LEAST_MAJOR = 20


@cache
def why_no_node() -> str | None:
    """Why nothing can run on Node here, in words for the summary of the tests; None where it can."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return "NODE IS NOT INSTALLED: the SDK has not been tried against the real Socket.IO; install Node 20 and npm"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < LEAST_MAJOR:
        return f"NODE {version} IS TOO OLD: the SDK has not been tried against the real Socket.IO; install Node 20"
    return None


def install() -> None:
    """Install the packages of `package.json`, unless they are there already."""
    wanted = (HERE / "package.json").read_text()
    done = HERE / "node_modules" / ".installed"
    if done.exists() and done.read_text() == wanted:
        return
    command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
    subprocess.run(command, cwd=HERE, check=True, timeout=INSTALL_PATIENCE, stdin=subprocess.DEVNULL)
    done.write_text(wanted)


def main() -> None:
    """Install before the tests run, whose time is limited; where there is no Node, they say so."""
    if why_no_node() is None:
        install()


class NodeError(Exception):
    """What a server on Node would not do.

    Attributes:
        status: as of an HTTP answer.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class NodeProcess:
    """A process that runs messaging servers to order. It ends with its standard input, so with this process at latest.

    What is asked with `ask` blocks the event loop, for a fraction of a millisecond; `ask_later` does not.

    Attributes:
        on_change: by server, called when something has happened in it.
    """

    def __init__(self) -> None:
        install()
        command = ["node", str(HERE / "node" / "main.js")]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, cwd=HERE)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin.fileno(), self._process.stdout.fileno()
        # The event loop may find out that there is something to read just before `ask` reads it
        os.set_blocking(self._output, False)
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Callable[[dict[str, Any]], None]] = {}
        self._rest = b""
        self._attached = 0
        self.on_change: dict[int, Callable[[], None]] = {}

    def new_server(self, **given: Any) -> int:
        """Make a server, and give its number."""
        number = next(self._numbers)
        self.ask(number, "new", **given)
        return number

    def ask(self, server: int, what: str, /, **given: Any) -> Any:
        """Ask for something, and wait for the answer without giving the event loop a turn."""
        answers: list[dict[str, Any]] = []
        self._write(server, what, given, answers.append)
        while not answers:
            ready, _, _ = select.select([self._output], [], [], PATIENCE)
            if not ready:
                raise TimeoutError(f"Node has not answered {what!r} within {PATIENCE:g} s.")
            self._read()
        return _value(answers[0])

    async def ask_later(self, server: int, what: str, /, **given: Any) -> Any:
        """Ask for something, and await the answer."""
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

        def take(found: dict[str, Any]) -> None:
            if not answer.done():
                answer.set_result(found)

        with self.attached():
            self._write(server, what, given, take)
            async with asyncio.timeout(PATIENCE):
                return _value(await answer)

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Hear what the process says while the running event loop waits."""
        loop = asyncio.get_running_loop()
        if not self._attached:
            loop.add_reader(self._output, self._read)
        self._attached += 1
        try:
            yield
        finally:
            self._attached -= 1
            if not self._attached:
                loop.remove_reader(self._output)

    def end(self, *, kill: bool = False) -> None:
        """End the process: politely, or by SIGKILL."""
        if kill:
            self._process.kill()
        self._process.__exit__(None, None, None)  # closes the pipes, and waits

    def _write(self, server: int, what: str, given: dict[str, Any], take: Callable[[dict[str, Any]], None]) -> None:
        number = next(self._numbers)
        self._waiting[number] = take
        line = memoryview(json.dumps({"id": number, "server": server, "ask": what, "given": given}).encode() + b"\n")
        while line:
            line = line[os.write(self._input, line) :]

    def _read(self) -> None:
        try:
            data = os.read(self._output, 1 << 20)
        except BlockingIOError:
            return
        if not data:
            raise RuntimeError("The Node process has ended; what it said last is on the standard error.")
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "changed" in message:
                self.on_change.get(message["changed"], lambda: None)()
            else:
                self._waiting.pop(message["id"])(message)


def _value(answer: dict[str, Any]) -> Any:
    if "error" in answer:
        raise NodeError(answer["error"], answer["status"])
    return answer["value"]


_shared: list[NodeProcess] = []


def shared_process() -> NodeProcess:
    """The process that all tests share: a process for each would take most of their time."""
    if not _shared:
        _shared.append(NodeProcess())
    return _shared[0]


def end_shared_process() -> None:
    """End it, at the end of the tests."""
    while _shared:
        _shared.pop().end()


if __name__ == "__main__":
    main()
