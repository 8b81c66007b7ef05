"""One queue per conversation, the head first, several conversations at a time; and how each message ends."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from messaging_client.clock import CancelledWithin, Interrupted, Interruptible, new_task, until_done
from messaging_client.errors import ConnectionLost, MessagingError, RequestTimeout, SendUncertain
from messaging_client.models import Id, Message, MessageStatus
from messaging_client.observing.logs import say
from messaging_client.observing.observer import Observer
from messaging_client.outbox.delivery import Delivery
from messaging_client.outbox.keeper import Keeper
from messaging_client.outbox.outgoing import Outgoing, fail
from messaging_client.outbox.settling import uncertain

_log = logging.getLogger("messaging_client.outbox")


@dataclass
class _Queue:
    waiting: deque[Outgoing] = field(default_factory=deque)
    worker: asyncio.Task[None] | None = None
    delivery: Interruptible | None = None

    def stop(self) -> None:
        """Send the head no longer; its worker decides its end."""
        if self.delivery is not None:
            self.delivery.interrupt()


class Queues:
    """Takes messages to their ends.

    Args:
        delivery: sends one.
        keeper: writes down where they stand.
        confirmed: told of what the server has stored, before it is forgotten here.
        ended: told of every message that has come to its end.
        observer: what is done for a message is done within its `within_send`.
    """

    def __init__(
        self,
        delivery: Delivery,
        keeper: Keeper,
        *,
        confirmed: Callable[[Message], None],
        ended: Callable[[Outgoing], None],
        observer: Observer,
    ) -> None:
        self._observer = observer
        self._delivery = delivery
        self._keeper = keeper
        self._confirmed = confirmed
        self._ended = ended
        self._queues: dict[Id, _Queue] = {}
        self._is_closed = False

    @property
    def workers(self) -> set[asyncio.Task[None]]:
        """The tasks of queues with something in them."""
        return {queue.worker for queue in self._queues.values() if queue.worker is not None}

    def put(self, outgoing: Outgoing, *, first: bool = False) -> None:
        """Give a message its place: the last, or the first for what an earlier process left."""
        queue = self._queues.setdefault(outgoing.conversation_id, _Queue())
        if first:
            queue.waiting.appendleft(outgoing)
        else:
            queue.waiting.append(outgoing)
        if queue.worker is None:
            queue.worker = new_task(self._work(outgoing.conversation_id, queue))

    async def aclose(self) -> None:
        """Send no more; what is under way ends as it stands."""
        self._is_closed = True
        for queue in tuple(self._queues.values()):
            queue.stop()
        if workers := self.workers:
            await asyncio.wait(workers)

    async def give_up(self, outgoing: Outgoing, seconds: float) -> None:
        """Stop sending a message whose time is over, unless its end is decided.

        Of the head its worker alone decides the end, so that there is one, however long the store takes.
        """
        await until_done(outgoing.accepted)
        queue = self._queues.get(outgoing.conversation_id)
        if queue is None or outgoing not in queue.waiting:
            return
        outgoing.given_up_after = seconds
        if queue.waiting[0] is outgoing:
            queue.stop()  # its worker sees to it, now or before it begins
        else:
            queue.waiting.remove(outgoing)
            await self.end_given_up(outgoing, seconds)

    async def _work(self, conversation_id: Id, queue: _Queue) -> None:
        try:
            while queue.waiting and not self._is_closed:
                outgoing = queue.waiting[0]
                await until_done(outgoing.accepted)
                if self._is_closed or not queue.waiting or queue.waiting[0] is not outgoing:
                    continue  # others were taken up meanwhile, and go first
                if outgoing.accepted.exception() is None:
                    try:
                        await self._send(queue, outgoing)
                    except Exception as error:  # noqa: BLE001 - its end is decided: it must not be sent again
                        say(
                            _log,
                            logging.ERROR,
                            "send ended unexpectedly",
                            client_message_id=outgoing.client_message_id,
                            attempts=outgoing.attempts,
                            error=error,
                        )
                if not queue.waiting or queue.waiting[0] is not outgoing:
                    continue
                queue.waiting.popleft()
        finally:
            queue.worker = None
            if not queue.waiting:
                self._queues.pop(conversation_id, None)

    async def _send(self, queue: _Queue, outgoing: Outgoing) -> None:
        if outgoing.given_up_after is None:
            queue.delivery = Interruptible()
            try:
                with self._observer.within_send(outgoing):
                    message = await queue.delivery.run(self._delivery.deliver(outgoing))
            except (Interrupted, CancelledWithin):
                pass
            except Exception as error:  # noqa: BLE001 - whatever it is, the message must have its end
                await self._not_confirmed(outgoing, error)
                return
            else:
                await self._confirm(outgoing, message)
                return
            finally:
                queue.delivery = None
        if outgoing.given_up_after is not None:
            await self.end_given_up(outgoing, outgoing.given_up_after)
        elif not self._is_closed:
            await self._fail(outgoing, uncertain(None), MessageStatus.UNCERTAIN)  # nobody of ours has cancelled it

    async def _not_confirmed(self, outgoing: Outgoing, error: Exception) -> None:
        if isinstance(error, SendUncertain):
            await self._fail(outgoing, error, MessageStatus.UNCERTAIN)
        elif isinstance(error, MessagingError):
            await self._fail(outgoing, error, MessageStatus.ERROR)
        else:
            say(
                _log,
                logging.ERROR,
                "send ended unexpectedly",
                client_message_id=outgoing.client_message_id,
                attempts=outgoing.attempts,
                error=error,
            )
            unexpected = uncertain(None)
            unexpected.__cause__ = error
            await self._fail(outgoing, unexpected, MessageStatus.UNCERTAIN)

    # --- ends --------------------------------------------------------------------------------------------------------

    async def _confirm(self, outgoing: Outgoing, message: Message) -> None:
        outgoing.confirmed = message
        try:
            self._confirmed(message)
        except Exception as error:  # noqa: BLE001 - it is stored, and must not be sent again for what others do
            say(_log, logging.ERROR, "message is confirmed but was not told", message_id=message.id, error=error)
        try:
            await self._keeper.note_confirmed(outgoing, message.id)
        finally:
            if not outgoing.done.done():
                outgoing.done.set_result(message)
            self._ended(outgoing)

    async def end_given_up(self, outgoing: Outgoing, seconds: float) -> None:
        """End a message whose time is over as what it is: not sent, or perhaps stored."""
        if outgoing.may_have_left:
            await self._fail(outgoing, uncertain(None), MessageStatus.UNCERTAIN)
        else:
            text = f"The message was not sent within {seconds:g} s, and was given up: retry or discard it."
            await self._fail(outgoing, RequestTimeout(text), MessageStatus.ERROR)

    async def _fail(self, outgoing: Outgoing, error: MessagingError, status: MessageStatus) -> None:
        outgoing.become(status, error)
        try:
            await self._keeper.note(outgoing)
        finally:
            fail(outgoing.done, error)
            self._ended(outgoing)


def part_with(outgoing: Outgoing) -> None:
    """Say what becomes of a message that a closing client does not send any more."""
    left = outgoing.may_have_left
    if outgoing.is_kept:
        text = "The client was closed before the message was confirmed; the next client on the same store sends it."
    else:
        text = "The client was closed before the message was confirmed" + ("; it may be stored." if left else ".")
        outgoing.become(MessageStatus.UNCERTAIN if left else MessageStatus.ERROR)
    outgoing.error = ConnectionLost(text, may_have_left=left)
    fail(outgoing.done, outgoing.error)
