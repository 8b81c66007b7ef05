"""`messaging-client serve`: what it prints is all that another terminal needs."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from scenes import TIMEOUT

from messaging_client import Message, MessagingClient

README = Path(__file__).parent.parent / "README.md"
_EXPORT = re.compile(r"export MESSAGING_URL=(\S+) MESSAGING_TOKEN=(\S+)")


@pytest.fixture
async def exports() -> AsyncIterator[list[tuple[str, str]]]:
    """The addresses and tokens that a server printed, which runs as a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "messaging_client", "serve", "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(TIMEOUT):
            assert (await process.stdout.readline()).startswith(b"listening on http://127.0.0.1:")
            found: list[tuple[str, str]] = []
            while len(found) < 2:
                found += _EXPORT.findall((await process.stdout.readline()).decode())
        yield found
    finally:
        if process.returncode is None:
            process.terminate()
        rest, errors = await process.communicate()
    assert rest + errors == b"", "a token is printed once, and nothing is logged"


def user_of(pasted: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> MessagingClient:
    """A client of an environment in which a printed line was run."""
    monkeypatch.setenv("MESSAGING_URL", pasted[0])
    monkeypatch.setenv("MESSAGING_TOKEN", pasted[1])
    return MessagingClient.from_env()


async def test_two_terminals_talk_with_what_was_printed(
    exports: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    patient, doctor = (user_of(each, monkeypatch) for each in exports)
    assert (str(patient.current_user.type), patient.current_user.id) == ("patient", 5)
    assert (str(doctor.current_user.type), doctor.current_user.id) == ("medecin", 79)
    async with doctor, patient:
        await doctor.join_all()
        async with await patient.open_conversation("ordonnance", 15, medecin_id=79) as session:
            async with doctor.expect(Message, timeout=TIMEOUT) as heard:
                await session.send("Bonjour docteur")
            assert (await heard).content == "Bonjour docteur"


def test_the_readme_shows_what_is_printed() -> None:
    shown = _EXPORT.findall(README.read_text())
    assert len(shown) == 2
