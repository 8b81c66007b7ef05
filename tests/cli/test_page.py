"""The page on the command line says what is true: its blocks are run, one after the other, against a server."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from pathlib import Path

import pytest
from scenes import PATIENT, Scene

from tests.cli.processes import TIMEOUT, environment

PAGE = Path(__file__).parent.parent.parent / "docs/how-to/command-line.md"
_BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def steps() -> list[tuple[str, list[str]]]:
    """Every command of the page, with the lines that it prints."""
    found: list[tuple[str, list[str]]] = []
    for block in _BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line.removeprefix("$ "), []))
            else:
                found[-1][1].append(line)
    return found


def is_as_shown(shown: str, printed: str) -> bool:
    """Whether a line is as on the page, where an ellipsis stands for what differs each time."""
    return re.fullmatch(".+".join(map(re.escape, shown.split("…"))), printed) is not None


@pytest.mark.timeout(300)  # a dozen interpreters
async def test_every_block_does_what_it_shows(tmp_path: Path) -> None:
    assert len(steps()) >= 9
    path = f"{Path(sys.executable).parent}:{environment()['PATH']}"
    async with Scene() as scene:
        env = environment(scene, PATH=path)
        await scene.server.say(1, "Bonjour docteur", PATIENT)
        for command, shown in steps():
            process = await asyncio.create_subprocess_shell(
                f"exec {command}" if " tail " in command else command,
                cwd=tmp_path,
                env=env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )
            assert process.stdout is not None
            async with asyncio.timeout(TIMEOUT):
                if " tail " in command:
                    await scene.server.wait_until(lambda: scene.server.members(1), TIMEOUT)
                    await scene.server.say(1, "J'ai une question", PATIENT)
                    printed = [(await process.stdout.readline()).decode().rstrip("\n") for _ in shown]
                    process.send_signal(signal.SIGINT)
                    assert await process.wait() == 130
                else:
                    printed = (await process.stdout.read()).decode().splitlines()
                    assert await process.wait() == 0, command
            assert len(printed) == len(shown), (command, printed)
            for one, other in zip(shown, printed, strict=True):
                assert is_as_shown(one, other), f"{command}\nshows   {one}\nprinted {other}"
