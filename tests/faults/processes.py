"""The embedded server as a process of its own, which can be killed."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from peers import free_port

from messaging_client.testing import MessagingServer, mint_token

PATIENT = ("patient", 5)
DOCTOR = ("medecin", 79)


class ServerProcess:
    """`messaging-client serve` on one port and one file, through all its lives.

    Args:
        folder: where the file and the key are.

    Attributes:
        conversation_id: one of a patient and a doctor that is there from the start.
    """

    def __init__(self, folder: Path) -> None:
        self._database = folder / "messages.db"
        self._key = folder / "key"
        self._secret = secrets.token_hex(32)
        self._process: asyncio.subprocess.Process | None = None
        self.port = free_port()
        self.conversation_id = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def token(self, user: tuple[str, int]) -> str:
        return mint_token(self._secret, *user)

    async def prepare(self) -> None:
        self._key.write_text(self._secret)
        async with MessagingServer(str(self._database)) as server:
            self.conversation_id = await server.create_conversation("Messages - Ordonnance 15", [PATIENT, DOCTOR])

    async def start(self) -> None:
        """Return once it listens."""
        options = ["--port", str(self.port), "--database", str(self._database), "--secret-file", str(self._key)]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "messaging_client", "serve", *options, stdout=asyncio.subprocess.PIPE
        )
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), 20)
        assert line.startswith(b"listening on"), line

    async def kill(self) -> None:
        """SIGKILL."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            await process.communicate()


@asynccontextmanager
async def server_process(folder: Path) -> AsyncIterator[ServerProcess]:
    server = ServerProcess(folder)
    await server.prepare()
    await server.start()
    try:
        yield server
    finally:
        await server.kill()
