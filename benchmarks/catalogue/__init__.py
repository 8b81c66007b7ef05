"""Every benchmark, by its name."""

from __future__ import annotations

from benchmarks.catalogue import growing, inbound, local, outbound
from benchmarks.measure import Benchmark

ALL: dict[str, Benchmark] = {
    each.name: each
    for each in (
        *inbound.BENCHMARKS,
        *outbound.BENCHMARKS,
        *local.BENCHMARKS,
        *growing.BENCHMARKS,
    )
}
