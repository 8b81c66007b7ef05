"""The pages, and the blocks of code that they show."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")])

_FENCE = re.compile(r"^```([\w-]*)[ ]*(?:title=\"([^\"]*)\")?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"(?:#|--) ([\w-]+\.\w+)\n")


@dataclass(frozen=True)
class Block:
    """A block of code: its language, its title, and its text with the last line break."""

    page: str
    number: int
    language: str
    title: str
    rest: str
    text: str

    @property
    def id(self) -> str:
        """How a test that runs it is called."""
        return f"{self.page}-{self.number}"

    @property
    def file(self) -> str | None:
        """The file that the reader copies it into: one that begins with `# bot.py`, or whose title is a file."""
        if found := _FILE.match(self.text):
            return found[1]
        return self.title if re.fullmatch(r"[\w-]+\.\w+", self.title) else None


def blocks_of(page: Path) -> list[Block]:
    """Every block of a page, in order."""
    name = str(page.relative_to(ROOT))
    return [
        Block(name, number, found[1], found[2] or "", found[3].strip(), found[4])
        for number, found in enumerate(_FENCE.finditer(page.read_text(encoding="utf-8")), 1)
    ]


def is_as_shown(shown: str, printed: str) -> bool:
    """Whether a line is as on a page, where an ellipsis stands for what differs each time."""
    return re.fullmatch(".+".join(map(re.escape, shown.split("…"))), printed) is not None
