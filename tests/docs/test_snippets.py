"""Every block of Python runs, and every block of data is read, as the pages show them."""

from __future__ import annotations

import asyncio
import configparser
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from messaging_client.testing import MessagingServer
from tests.docs.pages import PAGES, Block, blocks_of

_BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def _ini(text: str) -> None:
    configparser.ConfigParser(strict=False, interpolation=None).read_string(text)


READERS: dict[str, Callable[[str], object]] = {
    "ini": _ini,
    "json": json.loads,
    "toml": tomllib.loads,
    "yaml": yaml.safe_load,
}
ELSEWHERE = {"python": "below", "console": "test_console.py", "sh": "test_console.py"}
SHOWN_ONLY = {
    "text": "what something looks like",
    "dockerfile": "an image is built where there are a registry and Docker",
}


def _snippets() -> Iterator[object]:
    """Every snippet, with the files that the page has shown before."""
    files: dict[str, str] = {}
    page = ""
    for block in _BLOCKS:
        if block.page != page:
            page, files = block.page, {}
        if block.language == "python" and not _is_typed(block):
            yield pytest.param(block, dict(files), id=block.id)
        if block.file is not None:
            files[block.file] = block.text


def _is_typed(block: Block) -> bool:
    """Whether a command of the page runs this file, which `test_console.py` does."""
    command = re.compile(rf"^(\$ )?.*\bpython {re.escape(block.file or ' ')}\b", re.MULTILINE)
    on_page = [each for each in _BLOCKS if each.page == block.page and each.language in ("console", "sh")]
    return any(command.search(each.text) for each in on_page)


async def _run(*arguments: str, folder: Path | None = None) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "error",
        *arguments,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, output.decode() + errors.decode()


@pytest.mark.parametrize(("block", "files"), list(_snippets()))
async def test_every_snippet_runs(block: Block, files: dict[str, str], tmp_path: Path) -> None:
    snippet = block.text
    for each, text in {**files, **({block.file: snippet} if block.file else {})}.items():
        (tmp_path / each).write_text(text)
    if block.file is not None and block.file.startswith("test_"):
        # As in a folder of somebody who has pytest, the package, and no settings.
        # Of the two runners the one that the marks name; a file of settings keeps those of folders above out.
        runner = "no:anyio" if "mark.asyncio" in snippet else "no:asyncio"
        (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
        await _run("-m", "pytest", "-q", "-p", runner, "-p", "no:cacheprovider", block.file, folder=tmp_path)
    elif "run_forever" in snippet or "add_signal_handler" in snippet:
        await _run_a_bot(snippet, tmp_path)
    else:
        await _run("-c", snippet, folder=tmp_path)


async def _run_a_bot(snippet: str, folder: Path) -> None:
    """A bot answers the first message, and is then stopped as a person or systemd would stop it."""
    async with MessagingServer() as server:
        conversation = await server.create_conversation("Messages - Ordonnance 15", [("patient", 5), ("medecin", 79)])
        user = {"MESSAGING_URL": server.url, "MESSAGING_TOKEN": server.token("medecin", 79)}
        environment = os.environ | user | {"HEALTH_PORT": "0"}  # any port
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "error", "-c", snippet, env=environment, cwd=folder
        )
        try:
            await server.wait_until(lambda: server.members(conversation), 30)
            await server.say(conversation, "Bonjour", ("patient", 5))
            await server.wait_until(lambda: len(server.messages(conversation)) > 1, 30)
        finally:
            process.terminate()
            await process.wait()
        assert server.messages(conversation)[-1]["contenu"] == "Bien reçu : Bonjour"


@pytest.mark.parametrize("block", [block for block in _BLOCKS if block.language in READERS], ids=lambda block: block.id)
def test_every_block_of_data_is_read(block: Block) -> None:
    READERS[block.language](block.text)


def test_every_block_is_run_or_read_or_listed() -> None:
    unknown = [block.id for block in _BLOCKS if block.language not in {*READERS, *ELSEWHERE, *SHOWN_ONLY}]
    assert not unknown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PAGES[0].parent)))
def test_no_code_stands_where_it_is_not_looked_for(page: Path) -> None:
    """A fence that is indented, or without an end, is none of the blocks above."""
    lines = page.read_text(encoding="utf-8").splitlines()
    assert sum(line.lstrip().startswith(("```", "~~~")) for line in lines) == 2 * len(blocks_of(page))
