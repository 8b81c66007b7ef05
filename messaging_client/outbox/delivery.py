"""One message until its end: sent, looked for where its fate is not known, sent again, or told why not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random

from messaging_client.clock import Clock
from messaging_client.errors import ConnectionLost, MessagingError, RateLimited, ServerError
from messaging_client.models import Id, Message
from messaging_client.observing.logs import say
from messaging_client.outbox.claims import Claims
from messaging_client.outbox.exchange import Exchange
from messaging_client.outbox.fates import Fate, fate_of
from messaging_client.outbox.gate import Gate, Passage
from messaging_client.outbox.keeper import Keeper
from messaging_client.outbox.marks import Mark
from messaging_client.outbox.outgoing import Outgoing
from messaging_client.outbox.settling import Found, Settler, uncertain
from messaging_client.transport.retry import Backoff

_log = logging.getLogger("messaging_client.outbox")

MOST_ODD = 5
"""Answers in a row that are not understood until a server is taken to be none that is."""

MARK_LASTS = 1.0
"""Seconds for which what was newest is taken to be so still, so that a burst is not slowed down; after that it is read
again before a send."""


@dataclass
class _Tries:
    """What became of the requests for one message.

    Attributes:
        has_left: one of them may have reached the server, at any time: what was newest before it stays the mark.
        unknown: how many ended without saying what became of it.
        odd: how many in a row were answered by something that is not understood.
        unread: how often the server failed to show what is newest.
        must_wait: the next one waits.
    """

    has_left: bool
    unknown: int = 0
    odd: int = 0
    unread: int = 0
    must_wait: bool = False


class _NotSent(Exception):
    """Nothing was sent: what is newest could not be read, or (without an error) the gate closed meanwhile."""

    def __init__(self, error: MessagingError | None = None) -> None:
        super().__init__()
        self.error = error


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
        self.claims = Claims()
        self._exchange = exchange
        self._clock = clock
        self._random = chance
        self._keeper = keeper
        self._backoff = backoff
        self._is_idempotent = is_idempotent
        self._marks: dict[Id, tuple[Mark, float]] = {}  # with the moment from which on others may have come
        self._settler = Settler(
            lambda conversation_id, mark: self._read(lambda: exchange.read_after(conversation_id, mark)),
            lambda conversation_id: self._read(lambda: exchange.newest(conversation_id)),
            self.claims,
            clock,
        )

    async def deliver(self, outgoing: Outgoing) -> Message:
        """Send a message until the server has it.

        Raises:
            SendUncertain: it may have been stored, and that cannot be found out.
            MessagingError: it was refused, and is not stored.
        """
        tries = _Tries(has_left=outgoing.may_have_left)
        while True:
            if outgoing.may_have_left and not self._is_idempotent:
                found = await self._settler.find(outgoing)
                if found is not None:
                    return self._claim(outgoing, found, float("-inf"))
                outgoing.may_have_left = False
            await self._wait(tries)
            could_have_left = outgoing.may_have_left
            async with self.gate.place() as passage:
                try:
                    return await self._try(outgoing, tries, passage)
                except _NotSent as before:
                    if before.error is not None:
                        self._hold_back(before.error, passage)
                    continue
                except MessagingError as failure:
                    error = failure
            await self._failed(outgoing, tries, passage, error, could_have_left)

    async def _wait(self, tries: _Tries) -> None:
        """Wait before asking again; who reads back has waited between the reads the first time."""
        pause = tries.must_wait and (tries.unknown > 1 or self._is_idempotent)
        tries.must_wait = False
        if pause:
            await self._clock.sleep(self._backoff.delay(tries.unknown - 1, self._random))

    async def _try(self, outgoing: Outgoing, tries: _Tries, passage: Passage) -> Message:
        """Send it once, after what a crash would make us forget has been written down."""
        if not tries.has_left and not self._is_idempotent:
            await self._renew_mark(outgoing, tries)
            if not self.gate.is_open:
                raise _NotSent
        outgoing.attempts += 1
        with outgoing.leaving():
            await self._write_down(outgoing)
            with _cancelled_by_its_owner_only(lambda: outgoing.is_under_way):
                message = await self._exchange.send(outgoing)
        return self._claim(outgoing, message, passage.moment)

    async def _write_down(self, outgoing: Outgoing) -> None:
        """Mark that it is about to leave; while the file takes nothing, it waits."""
        failures = 0
        while True:
            try:
                await self._keeper.mark(outgoing, durable=not self._is_idempotent)
            except MessagingError as error:
                say(
                    _log,
                    logging.WARNING,
                    "message waits for the store",
                    client_message_id=outgoing.client_message_id,
                    reason=str(error),
                )
            else:
                return
            await self._clock.sleep(self._backoff.delay(failures, self._random))
            failures += 1

    async def _failed(
        self, outgoing: Outgoing, tries: _Tries, passage: Passage, error: MessagingError, could_have_left: bool
    ) -> None:
        """Decide what an error means for a message; on return it is to be tried again.

        Raises:
            MessagingError: it is not.
        """
        fate = fate_of(error, is_repeated=could_have_left and self._is_idempotent)
        say(
            _log,
            logging.INFO,
            "message not confirmed",
            client_message_id=outgoing.client_message_id,
            conversation_id=outgoing.conversation_id,
            attempts=outgoing.attempts,
            error=error,
        )
        tries.odd = tries.odd + 1 if fate is Fate.ODD else 0
        if fate in (Fate.UNKNOWN, Fate.ODD):
            tries.has_left = tries.must_wait = True
            tries.unknown += 1
            if tries.odd >= MOST_ODD:
                raise uncertain(error)
            return
        outgoing.may_have_left = could_have_left
        if fate is Fate.REFUSED:
            raise _end(outgoing, error)
        if fate is Fate.UNAUTHENTICATED:
            if self.gate.hold(passage):
                raise _end(outgoing, error)
        else:
            self._hold_back(error, passage)
        # Others may send there until the server is back.
        self._marks.pop(outgoing.conversation_id, None)
        await self._keeper.note(outgoing)

    def _hold_back(self, error: MessagingError, passage: Passage) -> None:
        asked = error.retry_after if isinstance(error, RateLimited | ServerError) else None
        if asked is None:
            self.gate.failed(passage)
        else:
            self.gate.ask(asked)

    # --- what was newest before a send -------------------------------------------------------------------------------

    async def _renew_mark(self, outgoing: Outgoing, tries: _Tries) -> None:
        """Note what is newest, which is read where nothing keeps it known.

        Where messages carry keys an old mark does: what others send meanwhile is never taken for this one.

        Raises:
            _NotSent: the server is not there.
        """
        conversation_id, now = outgoing.conversation_id, self._clock.monotonic()
        mark, moment = self._marks.get(conversation_id, (None, float("-inf")))
        known = self._exchange.newest_known(conversation_id)
        if known is not None:
            mark = known.mark.later(mark)
        is_current = now - moment <= MARK_LASTS or (known is not None and known.is_current)
        if mark is None or not (is_current or self._settler.carries_keys):
            mark = await self._read_mark(conversation_id, tries, mark)
        outgoing.mark = mark

    async def _read_mark(self, conversation_id: Id, tries: _Tries, before: Mark | None) -> Mark | None:
        """Read what is newest; None where the server will not show it."""
        now = self._clock.monotonic()
        try:
            with _cancelled_by_its_owner_only(lambda: False):
                found = await self._exchange.newest(conversation_id)
        except MessagingError as error:
            is_failing = isinstance(error, ServerError) and fate_of(error) is Fate.UNKNOWN
            tries.unread += is_failing
            if fate_of(error) in (Fate.AWAY, Fate.ASKED_TO_WAIT, Fate.UNKNOWN) and tries.unread < MOST_ODD:
                raise _NotSent(error) from error
            say(_log, logging.INFO, "newest messages not read", conversation_id=conversation_id, error=error)
            return None
        self._settler.learn(conversation_id, found)
        mark = found.mark().later(before)
        self._marks[conversation_id] = mark, now
        return mark

    def learn_stored(self, conversation_id: Id, message_id: Id) -> None:
        """A message of this user was stored by another way than this."""
        mark, moment = self._marks.get(conversation_id, (None, float("-inf")))
        self._marks[conversation_id] = Mark(ids=frozenset({message_id})).later(mark), moment
        self.claims.add(conversation_id, message_id, None)

    def _claim(self, outgoing: Outgoing, message: Message, moment: float) -> Message:
        """Take a message as the one sent; from `moment` on, others may have sent."""
        conversation_id = outgoing.conversation_id
        self.gate.succeeded()
        time = None if message.timestamp_is_receipt else message.timestamp
        self.claims.add(conversation_id, message.id, outgoing.client_message_id, time)
        mark, _ = self._marks.get(conversation_id, (None, float("-inf")))
        self._marks[conversation_id] = Mark.of([message]).later(mark), moment
        return message

    # --- where an answer is missing ----------------------------------------------------------------------------------

    async def _read(self, read: Callable[[], Awaitable[Found]]) -> Found:
        """Read until there is an answer, however long that takes.

        Raises:
            MessagingError: reading again would be in vain.
        """
        odd = 0
        while True:
            async with self.gate.place() as passage:
                try:
                    with _cancelled_by_its_owner_only(lambda: False):
                        return await read()
                except MessagingError as failure:
                    error = failure
            fate = fate_of(error)
            odd = odd + 1 if fate is Fate.ODD else 0
            if fate is Fate.REFUSED or odd >= MOST_ODD:
                raise error
            if fate is not Fate.UNAUTHENTICATED:
                self._hold_back(error, passage)
            elif self.gate.hold(passage):
                raise error


def _end(outgoing: Outgoing, error: MessagingError) -> MessagingError:
    """Give the end of a message that is not confirmed: uncertain if an earlier request may have stored it."""
    return uncertain(error) if outgoing.may_have_left else error


@contextmanager
def _cancelled_by_its_owner_only(may_have_left: Callable[[], bool]) -> Iterator[None]:
    """Turn a cancellation that came out of something awaited into a failure: nobody has asked this task to stop."""
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
    else:
        return
    raise ConnectionLost("The request was cancelled from within.", may_have_left=may_have_left())
