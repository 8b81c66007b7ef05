"""The outbox: one queue per conversation, the head first, several conversations at a time.

A send ends in one of three ways: confirmed, refused, or uncertain because it may have been stored and nobody said so.
What was refused or is uncertain stays here, until it is retried or discarded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from random import Random
from typing import Any

from messaging_client.arguments import checked_message
from messaging_client.clock import Clock, end_task, finished_within, new_task, until_done
from messaging_client.errors import MessagingError, NotConnected, OutboxFull, ValidationFailed
from messaging_client.few import Few
from messaging_client.models import Id, Message, MessageStatus, MessageType, User
from messaging_client.observing.observer import Observer
from messaging_client.outbox.delivery import Delivery
from messaging_client.outbox.exchange import Exchange
from messaging_client.outbox.keeper import Keeper
from messaging_client.outbox.listeners import Listener, Listeners
from messaging_client.outbox.outgoing import Outgoing, fail
from messaging_client.outbox.queues import Queues, part_with
from messaging_client.outbox.relays import Relays
from messaging_client.transport.retry import Backoff


class Outbox:
    """Sends what it is given, in order, until it is certain.

    Args:
        exchange: what it needs of the rest of the client.
        clock, chance: time and chance, given so that tests decide on them.
        keeper: writes down what must outlive the process.
        limit: messages that may be unsent at a time.
        is_idempotent: whether the server honours `Idempotency-Key`.
        backoff: how long to wait after failures.
        observer: told of every message as it begins and ends.
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
        observer: Observer | None = None,
    ) -> None:
        self._observer = observer or Observer()
        self._clock = clock
        self._keeper = keeper
        self._limit = limit
        self._delivery = Delivery(exchange, clock, chance, keeper=keeper, backoff=backoff, is_idempotent=is_idempotent)
        self._unsettled: dict[str, Outgoing] = {}
        self._listeners = Listeners()
        self._relays = Relays(exchange.relay)
        self._queues = Queues(
            self._delivery, keeper, confirmed=exchange.confirmed, ended=self._ended, observer=self._observer
        )
        self._writing: Few[asyncio.Task[None]] = Few()
        self._timers: Few[asyncio.Task[None]] = Few()
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
            self._starting = new_task(self._take_up())
        starting = self._starting
        try:
            await asyncio.shield(starting)
        except MessagingError:
            if self._starting is starting:
                self._starting = None
            raise

    def wake(self) -> None:
        """The server is there, and takes the token: what waited for it waits no longer."""
        self._delivery.gate.wake()
        self._relays.wake()

    def token_changed(self) -> None:
        """There is another token: what a refused one held back waits no longer."""
        self._delivery.gate.release()

    async def drain(self, seconds: float) -> bool:
        """Wait until nothing is being sent or relayed, at most that long; gives whether that is so."""
        ends = self._clock.monotonic() + seconds
        while working := {*self._queues.workers, *filter(None, [self._relays.worker])}:
            ended = asyncio.ensure_future(asyncio.wait(working))
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
        while writing := {task for task in (*self._writing, self._starting) if task is not None and not task.done()}:
            await asyncio.wait(writing)
        await self._queues.aclose()
        await self._relays.aclose()
        for outgoing in tuple(self._unsettled.values()):
            if not outgoing.done.done():
                if outgoing.is_kept and outgoing.attempts:
                    await self._keeper.note(outgoing)  # whether it may have left is known better than before it did
                part_with(outgoing)
                self._observer.send_parted(outgoing, outgoing.error)
                self._listeners.tell(outgoing)
        return tuple(each.pending for each in self._unsettled.values())

    # --- what was sent by another way --------------------------------------------------------------------------------

    def expect(self, key: str, conversation_id: Id, content: str) -> None:
        """A message goes another way, under this key: as long as there is no word, it may be there under any id."""
        self._delivery.claims.expect(key, conversation_id, content)

    def expect_no_more(self, key: str) -> None:
        """It is certain that it is not there."""
        self._delivery.claims.expect_no_more(key)

    async def learn_stored(self, key: str, conversation_id: Id, message_id: Id) -> None:
        """It is there, under this id: none of the messages here is taken for it."""
        self._delivery.learn_stored(conversation_id, message_id)
        self._delivery.claims.expect_no_more(key)
        await self._keeper.note_stored(conversation_id, message_id)

    # --- what is here ------------------------------------------------------------------------------------------------

    def pending(self, conversation_id: Id | None = None) -> tuple[Outgoing, ...]:
        """What is not certain to be on the server, oldest first; of one conversation, or of all."""
        return tuple(each for each in self._unsettled.values() if conversation_id in (None, each.conversation_id))

    @property
    def unsettled(self) -> int:
        """How many are not certain to be on the server; may be asked in any thread."""
        return len(self._unsettled)

    def is_pending(self, client_message_id: str) -> bool:
        """Whether a message with this key is still here."""
        return client_message_id in self._unsettled

    def find(self, client_message_id: str) -> Outgoing | None:
        """Give the message with this key, if it is still here."""
        return self._unsettled.get(client_message_id)

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
        key: str | None = None,
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
            key: its client message id; None makes one.

        Raises:
            OutboxFull: too many are unsent.
            NotConnected: the client was closed.
        """
        self.make_room(1)
        outgoing = Outgoing.new(
            conversation_id,
            content,
            kind,
            user,
            now=self._clock.now(),
            after=after,
            deadline=deadline,
            timeout=timeout,
            key=key,
        )
        self._unsettled[outgoing.client_message_id] = outgoing
        self._delivery.gate.release()
        self._begin(outgoing)
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
        await until_done(outgoing.done)
        return outgoing.done.result()

    async def accepted(self, outgoing: Outgoing) -> Message:
        """Wait until a message is kept; gives it as it stands then.

        Raises:
            ConfigurationError, StoreError: it could not be kept, and will not be sent.
        """
        await until_done(outgoing.accepted)
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
        outgoing.expires_at = outgoing.given_up_after = None
        self._delivery.gate.release()
        status, error = outgoing.pending.status, outgoing.error
        outgoing.become(MessageStatus.SENDING)
        self._begin(outgoing)
        self._enqueue(outgoing, undo=lambda: outgoing.become(status, error))
        return outgoing

    async def discard(self, message: Message) -> None:
        """Forget a refused or uncertain message.

        Raises:
            ValidationFailed: it is not here, or is being sent.
            StoreError: the store could not forget it; it stays.
        """
        outgoing = self._settled(message)
        outgoing.is_being_discarded = True
        try:
            await self._keeper.forget(outgoing)
        finally:
            outgoing.is_being_discarded = False
        self._unsettled.pop(outgoing.client_message_id, None)
        self._listeners.tell(outgoing)

    def _settled(self, message: Message) -> Outgoing:
        outgoing = self._unsettled.get(checked_message("send", message).client_message_id or "")
        if outgoing is None:
            raise ValidationFailed("The message is not among those unsent; see pending().", operation="send")
        if not outgoing.done.done() or outgoing.pending.status is MessageStatus.SENDING:
            raise ValidationFailed("The message is being sent; wait for its end.", operation="send")
        if outgoing.is_being_discarded:
            raise ValidationFailed("The message is being discarded.", operation="send")
        return outgoing

    # --- into the queues ---------------------------------------------------------------------------------------------

    def _enqueue(self, outgoing: Outgoing, undo: Callable[[], None] | None = None) -> None:
        """Give a message its place now; it is sent once it is kept."""
        self._queues.put(outgoing)
        if self._keeper.is_needed:
            self._start(self._keep(outgoing, undo), self._writing)
        else:
            outgoing.accepted.set_result(None)
        self._listeners.tell(outgoing)

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
            self._observer.send_ended(outgoing, self._clock.monotonic() - outgoing.began_at, error)
            fail(outgoing.done, error)
            fail(outgoing.accepted, error)
            self._listeners.tell(outgoing)
        else:
            outgoing.accepted.set_result(None)

    async def _take_up(self) -> None:
        restored = await self._keeper.take_up()
        self._delivery.claims.restore(await self._keeper.claims())
        self._unsettled = {each.client_message_id: each for each in restored} | self._unsettled
        now = self._clock.now()
        for outgoing in reversed([each for each in restored if each.error is None]):
            self._begin(outgoing, is_restored=True)
            left = None if outgoing.expires_at is None else (outgoing.expires_at - now).total_seconds()
            if left is not None and left <= 0:
                self._start(self._queues.end_given_up(outgoing, _given(outgoing)), self._writing)
                continue
            self._queues.put(outgoing, first=True)  # before what was handed in meanwhile
            if left is not None:
                self._start(self._expire(outgoing, left), self._timers)
        for outgoing in restored:
            self._listeners.tell(outgoing)

    # --- helpers -----------------------------------------------------------------------------------------------------

    def _begin(self, outgoing: Outgoing, *, is_restored: bool = False) -> None:
        outgoing.began_at = self._clock.monotonic()
        self._observer.send_began(outgoing, is_restored=is_restored)

    def _ended(self, outgoing: Outgoing) -> None:
        """A message has come to its end."""
        self._observer.send_ended(outgoing, self._clock.monotonic() - outgoing.began_at, outgoing.error)
        if outgoing.confirmed is not None:
            self._unsettled.pop(outgoing.client_message_id, None)
            self._relays.add(outgoing.confirmed)
        self._listeners.tell(outgoing)

    async def _expire(self, outgoing: Outgoing, seconds: float) -> None:
        if not await finished_within(self._clock, outgoing.done, seconds):
            # Closing ends timers, but not what one has begun: what is told must stand in the file.
            self._start(self._queues.give_up(outgoing, seconds), self._writing)

    def _start(self, work: Coroutine[Any, Any, None], place: Few[asyncio.Task[None]]) -> None:
        task = new_task(work)
        place.add(task)
        task.add_done_callback(place.discard)


def _given(outgoing: Outgoing) -> float:
    """Seconds that a message was given."""
    assert outgoing.expires_at is not None
    return (outgoing.expires_at - outgoing.created_at).total_seconds()
