"""What a benchmark is: sides that are measured in turn, rows that compare them, goals that rows are held to."""

from __future__ import annotations

import asyncio
import math
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from benchmarks.processes import Run

Side = Callable[[], Awaitable[Run]]
Runs = Mapping[str, Sequence[Mapping[str, float]]]
"""The figures of each side, round by round."""


@dataclass(frozen=True)
class Goal:
    """What a row has to reach.

    Attributes:
        bound: of the ratio; of our figure itself in a row that compares with nothing.
        at_least: whether more is better.
        stretch: a further bound that would be welcome, or None.
    """

    bound: float
    at_least: bool
    stretch: float | None = None

    def met(self, value: float) -> bool:
        """Whether a value reaches it."""
        return value >= self.bound if self.at_least else value <= self.bound

    def words(self, unit: str = "") -> str:
        """Say it, with the unit of a figure, or as a ratio where there is none."""
        sign, mark = ("≥" if self.at_least else "≤"), f" {unit}" if unit else " ×"
        text = f"{sign} {self.bound:g}{mark}"
        return text if self.stretch is None else f"{text} (stretch {self.stretch:g}{mark})"


def at_least(bound: float, stretch: float | None = None) -> Goal:
    """More is better."""
    return Goal(bound, True, stretch)


def at_most(bound: float, stretch: float | None = None) -> Goal:
    """Less is better."""
    return Goal(bound, False, stretch)


@dataclass(frozen=True)
class Row:
    """One line of the table: the figure of a side of ours against that of another side.

    Attributes:
        work: what is done.
        ours: the side of ours.
        metric: the figure.
        unit: of the figure.
        against: what it is compared with, in words.
        theirs: its side; None where our figure stands for itself.
        goal: what is to be reached, or None.
    """

    work: str
    ours: str
    metric: str
    unit: str
    against: str = ""
    theirs: str | None = None
    goal: Goal | None = None


@dataclass(frozen=True)
class Line:
    """One line of a picture: the figure of a side at each place of the axis.

    Attributes:
        label: for the legend.
        sides: name of a side, by place.
        metric: the figure.
    """

    label: str
    sides: Mapping[float, str]
    metric: str


@dataclass(frozen=True)
class Growth:
    """How a cost grows, as a picture and a table.

    Attributes:
        title: what it shows.
        axis: what grows, with its unit.
        figure: what is measured, with its unit.
        lines: ours first.
    """

    title: str
    axis: str
    figure: str
    lines: Sequence[Line]


@dataclass(frozen=True)
class Plan:
    """What is measured of a benchmark, at full or small amounts.

    Attributes:
        sides: each measures once when called.
        rows: of the table.
        growths: pictures.
        rounds: how often each side is measured at least; the command line may ask for more.
        discarded: rounds before those, which do not count.
        around: what is to run meanwhile, as a server.
    """

    sides: Mapping[str, Side]
    rows: Sequence[Row] = ()
    growths: Sequence[Growth] = ()
    rounds: int = 0
    discarded: int = 0


@dataclass(frozen=True)
class Setting:
    """How a benchmark is run.

    Attributes:
        quick: small amounts, to see that it works.
        speed: with what the extra for speed brings, where it is installed; else without, even if it is.
    """

    quick: bool = False
    speed: bool = True

    def some(self, full: int, small: int) -> int:
        """An amount: the full one, or the small one of a quick run."""
        return small if self.quick else full


@dataclass(frozen=True)
class Benchmark:
    """Something that can be measured by its name.

    Attributes:
        name: for the command line.
        about: one line.
        prepare: gives what is measured; what it needs meanwhile runs until its block ends.
        needs_node: whether it can do without Node.
        both: whether it is measured without the extra for speed, too.
    """

    name: str
    about: str
    prepare: Callable[[Setting], AbstractAsyncContextManager[Plan]]
    needs_node: bool = True
    both: bool = False


@dataclass(frozen=True)
class Outcome:
    """What was measured of a benchmark.

    Attributes:
        plan: its rows and pictures.
        runs: the figures.
        uses: what of the extra for speed each side had loaded.
        rounds: how often each side was measured.
        seconds: how long that took.
    """

    plan: Plan
    runs: Runs
    uses: Mapping[str, Sequence[str]]
    rounds: int
    seconds: float


@dataclass(frozen=True)
class Found:
    """A row with its figures: medians, the ratio of the medians, and the spread of the single ratios."""

    row: Row
    ours: float
    theirs: float | None
    low: float
    high: float
    value: float = field(init=False)

    def __post_init__(self) -> None:
        value = self.ours if self.theirs is None else self.ours / self.theirs if self.theirs else math.nan
        object.__setattr__(self, "value", value)

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        return None if self.row.goal is None else self.row.goal.met(self.value)


def found(row: Row, runs: Runs) -> Found:
    """Give a row its figures."""
    mine = [each[row.metric] for each in runs[row.ours]]
    if row.theirs is None:
        return Found(row, statistics.median(mine), None, min(mine), max(mine))
    other = [each[row.metric] for each in runs[row.theirs]]
    singles = [one / two if two else math.nan for one, two in zip(mine, other, strict=True)]
    return Found(row, statistics.median(mine), statistics.median(other), min(singles), max(singles))


async def measure(benchmark: Benchmark, setting: Setting, rounds: int) -> Outcome:
    """Measure all sides of a benchmark in turn."""
    began = time.monotonic()
    async with benchmark.prepare(setting) as plan:
        many = rounds if setting.quick else max(rounds, plan.rounds)
        runs: dict[str, list[Mapping[str, float]]] = {name: [] for name in plan.sides}
        uses: dict[str, Sequence[str]] = {}
        for number in range(-plan.discarded, many):
            for name, side in plan.sides.items():
                _progress(f"{benchmark.name}: round {max(number, 0) + 1} of {many}, {name}")
                done = await side()
                if number >= 0:
                    runs[name].append(done.measured)
                    uses[name] = done.uses
                await asyncio.sleep(0)
    _progress("")
    return Outcome(plan, runs, uses, many, time.monotonic() - began)


def _progress(words: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{words}", end="", file=sys.stderr, flush=True)
