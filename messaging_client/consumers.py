"""The receiving ends of the dispatcher: a bounded queue each, and the handlers that work them off."""

from __future__ import annotations

import asyncio
import inspect
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, MutableSet
from dataclasses import dataclass, field
from types import CoroutineType
from typing import Any, Generic, Protocol, TypeVar, cast

from messaging_client.clock import Clock, end_task, is_being_cancelled, new_task
from messaging_client.events import CustomEvent, GapDetected
from messaging_client.lags import Key, Lag, Order, Refill, can_be_read_back
from messaging_client.models import Id, Message

E = TypeVar("E")
Wants = Callable[[Any], bool]

BATCH = 64
"""Events that a handler gets before others have a turn, where it never waits itself.

More than are taken at a time (`transport/frames.py`), or a queue that has grown would not shrink in a flood.
"""

# Stands for the queue of those who were never given anything; an empty one takes most of a kilobyte.
_UNUSED: deque[Any] = deque(maxlen=0)

_READ_BACK_IDS = 1000  # as many as the feed remembers: a straggler can come behind its own read-back


class Hub(Protocol):
    """What a consumer needs of the dispatcher."""

    refill: Refill
    order: Order
    workers: MutableSet[asyncio.Task[None]]
    clock: Clock
    around: Callable[[Callable[..., Any], str], Callable[..., Any]]

    def may_linger(self, subscription: Subscription[Any]) -> bool:
        """Whether its worker may wait for the next event; it is let go when nothing comes."""
        ...

    def publish(self, event: Any) -> None:
        """Put an event into the queues of those who want it."""
        ...

    def remove(self, consumer: Consumer[Any]) -> None:
        """Deliver nothing more to this consumer."""
        ...

    def report_gap(self, gap: GapDetected) -> None:
        """Say that a stretch of a conversation could not be proven complete."""
        ...

    def report_slow(self, consumer: Consumer[Any], event: Any) -> None:
        """Say that a queue is full."""
        ...

    def report_error(self, consumer: Consumer[Any], event: Any, error: BaseException) -> None:
        """Say that a handler raised."""
        ...


@dataclass(eq=False)
class _Mark:
    """A place in a queue, and in what must be read back, whose passing somebody waits for."""

    position: int
    passed: asyncio.Future[None]
    lags: dict[Id, Key] = field(default_factory=dict)

    def settle(self) -> None:
        if not self.passed.done():
            self.passed.set_result(None)


class Consumer(Generic[E]):
    """A bounded queue of events, with what must be read back.

    Args:
        hub: where it is registered.
        label: the event type, for reports.
        limit: events that may wait.
        wants: a further filter, or None.

    Attributes:
        label: the event type.
        dropped: events that were lost because the queue was full.
    """

    def __init__(self, hub: Hub, label: str, limit: int, wants: Wants | None) -> None:
        self._hub = hub
        self.label = label
        self._limit = limit
        self._wants = wants
        self._queue: deque[E] = _UNUSED
        self._taken = 0
        self._turn_at = 0  # how many had been taken when it was last read back, or when that became necessary
        self._lags: dict[Id, Lag] = {}
        self._read_back: OrderedDict[tuple[Id, Id], None] | None = None
        self._refilling: asyncio.Future[tuple[list[Message], bool]] | None = None
        self._marks: list[_Mark] = []
        self._behind = False
        self._cancelled = False
        self._worker: asyncio.Task[None] | None = None  # of a handler, while something waits
        self.dropped = 0

    @property
    def name(self) -> str:
        """What reports call this consumer."""
        return "iterator"

    @property
    def is_open(self) -> bool:
        """Whether it still takes events."""
        return not self._cancelled

    @property
    def waiting(self) -> int:
        """How many events are in the queue."""
        return len(self._queue)

    # --- what comes in -----------------------------------------------------------------------------------------------

    def offer(self, event: E) -> None:
        """Take an event, or note that it must be read back."""
        if self._cancelled or (self._wants is not None and not self._wants(event)):
            return
        if (self._lags or self._read_back) and isinstance(event, Message) and self._is_seen_to(event):
            return
        if self._queue is _UNUSED:
            self._queue = deque()
        if len(self._queue) < self._limit:
            self._queue.append(event)
            self._behind = False
        else:
            self._overflow(event)
        self._wake()

    def _is_seen_to(self, message: Message) -> bool:
        """Whether reading back brings the message, or has brought it."""
        if message.conversation_id is None:
            return False
        lag = self._lags.get(message.conversation_id) if self._lags else None
        if lag is not None and lag.takes(message):
            return True
        return self._read_back is not None and (message.conversation_id, message.id) in self._read_back

    def _overflow(self, event: E) -> None:
        if not isinstance(event, Message):
            self._drop_oldest(event)
        elif can_be_read_back(event):
            assert event.conversation_id is not None
            if not self._lags:
                self._turn_at = self._taken
            self._lags[event.conversation_id] = Lag(event, self._hub.order)
        elif len(self._queue) < 2 * self._limit:
            self._queue.append(event)
        else:
            self.dropped += 1
            self._hub.report_gap(GapDetected(conversation_id=event.conversation_id, before=event.timestamp))
        if not self._behind:
            self._behind = True
            self._hub.report_slow(self, event)

    def _drop_oldest(self, event: E) -> None:
        """Make room for an event; messages in the queue stay, and if there is nothing else, the event goes."""
        self.dropped += 1
        for index, waiting in enumerate(self._queue):
            if not isinstance(waiting, Message):
                del self._queue[index]
                self._queue.append(event)
                for mark in self._marks:
                    if mark.position - self._taken > index:
                        mark.position -= 1
                return

    # --- what is read back -------------------------------------------------------------------------------------------

    def _is_turn_to_catch_up(self) -> bool:
        """Whether to read back now: nothing else waits, or what came after has had its share and there is room.

        What waited when a conversation fell behind is worked off first, so each conversation keeps its order.
        """
        if not self._lags or not self._queue:
            return bool(self._lags)
        return self._taken - self._turn_at >= self._limit >= len(self._queue)

    async def _catch_up(self) -> None:
        """Read back a page of the conversation whose turn it is: that which fell behind, or was read, longest ago."""
        conversation_id, lag = next(iter(self._lags.items()))
        newest = lag.newest
        reading = asyncio.ensure_future(self._hub.refill(conversation_id, lag.start, lag.last))
        self._refilling = reading
        try:
            await asyncio.wait({reading})
        finally:
            self._refilling = None
            await end_task(reading)
        if self._cancelled:
            return
        self._turn_at = self._taken
        page, is_end = reading.result()
        for message in lag.read(page, asked_to=newest, is_end=is_end):
            self._remember_read_back(conversation_id, message)
            if self._wants is None or self._wants(message):
                self._queue.append(message)  # type: ignore[arg-type]
        del self._lags[conversation_id]
        if not lag.is_over:
            self._lags[conversation_id] = lag
        for mark in self._marks:
            if conversation_id in mark.lags and lag.has_passed(mark.lags[conversation_id]):
                del mark.lags[conversation_id]
                mark.position = self._taken + len(self._queue)
        if lag.has_gap:
            self._hub.report_gap(
                GapDetected(conversation_id=conversation_id, after=lag.start.timestamp, before=newest.timestamp)
            )

    def _remember_read_back(self, conversation_id: Id, message: Message) -> None:
        if self._read_back is None:
            self._read_back = OrderedDict()
        self._read_back[conversation_id, message.id] = None
        if len(self._read_back) > _READ_BACK_IDS:
            self._read_back.popitem(last=False)

    # --- who waits for it to be worked off ---------------------------------------------------------------------------

    def worked_off(self) -> asyncio.Future[None] | None:
        """Give what is done once everything offered up to now is worked off; None if it is."""
        if self._cancelled or not (self._queue or self._lags or self._is_busy()):
            return None
        passed = asyncio.get_running_loop().create_future()
        lags = {each: self._hub.order(lag.newest) for each, lag in self._lags.items()}
        self._marks.append(_Mark(self._taken + len(self._queue), passed, lags))
        return passed

    def patience(self) -> float | None:
        """Give the seconds after which nobody waits for it any more; None if there is no such limit."""
        return None

    def _is_busy(self) -> bool:
        raise AssertionError("a subclass says whether it has an event in hand")

    def _is_free(self) -> None:
        """What was taken is worked off."""
        if self._marks:
            for mark in self._marks:
                if self._taken >= mark.position and not mark.lags:
                    mark.settle()
            self._marks = [mark for mark in self._marks if not mark.passed.done()]

    def _release(self) -> None:
        """Nobody waits for it any more."""
        for mark in self._marks:
            mark.settle()
        self._marks.clear()

    # --- its end -----------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        raise AssertionError("a subclass says how it wakes")

    def cancel(self) -> None:
        """Take no more events; what waits is dropped."""
        self._cancelled = True
        self._queue.clear()
        self._lags.clear()
        self._release()
        if self._refilling is not None:
            self._refilling.cancel()
        self._hub.remove(self)


class Onlooker(Consumer[E]):
    """Somebody of ours who looks at each event at once, and so in order with events of other kinds."""

    def __init__(self, hub: Hub, label: str, look: Callable[[E], None]) -> None:
        super().__init__(hub, label, 0, None)
        self._look = look

    @property
    def name(self) -> str:
        """Who it is, for reports."""
        return self._look.__qualname__

    def offer(self, event: E) -> None:
        """Look at an event; what goes wrong keeps it from nobody else."""
        if not self._cancelled:
            try:
                self._look(event)
            except Exception as error:  # noqa: BLE001 - as of a handler
                self._hub.report_error(self, event, error)

    def _is_busy(self) -> bool:
        return False


class Subscription(Consumer[E]):
    """A handler that is called with each event, one at a time and in order. A context manager that cancels on leaving.

    Attributes:
        dropped: events that were lost because the queue was full; messages are never lost.
    """

    def __init__(
        self,
        hub: Hub,
        label: str,
        limit: int,
        wants: Wants | None,
        handler: Callable[..., Awaitable[None] | None],
    ) -> None:
        super().__init__(hub, label, limit, wants)
        self._handler = handler
        self._call = hub.around(handler, label)
        self._task_name: str | None = None
        self._lingering: asyncio.Future[None] | None = None  # what its worker waits for, while nothing is queued

    @property
    def name(self) -> str:
        """The handler's name."""
        return str(getattr(self._handler, "__qualname__", type(self._handler).__name__))

    def __repr__(self) -> str:
        return f"<Subscription {self.label} to {self.name}>"

    def __enter__(self) -> Subscription[E]:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.cancel()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the handler itself, so that a decorated function can still be used."""
        return self._handler(*args, **kwargs)

    def worked_off(self) -> asyncio.Future[None] | None:
        """Give what is done once everything offered up to now is worked off; None if it is, or the handler asks."""
        if self._worker is not None and self._worker is asyncio.current_task():
            return None
        return super().worked_off()

    def _is_busy(self) -> bool:
        return self._worker is not None and not self._worker.done() and self._lingering is None

    def cancel(self) -> None:
        """Take no more events; what waits is dropped."""
        super().cancel()
        self._let_go()

    def _let_go(self) -> bool:
        """Let the worker go on that waits for the next event, or end where there is none; gives whether one does."""
        lingering, self._lingering = self._lingering, None
        if lingering is None or lingering.done():  # cancelled while it waited
            return False
        lingering.set_result(None)
        return True

    def _wake(self) -> None:
        if not (self._is_busy() or self._let_go()):
            if self._task_name is None:
                self._task_name = f"messaging_client {self.name}"
            self._worker = new_task(self._work(), name=self._task_name)
            self._hub.workers.add(self._worker)
            self._worker.add_done_callback(self._ended)

    async def _work(self) -> None:
        while self._queue or self._lags or await self._more():
            if self._lags and self._is_turn_to_catch_up():
                await self._catch_up()
            else:
                self._taken += 1
                event = self._queue.popleft()
                try:
                    # `CustomEvent` has no subclass, and `isinstance` with a model takes long.
                    is_custom = type(event) is CustomEvent
                    result = self._call(*cast(CustomEvent, event).args) if is_custom else self._call(event)
                    if type(result) is CoroutineType or (result is not None and inspect.isawaitable(result)):
                        await result
                except (KeyboardInterrupt, SystemExit, GeneratorExit):  # the program ends
                    raise
                except BaseException as error:
                    if isinstance(error, asyncio.CancelledError) and is_being_cancelled():
                        raise
                    self._hub.report_error(self, event, error)
                if not self._taken % BATCH:
                    await asyncio.sleep(0)
            if self._marks:
                self._is_free()

    async def _more(self) -> bool:
        """Wait for the next event, which takes half of what a new task does; gives whether there is one."""
        # A cancellation that a handler has swallowed is none of those to come.
        if self._cancelled or is_being_cancelled() or not self._hub.may_linger(self):
            return False
        self._lingering = asyncio.get_running_loop().create_future()
        try:
            await self._lingering
        finally:
            self._lingering = None
        return bool(self._queue or self._lags)

    def _ended(self, worker: asyncio.Task[None]) -> None:
        """The worker has nothing left to do, or was cancelled, perhaps before its first step."""
        self._hub.workers.discard(worker)
        if self._worker is worker:
            self._worker = None
            self._release()
