"""Which rooms are asked for, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from messaging_client.config import MessagingConfig
from messaging_client.errors import NotConnected
from messaging_client.transport.joins import Joins
from messaging_client.transport.link import Link


class FakeLink:
    """Writes down what is sent, and lets a test act between two sends."""

    def __init__(self, between: Callable[[int], Any] | None = None, *, broken: bool = False) -> None:
        self.sent: list[tuple[str, Any]] = []
        self.replies: list[asyncio.Future[Any]] = []
        self._between = between
        self._broken = broken

    async def _take(self, event: str, payload: Any) -> None:
        await asyncio.sleep(0)
        if self._broken:
            raise NotConnected("broken")
        self.sent.append((event.partition("_")[0], payload["conversationId"]))
        if self._between is not None:
            await self._between(len(self.sent))

    async def emit(self, event: str, payload: Any) -> None:
        await self._take(event, payload)

    async def ask(self, event: str, payload: Any) -> asyncio.Future[Any]:
        await self._take(event, payload)
        self.replies.append(asyncio.get_running_loop().create_future())
        return self.replies[-1]

    def as_link(self) -> Link:
        return cast(Link, self)


@pytest.fixture
def joins() -> Joins:
    return Joins(MessagingConfig())


async def test_rooms_are_asked_for_in_the_order_in_which_they_were_wanted(joins: Joins) -> None:
    for room in (3, 1, 2, 3):
        assert await joins.join(room, None) is None
    await joins.leave(1, None)
    link = FakeLink()
    await joins.join_all(link.as_link())
    assert link.sent == [("join", 3), ("join", 2)]
    assert joins.wanted == (3, 2)
    assert joins.take_replies() == dict(zip((3, 2), link.replies, strict=True))
    assert joins.take_replies() == {}


async def test_a_room_left_while_rooms_are_asked_for_is_left_on_the_server_too(joins: Joins) -> None:
    async def between(count: int) -> None:
        if count == 2:
            await joins.leave(1, None)
            await joins.join(5, None)
        if count == 4:
            await joins.join(1, None)

    for room in (1, 2, 3):
        await joins.join(room, None)
    link = FakeLink(between)
    await joins.join_all(link.as_link())
    assert link.sent == [("join", 1), ("join", 2), ("join", 3), ("leave", 1), ("join", 5), ("join", 1)]
    assert set(joins.take_replies()) == {1, 2, 3, 5} == set(joins.wanted)
    assert link.replies[0].cancelled()


async def test_a_link_that_breaks_during_a_join_or_a_leave_changes_nothing_of_what_is_wanted(joins: Joins) -> None:
    link = FakeLink(broken=True).as_link()
    assert await joins.join(1, link) is None
    assert joins.wanted == (1,)
    with pytest.raises(NotConnected):
        await joins.join_all(link)
    assert joins.take_replies() == {}
    await joins.leave(1, link)
    assert joins.wanted == ()
