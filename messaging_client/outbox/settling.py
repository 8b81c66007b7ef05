"""Whether a message was stored, found out by reading its conversation back.

That it was not is said only if the reads show everything that was stored since it was sent, and nothing among it could
be the message.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from messaging_client.clock import Clock
from messaging_client.errors import MessagingError, SendUncertain
from messaging_client.models import Id, Message, MessageStatus
from messaging_client.outbox.claims import Claims
from messaging_client.outbox.likeness import Likeness, likeness
from messaging_client.outbox.marks import Mark, Place
from messaging_client.outbox.outgoing import Outgoing

_log = logging.getLogger("messaging_client.outbox")

READS_APART = 2.0
"""Seconds between the two reads that prove that a message is not there."""


@dataclass(frozen=True)
class Unreadable:
    """A message of the server that cannot be read; what of it could.

    Attributes:
        id: its id, or None.
        client_message_id: its key, or None.
    """

    id: Id | None = None
    client_message_id: str | None = None


@dataclass(frozen=True)
class Found:
    """What a read shows.

    Attributes:
        messages: those that can be read.
        unreadable: those that cannot.
        is_complete: whether it shows everything since the mark that it was asked for.
    """

    messages: tuple[Message, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    is_complete: bool = True

    def mark(self) -> Mark:
        """Give the mark of what it shows."""
        return Mark.of(self.messages, (each.id for each in self.unreadable if each.id is not None))


class Settler:
    """Looks for messages of which no answer came.

    Args:
        read_after: reads everything after a mark, once there is an answer.
        newest: reads the newest messages, once there is an answer.
        claims: the messages that are known to be others.
        clock: for the time between two reads.
    """

    def __init__(
        self,
        read_after: Callable[[Id, Mark], Awaitable[Found]],
        newest: Callable[[Id], Awaitable[Found]],
        claims: Claims,
        clock: Clock,
    ) -> None:
        self._read_after = read_after
        self._newest = newest
        self._claims = claims
        self._clock = clock
        self.carries_keys = False
        """Whether lists of this server are known to carry the keys of messages: then nothing else is looked at."""

    def learn(self, conversation_id: Id, found: Found) -> None:
        """See whether lists carry keys: a message that was confirmed shows the key that it was sent with."""
        if not self.carries_keys:
            keys = ((each.client_message_id, each.id) for each in found.messages if each.client_message_id is not None)
            self.carries_keys = any(self._claims.key_of(conversation_id, each) == key for key, each in keys)

    async def find(self, outgoing: Outgoing) -> Message | None:
        """Find out whether a message was stored; None when two complete reads say that it was not.

        Raises:
            SendUncertain: the conversation cannot be read, or reading it does not tell.
        """
        is_proof = True
        for number in (1, 2):
            try:
                found = await self._read(outgoing)
            except MessagingError as error:
                raise uncertain(error) from error
            message = self._by_key(outgoing, found)
            if message is not None:
                self.carries_keys = True
                return message
            message, is_clear = self._by_likeness(outgoing, found)
            is_proof = is_proof and is_clear and found.is_complete
            if message is not None:
                return message
            if outgoing.mark is None and not self.carries_keys:
                raise uncertain(None)
            if number == 1:
                await self._clock.sleep(READS_APART)
        if not is_proof:
            raise uncertain(None)
        return None

    async def _read(self, outgoing: Outgoing) -> Found:
        """Read what can tell; without a mark nothing but a key does, in the newest messages or in all of them."""
        if outgoing.mark is None and not self.carries_keys:
            found = await self._newest(outgoing.conversation_id)
        else:
            found = await self._read_after(outgoing.conversation_id, outgoing.mark or Mark())
        self.learn(outgoing.conversation_id, found)
        return found

    def _by_key(self, outgoing: Outgoing, found: Found) -> Message | None:
        for message in found.messages:
            if message.client_message_id == outgoing.client_message_id:
                return message
        for each in found.unreadable:
            if each.client_message_id == outgoing.client_message_id and each.id is not None:
                # It is there, though it cannot be read: what was sent stands for it.
                return outgoing.pending.model_copy(update={"id": each.id, "status": MessageStatus.SENT})
        return None

    def _by_likeness(self, outgoing: Outgoing, found: Found) -> tuple[Message | None, bool]:
        """Give the first message that says the same and is nobody else's, and whether none may be it untold."""
        mark, is_clear, conversation_id = outgoing.mark, True, outgoing.conversation_id
        if mark is None:
            return None, not any(each.client_message_id is None for each in found.unreadable)
        for message in () if self.carries_keys else self._unknown(outgoing, mark, found.messages):
            alike = likeness(message, outgoing.pending)
            if alike is Likeness.OTHER:
                continue
            if (
                alike is Likeness.SAME
                and mark.place_of(message) is Place.AFTER
                and self._claims.are_known_since(conversation_id, mark)
                and not self._claims.is_disputed(conversation_id, outgoing.pending.content)
            ):
                return message, True
            is_clear = False
        return None, is_clear and not any(self._may_be_new(outgoing, mark, each) for each in found.unreadable)

    def _unknown(self, outgoing: Outgoing, mark: Mark, messages: Iterable[Message]) -> list[Message]:
        """Give those without a key that can have been stored since, and that no other send was confirmed with."""
        return [
            each
            for each in messages
            if each.client_message_id is None
            and mark.place_of(each) is not Place.BEFORE
            and not self._claims.has(outgoing.conversation_id, each.id)
        ]

    def _may_be_new(self, outgoing: Outgoing, mark: Mark, unreadable: Unreadable) -> bool:
        if unreadable.id is not None and self._claims.has(outgoing.conversation_id, unreadable.id):
            return False
        return unreadable.client_message_id is None and mark.place_of_id(unreadable.id) is not Place.BEFORE


def uncertain(cause: MessagingError | None) -> SendUncertain:
    """Make the error for a message that may have been stored."""
    error = SendUncertain(
        "Whether the message was stored could not be found out. Read the conversation, then retry or discard it."
    )
    error.__cause__ = cause
    return error
