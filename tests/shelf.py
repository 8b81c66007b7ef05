"""A conversation to read from, in place of a server: for exact times, and for failures of every kind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from messaging_client.errors import MessagingError, NotFound
from messaging_client.models import Id, Message, Participant, UserType
from messaging_client.reading import Batch
from messaging_client.wire.messages import message_order_key

START = datetime(2025, 1, 1, tzinfo=UTC)
DOCTOR = Participant(id=79, type=UserType.MEDECIN)


def message(number: Id, at: float | None = None, *, talk: Id | None = 1, key: str | None = None) -> Message:
    """A message with that id; `at` seconds after the start, its own number unless told otherwise."""
    seconds = at if at is not None else float(number)
    return Message(
        id=number,
        conversation_id=talk,
        content="...",
        sender=DOCTOR,
        timestamp=START + timedelta(seconds=seconds),
        client_message_id=key,
    )


def untimed(number: Id, received: float) -> Message:
    """A message of a server that gives no times."""
    return message(number, received).model_copy(update={"timestamp_is_receipt": True})


class Shelf:
    """A `Source` of one conversation.

    Attributes:
        messages: what stands there, in any order.
        has_since_route: whether `new-messages` exists.
        cap: messages that the server gives at a time, whatever it is asked for.
        failures: raised by the reads to come, one after the other; None lets one succeed.
        before_answer: called within each read, once its answer is fixed.
        asked: what was asked for: a time, or the number of a page.
    """

    def __init__(self, messages: Iterable[Message] = (), *, has_since_route: bool = True, cap: int = 1000) -> None:
        self.messages = list(messages)
        self.has_since_route = has_since_route
        self.cap = cap
        self.failures: list[MessagingError | None] = []
        self.before_answer: Callable[[], None] = lambda: None
        self.says_last = True
        self.asked: list[datetime | int] = []

    def _ordered(self) -> list[Message]:
        return sorted(self.messages, key=message_order_key)

    async def _answer(self) -> None:
        await asyncio.sleep(0)
        self.before_answer()
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure

    async def new_since(self, conversation_id: Id, since: datetime, limit: int) -> Batch:
        self.asked.append(since)
        if not self.has_since_route:
            raise NotFound("no such route", operation="new_messages", status=404)
        found = [each for each in self._ordered() if each.timestamp > since][: min(limit, self.cap)]
        await self._answer()
        return Batch(tuple(found), len(found))

    async def newest(self, conversation_id: Id, page: int, limit: int) -> Batch:
        self.asked.append(page)
        size = min(limit, self.cap)
        ordered = self._ordered()
        end = len(ordered) - (page - 1) * size
        found = ordered[max(0, end - size) : max(0, end)]
        await self._answer()
        return Batch(tuple(found), len(found), end - size <= 0 if self.says_last else None)
