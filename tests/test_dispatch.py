"""Delivery: in order, each subscription by itself, nothing lost without a word."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
from collections.abc import Callable
from typing import Any

import pytest
from dispatching import Shelf, dispatcher, message, tell, typing, until

from messaging_client import CustomEvent, GapDetected, HandlerError, Message, SlowConsumer, TypingEvent
from messaging_client.consumers import BATCH
from messaging_client.dispatch import Dispatcher
from messaging_client.streams import PATIENCE
from messaging_client.testing import ManualClock


def listen(place: Dispatcher, *kinds: type) -> list[Any]:
    """What comes of some kinds of events."""
    heard: list[Any] = []
    for kind in kinds:
        place.subscribe(kind, heard.append)
    return heard


class Gate:
    """A handler that holds on to each event until it is let go on.

    Attributes:
        got: what it was given and let go of, in order.
    """

    def __init__(self, *, is_open: bool = False) -> None:
        self.got: list[Any] = []
        self._may = asyncio.Event()
        if is_open:
            self._may.set()

    async def __call__(self, event: Any) -> None:
        await self._may.wait()
        self.got.append(event)

    def open(self) -> None:
        self._may.set()

    @property
    def ids(self) -> list[Any]:
        return [each.id for each in self.got]


# --- order and isolation ----------------------------------------------------------------------------------------------


async def test_a_handler_that_never_waits_lets_others_have_a_turn() -> None:
    place, got, turns = dispatcher(1000), list[Any](), list[int]()

    async def quick(each: Message) -> None:
        got.append(each)

    place.subscribe(Message, quick)
    for number in range(1, 1001):
        place.publish(message(number))
    while len(got) < 1000:
        turns.append(len(got))
        await asyncio.sleep(0)
    assert [each.id for each in got] == list(range(1, 1001))
    assert len(turns) > 1000 // BATCH


async def test_a_handler_that_awaits_randomly_keeps_the_order() -> None:
    place, chance, got = dispatcher(), random.Random(1), list[Any]()

    async def dawdles(each: Message) -> None:
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
        got.append(each.id)

    place.subscribe(Message, dawdles)
    for number in range(1000):
        place.publish(message(number))
        if number % 7 == 0:
            await asyncio.sleep(0)
    await place.handled()
    assert got == list(range(1000))


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_handler_that_raises_loses_nothing(is_async: bool) -> None:
    place, got = dispatcher(), list[Any]()
    errors = listen(place, HandlerError)

    def third(each: Message) -> None:
        got.append(each.id)
        if each.id % 3 == 0:
            raise LookupError(each.content)

    async def third_async(each: Message) -> None:
        third(each)

    place.subscribe(Message, third_async if is_async else third)
    for number in range(300):
        place.publish(message(number))
    await place.handled()
    await until(lambda: len(errors) == 100)
    assert got == list(range(300))
    assert place.handler_errors == 100
    assert [each.event.id for each in errors] == list(range(0, 300, 3))
    assert isinstance(errors[0].error, LookupError)
    assert "third" in errors[0].handler


async def test_a_handler_that_sleeps_delays_nobody_else() -> None:
    place, clock, slept = dispatcher(), ManualClock(), list[Any]()

    async def sleeps(each: Message) -> None:
        await clock.sleep(1)
        slept.append(each.id)

    place.subscribe(Message, sleeps)
    swift = listen(place, Message)
    for number in range(50):
        place.publish(message(number))
    await until(lambda: len(swift) == 50)
    assert slept == []
    assert clock.monotonic() == 0
    await clock.advance(1)
    assert slept == [0]
    await clock.advance(49)
    assert slept == list(range(50))


async def test_a_handler_that_raises_about_an_error_is_not_told_of_its_own() -> None:
    place = dispatcher()

    def worse(each: HandlerError) -> None:
        raise RuntimeError

    place.subscribe(HandlerError, worse)
    place.subscribe(Message, worse)
    place.publish(message(1))
    await until(lambda: place.handler_errors == 2)
    await until(lambda: not place.workers)
    assert place.handler_errors == 2


# --- cancellation -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [asyncio.CancelledError, pytest.fail.Exception], ids=["cancelled", "pytest.fail"])
async def test_a_handler_that_raises_no_exception_is_a_handler_that_raises(kind: type[BaseException]) -> None:
    place, got = dispatcher(), list[Any]()
    errors = listen(place, HandlerError)

    async def gives_up(each: Message) -> None:
        got.append(each.id)
        raise kind

    place.subscribe(Message, gives_up)
    for number in range(3):
        place.publish(message(number))
    await until(lambda: len(errors) == 3)
    assert got == [0, 1, 2]
    assert isinstance(errors[0].error, kind)


@pytest.mark.parametrize("turns", [0, 5], ids=["before it began", "in the handler"])
async def test_a_handler_that_is_cancelled_ends_and_is_no_error(turns: int) -> None:
    place, gate = dispatcher(), Gate()
    other = listen(place, TypingEvent)
    errors = listen(place, HandlerError)
    place.subscribe(Message, gate)
    place.publish(message(1))
    place.publish(message(2))
    for _ in range(turns):
        await asyncio.sleep(0)
    assert await place.end_work() == 1
    assert not place.workers
    assert errors == []
    gate.open()
    place.publish(message(3))
    await place.handled()
    assert gate.ids == []
    place.publish(typing(4))
    await until(lambda: other)


async def test_a_handler_may_cancel_its_own_subscription() -> None:
    place, got = dispatcher(), list[Any]()

    async def once(each: Message) -> None:
        subscription.cancel()
        await asyncio.sleep(0)
        got.append(each.id)

    subscription = place.subscribe(Message, once)
    place.publish(message(1))
    place.publish(message(2))
    await until(lambda: got and not place.workers)
    assert got == [1]
    assert not subscription.is_open


async def test_a_handler_may_drain_and_close() -> None:
    place, done = dispatcher(), asyncio.Event()

    async def closes(each: Message) -> None:
        await place.handled()
        mine = {asyncio.current_task()}
        await place.drain(5, but=mine)
        assert await place.end_work(but=mine) == 0
        place.close()
        done.set()

    place.subscribe(Message, closes)
    place.publish(message(1))
    async with asyncio.timeout(20):
        await done.wait()
    await until(lambda: not place.workers)


async def test_draining_lets_handlers_finish() -> None:
    place, gate = dispatcher(), Gate()
    place.subscribe(Message, gate)
    for number in range(5):
        place.publish(message(number))
    draining = asyncio.ensure_future(place.drain(5))
    await asyncio.sleep(0)
    gate.open()
    await draining
    assert gate.ids == [0, 1, 2, 3, 4]
    assert await place.end_work() == 0


async def test_an_iterator_that_nobody_asks_is_waited_for_a_while_only() -> None:
    """One that was made and forgotten must not hold up read positions for ever; one that is about to be used must."""
    clock = ManualClock()
    place, got = dispatcher(clock=clock), list[Any]()
    place.subscribe(Message, got.append)
    forgotten, used = place.stream((Message,)), place.stream((Message,))
    place.publish(message(1))
    place.publish(message(2))
    handled = asyncio.ensure_future(place.handled())
    await clock.advance(PATIENCE - 1)
    assert not handled.done()
    assert not place.has_handled_all()
    assert (await anext(used)).id == 1
    await clock.advance(2)
    assert not handled.done()  # for it was asked, and has not come back
    assert (await anext(used)).id == 2
    waiting = asyncio.ensure_future(anext(used))
    await until(handled.done)
    assert place.has_handled_all()
    await place.handled()
    assert (await anext(forgotten)).id == 1  # it has lost nothing
    assert not place.has_handled_all()
    waiting.cancel()


# --- who gets what ----------------------------------------------------------------------------------------------------


async def test_filters() -> None:
    place = dispatcher()
    everywhere, here, odd, strangers = (list[Any]() for _ in range(4))
    place.subscribe(Message, everywhere.append)
    place.subscribe(Message, here.append, conversation_id=2)
    place.subscribe(Message, odd.append, wants=lambda each: each.id % 2 == 1)
    place.subscribe(TypingEvent, strangers.append, conversation_id=1)
    for number, conversation_id in [(1, 1), (2, 2), (3, 2), (4, None)]:
        place.publish(message(number, conversation_id))
    await place.handled()
    assert [each.id for each in everywhere] == [1, 2, 3, 4]
    assert [each.id for each in here] == [2, 3]
    assert [each.id for each in odd] == [1, 3]
    assert strangers == []


async def test_custom_events_give_their_arguments() -> None:
    place, got = dispatcher(), list[Any]()
    subscription = place.subscribe_custom("alarm", lambda *args: got.append(args))
    assert place.listens_to("alarm")
    assert not place.listens_to("other")
    for args in [(), (1,), ("a", {"b": 2}, None)]:
        place.publish(CustomEvent(name="alarm", args=args))
    place.publish(CustomEvent(name="other", args=(9,)))
    await until(lambda: len(got) == 3)
    assert got == [(), (1,), ("a", {"b": 2}, None)]
    subscription.cancel()
    assert not place.listens_to("alarm")


async def test_nothing_is_left_of_what_was_cancelled() -> None:
    place, got = dispatcher(), list[Any]()
    with place.subscribe(Message, got.append) as one:
        place.publish(message(1))
        await place.handled()
        assert one.is_open
    others = [place.subscribe(Message, got.append, conversation_id=number) for number in range(100)]
    others.append(place.subscribe_custom("x", got.append))
    others.append(place.subscribe(TypingEvent, got.append))
    for each in others:
        each.cancel()
        each.cancel()
    place.publish(message(2))
    assert len(got) == 1
    assert not any((place._places, place._everywhere, place._in_conversation, place._custom))


async def test_many_conversations_cost_nothing_on_removal() -> None:
    """Removing one looks at none of the others."""
    place = dispatcher()
    kept = [place.subscribe(Message, print, conversation_id=number) for number in range(20_000)]

    class Counted(dict[Any, Any]):
        looks = 0

        def items(self) -> Any:
            Counted.looks += 1
            return super().items()

        def __iter__(self) -> Any:
            Counted.looks += 1
            return super().__iter__()

    place._in_conversation = Counted(place._in_conversation)
    kept.pop().cancel()
    assert Counted.looks == 0


async def test_a_subscription_can_be_called_as_the_function_it_decorates() -> None:
    place = dispatcher()

    def double(number: int) -> int:
        return 2 * number

    subscription = place.subscribe(Message, double)  # type: ignore[arg-type]
    assert subscription(4) == 8
    assert repr(subscription).startswith("<Subscription Message to ")


async def test_a_closed_dispatcher_takes_nobody() -> None:
    place, got = dispatcher(), list[Any]()
    before = place.stream((Message,))
    place.close()
    assert place.is_closed
    assert not before.is_open
    assert not place.subscribe(Message, got.append).is_open
    assert not place.subscribe_custom("x", got.append).is_open
    assert [each async for each in place.stream((Message, TypingEvent))] == []
    place.publish(message(1))
    assert got == []


# --- worked off -------------------------------------------------------------------------------------------------------


async def waits_for(work: Callable[[], Any]) -> asyncio.Future[None]:
    task = asyncio.ensure_future(work())
    for _ in range(20):
        await asyncio.sleep(0)
    return task


async def test_handled_returns_at_once_without_listeners() -> None:
    place = dispatcher()
    place.subscribe(Message, print)
    place.stream((Message,))
    await place.handled()


@pytest.mark.parametrize("conversation_id", [None, 1])
async def test_handled_waits_for_what_was_offered_before(conversation_id: int | None) -> None:
    place, gate = dispatcher(), Gate()
    seen: list[Any] = []

    async def one_at_a_time(each: Message) -> None:
        await gate(each)
        seen.append(waiting.done())

    place.subscribe(Message, one_at_a_time, conversation_id=conversation_id)
    for number in (1, 2):
        place.publish(message(number))
    waiting = await waits_for(place.handled)
    place.publish(message(3))
    assert not waiting.done()
    gate.open()
    await waiting
    assert gate.ids[:2] == [1, 2]
    assert seen[:2] == [False, False]


async def test_handled_counts_a_handler_that_raised() -> None:
    place = dispatcher()

    async def fails(each: Message) -> None:
        await asyncio.sleep(0)
        raise ValueError

    place.subscribe(Message, fails)
    place.publish(message(1))
    await place.handled()
    assert place.handler_errors == 1


async def test_handled_waits_until_an_iterator_asks_for_the_next() -> None:
    place = dispatcher()
    stream = place.stream((Message,))
    place.publish(message(1))
    waiting = await waits_for(place.handled)
    assert (await anext(stream)).id == 1
    await asyncio.sleep(0)
    assert not waiting.done()
    later = asyncio.ensure_future(anext(stream))
    await waiting
    await place.handled()
    place.publish(message(2))
    assert (await later).id == 2


@pytest.mark.parametrize("ending", ["cancel", "drop", "end_work", "close"])
async def test_handled_does_not_wait_for_who_is_gone(ending: str) -> None:
    place, gate = dispatcher(), Gate()
    if ending == "drop":
        stream = place.stream((Message,))
    else:
        subscription = place.subscribe(Message, gate)
    place.publish(message(1))
    place.publish(message(2))
    waiting = await waits_for(place.handled)
    assert not waiting.done()
    match ending:
        case "cancel":
            subscription.cancel()
        case "drop":
            del stream
        case "end_work":
            await place.end_work()
        case "close":
            place.close()
    async with asyncio.timeout(20):
        await waiting
    await place.end_work()


async def test_handled_leaves_other_events_alone() -> None:
    place, gate = dispatcher(), Gate()
    place.subscribe(TypingEvent, gate)
    place.publish(typing(1))
    await place.handled()
    assert gate.got == []
    gate.open()


async def test_handled_may_be_given_up() -> None:
    place, gate = dispatcher(), Gate()
    place.subscribe(Message, gate)
    place.publish(message(1))
    waiting = await waits_for(place.handled)
    waiting.cancel()
    await asyncio.wait({waiting})
    gate.open()
    await place.handled()
    assert gate.ids == [1]


async def test_handled_includes_what_must_be_read_back() -> None:
    shelf = Shelf(page=2)
    place, gate = dispatcher(2, shelf), Gate()
    place.subscribe(Message, gate)
    tell(place, shelf, (message(number, number % 2) for number in range(20)))
    waiting = await waits_for(place.handled)
    assert not waiting.done()
    gate.open()
    await waiting
    assert sorted(gate.ids) == list(range(20))
    for half in (0, 1):
        assert [each for each in gate.ids if each % 2 == half] == list(range(half, 20, 2))


async def test_handled_counts_events_that_were_dropped() -> None:
    """What is dropped in front of a message, or behind, moves the place that is waited for."""
    place = dispatcher(3)
    stream = place.stream((Message, TypingEvent))
    place.publish(typing(1))
    place.publish(message(1))
    waiting = await waits_for(place.handled)
    place.publish(typing(2))
    place.publish(typing(3))  # the first goes
    place.publish(typing(4))  # the second, behind the message, goes
    assert stream.dropped == 2
    assert (await anext(stream)).id == 1
    await asyncio.sleep(0)
    assert not waiting.done()
    assert (await anext(stream)).user_id == 3
    await waiting


async def test_an_iterator_that_is_let_go_ends() -> None:
    place = dispatcher()
    stream = place.stream((Message,))
    place.publish(message(1))
    assert place.queued() == 1
    del stream
    gc.collect()
    await until(lambda: not place._places)
    assert place.queued() == 0


async def test_slow_consumers_are_reported_once_until_they_have_room() -> None:
    shelf = Shelf()
    place, gate = dispatcher(2, shelf), Gate()
    slow = listen(place, SlowConsumer)
    gaps = listen(place, GapDetected)
    subscription = place.subscribe(Message, gate)
    tell(place, shelf, map(message, range(10)))
    await until(lambda: slow)
    assert [(each.subscription, each.dropped) for each in slow] == [("Message", 0)]
    assert "Gate" in slow[0].handler
    gate.open()
    await place.handled()
    assert gate.ids == list(range(10))
    assert subscription.dropped == 0
    assert gaps == []
    tell(place, shelf, map(message, range(10, 14)))
    await place.handled()
    assert gate.ids == list(range(14))


@pytest.mark.parametrize("as_stream", [True, False])
@pytest.mark.parametrize("missed", [1, 20])
async def test_what_must_be_read_back_has_its_turn_while_others_go_on(as_stream: bool, missed: int) -> None:
    """There is always something in the queue, of a conversation that goes on and on."""
    limit, shelf = 3, Shelf(page=2)
    place, got = dispatcher(limit, shelf), list[Message]()
    numbers = iter(range(1000, 2000))

    def take(each: Message) -> None:
        got.append(each)
        if len(got) < 300:
            tell(place, shelf, [message(next(numbers), 3)])

    stream = place.stream((Message,)) if as_stream else None
    if not as_stream:
        place.subscribe(Message, take)
    tell(place, shelf, [message(number, 3) for number in range(limit)])
    for number in range(missed):
        tell(place, shelf, [message(100 + number, 1), message(100 + number, 2)])
    if stream is not None:
        for _ in range(300):
            take(await anext(stream))
    else:
        await until(lambda: len(got) >= 300 and not place.workers)
    of = {each: [m.id for m in got if m.conversation_id == each] for each in (1, 2, 3)}
    for each in (1, 2):
        assert of[each] == [100 + number for number in range(missed)]
        last = max(place for place, m in enumerate(got) if m.conversation_id == each)
        assert last < 10 * (missed + 1)
    assert of[3] == sorted(of[3])
    assert set(of[3]) >= set(range(limit))


async def test_other_events_drop_the_oldest() -> None:
    place, gate = dispatcher(2), Gate()
    slow = listen(place, SlowConsumer)
    subscription = place.subscribe(TypingEvent, gate)
    for number in range(6):
        place.publish(typing(number))
    await until(lambda: slow)
    gate.open()
    await until(lambda: not place.workers)
    assert [each.user_id for each in gate.got] == [4, 5]
    assert subscription.dropped == 4
    assert [each.dropped for each in slow] == [1]


# --- workers that wait for the next event -----------------------------------------------------------------------------


async def test_one_task_gives_a_handler_the_events_that_come_one_after_the_other() -> None:
    place = dispatcher()
    tasks: list[asyncio.Task[Any] | None] = []
    place.subscribe(Message, lambda _message: tasks.append(asyncio.current_task()))
    for number in range(20):
        place.publish(message(number))
        await until(lambda: len(tasks) == number + 1)  # noqa: B023
    assert len(set(tasks)) == 1
    assert place.has_handled_all()
    # A moment later it has ended, and the next event has another one.
    await until(lambda: not place.workers)
    assert not place._lingering
    assert tasks[0] is not None
    assert tasks[0].done()
    place.publish(message(20))
    await until(lambda: len(tasks) == 21)
    assert tasks[20] is not tasks[0]


async def test_what_comes_as_a_worker_is_let_go_is_handled() -> None:
    place, got = dispatcher(), []
    subscription = place.subscribe(Message, got.append)
    place.publish(message(0))
    await until(lambda: subscription._lingering is not None)
    subscription._let_go()
    place.publish(message(1))
    assert not place.has_handled_all()
    await place.handled()
    assert [each.id for each in got] == [0, 1]


async def test_what_comes_as_a_worker_that_waits_is_cancelled_is_handled() -> None:
    place, got = dispatcher(), []
    subscription = place.subscribe(Message, got.append)
    place.publish(message(0))
    await until(lambda: subscription._lingering is not None)
    (worker,) = place.workers
    worker.cancel()  # a handler's, long after it has returned
    place.publish(message(1))
    place.publish(message(2))
    assert not place.has_handled_all()
    await place.handled()
    assert [each.id for each in got] == [0, 1, 2]
    assert worker.cancelled()


async def test_a_cancellation_that_a_handler_swallowed_is_none_of_a_later_event() -> None:
    place, got = dispatcher(), list[Any]()
    errors = listen(place, HandlerError)

    async def handler(each: Message) -> None:
        got.append(each.id)
        task = asyncio.current_task()
        assert task is not None
        if each.id == 0:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
        elif each.id == 1:
            raise asyncio.CancelledError

    place.subscribe(Message, handler)
    place.publish(message(0))
    await place.handled()
    place.publish(message(1))
    place.publish(message(2))
    await until(lambda: got == [0, 1, 2] and errors)
    assert len(errors) == 1


@pytest.mark.parametrize("end", ["cancel", "drain", "end_work", "close"])
async def test_a_worker_that_waits_ends_with_whatever_ends_its_work(end: str) -> None:
    place, got = dispatcher(), []
    subscription = place.subscribe(Message, got.append)
    place.publish(message(0))
    await until(lambda: subscription._lingering is not None)
    (worker,) = place.workers
    if end == "cancel":
        subscription.cancel()
    elif end == "drain":
        await place.drain(0)
    elif end == "end_work":
        assert await place.end_work() == 0
    else:
        place.close()
    for _turn in range(3):
        await asyncio.sleep(0)
    assert worker.done()
    assert not worker.cancelled()
    assert not place.workers
    if end == "drain":  # what comes still is handled, by a worker that does not wait
        place.publish(message(1))
        await until(lambda: len(got) == 2)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not place.workers
