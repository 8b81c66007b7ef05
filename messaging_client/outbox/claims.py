"""Which messages on the server are known to be something else than the one that is looked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime

from messaging_client.models import Id
from messaging_client.outbox.likeness import Likeness, likeness_of_text
from messaging_client.outbox.marks import CLOCKS_APART, Mark

CLAIMS = 10_000
"""Confirmed messages that are remembered, so that none is taken for another one with the same text."""


WORDLESS = 1000
"""Messages sent by another way, and without a word since, that are remembered."""


class Claims:
    """The ids that sends were confirmed with, and what was sent by another way and may be stored under any id."""

    def __init__(self) -> None:
        self._wordless: OrderedDict[str, tuple[Id, str]] = OrderedDict()
        self._keys: OrderedDict[tuple[Id, Id], tuple[str | None, datetime | None]] = OrderedDict()
        self._forgotten: dict[Id, Mark] = {}

    def add(self, conversation_id: Id, message_id: Id, key: str | None, time: datetime | None = None) -> None:
        """Remember a confirmed message, with the key that it was sent with and the server's time of it."""
        self._keys[conversation_id, message_id] = key, time
        if len(self._keys) > CLAIMS:
            (conversation, forgotten), (_, moment) = self._keys.popitem(last=False)
            self._forgotten[conversation] = Mark(moment, frozenset({forgotten})).later(
                self._forgotten.get(conversation)
            )

    def restore(self, claims: Iterable[tuple[Id, Id]]) -> None:
        """Remember what an earlier process confirmed."""
        for conversation_id, message_id in claims:
            self.add(conversation_id, message_id, None)

    def has(self, conversation_id: Id, message_id: Id) -> bool:
        """Whether a message is known to be another send's."""
        return (conversation_id, message_id) in self._keys

    def key_of(self, conversation_id: Id, message_id: Id) -> str | None:
        """The key that a confirmed message was sent with, or None."""
        key, _ = self._keys.get((conversation_id, message_id), (None, None))
        return key

    def are_known_since(self, conversation_id: Id, mark: Mark) -> bool:
        """Whether none that was confirmed after a mark has been forgotten."""
        forgotten = self._forgotten.get(conversation_id)
        if forgotten is None or all(mark.knows(each) for each in forgotten.ids):
            return True
        times = mark.timestamp, forgotten.timestamp
        return times[0] is not None and times[1] is not None and times[0] - times[1] > CLOCKS_APART

    # --- what was sent by another way --------------------------------------------------------------------------------

    def expect(self, key: str, conversation_id: Id, text: str) -> None:
        """A message was sent by another way: until there is a word about it, what looks like it may be it."""
        self._wordless[key] = conversation_id, text
        if len(self._wordless) > WORDLESS:
            self._wordless.popitem(last=False)

    def expect_no_more(self, key: str) -> None:
        """There is a word about it."""
        self._wordless.pop(key, None)

    def is_disputed(self, conversation_id: Id, text: str) -> bool:
        """Whether a message with this text may be one that was sent by another way."""
        return any(
            conversation_id == other and likeness_of_text(said, text) is not Likeness.OTHER
            for other, said in self._wordless.values()
        )
