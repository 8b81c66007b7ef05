"""When conversations are read back, with exact times."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from shelf import Shelf, message

from messaging_client.config import MessagingConfig
from messaging_client.errors import (
    AuthenticationError,
    ConnectFailed,
    MessagingError,
    PermissionDenied,
    UnexpectedResponse,
)
from messaging_client.events import GapDetected
from messaging_client.feed import Feed, Point
from messaging_client.models import Message, Participant, UserType
from messaging_client.positions import Positions
from messaging_client.reading import Batch, Reader
from messaging_client.recovery import PATIENCE, Recovery
from messaging_client.testing import ManualClock
from messaging_client.transport.auth import TokenUnavailable
from messaging_client.wire.messages import message_order_key

DENIED = PermissionDenied("no", operation="messages", status=403)
DOWN = ConnectFailed("down")
REFUSED_TOKENS = [
    AuthenticationError("expired"),
    TokenUnavailable("the callable raised"),
    UnexpectedResponse("a page", operation="new_messages", status=200),
]


async def no_store() -> None:
    return None


async def nothing_to_handle() -> None:
    return None


class Scene:
    """A conversation of three messages that is followed, by a manual clock."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.shelf = Shelf([message(1), message(2), message(3)])
        self.told: list[Message] = []
        self.gaps: list[GapDetected] = []
        config = MessagingConfig(randomization_factor=0.0)
        self.feed = Feed(
            self.told.append,
            order=message_order_key,
            hold_limit=5,
            monotonic=self.clock.monotonic,
            is_own=lambda each: each.sender.id == 5,
            on_progress=lambda thread: None,
        )
        self.reader = Reader(self.shelf, message_order_key, self.clock, 1000)
        positions = Positions(no_store, handled=nothing_to_handle, order_key=lambda *key: key, is_kept=False)
        self.recovery = Recovery(
            self.feed,
            self.reader,
            positions,
            config,
            clock=self.clock,
            random=random.Random(1),
            report_gap=self.gaps.append,
        )

    @property
    def ids(self) -> list[Any]:
        return [each.id for each in self.told]

    def say(self, number: int, *, live: bool) -> None:
        """A message is stored, and broadcast or not."""
        self.shelf.messages.append(message(number))
        if live:
            self.feed.live(message(number))

    async def settled(self) -> Scene:
        """Joined, and past the delay."""
        await self.recovery.begin(1)
        self.recovery.joined(1, None, was_read=True)
        await self.clock.advance(2.0)
        self.shelf.asked.clear()
        return self

    def lose_and_join(self, acknowledged: asyncio.Future[Any] | None = None) -> None:
        """A connection was lost, and there is a new one."""
        self.recovery.pause(release=False)
        self.recovery.joined(1, acknowledged, was_read=False)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    yield scene
    await scene.recovery.aclose()


async def test_a_first_join_reads_the_newest_page_and_once_more_after_the_delay(scene: Scene) -> None:
    await scene.recovery.begin(1)
    scene.recovery.joined(1, None, was_read=True)
    scene.say(4, live=False)
    await scene.clock.advance(1.999)
    assert scene.told == []
    await scene.clock.advance(0.001)
    assert scene.ids == [4]


async def test_after_a_connection_it_reads_at_once_and_after_the_delay(scene: Scene) -> None:
    await scene.settled()
    scene.say(4, live=False)
    scene.lose_and_join()
    await scene.clock.advance(0)
    assert scene.ids == [4]
    scene.say(5, live=False)
    await scene.clock.advance(1.999)
    assert scene.ids == [4]
    await scene.clock.advance(0.001)
    assert scene.ids == [4, 5]


async def test_an_acknowledgement_ends_the_wait(scene: Scene) -> None:
    await scene.settled()
    acknowledged: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    scene.lose_and_join(acknowledged)
    await scene.clock.advance(0.1)
    scene.say(4, live=False)
    acknowledged.set_result({"status": "success"})
    await scene.clock.advance(0)
    assert scene.ids == [4]
    assert scene.clock.sleeping == ()


@pytest.mark.parametrize("answer", [None, ConnectFailed("gone")])
async def test_an_acknowledgement_that_says_nothing_does_not(scene: Scene, answer: Any) -> None:
    await scene.settled()
    acknowledged: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    scene.lose_and_join(acknowledged)
    await scene.clock.advance(0.1)
    if answer is None:
        acknowledged.set_result(None)
    else:
        acknowledged.set_exception(answer)
    scene.say(4, live=False)
    await scene.clock.advance(1.8)
    assert scene.told == []
    await scene.clock.advance(0.1)
    assert scene.ids == [4]


async def test_a_live_message_before_the_room_is_sure_waits_for_those_before_it(scene: Scene) -> None:
    await scene.settled()
    scene.lose_and_join()
    await scene.clock.advance(0.5)
    scene.say(4, live=False)
    scene.say(5, live=True)
    assert scene.told == []
    await scene.clock.advance(0)
    assert scene.ids == [4, 5]
    assert not any(each.late for each in scene.told)


async def test_what_comes_during_a_read_waits_for_the_next(scene: Scene) -> None:
    await scene.settled()
    scene.lose_and_join()

    def meanwhile() -> None:
        scene.shelf.before_answer = lambda: None
        scene.say(4, live=False)
        scene.say(5, live=True)

    scene.shelf.before_answer = meanwhile
    await scene.clock.advance(0)
    assert scene.ids == [4, 5]
    assert not any(each.late for each in scene.told)


async def test_more_than_can_be_held_is_read(scene: Scene) -> None:
    await scene.settled()
    scene.shelf.failures = [DOWN, DOWN]
    scene.lose_and_join()
    await scene.clock.advance(0)
    for number in range(4, 30):
        scene.say(number, live=True)
    await scene.clock.advance(2.0)
    assert scene.ids == list(range(4, 30))
    assert not any(each.late for each in scene.told)


async def test_reads_are_tried_again_with_growing_delays(scene: Scene) -> None:
    await scene.settled()
    scene.shelf.failures = [DOWN, DOWN, DOWN]
    scene.say(4, live=False)
    scene.lose_and_join()
    tries = []
    for _ in range(3):
        await scene.clock.advance(0)
        now = scene.clock.monotonic()
        retry = min(each for each in scene.clock.sleeping if each != 4.0)
        tries.append(round(retry - now, 6))
        await scene.clock.advance(retry - now)
    assert tries == [0.5, 1.0, 2.0]
    assert scene.ids == [4]
    assert scene.gaps == []


async def test_a_server_that_fails_for_long_gives_a_gap_and_lets_live_messages_through(scene: Scene) -> None:
    await scene.settled()
    scene.shelf.failures = [DOWN] * (PATIENCE + 1)
    scene.say(4, live=False)
    scene.lose_and_join()
    await scene.clock.advance(0)
    scene.say(5, live=True)
    await scene.clock.advance(7.4)
    assert scene.told == []
    await scene.clock.advance(0.2)
    assert scene.ids == [5]
    assert [(each.conversation_id, each.after) for each in scene.gaps] == [(1, message(3).timestamp)]
    await scene.clock.advance(60)
    assert scene.ids == [5, 4]
    assert scene.told[-1].late
    assert len(scene.gaps) == 1


async def test_a_conversation_that_may_not_be_read_gives_one_gap(scene: Scene) -> None:
    await scene.settled()
    scene.shelf.failures = [DENIED] * 3
    scene.lose_and_join()
    await scene.clock.advance(0)
    scene.feed.live(message(9))
    assert scene.ids == [9], "it waits for nothing"
    scene.lose_and_join()
    await scene.clock.advance(0)
    assert len(scene.gaps) == 1
    scene.shelf.failures = []
    scene.lose_and_join()
    await scene.clock.advance(0)
    scene.shelf.failures = [DENIED]
    scene.lose_and_join()
    await scene.clock.advance(0)
    assert len(scene.gaps) == 2, "a new stretch is a new gap"


async def test_traffic_is_verified_and_silence_is_not(scene: Scene) -> None:
    await scene.settled()
    scene.recovery.start_verifying()
    scene.recovery.start_verifying()
    await scene.clock.advance(90)
    assert scene.shelf.asked == []
    scene.say(4, live=False)
    scene.say(5, live=True)
    await scene.clock.advance(30)
    assert scene.ids == [5, 4]
    scene.shelf.asked.clear()
    await scene.clock.advance(60)
    assert scene.shelf.asked == []


async def test_a_message_during_a_verification_is_verified_next_time(scene: Scene) -> None:
    await scene.settled()
    scene.recovery.start_verifying()
    scene.say(4, live=True)

    def at_the_last_read() -> None:
        if len(scene.shelf.asked) == 2:
            scene.say(5, live=False)
            scene.say(6, live=True)

    scene.shelf.before_answer = at_the_last_read
    await scene.clock.advance(30)
    assert scene.ids == [4, 6]
    await scene.clock.advance(30)
    assert sorted(scene.ids) == [4, 5, 6]


async def test_a_notice_without_its_message_causes_a_read(scene: Scene) -> None:
    await scene.settled()
    scene.say(4, live=False)
    scene.recovery.touch(1, is_message=True)
    await scene.clock.advance(1.999)
    assert scene.told == []
    await scene.clock.advance(0.001)
    assert scene.ids == [4]


@pytest.mark.parametrize("before", [True, False])
async def test_a_notice_with_its_message_causes_none(scene: Scene, before: bool) -> None:
    await scene.settled()
    await scene.clock.advance(100)
    if before:
        scene.say(4, live=True)
    scene.recovery.touch(1, is_message=True)
    if not before:
        scene.say(4, live=True)
    await scene.clock.advance(10)
    assert scene.shelf.asked == []


async def test_more_notices_than_messages_cause_a_read(scene: Scene) -> None:
    await scene.settled()
    await scene.clock.advance(100)
    for number in (4, 5, 6):
        scene.say(number, live=number != 5)
        scene.recovery.touch(1, is_message=True)
    await scene.clock.advance(2)
    assert sorted(scene.ids) == [4, 5, 6]


async def test_a_start_that_cannot_be_read_is_read_later_and_says_so(scene: Scene) -> None:
    scene.shelf.failures = [DOWN]
    await scene.recovery.begin(1)
    scene.recovery.not_joined(1)
    scene.feed.live(message(3))
    assert scene.ids == [3]
    scene.recovery.joined(1, None, was_read=False)
    await scene.clock.advance(2)
    assert scene.ids == [3]
    assert [each.before for each in scene.gaps] == [message(3).timestamp]
    scene.say(4, live=True)
    assert scene.ids == [3, 4]


async def test_a_start_that_is_refused_is_not_followed(scene: Scene) -> None:
    scene.shelf.failures = [DENIED]
    with pytest.raises(PermissionDenied):
        await scene.recovery.begin(1)
    assert scene.feed.threads == {}


async def test_a_conversation_that_has_just_come_to_be_is_told_from_its_start(scene: Scene) -> None:
    assert not await scene.recovery.begin(1, Point())
    scene.recovery.joined(1, None, was_read=False)
    await scene.clock.advance(0)
    assert scene.ids == [1, 2, 3]


async def test_what_waits_is_told_when_the_user_disconnects(scene: Scene) -> None:
    await scene.settled()
    scene.shelf.failures = [DOWN] * 3
    scene.lose_and_join()
    await scene.clock.advance(0)
    scene.say(4, live=True)
    scene.recovery.pause(release=True)
    assert scene.ids == [4]


async def test_a_second_join_replaces_the_first(scene: Scene) -> None:
    await scene.settled()
    scene.lose_and_join()
    await scene.clock.advance(1.0)
    scene.lose_and_join()
    await scene.clock.advance(1.5)
    scene.say(4, live=False)
    scene.feed.live(message(5))
    await scene.clock.advance(0.5)
    assert scene.ids == [4, 5]
    assert scene.clock.sleeping == ()


async def test_a_forgotten_conversation_is_read_no_more(scene: Scene) -> None:
    await scene.settled()
    thread = scene.feed.threads[1]
    scene.lose_and_join()
    scene.recovery.forget(1)
    await scene.clock.advance(5)
    assert not await scene.recovery.read_back(thread)
    scene.recovery.joined(1, None, was_read=False)
    scene.recovery.touch(1, is_message=True)
    scene.recovery.not_joined(1)
    assert scene.clock.sleeping == ()


@pytest.mark.parametrize("error", REFUSED_TOKENS)
async def test_a_refused_token_does_not_end_the_settling(scene: Scene, error: MessagingError) -> None:
    await scene.settled()
    scene.shelf.failures = [error]
    scene.say(4, live=False)
    scene.lose_and_join()
    await scene.clock.advance(0.4)
    assert scene.told == []
    await scene.clock.advance(0.1)
    assert scene.ids == [4]
    await scene.clock.advance(1.5)
    scene.say(5, live=True)
    assert scene.ids == [4, 5], "it has settled, and nothing waits any more"


@pytest.mark.parametrize("error", REFUSED_TOKENS)
async def test_a_refused_token_does_not_end_verification(scene: Scene, error: MessagingError) -> None:
    await scene.settled()
    scene.recovery.start_verifying()
    scene.shelf.failures = [error]
    scene.say(4, live=False)
    scene.say(5, live=True)
    await scene.clock.advance(30)
    assert scene.ids == [5]
    await scene.clock.advance(30)
    assert scene.ids == [5, 4]


async def test_a_fault_of_ours_does_not_end_verification(scene: Scene) -> None:
    await scene.settled()
    scene.recovery.start_verifying()
    scene.shelf.failures = [ZeroDivisionError()]  # type: ignore[list-item]
    scene.say(4, live=False)
    scene.say(5, live=True)
    await scene.clock.advance(60)
    assert scene.ids == [5, 4]


def leave_and_join_during_the_read(scene: Scene) -> None:
    def meanwhile() -> None:
        scene.shelf.before_answer = lambda: None
        scene.recovery.forget(1)
        scene.recovery.expect(1)

    scene.shelf.before_answer = meanwhile


async def test_a_read_from_before_leaving_tells_nothing_after_it(scene: Scene) -> None:
    await scene.settled()
    scene.say(4, live=False)
    leave_and_join_during_the_read(scene)
    before = scene.feed.threads[1]
    assert not await scene.recovery.read_back(before)
    assert scene.told == []
    assert scene.feed.threads[1] is not before


async def test_a_read_that_fails_after_leaving_says_nothing(scene: Scene) -> None:
    await scene.settled()
    scene.shelf.failures = [DENIED]
    leave_and_join_during_the_read(scene)
    assert not await scene.recovery.read_back(scene.feed.threads[1])
    assert scene.gaps == []


@pytest.mark.parametrize("failures", [[], [DENIED]])
async def test_a_start_from_before_leaving_does_not_begin_the_next(
    scene: Scene, failures: list[MessagingError]
) -> None:
    scene.shelf.failures = list(failures)
    leave_and_join_during_the_read(scene)
    if failures:
        with pytest.raises(PermissionDenied):
            await scene.recovery.begin(1)
    else:
        await scene.recovery.begin(1)
    assert scene.feed.threads[1].proven is None


async def test_joining_again_waits_for_the_read_of_before(scene: Scene) -> None:
    await scene.settled()
    under_way = asyncio.ensure_future(scene.recovery.read_back(scene.feed.threads[1]))
    begun = 0

    def note() -> None:
        nonlocal begun
        begun += 1

    scene.shelf.before_answer = note
    await asyncio.sleep(0)
    scene.recovery.forget(1)
    again = asyncio.ensure_future(scene.recovery.begin(1))
    await under_way
    assert begun == 1
    await again
    assert begun == 2


def own(number: int) -> Message:
    """A message of the user."""
    return message(number).model_copy(update={"sender": Participant(id=5, type=UserType.PATIENT)})


async def test_a_repeated_message_explains_no_second_notice(scene: Scene) -> None:
    await scene.settled()
    await scene.clock.advance(100)
    for number in (4, 5):
        scene.say(number, live=number == 4)
        scene.recovery.touch(1, is_message=True)
    scene.feed.live(message(4))
    await scene.clock.advance(2)
    assert scene.ids == [4, 5]


async def test_an_own_message_explains_no_notice_of_a_new_message(scene: Scene) -> None:
    await scene.settled()
    await scene.clock.advance(100)
    scene.say(4, live=False)
    scene.recovery.touch(1, is_message=True)
    scene.shelf.messages.append(own(5))
    scene.feed.live(own(5))
    await scene.clock.advance(2)
    assert scene.ids == [5, 4]


async def test_an_own_message_explains_the_notice_of_its_change(scene: Scene) -> None:
    await scene.settled()
    await scene.clock.advance(100)
    scene.recovery.touch(1, is_message=False)
    scene.shelf.messages.append(own(4))
    scene.feed.live(own(4))
    await scene.clock.advance(10)
    assert scene.shelf.asked == []


async def test_a_message_from_just_before_explains_one_notice_only(scene: Scene) -> None:
    await scene.settled()
    await scene.clock.advance(100)
    scene.say(4, live=True)
    scene.recovery.touch(1, is_message=True)
    await scene.clock.advance(1.5)
    scene.say(5, live=False)
    scene.recovery.touch(1, is_message=True)
    await scene.clock.advance(2)
    assert scene.ids == [4, 5]


async def test_a_message_from_long_before_explains_nothing(scene: Scene) -> None:
    await scene.settled()
    scene.say(4, live=True)
    await scene.clock.advance(2.001)
    scene.say(5, live=False)
    scene.recovery.touch(1, is_message=True)
    await scene.clock.advance(2)
    assert scene.ids == [4, 5]


async def test_a_notice_is_traffic(scene: Scene) -> None:
    await scene.settled()
    scene.recovery.start_verifying()
    await scene.clock.advance(29.5)
    scene.say(4, live=True)
    scene.recovery.touch(1, is_message=True)
    scene.shelf.asked.clear()
    await scene.clock.advance(0.5)
    assert scene.shelf.asked, "the message is verified"
    scene.recovery.touch(1, is_message=True)
    scene.feed.live(message(5))
    await scene.clock.advance(30)
    scene.recovery.touch(1, is_message=False)
    assert scene.feed.threads[1].has_traffic


async def test_a_notice_while_the_room_is_unsure_is_looked_into_at_once(scene: Scene) -> None:
    await scene.settled()
    scene.lose_and_join()
    await scene.clock.advance(0.5)
    scene.say(4, live=False)
    scene.recovery.touch(1, is_message=True)
    await scene.clock.advance(0)
    assert scene.ids == [4]


async def test_a_read_begins_after_a_notice_that_came_during_the_last_one_of_settling(scene: Scene) -> None:
    await scene.settled()
    scene.lose_and_join()
    await scene.clock.advance(1.0)

    def meanwhile() -> None:
        scene.shelf.before_answer = lambda: None
        scene.say(4, live=False)
        scene.recovery.touch(1, is_message=True)

    scene.shelf.before_answer = meanwhile
    await scene.clock.advance(1.0)
    assert scene.told == []
    await scene.clock.advance(2.0)
    assert scene.ids == [4]


async def test_a_notice_during_the_read_that_another_one_caused(scene: Scene) -> None:
    await scene.settled()
    scene.recovery.touch(1, is_message=False)

    def meanwhile() -> None:
        scene.shelf.before_answer = lambda: None
        scene.say(4, live=False)
        scene.recovery.touch(1, is_message=True)

    scene.shelf.before_answer = meanwhile
    await scene.clock.advance(2.0)
    assert scene.told == []
    await scene.clock.advance(2.0)
    assert scene.ids == [4]
    assert scene.recovery._touched == {}


async def test_what_overflows_during_the_last_read_of_settling_is_read(scene: Scene) -> None:
    await scene.settled()
    scene.lose_and_join()
    await scene.clock.advance(1.0)

    def meanwhile() -> None:
        scene.shelf.before_answer = lambda: None
        for number in range(4, 20):
            scene.say(number, live=True)

    scene.shelf.before_answer = meanwhile
    await scene.clock.advance(1.0)
    assert scene.ids == list(range(4, 20))
    assert not any(each.late for each in scene.told)


async def test_a_first_join_of_a_crowd_tells_none_of_it(scene: Scene) -> None:
    scene.shelf.messages = [message(number, 10 + number / 1000) for number in range(120)]
    await scene.settled()
    assert scene.told == []
    scene.shelf.messages.append(message(120, 10.12))
    assert await scene.recovery.read_back(scene.feed.threads[1])
    assert scene.ids == [120]


async def test_live_messages_wait_no_longer_than_five_reads_of_a_server_that_hangs(scene: Scene) -> None:
    await scene.settled()
    never = asyncio.Event()

    async def hang(*_args: object) -> Batch:
        await never.wait()
        raise AssertionError

    scene.shelf.new_since = hang  # type: ignore[assignment]
    scene.lose_and_join()
    await scene.clock.advance(0)
    scene.say(4, live=True)
    await scene.clock.advance(5 * 15.0 + 7.5 - 0.001)
    assert scene.told == []
    await scene.clock.advance(0.001)
    assert scene.ids == [4]
    assert len(scene.gaps) == 1
    scene.say(5, live=True)
    assert scene.ids == [4, 5], "after the gap was told, nothing waits"


async def test_after_a_gap_order_is_kept_again_once_the_server_answers(scene: Scene) -> None:
    await scene.settled()
    scene.shelf.failures = [DOWN] * PATIENCE
    scene.lose_and_join(asyncio.get_running_loop().create_future())
    await scene.clock.advance(7.5)
    scene.lose_and_join()
    await scene.clock.advance(0.5)
    scene.say(4, live=False)
    scene.say(5, live=True)
    await scene.clock.advance(0)
    assert scene.ids == [4, 5]


async def test_four_conversations_are_read_at_a_time(scene: Scene) -> None:
    at_work, most = 0, 0
    gate = asyncio.Event()

    async def newest(*_args: object) -> Batch:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await gate.wait()
        at_work -= 1
        return Batch((), 0, is_last=True)

    scene.shelf.newest = newest  # type: ignore[assignment]
    begun = asyncio.gather(*(scene.recovery.begin(number) for number in range(20)))
    await scene.clock.advance(0)
    assert at_work == 4
    gate.set()
    await begun
    assert most == 4


async def test_one_that_turns_out_to_be_new_while_its_first_page_is_read_is_told_from_its_start(scene: Scene) -> None:
    scene.shelf.before_answer = lambda: scene.recovery.expect(1, Point()) and None
    assert not await scene.recovery.begin(1)
    scene.recovery.joined(1, None, was_read=False)
    await scene.clock.advance(0)
    assert scene.ids == [1, 2, 3]
