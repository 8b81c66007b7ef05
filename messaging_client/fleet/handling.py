"""One event in the hands of a worker: handled, tried again later, or set aside."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nats.aio.msg import Msg
from nats.js import JetStreamContext

from messaging_client.client import MessagingClient
from messaging_client.clock import is_being_cancelled, new_task
from messaging_client.fleet.deliveries import Delivery
from messaging_client.fleet.envelopes import IDENTITY, Envelope, Event, UnknownForm, Unreadable, unpacked
from messaging_client.fleet.layout import Layout
from messaging_client.fleet.shelves import Handled
from messaging_client.fleet.troubles import TROUBLES
from messaging_client.observing.logs import say

_log = logging.getLogger("messaging_client.fleet.worker")

Handler = Callable[[Any, Delivery], Awaitable[None]]
"""A handler takes events of the kinds that its worker asks for, `Message` alone unless told."""

UNKNOWN_FORM_DELAY = 5.0
"""Seconds after which an event of a newer form is offered again, to a newer worker perhaps."""
_LONGEST_TEXT = 2000  # characters of an error's text that are set aside with an event


@dataclass(slots=True)
class WorkerStats:
    """Counters of a worker since it was made.

    Attributes:
        handled: events that a handler has had without raising.
        skipped: events that were handled before, or that the handler does not want.
        failed: times that a handler raised.
        redelivered: events that came more than once.
        dead: events that were set aside.
    """

    handled: int = 0
    skipped: int = 0
    failed: int = 0
    redelivered: int = 0
    dead: int = 0


class Handling:
    """Gives events to the handler, and says to the stream what became of them."""

    js: JetStreamContext

    def __init__(
        self,
        handler: Handler,
        layout: Layout,
        client: MessagingClient | None,
        *,
        ack_wait: float,
        backoff: tuple[float, ...],
        events: tuple[type[Event], ...],
        own: bool,
        later: Callable[[int, float], None],
    ) -> None:
        self._handler = handler
        self._layout = layout
        self._client = client
        self._ack_wait = ack_wait
        self._backoff = backoff
        self._events = events
        self._own = own
        self._later = later
        self._stats = WorkerStats()

    def stats(self) -> WorkerStats:
        """Give the counters, as they are now."""
        counted = self._stats
        return WorkerStats(counted.handled, counted.skipped, counted.failed, counted.redelivered, counted.dead)

    async def handle(self, message: Msg, partition: int, handled: Handled) -> bool:
        """Handle one event.

        Returns:
            Whether it is done with, and is to be acknowledged; if not, its partition waits.
        """
        number = message.metadata.num_delivered
        self._stats.redelivered += number > 1
        try:
            sent = unpacked(message.data, message.headers)
        except UnknownForm as error:
            say(_log, logging.ERROR, "event has a newer form: upgrade this worker", reason=str(error))
            return await self._put_off(message, partition, UNKNOWN_FORM_DELAY)
        except Unreadable as error:
            await self._set_aside(message, partition, number, error)
            return True
        if not self._wants(sent) or await handled.has(sent.conversation_id, sent.identity):
            self._stats.skipped += 1
            return True
        beat = _Beat(message, self._ack_wait)
        delivery = Delivery(sent, number, partition, self._layout.account, self._client)
        try:
            async with beat:
                await self._handler(sent.event, delivery)
        except (Exception, asyncio.CancelledError) as error:  # whatever a handler raises: tried again, or set aside
            if is_cancelled(error):
                with contextlib.suppress(*TROUBLES):
                    await message.nak()
                raise
            self._stats.failed += 1
            if number <= len(self._backoff):
                say(_log, logging.WARNING, "handler failed", identity=sent.identity, delivery=number, error=error)
                return await self._put_off(message, partition, self._backoff[number - 1])
            await self._set_aside(message, partition, number, error)
            return True
        self._stats.handled += 1
        # Noted before the acknowledgement: in the other order, a copy that came later would be handled again.
        await handled.add(sent.conversation_id, sent.identity)
        if beat.was_silent:
            # Another worker may have the event in hand: an acknowledgement would give out the next one meanwhile.
            say(_log, logging.WARNING, "event is left to other workers", identity=sent.identity)
            return False
        return True

    def _wants(self, sent: Envelope) -> bool:
        return isinstance(sent.event, self._events) and (self._own or not sent.is_own)

    async def _put_off(self, message: Msg, partition: int, seconds: float) -> bool:
        await message.nak(delay=seconds)
        self._later(partition, seconds)
        return False

    async def _set_aside(self, message: Msg, partition: int, number: int, error: BaseException) -> None:
        """Put an event into the stream of what could not be handled, with its error; then its partition goes on."""
        told = message.headers or {}
        name = message.subject.rpartition(".")[2]
        aside = {
            "event": message.data.decode(errors="replace"),
            "headers": dict(told),
            "error": {"type": type(error).__name__, "text": str(error)[:_LONGEST_TEXT]},
            "deliveries": number,
            "set_aside_at": datetime.now(UTC).isoformat(),
        }
        identity = told.get(IDENTITY) or f"sequence-{message.metadata.sequence.stream}"
        await self.js.publish(
            self._layout.dead_subject(partition, name),
            json.dumps(aside, ensure_ascii=False).encode(errors="replace"),
            headers={IDENTITY: f"dead-{identity}"},
        )
        self._stats.dead += 1
        say(_log, logging.ERROR, "event is set aside", identity=identity, delivery=number, error=error)


def is_cancelled(error: BaseException) -> bool:
    """Whether this task is being cancelled: not where a handler lets out that something of its own was."""
    return isinstance(error, asyncio.CancelledError) and is_being_cancelled()


class _Beat:
    """Tells the stream, while a handler runs, that somebody is at it. Most are through before the first time."""

    def __init__(self, message: Msg, ack_wait: float) -> None:
        self._message = message
        self._ack_wait = ack_wait
        self._heard = time.monotonic()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def was_silent(self) -> bool:
        """Whether the process stood still for so long that the event may have been given to another worker."""
        return time.monotonic() - self._heard > self._ack_wait

    async def __aenter__(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._ack_wait / 3, self._begin)

    async def __aexit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _begin(self) -> None:
        self._task = new_task(self._go_on())

    async def _go_on(self) -> None:
        while not self.was_silent:
            with contextlib.suppress(*TROUBLES):
                await self._message.in_progress()
                self._heard = time.monotonic()
            await asyncio.sleep(self._ack_wait / 3)
