"""Terminals in which the commands of a page are typed: shells that print to a terminal, read line by line."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import shlex
import signal
import struct
import sys
import termios
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tests.docs.pages import is_as_shown

TIMEOUT = 60.0
_CTRL_C = "^C"
_MORE = "…"  # alone on a line: any number of lines
_LINES, _COLUMNS = 40, 100
_STYLE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
_VARIABLES = {"NO_COLOR": "1", "PYTHONUTF8": "1", "TERM": "xterm-256color"}


class NotAsShown(AssertionError):
    """A command printed something other than the page shows."""


def commands(text: str) -> list[str]:
    """The commands of a block without prompts."""
    lines = iter(text.splitlines())
    return [_whole(line, lines) for line in lines]


def steps(text: str) -> list[tuple[str | None, list[str]]]:
    """The commands of a block, each with the lines shown below it; None for lines that an earlier command prints."""
    found: list[tuple[str | None, list[str]]] = []
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("$ "):
            found.append((_whole(line.removeprefix("$ "), lines), []))
        else:
            if not found:
                found.append((None, []))
            found[-1][1].append(line)
    return found


def _whole(command: str, lines: Iterator[str]) -> str:
    """A command with the lines on which it goes on."""
    while command.endswith("\\") or not _is_quoted_well(command):
        command += "\n" + next(lines)
    return command


def _is_quoted_well(command: str) -> bool:
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return False
    return True


class Terminal:
    """A shell.

    Args:
        folder: where it is.
        environment: variables besides those of this process, of which none of ours are handed on.
        swaps: what is shown, and what is meant in this run, such as a port.

    Attributes:
        printed: every line so far.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], swaps: Mapping[str, str]) -> None:
        mine = {name: value for name, value in os.environ.items() if not name.startswith(("MESSAGING_", "COV"))}
        self._environment = mine | _VARIABLES | dict(environment)
        self._environment["PATH"] = f"{Path(sys.executable).parent}:{mine['PATH']}"
        self._folder = folder
        self._swaps = swaps
        self._mark = uuid.uuid4().hex
        self._is_running = False
        self.printed: list[str] = []

    async def __aenter__(self) -> Self:
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, _COLUMNS, 0, 0))
        self._slave = slave  # held, so that reading does not end with the shell
        self._output = asyncio.StreamReader(limit=1 << 20)
        self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(self._output), os.fdopen(master, "rb", buffering=0)
        )
        self._shell = await asyncio.create_subprocess_exec(
            "bash",
            "--norc",
            cwd=self._folder,
            env=self._environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=slave,
            stderr=slave,
            # What a background job has of its shell would be deaf to Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_running:
            self._interrupt()
        assert self._shell.stdin is not None
        self._shell.stdin.close()
        try:
            async with asyncio.timeout(TIMEOUT):
                await self._shell.wait()
        finally:
            if self._shell.returncode is None:
                self._shell.kill()
                await self._shell.wait()
            self._transport.close()
            os.close(self._slave)

    async def type(self, command: str, shown: list[str], *, stays: bool) -> None:
        """Type a command, and compare what it prints with what is shown, if anything is.

        Spaces at the end of a line do not count.

        Args:
            command: what to type; what still runs in this terminal is ended with Ctrl-C before.
            shown: the lines; `^C` among them is Ctrl-C, and `…` alone any lines.
            stays: whether the command goes on until it is told to end.

        Raises:
            NotAsShown: it printed something else, or failed.
        """
        if self._is_running:
            await self.watch([_CTRL_C, _MORE])
        for page, here in self._swaps.items():
            command = command.replace(page, here)
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"{{ {command}\n}} </dev/null\necho {self._mark} $?\n".encode())
        self._is_running = True
        await self.watch(shown)
        if not stays and self._is_running:
            code = await self._end(compare=bool(shown) and shown[-1] != _MORE)
            if code != 0:
                raise NotAsShown(f"{command} ended with {code}:\n" + "\n".join(self.printed[-30:]))

    async def watch(self, shown: list[str]) -> None:
        """Wait for lines of the command that runs.

        Raises:
            NotAsShown: something else came.
        """
        skips = False
        for line in shown:
            if line == _CTRL_C:
                self._interrupt()
                await self._end(compare=False)
            elif line == _MORE:
                skips = True
            else:
                while not is_as_shown(line, printed := await self._line(line)):
                    if not skips:
                        raise NotAsShown(f"shown   {line}\nprinted {printed}")
                skips = False

    async def _line(self, wanted: str) -> str:
        line = await self._read()
        if line.startswith(self._mark):
            self._is_running = False
            raise NotAsShown(f"the end came in place of {wanted!r}; before it:\n" + "\n".join(self.printed[-30:]))
        return line

    async def _end(self, *, compare: bool) -> int:
        """Read until the command has ended; its exit code."""
        while not (line := await self._read()).startswith(self._mark):
            if compare:
                raise NotAsShown(f"printed, and not shown: {line}")
        self._is_running = False
        return int(line.split()[1])

    async def _read(self) -> str:
        try:
            async with asyncio.timeout(TIMEOUT):
                line = _STYLE.sub("", (await self._output.readline()).decode()).rstrip()
        except TimeoutError:
            raise NotAsShown("nothing more came after:\n" + "\n".join(self.printed[-30:])) from None
        if not line.startswith(self._mark):
            for page, here in self._swaps.items():
                line = line.replace(here, page)
            self.printed.append(line)
        return line

    def _interrupt(self) -> None:
        for process in psutil.Process(self._shell.pid).children(recursive=True):
            process.send_signal(signal.SIGINT)
