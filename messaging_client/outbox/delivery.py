"""One message until its end: sent, looked for where its fate is not known, sent again, or told why not."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from enum import Enum, auto
from random import Random
from typing import Protocol

from messaging_client.clock import Clock
from messaging_client.errors import (
    MessagingError,
    RateLimited,
    SendUncertain,
    ServerError,
    TransportError,
    UnexpectedResponse,
)
from messaging_client.models import Id, Message
from messaging_client.outbox.gate import Gate
from messaging_client.outbox.keeper import Keeper
from messaging_client.outbox.outgoing import Mark, Outgoing
from messaging_client.transport.retry import Backoff

_log = logging.getLogger("messaging_client.outbox")

AT_A_TIME = 8
"""Requests under way at a time, over all conversations."""

READS_APART = 2.0
"""Seconds between the two reads that prove that a message is not there."""

MOST_FAILURES = 5
"""Answers in a row that say nothing useful (500, or not understood) until a message no longer holds up the others."""

CLAIMS = 10_000
"""Confirmed messages that are remembered, so that none is taken for another one with the same text."""


class Exchange(Protocol):
    """What the outbox needs of the rest of the client."""

    async def send(self, outgoing: Outgoing) -> Message:
        """Send a message once, and give it as the server stored it."""
        ...

    async def read_after(self, conversation_id: Id, mark: Mark) -> Sequence[Message]:
        """Read everything after a mark, completely; what is before it does no harm."""
        ...

    async def newest(self, conversation_id: Id) -> Sequence[Message]:
        """Read the newest messages."""
        ...

    def newest_known(self, conversation_id: Id) -> Mark | None:
        """The newest messages known by other ways, or None."""
        ...

    def confirmed(self, message: Message) -> None:
        """Take a message that the server has stored."""
        ...

    async def relay(self, message: Message) -> None:
        """Tell others of it, for servers that do not; never raises an error of ours."""
        ...


class Fate(Enum):
    """What an error says of the message that was to be stored."""

    AWAY = auto()
    """It never left, for the server was not there."""
    ASKED_TO_WAIT = auto()
    """It was not stored: too much is going on there."""
    UNKNOWN = auto()
    """It may have been stored; no answer came, or none that says."""
    BROKEN = auto()
    """It may have been stored; the server answered, and failed."""
    REFUSED = auto()
    """It was not stored, and never will be as it is."""


_WAITS = frozenset({503})
_NEVER_STORES = frozenset({501, 505, 511})
_GATEWAYS = frozenset({502, 504, 520, 521, 522, 523, 524})


def fate_of(error: MessagingError) -> Fate:
    """Tell what an error of a send means."""
    if isinstance(error, TransportError):
        return Fate.UNKNOWN if error.may_have_left else Fate.AWAY
    if isinstance(error, RateLimited) or (isinstance(error, ServerError) and error.status in _WAITS):
        return Fate.ASKED_TO_WAIT
    if isinstance(error, ServerError) and error.status not in _NEVER_STORES:
        return Fate.UNKNOWN if error.status in _GATEWAYS else Fate.BROKEN
    if isinstance(error, UnexpectedResponse) and (error.status or 0) < 300:
        return Fate.BROKEN
    return Fate.REFUSED


class Delivery:
    """Sends messages, each until it is certain.

    Args:
        exchange: sends and reads.
        clock, chance: time and chance.
        keeper: writes down what would be needed after a crash.
        backoff: how long to wait after failures.
        is_idempotent: whether the server stores a message once however often it is sent with the same key.
    """

    def __init__(
        self,
        exchange: Exchange,
        clock: Clock,
        chance: Random,
        *,
        keeper: Keeper,
        backoff: Backoff,
        is_idempotent: bool,
    ) -> None:
        self.gate = Gate(clock, chance, backoff)
        self._exchange = exchange
        self._clock = clock
        self._random = chance
        self._keeper = keeper
        self._backoff = backoff
        self._is_idempotent = is_idempotent
        self._places = asyncio.Semaphore(AT_A_TIME)
        self._marks: dict[Id, Mark] = {}
        self._claimed: OrderedDict[tuple[Id, Id], None] = OrderedDict()

    async def deliver(self, outgoing: Outgoing) -> Message:
        """Send a message until the server has it.

        Raises:
            SendUncertain: it may have been stored, and that cannot be found out.
            MessagingError: it was refused, and is not stored.
        """
        unknown = broken = 0
        last: MessagingError | None = None
        has_left = outgoing.may_have_left
        while True:
            if outgoing.may_have_left and not self._is_idempotent:
                found = await self._look_for(outgoing)
                if found is not None:
                    return self._claim(outgoing, found)
                outgoing.may_have_left = False
            if last is not None and broken >= MOST_FAILURES:
                raise _end(outgoing, last)
            if unknown > 1 or (unknown and self._is_idempotent):
                await self._clock.sleep(self._backoff.delay(unknown - 1, self._random))
            if not has_left and not self._is_idempotent:
                outgoing.mark = await self._newest(outgoing.conversation_id) or outgoing.mark
            passed = await self.gate.passage()
            could_have_left = outgoing.may_have_left
            try:
                return self._claim(outgoing, await self._send(outgoing))
            except MessagingError as error:
                last = error
            fate = fate_of(last)
            _log.info("message %s not confirmed: %s", outgoing.client_message_id, type(last).__name__)
            if fate in (Fate.UNKNOWN, Fate.BROKEN):
                has_left = True
                unknown += 1
                broken = broken + 1 if fate is Fate.BROKEN else 0
                continue
            outgoing.may_have_left = could_have_left
            if fate is Fate.REFUSED:
                raise _end(outgoing, last)
            await self._keeper.note(outgoing)
            # Others may send there until the server is back.
            self._marks.pop(outgoing.conversation_id, None)
            self._hold_back(last, passed)

    async def _send(self, outgoing: Outgoing) -> Message:
        """Send it once, after what a crash would make us forget has been written down."""
        async with self._places:
            outgoing.attempts += 1
            outgoing.may_have_left = True
            await self._keeper.mark(outgoing, durable=not self._is_idempotent)
            return await self._exchange.send(outgoing)

    def _hold_back(self, error: MessagingError, passed: float) -> None:
        asked = error.retry_after if isinstance(error, RateLimited | ServerError) else None
        if asked is None:
            self.gate.failed(passed)
        else:
            self.gate.ask(asked)

    async def _newest(self, conversation_id: Id) -> Mark | None:
        """Give the newest messages that are known, read once if none are; None where they cannot be read."""
        mark, known = self._marks.get(conversation_id), self._exchange.newest_known(conversation_id)
        if mark is not None:
            return mark.later(known)
        if known is not None:
            return known
        try:
            mark = Mark.of(await self._read(lambda: self._exchange.newest(conversation_id)))
        except MessagingError as error:
            _log.info("newest messages of %s not read: %s", conversation_id, type(error).__name__)
            return None
        self._marks[conversation_id] = mark
        return mark

    # --- where an answer is missing ----------------------------------------------------------------------------------

    async def _look_for(self, outgoing: Outgoing) -> Message | None:
        """Find out whether a message was stored; None when two complete reads say that it was not.

        Raises:
            SendUncertain: the conversation cannot be read, or reading it would not tell.
        """
        mark = outgoing.mark or Mark()
        for number in (1, 2):
            try:
                messages = await self._read(lambda: self._exchange.read_after(outgoing.conversation_id, mark))
            except MessagingError as error:
                raise uncertain(error) from error
            found = self._match(outgoing, messages)
            if found is not None:
                return found
            if outgoing.mark is None:
                raise uncertain(None)
            if number == 1:
                await self._clock.sleep(READS_APART)
        return None

    async def _read(self, read: Callable[[], Awaitable[Sequence[Message]]]) -> Sequence[Message]:
        """Read until there is an answer.

        Raises:
            MessagingError: reading again would be in vain.
        """
        broken = 0
        while True:
            passed = await self.gate.passage()
            try:
                async with self._places:
                    messages = await read()
            except (TransportError, RateLimited, ServerError) as error:
                broken = broken + 1 if fate_of(error) is Fate.BROKEN else 0
                if broken >= MOST_FAILURES:
                    raise
                self._hold_back(error, passed)
            else:
                return messages

    def _match(self, outgoing: Outgoing, messages: Iterable[Message]) -> Message | None:
        """Give the message by its key, else the first one that says the same and is nobody else's."""
        known = tuple(messages)
        for message in known:
            if message.client_message_id == outgoing.client_message_id:
                return message
        mark, mine = outgoing.mark, outgoing.pending
        if mark is None:
            return None
        for message in known:
            if (
                message.client_message_id is None
                and (message.sender.type, message.sender.id) == (mine.sender.type, mine.sender.id)
                and message.content.strip() == mine.content.strip()
                and mark.precedes(message)
                and (outgoing.conversation_id, message.id) not in self._claimed
            ):
                return message
        return None

    def _claim(self, outgoing: Outgoing, message: Message) -> Message:
        conversation_id = outgoing.conversation_id
        self.gate.succeeded()
        self._claimed[conversation_id, message.id] = None
        if len(self._claimed) > CLAIMS:
            self._claimed.popitem(last=False)
        self._marks[conversation_id] = Mark.of([message]).later(self._marks.get(conversation_id))
        return message


def _end(outgoing: Outgoing, error: MessagingError) -> MessagingError:
    """Give the end of a message that is not confirmed: uncertain if an earlier request may have stored it."""
    return uncertain(error) if outgoing.may_have_left else error


def uncertain(cause: MessagingError | None) -> SendUncertain:
    """Make the error for a message that may have been stored."""
    error = SendUncertain(
        "Whether the message was stored could not be found out. Read the conversation, then retry or discard it."
    )
    error.__cause__ = cause
    return error
