"""`--help` and exit codes: what is said, and that saying it costs little."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from messaging_client import errors
from messaging_client.cli.demo import Screen
from messaging_client.cli.exit_codes import ExitCode, code_of
from messaging_client.errors import MessagingError
from tests.cli.processes import COMMAND, environment, run, run_in_terminal

PAGE = Path(__file__).parent.parent.parent / "docs/how-to/command-line.md"
COMMANDS = (
    *("demo", "serve", "inbox", "tail", "send", "diagnose", "token"),
    *("chat", "record", "replay", "relay", "work", "fleet", "version"),
)
HEAVY = {
    "socketio",
    "engineio",
    "httpx",
    "aiohttp",
    "starlette",
    "uvicorn",
    "rich",
    "textual",
    "pydantic",
    "asyncio",
    "jwt",
}
HELPS = [
    ("--help",),
    *((each, "--help") for each in COMMANDS),
    ("token", "mint", "--help"),
    ("token", "inspect", "--help"),
]


@pytest.mark.parametrize("args", [*HELPS, ("version",), ("--version",)], ids=" ".join)
def test_help_imports_nothing_that_takes_long(args: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *COMMAND[1:], *args], capture_output=True, text=True, check=True
    )
    imported = set(re.findall(r"\|\s+([\w.]+)$", done.stderr, re.MULTILINE))
    assert "messaging_client.cli.commands" in imported
    # Typer reads the options of a command that runs with pydantic, which most need anyway.
    heavy = HEAVY - {"pydantic"} if "version" in args[-1] else HEAVY
    assert {name.partition(".")[0] for name in imported} & heavy == set()
    assert "messaging_client.models" not in imported


def test_the_names_of_the_package_are_imported_when_they_are_used() -> None:
    program = (
        "import sys, messaging_client, messaging_client.testing.plugin\n"
        "assert not {'socketio', 'httpx', 'pydantic'} & set(sys.modules), sorted(sys.modules)\n"
        "assert messaging_client.errors.NotFound is messaging_client.NotFound\n"
        "from messaging_client import *\n"
        "assert MessagingClient and set(messaging_client.__all__) <= set(dir(messaging_client))\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


async def test_help_fits_a_terminal_and_is_plain_everywhere() -> None:
    for args in ((), ("tail",), ("send",), ("token", "mint")):
        done = await run_in_terminal(*args, "--help", env=environment())
        assert done.code == 0
        assert done.out == done.out.replace("\x1b", "")
        assert max(map(len, done.lines)) <= 80
        assert "..." not in done.out.partition("Commands:")[2].partition("Exit codes")[0], "a summary is cut"
        assert not re.search("[─│╭]", done.out)
        assert (await run(*args, "--help", env=environment())).out.split() == done.out.split()


async def test_a_wrong_word_is_told_in_our_words() -> None:
    refused = await run("token", "mint", "nurse", "5", "--secret-file", "key", env=environment())
    assert refused.code == ExitCode.USAGE
    *_, said = refused.err.splitlines()
    assert re.fullmatch(r"error: Invalid value for .*: 'nurse' is not one of 'patient', 'medecin'\.", said)


def test_what_the_demonstration_says_is_cut_between_words_in_a_terminal_only() -> None:
    said = "J'oubliais : évitez le pamplemousse, et prenez-le avec un grand verre d'eau."
    for is_terminal in (True, False):
        shown = io.StringIO()
        Screen(Console(file=shown, force_terminal=is_terminal, width=80)).line("patient", "received", said)
        lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in shown.getvalue().splitlines()]
        assert (len(lines) > 1) is is_terminal
        assert " ".join(line[31:] for line in lines) == said
        assert all(len(line) <= 80 for line in lines) is is_terminal


async def test_every_command_is_listed_and_none_is_needed() -> None:
    listed = await run(env=environment())
    assert listed.code == ExitCode.USAGE
    assert set(re.findall(r"^  (\w+)  ", listed.out.partition("Commands:")[2], re.MULTILINE)) >= set(COMMANDS)
    assert (await run("token", env=environment())).code == ExitCode.USAGE


async def test_exit_codes_are_one_table() -> None:
    told = (await run("--help", env=environment())).out
    page = PAGE.read_text(encoding="utf-8")
    for code in ExitCode:
        assert re.search(rf"^ +{code.value}  {re.escape(code.meaning)}$", told, re.MULTILINE), code
        assert f"| {code.value} | {code.meaning} |" in page, code
    assert len(re.findall(r"^\| \d+ \| ", page, re.MULTILINE)) == len(ExitCode)


def test_every_error_has_a_code() -> None:
    kinds = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, MessagingError)]
    # Nothing that the command line does expects an event.
    without = {MessagingError, errors.ExpectTimeout}
    for kind in kinds:
        args = {"operation": "send", "status": 422} if issubclass(kind, errors.RequestError) else {}
        assert (code_of(kind("text", **args)) is ExitCode.FAILED) is (kind in without), kind
    assert code_of(errors.ValidationFailed("text", operation="send")) is ExitCode.USAGE
    assert code_of(errors.ValidationFailed("text", operation="send", status=422)) is ExitCode.REFUSED
