"""The one door for messages, from whichever way they came: each is told once, in order, and a late one is marked.

A conversation that is followed has a point up to which it is proven: everything before it has been told. The point
moves by complete REST reads only, never by a live message, which proves nothing about those before it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice

from messaging_client.few import Few
from messaging_client.models import Id, Message
from messaging_client.threads import OVERLAP, RECENT_IDS, Key, Point, Thread, overlapping
from messaging_client.wire.payloads import TEMPORARY

Watcher = Callable[[Message, bool], None]
"""Told of every message that comes in, and whether it is new; a repeated one may bring a new status."""

UNFOLLOWED_IDS = 10_000
"""Ids kept, over all conversations that are not followed."""

_EARLIEST = datetime.min.replace(tzinfo=UTC)
_LAST = 2  # in an order key, integers as ids have 0 in this place, and texts 1


class Feed:
    """Recognises what was told already, orders what was read, and tells the rest.

    Args:
        publish: tells a message to subscribers.
        place: tells those who listen to its conversation only of a message that all others were told without one.
        order: the order of messages within a conversation.
        hold_limit: live messages that a conversation may hold while it is read back.
        monotonic: seconds, never going back.
        is_own: whether the user sent a message.
        on_progress: told of a conversation whose point, or what was told since, has changed.
    """

    def __init__(
        self,
        publish: Callable[[Message], None],
        *,
        order: Callable[[Message], Key],
        hold_limit: int,
        monotonic: Callable[[], float],
        is_own: Callable[[Message], bool] = lambda message: False,
        place: Callable[[Message], None] = lambda message: None,
        on_progress: Callable[[Thread], None],
    ) -> None:
        self._publish = publish
        self._place = place
        self._order = order
        self._hold_limit = hold_limit
        self._monotonic = monotonic
        self._is_own = is_own
        self._on_progress = on_progress
        self._watchers: dict[Id, list[Watcher]] = {}
        self._unfollowed: OrderedDict[Id, None] = OrderedDict()
        self._relayed: OrderedDict[Id, None] = OrderedDict()  # as `Thread.relayed`, of those not followed
        self._homeless: OrderedDict[Id, None] = OrderedDict()  # told without their conversation
        self._left: Few[Id] = Few()
        self.threads: dict[Id, Thread] = {}
        self.duplicates = 0
        self.told = 0
        self.late = 0

    # --- who follows and watches -------------------------------------------------------------------------------------

    def follow(self, conversation_id: Id) -> Thread:
        """Begin to keep track of a conversation."""
        self._left.discard(conversation_id)
        return self.threads.setdefault(conversation_id, Thread(conversation_id))

    def unfollow(self, conversation_id: Id, *, for_good: bool = False) -> None:
        """Keep track no more; what was told lately is still recognised.

        Args:
            conversation_id: the conversation.
            for_good: the user wants to hear no more of it: what others wrote and is on its way still is not told.
        """
        if for_good:
            self._left.add(conversation_id)
        thread = self.threads.pop(conversation_id, None)
        if thread is not None:
            self.release(thread)
            for message_id in thread.recent:
                _keep(self._unfollowed, message_id, UNFOLLOWED_IDS)
            for message_id in thread.relayed:
                _keep(self._relayed, message_id, UNFOLLOWED_IDS)

    def watch(self, conversation_id: Id, watcher: Watcher) -> Callable[[], None]:
        """Tell `watcher` of every message of a conversation; returns what ends it."""
        place = self._watchers.setdefault(conversation_id, [])
        place.append(watcher)

        def stop() -> None:
            if watcher in place:
                place.remove(watcher)
            if not place and self._watchers.get(conversation_id) is place:
                del self._watchers[conversation_id]

        return stop

    # --- what comes by itself ----------------------------------------------------------------------------------------

    def live(self, message: Message) -> None:
        """A message came by itself: a broadcast, a relay, or the answer to a send."""
        # Most messages are of conversations that nobody follows; None is never the id of one.
        thread = self.threads.get(message.conversation_id)  # type: ignore[arg-type]
        if thread is None:
            self._tell_unfollowed(message)
            return
        thread.stir()
        key = self._key(message)
        is_known = self._is_known(thread, message, key)
        if not is_known and message.id not in thread.held_ids:
            thread.notices.message_came(self._monotonic(), is_own=self._is_own(message))
        if thread.held is None:
            if self._tell(thread, message, key, is_known):
                self._on_progress(thread)
            return
        if len(thread.held) < self._hold_limit:
            thread.held.append(message)
            thread.held_ids.add(message.id)
        else:
            thread.overflowed = True
        if thread.on_held is not None:
            thread.on_held()

    def hold(self, thread: Thread) -> None:
        """From now on live messages of this conversation wait."""
        if thread.held is None:
            thread.held = []

    def waiting(self, conversation_id: Id) -> frozenset[Id]:
        """Ids of the live messages of a conversation that came and are not told yet."""
        thread = self.threads.get(conversation_id)
        return frozenset() if thread is None else frozenset(thread.held_ids)

    def tell_held(self, thread: Thread, count: int) -> None:
        """Tell the first `count` that wait, in order; the others wait on."""
        if thread.held:
            due, thread.held = thread.held[:count], thread.held[count:]
            thread.held_ids = {message.id for message in thread.held}
            for message in sorted(due, key=self._order):
                self._tell_once(thread, message)
            self._on_progress(thread)

    def release(self, thread: Thread) -> None:
        """Tell all that wait, in order; live messages go through again."""
        self.tell_held(thread, len(thread.held or ()))
        thread.held = None

    # --- what was read -----------------------------------------------------------------------------------------------

    def start_from(self, thread: Thread, messages: Sequence[Message], *, is_whole: bool = True) -> None:
        """Take the newest page as the beginning: what stands in it is history, and is not told.

        What came live meanwhile is no history: it waits, and is told on `release`.

        Args:
            thread: what is known of the conversation.
            messages: the page, oldest first.
            is_whole: nothing stands before it; otherwise that is history too, however short before the point.
        """
        held = thread.held or []
        live_ids = {message.id for message in held}
        history = [message for message in messages if message.id not in live_ids]
        if thread.overflowed and held:
            first = min(map(self._order, held))
            history = [message for message in history if self._order(message) < first]
        for message in history:
            self._remember(thread, message, self._key(message))
            self._watched(message, is_new=False)
        self._prove(thread, history)
        oldest = min((self._order(each) for each in history if not each.timestamp_is_receipt), default=None)
        if is_whole:
            self._forget_up_to(thread, oldest)
        else:
            thread.horizon = oldest

    def start_at(self, thread: Thread, point: Point, seen: Iterable[Id]) -> None:
        """Take a point as the beginning: everything after it is new, except what was seen.

        What stands before the point of an earlier process and was never seen is found by a read of the `OVERLAP`, or
        is broadcast; a point that no message stands for tells history from news by its time alone.
        """
        thread.proven = point
        thread.newest = point.key
        if point.newest_id is None:
            thread.horizon = point.key
        thread.recent = dict.fromkeys(point.ids, point.key)
        # A key behind that of the point, or of all messages of its time where no message stands for it.
        behind = (*point.key, "seen") if point.key is not None else (point.timestamp or _EARLIEST, _LAST)
        thread.recent.update(dict.fromkeys(seen, behind))

    def found(self, thread: Thread, messages: Iterable[Message]) -> int:
        """A complete read from the proven point on: tell what is new, and move the point.

        Returns:
            How many messages were new.
        """
        ordered = sorted(messages, key=self._order)
        new = sum(self._tell_once(thread, message) for message in ordered)
        self._prove(thread, ordered)
        return new

    def _prove(self, thread: Thread, ordered: Sequence[Message]) -> None:
        point = thread.proven or Point()
        timed = [message for message in ordered if not message.timestamp_is_receipt]
        untimed: dict[Id, datetime | None] = dict.fromkeys(
            message.id for message in ordered if message.timestamp_is_receipt
        )
        newest = max(timed, key=self._order, default=None)
        if newest is not None and (point.key is None or self._order(newest) >= point.key):
            bound = overlapping(newest.timestamp)
            kept = {each: moment for each, moment in point.ids.items() if moment is not None and moment > bound}
            near = {message.id: message.timestamp for message in timed if message.timestamp > bound}
            point = Point(newest.timestamp, self._order(newest), newest.id, {**kept, **near, **untimed})
        elif untimed:
            point = replace(point, ids=untimed)
        thread.proven = point
        self._trim(thread)
        self._on_progress(thread)

    # --- once each ---------------------------------------------------------------------------------------------------

    def _tell_once(self, thread: Thread, message: Message) -> bool:
        key = self._key(message)
        return self._tell(thread, message, key, self._is_known(thread, message, key))

    def _tell(self, thread: Thread, message: Message, key: Key | None, is_known: bool) -> bool:
        is_homeless = message.id in self._homeless
        if is_known and not is_homeless:
            self.duplicates += 1
            self._watched(message, is_new=False)
            return False
        self._remember(thread, message, key)
        if key is None:
            pass  # this machine's clock says nothing about the order of what the server's clock has stamped
        elif thread.newest is not None and key < thread.newest:
            self.late += 1
            message = message.model_copy(update={"late": True})
        else:
            thread.newest = key
        self._watched(message, is_new=True)
        if is_homeless:
            self._settle(message)
        else:
            self.told += 1
            self._publish(message)
        return True

    def _settle(self, message: Message) -> None:
        """A message that was told without its conversation has come with it: who listens to that hears of it now."""
        del self._homeless[message.id]
        self._place(message)

    def _is_known(self, thread: Thread, message: Message, key: Key | None) -> bool:
        message_id = message.id
        if message_id in thread.recent or message_id in self._unfollowed:
            return True
        if message_id in thread.relayed or message_id in self._relayed:
            return True
        if thread.horizon is not None and key is not None and key <= thread.horizon:
            return True
        return message.client_message_id is not None and self._came_as_temporary(thread, message, key)

    def _came_as_temporary(self, thread: Thread, message: Message, key: Key | None) -> bool:
        """Whether its sender relayed it under a temporary id before the server had stored it."""
        temporary = relayed_as(message)
        if temporary is None or (temporary not in thread.recent and temporary not in self._unfollowed):
            return False
        self._remember(thread, message, key)
        return True

    def _tell_unfollowed(self, message: Message) -> None:
        conversation_id, message_id = message.conversation_id, message.id
        temporary = relayed_as(message)
        if self._left and conversation_id in self._left and not self._is_own(message):
            return
        unfollowed = self._unfollowed
        is_homeless = conversation_id is not None and message_id in self._homeless
        known = not is_homeless and (message_id in unfollowed or message_id in self._relayed or temporary in unfollowed)
        if not known and conversation_id is None:
            known = any(message_id in thread.recent for thread in self.threads.values())
        unfollowed[message_id] = None  # as `_keep`; this is on the way of every message
        if len(unfollowed) > UNFOLLOWED_IDS:
            unfollowed.popitem(last=False)
        if temporary is not None:
            _keep(self._relayed, temporary, UNFOLLOWED_IDS)
        if self._watchers:
            self._watched(message, is_new=not known)
        if known:
            self.duplicates += 1
        elif is_homeless:
            self._settle(message)
        else:
            self.told += 1
            if conversation_id is None:
                _keep(self._homeless, message_id, UNFOLLOWED_IDS)
            self._publish(message)

    def _watched(self, message: Message, *, is_new: bool) -> None:
        if self._watchers and message.conversation_id is not None:
            for watcher in tuple(self._watchers.get(message.conversation_id, ())):
                watcher(message, is_new)

    def _key(self, message: Message) -> Key | None:
        """Give the order key of a message; None where its time is that of receipt, which is no place."""
        return None if message.timestamp_is_receipt else self._order(message)

    def _remember(self, thread: Thread, message: Message, key: Key | None) -> None:
        thread.recent.setdefault(message.id, key)
        temporary = relayed_as(message)
        if temporary is not None:
            _keep(thread.relayed, temporary, RECENT_IDS)

    def _trim(self, thread: Thread) -> None:
        """Forget ids, the oldest first, down to `RECENT_IDS`; not those that wait, nor those that are read again."""
        point = thread.proven
        bound = overlapping(point.timestamp) if point is not None and point.timestamp is not None else None
        excess = len(thread.recent) - RECENT_IDS
        if excess <= 0:
            return
        waiting = {message.id for message in thread.held or ()}
        for message_id, key in list(islice(thread.recent.items(), excess)):
            if message_id not in waiting and (key is None or (bound is not None and key[0] <= bound)):
                del thread.recent[message_id]
                self._forget_up_to(thread, key)

    def _forget_up_to(self, thread: Thread, key: Key | None) -> None:
        """Move the horizon, but not into the overlap, where a message that was never seen can still turn up."""
        point = thread.proven
        if key is None or point is None or point.timestamp is None or key[0] > overlapping(point.timestamp):
            return
        if thread.horizon is None or key > thread.horizon:
            thread.horizon = key


def relayed_as(message: Message) -> Id | None:
    """The id under which its sender may have relayed a message before the server had given it the one it has."""
    if message.client_message_id is None:
        return None
    temporary = TEMPORARY + message.client_message_id
    return None if temporary == message.id else temporary


def _keep(place: OrderedDict[Id, None], message_id: Id, limit: int) -> None:
    """Keep an id, and no more than the latest so many."""
    place[message_id] = None
    if len(place) > limit:
        place.popitem(last=False)


__all__ = [
    "OVERLAP",
    "RECENT_IDS",
    "UNFOLLOWED_IDS",
    "Feed",
    "Key",
    "Point",
    "Thread",
    "Watcher",
    "overlapping",
    "relayed_as",
]
