"""What was measured, as data: everything that tables and pictures are made of, and every single figure."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.measure import Growth, Outcome, Row, Runs, Setting, found
from benchmarks.processes import ROOT

RESULTS = ROOT / "benchmarks" / "results" / "results.json"

Record = dict[str, Any]
Records = dict[str, dict[str, Record]]
"""By name of the benchmark, then `with` or `without` the extra for speed."""


def mode_of(setting: Setting) -> str:
    """The word for a setting in records."""
    return "with" if setting.speed else "without"


def record(outcome: Outcome, about: Mapping[str, str]) -> Record:
    """Make data of what was measured."""
    return {
        "about": dict(about),
        "rounds": outcome.rounds,
        "seconds": round(outcome.seconds, 1),
        "uses": {name: list(used) for name, used in outcome.uses.items()},
        "rows": [_row(each, outcome.runs) for each in outcome.plan.rows],
        "growths": [_growth(each, outcome.runs) for each in outcome.plan.growths],
        "runs": {name: [_rounded(each) for each in runs] for name, runs in outcome.runs.items()},
    }


def _row(row: Row, runs: Runs) -> dict[str, Any]:
    figures = found(row, runs)
    return {
        "work": row.work,
        "against": row.against,
        "unit": row.unit,
        "ours": figures.ours,
        "theirs": figures.theirs,
        "value": figures.value,
        "low": figures.low,
        "high": figures.high,
        "goal": None if row.goal is None else row.goal.words("" if row.theirs else row.unit),
        "met": figures.is_met,
        "part": None if row.goal is None or not row.goal.bound else figures.value / row.goal.bound,
    }


def _growth(growth: Growth, runs: Runs) -> dict[str, Any]:
    lines = {
        line.label: [
            [place, statistics.median(figures), min(figures), max(figures)]
            for place, side in line.sides.items()
            for figures in [[each[line.metric] for each in runs[side]]]
        ]
        for line in growth.lines
    }
    return {"title": growth.title, "axis": growth.axis, "figure": growth.figure, "lines": lines}


def _rounded(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.6g}") for name, value in figures.items()}


def load(path: Path = RESULTS) -> Records:
    """Give what was measured before."""
    if not path.exists():
        return {}
    kept: Records = json.loads(path.read_text(encoding="utf-8"))
    return kept


def save(records: Records, path: Path = RESULTS) -> None:
    """Keep it, in place of what was there of the same benchmarks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(records, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def merged(kept: Records, fresh: Records, order: Iterable[str]) -> Records:
    """Give both, the fresh ones in place of those kept; benchmarks that are no more are left out."""
    return {name: {**kept.get(name, {}), **fresh.get(name, {})} for name in order if name in kept or name in fresh}
