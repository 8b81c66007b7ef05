"""`record` and `replay`, as processes of their own."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from canary import holds_secret
from scenes import PATIENT, Scene

from messaging_client.cli.exit_codes import ExitCode
from tests.cli.processes import COMMAND, TIMEOUT, environment, run

NOWHERE = "http://127.0.0.1:9"
HEADER = '{"kind":"header","format":1,"started":"","client":"1","server":"","contents":false}\n'


@asynccontextmanager
async def started(*args: str, env: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """A command under way, which Ctrl-C reaches."""
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, *args),
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def until(process: asyncio.subprocess.Process, pattern: str) -> re.Match[str]:
    """Read lines of standard output until one matches."""
    assert process.stdout is not None
    async with asyncio.timeout(TIMEOUT):
        while line := (await process.stdout.readline()).decode():
            if found := re.search(pattern, line):
                return found
    raise AssertionError(f"it ended without {pattern}")


@pytest.mark.timeout(300)  # some interpreters
async def test_what_was_recorded_until_ctrl_c_is_replayed_to_tail(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "bug.jsonl"
    async with started("record", str(path), env=environment(scene)) as recording:
        await scene.server.wait_until(lambda: scene.server.members(1), TIMEOUT)
        said = await scene.server.say(1, "Bonjour, ici Marie Dupont", PATIENT)
        while '"new_message",{' not in path.read_text():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.05)
        recording.send_signal(signal.SIGINT)
        summary = await until(recording, r"^(.*)$")
        assert await recording.wait() == ExitCode.OK
    assert re.fullmatch(
        rf"{re.escape(str(path))}: \d+ frames, \d+ requests, 1 connection in \d+ s, \d+ kB, "
        "without texts, names and tokens",
        summary[1],
    )
    assert not holds_secret(path.read_text())
    await scene.server.aclose()

    async with started("replay", str(path), "--fast", env=environment()) as replay:
        assert await until(replay, r"^serving .* a recording of medecin 79, 1 connection, without texts and names$")
        variables = await until(replay, r"^export MESSAGING_URL=(\S+) MESSAGING_TOKEN=(\S+)$")
        env = environment(MESSAGING_URL=variables[1], MESSAGING_TOKEN=variables[2])
        async with started("tail", "--json", "--type", "message", env=env) as tail:
            told = json.loads((await until(tail, r"^\{.*\}$"))[0])
            await until(replay, "^everything has been played$")
        assert (told["message_id"], told["conversation_id"], told["late"]) == (said["id_message"], 1, False)
        assert re.fullmatch(r"\[~32 [0-9a-f]{10}\]", told["content"])
        replay.send_signal(signal.SIGINT)
        assert await replay.wait() == ExitCode.OK


async def test_record_ends_after_a_while_and_keeps_contents_on_request(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "bug.jsonl"
    path.write_text("old")
    await scene.server.say(1, "Bonjour docteur", PATIENT)
    options = ("--for", "2", "--contents", "--force", "--keep-url")
    done = await run("record", str(path), *options, env=environment(scene))
    assert done.code == ExitCode.OK
    assert "with texts and names: keep it as safe as these" in done.out
    text = path.read_text()
    assert "Bonjour docteur" in text
    assert scene.server.url in text
    assert "eyJ" not in text


async def test_a_server_that_is_down_is_recorded(tmp_path: Path, scene: Scene) -> None:
    path = tmp_path / "bug.jsonl"
    done = await run("record", str(path), "--for", "1", "--url", NOWHERE, env=environment(scene))
    assert done.code == ExitCode.OK
    assert "could not be reached" in done.err
    assert '"error":"ConnectFailed"' in path.read_text()


async def test_a_refused_token_ends_it(tmp_path: Path, scene: Scene) -> None:
    env = environment(scene, MESSAGING_TOKEN=scene.server.token(*PATIENT, expires_in=-60))
    done = await run("record", str(tmp_path / "bug.jsonl"), env=env)
    assert done.code == ExitCode.AUTHENTICATION
    assert done.err.splitlines()[-1].startswith("error: The server refused the token")


async def test_a_small_file_ends_it(tmp_path: Path, scene: Scene) -> None:
    path = tmp_path / "bug.jsonl"
    for number in range(30):
        await scene.server.say(1, f"m{number}", PATIENT)
    done = await run("record", str(path), "--max-bytes", "4096", env=environment(scene))
    assert done.code == ExitCode.OK
    assert "it ended early, at its largest size (--max-bytes)" in done.out
    assert path.stat().st_size <= 4096


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("record", "there.jsonl"), "there.jsonl is there already; choose another name, or overwrite it"),
        (("record", "no/where.jsonl"), "where.jsonl cannot be written: no such file or directory"),
        (("replay", "nothing.jsonl"), "nothing.jsonl cannot be read: no such file or directory"),
        (("replay", "there.jsonl"), "there.jsonl is no recording"),
        (("replay", "newer.jsonl"), "newer.jsonl is of version 7 of the format"),
    ],
    ids=str,
)
async def test_what_cannot_work_is_said(tmp_path: Path, scene: Scene, args: tuple[str, str], said: str) -> None:
    (tmp_path / "there.jsonl").write_text("mine")
    (tmp_path / "newer.jsonl").write_text(HEADER.replace('"format":1', '"format":7'))
    done = await run(args[0], str(tmp_path / args[1]), env=environment(scene))
    assert done.code == ExitCode.USAGE
    assert said in done.error
    assert done.out == ""


async def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    (tmp_path / "bug.jsonl").write_text(HEADER)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = await run("replay", str(tmp_path / "bug.jsonl"), "--port", str(port), env=environment())
    assert done.code == ExitCode.FAILED
    assert done.error == f"error: Port {port} cannot be used: address already in use; give another with --port."
