"""Which spelling of each field stands in a payload: found once for each set of keys, not once for each payload.

A server spells its messages one way, and sends thousands. What is kept here are names of keys, never values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

from messaging_client.wire.values import Names

Pick = Callable[[Mapping[str, Any], Names], Any]
"""Chooses among several spellings of a field that stand in one payload, in order of preference."""

Values = Callable[[Mapping[str, Any]], tuple[Any, ...]]
"""Gives what stands in a payload under each field."""

_FEWEST = 2  # of one name alone, `itemgetter` gives no tuple
_MOST_SHAPES = 256
_MOST_KEYS = 40
_LONGEST_KEYS = 1000  # characters of all keys; a payload with more is looked at anew each time


class Shape:
    """What stands in payloads with the same keys.

    Attributes:
        values: gives what stands in a payload under each field, or under the best of its spellings; None where nothing
            does.
        groups: for each group of keys those that are there, in the group's order.

    """

    __slots__ = ("groups", "values")

    def __init__(
        self, keys: tuple[Any, ...], fields: tuple[tuple[Names, Pick], ...], groups: tuple[Names, ...]
    ) -> None:
        there = frozenset(keys)
        present = [(tuple(name for name in names if name in there), pick) for names, pick in fields]
        self.values = _at_once([names for names, _ in present]) or _one_by_one(present)
        self.groups = tuple(tuple(name for name in group if name in there) for group in groups)


def _at_once(present: list[Names]) -> Values | None:
    """How to read fields of which one spelling each is there, but for the last ones; None where that is not so."""
    found = [names[0] for names in present if names]
    if len(found) < _FEWEST or any(len(names) > 1 for names in present) or not all(present[: len(found)]):
        return None
    pick: Values = itemgetter(*found)
    missing = (None,) * (len(present) - len(found))
    return (lambda payload: pick(payload) + missing) if missing else pick


def _one_by_one(present: list[tuple[Names, Pick]]) -> Values:
    def values(payload: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(
            [
                None if not names else payload[names[0]] if len(names) == 1 else pick(payload, names)
                for names, pick in present
            ]
        )

    return values


class Shapes(dict[tuple[Any, ...], Shape]):
    """The shapes of one kind of object by the keys of a payload, `shapes[tuple(payload)]`; as many as are worth it.

    Args:
        fields: the spellings of each field, two fields at least, and how to choose where several are there.
        groups: keys that are looked at together.

    """

    def __init__(self, *fields: tuple[Names, Pick], groups: tuple[Names, ...] = ()) -> None:
        super().__init__()
        self._fields = fields
        self._groups = groups

    def __repr__(self) -> str:
        # Not the keys: servers send those of the protocol, and nobody knows what else.
        return f"<Shapes {len(self)}>"

    def __missing__(self, keys: tuple[Any, ...]) -> Shape:
        shape = Shape(keys, self._fields, self._groups)
        if len(keys) <= _MOST_KEYS and sum(len(each) for each in keys if isinstance(each, str)) <= _LONGEST_KEYS:
            if len(self) >= _MOST_SHAPES:
                self.clear()
            self[keys] = shape
        return shape
