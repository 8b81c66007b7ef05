"""Events that get lost, come twice, come late or come in another order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from messaging_client.testing.records import Identity
from messaging_client.testing.rules import check_count

Action = Literal["drop", "duplicate", "reorder", "hold"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way to some sockets."""

    event: str
    args: tuple[Any, ...]
    sockets: tuple[str, ...]


@dataclass(slots=True, eq=False)
class _EventRule:
    event: str
    action: Action
    user: Identity | None
    left: int | None
    times: int = 1
    held: list[Delivery] = field(default_factory=list)


class EventFaults:
    """Stands between the server and its sockets.

    A rule counts emissions, whatever the number of sockets that each goes to, but not those that reach nobody; with a
    user it touches that user's sockets only.
    """

    def __init__(self) -> None:
        self._rules: list[_EventRule] = []

    def add(
        self, event: str, action: Action, *, count: int | None, user: tuple[str, int] | None, times: int = 1
    ) -> None:
        """Add a rule; see `Faults` for what each action does.

        Raises:
            ValueError: the count is too small to apply.

        """
        check_count(count, 2 if action == "reorder" else 1)
        check_count(times)
        self._rules.append(_EventRule(event, action, None if user is None else Identity(*user), count, times))

    def pass_on(self, delivery: Delivery, user_of: Callable[[str], Identity | None]) -> list[Delivery]:
        """Give what is to be delivered now, in order, in place of a delivery."""
        for rule in self._rules:
            if rule.event != delivery.event:
                continue
            touched = tuple(each for each in delivery.sockets if rule.user in (None, user_of(each)))
            if touched:
                untouched = tuple(each for each in delivery.sockets if each not in touched)
                return self._apply(rule, _to(delivery, touched), _to(delivery, untouched))
        return [delivery]

    def _apply(self, rule: _EventRule, touched: Delivery, untouched: Delivery) -> list[Delivery]:
        if rule.left is not None:
            rule.left -= 1
            if rule.left == 0:
                self._rules.remove(rule)
        if rule.action == "drop":
            return [untouched]
        if rule.action == "duplicate":
            return [untouched, *[touched] * rule.times]
        rule.held.append(touched)
        if rule.left == 0:  # a "reorder" that is complete
            return [untouched, *reversed(rule.held)]
        return [untouched]

    def release(self, event: str | None = None) -> list[Delivery]:
        """End the holding of an event, or of all, and give what was held, in order."""
        ended = [rule for rule in self._rules if rule.held or rule.action == "hold"]
        ended = [rule for rule in ended if event in (None, rule.event)]
        self._rules = [rule for rule in self._rules if rule not in ended]
        return [delivery for rule in ended for delivery in rule.held]

    def clear(self) -> list[Delivery]:
        """Forget every rule, and give what was held, in order."""
        held = self.release()
        self._rules.clear()
        return held

    def __len__(self) -> int:
        return len(self._rules)


def _to(delivery: Delivery, sockets: Iterable[str]) -> Delivery:
    return Delivery(delivery.event, delivery.args, tuple(sockets))
