"""What others wrote does nothing to the terminal on which the command line shows it."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from messaging_client.cli.demo import Screen
from messaging_client.harmless import printable


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[2J\x1b]0;owned\x07",
        "a\x9b31mb",
        "\r\nfake line",
        "\u202egnp.exe",
        "\x00",
        "\u2066x\u2069",
        "\ud800",
        "[red]x",
    ],
    ids=ascii,
)
def test_names_and_contents_are_neutralised(text: str) -> None:
    shown = io.StringIO()
    screen = Screen(Console(file=shown, highlight=False, color_system=None))
    screen.line("medecin", "received", f"Marie {text} Dupont")
    said = shown.getvalue()
    said.encode()
    assert said.endswith("Dupont\n")
    assert not [each for each in said[:-1] if not each.isprintable()]
    assert printable("Médecin #79 — « é » 👩‍⚕️".replace("\u200d", "")) == "Médecin #79 — « é » 👩⚕️"
