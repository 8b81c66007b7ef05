"""Messages over HTTP while the socket is down, with exact times."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from shelf import START, message

from messaging_client.config import MessagingConfig
from messaging_client.errors import AuthenticationError, ServerError
from messaging_client.fallback import Fallback
from messaging_client.feed import Feed, Thread
from messaging_client.models import Conversation, ConversationStatus, Id, MessagePreview
from messaging_client.recovery import REFUSED
from messaging_client.testing import ManualClock
from messaging_client.wire.messages import message_order_key

FAILURE = ServerError("down", operation="conversations", status=503)


class NoChance(random.Random):
    """The longest of all intervals."""

    def random(self) -> float:
        return 0.0


class MuchChance(random.Random):
    """Half of what is left to chance."""

    def random(self) -> float:
        return 0.5


def listed(conversation_id: Id, newest: int | None) -> Conversation:
    """A conversation as the list shows it; without its last message where the list does not tell."""
    if newest is None:
        return Conversation(id=conversation_id)
    last = MessagePreview(content="...", timestamp=message(newest).timestamp)
    return Conversation(id=conversation_id, last_message=last, last_activity=START)


class Scene:
    """A poller with a list that a test writes; reads are noted, and answer as told."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.list: list[Conversation] = []
        self.list_error: Exception | None = None
        self.read: list[Id] = []
        self.unreadable: set[Id] = set()
        self.refused: set[Id] = set()
        self.shown: list[tuple[Id, bool]] = []
        self.feed = Feed(
            lambda each: None,
            order=message_order_key,
            hold_limit=10,
            monotonic=self.clock.monotonic,
            on_progress=lambda thread: None,
        )
        self.fallback = Fallback(
            self.feed,
            self,  # type: ignore[arg-type]
            MessagingConfig(fallback_poll_interval=10.0),
            clock=self.clock,
            random=NoChance(),
            conversations=self.conversations,
            on_listed=self.on_listed,
        )

    def follow(self, *ids: Id) -> None:
        for each in ids:
            self.feed.start_from(self.feed.follow(each), [message(1, talk=each)])

    async def conversations(self) -> AsyncIterator[Conversation]:
        for each in self.list:
            yield each
        if self.list_error is not None:
            raise self.list_error

    async def on_listed(self, conversation: Conversation, has_changed: bool) -> None:
        self.shown.append((conversation.id, has_changed))

    async def read_back(self, thread: Thread) -> bool:
        self.read.append(thread.conversation_id)
        thread.failures = REFUSED if thread.conversation_id in self.refused else 0
        return thread.conversation_id not in self.unreadable | self.refused

    def taken(self) -> list[Any]:
        read, self.read = self.read, []
        return sorted(read)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    yield scene
    scene.fallback.stop()
    await scene.clock.advance(0)


async def test_polls_within_one_interval_and_then_again(scene: Scene) -> None:
    scene.follow(1)
    scene.fallback.start()
    scene.fallback.start()
    assert scene.fallback.is_active
    await scene.clock.advance(9.999)
    assert scene.taken() == []
    await scene.clock.advance(0.001)
    assert scene.taken() == [1]
    await scene.clock.advance(10)
    assert scene.taken() == [1]
    assert scene.fallback.polls == 2


async def test_jitter_only_shortens() -> None:
    scene = Scene()
    scene.fallback._random = MuchChance()
    scene.fallback.start()
    await scene.clock.wait_for_sleepers()
    assert scene.clock.sleeping[0] == 9.0
    scene.fallback.stop()
    await scene.clock.advance(0)


async def test_only_conversations_that_the_list_shows_changed_are_read(scene: Scene) -> None:
    scene.follow(1, 2, 3)
    scene.list = [listed(1, 5), listed(2, 5), listed(7, 5)]
    await scene.fallback.poll()
    assert scene.taken() == [1, 2, 3], "at first nothing is known of before"
    scene.list = [listed(1, 5), listed(2, 6), listed(7, 6)]
    scene.shown.clear()
    await scene.fallback.poll()
    assert scene.taken() == [2, 3], "3 is not in the list, so it does not tell"
    assert scene.shown == [(1, False), (2, True), (7, True)]


async def test_all_are_read_where_the_list_does_not_tell(scene: Scene) -> None:
    scene.follow(1, 2)
    scene.list = [listed(1, None), listed(2, None)]
    for _ in range(2):
        await scene.fallback.poll()
        assert scene.taken() == [1, 2]


async def test_all_are_read_when_the_list_cannot_be(scene: Scene) -> None:
    scene.follow(1, 2)
    scene.list = [listed(1, 5)]
    await scene.fallback.poll()
    scene.taken()
    scene.list_error = FAILURE
    assert await scene.fallback.poll(), "what matters could be read"
    assert scene.taken() == [1, 2]
    scene.unreadable = {1}
    assert not await scene.fallback.poll()


async def test_one_that_could_not_be_read_is_read_next_time(scene: Scene) -> None:
    scene.follow(1, 2)
    scene.list = [listed(1, 5), listed(2, 5)]
    scene.unreadable = {2}
    assert not await scene.fallback.poll()
    scene.taken()
    scene.unreadable = set()
    assert await scene.fallback.poll()
    assert scene.taken() == [2]


async def test_it_backs_off_while_the_server_fails(scene: Scene) -> None:
    scene.follow(1)
    scene.list_error = FAILURE
    scene.unreadable = {1}
    scene.fallback.start()
    waits = []
    for _ in range(5):
        await scene.clock.advance(0)
        waits.append(scene.clock.sleeping[0] - scene.clock.monotonic())
        await scene.clock.advance(waits[-1])
    assert waits == [10, 20, 40, 60, 60]
    scene.list_error = None
    scene.unreadable = set()
    await scene.clock.advance(60)
    assert scene.clock.sleeping[0] - scene.clock.monotonic() == 10


async def test_one_that_may_not_be_read_slows_nothing_down(scene: Scene) -> None:
    scene.follow(1, 2)
    scene.list = [listed(1, 5), listed(2, 5)]
    scene.refused = {2}
    assert await scene.fallback.poll()


async def test_a_refused_token_is_a_failure(scene: Scene) -> None:
    scene.follow(1)
    scene.list_error = AuthenticationError("refused")
    assert not await scene.fallback.poll()
    assert scene.taken() == []


async def test_after_a_stop_it_knows_nothing_of_before(scene: Scene) -> None:
    scene.follow(1)
    scene.list = [listed(1, 5)]
    scene.fallback.start()
    await scene.clock.advance(10)
    scene.fallback.stop()
    assert scene.fallback.stop() is None
    assert not scene.fallback.is_active
    scene.taken()
    scene.fallback.start()
    await scene.clock.advance(10)
    assert scene.taken() == [1]


async def test_a_poll_that_goes_wrong_is_not_the_last(scene: Scene) -> None:
    scene.follow(1)
    scene.list_error = ZeroDivisionError()
    scene.fallback.start()
    await scene.clock.advance(10)
    assert scene.fallback.is_active
    scene.list_error = None
    await scene.clock.advance(20)
    assert scene.taken() == [1]
    assert scene.fallback.polls == 2


async def test_it_is_active_only_while_it_runs(scene: Scene) -> None:
    scene.fallback.start()
    task = scene.fallback._task
    assert task is not None
    task.cancel()
    await scene.clock.advance(0)
    assert not scene.fallback.is_active
    scene.follow(1)
    scene.fallback.start()
    await scene.clock.advance(10)
    assert scene.taken() == [1]


@pytest.mark.parametrize("change", [{"unread_count": 1}, {"status": ConversationStatus.CLOSED}, {"title": "Autre"}])
async def test_what_changes_besides_messages_is_told_without_a_read(scene: Scene, change: dict[str, Any]) -> None:
    scene.follow(1)
    scene.list = [listed(1, 5)]
    await scene.fallback.poll()
    scene.taken()
    scene.shown.clear()
    scene.list = [listed(1, 5).model_copy(update=change)]
    await scene.fallback.poll()
    await scene.fallback.poll()
    assert scene.shown == [(1, True), (1, False)]
    assert scene.taken() == []


async def test_a_time_that_does_not_follow_messages_tells_nothing(scene: Scene) -> None:
    scene.follow(1)
    scene.list = [Conversation(id=1, last_activity=START)]
    for _ in range(2):
        await scene.fallback.poll()
        assert scene.taken() == [1]


async def test_a_time_that_follows_messages_tells(scene: Scene) -> None:
    scene.follow(1)
    scene.list = [Conversation(id=1, last_activity=message(1).timestamp)]
    await scene.fallback.poll()
    assert scene.taken() == [1]
    await scene.fallback.poll()
    assert scene.taken() == []


async def test_a_preview_without_a_time_tells_nothing(scene: Scene) -> None:
    scene.follow(1)
    scene.list = [Conversation(id=1, last_message=MessagePreview(content="oui"))]
    for _ in range(2):
        await scene.fallback.poll()
        assert scene.taken() == [1], "the next message may say the same"
