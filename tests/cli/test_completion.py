"""Shells complete commands, options and the words that options take: each is asked as its own script asks."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.processes import environment
from tests.cli.test_help import COMMANDS

PROGRAMS = Path(sys.executable).parent
SCRIPTS = {
    "bash": ".bash_completions/messaging-client.sh",
    "zsh": ".zfunc/_messaging-client",
    "fish": ".config/fish/completions/messaging-client.fish",
}
"""Where each shell's script is put, below the home folder."""

ASK = {
    "bash": "source {script}\nCOMP_WORDS=(messaging-client {typed}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n"
    "_messaging_client_completion messaging-client; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
    # A shell that nobody types into has no completion system; this is what the script asks of it.
    "zsh": "compdef() {{ [[ $2 == messaging-client ]] }}; _arguments() {{ print -r -- $1 }}; source {script}\n"
    "words=(messaging-client {typed}); CURRENT=$#words; _messaging_client_completion",
    "fish": 'complete --do-complete "messaging-client {typed}"',
}
"""What makes a shell complete a line that begins with what is typed."""

CASES = [
    ("in", {"inbox"}),
    ("tail --type m", {"message"}),
    ("tail --c", {"--conversation", "--ca-file"}),
]


def offered(shell: str, said: str) -> set[str]:
    """The words that are offered, without what is said about them."""
    if shell == "zsh":
        return set(re.findall(r'"([\w-]+)"(?=:"|\)\)|$)', said, re.MULTILINE))
    return {re.split("\t|:::", line)[0] for line in said.splitlines()}


def in_shell(shell: str, program: str, home: Path) -> str:
    """Run lines of a shell, with the command line on its path; gives what they print."""
    path = f"{PROGRAMS}:{environment()['PATH']}"
    home.mkdir(exist_ok=True)
    done = subprocess.run(
        [shell, "-c", program],
        env=environment(HOME=str(home), PATH=path) | {"XDG_CONFIG_HOME": str(home / ".config")},
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


@pytest.mark.timeout(240)  # half a dozen interpreters
@pytest.mark.parametrize("shell", SCRIPTS)
def test_a_shell_that_is_here_completes(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} on this machine")
    # The shell is told by the process that started the program, so that something must come after it.
    said = in_shell(shell, "messaging-client --install-completion; true", tmp_path)
    script = tmp_path / SCRIPTS[shell]
    assert str(script) in said
    assert in_shell(shell, "messaging-client --show-completion; true", tmp_path).strip() == script.read_text().strip()
    for typed, completed in CASES:
        shown = in_shell(shell, ASK[shell].format(script=script, typed=typed), tmp_path)
        assert offered(shell, shown) == completed, typed


@pytest.mark.parametrize("shell", [*SCRIPTS, "powershell"])
def test_the_program_answers_each_kind_of_script(shell: str) -> None:
    def ask(typed: str, word: str) -> set[str]:
        line = f"messaging-client {typed}"
        asked = {
            "_MESSAGING_CLIENT_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(line.split(" ")) - 1),
            "_TYPER_COMPLETE_ARGS": line,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            "_TYPER_COMPLETE_WORD_TO_COMPLETE": word,
        }
        done = subprocess.run(
            [PROGRAMS / "messaging-client"], env=environment(**asked), capture_output=True, text=True, check=True
        )
        assert done.stderr == ""
        return offered(shell, done.stdout)

    assert ask("", "") == set(COMMANDS)
    assert ask("diagnose --", "--") >= {"--conversation", "--timeout", "--json", "--url", "--token-file", "--help"}
