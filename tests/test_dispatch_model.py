"""Whatever order things come in, and however slow a handler is: every message once, in order."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from dispatching import START, Shelf, dispatcher, message, order, typing, until
from hypothesis import given, settings
from hypothesis import strategies as st

from messaging_client import EventStream, GapDetected, Message, TypingEvent
from messaging_client.lags import TRIES, Lag

CONVERSATIONS = (1, 2)


class Gaps:
    """Counts gaps at the moment when they are told."""

    count = 0

    def offer(self, event: Any) -> None:
        self.count += isinstance(event, GapDetected)

    def closed(self) -> None:
        """Nothing comes any more."""


class Play:
    """A server that stores and tells, a feed that says what is late, and a consumer that takes when it is let.

    Args:
        queue_size: of the dispatcher.
        page: how many messages are read back at a time.
        as_stream: whether the consumer is an iterator over typing too, in place of a handler.
    """

    def __init__(self, queue_size: int, page: int, *, as_stream: bool) -> None:
        self.shelf = Shelf(page)
        self.place = dispatcher(queue_size, self.shelf)
        self.gaps = Gaps()
        self.place.tap(self.gaps)
        self.told: list[Message] = []
        self.got: list[Message] = []
        self._untold: dict[int, list[Message]] = {each: [] for each in CONVERSATIONS}
        self._newest: dict[int, Any] = {}
        self._number = 0
        self._may = asyncio.Semaphore(0)
        if as_stream:
            self._taking = asyncio.ensure_future(self._iterate(self.place.stream((Message, TypingEvent))))
        else:
            self.place.subscribe(Message, self._handle)

    async def _handle(self, each: Message) -> None:
        await self._may.acquire()
        self.got.append(each)

    async def _iterate(self, stream: EventStream[Any]) -> None:
        async for each in stream:
            if isinstance(each, Message):
                await self._handle(each)

    def _tell(self, each: Message) -> None:
        conversation_id, key = each.conversation_id, order(each)
        is_late = key < self._newest.get(conversation_id, key)
        if not is_late:
            self._newest[conversation_id] = key
        self.told.append(each)
        self.place.publish(each.model_copy(update={"late": is_late}))

    def store(self, conversation_id: int) -> None:
        """The server stores a message, and is about to tell."""
        self._number += 1
        each = message(self._number, conversation_id, timestamp=START + timedelta(seconds=self._number))
        self.shelf.put(each)
        self._untold[conversation_id].append(each)

    def say(self, conversation_id: int, count: int) -> None:
        """It stores some, and tells of each at once, though not of those that wait to be told."""
        for _ in range(count):
            self.store(conversation_id)
            self.tell(conversation_id, -1)

    def tell(self, conversation_id: int, place: int) -> None:
        """It tells of one that it stored, usually the first."""
        untold = self._untold[conversation_id]
        if untold:
            self._tell(untold.pop(min(place, len(untold) - 1)))

    def straggle(self, conversation_id: int, back: float) -> None:
        """It stores a message with an earlier time, and tells at once."""
        self._number += 1
        at = START + timedelta(seconds=max(0.0, self._number - back))
        each = message(self._number, conversation_id, timestamp=at)
        self.shelf.put(each)
        self._tell(each)

    def take(self, count: int) -> None:
        """The consumer may take so many."""
        for _ in range(count):
            self._may.release()

    async def end(self) -> None:
        """Everything is told and taken."""
        for conversation_id in CONVERSATIONS:
            while self._untold[conversation_id]:
                self.tell(conversation_id, 0)
        self.take(10_000)
        await self.place.handled()
        await until(lambda: self.place.queued() == 0)
        self.place.close()


conversations = st.sampled_from(CONVERSATIONS)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("store"), conversations),
        st.tuples(st.just("say"), conversations, st.integers(1, 4)),
        st.tuples(st.just("tell"), conversations, st.sampled_from([0, 0, 1, 2])),
        st.tuples(st.just("straggle"), conversations, st.sampled_from([0.5, 1.5, 4.5])),
        st.tuples(st.just("take"), st.integers(1, 8)),
        st.tuples(st.just("turn"), st.sampled_from([1, 3, 8, 60])),
        st.tuples(st.just("typing")),
    ),
    min_size=3,
    max_size=60,
)


@settings(max_examples=200, deadline=None)
@given(queue_size=st.integers(1, 4), page=st.integers(1, 3), as_stream=st.booleans(), script=steps)
def test_every_message_once(queue_size: int, page: int, as_stream: bool, script: list[tuple[Any, ...]]) -> None:
    """Late ones are lost only where more than a second queue of them waits, and then a gap says so."""

    async def play() -> None:
        on = Play(queue_size, page, as_stream=as_stream)
        for word, *given_ in script:
            if word == "turn":
                for _ in range(given_[0]):
                    await asyncio.sleep(0)
            elif word == "typing":
                on.place.publish(typing(1))
            else:
                getattr(on, word)(*given_)
        await on.end()
        counted = Counter(each.id for each in on.got)
        assert not [each for each, times in counted.items() if times > 1]
        missing = {each.id for each in on.told} - set(counted)
        assert len(missing) == on.gaps.count
        assert set(counted) <= {each.id for each in on.told}
        for conversation_id in CONVERSATIONS:
            ordered = [order(each) for each in on.got if each.conversation_id == conversation_id and not each.late]
            assert ordered == sorted(ordered)

    asyncio.run(play())


@pytest.mark.parametrize("is_late", [True, False])
async def test_what_was_read_back_before_it_is_told_comes_once(is_late: bool) -> None:
    play = Play(1, 5, as_stream=False)
    play.say(1, 2)
    play.store(1)
    play.say(1, 1)
    play.take(10)
    await play.place.handled()
    assert [each.id for each in play.got] == [1, 2, 3, 4]
    play.place.publish(message(3, late=is_late))
    await play.place.handled()
    assert len(play.got) == 4
    await play.end()


def lag_of(start: int) -> Lag:
    return Lag(message(start), order)


def test_a_newest_message_that_is_gone_is_a_gap_after_some_tries() -> None:
    lag = lag_of(1)
    assert lag.takes(message(5))
    for attempt in range(TRIES):
        assert not lag.is_over
        found = lag.read([message(1)] if attempt == 0 else [], asked_to=lag.newest, is_end=True)
        assert [each.id for each in found] == ([1] if attempt == 0 else [])
    assert lag.is_over
    assert lag.has_gap


def test_a_newest_message_that_is_gone_is_none_where_later_ones_are_there() -> None:
    lag = lag_of(1)
    lag.takes(message(5))
    assert [each.id for each in lag.read([message(1), message(6)], asked_to=lag.newest, is_end=True)] == [1]
    assert lag.is_over
    assert not lag.has_gap


@pytest.mark.parametrize(
    ("each", "is_taken"),
    [
        pytest.param(message(9), True, id="newer"),
        pytest.param(message(7, late=True), True, id="late, still to be read"),
        pytest.param(message(5), False, id="read already"),
        pytest.param(message(1, late=True), False, id="before the stretch"),
        pytest.param(message(9, timestamp_is_receipt=True), False, id="without a place"),
    ],
)
def test_what_a_lag_takes(each: Message, is_taken: bool) -> None:
    lag = lag_of(3)
    lag.takes(message(8))
    lag.read([message(3), message(6)], asked_to=lag.newest, is_end=False)
    assert lag.takes(each) is is_taken


def test_a_straggler_that_the_read_did_not_see_comes_in_its_place() -> None:
    lag = lag_of(1)
    lag.takes(message(5))
    lag.takes(message(3, late=True))
    found = lag.read([message(1), message(2), message(5)], asked_to=lag.newest, is_end=True)
    assert [(each.id, each.late) for each in found] == [(1, False), (2, False), (3, True), (5, False)]
    assert lag.is_over
