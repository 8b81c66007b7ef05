"""The pages say what is true: snippets run, links lead somewhere."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from messaging_client.testing import MessagingServer

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")])
_SNIPPET = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"# (\w+\.py)\n")
_TEST = re.compile(r"`(tests/\S+\.py)::(\w+)`")
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def _snippets() -> Iterator[object]:
    """Every snippet, with the files that the page has shown before: one that begins with `# bot.py` is a file."""
    for page in PAGES:
        files: dict[str, str] = {}
        for number, found in enumerate(_SNIPPET.finditer(page.read_text()), 1):
            yield pytest.param(found[1], dict(files), id=f"{page.relative_to(ROOT)}-{number}")
            if name := _NAME.match(found[1]):
                files[name[1]] = found[1]


async def _run(*arguments: str, folder: Path | None = None) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "error",
        *arguments,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, output.decode() + errors.decode()


@pytest.mark.parametrize(("snippet", "files"), list(_snippets()))
async def test_every_snippet_runs(snippet: str, files: dict[str, str], tmp_path: Path) -> None:
    name = _NAME.match(snippet)
    for each, text in {**files, **({name[1]: snippet} if name else {})}.items():
        (tmp_path / each).write_text(text)
    if name is not None and name[1].startswith("test_"):
        # As in a folder of somebody who has pytest, the package, and no settings.
        # Of the two runners the one that the marks name; a file of settings keeps those of folders above out.
        runner = "no:anyio" if "mark.asyncio" in snippet else "no:asyncio"
        (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
        await _run("-m", "pytest", "-q", "-p", runner, "-p", "no:cacheprovider", name[1], folder=tmp_path)
    elif "run_forever" in snippet:
        await _run_a_bot(snippet)
    else:
        await _run("-c", snippet)


async def _run_a_bot(snippet: str) -> None:
    """A bot answers the first message, and is then stopped as a person would stop it."""
    async with MessagingServer() as server:
        conversation = await server.create_conversation("Messages - Ordonnance 15", [("patient", 5), ("medecin", 79)])
        environment = os.environ | {"MESSAGING_URL": server.url, "MESSAGING_TOKEN": server.token("medecin", 79)}
        process = await asyncio.create_subprocess_exec(sys.executable, "-W", "error", "-c", snippet, env=environment)
        try:
            await server.wait_until(lambda: server.members(conversation), 30)
            await server.say(conversation, "Bonjour", ("patient", 5))
            await server.wait_until(lambda: len(server.messages(conversation)) > 1, 30)
        finally:
            process.terminate()
            await process.wait()
        assert server.messages(conversation)[-1]["contenu"] == "Bien reçu : Bonjour"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    if page.name == "index.md":
        return  # it is the README
    for target in _LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("named", sorted(set(_TEST.findall((ROOT / "docs/guarantees.md").read_text()))))
def test_every_test_that_shows_a_guarantee_is_there(named: tuple[str, str]) -> None:
    file, test = named
    assert re.search(rf"^(async )?def {test}\(", (ROOT / file).read_text(), re.MULTILINE)
