"""The core set against the server on Node with each of its switches, and in `make soak` with their combinations."""

from __future__ import annotations

import itertools

import pytest

from tests.interop.core import CORE
from tests.interop.switches import ALONE, FACTORS, SwitchedScene, combined, covering


@pytest.mark.parametrize("behaviour", CORE)
@pytest.mark.parametrize("switch", ALONE)
async def test_each_switch_alone(switch: str, behaviour: str) -> None:
    async with SwitchedScene(combined(ALONE[switch])) as scene:
        await CORE[behaviour](scene)


ROWS = 43
"""How many combinations hold every choice of three settings; `test_the_combinations_are_complete` looks."""


@pytest.mark.soak
@pytest.mark.parametrize("behaviour", CORE)
@pytest.mark.parametrize("row", range(ROWS))
async def test_every_three_switches_together(row: int, behaviour: str) -> None:
    names = covering(3)[row]
    async with SwitchedScene(combined(names)) as scene:
        try:
            await CORE[behaviour](scene)
        except BaseException as error:
            error.add_note(f"on the server with {', '.join(names)}")
            raise


def test_the_combinations_of_two_hold_every_pair() -> None:
    pairs = {
        (one, other)
        for first, second in itertools.combinations(FACTORS.values(), 2)
        for one, other in itertools.product(first, second)
    }
    held = {pair for row in covering(2) for pair in itertools.combinations(row, 2)}
    assert held == pairs


@pytest.mark.soak
def test_the_combinations_are_complete() -> None:
    assert len(covering(3)) == ROWS
