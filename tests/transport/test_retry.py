from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest
from rawserver import Chance

from messaging_client.transport.retry import Backoff, retry_after

NOW = datetime(2024, 5, 1, 12, 0, 0, tzinfo=UTC)


def test_delays_double_up_to_a_bound() -> None:
    assert [Backoff(0.5).delay(n, Chance(0.5)) for n in range(6)] == [0.5, 1, 2, 4, 8, 8]
    assert Backoff(0.5).delay(10_000, Chance(0.5)) == 8


@pytest.mark.parametrize(("chance", "expected"), [(0.0, [0.25, 0.5, 4.0]), (1.0, [0.75, 1.5, 8.0])])
def test_half_of_a_delay_is_left_to_chance_within_the_bound(chance: float, expected: list[float]) -> None:
    assert [Backoff(0.5).delay(n, Chance(chance)) for n in (0, 1, 4)] == expected
    assert [Backoff(0.0).delay(n, Chance(chance)) for n in (0, 1, 4)] == [0.5, 1, 8]


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        ("1.5", 1.5),
        ("Wed, 01 May 2024 12:00:30 GMT", 30),
        ("Wed, 01 May 2024 14:00:30 +0200", 30),
        ("Wed, 01 May 2024 12:00:30 -0000", 30),
        ("Wed, 01 May 2024 11:00:00 GMT", 0),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("1e9", None),
        ("inf", None),
        ("٣", None),
        ("9" * 400, None),
        ("Wed, 99 May 2024 12:00:30 GMT", None),
        ("Wed, 01 May 99999 12:00:30 GMT", None),
    ],
)
def test_retry_after(written: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": written}, NOW) == seconds


def test_retry_after_is_measured_with_the_servers_own_clock() -> None:
    headers = httpx.Headers({"Retry-After": "Wed, 01 May 2024 12:00:30 GMT", "Date": "Wed, 01 May 2024 12:00:20 GMT"})
    assert retry_after(headers, datetime(2020, 1, 1, tzinfo=UTC)) == 10


def test_no_retry_after() -> None:
    assert retry_after({}, NOW) is None
