"""What the outbox needs of the rest of the client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from messaging_client.feed import Feed
from messaging_client.models import Id, Message
from messaging_client.outbox import CLOCKS_APART, Found, Known, Mark, Outgoing, Place, Unreadable
from messaging_client.reading import PAGE_SIZE, Batch
from messaging_client.rest import RestOperations
from messaging_client.wire.messages import CLIENT_IDS, IDS
from messaging_client.wire.values import first_id

MOST_PAGES = 200
"""Pages that are read to find a message; what does not show within them is not found out."""

_SMALLEST_LIMIT = 10  # no server is taken to give fewer at a time, so fewer on a first page are all there are


class Sending:
    """Sends over REST, and reads back what may have been stored.

    Args:
        rest: the REST operations.
        feed: knows what was read of conversations that are followed.
        is_live: whether live events come, so that a conversation without traffic is as it was read.
        take: takes a message that the server has stored.
        relay: tells others of it; False where that cannot be done now.
    """

    def __init__(
        self,
        rest: RestOperations,
        feed: Feed,
        *,
        is_live: Callable[[], bool],
        take: Callable[[Message], None],
        relay: Callable[[Message], Awaitable[bool]],
    ) -> None:
        self._rest = rest
        self._feed = feed
        self._is_live = is_live
        self._take = take
        self._relay = relay

    async def send(self, outgoing: Outgoing) -> Message:
        """Send a message once, and give it as the server stored it."""

        def begins(attempt: Any) -> None:
            outgoing.progress = attempt

        return await self._rest.send(
            outgoing.conversation_id,
            outgoing.pending.content,
            outgoing.pending.type,
            client_message_id=outgoing.client_message_id,
            timeout=outgoing.timeout,
            on_attempt=begins,
        )

    async def read_after(self, conversation_id: Id, mark: Mark) -> Found:
        """Read pages from the newest on, past the cache, until everything after a mark has been seen."""
        found: dict[Id, Message] = {}
        unreadable: list[Unreadable] = []
        has_met = not mark.ids
        for page in range(1, MOST_PAGES + 1):
            batch = await self._page(conversation_id, page)
            fresh = [each for each in batch.messages if each.id not in found]
            found.update((each.id, each) for each in fresh)
            unreadable += map(_unreadable, batch.unreadable)
            has_met = has_met or any(mark.knows(each.id) for each in batch.messages)
            if _is_known_ground(mark, batch):
                return Found(tuple(found.values()), tuple(unreadable))
            is_small = page == 1 and batch.is_last is None and batch.count < _SMALLEST_LIMIT
            if batch.is_last or not batch.count or is_small:
                return Found(tuple(found.values()), tuple(unreadable), has_met)
            if not fresh and batch.messages:  # the server knows one page only
                return Found(tuple(found.values()), tuple(unreadable), has_met and bool(mark.ids))
        return Found(tuple(found.values()), tuple(unreadable), is_complete=False)

    async def newest(self, conversation_id: Id) -> Found:
        """Read the newest messages, past the cache."""
        batch = await self._page(conversation_id, 1)
        return Found(batch.messages, tuple(map(_unreadable, batch.unreadable)))

    async def _page(self, conversation_id: Id, page: int) -> Batch:
        return await self._rest.newest(conversation_id, page, PAGE_SIZE, repeatable=False)

    def newest_known(self, conversation_id: Id) -> Known | None:
        """What complete reads have shown of a conversation that is followed; live messages prove nothing."""
        thread = self._feed.threads.get(conversation_id)
        if thread is None or thread.proven is None:
            return None
        point = thread.proven
        newest = () if point.newest_id is None else (point.newest_id,)
        is_current = self._is_live() and thread.is_settled and not thread.has_traffic and thread.held is None
        return Known(Mark(point.timestamp, frozenset((*point.ids, *newest))), is_current)

    def confirmed(self, message: Message) -> None:
        """Take a message that the server has stored."""
        self._take(message)

    async def relay(self, message: Message) -> bool:
        """Tell others of it, for servers that do not; False where that cannot be done now."""
        return await self._relay(message)


def _is_known_ground(mark: Mark, batch: Batch) -> bool:
    """Whether what comes on further pages was there before the mark.

    Pages are in the order of time. A clock that was set back puts a new message behind old ones, so that a page must
    also reach back further than clocks are set.
    """
    if not batch.messages:
        return False
    is_met = any(isinstance(each.id, str) and each.id in mark.ids for each in batch.messages)
    if not is_met and any(mark.place_of(each) is not Place.BEFORE for each in batch.messages):
        return False
    oldest = min((each.timestamp for each in batch.messages if not each.timestamp_is_receipt), default=None)
    return oldest is None or mark.timestamp is None or mark.timestamp - oldest > CLOCKS_APART


def _unreadable(payload: Any) -> Unreadable:
    """Give what can be read of a message that cannot."""
    fields = payload if isinstance(payload, dict) else {}
    inner = fields.get("message")
    fields = {**inner, **fields} if isinstance(inner, dict) else fields
    key = next((fields[name] for name in CLIENT_IDS if isinstance(fields.get(name), str)), None)
    return Unreadable(first_id(fields, IDS), key)
