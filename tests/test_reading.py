"""How a conversation is read from a point on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shelf import START, Shelf, message, untimed

from messaging_client.errors import AuthenticationError, ConnectFailed, NotFound, PermissionDenied
from messaging_client.feed import OVERLAP, Point
from messaging_client.models import Message
from messaging_client.reading import PAGE_SIZE, Reader
from messaging_client.testing import ManualClock
from messaging_client.wire.messages import message_order_key


def reader_of(shelf: Shelf, clock: ManualClock | None = None, enough: int = 1000) -> Reader:
    return Reader(shelf, message_order_key, clock or ManualClock(), enough)


def point_at(newest: Message, *others: Message) -> Point:
    ids = {each.id: each.timestamp for each in (newest, *others)}
    return Point(newest.timestamp, message_order_key(newest), newest.id, ids)


async def read(shelf: Shelf, point: Point, reader: Reader | None = None) -> list[object]:
    found: list[object] = []

    def take(page: Sequence[Message]) -> bool:
        found.extend(each.id for each in page)
        return True

    await (reader or reader_of(shelf)).since(1, point, take)
    return list(dict.fromkeys(found))


async def test_one_answer_without_news_is_enough() -> None:
    shelf = Shelf(map(message, range(10)))
    assert await read(shelf, point_at(message(9))) == []
    assert shelf.asked == [START.replace(second=9) - OVERLAP]


@pytest.mark.parametrize("cap", [1000, 20, 10])
@pytest.mark.parametrize("has_since_route", [True, False])
async def test_all_pages_are_read(cap: int, has_since_route: bool) -> None:
    shelf = Shelf(map(message, range(300)), cap=cap, has_since_route=has_since_route)
    assert set(await read(shelf, point_at(message(99)))) - {99} == set(range(100, 300))


@pytest.mark.parametrize("has_since_route", [True, False])
async def test_what_became_visible_in_the_overlap_is_found(has_since_route: bool) -> None:
    shelf = Shelf([message(1, 10.0), message(2, 9.5), message(3, 8.0)], has_since_route=has_since_route)
    assert 2 in await read(shelf, point_at(message(1, 10.0)))


async def test_a_full_answer_of_known_messages_is_not_the_end() -> None:
    crowd = [message(number, 10.0 + number / 100) for number in range(30)]
    shelf = Shelf(crowd, cap=10)
    assert set(await read(shelf, point_at(crowd[15], *crowd[:15]))) >= set(range(16, 30))


async def test_a_page_of_one_single_time_goes_on_by_pages() -> None:
    shelf = Shelf(message(number, 5.0) for number in range(120))
    assert sorted(await read(shelf, point_at(message(0, 1.0)))) == list(range(120))
    assert 1 in shelf.asked


async def test_messages_without_times_are_read_by_pages_up_to_known_ground() -> None:
    shelf = Shelf(untimed(number, 1000.0 + number) for number in range(200))
    newest = untimed(140, 1140.0)
    point = Point(ids={newest.id: None})
    shelf.says_last = False
    assert set(await read(shelf, point)) >= set(range(141, 200))
    assert [each for each in shelf.asked if isinstance(each, int)] == [1, 2]


async def test_the_start_of_a_conversation() -> None:
    shelf = Shelf(map(message, range(1, 120)))
    assert await read(shelf, Point()) == list(range(1, 120))


async def test_the_missing_route_is_asked_for_once() -> None:
    shelf = Shelf(map(message, range(10)), has_since_route=False)
    reader = reader_of(shelf)
    for _ in range(3):
        await read(shelf, point_at(message(5)), reader)
    assert sum(not isinstance(each, int) for each in shelf.asked) == 1


async def test_a_missing_conversation_does_not_make_the_route_missing() -> None:
    shelf = Shelf(map(message, range(10)))
    reader = reader_of(shelf)
    shelf.failures = [
        NotFound("gone", operation="messages", status=404),
        NotFound("gone", operation="messages", status=404),
    ]
    with pytest.raises(NotFound):
        await read(shelf, point_at(message(5)), reader)
    await read(shelf, point_at(message(9)), reader)
    assert not isinstance(shelf.asked[-1], int)


async def test_pages_that_shift_while_they_are_read() -> None:
    shelf = Shelf(map(message, range(200)), has_since_route=False)

    def one_more() -> None:
        shelf.messages.append(message(len(shelf.messages)))

    shelf.before_answer = one_more
    assert set(await read(shelf, point_at(message(20)))) >= set(range(21, 200))


async def test_a_subscription_that_fell_behind() -> None:
    shelf = Shelf(map(message, range(300)))
    reader = reader_of(shelf, enough=100)
    got: list[object] = []
    last, is_end = None, False
    while not is_end:
        page, is_end = await reader.page_from(1, message(50), last)
        assert len(page) <= 100 + PAGE_SIZE
        got.extend(each.id for each in page)
        last = page[-1] if page else last
    assert got == list(range(50, 300))


async def test_it_waits_while_the_server_fails() -> None:
    shelf, clock = Shelf(map(message, range(5))), ManualClock()
    shelf.failures = [ConnectFailed("down"), AuthenticationError("expired")]
    reading = reader_of(shelf, clock).page_from(1, message(2), None)
    task = asyncio.ensure_future(reading)
    await clock.wait_for_sleepers()
    assert clock.sleeping == (0.5,)
    await clock.advance(0.5)
    assert clock.sleeping == (1.5,)
    await clock.advance(1.0)
    page, is_end = await task
    assert [each.id for each in page] == [2, 3, 4]
    assert is_end


async def test_it_gives_up_where_trying_again_is_of_no_use() -> None:
    shelf = Shelf(map(message, range(5)))
    shelf.failures = [PermissionDenied("no", operation="messages", status=403)]
    assert await reader_of(shelf).page_from(1, message(2), None) == ([], True)


times = st.lists(st.integers(0, 40), min_size=1, max_size=80)


@settings(deadline=None)
@given(times, st.data(), st.booleans(), st.sampled_from([10, 17, 50]))
async def test_nothing_after_the_point_is_left_out(
    seconds: list[int], data: st.DataObject, has_since_route: bool, cap: int
) -> None:
    ordered = sorted((message(number, at / 4) for number, at in enumerate(seconds)), key=message_order_key)
    place = data.draw(st.integers(0, len(ordered) - 1))
    newest = ordered[place]
    near = [each for each in ordered[:place] if each.timestamp > newest.timestamp - OVERLAP]
    shelf = Shelf(ordered, has_since_route=has_since_route, cap=cap)
    found = await read(shelf, point_at(newest, *near))
    assert {each.id for each in ordered[place + 1 :]} <= set(found)
