"""Reading back page by page: when everything after a mark has been seen, and what other parts have read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from messaging_client import sending as sending_module
from messaging_client.feed import Point, Thread
from messaging_client.models import Id, Message, Participant
from messaging_client.outbox import Found, Mark, Unreadable
from messaging_client.reading import PAGE_SIZE, Batch
from messaging_client.sending import Sending

NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)


def a_message(message_id: Id, minutes: float | None = 0) -> Message:
    return Message(
        id=message_id,
        conversation_id=15,
        content="ok",
        sender=Participant(),
        timestamp=NOON + timedelta(minutes=minutes or 0),
        timestamp_is_receipt=minutes is None,
    )


class Pages:
    """A server with these messages, newest first in pages; `total` for one that counts its pages."""

    def __init__(self, messages: Sequence[Message], *, counts: bool = False, ignores_page: bool = False) -> None:
        self.messages = messages[::-1]
        self.counts = counts
        self.ignores_page = ignores_page
        self.unreadable: tuple[Any, ...] = ()
        self.asked: list[int] = []
        self.threads: dict[Id, Thread] = {}

    async def newest(self, conversation_id: Id, page: int, limit: int, *, repeatable: bool) -> Batch:
        assert not repeatable  # whoever repeats must see what the server says
        self.asked.append(page)
        first = 0 if self.ignores_page else (page - 1) * limit
        found = tuple(self.messages[first : first + limit][::-1])
        lost = self.unreadable if page == 1 else ()
        is_last = first + limit >= len(self.messages) if self.counts else None
        return Batch(found, len(found) + len(lost), is_last, lost)

    def sending(self, *, is_live: bool = True) -> Sending:
        given: Any = self
        return Sending(given, given, is_live=lambda: is_live, take=given, relay=given)

    async def after(self, mark: Mark) -> Found:
        return await self.sending().read_after(15, mark)


def numbered(count: int, *, apart: float = 1, first: int = 1) -> list[Message]:
    return [a_message(number, number * apart) for number in range(first, first + count)]


@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.parametrize("new", [0, 1, 49, 50, 120])
async def test_everything_after_the_mark_is_read(counts: bool, new: int) -> None:
    messages = numbered(500, apart=10)
    pages = Pages(messages, counts=counts)
    found = await pages.after(Mark.of(messages[: 500 - new]))
    assert found.is_complete
    assert {each.id for each in found.messages} >= set(range(501 - new, 501))
    assert len(pages.asked) == new // PAGE_SIZE + (2 if new % PAGE_SIZE else 1)


async def test_it_reads_on_as_far_as_a_clock_can_have_gone_back() -> None:
    old = numbered(300, apart=1)
    behind = a_message(301, 300 - 115)  # stored last, by a clock that was set back
    messages = sorted([*old, behind], key=lambda each: each.timestamp)
    found = await Pages(messages, counts=True).after(Mark.of(old))
    assert found.is_complete
    assert behind in found.messages


@pytest.mark.parametrize("count", [0, 3, 9])
@pytest.mark.parametrize("counts", [True, False])
async def test_the_beginning_of_a_conversation_that_was_empty(count: int, counts: bool) -> None:
    found = await Pages(numbered(count), counts=counts).after(Mark())
    assert (found.is_complete, len(found.messages)) == (True, count)


@pytest.mark.parametrize("mark", [Mark(NOON, frozenset({"gone"})), Mark(None, frozenset({"gone"}))])
async def test_where_nothing_known_is_met_nothing_is_proven(mark: Mark) -> None:
    assert not (await Pages(numbered(3), counts=True).after(mark)).is_complete
    assert not (await Pages([], counts=True).after(mark)).is_complete
    assert not (await Pages(numbered(60, apart=200)).after(mark)).is_complete


async def test_a_server_with_one_page_only() -> None:
    messages = numbered(60)
    pages = Pages(messages, ignores_page=True)
    assert (await pages.after(Mark.of(messages[:30]))).is_complete
    assert not (await pages.after(Mark())).is_complete
    assert not (await pages.after(Mark.of(messages[:5]))).is_complete
    assert len(pages.asked) == 6


async def test_it_reads_a_bounded_number_of_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending_module, "MOST_PAGES", 3)
    messages = numbered(500)
    pages = Pages(messages)
    assert not (await pages.after(Mark.of(messages[:1]))).is_complete
    assert pages.asked == [1, 2, 3]


async def test_ids_that_are_texts() -> None:
    messages = [a_message(f"id-{number}", number * 10) for number in range(200)]
    pages = Pages(messages)
    found = await pages.after(Mark.of(messages[90:140]))
    assert found.is_complete
    assert {each.id for each in found.messages} >= {each.id for each in messages[140:]}
    assert pages.asked == [1, 2]


async def test_what_cannot_be_read_is_told_with_what_of_it_can() -> None:
    pages = Pages(numbered(3), counts=True)
    pages.unreadable = (
        {"id_message": "7", "client_message_id": "key"},
        {"message": {"id": 8, "clientMessageId": "other"}},
        {"contenu": 1, "client_message_id": 5},
        "nonsense",
    )
    expected = (Unreadable(7, "key"), Unreadable(8, "other"), Unreadable(), Unreadable())
    assert (await pages.after(Mark())).unreadable == expected
    found = await pages.sending().newest(15)
    assert found.unreadable == expected
    assert found.mark() == Mark(NOON + timedelta(minutes=3), frozenset({8}))


# --- what other parts have read --------------------------------------------------------------------------------------


def a_thread(**given: Any) -> Thread:
    point = Point(NOON, newest_id=7, ids={6: NOON, "x": NOON})
    later = (NOON + timedelta(hours=1), 0, 9, "")  # a live message, which proves nothing
    return Thread(**({"conversation_id": 15, "proven": point, "newest": later, "is_settled": True} | given))


async def test_what_complete_reads_have_shown_is_known_and_live_messages_are_not() -> None:
    pages = Pages([])
    assert pages.sending().newest_known(15) is None
    pages.threads[15] = a_thread(proven=None)
    assert pages.sending().newest_known(15) is None
    pages.threads[15] = a_thread()
    known = pages.sending().newest_known(15)
    assert known is not None
    assert (known.mark.timestamp, known.mark.number, "x" in known.mark.ids) == (NOON, 7, True)


@pytest.mark.parametrize(
    ("given", "is_live", "expected"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"has_traffic": True}, True, False),
        ({"is_settled": False}, True, False),
        ({"held": []}, True, False),
    ],
)
async def test_it_is_current_while_a_quiet_room_is_listened_to(
    given: dict[str, Any], is_live: bool, expected: bool
) -> None:
    pages = Pages([])
    pages.threads[15] = a_thread(**given)
    known = pages.sending(is_live=is_live).newest_known(15)
    assert known is not None
    assert known.is_current is expected
