"""Messages to hand to a dispatcher, and a shelf that it reads back from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from messaging_client import Id, Message, Participant, TypingEvent, UserType
from messaging_client.clock import Clock
from messaging_client.dispatch import Dispatcher

START = datetime(2025, 1, 1, tzinfo=UTC)


def message(number: int, conversation_id: Id | None = 1, **fields: Any) -> Message:
    """Message `number`, sent that many seconds after the start."""
    given: dict[str, Any] = {
        "id": number,
        "conversation_id": conversation_id,
        "content": f"m{number}",
        "sender": Participant(id=5, type=UserType.PATIENT),
        "timestamp": START + timedelta(seconds=number),
    }
    return Message(**(given | fields))


def typing(number: int, conversation_id: Id = 1) -> TypingEvent:
    """Somebody whose id is that number types."""
    return TypingEvent(conversation_id=conversation_id, user_id=number, is_typing=True)


def order(each: Message) -> tuple[Any, ...]:
    return (each.timestamp, str(each.id))


class Shelf:
    """What the server has stored; pages of it are read back, a few messages at a time.

    Attributes:
        reads: the conversations that were read, in order.
    """

    def __init__(self, page: int = 3) -> None:
        self._page = page
        self.stored: list[Message] = []
        self.reads: list[Id] = []

    def put(self, *messages: Message) -> None:
        self.stored.extend(messages)

    async def _travel(self) -> None:
        for _ in range(4):
            await asyncio.sleep(0)

    async def read(self, conversation_id: Id, start: Message, last: Message | None) -> tuple[list[Message], bool]:
        self.reads.append(conversation_id)
        await self._travel()
        bound = order(last or start)
        due = sorted(
            (
                each.model_copy(update={"late": False})
                for each in self.stored
                if each.conversation_id == conversation_id
                and (order(each) > bound or (last is None and order(each) == bound))
            ),
            key=order,
        )
        await self._travel()
        return due[: self._page], len(due) <= self._page


def dispatcher(queue_size: int = 1000, shelf: Shelf | None = None, clock: Clock | None = None) -> Dispatcher:
    return Dispatcher(queue_size, refill=(shelf or Shelf()).read, order=order, clock=clock)


async def until(predicate: Callable[[], Any]) -> None:
    """Let the loop turn until something holds; TimeoutError after 20 real seconds."""
    async with asyncio.timeout(20):
        while not predicate():  # noqa: ASYNC110 - it counts in turns of the loop what no event tells
            await asyncio.sleep(0)


def tell(place: Dispatcher, shelf: Shelf, messages: Iterable[Message]) -> None:
    """Store messages and publish them at once."""
    for each in messages:
        shelf.put(each)
        place.publish(each)
