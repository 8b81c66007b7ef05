"""Every block of commands does what it shows: typed into shells, page by page, in the order of the page.

A `console` block has prompts, and shows what is printed; an `sh` block is commands alone, and a `text` block with the
same title after it is what the last of them prints.

A block's title names the terminal. One that names a user, such as "Terminal 2 (patient 5)", is where the line that
`messaging-client serve` has printed for that user was pasted; on a page without a server, one is there already.
"""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from messaging_client.testing import MessagingServer
from tests.docs.pages import PAGES, ROOT, Block, blocks_of
from tests.docs.terminals import Terminal, commands, steps

RUN = re.compile(
    r"(\w+=\S+ )*(\.venv/bin/)?(messaging-client|python3?(?! -m pip))\b.*|(echo|export|head) .*", re.DOTALL
)
"""What may be run at all: nothing that could change the machine."""

NOT_RUN_ANYWHERE = {
    r"pip install .*": "tests install nothing",
    r"make .*": "makes environments, and takes minutes",
}
NOT_RUN = {
    "CONTRIBUTING.md": {r".*-m pytest .*": "the tests themselves"},
    "docs/how-to/deploying.md": {r"(docker|sudo|systemctl) .*": "there are neither Docker nor systemd"},
    "docs/how-to/fleet.md": {r"(export|messaging-client|nats) .*": "needs a NATS server; tests/fleet runs both"},
    "docs/how-to/recording.md": {
        r"messaging-client (record|replay) .*": "goes on until Ctrl-C; tests/cli/test_record.py runs both",
        r"jq .*": "not everywhere",
    },
    "docs/how-to/chat.md": {r"messaging-client chat.*": "needs a terminal to draw on; tests/tui drives it"},
    "docs/interoperation.md": {r".*-m pytest .*": "the tests themselves"},
    "docs/performance.md": {r".*-m benchmarks.*": "takes a quarter of an hour"},
    "docs/tutorial.md": {r".*messaging-client chat": "needs a terminal to draw on; tests/tui drives it"},
}
"""Commands that are not run, by page, each with its reason."""

ELSEWHERE = {"docs/how-to/command-line.md": "tests/cli/test_page.py"}
"""Pages whose commands another test runs."""

STAYS = re.compile(r"messaging-client serve\b|\b(bot|watch)\.py\b")
"""What goes on until it is told to end."""

_USER = re.compile(r"\((patient|medecin) (\d+)\)")
_EXPORT = re.compile(r"export MESSAGING_URL=(\S+) MESSAGING_TOKEN=(\S+)")
_TESTED = [page for page in PAGES if any(block.language in ("console", "sh") for block in blocks_of(page))]


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def reason_not_to_run(page: str, command: str) -> str | None:
    """Why a command of a page is not run, or None."""
    listed = NOT_RUN_ANYWHERE | NOT_RUN.get(page, {})
    return next((why for what, why in listed.items() if re.fullmatch(what, command, re.DOTALL)), None)


def typed(block: Block, after: Block | None) -> list[tuple[str | None, list[str]]]:
    """The commands of a block, each with what it shows; None for lines that an earlier command prints."""
    if block.language == "console":
        return steps(block.text)
    if block.language != "sh":
        return []
    found: list[tuple[str | None, list[str]]] = [(command, []) for command in commands(block.text)]
    if after is not None and after.language == "text" and block.title and after.title == block.title:
        found[-1][1].extend(after.text.splitlines())
    return found


class Reader:
    """Somebody who follows a page, copying what it shows."""

    def __init__(self, folder: Path, server: MessagingServer, stack: AsyncExitStack) -> None:
        self._folder = folder
        self._server = server
        self._stack = stack
        self._terminals: dict[str, Terminal] = {}
        # The port that a page names may be taken here.
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._swaps = {"3000": str(free.getsockname()[1])}

    async def follow(self, block: Block, after: Block | None) -> None:
        """Copy a file, or type commands.

        Args:
            block: what to follow.
            after: the block behind it.
        """
        if block.file is not None:
            (self._folder / block.file).write_text(block.text, encoding="utf-8")
        else:
            for command, shown in typed(block, after):
                if command is None:
                    await self._terminals[block.title].watch(shown)
                elif reason_not_to_run(block.page, command) is None:
                    assert RUN.fullmatch(command), f"neither run nor listed: {command}"
                    terminal = await self._terminal(block.title)
                    await terminal.type(command, shown, stays=STAYS.search(command) is not None)

    async def _terminal(self, title: str) -> Terminal:
        if title not in self._terminals:
            terminal = Terminal(self._folder, self._variables(title), self._swaps)
            self._terminals[title] = await self._stack.enter_async_context(terminal)
        return self._terminals[title]

    def _variables(self, title: str) -> Mapping[str, str]:
        user = _USER.search(title)
        kind, number = (user[1], int(user[2])) if user else ("medecin", 79)
        url, token = self._server.url, self._server.token(kind, number)
        if printed := self._printed_for(f"{kind} {number}"):
            url, token = printed
            for page, here in self._swaps.items():
                url = url.replace(page, here)
        return {"MESSAGING_URL": url, "MESSAGING_TOKEN": token}

    def _printed_for(self, user: str) -> tuple[str, str] | None:
        """The line that a server has printed below the name of a user."""
        for terminal in self._terminals.values():
            for above, line in zip(terminal.printed, terminal.printed[1:], strict=False):
                if user in above and (found := _EXPORT.match(line)):
                    return found[1], found[2]
        return None


@pytest.mark.timeout(300)  # some dozen interpreters
@pytest.mark.parametrize("page", [page for page in _TESTED if _name(page) not in ELSEWHERE], ids=_name)
async def test_every_block_does_what_it_shows(page: Path, tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    async with MessagingServer() as server, AsyncExitStack() as stack:
        reader = Reader(tmp_path, server, stack)
        blocks = blocks_of(page)
        for block, after in zip(blocks, [*blocks[1:], None], strict=True):
            await reader.follow(block, after)


def _commands() -> dict[str, list[str]]:
    return {
        _name(page): [command for block in blocks_of(page) for command, _ in typed(block, None) if command is not None]
        for page in _TESTED
    }


def test_every_command_is_run_or_listed() -> None:
    for page, shown in _commands().items():
        for command in shown if page not in ELSEWHERE else ():
            assert RUN.fullmatch(command) or reason_not_to_run(page, command), (page, command)


def test_nothing_is_listed_that_no_page_shows() -> None:
    shown = _commands()
    for page, listed in NOT_RUN.items():
        for what in listed:
            assert any(re.fullmatch(what, command, re.DOTALL) for command in shown.get(page, ())), (page, what)
    for page, test in ELSEWHERE.items():
        assert page in (ROOT / test).read_text(encoding="utf-8")
        assert page in shown
