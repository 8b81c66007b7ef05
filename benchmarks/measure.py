"""Running two things in turn, several times, and telling how they compare."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

Measured = Callable[[], Awaitable[float]]


@dataclass(frozen=True)
class Comparison:
    """Two rates, in the same unit; the ratio is ours to theirs, of medians, with the spread of the single ratios."""

    work: str
    against: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    unit: str

    @property
    def ratio(self) -> float:
        return statistics.median(self.ours) / statistics.median(self.theirs)

    def row(self) -> str:
        singles = [mine / other for mine, other in zip(self.ours, self.theirs, strict=True)]
        return (
            f"| {self.work} | {self.against} | {self.ratio:.2f} | {min(singles):.2f} to {max(singles):.2f} "
            f"| {statistics.median(self.ours):,.0f} | {statistics.median(self.theirs):,.0f} {self.unit} |"
        )


async def in_turn(work: str, against: str, unit: str, ours: Measured, theirs: Measured, times: int) -> Comparison:
    """Measure both in turn, `times` times each, after one run of each that does not count."""
    await ours()
    await theirs()
    mine: list[float] = []
    other: list[float] = []
    for _ in range(times):
        mine.append(await ours())
        other.append(await theirs())
    return Comparison(work, against, tuple(mine), tuple(other), unit)
