"""The marked parts of docs/performance.md, and its picture, made of the results; the rest is written by hand."""

from __future__ import annotations

import re

from benchmarks import plot, table
from benchmarks.processes import ROOT
from benchmarks.records import Records

PAGE = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "images" / "growth.svg"


def write(records: Records) -> list[str]:
    """Renew page and picture; gives what was left as it is, and why."""
    with_speed = {name: modes["with"] for name, modes in records.items() if "with" in modes}
    without = {name: modes["without"] for name, modes in records.items() if "without" in modes}
    shown = with_speed or without
    parts = {
        "machine": table.machines(shown),
        "table": table.table(shown.values()),
        "without": table.table(without.values())
        if with_speed and without
        else "Nothing of the extra was installed: see above.",
        "missed": table.missed(records),
        "growth": table.growths(records),
    }
    text = PAGE.read_text(encoding="utf-8")
    for name, part in parts.items():
        text = _replaced(text, name, part)
    PAGE.write_text(text, encoding="utf-8")
    drawn = [growth for _, growth in table.all_growths(records)]
    if not drawn:
        return [f"{PICTURE.relative_to(ROOT)}: nothing was measured yet that is drawn"]
    if why := plot.why_not():
        return [f"{PICTURE.relative_to(ROOT)}: {why}"]
    PICTURE.parent.mkdir(exist_ok=True)
    plot.draw(drawn, PICTURE)
    return []


def _replaced(text: str, name: str, part: str) -> str:
    begin, end = f"<!-- measured: {name} -->", f"<!-- end: {name} -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"{PAGE.name} has no part between {begin!r} and {end!r}")
    return pattern.sub(lambda _match: f"{begin}\n\n{part}\n\n{end}", text)
