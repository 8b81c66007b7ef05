"""New messages of an open conversation, kept a while: a reply that comes before somebody waits for it is not missed."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import Callable

from messaging_client.clock import Clock, Signal, end_task, finished_within, new_task
from messaging_client.dispatch import Dispatcher, EventStream
from messaging_client.errors import ExpectTimeout, NotConnected
from messaging_client.few import Few
from messaging_client.models import Id, Message

KEPT = 1000
"""New messages kept for `wait_for_message` and `stream`, for each conversation."""

Wants = Callable[[Message], bool]


class Arrivals:
    """The latest new messages of one conversation, numbered from 1 as they came."""

    def __init__(self) -> None:
        self._kept: deque[tuple[int, Message]] | None = None  # most of a kilobyte, made when the first one comes
        self._news = Signal()
        self.count = 0

    def add(self, message: Message) -> None:
        """A message came."""
        self.count += 1
        if self._kept is None:
            self._kept = deque(maxlen=KEPT)
        self._kept.append((self.count, message))
        self._news.set()

    def after(self, number: int) -> list[tuple[int, Message]]:
        """Give what came after the message with this number, in order."""
        found: list[tuple[int, Message]] = []
        for each in reversed(self._kept or ()):
            if each[0] <= number:
                break
            found.append(each)
        return found[::-1]

    async def more(self) -> None:
        """Wait until a further message comes."""
        self._news.clear()
        await self._news.wait()


class MessageStream(EventStream[Message]):
    """An async iterator of messages that says which it has given."""

    def __init__(
        self, dispatcher: Dispatcher, limit: int, wants: Wants | None, given: Callable[[Message], None]
    ) -> None:
        super().__init__(dispatcher, "Message", limit, wants)
        self._given = given

    async def __anext__(self) -> Message:
        message = await super().__anext__()
        self._given(message)
        return message


class Waiting:
    """What one session waits for: messages that came after it was entered, each given once to those who wait.

    Args:
        arrivals: the conversation's new messages.
        conversation_id: the conversation.
        dispatcher, clock: the client's.
        queue_size: messages that may wait in a stream.
    """

    def __init__(
        self, arrivals: Arrivals, conversation_id: Id, dispatcher: Dispatcher, clock: Clock, queue_size: int
    ) -> None:
        self._arrivals = arrivals
        self._conversation_id = conversation_id
        self._dispatcher = dispatcher
        self._clock = clock
        self._queue_size = queue_size
        self._streams: weakref.WeakSet[MessageStream] | None = None
        self._searches: Few[asyncio.Task[Message]] = Few()
        self._waited_to = arrivals.count  # number of the latest message that `wait` gave
        self._streamed_to = arrivals.count  # the same of streams
        self._given: Few[int] = Few()  # what `wait` gave to one while another was looking

    def stream(self, wants: Wants | None) -> MessageStream:
        """Iterate over what came since entry and was not given to anybody yet, and what comes."""
        stream = MessageStream(self._dispatcher, self._queue_size, wants, self._streamed)
        self._dispatcher.attach(stream, (Message,), self._conversation_id)
        for _, message in self._arrivals.after(max(self._streamed_to, self._waited_to)):
            stream.offer(message)
        if self._streams is None:
            self._streams = weakref.WeakSet()
        self._streams.add(stream)
        return stream

    async def wait(self, wants: Wants, timeout: float | None) -> Message:
        """Give the next message that is wanted, of those that came after entry and the latest one given by this.

        Raises:
            ExpectTimeout: none came in time.
            NotConnected: the session was closed meanwhile.
        """
        search = new_task(self._search(wants))
        self._searches.add(search)
        try:
            if await finished_within(self._clock, search, timeout):
                if search.cancelled():
                    raise NotConnected("The session was closed while it waited for a message.")
                return search.result()
        finally:
            self._searches.discard(search)
            await end_task(search)
        raise ExpectTimeout(f"No such message within {timeout:g} s in conversation {self._conversation_id}.")

    def close(self) -> None:
        """End every stream, and everybody's waiting."""
        for stream in tuple(self._streams or ()):
            stream.cancel()
        for search in self._searches:
            search.cancel()

    async def _search(self, wants: Wants) -> Message:
        looked_at = self._waited_to
        while True:
            for number, message in self._arrivals.after(looked_at):
                looked_at = number
                if number not in self._given and wants(message):
                    self._waited_to = max(self._waited_to, number)
                    self._given.add(number)
                    if len(self._given) > KEPT:
                        self._given -= {each for each in self._given if each <= self._arrivals.count - KEPT}
                    return message
            await self._arrivals.more()

    def _streamed(self, message: Message) -> None:
        number = next((n for n, each in reversed(self._arrivals.after(self._streamed_to)) if each.id == message.id), 0)
        self._streamed_to = max(self._streamed_to, number)
