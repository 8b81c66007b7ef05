"""Whether live messages explain the notices of a conversation, or something got lost between them."""

from __future__ import annotations

from collections import deque

CREDITS = 1000
"""Messages remembered that a notice may still be about; each explains one notice of a kind at most."""


class Account:
    """Notices of one kind, each to be explained by a live message of its own, which comes before it or after it."""

    def __init__(self) -> None:
        self._credits: deque[float] = deque(maxlen=CREDITS)
        self._open: deque[int] = deque()

    @property
    def is_open(self) -> bool:
        """Whether a notice has not been explained."""
        return bool(self._open)

    def came(self, now: float) -> None:
        """A message came that such a notice is about."""
        if self._open:
            self._open.popleft()
        else:
            self._credits.append(now)

    def noticed(self, number: int, since: float) -> None:
        """A notice came; a message that came since then and explains no other one explains it."""
        while self._credits and self._credits[0] < since:
            self._credits.popleft()
        if self._credits:
            self._credits.popleft()
        else:
            self._open.append(number)

    def read(self, number: int) -> None:
        """A read began after that notice: what it and those before were about is known."""
        while self._open and self._open[0] <= number:
            self._open.popleft()


class Notices:
    """What notices of a conversation came, and what live messages.

    A server tells every participant of a change (`conversation_updated`), and everybody but the sender of a new
    message (`notification`): the user's own messages explain the first kind only.

    Attributes:
        count: notices so far.
    """

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
