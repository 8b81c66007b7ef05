"""The examples, as a user runs them: as processes, against a server."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from scenes import DOCTOR, PATIENT, Scene

EXAMPLES = Path(__file__).parent.parent / "examples"
TIMEOUT = 20.0  # an interpreter must start


class Running:
    """An example at work."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def say(self, wanted: Callable[[str], bool]) -> str:
        """Read lines until one is wanted, and give it."""
        assert self.process.stdout is not None
        async with asyncio.timeout(TIMEOUT):
            async for raw in self.process.stdout:
                line = raw.decode().rstrip("\n")
                if wanted(line):
                    return line
        assert self.process.stderr is not None
        raise AssertionError(f"it ended: {(await self.process.stderr.read()).decode()}")

    async def end(self, sign: signal.Signals | None = signal.SIGINT) -> tuple[int | None, str]:
        """Press Ctrl-C, and give the exit code and what went to stderr."""
        if sign is not None:
            self.process.send_signal(sign)
        async with asyncio.timeout(TIMEOUT):
            _, errors = await self.process.communicate()
        return self.process.returncode, errors.decode()


@asynccontextmanager
async def running(scene: Scene, name: str, *args: str, token: str | None = None) -> AsyncIterator[Running]:
    environment = {**os.environ, "MESSAGING_URL": scene.server.url, "PYTHONUNBUFFERED": "1"}
    environment |= {"MESSAGING_TOKEN": scene.server.token(*DOCTOR) if token is None else token}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLES / name),
        *args,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Running(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def test_the_bot_answers_patients_and_nobody_else() -> None:
    async with Scene() as scene, running(scene, "bot_echo.py") as bot:
        assert await bot.say(lambda line: line.startswith("ready")) == "ready, as medecin 79"
        patient = await scene.session(await scene.client(PATIENT))
        await patient.send("Bonjour docteur")
        assert (await patient.wait_for_message(timeout=TIMEOUT)).content == "Bien reçu : Bonjour docteur"
        await scene.say("D'un autre appareil du docteur", DOCTOR)
        later = await scene.server.create_conversation("Messages - Examen 23", [PATIENT, DOCTOR])
        async with patient._client.conversation(later) as other:
            await other.send("Et l'examen ?")
            assert (await other.wait_for_message(timeout=TIMEOUT)).content == "Bien reçu : Et l'examen ?"
        await bot.say(lambda line: line.endswith(f"in conversation {later}"))
        assert await bot.end() == (0, "")
        assert [each["contenu"] for each in scene.server.messages(scene.conversation)] == [
            "Bonjour docteur",
            "Bien reçu : Bonjour docteur",
            "D'un autre appareil du docteur",
        ]


async def test_the_bot_answers_what_came_while_it_was_away(tmp_path: Path) -> None:
    store = str(tmp_path / "bot.db")
    async with Scene() as scene:
        for number in (1, 2):
            async with running(scene, "bot_echo.py", store) as bot:
                await bot.say(lambda line: line.startswith("ready"))
                await scene.say(f"présent {number}")
                await bot.say(lambda line: line.startswith("answered"))
                assert await bot.end() == (0, "")
            await scene.say(f"absent {number}")
        async with running(scene, "bot_echo.py", store) as bot:
            await bot.say(lambda line: line.startswith("answered"))
            assert await bot.end() == (0, "")
        answers = [each["contenu"] for each in scene.server.messages(scene.conversation)]
        answers = [each.removeprefix("Bien reçu : ") for each in answers if each.startswith("Bien reçu")]
        assert answers == ["présent 1", "absent 1", "présent 2", "absent 2"]


async def test_the_inbox_is_shown_live() -> None:
    async with Scene() as scene, running(scene, "doctor_inbox.py") as shown:
        assert await shown.say(lambda line: line.startswith("---")) == "--- 0 unread"
        assert await shown.say(bool) == "      Marie Dupont, Messages - Ordonnance 15"
        await scene.say("J'ai une question")
        await shown.say(lambda line: line == "--- 1 unread")
        assert await shown.say(bool) == "  (1) Marie Dupont, Messages - Ordonnance 15: J'ai une question"
        assert await shown.end() == (0, "")


async def test_the_inbox_is_filtered_and_marked() -> None:
    async with Scene() as scene:
        await scene.server.create_conversation("Messages - Examen 23", [("patient", 6), DOCTOR])
        await scene.fill(3)
        async with running(scene, "doctor_inbox.py", "ordonnance", "dupont") as shown:
            await shown.say(lambda line: line == "--- 3 unread")
            assert (await shown.say(bool)).startswith("  (3) Marie Dupont")
        async with running(scene, "doctor_inbox.py", "read") as marking:
            assert await marking.say(bool) == "3 messages marked as read"
            assert await marking.end(None) == (0, "")
        async with running(scene, "doctor_inbox.py", "unread") as shown:
            assert await shown.say(bool) == "--- 0 unread"


@pytest.mark.parametrize("name", ["bot_echo.py", "doctor_inbox.py"])
async def test_no_token_is_said_in_one_line(name: str) -> None:
    async with Scene() as scene, running(scene, name, token="") as example:
        code, errors = await example.end(None)
        assert code == 1
        assert "MESSAGING_TOKEN" in errors or "token" in errors
        assert "Traceback" not in errors


async def test_an_unknown_filter_is_said_in_one_line() -> None:
    async with Scene() as scene, running(scene, "doctor_inbox.py", "photos") as example:
        code, errors = await example.end(None)
        assert (code, errors.count("\n")) == (1, 1)
        assert "ordonnance" in errors
