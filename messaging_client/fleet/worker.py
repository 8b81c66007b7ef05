"""Workers: events are taken from the stream, handled in order, and answered once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nats.aio.client import Client as Nats
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from messaging_client.client import MessagingClient
from messaging_client.clock import new_task
from messaging_client.errors import ConfigurationError
from messaging_client.fleet.board import Board, Rest
from messaging_client.fleet.envelopes import Event
from messaging_client.fleet.handling import Handler, Handling, WorkerStats
from messaging_client.fleet.layout import Layout
from messaging_client.fleet.life import EVENTS, WAITING, Life
from messaging_client.fleet.shelves import Handled
from messaging_client.fleet.streams import acknowledge_for_next, bucket, check, consumers, ensure_consumer, next_event
from messaging_client.fleet.troubles import TROUBLES
from messaging_client.models import Message
from messaging_client.observing.logs import say

if TYPE_CHECKING:
    from messaging_client.observing.measurements import Reading

_log = logging.getLogger("messaging_client.fleet.worker")

LOOK_INTERVAL = 1.0
"""Seconds between two looks at all partitions, for what no hint told: work that a dead worker left, lost hints."""

_PAUSE = 0.2  # seconds after trouble with NATS
_TURN = 64  # events of one partition in a row while others wait


class Worker(Life):
    """Handles the events of an account, any number of workers together.

    The events of one conversation are handled one after the other, in order, whichever worker has them; those of
    different partitions side by side. An event is handled at least once: it comes again when a handler raises, or when
    a worker ends before the event was acknowledged. What the stream holds twice is handled once.

    Args:
        nats_url: of the NATS server, such as `nats://localhost:4222`; several of a cluster in a list, or with commas.
        account: name of the account, as its relays have it.
        handler: an async function of the event and its `Delivery`.
        client: a client of the account for answers over REST; it need not be connected. The worker does not close it.
        partitions: as its relays have it.
        concurrency: partitions that are worked off at a time in this worker.
        ack_wait: seconds after which what a dead worker had in hand is given to another; the same in all workers.
        backoff: seconds to wait after the first, second, ... failure of the same event; after one failure more it is
            set aside in the stream `messaging-<account>-dead`.
        events: what the handler is given; what else is relayed is let go.
        own: also handle what the account itself wrote.
        nats_options: further arguments of `nats.connect`.

    Raises:
        ConfigurationError: an argument is of no use.
    """

    def __init__(
        self,
        nats_url: str | list[str],
        account: str,
        handler: Handler,
        *,
        client: MessagingClient | None = None,
        partitions: int = 32,
        concurrency: int = 8,
        ack_wait: float = 30.0,
        backoff: tuple[float, ...] = (1.0, 5.0, 30.0, 120.0),
        events: tuple[type[Event], ...] = (Message,),
        own: bool = False,
        nats_options: dict[str, Any] | None = None,
    ) -> None:
        if not callable(handler):
            raise ConfigurationError("handler must be an async function of an event and its delivery.")
        if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1:
            raise ConfigurationError("concurrency must be an integer from 1 on.")
        if isinstance(ack_wait, bool) or not isinstance(ack_wait, int | float) or not 0.5 <= ack_wait <= 3600:
            raise ConfigurationError("ack_wait must be from 0.5 seconds to an hour.")
        super().__init__(nats_url, nats_options)
        self._layout = Layout(account, partitions)
        self._concurrency = min(concurrency, partitions)
        self._ack_wait = float(ack_wait)
        self._client = client
        self._board = Board()
        self._handling = Handling(
            handler,
            self._layout,
            client,
            ack_wait=self._ack_wait,
            backoff=tuple(backoff),
            events=events,
            own=own,
            later=self._later,
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._slots: list[asyncio.Task[None]] = []
        self._timers: set[asyncio.Task[None]] = set()
        self._handled: dict[int, Handled] = {}
        self._done = asyncio.Event()
        self._waiting: dict[int, int] = {}

    def __repr__(self) -> str:
        return f"<Worker {self._layout.account}>"

    def stats(self) -> WorkerStats:
        """Give the counters, as they are now."""
        return self._handling.stats()

    def _readings(self) -> tuple[dict[Reading, int], dict[Reading, int]]:
        counted = {(EVENTS, outcome): number for outcome, number in asdict(self.stats()).items()}
        return counted, {(WAITING, str(partition)): number for partition, number in self._waiting.items()}

    # --- life --------------------------------------------------------------------------------------------------------

    async def _begin(self, served: Nats) -> None:
        layout = self._layout
        js = served.jetstream(timeout=5)
        client = self._client
        await check(js, layout, layout.own_marks() if client is None else layout.marks(*await client._identity()))
        shelf = await bucket(js, layout.handled)
        for partition in range(layout.partitions):
            await ensure_consumer(js, layout, partition, self._ack_wait)
            self._handled[partition] = Handled(shelf, partition)
        self._handling.js = js
        await served.subscribe(layout.news("*"), cb=self._news)
        self._tasks = [new_task(self._look(js))]
        self._slots = [new_task(self._slot()) for _ in range(self._concurrency)]

    async def run(self) -> None:
        """Start, and handle events until this is cancelled or `aclose` is called; then stop."""
        async with self:
            await self._done.wait()

    async def aclose(self, drain: float = 10.0) -> None:
        """Take no more; what is being handled gets time to end, and is given to other workers if it does not.

        Args:
            drain: seconds for handlers that run.
        """
        self._done.set()
        await self._board.close()
        for task in (*self._tasks, *self._timers):
            task.cancel()
        if self._slots:
            _, late = await asyncio.wait(self._slots, timeout=drain)
            for task in late:
                task.cancel()
        await asyncio.gather(*self._slots, *self._tasks, *self._timers, return_exceptions=True)
        await super().aclose(drain)

    # --- finding work ------------------------------------------------------------------------------------------------

    async def _news(self, message: Msg) -> None:
        """The stream has another event; who is first takes it."""
        last = message.subject.rpartition(".")[2]
        if last.isdigit() and int(last) < self._layout.partitions:
            await self._board.hint(int(last))

    async def _look(self, js: JetStreamContext) -> None:
        names = {self._layout.consumer(each): each for each in range(self._layout.partitions)}
        while True:
            try:
                await self._board.looked(*await self._with_work(js, names))
            except TROUBLES as error:
                say(_log, logging.WARNING, "NATS cannot be asked for work", error=error)
            await asyncio.sleep(LOOK_INTERVAL)

    async def _with_work(self, js: JetStreamContext, names: Mapping[str, int]) -> tuple[set[int], set[int]]:
        """Give the partitions whose events wait in no hand, and those of which one is in a hand."""
        listed = {names[each.name]: each for each in await consumers(js, self._layout) if each.name in names}
        self._waiting = {partition: each.num_pending or 0 for partition, each in listed.items()}
        in_hand = {partition for partition, each in listed.items() if each.num_ack_pending}
        return {partition for partition, waiting in self._waiting.items() if waiting} - in_hand, in_hand

    def _later(self, partition: int, seconds: float) -> None:
        """Look at a partition again after a while."""

        async def wait() -> None:
            await asyncio.sleep(seconds)
            await self._board.hint(partition)

        task = new_task(wait())
        self._timers.add(task)
        task.add_done_callback(self._timers.discard)

    # --- working it off ----------------------------------------------------------------------------------------------

    async def _slot(self) -> None:
        while (taken := await self._board.take()) is not None:
            partition, is_new = taken
            rest = Rest.NOTHING
            try:
                rest = await self._turn(partition, is_new=is_new)
            except Exception as error:  # noqa: BLE001 - a slot must not end; what it had comes again
                say(_log, logging.WARNING, "partition is left for a moment", partition=partition, error=error)
                await asyncio.sleep(_PAUSE)
                rest = Rest.MORE
            finally:
                await asyncio.shield(self._board.release(partition, rest))

    async def _turn(self, partition: int, *, is_new: bool) -> Rest:
        """Work off a partition until it is empty, another worker has it, or others have waited long enough."""
        if self._done.is_set() or self._nats is None:
            return Rest.NOTHING
        handled, last = self._handled[partition], 0
        handled.forget()
        message, left = await next_event(self._nats, self._layout, partition, is_new=is_new), _TURN
        if message is None:
            return Rest.NOTHING
        while message is not None:
            told, left = message.metadata, left - 1
            if last and told.sequence.consumer != last + 1:
                handled.forget()  # another worker had the partition in between
            last = told.sequence.consumer
            if not await self._handling.handle(message, partition, handled):
                return Rest.NOTHING
            if self._nats is None or self._done.is_set() or not left or not told.num_pending:
                await message.ack_sync(timeout=5)
                return Rest.MORE if told.num_pending else Rest.NOTHING
            message = await acknowledge_for_next(self._nats, message)
        return Rest.ELSEWHERE
