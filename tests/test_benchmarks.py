"""That benchmarks run and say whether goals are met; how fast anything is, no test asserts."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.measure import Row, at_least, at_most, found
from benchmarks.table import machines, missed, table

ROOT = Path(__file__).parent.parent
RUNS = {
    "ours": [{"rate": 30.0}, {"rate": 90.0}, {"rate": 60.0}],
    "bare": [{"rate": 10.0}, {"rate": 20.0}, {"rate": 30.0}],
}


async def test_a_quick_run_prints_a_table_and_that_nothing_of_it_is_to_be_quoted() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks", "--quick", "import"),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    told = (await asyncio.wait_for(process.communicate(), 60))[0].decode()
    assert process.returncode == 0
    assert "NOT ONE OF THESE FIGURES IS TO BE QUOTED" in told
    (row,) = [line for line in told.splitlines() if line.startswith("| `import messaging_client`")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:3] == ["`import socketio, httpx, pydantic`", "≤ 0.6 ×"]
    assert float(cells[3]) > 0
    assert cells[5] in ("yes", "**no**")


def test_a_row_has_the_ratio_of_the_medians_and_the_spread_of_single_ratios() -> None:
    figures = found(Row("work", "ours", "rate", "events/s", "bare", "bare"), RUNS)
    assert (figures.ours, figures.theirs, figures.value) == (60.0, 20.0, 3.0)
    assert (figures.low, figures.high) == (2.0, 4.5)
    assert figures.is_met is None


@pytest.mark.parametrize(
    ("goal", "is_met"), [(at_least(3), True), (at_least(3.1), False), (at_most(3), True), (at_most(2.9), False)]
)
def test_a_goal_is_met_or_missed(goal: object, is_met: bool) -> None:
    assert found(Row("work", "ours", "rate", "events/s", "bare", "bare", goal), RUNS).is_met is is_met  # type: ignore[arg-type]


def test_a_figure_without_another_is_held_to_its_goal_itself() -> None:
    assert found(Row("work", "ours", "rate", "ms", goal=at_most(60)), RUNS).is_met is True
    assert found(Row("work", "ours", "rate", "ms", goal=at_most(59)), RUNS).is_met is False


def test_a_machine_is_described_once_however_many_runs_it_made() -> None:
    def measured(when: str, machine: str, tree: str = "abc") -> dict[str, object]:
        about = {"machine": machine, "python": "Python 3", "node": "Node 20", "when": f"{when} UTC", "tree": tree}
        return {"about": {**about, "load": "1.0"}, "uses": {"ours": ["uvloop"], "bare": []}}

    said = machines(
        {
            "sends": measured("2026-01-02 10:00", "one"),
            "inbound": measured("2026-01-02 09:00", "one"),
            "lag": measured("2026-01-03 08:00", "one", "def"),
            "import": measured("2026-01-02 10:00", "other"),
        }
    )
    assert said.count("- Machine: one.") == said.count("- Machine: other.") == 1
    assert said.count("- Of the extra for speed, our side had loaded: uvloop.") == 2
    when = "at (UTC; in brackets the load when it began)"
    assert f"- On 2026-01-02, of abc, {when}: inbound 09:00 (1.0), sends 10:00 (1.0).\n" in said
    assert f"- On 2026-01-03, of def, {when}: lag 08:00 (1.0)." in said


def test_the_tables_show_what_is_missed() -> None:
    figures = {"ours": 60.0, "theirs": 20.0, "value": 3.0, "low": 2.0, "high": 4.5}
    held = {"goal": "≥ 5 ×", "met": False, "part": 0.6}
    record = {"rows": [{"work": "emit", "against": "bare", "unit": "per s", **figures, **held}]}
    line = "| emit | bare | ≥ 5 × | 3.00 | 2.00 to 4.50 | **no** | 60.0 per s | 20.0 per s |"
    assert line in table([record])
    assert missed({"socket": {"with": record}}) == "- emit, against bare: 3.00 × (0.60 of the bound), asked is ≥ 5 ×."
