"""The blocking form of `messaging_client.subscriptions`, written from it by `make generate`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, overload

from messaging_client.client import MessagingClient as AsyncMessagingClient
from messaging_client.events import (
    ConnectionChange,
    ConversationUpdated,
    CustomEvent,
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
from messaging_client.models import Id, Message
from messaging_client.subscriptions import E
from messaging_client.subscriptions import EventHook as AsyncEventHook
from messaging_client.subscriptions import MessageHook as AsyncMessageHook
from messaging_client.sync.faces import Face, Subscription
from messaging_client.sync.streams import EventStream, Expectation


class EventHook(Face[AsyncEventHook[E]], Generic[E]):
    """Subscribes handlers to one kind of event: as a decorator, with or without arguments, or as a call."""

    @overload
    def __call__(self, handler: Callable[[E], object], *, conversation_id: Id | None = None) -> Subscription[E]: ...
    @overload
    def __call__(
        self, handler: None = None, *, conversation_id: Id | None = None
    ) -> Callable[[Callable[[E], object]], Subscription[E]]: ...
    def __call__(
        self, handler: Callable[[E], object] | None = None, *, conversation_id: Id | None = None
    ) -> Subscription[E] | Callable[[Callable[[E], object]], Subscription[E]]:
        """Call `handler` with each event, one at a time and in order.

        Args:
            handler: a plain function with one argument.
            conversation_id: only events of this conversation; it is not joined by this.

        Returns:
            The subscription; or, without a handler, the decorator that makes it.

        Raises:
            ValidationFailed: no callable, or a conversation for an event that has none.
        """
        return self._subscribe(lambda given: self._async(given, conversation_id=conversation_id), handler)


class MessageHook(Face[AsyncMessageHook]):
    """Subscribes handlers to messages; those of the user are left out unless `own=True`."""

    @overload
    def __call__(
        self, handler: Callable[[Message], object], *, conversation_id: Id | None = None, own: bool = False
    ) -> Subscription[Message]: ...
    @overload
    def __call__(
        self, handler: None = None, *, conversation_id: Id | None = None, own: bool = False
    ) -> Callable[[Callable[[Message], object]], Subscription[Message]]: ...
    def __call__(
        self,
        handler: Callable[[Message], object] | None = None,
        *,
        conversation_id: Id | None = None,
        own: bool = False,
    ) -> Subscription[Message] | Callable[[Callable[[Message], object]], Subscription[Message]]:
        """Call `handler` with each message, once and in order.

        Args:
            handler: a plain function with one argument.
            conversation_id: only messages of this conversation; it is not joined by this.
            own: the user's own messages too. Without it a bot does not answer itself.

        Returns:
            The subscription; or, without a handler, the decorator that makes it.
        """
        return self._subscribe(lambda given: self._async(given, conversation_id=conversation_id, own=own), handler)


class Subscriptions(Face[AsyncMessagingClient]):
    """The part of the client that users subscribe on."""

    @property
    def on_new_message(self) -> MessageHook:
        """Messages: each once, in order, from whichever way it came; the user's own only with `own=True`."""
        return MessageHook(self._runtime, self._runtime.call(lambda: self._async.on_new_message))

    @property
    def on_message_sent(self) -> EventHook[MessageSent]:
        """`MessageSent`: the server has stored a message of this user."""
        return EventHook(self._runtime, self._runtime.call(lambda: self._async.on_message_sent))

    @property
    def on_message_error(self) -> EventHook[MessageFailed]:
        """`MessageFailed`: the server could not take a message of this user."""
        return EventHook(self._runtime, self._runtime.call(lambda: self._async.on_message_error))

    @property
    def on_typing(self) -> EventHook[TypingEvent]:
        """`TypingEvent`: somebody types, or has stopped."""
        return EventHook(self._runtime, self._runtime.call(lambda: self._async.on_typing))

    @property
    def on_conversation_update(self) -> EventHook[ConversationUpdated]:
        """`ConversationUpdated`: a conversation should be read again."""
        return EventHook(self._runtime, self._runtime.call(lambda: self._async.on_conversation_update))

    @property
    def on_presence_change(self) -> EventHook[PresenceEvent]:
        """`PresenceEvent`: a user came or went."""
        return EventHook(self._runtime, self._runtime.call(lambda: self._async.on_presence_change))

    @property
    def on_notification(self) -> EventHook[Notification]:
        """`Notification`: a notice to this user."""
        return EventHook(self._runtime, self._runtime.call(lambda: self._async.on_notification))

    @property
    def on_connection_change(self) -> EventHook[ConnectionChange]:
        """`ConnectionChange`: the connection moved from one state to another."""
        return EventHook(self._runtime, self._runtime.call(lambda: self._async.on_connection_change))

    @property
    def on_gap(self) -> EventHook[GapDetected]:
        """`GapDetected`: a stretch of a conversation could not be proven complete."""
        return EventHook(self._runtime, self._runtime.call(lambda: self._async.on_gap))

    @property
    def on_invalid_payload(self) -> EventHook[InvalidPayload]:
        """`InvalidPayload`: something came that is not what the protocol says."""
        return EventHook(self._runtime, self._runtime.call(lambda: self._async.on_invalid_payload))

    @property
    def on_slow_consumer(self) -> EventHook[SlowConsumer]:
        """`SlowConsumer`: a subscription's queue is full."""
        return EventHook(self._runtime, self._runtime.call(lambda: self._async.on_slow_consumer))

    @property
    def on_error(self) -> EventHook[HandlerError]:
        """`HandlerError`: an exception came out of a user's handler."""
        return EventHook(self._runtime, self._runtime.call(lambda: self._async.on_error))

    @overload
    def on(self, event_name: str, handler: Callable[..., object]) -> Subscription[CustomEvent]: ...
    @overload
    def on(
        self, event_name: str, handler: None = None
    ) -> Callable[[Callable[..., object]], Subscription[CustomEvent]]: ...
    def on(
        self, event_name: str, handler: Callable[..., object] | None = None
    ) -> Subscription[CustomEvent] | Callable[[Callable[..., object]], Subscription[CustomEvent]]:
        """Call `handler` with the arguments of every event of that name, as the server sent them.

        For a name that the protocol has, this is the raw event, before it is recognised as a repetition.

        Args:
            event_name: any name but Socket.IO's own three.
            handler: a plain function; without it, a decorator is returned.

        Returns:
            The subscription; or, without a handler, the decorator that makes it.

        Raises:
            ValidationFailed: a reserved name.
        """
        return self._subscribe(lambda given: self._async.on(event_name, given), handler)

    def events(self, *types: type[Any], conversation_id: Id | None = None) -> EventStream[Any]:
        """Iterate over events from now on, the user's own messages included.

        Args:
            types: kinds of events (`Message`, `TypingEvent`, ...); all if none is given.
            conversation_id: only events of this conversation.

        Returns:
            An iterator that collects from this moment on; close it with `close()` or `with`.

        Raises:
            ValidationFailed: not a class of events, or no id.
        """
        return EventStream(
            self._runtime, self._runtime.call(lambda: self._async.events(*types, conversation_id=conversation_id))
        )

    def expect(
        self, type: type[E], predicate: Callable[[E], bool] | None = None, timeout: float | None = 10.0
    ) -> Expectation[E]:
        """Wait for an event that is still to come: `with client.expect(Message) as reply: ...`, `reply.result()`.

        Args:
            type: the kind of event; the user's own messages count.
            predicate: which one, or None for the first.
            timeout: seconds, from the moment that `result()` is called; None is for ever.

        Returns:
            The expectation; enter it with `with`, then it for the event.

        Raises:
            ExpectTimeout: from `result()`; its text lists what came and did not match, without content.
            NotConnected: from `result()`; the client was closed meanwhile. Await it while the client is open: its
                `with` ends by closing it, whether the event has come or not.
            ValidationFailed: not a class of events, or a predicate that cannot be called.
        """
        return Expectation(self._runtime, self._runtime.call(lambda: self._async.expect(type, predicate, timeout)))
