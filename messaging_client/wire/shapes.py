"""Which spelling of each field stands in a payload: found once for each set of keys, not once for each payload.

A server spells its messages one way, and sends thousands. What is kept here are names of keys, never values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any

from messaging_client.wire.values import Names

Pick = Callable[[Mapping[str, Any], Names], Any]
"""Chooses among several spellings of a field that stand in one payload, in order of preference."""

_MOST_SHAPES = 256
_MOST_KEYS = 40
_LONGEST_KEYS = 1000  # characters of all keys; a payload with more is looked at anew each time


class Shape:
    """What stands in payloads with the same keys.

    Attributes:
        pick: gives what stands under each field, or under the best of its spellings that is there, of the values of a
            payload and a None after them; that None for a field that is not there.
        doubled: (place, spellings, how to choose) of each field of which several spellings are there.
        groups: for each group of keys those that are there, in the group's order.

    """

    __slots__ = ("doubled", "groups", "pick")

    def __init__(
        self, keys: tuple[Any, ...], fields: tuple[tuple[Names, Pick], ...], groups: tuple[Names, ...]
    ) -> None:
        places = {key: place for place, key in enumerate(keys)}
        present = [tuple(name for name in names if name in places) for names, _ in fields]
        self.pick: Callable[[tuple[Any, ...]], tuple[Any, ...]] = itemgetter(
            *(places[found[0]] if found else -1 for found in present)
        )
        self.doubled = tuple(
            (place, found, pick)
            for place, (found, (_, pick)) in enumerate(zip(present, fields, strict=True))
            if len(found) > 1
        )
        self.groups = tuple(tuple(name for name in group if name in places) for group in groups)

    def values(self, payload: Mapping[str, Any]) -> Iterable[Any]:
        """Give what stands under each field, as it stands there; None where nothing does."""
        picked = self.pick((*payload.values(), None))
        if not self.doubled:
            return picked
        found = list(picked)
        for place, names, pick in self.doubled:
            found[place] = pick(payload, names)
        return found


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
