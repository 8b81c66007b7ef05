"""Reading back what was missed: after each connection, after a delay, while there is traffic, and when asked.

The protocol acknowledges no join, and a server may look a permission up before it joins a room: a message stored
meanwhile is broadcast to nobody. So a conversation is read at once and once more when the room is sure to be joined.
In between it settles: a live message waits until everything before it has been read, so that order is kept.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any

from messaging_client.clock import Clock, Signal, Timer, call_after, end_task, new_task
from messaging_client.config import MessagingConfig
from messaging_client.errors import MessagingError, RequestError, TransportError
from messaging_client.events import GapDetected
from messaging_client.feed import Feed, Point, Thread
from messaging_client.few import Few
from messaging_client.locks import Locks
from messaging_client.models import Id, Message
from messaging_client.observing.logs import say
from messaging_client.positions import Positions
from messaging_client.reading import FIRST_RETRY, LONGEST_RETRY, PERMANENT, TOLD, Reader

_log = logging.getLogger("messaging_client.recovery")

PATIENCE = 5
"""Reads in a row that fail while live messages wait; then a gap is announced and they wait no longer."""

REFUSED = PATIENCE + 1
"""Stands in place of the number of failures when another try is of no use."""


class Recovery:
    """Keeps every followed conversation complete.

    Args:
        feed: where messages go.
        reader: where they come from.
        positions: read positions of an earlier process.
        report_gap: tells of a stretch that could not be proven complete.
    """

    def __init__(
        self,
        feed: Feed,
        reader: Reader,
        positions: Positions,
        config: MessagingConfig,
        *,
        clock: Clock,
        random: random.Random,
        report_gap: Callable[[GapDetected], None],
    ) -> None:
        self._feed = feed
        self._reader = reader
        self._positions = positions
        self._config = config
        self._clock = clock
        self._random = random
        self._report_gap = report_gap
        # A lock outlives the thread that it was made for: who joins again waits for the reads of before.
        self._locks = Locks()
        self._tasks: Few[asyncio.Task[Any]] = Few()
        self._settling: dict[Id, asyncio.Task[None]] = {}
        self._touched: dict[Id, asyncio.Task[None]] = {}
        self._verifier: Timer | None = None  # what waits until it is time, or verifies

    # --- which conversations -----------------------------------------------------------------------------------------

    async def begin(self, conversation_id: Id, start: Point | None = None) -> bool:
        """Follow a conversation from now on: it starts where an earlier process stopped, else at `start`.

        Live messages wait; `joined` or `not_joined` is to be called next. Where the server cannot be reached, the
        start is read as soon as it can.

        Args:
            conversation_id: the conversation.
            start: everything after it is new; None for its newest page, which is history.

        Returns:
            Whether it was read.

        Raises:
            PermissionDenied, NotFound, ...: it cannot be read by this user, and is not followed.
        """
        thread = self.expect(conversation_id, start)
        async with self._locks.of(conversation_id), self._reader.turn():
            if thread.proven is not None or not self._is_followed(thread):
                return False
            self._feed.hold(thread)
            try:
                return await self._take_up(thread)
            except TOLD:
                if self._is_followed(thread):
                    self.forget(conversation_id)
                raise
            except (TransportError, RequestError) as error:
                say(_log, logging.INFO, "conversation has no start yet", conversation_id=conversation_id, error=error)
                return False

    def expect(self, conversation_id: Id, start: Point | None = None) -> Thread:
        """A conversation is about to be joined and begun: live messages wait already, so that none overtakes.

        Where it begins counts even if it is learnt while somebody else begins with the newest page.
        """
        thread = self._feed.follow(conversation_id)
        thread.start = thread.start or start
        if thread.proven is None:
            self._feed.hold(thread)
        return thread

    def forget(self, conversation_id: Id, *, for_good: bool = False) -> None:
        """Follow it no more; `for_good`, what is on its way still is not told either."""
        self._feed.unfollow(conversation_id, for_good=for_good)
        for task in (self._settling.pop(conversation_id, None), self._touched.pop(conversation_id, None)):
            if task is not None:
                task.cancel()

    # --- when to read ------------------------------------------------------------------------------------------------

    def joined(self, conversation_id: Id, acknowledged: asyncio.Future[Any] | None, *, was_read: bool) -> None:
        """A room was asked for: read back at once, and once more when it is sure to be joined.

        Args:
            conversation_id: the conversation.
            acknowledged: done when the server acknowledges the join; None where there was no connection to ask on.
            was_read: whether it was read just now, before the room was asked for.
        """
        thread = self._feed.threads.get(conversation_id)
        if thread is None:
            return
        earlier = self._settling.pop(conversation_id, None)
        if earlier is not None:
            earlier.cancel()
        wake = Signal()
        self._feed.hold(thread)
        thread.on_held = wake.set
        thread.is_sure = thread.is_settled = False
        task = self._own(self._settle(thread, wake, acknowledged, was_read=was_read and thread.proven is not None))
        self._settling[conversation_id] = task

    def not_joined(self, conversation_id: Id) -> None:
        """There is no connection to join the room on: what came meanwhile waits no longer."""
        thread = self._feed.threads.get(conversation_id)
        if thread is not None and thread.on_held is None:
            self._feed.release(thread)

    def touch(self, conversation_id: Id, *, is_message: bool) -> None:
        """The server said that something changed: read back, unless live messages tell what it was.

        Args:
            conversation_id: the conversation.
            is_message: whether it spoke of a new message, rather than of any change.
        """
        thread = self._feed.threads.get(conversation_id)
        if thread is None:
            return
        thread.stir()
        # A broadcast and its notice come in any order, so a message from just before counts as well.
        thread.notices.noticed(self._clock.monotonic() - self._config.settle_delay, is_message=is_message)
        if not thread.notices.is_open:
            return
        if thread.on_held is not None and not thread.is_sure:
            # Perhaps it was broadcast before the server had joined the room: then nothing explains it later either.
            thread.on_held()
        if conversation_id not in self._touched:
            self._touched[conversation_id] = self._own(self._explain(thread))

    def start_verifying(self) -> None:
        """Verify conversations with traffic every `verify_interval` seconds, while connected."""
        if self._verifier is None:
            self._verify_later()

    def pause(self, *, release: bool) -> None:
        """The connection is gone: what is under way is given up.

        Args:
            release: tell messages that wait for a read, for nothing will be read in the near future.
        """
        self._settling.clear()
        self._touched.clear()
        if self._verifier is not None:
            self._verifier.cancel()
            self._verifier = None
        for task in self._tasks:
            task.cancel()
        for thread in self._feed.threads.values():
            thread.on_held = None
            thread.notices.clear()
            if release:
                self._feed.release(thread)

    async def aclose(self) -> None:
        """End everything; what waits still is told no more."""
        self.pause(release=False)
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    async def read_back(self, thread: Thread) -> bool:
        """Read everything since the proven point, tell what is new, and then what was held before the read began.

        Returns:
            Whether the read was complete.
        """
        async with self._locks.of(thread.conversation_id), self._reader.turn():
            if not self._is_followed(thread):
                return False
            was_holding, waiting = thread.held is not None, len(thread.held or ())
            stirs, noticed, was_sure = thread.stirs, thread.notices.count, thread.is_sure
            thread.overflowed = False
            try:
                await self._read(thread)
            except MessagingError as error:
                if not self._is_followed(thread):
                    return False
                self._failed(thread, error)
                if not was_holding:
                    self._feed.release(thread)
                return False
            if not self._is_followed(thread):
                return False  # it was left meanwhile, and perhaps joined again
            thread.failures, thread.gap_told = 0, False
            thread.has_traffic = thread.stirs != stirs
            thread.notices.read(noticed)
            thread.is_settled = was_sure and not thread.overflowed
            self._feed.tell_held(thread, waiting)
            if thread.on_held is None:
                self._feed.release(thread)
            else:
                self._feed.hold(thread)  # it may have been given up while the server failed
            return True

    # --- how to read -------------------------------------------------------------------------------------------------

    async def _take_up(self, thread: Thread) -> bool:
        """Go on where an earlier process stopped, or begin.

        Returns:
            Whether that needed a read.
        """
        position = await self._positions.of(thread.conversation_id)
        if not self._is_followed(thread):
            return False
        if position is not None:
            self._feed.start_at(thread, *position)
            await self._read(thread)
            return True
        if thread.start is None:
            page, is_whole = await self._reader.first(thread.conversation_id, patience=self._config.request_timeout)
            if not self._is_followed(thread):
                return False
            if thread.start is None:
                self._feed.start_from(thread, page, is_whole=is_whole)
                return True
        self._feed.start_at(thread, thread.start, ())
        return False

    async def _read(self, thread: Thread) -> None:

        def take(page: Sequence[Message]) -> bool:
            if self._is_followed(thread):
                self._feed.found(thread, page)
                return True
            return False

        if thread.proven is not None:
            await self._reader.since(thread.conversation_id, thread.proven, take, patience=self._config.request_timeout)
            # An answer without anything new proves as much as one with something.
            take(())
            return
        self._feed.hold(thread)
        page, is_whole = await self._reader.first(thread.conversation_id, patience=self._config.request_timeout)
        if not self._is_followed(thread):
            return
        self._feed.start_from(thread, page, is_whole=is_whole)
        # What came between the wish to follow and this first read cannot be told from history.
        self._report_gap(GapDetected(conversation_id=thread.conversation_id, before=_time_of(thread)))

    async def _settle(
        self, thread: Thread, wake: Signal, acknowledged: asyncio.Future[Any] | None, *, was_read: bool
    ) -> None:
        """Read until a read began after the room was joined; each live message until then causes a read of its own."""
        window = asyncio.ensure_future(self._until_sure(thread, acknowledged, wake))
        try:
            if was_read and not thread.held:
                await wake.wait()
            while True:
                wake.clear()
                await self._read_patiently(thread)
                if thread.is_settled or thread.failures:
                    break
                if not thread.held and not thread.overflowed and not thread.is_sure:
                    await wake.wait()
        finally:
            await end_task(window)
        # After an await: this may have been given up meanwhile.
        if self._settling.get(thread.conversation_id) is asyncio.current_task():
            del self._settling[thread.conversation_id]
            thread.on_held = None
            self._feed.release(thread)

    async def _until_sure(self, thread: Thread, acknowledged: asyncio.Future[Any] | None, wake: Signal) -> None:
        """Wait until the room is joined: the server says so, or has had `settle_delay` seconds for it.

        An acknowledgement without a value says nothing: some server libraries send it by themselves.
        """
        pause = asyncio.ensure_future(self._clock.sleep(self._config.settle_delay))
        try:
            if acknowledged is not None:
                await asyncio.wait({acknowledged, pause}, return_when=asyncio.FIRST_COMPLETED)
            if acknowledged is None or not _says_something(acknowledged):
                await asyncio.wait({pause})
        finally:
            await end_task(pause)
            if acknowledged is not None:
                acknowledged.cancel()
        thread.is_sure = True
        wake.set()

    async def _read_patiently(self, thread: Thread) -> None:
        """Read back, again and again while the server fails; not again when it refuses."""
        retry = FIRST_RETRY
        while not await self.read_back(thread) and thread.failures < REFUSED:
            await self._clock.sleep(retry * (1 + self._config.randomization_factor * self._random.random()))
            retry = min(2 * retry, LONGEST_RETRY)

    def _failed(self, thread: Thread, error: MessagingError) -> None:
        """A read did not come to its end; after some, or when another try is of no use, nothing waits for it longer."""
        thread.has_traffic = True
        thread.failures = REFUSED if isinstance(error, PERMANENT) else min(thread.failures + 1, PATIENCE)
        say(
            _log,
            logging.INFO,
            "conversation not read back",
            conversation_id=thread.conversation_id,
            failures=thread.failures,
            error=error,
        )
        if thread.failures >= PATIENCE:
            if not thread.gap_told:
                say(
                    _log,
                    logging.WARNING,
                    "conversation cannot be read back",
                    conversation_id=thread.conversation_id,
                    failures=thread.failures,
                    error=error,
                )
                thread.gap_told = True
                self._report_gap(GapDetected(conversation_id=thread.conversation_id, after=_time_of(thread)))
            self._feed.release(thread)

    async def _explain(self, thread: Thread) -> None:
        """Wait a moment for the live messages that belong to notices; read back if they do not come."""
        try:
            is_read = True
            while is_read and thread.notices.is_open:  # also one that came during the read
                await self._clock.sleep(self._config.settle_delay)
                is_read = not thread.notices.is_open or await self.read_back(thread)
        finally:
            if self._touched.get(thread.conversation_id) is asyncio.current_task():
                del self._touched[thread.conversation_id]

    def _verify_later(self) -> None:
        self._verifier = call_after(self._clock, self._config.verify_interval, self._verify_now)
        if isinstance(self._verifier, asyncio.Task):  # of another clock than the machine's
            self._tasks.add(self._verifier)
            self._verifier.add_done_callback(self._tasks.discard)

    def _verify_now(self) -> None:
        self._verifier = self._own(self._verify())

    async def _verify(self) -> None:
        busy = [thread for thread in self._feed.threads.values() if thread.has_traffic or thread.proven is None]
        # What goes wrong with one, if only by a fault of ours, must not keep the others from being verified.
        for outcome in await asyncio.gather(*map(self.read_back, busy), return_exceptions=True):
            if isinstance(outcome, Exception):
                say(_log, logging.ERROR, "verification ended unexpectedly", error=outcome)
        self._verify_later()

    def _is_followed(self, thread: Thread) -> bool:
        """Whether this is what is known of the conversation still: after each wait it may have been left."""
        return self._feed.threads.get(thread.conversation_id) is thread

    def _own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = new_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            say(_log, logging.ERROR, "recovery task ended unexpectedly", error=error)


def _says_something(acknowledged: asyncio.Future[Any]) -> bool:
    if not acknowledged.done() or acknowledged.cancelled() or acknowledged.exception() is not None:
        return False
    return acknowledged.result() is not None


def _time_of(thread: Thread) -> datetime | None:
    return thread.proven.timestamp if thread.proven is not None else None
