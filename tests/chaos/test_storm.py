"""A storm of each kind, small in CI; `make chaos` runs the large ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.storm import a_plan, rage

SMALL = {"messages": 200, "clients": 4, "processes": 2, "conversations": 4, "server_kills": 2, "client_kills": 2}
LARGE = {"messages": 10_000, "clients": 8, "processes": 4, "conversations": 20, "server_kills": 30, "client_kills": 30}


@pytest.mark.parametrize("honours_keys", [True, False], ids=["keys honoured", "keys ignored"])
@pytest.mark.parametrize(
    ("sizes", "seed"), [(SMALL, 1), pytest.param(LARGE, 2, marks=pytest.mark.soak)], ids=["small", "large"]
)
def test_no_message_of_a_storm_is_lost_or_doubled(
    tmp_path: Path, honours_keys: bool, sizes: dict[str, int], seed: int
) -> None:
    verdict = rage(a_plan(tmp_path, honours_keys=honours_keys, seed=seed, **sizes))
    assert verdict.faults == [], verdict.counts
    assert verdict.counts["accepted"] == sizes["messages"]
