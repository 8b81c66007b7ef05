"""How users hear of things: handlers, iterators and expectations."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Generic, TypeVar, overload

from messaging_client import arguments as check
from messaging_client.boundary import guard
from messaging_client.clock import Clock, finished_within
from messaging_client.dispatch import Dispatcher, EventStream, Handler, Subscription
from messaging_client.errors import ExpectTimeout, NotConnected
from messaging_client.events import (
    ConnectionChange,
    ConversationUpdated,
    CustomEvent,
    Event,
    GapDetected,
    HandlerError,
    InvalidPayload,
    MessageFailed,
    MessageSent,
    Notification,
    PresenceEvent,
    SlowConsumer,
    TypingEvent,
)
from messaging_client.models import Id, Message, User

E = TypeVar("E")

ALL_EVENTS: tuple[type, ...] = (
    Message,
    MessageSent,
    MessageFailed,
    TypingEvent,
    ConversationUpdated,
    PresenceEvent,
    Notification,
    ConnectionChange,
    GapDetected,
    InvalidPayload,
    SlowConsumer,
    HandlerError,
    CustomEvent,
)

_NEAR_MISSES = 20
_RESERVED = frozenset({"connect", "disconnect", "connect_error"})


class EventHook(Generic[E]):
    """Subscribes handlers to one kind of event: as a decorator, with or without arguments, or as a call."""

    def __init__(self, dispatcher: Dispatcher, event_type: type[E], *, filters: bool) -> None:
        self._dispatcher = dispatcher
        self._event_type = event_type
        self._filters = filters

    @overload
    def __call__(self, handler: Handler[E], *, conversation_id: Id | None = None) -> Subscription[E]: ...
    @overload
    def __call__(
        self, handler: None = None, *, conversation_id: Id | None = None
    ) -> Callable[[Handler[E]], Subscription[E]]: ...
    def __call__(
        self, handler: Handler[E] | None = None, *, conversation_id: Id | None = None
    ) -> Subscription[E] | Callable[[Handler[E]], Subscription[E]]:
        """Call `handler` with each event, one at a time and in order.

        Args:
            handler: a sync or async callable with one argument.
            conversation_id: only events of this conversation; it is not joined by this.

        Returns:
            The subscription; or, without a handler, the decorator that makes it.

        Raises:
            ValidationFailed: no callable, or a conversation for an event that has none.
        """
        return self._subscribe(handler, conversation_id, None)

    def _subscribe(
        self, handler: Handler[E] | None, conversation_id: Id | None, wants: Callable[[E], bool] | None
    ) -> Subscription[E] | Callable[[Handler[E]], Subscription[E]]:
        name = self._event_type.__name__
        target = None
        if conversation_id is not None:
            if not self._filters:
                raise check.refuse(name, f"{name} belongs to no conversation; leave conversation_id out.")
            target = check.checked_id(name, "conversation_id", conversation_id)

        def subscribe(given: Handler[E]) -> Subscription[E]:
            if not callable(given):
                raise check.refuse(name, "A handler must be callable with one argument.")
            return self._dispatcher.subscribe(self._event_type, given, conversation_id=target, wants=wants)

        return subscribe if handler is None else subscribe(handler)


class MessageHook(EventHook[Message]):
    """Subscribes handlers to messages; those of the user are left out unless `own=True`."""

    def __init__(self, dispatcher: Dispatcher, is_own: Callable[[Message], bool]) -> None:
        super().__init__(dispatcher, Message, filters=True)
        self._is_own = is_own

    @overload
    def __call__(
        self, handler: Handler[Message], *, conversation_id: Id | None = None, own: bool = False
    ) -> Subscription[Message]: ...
    @overload
    def __call__(
        self, handler: None = None, *, conversation_id: Id | None = None, own: bool = False
    ) -> Callable[[Handler[Message]], Subscription[Message]]: ...
    def __call__(
        self, handler: Handler[Message] | None = None, *, conversation_id: Id | None = None, own: bool = False
    ) -> Subscription[Message] | Callable[[Handler[Message]], Subscription[Message]]:
        """Call `handler` with each message, once and in order.

        Args:
            handler: a sync or async callable with one argument.
            conversation_id: only messages of this conversation; it is not joined by this.
            own: the user's own messages too. Without it a bot does not answer itself.

        Returns:
            The subscription; or, without a handler, the decorator that makes it.
        """
        is_own = self._is_own
        return self._subscribe(handler, conversation_id, None if own else lambda message: not is_own(message))


class Expectation(Generic[E]):
    """Waits for one event, from the moment the `async with` block is entered; await it for the event.

    Made by `client.expect(...)`. The time-out runs from the moment it is awaited.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        event_type: type[E],
        predicate: Callable[[E], bool] | None,
        timeout: float | None,
        clock: Clock,
    ) -> None:
        self._dispatcher = dispatcher
        self._event_type = event_type
        self._predicate = predicate
        self._timeout = timeout
        self._clock = clock
        self._near: deque[str] = deque(maxlen=_NEAR_MISSES)
        self._seen = 0
        self._found: asyncio.Future[E] | None = None

    async def __aenter__(self) -> Expectation[E]:
        self._found = asyncio.get_running_loop().create_future()
        if self._dispatcher.is_closed:
            self.closed()
        else:
            self._dispatcher.tap(self)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_exc: object) -> None:
        if kind is not None:
            self._dispatcher.untap(self)

    def __await__(self) -> Generator[Any, None, E]:
        return self._wait().__await__()

    def offer(self, event: Any) -> None:
        """Look at an event."""
        if self._found is None or self._found.done():
            return
        self._seen += 1
        if isinstance(event, self._event_type):
            try:
                matches = self._predicate is None or self._predicate(event)
            except Exception as error:  # noqa: BLE001 - the user's own predicate: they get its error when they wait
                self._found.set_exception(_as_of_a_coroutine(error))
                self._found.exception()
                matches = False
            if matches:
                self._found.set_result(event)
                self._dispatcher.untap(self)
                return
        self._near.append(repr(event))

    def closed(self) -> None:
        """The client was closed: nothing comes any more."""
        if self._found is not None and not self._found.done():
            self._found.set_exception(
                NotConnected("The client was closed before the expected event came. Await it while the client is open.")
            )
            self._found.exception()

    async def _wait(self) -> E:
        if self._found is None:
            raise check.refuse("expect", "Enter the block first: async with client.expect(...) as reply: ...")
        try:
            if await finished_within(self._clock, self._found, self._timeout):
                return self._found.result()
        finally:
            self._dispatcher.untap(self)
        wanted = self._event_type.__name__ + ("" if self._predicate is None else " with a predicate")
        came = "; ".join(self._near) if self._near else "none"
        raise ExpectTimeout(
            f"No {wanted} within {self._timeout:g} s. Events that came and did not match ({self._seen}): {came}"
        )


def _as_of_a_coroutine(error: Exception) -> Exception:
    """Give the error as it comes out of a coroutine: a future takes no StopIteration, as `next` raises it."""
    if not isinstance(error, StopIteration):
        return error
    outer = RuntimeError("The predicate raised StopIteration.")
    outer.__cause__ = error
    return outer


class Subscriptions:
    """The part of the client that users subscribe on."""

    _dispatcher: Dispatcher
    _clock: Clock

    @property
    def current_user(self) -> User:
        """The user that the token names."""
        raise NotConnected("a subclass knows the user")

    def is_own(self, message: Message) -> bool:
        """Whether this user sent the message."""
        raise NotConnected("a subclass knows the user")

    def _is_own(self, message: Message) -> bool:
        raise NotConnected("a subclass knows the user")

    @property
    def on_new_message(self) -> MessageHook:
        """Messages: each once, in order, from whichever way it came; the user's own only with `own=True`."""
        return MessageHook(self._dispatcher, self._is_own)

    @property
    def on_message_sent(self) -> EventHook[MessageSent]:
        """`MessageSent`: the server has stored a message of this user."""
        return EventHook(self._dispatcher, MessageSent, filters=True)

    @property
    def on_message_error(self) -> EventHook[MessageFailed]:
        """`MessageFailed`: the server could not take a message of this user."""
        return EventHook(self._dispatcher, MessageFailed, filters=True)

    @property
    def on_typing(self) -> EventHook[TypingEvent]:
        """`TypingEvent`: somebody types, or has stopped."""
        return EventHook(self._dispatcher, TypingEvent, filters=True)

    @property
    def on_conversation_update(self) -> EventHook[ConversationUpdated]:
        """`ConversationUpdated`: a conversation should be read again."""
        return EventHook(self._dispatcher, ConversationUpdated, filters=True)

    @property
    def on_presence_change(self) -> EventHook[PresenceEvent]:
        """`PresenceEvent`: a user came or went."""
        return EventHook(self._dispatcher, PresenceEvent, filters=False)

    @property
    def on_notification(self) -> EventHook[Notification]:
        """`Notification`: a notice to this user."""
        return EventHook(self._dispatcher, Notification, filters=True)

    @property
    def on_connection_change(self) -> EventHook[ConnectionChange]:
        """`ConnectionChange`: the connection moved from one state to another."""
        return EventHook(self._dispatcher, ConnectionChange, filters=False)

    @property
    def on_gap(self) -> EventHook[GapDetected]:
        """`GapDetected`: a stretch of a conversation could not be proven complete."""
        return EventHook(self._dispatcher, GapDetected, filters=True)

    @property
    def on_invalid_payload(self) -> EventHook[InvalidPayload]:
        """`InvalidPayload`: something came that is not what the protocol says."""
        return EventHook(self._dispatcher, InvalidPayload, filters=False)

    @property
    def on_slow_consumer(self) -> EventHook[SlowConsumer]:
        """`SlowConsumer`: a subscription's queue is full."""
        return EventHook(self._dispatcher, SlowConsumer, filters=False)

    @property
    def on_error(self) -> EventHook[HandlerError]:
        """`HandlerError`: an exception came out of a user's handler."""
        return EventHook(self._dispatcher, HandlerError, filters=False)

    @overload
    def on(self, event_name: str, handler: Callable[..., Awaitable[None] | None]) -> Subscription[CustomEvent]: ...
    @overload
    def on(
        self, event_name: str, handler: None = None
    ) -> Callable[[Callable[..., Awaitable[None] | None]], Subscription[CustomEvent]]: ...
    def on(
        self, event_name: str, handler: Callable[..., Awaitable[None] | None] | None = None
    ) -> Subscription[CustomEvent] | Callable[[Callable[..., Awaitable[None] | None]], Subscription[CustomEvent]]:
        """Call `handler` with the arguments of every event of that name, as the server sent them.

        For a name that the protocol has, this is the raw event, before it is recognised as a repetition.

        Args:
            event_name: any name but Socket.IO's own three.
            handler: a sync or async callable; without it, a decorator is returned.

        Returns:
            The subscription; or, without a handler, the decorator that makes it.

        Raises:
            ValidationFailed: a reserved name.
        """
        if not isinstance(event_name, str) or not event_name or event_name in _RESERVED:
            raise check.refuse(
                "on", "Give the name of an event of the server; for the connection: on_connection_change."
            )

        def subscribe(given: Callable[..., Awaitable[None] | None]) -> Subscription[CustomEvent]:
            if not callable(given):
                raise check.refuse("on", "A handler must be callable.")
            return self._dispatcher.subscribe_custom(event_name, given)

        return subscribe if handler is None else subscribe(handler)

    def events(self, *types: type[Any], conversation_id: Id | None = None) -> EventStream[Any]:
        """Iterate over events from now on, the user's own messages included.

        Args:
            types: kinds of events (`Message`, `TypingEvent`, ...); all if none is given.
            conversation_id: only events of this conversation.

        Returns:
            An async iterator that collects from this moment on; close it with `aclose()` or `async with`.

        Raises:
            ValidationFailed: not a class of events, or no id.
        """
        for each in types:
            if each not in ALL_EVENTS:
                raise check.refuse("events", "Give classes of events, such as Message or TypingEvent.")
        target = None if conversation_id is None else check.checked_id("events", "conversation_id", conversation_id)
        return self._dispatcher.stream(types or ALL_EVENTS, conversation_id=target)

    def expect(
        self, type: type[E], predicate: Callable[[E], bool] | None = None, timeout: float | None = 10.0
    ) -> Expectation[E]:
        """Wait for an event that is still to come: `async with client.expect(Message) as reply: ...`, `await reply`.

        Args:
            type: the kind of event; the user's own messages count.
            predicate: which one, or None for the first.
            timeout: seconds, from the moment it is awaited; None is for ever.

        Returns:
            The expectation; enter it with `async with`, then await it for the event.

        Raises:
            ExpectTimeout: on awaiting; its text lists what came and did not match, without content.
            NotConnected: on awaiting; the client was closed meanwhile. Await it while the client is open: its
                `async with` ends by closing it, whether the event has come or not.
            ValidationFailed: not a class of events, or a predicate that cannot be called.
        """
        if type not in ALL_EVENTS:
            raise check.refuse("expect", "Give a class of events, such as Message or TypingEvent.")
        if predicate is not None:
            check.checked_callable("expect", "predicate", predicate)
        seconds = check.checked_patience("expect", timeout)
        return Expectation(self._dispatcher, type, predicate, seconds, self._clock)


guard(Expectation)  # where exceptions leave the package: see `messaging_client.boundary`

__all__ = ["ALL_EVENTS", "Event", "EventHook", "Expectation", "MessageHook", "Subscriptions"]
