"""How long to wait before a request is repeated."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

REPEATED_STATUSES = frozenset({429, 502, 503, 504})
"""Answers after which a read is worth repeating: too many requests, or a server that is not there for a moment.
500 is not among them: it is the application's own failure, and repeating it fails again."""

FIRST_DELAY = 0.5
"""Seconds before the first repetition: given by the project, long enough for a server to come back from a hiccup."""

LONGEST_DELAY = 8.0
"""Seconds at most: given by the project; the default of 4 repetitions, within 60 s, stays just below it."""

_SECONDS = re.compile(r"[0-9]{1,10}(\.[0-9]{1,6})?", re.ASCII)


@dataclass(frozen=True)
class Backoff:
    """Delays that double, with a part left to chance so that many clients do not come back at the same moment.

    Attributes:
        factor: part of a delay that is left to chance, both ways (0.5: from 50 % to 150 %).
        first: seconds before the first repetition, before chance.
        longest: no delay is longer, chance included.

    """

    factor: float
    first: float = FIRST_DELAY
    longest: float = LONGEST_DELAY

    def delay(self, repetition: int, chance: random.Random) -> float:
        """Give the seconds to wait before repetition number `repetition`, which counts from 0."""
        doubled = math.ldexp(self.first, min(repetition, 64))
        return min(self.longest, doubled * (1 + self.factor * (2 * chance.random() - 1)))


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read `Retry-After`: seconds, or a date, which is compared with the server's own `Date` where it gives one.

    Args:
        headers: of the answer, with names in any case.
        now: the local time, for servers that do not tell theirs.

    Returns:
        Seconds from now, 0 or more; None where the header is missing or cannot be read.

    """
    written = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(written):
        return float(written)
    until = _date(written)
    if until is None:
        return None
    return max(0.0, (until - (date_told(headers) or now)).total_seconds())


def date_told(headers: Mapping[str, str]) -> datetime | None:
    """Give the server's own clock, as an answer tells it in `Date`; None where it does not."""
    return _date(headers.get("date", ""))


@lru_cache(maxsize=16)  # answers of one second say the same
def _date(written: str) -> datetime | None:
    from email.utils import parsedate_to_datetime  # loaded with the HTTP library, which is there before any answer

    try:
        read = parsedate_to_datetime(written)
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError):
        return None
