"""What a step of a diagnosis ends with, other than an error of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Seen:
    """A step that went well: what was seen, what was measured, and what to do all the same, if anything."""

    detail: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    advice: str | None = None


class CheckFailed(Exception):
    """A step that did not go well: what was seen, and what to do."""

    def __init__(self, detail: str, advice: str, facts: Mapping[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.advice = advice
        self.facts = facts or {}


class NotApplicable(Exception):
    """A step that is of no use here, and holds nothing up that comes after it."""


class Unknown(Exception):
    """A step of which cannot be told how it went."""
