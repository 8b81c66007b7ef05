"""How everything is written: what others wrote is made harmless, and what is read by a program stays plain."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from messaging_client.harmless import printable

if TYPE_CHECKING:
    from rich.console import Console

_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{4,}(\.[A-Za-z0-9_-]*){0,2}")


def without_tokens(text: str) -> str:
    """Give a text with what looks like a JWT, or the beginning of one, left out."""
    return _TOKEN.sub("<token>", text)


def json_line(value: Mapping[str, Any]) -> str:
    """Give an object as one line of JSON, lossless: what a terminal would obey is escaped."""
    written = json.dumps(value, ensure_ascii=False, default=str)
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in written)


def in_utc(moment: datetime | None) -> str | None:
    """Give a time as programs read it: ISO 8601, UTC, `2025-01-01T09:00:00Z`."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def tabbed(fields: Iterable[object]) -> str:
    """Give fields as programs read them: separated by tabs, on one line."""
    return "\t".join(printable(each) for each in fields)


class OutputGone(Exception):
    """Whoever read standard output has gone."""


def say(line: str = "") -> None:
    """Write a line to standard output, at once.

    Raises:
        OutputGone: nobody reads it.
    """
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise OutputGone from None  # typer and rich each end the program with 1 at the other


def complain(text: str) -> None:
    """Write what went wrong to standard error, as one line."""
    sys.stderr.write(f"error: {without_tokens(printable(text))}\n")
    sys.stderr.flush()


def note(text: str) -> None:
    """Tell people something that is no result, on standard error."""
    sys.stderr.write(f"{printable(text)}\n")
    sys.stderr.flush()


def is_for_people() -> bool:
    """Whether standard output is a terminal."""
    return sys.stdout.isatty()


def console() -> Console:
    """Give what writes tables and colours to a terminal; rich itself heeds NO_COLOR and TERM."""
    from rich.console import Console

    class OurConsole(Console):
        def on_broken_pipe(self) -> None:
            raise OutputGone

    return OurConsole(highlight=False, markup=False, emoji=False)


def prepare() -> None:
    """Have standard output and error take every character: UTF-8 in a pipe, what a terminal cannot show as `?`."""
    if not sys.stdin.isatty() and (reconfigure := getattr(sys.stdin, "reconfigure", None)) is not None:
        reconfigure(encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding=None if stream.isatty() else "utf-8", errors="replace")


def let_go() -> None:
    """Nobody reads the output any more: what is left of it goes nowhere, and nothing is said about it at the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def can_show(text: str) -> bool:
    """Whether standard output can write these characters."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
