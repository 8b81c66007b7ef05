"""What a diagnosis says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

CHECKS: Mapping[str, str] = MappingProxyType(
    {
        "client": "This client",
        "token": "Token",
        "expiry": "Token expiry",
        "dns": "Name (DNS)",
        "tcp": "TCP",
        "tls": "TLS",
        "health": "Server health",
        "clock": "Clock",
        "authentication": "REST authentication",
        "handshake": "Socket handshake",
        "namespace": "Socket namespace",
        "room": "Room",
        "typing": "Typing round trip",
    }
)
"""Every check by its name, in the order in which they are made, with its title for people."""


class CheckOutcome(StrEnum):
    """How a check ended."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not applicable, or one that it needs failed before; `detail` says which."""


@dataclass(frozen=True)
class CheckResult:
    """One check of a diagnosis. It holds no token, no text of a message and no name of a person.

    Attributes:
        name: a stable word, a key of `CHECKS`.
        outcome: how it ended.
        detail: what was seen, one line in English.
        advice: what to do, one line, or None where there is nothing to do.
        seconds: how long it took.
        facts: what was measured, as JSON values by stable names.
    """

    name: str
    outcome: CheckOutcome
    detail: str
    advice: str | None = None
    seconds: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def title(self) -> str:
        """The check's title, for people."""
        return CHECKS[self.name]


@dataclass(frozen=True)
class Diagnosis:
    """All checks of one address.

    Attributes:
        url: the server's address.
        at: when the diagnosis began, UTC.
        results: in the order of `CHECKS`.
    """

    url: str
    at: datetime
    results: tuple[CheckResult, ...]

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return not any(each.outcome is CheckOutcome.FAILED for each in self.results)
