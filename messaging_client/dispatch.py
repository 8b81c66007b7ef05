"""Delivery to users: in order, each subscription by itself, none able to hold up another or the connection.

Every subscription has one bounded queue. A worker runs only while something waits in it, and a moment longer, so that
an idle client has no tasks for them. When a queue is full, events drop the oldest and count it; messages are never
dropped: the subscription notes from where it must catch up, and reads them back from the server once it has drained.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Awaitable, Callable, MutableSet, Set
from typing import Any, Protocol, TypeVar

from messaging_client.boundary import without_frames
from messaging_client.clock import Clock, SystemClock, end_task, finished_within
from messaging_client.consumers import Consumer, Onlooker, Subscription
from messaging_client.events import CustomEvent, GapDetected, HandlerError, SlowConsumer
from messaging_client.few import Few
from messaging_client.lags import Order, Refill
from messaging_client.models import Id, Message
from messaging_client.observing.logs import say
from messaging_client.streams import EventStream

_log = logging.getLogger("messaging_client.dispatch")

E = TypeVar("E")
Handler = Callable[[E], Awaitable[None] | None]
Place = tuple[Consumer[Any], ...]
Table = dict[Any, Place]

CANCEL_TIMEOUT = 1.0
"""Real seconds that a handler gets to end once it is cancelled."""

_LINGER = 0.05
"""Real seconds without an event after which a worker ends, at twice as many the latest: an idle client has no tasks."""

_LOOK_AGAIN = 0.1  # real seconds after which a drain looks anew at whom it need not wait for
_REPORTS = (SlowConsumer, HandlerError)
_NOBODY: Place = ()


Around = Callable[[Callable[..., Any], str], Callable[..., Any]]


def _as_it_is(handler: Callable[..., Any], _kind: str) -> Callable[..., Any]:
    return handler


class Tap(Protocol):
    """Somebody who looks at every event as it comes, without a queue."""

    def offer(self, event: Any) -> None:
        """Look at an event."""
        ...

    def closed(self) -> None:
        """No event comes any more."""
        ...


class Dispatcher:
    """Who gets which event.

    Args:
        queue_size: events that may wait for one subscription.
        refill: how a subscription that fell behind reads messages back.
        order: the order of messages within a conversation.
        clock: time.
        around: gives what is called in place of a handler, for a kind of event.

    Attributes:
        workers: the tasks that run handlers, or wait a moment for the next event.
        handler_errors: how many exceptions came out of handlers.
        gaps: how many stretches could not be proven complete.
    """

    def __init__(
        self, queue_size: int, *, refill: Refill, order: Order, clock: Clock | None = None, around: Around = _as_it_is
    ) -> None:
        self._queue_size = queue_size
        self._everywhere: Table = {}
        self._in_conversation: Table = {}
        self._custom: Table = {}
        self._places: dict[Consumer[Any], tuple[tuple[Table, Any], ...]] = {}
        self._closed = False
        self.refill = refill
        self.order = order
        self.clock = clock or SystemClock()
        self._taps: weakref.WeakSet[Tap] | None = None  # an empty one takes a kilobyte
        self._has_taps = False  # or had when the last event came; asking the set takes longer
        self.workers: MutableSet[asyncio.Task[None]] = Few()
        self._lingering: dict[Subscription[Any], int] = {}  # with what was taken when that was looked at last
        self._sweep: asyncio.TimerHandle | None = None
        self._may_linger = True
        self.handler_errors = 0
        self.gaps = 0
        self.around = around

    @property
    def is_closed(self) -> bool:
        """Whether no event comes any more."""
        return self._closed

    # --- who listens -------------------------------------------------------------------------------------------------

    def subscribe(
        self,
        event_type: type[E],
        handler: Handler[E],
        *,
        conversation_id: Id | None = None,
        wants: Callable[[E], bool] | None = None,
    ) -> Subscription[E]:
        """Call `handler` with each event of that type, of one conversation if given, that `wants` lets through."""
        subscription: Subscription[E] = Subscription(self, event_type.__name__, self._queue_size, wants, handler)
        self._register(subscription, (event_type,), conversation_id)
        return subscription

    def subscribe_custom(self, name: str, handler: Callable[..., Awaitable[None] | None]) -> Subscription[CustomEvent]:
        """Call `handler` with the arguments of each event of that name."""
        subscription: Subscription[CustomEvent] = Subscription(self, name, self._queue_size, None, handler)
        self._add(subscription, self._custom, name)
        return subscription

    def watch(self, event_type: type[E], look: Callable[[E], None], *, conversation_id: Id) -> Onlooker[E]:
        """Call `look` with each event of that type and conversation at once, before a later one is told."""
        onlooker: Onlooker[E] = Onlooker(self, event_type.__name__, look)
        self._register(onlooker, (event_type,), conversation_id)
        return onlooker

    def stream(
        self,
        event_types: tuple[type[E], ...],
        *,
        conversation_id: Id | None = None,
        wants: Callable[[E], bool] | None = None,
    ) -> EventStream[E]:
        """Collect events of these types from now on, for `async for`."""
        label = " | ".join(each.__name__ for each in event_types)
        stream: EventStream[E] = EventStream(self, label, self._queue_size, wants)
        self.attach(stream, event_types, conversation_id)
        return stream

    def attach(self, stream: EventStream[E], event_types: tuple[type, ...], conversation_id: Id | None) -> None:
        """Let an iterator collect events of these types; it is let go when nobody else holds it."""
        self._register(stream.queue, event_types, conversation_id)

    def _register(self, consumer: Consumer[Any], types: tuple[type, ...], conversation_id: Id | None) -> None:
        for each in dict.fromkeys(types):
            if conversation_id is None:
                self._add(consumer, self._everywhere, each)
            else:
                self._add(consumer, self._in_conversation, (each, conversation_id))

    def _add(self, consumer: Consumer[Any], table: Table, key: Any) -> None:
        if self._closed:
            consumer.cancel()
            return
        table[key] = (*table.get(key, _NOBODY), consumer)
        self._places[consumer] = (*self._places.get(consumer, ()), (table, key))

    def remove(self, consumer: Consumer[Any]) -> None:
        """Deliver nothing more to this consumer."""
        for table, key in self._places.pop(consumer, ()):
            others = tuple(each for each in table[key] if each is not consumer)
            if others:
                table[key] = others
            else:
                del table[key]

    def listens_to(self, name: str) -> bool:
        """Whether somebody subscribed to a custom event of that name."""
        return name in self._custom

    def tap(self, tap: Tap) -> None:
        """Let somebody look at every event, until `untap` or nobody else holds it."""
        if self._taps is None:
            self._taps = weakref.WeakSet()
        self._taps.add(tap)
        self._has_taps = True

    def untap(self, tap: Tap) -> None:
        """Show somebody no more events."""
        if self._taps is not None:
            self._taps.discard(tap)

    @property
    def taps(self) -> tuple[Tap, ...]:
        """Those who look at every event."""
        return tuple(self._taps or ())

    # --- what comes --------------------------------------------------------------------------------------------------

    def publish(self, event: Any) -> None:
        """Put an event into the queues of those who want it; never waits."""
        if self._has_taps:
            taps = self.taps
            self._has_taps = bool(taps)
            for tap in taps:
                tap.offer(event)
        kind = type(event)
        if kind is CustomEvent:
            self.publish_by_name(event)
        for consumer in self._everywhere.get(kind, _NOBODY):
            consumer.offer(event)
        if self._in_conversation:
            self.publish_in_conversation(event)

    def publish_in_conversation(self, event: Any) -> None:
        """Put an event into the queues of those only who want those of its conversation."""
        conversation_id = getattr(event, "conversation_id", None)
        if conversation_id is not None:
            for consumer in self._in_conversation.get((type(event), conversation_id), _NOBODY):
                consumer.offer(event)

    def publish_by_name(self, event: CustomEvent) -> None:
        """Put an event into the queues of those who asked for its name, and of nobody else."""
        for consumer in self._custom.get(event.name, _NOBODY):
            consumer.offer(event)

    def report_gap(self, gap: GapDetected) -> None:
        """Say that a stretch of a conversation could not be proven complete."""
        self.gaps += 1
        say(_log, logging.WARNING, "gap", conversation_id=gap.conversation_id)
        self.publish(gap)

    def report_slow(self, consumer: Consumer[Any], event: Any) -> None:
        """Say that a queue is full, once until it has room again."""
        say(
            _log, logging.WARNING, "queue is full", handler=consumer.name, kind=consumer.label, dropped=consumer.dropped
        )
        if not isinstance(event, _REPORTS):
            self.publish(SlowConsumer(subscription=consumer.label, handler=consumer.name, dropped=consumer.dropped))

    def report_error(self, consumer: Consumer[Any], event: Any, error: BaseException) -> None:
        """Say that a handler raised; the text of the exception may hold content and stays out of the log."""
        self.handler_errors += 1
        say(_log, logging.ERROR, "handler raised", handler=consumer.name, error=error)
        if not isinstance(event, _REPORTS):
            self.publish(HandlerError(handler=consumer.name, event=event, error=without_frames(error)))

    # --- what waits --------------------------------------------------------------------------------------------------

    def queued(self) -> int:
        """How many events wait in all queues."""
        return sum(self.depths())

    def depths(self) -> list[int]:
        """How many events wait in each queue; may be asked in any thread."""
        return [consumer.waiting for consumer in tuple(self._places)]

    async def handled(self) -> None:
        """Return once everybody who listens to messages has worked off what was offered before this call.

        A handler has when it has returned or raised, an iterator when it was asked for the next event; read-backs are
        included. Who is cancelled meanwhile counts as done, and so does an iterator that was never asked for anything,
        once it has existed for `PATIENCE` seconds. The handler that calls this is not waited for; whoever calls it from
        within an `async for` over messages waits for ever.
        """
        waits = self._unhandled()
        while waits:
            unlimited = [passed for each, passed in waits.items() if each.patience() is None]
            if unlimited:
                await asyncio.wait(unlimited)
            else:
                all_passed = asyncio.ensure_future(asyncio.wait(waits.values()))
                try:
                    await finished_within(self.clock, all_passed, max(each.patience() or 0.0 for each in waits))
                finally:
                    await end_task(all_passed)
            waits = {each: passed for each, passed in waits.items() if not passed.done() and each.patience() != 0}

    def has_handled_all(self, *, but: Set[Any] = frozenset()) -> bool:
        """Whether `handled` would not have to wait, other than for handlers in one of these tasks."""
        return not any(each._worker not in but for each in self._unhandled())

    def _unhandled(self) -> dict[Consumer[Any], asyncio.Future[None]]:
        """Who has something to work off, and what is done once that is worked off."""
        return {
            consumer: passed
            for consumer, places in tuple(self._places.items())
            if any(_is_for_messages(key) for _, key in places)
            if consumer.patience() != 0 and (passed := consumer.worked_off()) is not None
        }

    # --- workers that wait for the next event ------------------------------------------------------------------------

    def may_linger(self, subscription: Subscription[Any]) -> bool:
        """Whether a worker may wait for the next event; it is let go when none comes for a while."""
        if self._may_linger:
            self._lingering.setdefault(subscription, -1)
            if self._sweep is None:
                self._sweep = asyncio.get_running_loop().call_later(_LINGER, self._let_go_idle)
        return self._may_linger

    def _let_go_idle(self) -> None:
        self._sweep = None
        for subscription, taken in tuple(self._lingering.items()):
            if subscription._taken == taken:
                del self._lingering[subscription]  # if it is busy, it will ask again
                subscription._let_go()
            else:
                self._lingering[subscription] = subscription._taken
        if self._lingering:
            self._sweep = asyncio.get_running_loop().call_later(_LINGER, self._let_go_idle)

    def _let_go_all(self) -> None:
        """No worker waits for events any more; those that do end in the next turn."""
        self._may_linger = False
        if self._sweep is not None:
            self._sweep.cancel()
        for subscription in self._lingering:
            subscription._let_go()
        self._lingering.clear()

    # --- the end -----------------------------------------------------------------------------------------------------

    async def drain(self, timeout: float, *, but: Set[Any] = frozenset()) -> None:
        """Let handlers finish what waits, at most `timeout` real seconds.

        Args:
            timeout: seconds.
            but: tasks that are not waited for; they may be added while this waits.
        """
        self._let_go_all()
        deadline = asyncio.get_running_loop().time() + timeout
        while others := self.workers - but:
            remaining = deadline - asyncio.get_running_loop().time()
            if remaining <= 0:
                return
            await asyncio.wait(others, timeout=min(remaining, _LOOK_AGAIN))

    async def end_work(self, *, but: Set[Any] = frozenset()) -> int:
        """Cancel the handlers that have not finished; what waits for them is dropped.

        Returns:
            How many there were. One that does not let itself be cancelled is left behind after `CANCEL_TIMEOUT`.
        """
        self._let_go_all()
        await asyncio.sleep(0)
        working = {task for task in self.workers - but if not task.done()}
        for consumer in tuple(self._places):
            if consumer._worker in working:
                consumer.cancel()  # or it would go on with the next event
        for task in working:
            task.cancel()
        if working:
            _, stuck = await asyncio.wait(working, timeout=CANCEL_TIMEOUT)
            for task in stuck:
                say(_log, logging.ERROR, "handler does not end when it is cancelled", handler=task.get_name())
        return len(working)

    def close(self) -> None:
        """End every subscription and every iteration, also those that are begun from now on."""
        self._closed = True
        self._let_go_all()
        for consumer in tuple(self._places):
            consumer.cancel()
        for tap in self.taps:
            tap.closed()


def _is_for_messages(key: Any) -> bool:
    return key is Message or (isinstance(key, tuple) and key[0] is Message)


__all__ = ["Dispatcher", "EventStream", "Handler", "Subscription", "Tap"]
