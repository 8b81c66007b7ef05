"""`make bench`: every comparison, as one table, into docs/performance.md. Names choose single ones."""

from __future__ import annotations

import argparse
import asyncio
import sys

from benchmarks import pages, table
from benchmarks.catalogue import ALL
from benchmarks.machine import described, speed_installed
from benchmarks.measure import Benchmark, Setting, measure
from benchmarks.records import RESULTS, Records, load, merged, mode_of, record, save
from tests.interop.node_process import install, why_no_node

_FULL_ROUNDS, _QUICK_ROUNDS = 5, 1
_NOT_TO_QUOTE = "QUICK: small amounts, measured once, to see that it works. NOT ONE OF THESE FIGURES IS TO BE QUOTED."


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help="what to measure; all of --list if none is given")
    parser.add_argument("--list", action="store_true", help="the names")
    parser.add_argument("--quick", action="store_true", help="small amounts, to see that it works; no figures to quote")
    parser.add_argument("--rounds", type=int, help=f"how often each side is measured; {_FULL_ROUNDS} if not given")
    parser.add_argument("--plain", action="store_true", help="only without the extra for speed, even if installed")
    parser.add_argument("--write", action="store_true", help="keep the figures, and renew docs/performance.md")
    parser.add_argument("--render", action="store_true", help="renew docs/performance.md from what is kept")
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in ALL]
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; --list shows what there is")
    if given.quick and given.write:
        parser.error("figures of a quick run are not kept")
    return given


def _settings(benchmark: Benchmark, given: argparse.Namespace) -> list[Setting]:
    """With the extra for speed where it is installed; without it where it is not, and where both are of interest."""
    if given.plain or not speed_installed():
        return [Setting(given.quick, speed=False)]
    settings = [Setting(given.quick, speed=True)]
    if benchmark.both and not given.quick:
        settings.append(Setting(given.quick, speed=False))
    return settings


async def _measured(given: argparse.Namespace) -> tuple[Records, list[str]]:
    """Measure what was asked for, and keep each as soon as it is measured; gives what was found, and what failed."""
    about = described()
    rounds = given.rounds or (_QUICK_ROUNDS if given.quick else _FULL_ROUNDS)
    records: Records = {}
    failures: list[str] = []
    for name in given.names or ALL:
        benchmark = ALL[name]
        if benchmark.needs_node and (reason := why_no_node()):
            print(f"*** {name} IS SKIPPED, WITH ALL ITS ROWS: {reason}", file=sys.stderr)
            continue
        for setting in _settings(benchmark, given):
            try:
                outcome = await measure(benchmark, setting, rounds)
            except Exception as failure:  # noqa: BLE001 - whatever goes wrong with one, the others are measured
                failures.append(f"{name} HAS FAILED, and has no figures: {type(failure).__name__}: {failure}")
                print(f"*** {failures[-1]}", file=sys.stderr)
                continue
            records.setdefault(name, {})[mode_of(setting)] = record(outcome, about)
            if given.write:
                save(merged(load(), records, ALL))
    return records, failures


def _show(records: Records, *, quick: bool) -> None:
    for mode, words in (("with", "With the extra for speed"), ("without", "Without it")):
        chosen = {name: modes[mode] for name, modes in records.items() if mode in modes}
        if chosen:
            print(
                f"\n{words}. Sides in turn, at least {min(each['rounds'] for each in chosen.values())} times; medians, "
            )
            print("the ratio of the medians, and the spread of the single ratios.\n")
            print(table.machines(chosen), end="\n\n")
            print(table.table(chosen.values()))
    if grown := table.growths(records):
        print(f"\n{grown}")
    print(f"\n{sum(each['seconds'] for modes in records.values() for each in modes.values()):.0f} s in all.")
    if quick:
        print(f"\n{_NOT_TO_QUOTE}")


def main() -> None:
    given = _arguments()
    if given.list:
        for each in ALL.values():
            print(f"{each.name:12} {each.about}")
        return
    fresh: Records = {}
    failures: list[str] = []
    if not given.render:
        if given.quick:
            print(_NOT_TO_QUOTE)
        if why_no_node() is None:
            install()
        fresh, failures = asyncio.run(_measured(given))
        _show(fresh, quick=given.quick)
    if given.write or given.render:
        kept = merged(load(), fresh, ALL)
        save(kept)
        for left in pages.write(kept):
            print(f"*** {left}", file=sys.stderr)
        print(f"kept in {RESULTS.name}, and in {pages.PAGE.name}")
    for failure in failures:
        print(f"*** {failure}", file=sys.stderr)
    if failures:
        sys.exit(1)


if __name__ == "__main__":
    main()
