"""What the tests of the outbox share: a server that does as it is told, and time that runs fast."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from messaging_client.clock import SystemClock
from messaging_client.errors import MessagingError
from messaging_client.models import Id, Message, MessageType, Participant, User, UserType
from messaging_client.outbox import Found, Keeper, Known, Mark, Outbox, Outgoing
from messaging_client.store import Store
from messaging_client.testing import ManualClock
from messaging_client.transport.aio import Attempt
from messaging_client.transport.retry import Backoff

PATIENT = ("patient", 5)
DOCTOR = ("medecin", 79)
ME = User(id=79, type=UserType.MEDECIN, role="medecin")
SOMEBODY = User(id=80, type=UserType.MEDECIN, role="medecin")
SERVER = "http://localhost:3000"
START = datetime(2025, 1, 1, 9, tzinfo=UTC)


class FastClock(SystemClock):
    """The machine's clock, a hundred times as fast: what takes seconds in life takes moments in a test."""

    FACTOR = 100

    def monotonic(self) -> float:
        return super().monotonic() * self.FACTOR

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.FACTOR)


UNHURRIED: dict[str, float] = {"request_timeout": 500.0, "connect_timeout": 500.0}
"""Settings for a client with a `FastClock`: the machine itself is no faster."""


class Script:
    """The rest of the client, as a test wants it: each send ends as `answers` says, then well.

    An answer is an error; or `"lost"` and an error: stored, but the error is all that comes back.
    """

    def __init__(self, clock: ManualClock, *, keys: bool = True) -> None:
        self.clock = clock
        self.keys = keys
        self.answers: list[Any] = []
        self.reads: list[Any] = []
        self.stored: dict[Id, list[Message]] = {}
        self.known: dict[Id, Known] = {}
        self.leaves = True
        self.is_away = False
        self.shows: Callable[[Found], Found] = lambda found: found
        self.log: list[tuple[float, str, Any]] = []
        self.told: list[Id] = []
        self.relayed: list[Id] = []
        self.hold: asyncio.Event | None = None
        self.arrived = asyncio.Event()
        self.at_a_time = self.most_at_a_time = 0

    def times(self, what: str) -> list[float]:
        return [time for time, name, _ in self.log if name == what]

    def sent(self, what: str = "send") -> list[Any]:
        return [given for _, name, given in self.log if name == what]

    def contents(self, conversation_id: Id = 15) -> list[str]:
        return [each.content for each in self.stored.get(conversation_id, ())]

    async def send(self, outgoing: Outgoing) -> Message:
        self.log.append((self.clock.monotonic(), "send", outgoing.pending.content))
        outgoing.progress = Attempt(may_have_left=self.leaves)
        self.arrived.set()
        self.at_a_time += 1
        self.most_at_a_time = max(self.at_a_time, self.most_at_a_time)
        try:
            if self.hold is not None:
                await self.hold.wait()
            answer = self.answers.pop(0) if self.answers else None
            if isinstance(answer, MessagingError):
                raise answer
            message = self._store(outgoing)
            if answer is not None:
                raise answer[1]
            return message
        finally:
            self.at_a_time -= 1

    def _store(self, outgoing: Outgoing) -> Message:
        for message in self.stored.get(outgoing.conversation_id, ()):
            if self.keys and message.client_message_id == outgoing.client_message_id:
                return message
        key = outgoing.client_message_id if self.keys else None
        return self.add(outgoing.conversation_id, outgoing.pending.content, key=key)

    def add(self, conversation_id: Id, content: str, *, key: str | None = None, sender: User = ME) -> Message:
        """Store a message."""
        place = self.stored.setdefault(conversation_id, [])
        number = sum(map(len, self.stored.values())) + 1
        message = Message(
            id=number,
            conversation_id=conversation_id,
            content=content,
            sender=Participant(id=sender.id, type=sender.type),
            timestamp=START + timedelta(seconds=number),
            client_message_id=key,
        )
        place.append(message)
        return message

    async def read_after(self, conversation_id: Id, mark: Mark) -> Found:
        self.log.append((self.clock.monotonic(), "read", conversation_id))
        return self._read(conversation_id)

    async def newest(self, conversation_id: Id) -> Found:
        self.log.append((self.clock.monotonic(), "newest", conversation_id))
        return self._read(conversation_id)

    def _read(self, conversation_id: Id) -> Found:
        answer = self.reads.pop(0) if self.reads else None
        if isinstance(answer, MessagingError):
            raise answer
        return self.shows(Found(tuple(self.stored.get(conversation_id, ()))))

    def newest_known(self, conversation_id: Id) -> Known | None:
        return self.known.get(conversation_id)

    def confirmed(self, message: Message) -> None:
        self.told.append(message.id)

    async def relay(self, message: Message) -> bool:
        if self.is_away:
            return False
        self.relayed.append(message.id)
        return True


def an_outbox(script: Script, *, is_idempotent: bool = True, store: Store | None = None, limit: int = 1000) -> Outbox:
    """An outbox without chance in its delays."""

    async def open_store() -> User:
        if store is not None:
            await store.bind(SERVER, ME)
        return ME

    return Outbox(
        script,
        script.clock,
        Random(1),
        keeper=Keeper(store, open_store),
        limit=limit,
        is_idempotent=is_idempotent,
        backoff=Backoff(factor=0),
    )


def submit(outbox: Outbox, content: str, conversation_id: Id = 15, **given: Any) -> Outgoing:
    return outbox.submit(conversation_id, content, MessageType.TEXT, ME, **given)


async def outcome(outgoing: Outgoing) -> Message | BaseException:
    """How a send ended."""
    await asyncio.wait({outgoing.done}, timeout=5)
    assert outgoing.done.done(), "the send has no end"
    return outgoing.done.exception() or outgoing.done.result()


async def in_the_end(clock: ManualClock, outgoing: Outgoing) -> Message | BaseException:
    """How a send ends, however long that takes by the clock."""
    async with asyncio.timeout(20):
        while not outgoing.done.done():
            await clock.advance(0.5)
    return await outcome(outgoing)
