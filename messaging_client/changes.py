"""Telling that something changed: many changes at a time make one call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from messaging_client import arguments as check
from messaging_client.dispatch import Dispatcher, Subscription

Subject = TypeVar("Subject")


class _Latest(Subscription[Any]):
    """A subscription whose queue holds one thing: that there is something to look at."""

    def offer(self, event: Any) -> None:
        if not self._queue:
            super().offer(event)


class Changes(Generic[Subject]):
    """The `on_change` of a session or an inbox.

    Args:
        dispatcher: runs the handlers.
        subject: what handlers are given.
    """

    def __init__(self, dispatcher: Dispatcher, subject: Subject) -> None:
        self._dispatcher = dispatcher
        self._subject = subject
        self._subscriptions: list[_Latest] = []

    def subscribe(self, handler: Callable[[Subject], Any]) -> Subscription[Any]:
        """Call `handler` with the subject after changes, one call at a time."""
        if not callable(handler):
            raise check.refuse("on_change", "A handler must be callable with one argument.")
        subscription = _Latest(self._dispatcher, "changes", 1, None, handler)
        self._subscriptions.append(subscription)
        return subscription

    def note(self) -> None:
        """Something changed."""
        self._subscriptions = [each for each in self._subscriptions if each.is_open]
        for each in self._subscriptions:
            each.offer(self._subject)

    def close(self) -> None:
        """Call nobody any more."""
        for each in self._subscriptions:
            each.cancel()
        self._subscriptions.clear()
