"""Whether live messages explain the notices of a conversation, or something got lost between them."""

from __future__ import annotations

from collections import deque

CREDITS = 1000
"""Messages remembered that a notice may still be about; each explains one notice of a kind at most."""


class Account:
    """Notices of one kind, each to be explained by a live message of its own, which comes before it or after it."""

    __slots__ = ("_credits", "_open")

    def __init__(self) -> None:
        self._credits: deque[float] | None = None  # an empty one takes most of a kilobyte, and few are needed
        self._open: list[int] = []

    @property
    def is_open(self) -> bool:
        """Whether a notice has not been explained."""
        return bool(self._open)

    def came(self, now: float) -> None:
        """A message came that such a notice is about."""
        if self._open:
            del self._open[0]
        else:
            if self._credits is None:
                self._credits = deque(maxlen=CREDITS)
            self._credits.append(now)

    def noticed(self, number: int, since: float) -> None:
        """A notice came; a message that came since then and explains no other one explains it."""
        known = self._credits
        while known and known[0] < since:
            known.popleft()
        if known:
            known.popleft()
        else:
            self._open.append(number)

    def read(self, number: int) -> None:
        """A read began after that notice: what it and those before were about is known."""
        self._open = [each for each in self._open if each > number]


class Notices:
    """What notices of a conversation came, and what live messages.

    A server tells every participant of a change (`conversation_updated`), and everybody but the sender of a new
    message (`notification`): the user's own messages explain the first kind only.

    Attributes:
        count: notices so far.
    """

    __slots__ = ("_of_changes", "_of_messages", "count")

    def __init__(self) -> None:
        self._of_changes = Account()
        self._of_messages = Account()
        self.count = 0

    @property
    def is_open(self) -> bool:
        """Whether there is a notice that no live message explains."""
        return self._of_changes.is_open or self._of_messages.is_open

    def message_came(self, now: float, *, is_own: bool) -> None:
        """A live message came that was not known before."""
        self._of_changes.came(now)
        if not is_own:
            self._of_messages.came(now)

    def noticed(self, since: float, *, is_message: bool) -> None:
        """A notice came.

        Args:
            since: when a message that explains it can have come at the earliest.
            is_message: whether it spoke of a new message, rather than of any change.
        """
        self.count += 1
        (self._of_messages if is_message else self._of_changes).noticed(self.count, since)

    def read(self, count: int) -> None:
        """A read was complete that began after so many notices."""
        self._of_changes.read(count)
        self._of_messages.read(count)

    def clear(self) -> None:
        """Nothing that came is of interest any more."""
        self._of_changes, self._of_messages = Account(), Account()
