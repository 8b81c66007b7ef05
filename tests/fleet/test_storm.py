from __future__ import annotations

from pathlib import Path

import pytest

from tests.fleet.storm import Storm, rage


@pytest.mark.parametrize(
    "storm",
    [
        pytest.param({"messages": 300, "conversations": 20, "kills": 3, "restarts": 1, "rate": 40}, id="small"),
        pytest.param({}, id="whole", marks=pytest.mark.soak),
    ],
)
async def test_every_message_is_answered_once_and_in_order(storm: dict[str, int], tmp_path: Path) -> None:
    verdict = await rage(Storm(tmp_path, **storm), print)  # type: ignore[arg-type]
    assert (verdict.lost, verdict.doubled, verdict.disordered) == (0, 0, 0)
    assert verdict.kills
    assert verdict.restarts
