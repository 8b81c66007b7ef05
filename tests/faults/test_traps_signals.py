"""Trap 13: Ctrl-C belongs to the application."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

HOST = """
import asyncio, contextlib, sys
import uvicorn
from messaging_client import MessagingClient
from messaging_client.testing import MessagingServer

@contextlib.asynccontextmanager
async def lifespan(app):
    async with MessagingServer() as server:
        async with MessagingClient(server.url, token=server.token("patient", 5)) as client:
            assert client.is_connected
            print("up", flush=True)
            yield
        print("closed", flush=True)

from starlette.applications import Starlette
uvicorn.run(Starlette(lifespan=lifespan), port=0, log_level="critical")
"""

PLAIN = """
import asyncio, signal
from messaging_client import MessagingClient
from messaging_client.testing import MessagingServer

async def main():
    before = signal.getsignal(signal.SIGINT)
    async with MessagingServer() as server:
        async with MessagingClient(server.url, token=server.token("patient", 5)) as client:
            assert signal.getsignal(signal.SIGINT) is before
            print("up", flush=True)
            try:
                await client.run_forever()
            finally:
                print("cancelled", client.state, flush=True)
    print("closed", flush=True)

try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize(
    ("program", "wanted"),
    [(HOST, "closed\n"), (PLAIN, "cancelled connected\ninterrupted\n")],
    ids=["under uvicorn", "asyncio.run"],
)
def test_trap_13_an_interrupt_is_the_applications(program: str, wanted: str) -> None:
    command = [sys.executable, "-W", "error", "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "up\n"
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert out == wanted
