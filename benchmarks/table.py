"""Tables of what was measured, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from benchmarks.records import Record, Records

_COLUMNS = ("work", "against", "goal", "ratio", "spread", "met", "ours", "theirs")
_HEAD = f"| {' | '.join(_COLUMNS)} |\n|{' --- |' * len(_COLUMNS)}"
_MET = {True: "yes", False: "**no**", None: ""}


def figure(value: float | None) -> str:
    """Write a figure with about three digits."""
    if value is None:
        return ""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def table(records: Iterable[Record]) -> str:
    """One table of all rows."""
    return "\n".join([_HEAD, *(_line(row) for each in records for row in each["rows"])])


def _line(row: dict[str, Any]) -> str:
    compared = row["theirs"] is not None
    spread = f"{figure(row['low'])} to {figure(row['high'])}"
    cells = [
        row["work"],
        row["against"],
        row["goal"] or "",
        f"{figure(row['value'])}" if compared else "",
        spread if compared else f"{spread} {row['unit']}",
        _MET[row["met"]],
        f"{figure(row['ours'])} {row['unit']}",
        f"{figure(row['theirs'])} {row['unit']}" if compared else "",
    ]
    return "| " + " | ".join(cells) + " |"


def missed(records: Records) -> str:
    """Say by how much each goal is missed that is; made of the figures alone."""
    words = {"with": "", "without": ", without the extra `speed`"}
    lines = [
        f"- {row['work']}{words[mode]}{_against(row)}: {_reached(row)}, asked is {row['goal']}."
        for name, modes in records.items()
        for mode, each in sorted(modes.items())
        for row in each["rows"]
        if row["met"] is False
    ]
    return "\n".join(lines) or "No goal is missed."


def _against(row: dict[str, Any]) -> str:
    return f", against {row['against']}" if row["against"] else ""


def _reached(row: dict[str, Any]) -> str:
    value = f"{figure(row['value'])} ×" if row["theirs"] is not None else f"{figure(row['value'])} {row['unit']}"
    part = row["part"]
    return value if part is None else f"{value} ({figure(part)} of the bound)"


def growths(records: Records) -> str:
    """A table for each picture: a line for each place on its axis."""
    return "\n\n".join(_growth(name, growth) for name, growth in all_growths(records))


def all_growths(records: Records) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every picture with the name of its benchmark."""
    for name, modes in records.items():
        first = modes.get("with") or modes.get("without")
        if first is not None:
            yield from ((name, growth) for growth in first["growths"])


def _growth(name: str, growth: dict[str, Any]) -> str:
    labels = list(growth["lines"])
    places: dict[float, dict[str, list[float]]] = {}
    for label, points in growth["lines"].items():
        for place, *rest in points:
            places.setdefault(place, {})[label] = rest
    head = f"| {growth['axis']} | {' | '.join(labels)} |\n| --- |{' --- |' * len(labels)}"
    lines = [
        f"| {place:,g} | {' | '.join(_cell(found.get(label)) for label in labels)} |" for place, found in places.items()
    ]
    title = f"{growth['title']}, {growth['figure']} (`python -m benchmarks {name}`); medians, and from least to most:"
    return "\n".join([title, "", head, *lines])


def _cell(found: list[float] | None) -> str:
    if found is None:
        return ""
    median, low, high = found
    return f"{figure(median)} ({figure(low)} to {figure(high)})"


def machines(records: Mapping[str, Record]) -> str:
    """What it was measured on and with, each machine once, and when each benchmark was.

    Args:
        records: what was measured, by name of the benchmark.
    """
    used = f"- Of the extra for speed, our side had loaded: {', '.join(used_by_ours(records.values())) or 'nothing'}."
    alike: dict[tuple[str, ...], dict[tuple[str, str], list[str]]] = {}
    for name, each in records.items():
        about = each["about"]
        day, _, time = about["when"].partition(" ")
        said = alike.setdefault((f"Machine: {about['machine']}", about["python"], about["node"]), {})
        began = f"{name} {time.removesuffix(' UTC')}" + (f" ({about['load']})" if "load" in about else "")
        said.setdefault((day, about["tree"]), []).append(began)
    return "\n\n".join(
        "\n".join(
            [
                *(f"- {each}." for each in about),
                used,
                *(
                    f"- On {day}, of {tree}, at (UTC; in brackets the load when it began): {', '.join(sorted(began))}."
                    for (day, tree), began in sorted(times.items())
                ),
            ]
        )
        for about, times in alike.items()
    )


def used_by_ours(records: Iterable[Record]) -> list[str]:
    """What of the extra for speed our sides had loaded: of bare libraries, only the event loop is another."""
    found = {
        name
        for record in records
        for side, names in record["uses"].items()
        if side.startswith(("ours", "joined"))
        for name in names
    }
    return sorted(found)
