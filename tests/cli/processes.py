"""The command line as people and programs run it: processes, in a pipe or in a terminal of 80 columns."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from scenes import DOCTOR, Scene, User

COMMAND = (sys.executable, "-m", "messaging_client")
TIMEOUT = 40.0  # an interpreter must start, perhaps on a busy machine
_STYLE = re.compile(r"\x1b\[[0-9;]*m")
_OURS = ("MESSAGING_URL", "MESSAGING_TOKEN", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "PYTHONUTF8")


def environment(scene: Scene | None = None, user: User | None = DOCTOR, **further: str) -> dict[str, str]:
    """A shell's variables, with the server and the token of a user."""
    made = {name: value for name, value in os.environ.items() if name not in _OURS} | {"TERM": "xterm-256color"}
    if scene is not None:
        made["MESSAGING_URL"] = scene.server.url
    if scene is not None and user is not None:
        made["MESSAGING_TOKEN"] = scene.server.token(*user)
    return made | further


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int | None
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def plain(self) -> str:
        """What went to a terminal, without colours."""
        return _STYLE.sub("", self.out).replace("\r\n", "\n")

    @property
    def error(self) -> str:
        """The one line that said what went wrong."""
        (line,) = self.err.splitlines()
        assert line.startswith("error: "), line
        return line


async def run(*args: str, env: dict[str, str], stdin: str | bytes = b"") -> Done:
    """Run a command whose output goes into a pipe."""
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, *args),
        env=env,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    given = stdin.encode() if isinstance(stdin, str) else stdin
    async with asyncio.timeout(TIMEOUT):
        out, err = await process.communicate(given)
    return Done(process.returncode, out.decode(), err.decode())


async def run_in_terminal(*args: str, env: dict[str, str]) -> Done:
    """Run a command in a terminal; what went to standard error is kept apart."""
    async with in_terminal(*args, env=env) as screen:
        async with asyncio.timeout(TIMEOUT):
            await screen.process.wait()
            await screen.ended.wait()
        assert screen.process.stderr is not None
        return Done(screen.process.returncode, screen.text, (await screen.process.stderr.read()).decode())


class Screen:
    """A terminal, and the process that runs in it."""

    def __init__(self, process: asyncio.subprocess.Process, master: int) -> None:
        self.process = process
        self.ended = asyncio.Event()
        self._master = master
        self._bytes = b""
        self._came = asyncio.Event()
        asyncio.get_running_loop().add_reader(master, self._read)

    @property
    def text(self) -> str:
        return self._bytes.decode()

    async def until(self, wanted: str) -> None:
        """Wait until something is shown."""
        async with asyncio.timeout(TIMEOUT):
            while wanted not in _STYLE.sub("", self.text):
                self._came.clear()
                await self._came.wait()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)

    def _read(self) -> None:
        try:
            self._bytes += os.read(self._master, 65536)
        except OSError:  # EIO: nobody has the other end any more
            asyncio.get_running_loop().remove_reader(self._master)
            self.ended.set()
        self._came.set()


@asynccontextmanager
async def in_terminal(*args: str, env: dict[str, str]) -> AsyncIterator[Screen]:
    """Start a command in a terminal of 80 columns and 24 lines."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    try:
        process = await asyncio.create_subprocess_exec(
            *(*COMMAND, *args), env=env, stdin=slave, stdout=slave, stderr=asyncio.subprocess.PIPE
        )
    finally:
        os.close(slave)
    screen = Screen(process, master)
    try:
        yield screen
    finally:
        await _end(process)
        screen.close()


async def line_of(process: asyncio.subprocess.Process, wanted: Callable[[str], bool]) -> str:
    """Read lines of what a process prints until one is wanted, and give it."""
    assert process.stdout is not None
    async with asyncio.timeout(TIMEOUT):
        async for raw in process.stdout:
            line = raw.decode().rstrip("\n")
            if wanted(line):
                return line
    assert process.stderr is not None
    raise AssertionError(f"it ended: {(await process.stderr.read()).decode()}")


class Running:
    """A command at work, whose output goes into a pipe."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def line(self, wanted: Callable[[str], bool] = lambda _line: True) -> str:
        """Read lines until one is wanted, and give it."""
        return await line_of(self.process, wanted)

    async def end(self, sign: signal.Signals | None = signal.SIGINT) -> Done:
        """Press Ctrl-C, and wait for the end; gives what came since the last line that was read."""
        if sign is not None:
            self.process.send_signal(sign)
        async with asyncio.timeout(TIMEOUT):
            out, err = await self.process.communicate()
        return Done(self.process.returncode, out.decode(), err.decode())


@asynccontextmanager
async def running(*args: str, env: dict[str, str]) -> AsyncIterator[Running]:
    """Start a command whose output goes into a pipe."""
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, *args),
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=_hear_ctrl_c,
    )
    try:
        yield Running(process)
    finally:
        await _end(process)


def _hear_ctrl_c() -> None:
    # What starts the tests may ignore it, and a child would too.
    signal.signal(signal.SIGINT, signal.default_int_handler)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    await process.wait()
