"""The interface as a web page: real processes, a real socket, and who is let in."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import psutil
import pytest

from messaging_client import MessagingClient
from messaging_client.errors import ConfigurationError
from messaging_client.testing.network import bind
from messaging_client.tui.served import page_address
from tests.cli.processes import environment, run_in_terminal
from tests.scenes import DOCTOR, Scene

COMMAND = [sys.executable, "-m", "messaging_client", "chat"]


@asynccontextmanager
async def served(scene: Scene, *words: str) -> AsyncIterator[tuple[str, asyncio.subprocess.Process, str]]:
    """`chat --serve` in a process of its own; gives the address that it prints, the process and the token."""
    with bind("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
    token = scene.server.token(*DOCTOR)
    environment = os.environ | {"MESSAGING_URL": scene.server.url, "MESSAGING_TOKEN": token}
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "--serve", "--port", str(port), *words, env=environment, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode().split()
        assert line[0] == "Open"
        yield line[1], process, token
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), 30)


async def test_a_page_reads_and_writes_and_leaves_nothing_behind(scene: Scene) -> None:
    await scene.say("Bonjour docteur")
    async with served(scene) as (url, process, token), aiohttp.ClientSession(cookie_jar=_jar()) as browser:
        page = await (await browser.get(url)).text()
        assert token not in page
        assert "data-session-websocket-url" in page
        root = url.split("?")[0]
        async with browser.ws_connect(f"{root}ws?width=80&height=24", origin=root.rstrip("/")) as socket:
            await _until_shown(socket, "Marie")
            children = psutil.Process(process.pid).children(recursive=True)
            assert children
            assert not [word for each in children for word in each.cmdline() if token in word]
            await _keys(socket, "\r")
            await _until_shown(socket, "Beginning")
            for key in ("Oui", "\r"):
                await _keys(socket, key)
            await scene.server.wait_until(lambda: len(scene.server.messages(scene.conversation)) == 2, 20)
        assert scene.server.messages(scene.conversation)[1]["contenu"] == "Oui"
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 30) == 0
        assert not psutil.wait_procs(children, timeout=10)[1]


async def test_nobody_else_is_let_in(scene: Scene) -> None:
    async with served(scene) as (url, _process, _token), aiohttp.ClientSession(cookie_jar=_jar()) as stranger:
        root = url.split("?")[0]
        for path in ("", "ws", "static/js/textual.js", "?key=guessed"):
            assert (await stranger.get(root + path)).status == 403
        assert (await stranger.get(url, headers={"Host": "evil.example"})).status == 403
        entered = await stranger.get(url, allow_redirects=False)
        assert "HttpOnly" in entered.headers["Set-Cookie"]
        assert "SameSite=Strict" in entered.headers["Set-Cookie"]
        assert entered.headers["Location"] == "/"
        answer = await stranger.get(root)
        assert answer.status == 200
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        for origin in ("http://evil.example", "http://127.0.0.1:3000", None):
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await stranger.ws_connect(f"{root}ws", origin=origin)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "chat.example"])
def test_other_machines_are_not_served_unless_asked_for(host: str) -> None:
    with pytest.raises(ConfigurationError, match="--expose"):
        page_address(host, 8000, None)
    assert page_address(host, 8000, "https://chat.example/") == "https://chat.example"


def test_addresses_of_this_machine() -> None:
    assert page_address("127.0.0.1", 8000, None) == "http://127.0.0.1:8000"
    assert page_address("::1", 8000, None) == "http://[::1]:8000"
    assert page_address("localhost", 8000, None) == "http://localhost:8000"
    with pytest.raises(ConfigurationError, match="without a path"):
        page_address("0.0.0.0", 8000, "chat.example")


async def _run(*words: str, **environment: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *words, env=os.environ | environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_without_a_terminal_it_says_so(scene: Scene) -> None:
    token = scene.server.token(*DOCTOR)
    code, said = await _run("--url", scene.server.url, MESSAGING_TOKEN=token)
    assert code == 2
    assert "needs a terminal" in said
    code, said = await _run("--token-file", "-", MESSAGING_TOKEN="")
    assert code == 2


async def test_nothing_is_drawn_into_a_file_of_errors(scene: Scene) -> None:
    """Textual draws on standard error: in a file of it would be messages, and nothing on the screen."""
    done = await run_in_terminal("chat", env=environment(scene))
    assert done.code == 2
    assert "needs a terminal" in done.error


async def test_a_signal_ends_it_and_what_is_unsent_is_said_and_kept(scene: Scene, tmp_path: Path) -> None:
    """A run without a terminal, with a store, and a message which cannot be sent."""
    store = tmp_path / "store.db"
    scene.server.faults.answer("send", 503, count=None, retry_after=0.2)
    token = scene.server.token(*DOCTOR)
    program = (
        "import asyncio, sys\n"
        "from messaging_client import MessagingClient\n"
        "from messaging_client.tui.running import run_chat\n"
        "async def main():\n"
        "    client = MessagingClient.from_env(store=sys.argv[1])\n"
        "    client.on_connection_change(lambda change: write() if change.socket_id else None)\n"
        "    async def write():\n"
        "        async with client.conversation(int(sys.argv[2])) as session:\n"
        "            await session.send('secret du patient', wait=False)\n"
        "        print('accepted', flush=True)\n"
        "    return await run_chat(client, is_stored=True)\n"
        "report, _ = asyncio.run(main())\n"
        "print(len(report.unsent))\n"
    )
    environment = os.environ | {
        "MESSAGING_URL": scene.server.url,
        "MESSAGING_TOKEN": token,
        "TEXTUAL_DRIVER": "textual.drivers.headless_driver:HeadlessDriver",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(store), str(scene.conversation), env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    await scene.server.wait_until(lambda: scene.requests("send") > 1, 30)
    process.terminate()
    said, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, errors.decode()
    assert said.decode().split()[-1] == "1"
    assert "Not certain to be sent" in errors.decode()
    assert "kept in the store" in errors.decode()
    assert "secret du patient" not in errors.decode()
    scene.server.faults.clear()
    async with MessagingClient(scene.server.url, token=token, store=store):
        await scene.server.wait_until(lambda: scene.server.messages(scene.conversation), 20)
    assert [each["contenu"] for each in scene.server.messages(scene.conversation)] == ["secret du patient"]


def _jar() -> aiohttp.CookieJar:
    return aiohttp.CookieJar(unsafe=True)  # cookies of a bare address are taken too


async def _keys(socket: aiohttp.ClientWebSocketResponse, keys: str) -> None:
    await socket.send_str(json.dumps(["stdin", keys]))


async def _until_shown(socket: aiohttp.ClientWebSocketResponse, words: str) -> None:
    shown = b""
    async with asyncio.timeout(30):
        while words.encode() not in shown:
            shown += (await socket.receive()).data
