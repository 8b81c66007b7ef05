"""Sets that hold nothing most of the time."""

from __future__ import annotations

from collections.abc import Iterator, MutableSet
from typing import Any, TypeVar

Item = TypeVar("Item")


class Few(MutableSet[Item]):
    """A set that takes memory while something is in it: an empty one has 216 bytes, and a client has a dozen."""

    __slots__ = ("_held",)

    def __init__(self, items: Any = ()) -> None:
        self._held: set[Item] | None = set(items) or None

    def __contains__(self, item: object) -> bool:
        return self._held is not None and item in self._held

    def __iter__(self) -> Iterator[Item]:
        return iter(self._held or ())

    def __len__(self) -> int:
        return len(self._held or ())

    def add(self, item: Item) -> None:
        """Put something in, if it is not there."""
        if self._held is None:
            self._held = set()
        self._held.add(item)

    def discard(self, item: Item) -> None:
        """Take something out, if it is there."""
        if self._held is not None:
            self._held.discard(item)
            self._held = self._held or None
