"""The server as a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

from messaging_client.errors import ConfigurationError
from messaging_client.testing import MessagingServer, serve

PROGRAM = """
import asyncio, sys
from messaging_client.testing import serve
asyncio.run(serve(port=0, database=sys.argv[1], on_ready=lambda server: print(server.url, flush=True)))
print("ended", flush=True)
"""


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process(tmp_path: Path, kind: signal.Signals) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "a.db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with urllib.request.urlopen(f"{url}/api/health", timeout=5) as answer:
            assert answer.status == 200
        process.send_signal(kind)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "ended\n", "")
    with sqlite3.connect(tmp_path / "a.db") as database:
        assert database.execute("PRAGMA user_version").fetchone() == (1,)
    database.close()


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_here_and_handlers_come_back(kind: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    await serve(port=0, on_ready=lambda server: os.kill(os.getpid(), kind))
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before


async def test_cancelling_ends_it() -> None:
    servers: list[MessagingServer] = []
    ready = asyncio.Event()

    def on_ready(server: MessagingServer) -> None:
        servers.append(server)
        ready.set()

    task = asyncio.create_task(serve(port=0, on_ready=on_ready))
    await ready.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not servers[0].is_running


def test_in_a_thread_signals_are_somebody_elses() -> None:
    handlers = []

    async def run() -> None:
        ready = asyncio.Event()
        task = asyncio.create_task(serve(port=0, on_ready=lambda server: ready.set()))
        await ready.wait()
        handlers.append(signal.getsignal(signal.SIGTERM))
        task.cancel()
        await asyncio.wait({task})

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    thread.join(10)
    assert handlers == [before]


async def test_nobody_has_to_be_told_that_it_is_ready() -> None:
    task = asyncio.create_task(serve(port=0))
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


async def test_a_short_secret() -> None:
    with pytest.raises(ConfigurationError):
        await serve(port=0, secret="short")
