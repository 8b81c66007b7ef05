"""What the outbox needs of the rest of the client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import islice

from messaging_client.feed import Feed, Point
from messaging_client.models import Id, Message
from messaging_client.outbox import Mark, Outgoing
from messaging_client.reading import Reader
from messaging_client.rest import RestOperations

_LATEST = 50  # messages of a conversation that are looked at for those of the newest time


class Sending:
    """Sends over REST, and reads back what may have been stored.

    Args:
        rest: the REST operations.
        reader: reads conversations from a point on.
        feed: knows what else came in.
        take: takes a message that the server has stored.
        relay: tells others of it.
    """

    def __init__(
        self,
        rest: RestOperations,
        reader: Reader,
        feed: Feed,
        *,
        take: Callable[[Message], None],
        relay: Callable[[Message], Awaitable[None]],
    ) -> None:
        self._rest = rest
        self._reader = reader
        self._feed = feed
        self._take = take
        self._relay = relay

    async def send(self, outgoing: Outgoing) -> Message:
        """Send a message once, and give it as the server stored it."""
        return await self._rest.send(
            outgoing.conversation_id,
            outgoing.pending.content,
            outgoing.pending.type,
            client_message_id=outgoing.client_message_id,
            timeout=outgoing.timeout,
        )

    async def read_after(self, conversation_id: Id, mark: Mark) -> Sequence[Message]:
        """Read everything after a mark, past the cache."""
        found: list[Message] = []

        def take(page: Sequence[Message]) -> bool:
            found.extend(page)
            return True

        async with self._reader.turn():
            await self._reader.since(conversation_id, Point(mark.timestamp, ids=dict.fromkeys(mark.ids)), take)
        return found

    async def newest(self, conversation_id: Id) -> Sequence[Message]:
        """Read the newest messages, past the cache."""
        async with self._reader.turn():
            return await self._reader.newest(conversation_id)

    def newest_known(self, conversation_id: Id) -> Mark | None:
        """The newest messages that were told or read of a conversation that is followed."""
        thread = self._feed.threads.get(conversation_id)
        if thread is None or thread.newest is None:
            return None
        time = thread.newest[0]
        latest = islice(reversed(thread.recent.items()), _LATEST)
        return Mark(time, frozenset(each for each, key in latest if key is not None and key[0] == time))

    def confirmed(self, message: Message) -> None:
        """Take a message that the server has stored."""
        self._take(message)

    async def relay(self, message: Message) -> None:
        """Tell others of it, for servers that do not."""
        await self._relay(message)
