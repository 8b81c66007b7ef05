"""That benchmarks run and say whether goals are met; how fast anything is, no test asserts."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import benchmarks.__main__ as command
from benchmarks.measure import Benchmark, Plan, Row, Setting, at_least, at_most, found
from benchmarks.processes import Run, SideFailed
from benchmarks.records import Records
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
    assert "| `from messaging_client import MessagingClient`" in told
    (row,) = [line for line in told.splitlines() if line.startswith("| `import messaging_client`")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:3] == ["`import socketio, httpx, pydantic`", "≤ 0.6 ×"]
    assert float(cells[3]) > 0
    assert cells[5] in ("yes", "**no**")


async def test_one_that_fails_is_told_at_the_end_and_the_others_are_measured_and_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept: list[Records] = []

    async def side() -> Run:
        return Run({"rate": 1.0}, ())

    @asynccontextmanager
    async def fails(_setting: Setting) -> AsyncIterator[Plan]:
        if kept:
            raise SideFailed("the server ended before it listened")
        yield Plan({})

    @asynccontextmanager
    async def works(_setting: Setting) -> AsyncIterator[Plan]:
        yield Plan({"ours": side}, [Row("work", "ours", "rate", "events/s")])

    everything = {
        name: Benchmark(name, name, how, needs_node=False)
        for name, how in (("one", works), ("two", fails), ("three", works))
    }
    monkeypatch.setattr(command, "ALL", everything)
    monkeypatch.setattr(command, "why_no_node", lambda: "not here")
    monkeypatch.setattr(command, "save", lambda records: kept.append(records))
    monkeypatch.setattr(command, "load", dict)
    monkeypatch.setattr("benchmarks.pages.write", lambda _kept: [])
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--write", "--plain", "--rounds", "1"])
    with pytest.raises(SystemExit, match="1"):
        await asyncio.to_thread(command.main)
    assert [list(each) for each in kept] == [["one"], ["one", "three"], ["one", "three"]]
    assert (
        capsys.readouterr()
        .err.strip()
        .endswith("two HAS FAILED, and has no figures: SideFailed: the server ended before it listened")
    )


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
