"""Long work done a slice at a time, so that an event loop does other things in between.

A server may send a list of any length that fits into `max_response_bytes`. What reads one is written as a generator,
which stops after each slice; whoever runs it in an event loop lets others have their turn there.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from heapq import merge
from typing import Any, TypeVar, cast

Item = TypeVar("Item")
Result = TypeVar("Result")

Slices = Generator[None, None, Result]
"""Work that gives its result in the end."""

SLICE = 100
"""Items that are read at a stretch: some milliseconds' worth."""

SORTED_AT_ONCE = 1000
"""Items that are put in order at a stretch: about a millisecond's worth."""


def step(work: Slices[Result]) -> tuple[bool, Result | None]:
    """Do one slice: whether it was the last, and then the result."""
    try:
        next(work)
    except StopIteration as end:
        return True, end.value
    return False, None


def at_once(work: Slices[Result]) -> Result:
    """Do all of it without a pause."""
    while True:
        is_done, result = step(work)
        if is_done:
            return cast(Result, result)


def in_order(items: Sequence[Item], key: Callable[[Item], Any]) -> Slices[tuple[Item, ...]]:
    """Sort; what compares equal keeps its order."""
    if len(items) <= SORTED_AT_ONCE:
        return tuple(sorted(items, key=key))
    runs = []
    for start in range(0, len(items), SORTED_AT_ONCE):
        runs.append(sorted(items[start : start + SORTED_AT_ONCE], key=key))
        yield
    ordered: list[Item] = []
    for item in merge(*runs, key=key):
        ordered.append(item)
        if not len(ordered) % SORTED_AT_ONCE:
            yield
    return tuple(ordered)
