"""Sets that hold nothing most of the time."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from messaging_client.few import Few

steps = st.lists(st.tuples(st.sampled_from(["add", "discard"]), st.integers(0, 3)))


@given(steps)
def test_is_a_set(given: list[tuple[str, int]]) -> None:
    few, known = Few[int](), set[int]()
    for what, item in given:
        getattr(few, what)(item)
        getattr(known, what)(item)
        assert few == known
        assert (len(few), bool(few), sorted(few)) == (len(known), bool(known), sorted(known))
        assert all((each in few) is (each in known) for each in range(4))
        assert few - {1} == known - {1}
        assert {1, 2, 3} - few == {1, 2, 3} - known
        assert {*few} == known


def test_takes_no_memory_while_it_is_empty() -> None:
    few = Few[int]()
    few.add(1)
    few.discard(1)
    assert few._held is None
    assert sys.getsizeof(few) < sys.getsizeof(set()) / 3
