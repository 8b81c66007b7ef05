"""What the socket brings: made canonical, then to the feed, the cache and the subscribers."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

from messaging_client.cache import LISTS, ReadCache, messages_of, people_of
from messaging_client.clock import Clock
from messaging_client.dispatch import Dispatcher
from messaging_client.events import ConversationUpdated, CustomEvent, InvalidPayload, Notification
from messaging_client.feed import Feed
from messaging_client.models import Message
from messaging_client.observing.logs import say
from messaging_client.recovery import Recovery
from messaging_client.wire import events as names
from messaging_client.wire.errors import PayloadError
from messaging_client.wire.messages import message_from_wire

_log = logging.getLogger("messaging_client.intake")


class Intake:
    """Takes the events of the connection, one after the other.

    Args:
        publish: tells an event to subscribers and expectations.
        on_conversation: told of every conversation that a notice names.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        feed: Feed,
        recovery: Recovery,
        read_cache: ReadCache,
        *,
        clock: Clock,
        publish: Callable[[Any], None],
        on_conversation: Callable[[ConversationUpdated | Notification], None],
    ) -> None:
        self._dispatcher = dispatcher
        self._feed = feed
        self._recovery = recovery
        self._cache = read_cache
        self._now = clock.now
        self._publish = publish
        self._on_conversation = on_conversation
        self.invalid = 0
        self.messages = 0  # of the socket
        self.others: Counter[str] = Counter()  # what else came over it, by kind

    def take(self, name: str, args: tuple[Any, ...]) -> None:
        """Take one event of the socket; never raises."""
        if name == names.NEW_MESSAGE:  # nearly all that comes, and the shortest way
            self._take_message(args)
            return
        if name == names.INVALID_FRAME:
            self.others["InvalidPayload"] += 1
            self.report(InvalidPayload(source="frame", reason=str(args[0]), raw=args[1]))
            return
        try:
            event = names.event_from_wire(name, args, received_at=self._now())
        except PayloadError as fault:
            self._cannot_read(name, args, fault)
            return
        # What `event_from_wire` gives is of no subclass, and this costs a tenth of `isinstance` with a model.
        if type(event) is Message:
            self.messages += 1
        else:
            self.others[type(event).__name__] += 1
        if type(event) is CustomEvent:
            self._publish(event)
            return
        if self._dispatcher.listens_to(name):
            self._tell_as_sent(name, args)
        if isinstance(event, ConversationUpdated | Notification):
            self.noticed(event)
        else:
            self._publish(event)

    def _take_message(self, args: tuple[Any, ...]) -> None:
        try:
            message = message_from_wire(args[0] if args else None, received_at=self._now)
        except PayloadError as fault:
            self._cannot_read(names.NEW_MESSAGE, args, fault)
            return
        self.messages += 1
        if self._dispatcher.listens_to(names.NEW_MESSAGE):
            self._tell_as_sent(names.NEW_MESSAGE, args)
        if message.conversation_id is not None:
            self._cache.message_came(message.conversation_id)
        self._feed.live(message)

    def _cannot_read(self, name: str, args: tuple[Any, ...], fault: PayloadError) -> None:
        self.others["InvalidPayload"] += 1
        if self._dispatcher.listens_to(name):
            self._tell_as_sent(name, args)
        self.report(InvalidPayload(source=name, reason=fault.reason, raw=fault.raw))

    def _tell_as_sent(self, name: str, args: tuple[Any, ...]) -> None:
        """Tell those who asked for an event of the protocol by its name; the others are told what it means, once."""
        self._dispatcher.publish_by_name(CustomEvent(name=name, args=args))

    def message(self, message: Message) -> None:
        """Take a message, from the socket or from the answer to a send."""
        if message.conversation_id is not None:
            self._cache.message_came(message.conversation_id)
        self._feed.live(message)

    def report(self, fault: InvalidPayload) -> None:
        """Tell of a payload that cannot be read; the log has the reason, never the payload."""
        self.invalid += 1
        say(_log, logging.WARNING, "invalid payload", source=fault.source, reason=fault.reason)
        self._publish(fault)

    def noticed(self, event: ConversationUpdated | Notification) -> None:
        """Take a notice of the server: what was kept is forgotten, and what it speaks of is looked at."""
        self.changed(event)
        if event.conversation_id is not None:
            self._recovery.touch(event.conversation_id, is_message=is_new_message(event))
            self._on_conversation(event)

    def changed(self, event: ConversationUpdated | Notification) -> None:
        """A conversation has changed: what was kept of it is forgotten, and subscribers are told."""
        if event.conversation_id is not None and isinstance(event, ConversationUpdated):
            self._cache.invalidate(messages_of(event.conversation_id), people_of(event.conversation_id), LISTS)
        elif event.conversation_id is not None and is_new_message(event):
            self._cache.invalidate(messages_of(event.conversation_id), LISTS)
        elif event.conversation_id is not None:
            self._cache.invalidate(LISTS)
        self._publish(event)


def is_new_message(event: ConversationUpdated | Notification) -> bool:
    """Whether a notice speaks of a new message."""
    return isinstance(event, Notification) and event.type == names.NEW_MESSAGE
