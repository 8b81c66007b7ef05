"""Text of other people does nothing to a terminal, whatever it is."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging_client.harmless import plain, plain_lines


@given(st.text(alphabet=st.characters(codec=None, exclude_categories=())))
def test_nothing_is_left_that_a_terminal_would_obey(text: str) -> None:
    shown = plain(text)
    assert shown.isprintable()
    shown.encode()
    lines = plain_lines(text)
    assert all(each.isprintable() for each in lines.split("\n"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Médecin n° 79 — « é »", "Médecin n° 79 — « é »"),
        ("où\u00a0?", "où ?"),
        ("\x1b[2J", "\ufffd[2J"),
        ("a\x9b31mb", "a\ufffd31mb"),
        ("\u202egnp.exe", "\ufffdgnp.exe"),
        ("a\r\nb\tc", "a b    c"),
        ("👩\u200d⚕\ufe0f", "👩⚕"),
        ("\ud800", "\ufffd"),
        ("[red]x[/]", "[red]x[/]"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_lines_are_kept_where_they_may_be() -> None:
    assert plain_lines("un\r\ndeux\u2028trois") == "un\ndeux\ntrois"


def test_marks_do_not_climb_into_other_lines() -> None:
    shown = plain("a" + "\u0301" * 50 + "b")
    assert shown[0] == "a"
    assert shown[-1] == "b"
    assert sum(map(bool, map(unicodedata.combining, shown))) <= 4


def test_no_more_is_looked_at_than_asked_for() -> None:
    assert plain("x" * 10_000, 10) == "x" * 10
