"""Text of other people, made harmless: nothing in it that a terminal would obey, hide or turn around.

`printable` is for lines that are printed and stay as they are, `plain` for a screen that is laid out by cells.
"""

from __future__ import annotations

import re
import unicodedata

_LINE_ENDS = re.compile("\r\n|[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]")
_JOINERS = re.compile(
    "[\u00ad\u200b-\u200d\u2060\ufe00-\ufe0f\ufeff]"
)  # invisible, and measured differently by terminals
_MOST_MARKS = 4  # combining marks on one character; more would climb into other lines

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def printable(text: object) -> str:
    """Give a text as one line, without what a terminal would obey.

    Control characters and changes of direction become `REPLACEMENT`, ends of lines a sign for them, tabs and spaces of
    every kind a space.
    """
    line = _LINE_ENDS.sub("\N{RETURN SYMBOL}", str(text)).replace("\t", " ")
    return line if line.isprintable() else "".join(map(_harmless, line))


def plain(text: str, most: int | None = None) -> str:
    """Give a text as one line, harmless.

    Control characters, escapes, changes of direction and lone surrogates become `REPLACEMENT`; spaces of every kind
    become a space. Markup has no meaning to whoever shows it, and stays as it is.

    Args:
        text: what somebody wrote.
        most: characters of it that are looked at, or None for all.
    """
    return plain_lines(text, most).replace("\n", " ")


def plain_lines(text: str, most: int | None = None) -> str:
    """Give a text as `plain` does, with its lines kept; they end with a line feed."""
    cut = text if most is None else text[:most]
    lines = _JOINERS.sub("", _LINE_ENDS.sub("\n", cut)).replace("\t", "    ")
    if lines.isascii() and lines.replace("\n", "").isprintable():
        return lines
    shown: list[str] = []
    marks = 0
    for each in lines:
        marks = marks + 1 if unicodedata.combining(each) else 0
        if marks <= _MOST_MARKS:
            shown.append(_harmless(each))
    return "".join(shown)


def _harmless(character: str) -> str:
    if character == "\n" or character.isprintable():
        return character
    return " " if unicodedata.category(character) == "Zs" else REPLACEMENT
