"""The outbox: one queue per conversation, the head first, several conversations at a time.

A send ends in one of three ways: confirmed, refused, or uncertain because it may have been stored and nobody said so.
What was refused or is uncertain stays here, until it is retried or discarded.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

from messaging_client.clock import Clock, end_task, finished_within
from messaging_client.errors import (
    ConnectionLost,
    MessagingError,
    NotConnected,
    OutboxFull,
    RequestTimeout,
    SendUncertain,
    ValidationFailed,
)
from messaging_client.models import Id, Message, MessageStatus, MessageType, User
from messaging_client.outbox.delivery import Delivery, Exchange, uncertain
from messaging_client.outbox.keeper import Keeper
from messaging_client.outbox.listeners import Listener, Listeners
from messaging_client.outbox.outgoing import Outgoing, fail
from messaging_client.transport.retry import Backoff

_log = logging.getLogger("messaging_client.outbox")


@dataclass
class _Queue:
    waiting: deque[Outgoing] = field(default_factory=deque)
    worker: asyncio.Task[None] | None = None
    delivery: asyncio.Task[Message] | None = None


class Outbox:
    """Sends what it is given, in order, until it is certain.

    Args:
        exchange: what it needs of the rest of the client.
        clock, chance: time and chance, given so that tests decide on them.
        keeper: writes down what must outlive the process.
        limit: messages that may be unsent at a time.
        is_idempotent: whether the server honours `Idempotency-Key`.
        backoff: how long to wait after failures.
    """

    def __init__(
        self,
        exchange: Exchange,
        clock: Clock,
        chance: Random,
        *,
        keeper: Keeper,
        limit: int,
        is_idempotent: bool,
        backoff: Backoff,
    ) -> None:
        self._exchange = exchange
        self._clock = clock
        self._keeper = keeper
        self._limit = limit
        self._delivery = Delivery(exchange, clock, chance, keeper=keeper, backoff=backoff, is_idempotent=is_idempotent)
        self._queues: dict[Id, _Queue] = {}
        self._unsettled: dict[str, Outgoing] = {}
        self._listeners = Listeners()
        self._keeping: set[asyncio.Task[None]] = set()
        self._timers: set[asyncio.Task[None]] = set()
        self._starting: asyncio.Task[None] | None = None
        self._closed = False

    # --- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take up what an earlier process left; once done, doing it again changes nothing.

        Raises:
            ConfigurationError, StoreError: the store cannot be used.
        """
        if not self._keeper.is_needed or self._closed:
            return
        if self._starting is None:
            self._starting = asyncio.get_running_loop().create_task(self._take_up())
        starting = self._starting
        try:
            await asyncio.shield(starting)
        except MessagingError:
            if self._starting is starting:
                self._starting = None
            raise

    def wake(self) -> None:
        """The server is there: what waited for it waits no longer."""
        self._delivery.gate.wake()

    async def drain(self, seconds: float) -> bool:
        """Wait until nothing is being sent, at most that long; gives whether that is so."""
        ends = self._clock.monotonic() + seconds
        while workers := {queue.worker for queue in self._queues.values() if queue.worker is not None}:
            ended = asyncio.ensure_future(asyncio.wait(workers))
            try:
                if not await finished_within(self._clock, ended, ends - self._clock.monotonic()):
                    return False
            finally:
                await end_task(ended)
        return True

    async def aclose(self) -> tuple[Message, ...]:
        """Send no more; gives what is not certain to be on the server. What the store holds is sent by another client.

        The store must be closed after this.
        """
        self._closed = True
        for timer in tuple(self._timers):
            await end_task(timer)
        # What is being written shall be, so that what is told of it here stays true.
        while keeping := {task for task in (*self._keeping, self._starting) if task is not None and not task.done()}:
            await asyncio.wait(keeping)
        for queue in tuple(self._queues.values()):
            await end_task(queue.delivery)
        if workers := {queue.worker for queue in self._queues.values() if queue.worker is not None}:
            await asyncio.wait(workers)
        for outgoing in tuple(self._unsettled.values()):
            self._part_with(outgoing)
        return tuple(each.pending for each in self._unsettled.values())

    # --- what is here ------------------------------------------------------------------------------------------------

    def pending(self, conversation_id: Id | None = None) -> tuple[Outgoing, ...]:
        """What is not certain to be on the server, oldest first; of one conversation, or of all."""
        return tuple(each for each in self._unsettled.values() if conversation_id in (None, each.conversation_id))

    def is_pending(self, client_message_id: str) -> bool:
        """Whether a message with this key is still here."""
        return client_message_id in self._unsettled

    def listen(self, conversation_id: Id, listener: Listener) -> Callable[[], None]:
        """Tell of every change of a conversation's messages on their way; returns what ends it."""
        return self._listeners.add(conversation_id, listener)

    # --- what users do -----------------------------------------------------------------------------------------------

    def submit(
        self,
        conversation_id: Id,
        content: str,
        kind: MessageType,
        user: User,
        *,
        after: datetime | None = None,
        deadline: float | None = None,
        timeout: float | None = None,
    ) -> Outgoing:
        """Put a message in its conversation's queue. It is kept once its `accepted` is done.

        Args:
            conversation_id: the conversation.
            content: the text, checked.
            kind: its type.
            user: who sends it.
            after: time of the newest message of the conversation: a pending one stands behind it.
            deadline: seconds after which it is given up.
            timeout: seconds for one request.

        Raises:
            OutboxFull: too many are unsent.
            NotConnected: the client was closed.
        """
        self.make_room(1)
        outgoing = Outgoing.new(
            conversation_id, content, kind, user, now=self._clock.now(), after=after, deadline=deadline, timeout=timeout
        )
        self._unsettled[outgoing.client_message_id] = outgoing
        self._enqueue(outgoing)
        if deadline is not None:
            self._start(self._expire(outgoing, deadline), self._timers)
        return outgoing

    def make_room(self, count: int) -> None:
        """Make sure that so many messages can be taken.

        Raises:
            OutboxFull: they cannot.
            NotConnected: the client was closed.
        """
        if self._closed:
            raise NotConnected("This client was closed; make another one.")
        if len(self._unsettled) + count > self._limit:
            raise OutboxFull(
                f"{len(self._unsettled)} messages are unsent, and {self._limit} may be (outbox_size): wait until some "
                "are confirmed, or discard some."
            )

    async def wait(self, outgoing: Outgoing) -> Message:
        """Wait for the end of a send; whoever is cancelled while waiting does not stop it.

        Raises:
            MessagingError: how it ended, other than with a confirmation.
        """
        await asyncio.wait({outgoing.done})
        return outgoing.done.result()

    async def accepted(self, outgoing: Outgoing) -> Message:
        """Wait until a message is kept; gives it as it stands then.

        Raises:
            ConfigurationError, StoreError: it could not be kept, and will not be sent.
        """
        await asyncio.wait({outgoing.accepted})
        outgoing.accepted.result()
        return outgoing.pending

    def retry(self, message: Message) -> Outgoing:
        """Send a refused or uncertain message again, under the same key; one that may be stored is looked for first.

        Raises:
            ValidationFailed: it is not here, or is being sent already.
            NotConnected: the client was closed.
        """
        outgoing = self._settled(message)
        self.make_room(0)
        loop = asyncio.get_running_loop()
        outgoing.accepted, outgoing.done = loop.create_future(), loop.create_future()
        outgoing.expires_at = None
        status, error = outgoing.pending.status, outgoing.error
        outgoing.become(MessageStatus.SENDING)
        self._enqueue(outgoing, undo=lambda: outgoing.become(status, error))
        return outgoing

    async def discard(self, message: Message) -> None:
        """Forget a refused or uncertain message.

        Raises:
            ValidationFailed: it is not here, or is being sent.
            StoreError: the store could not forget it; it stays.
        """
        outgoing = self._settled(message)
        await self._keeper.forget(outgoing)
        self._unsettled.pop(outgoing.client_message_id, None)
        self._listeners.tell(outgoing)

    def _settled(self, message: Message) -> Outgoing:
        outgoing = self._unsettled.get(message.client_message_id or "")
        if outgoing is None:
            raise ValidationFailed("The message is not among those unsent; see pending().", operation="send")
        if not outgoing.done.done() or outgoing.pending.status is MessageStatus.SENDING:
            raise ValidationFailed("The message is being sent; wait for its end.", operation="send")
        return outgoing

    # --- into the queues ---------------------------------------------------------------------------------------------

    def _enqueue(self, outgoing: Outgoing, undo: Callable[[], None] | None = None) -> None:
        """Give a message its place now; it is sent once it is kept."""
        self._put(outgoing)
        if self._keeper.is_needed:
            self._start(self._keep(outgoing, undo), self._keeping)
        else:
            outgoing.accepted.set_result(None)
        self._listeners.tell(outgoing)

    def _put(self, outgoing: Outgoing) -> None:
        queue = self._queues.setdefault(outgoing.conversation_id, _Queue())
        queue.waiting.append(outgoing)
        if queue.worker is None:
            queue.worker = asyncio.get_running_loop().create_task(self._work(outgoing.conversation_id, queue))

    async def _keep(self, outgoing: Outgoing, undo: Callable[[], None] | None) -> None:
        try:
            await self.start()
            await self._keeper.keep(outgoing)
        except Exception as failure:  # noqa: BLE001 - whatever it is, nobody may wait for ever
            error = failure if isinstance(failure, MessagingError) else MessagingError("The message could not be kept.")
            if undo is None:
                self._unsettled.pop(outgoing.client_message_id, None)
            else:
                undo()
            fail(outgoing.done, error)
            fail(outgoing.accepted, error)
            self._listeners.tell(outgoing)
        else:
            outgoing.accepted.set_result(None)

    async def _take_up(self) -> None:
        restored = await self._keeper.take_up()
        self._unsettled = {each.client_message_id: each for each in restored} | self._unsettled
        for outgoing in reversed([each for each in restored if each.error is None]):
            self._put(outgoing)
            self._queues[outgoing.conversation_id].waiting.rotate(1)  # before what was handed in meanwhile
            if outgoing.expires_at is not None:
                left = (outgoing.expires_at - self._clock.now()).total_seconds()
                self._start(self._expire(outgoing, max(0.0, left)), self._timers)
        for outgoing in restored:
            self._listeners.tell(outgoing)

    # --- out of the queues -------------------------------------------------------------------------------------------

    async def _work(self, conversation_id: Id, queue: _Queue) -> None:
        try:
            while queue.waiting and not self._closed:
                outgoing = queue.waiting[0]
                await asyncio.wait({outgoing.accepted})
                if queue.waiting[0] is not outgoing or self._closed:
                    continue  # others were taken up meanwhile, and go first
                if outgoing.accepted.exception() is None:
                    await self._send(queue, outgoing)
                queue.waiting.remove(outgoing)
        finally:
            queue.worker = None
            if not queue.waiting:
                self._queues.pop(conversation_id, None)

    async def _send(self, queue: _Queue, outgoing: Outgoing) -> None:
        queue.delivery = asyncio.get_running_loop().create_task(self._delivery.deliver(outgoing))
        await asyncio.wait({queue.delivery})
        delivery, queue.delivery = queue.delivery, None
        if delivery.cancelled():
            return  # given up, by `_give_up`
        error = delivery.exception()
        if error is None:
            await self._confirm(outgoing, delivery.result())
        elif isinstance(error, SendUncertain):
            await self._fail(outgoing, error, MessageStatus.UNCERTAIN)
        elif isinstance(error, MessagingError):
            await self._fail(outgoing, error, MessageStatus.ERROR)
        else:
            _log.error("message %s: %s", outgoing.client_message_id, type(error).__name__)
            unexpected = uncertain(None)
            unexpected.__cause__ = error
            await self._fail(outgoing, unexpected, MessageStatus.UNCERTAIN)

    async def _confirm(self, outgoing: Outgoing, message: Message) -> None:
        outgoing.confirmed = message
        self._exchange.confirmed(message)
        await self._keeper.note_confirmed(outgoing)
        self._unsettled.pop(outgoing.client_message_id, None)
        self._listeners.tell(outgoing)
        if not outgoing.done.done():
            outgoing.done.set_result(message)
        await self._exchange.relay(message)

    async def _fail(self, outgoing: Outgoing, error: MessagingError, status: MessageStatus) -> None:
        outgoing.become(status, error)
        await self._keeper.note(outgoing)
        fail(outgoing.done, error)
        self._listeners.tell(outgoing)

    async def _expire(self, outgoing: Outgoing, seconds: float) -> None:
        if not await finished_within(self._clock, outgoing.done, seconds):
            await self._give_up(outgoing, seconds)

    async def _give_up(self, outgoing: Outgoing, seconds: float) -> None:
        """Stop sending a message whose time is over."""
        await asyncio.wait({outgoing.accepted})
        queue = self._queues.get(outgoing.conversation_id)
        if queue is None or outgoing not in queue.waiting or outgoing.done.done():
            return
        if queue.waiting[0] is outgoing:
            delivery = queue.delivery
            await end_task(delivery)
            if delivery is not None and not delivery.cancelled():
                return  # it came to its end at the last moment
        else:
            queue.waiting.remove(outgoing)
        if outgoing.may_have_left:
            error: MessagingError = uncertain(None)
            await self._fail(outgoing, error, MessageStatus.UNCERTAIN)
        else:
            text = f"The message was not sent within {seconds:g} s, and was given up: retry or discard it."
            await self._fail(outgoing, RequestTimeout(text), MessageStatus.ERROR)

    # --- helpers -----------------------------------------------------------------------------------------------------

    def _part_with(self, outgoing: Outgoing) -> None:
        """Say what becomes of a message that the closing client does not send any more."""
        if outgoing.done.done():
            return
        left = outgoing.may_have_left
        if outgoing.is_kept:
            text = "The client was closed before the message was confirmed; the next client on the same store sends it."
        else:
            text = "The client was closed before the message was confirmed" + ("; it may be stored." if left else ".")
            outgoing.become(MessageStatus.UNCERTAIN if left else MessageStatus.ERROR)
        outgoing.error = ConnectionLost(text, may_have_left=left)
        fail(outgoing.done, outgoing.error)
        self._listeners.tell(outgoing)

    def _start(self, work: Coroutine[Any, Any, None], place: set[asyncio.Task[None]]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        place.add(task)
        task.add_done_callback(place.discard)
