"""When read positions are kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from shelf import message

from messaging_client.feed import Feed, Point
from messaging_client.models import User, UserType
from messaging_client.positions import Positions
from messaging_client.store import Store, open_store
from messaging_client.wire.messages import message_order_key, order_key


class Scene:
    """Positions in a file, of a conversation whose handlers finish when a test says so."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.waiting = asyncio.Event()
        self.done = asyncio.Event()
        self.positions = Positions(self._opened, handled=self._handled, order_key=order_key, is_kept=True)
        self.feed = Feed(
            lambda each: None,
            order=message_order_key,
            hold_limit=10,
            monotonic=lambda: 0.0,
            on_progress=self.positions.progressed,
        )
        self.thread = self.feed.follow(1)

    async def _opened(self) -> Store:
        return self.store

    async def _handled(self) -> None:
        self.waiting.set()
        await self.done.wait()

    async def committed(self) -> None:
        """Let handlers finish, and wait for what that keeps."""
        self.done.set()
        while self.positions._committing is not None:
            await asyncio.wait({self.positions._committing})


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    store = open_store(tmp_path / "positions.db")
    await store.bind("http://localhost", User(id=5, type=UserType.PATIENT))
    scene = Scene(store)
    yield scene
    await scene.positions.stop()
    await store.aclose()


async def test_a_position_moves_after_handlers_have_had_the_message(scene: Scene) -> None:
    scene.feed.start_from(scene.thread, [message(1)])
    await scene.waiting.wait()
    # A round trip to the thread of the store: whatever was written before is there.
    assert await scene.store.cursor(1) is None
    await scene.committed()
    assert await scene.store.cursor(1) is not None


async def test_what_is_left_while_handlers_are_waited_for_is_not_kept(scene: Scene) -> None:
    scene.feed.start_from(scene.thread, [message(1)])
    await scene.waiting.wait()
    scene.positions.drop(1)
    await scene.positions.forget(1)
    await scene.committed()
    assert await scene.store.cursor(1) is None
    assert await scene.positions.of(1) is None
    assert await scene.positions.was_left(1)
    await scene.positions.came_back(1)
    assert not await scene.positions.was_left(1)


async def test_one_that_is_joined_again_before_it_is_forgotten_keeps_its_new_position(scene: Scene) -> None:
    scene.positions.drop(1)
    scene.feed.start_from(scene.thread, [message(1)])
    await scene.positions.forget(1)
    await scene.committed()
    assert await scene.store.cursor(1) is not None


async def test_one_that_is_joined_again_goes_on_from_its_new_position_though_it_could_not_be_forgotten(
    scene: Scene,
) -> None:
    scene.positions.drop(1)
    assert await scene.positions.of(1) is None
    scene.feed.start_from(scene.thread, [message(1)])
    await scene.committed()
    assert await scene.positions.of(1) is not None


@pytest.mark.parametrize("start", [Point(), Point.after(message(1).timestamp)])
async def test_a_start_is_kept_before_anything_is_told(scene: Scene, start: Point) -> None:
    await scene.positions.begin(1, start)
    again = Positions(scene._opened, handled=scene._handled, order_key=order_key, is_kept=True)
    assert await again.of(1) == (start, ())
    await again.begin(1, Point.after(message(2).timestamp))
    assert await again.of(1) == (start, ()), "it has one already"


async def test_how_far_the_list_is_known_outlives_the_process(scene: Scene) -> None:
    assert not await scene.positions.are_of_all()
    for each in (None, message(2).timestamp, message(3).timestamp, message(1).timestamp):
        await scene.positions.now_of_all(each)
        assert await scene.positions.listed_until() == each
    again = Positions(scene._opened, handled=scene._handled, order_key=order_key, is_kept=True)
    assert await again.are_of_all()
    assert await again.listed_until() == message(1).timestamp
