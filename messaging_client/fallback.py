"""Messages over HTTP while the socket is down: the list first, then the conversations that it shows changed."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from messaging_client.clock import Clock, new_task
from messaging_client.config import MessagingConfig
from messaging_client.errors import AuthenticationError, MessagingError
from messaging_client.feed import Feed, Thread
from messaging_client.models import Conversation, Id
from messaging_client.observing.logs import say
from messaging_client.recovery import REFUSED, Recovery

_log = logging.getLogger("messaging_client.fallback")

_JITTER = 0.2  # part of the interval that is left to chance, downwards, so that a poll comes within one interval
_SLOWEST = 6  # intervals between two polls at most, while the server fails

Signature = tuple[Any, ...]


class Fallback:
    """Polls while there is no connection.

    Args:
        conversations: iterates over the conversations of the user, past any cache.
        on_listed: told of every conversation of the list, and whether it has changed since the last poll.
    """

    def __init__(
        self,
        feed: Feed,
        recovery: Recovery,
        config: MessagingConfig,
        *,
        clock: Clock,
        random: random.Random,
        conversations: Callable[[], AsyncIterator[Conversation]],
        on_listed: Callable[[Conversation, bool], Awaitable[None]],
    ) -> None:
        self._feed = feed
        self._recovery = recovery
        self._config = config
        self._clock = clock
        self._random = random
        self._conversations = conversations
        self._on_listed = on_listed
        self._task: asyncio.Task[None] | None = None
        self._signatures: dict[Id, Signature] = {}
        self._looks: dict[Id, Signature] = {}
        self.polls = 0

    @property
    def is_active(self) -> bool:
        """Whether messages are fetched over HTTP at present."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Poll from now on; nothing happens if it does already."""
        if not self.is_active:
            self._signatures.clear()
            self._looks.clear()
            self._task = new_task(self._poll_for_ever(), name="messaging_client polling")

    def stop(self) -> asyncio.Task[None] | None:
        """Poll no more.

        Returns:
            The task that is ending, or None.
        """
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        return task

    async def _poll_for_ever(self) -> None:
        failures = 0
        while True:
            interval = self._config.fallback_poll_interval * min(2**failures, _SLOWEST)
            await self._clock.sleep(interval * (1 - _JITTER * self._random.random()))
            try:
                is_well = await self.poll()
            except Exception as error:  # noqa: BLE001 - whatever goes wrong with one poll, the next one comes
                say(_log, logging.ERROR, "poll ended unexpectedly", error=error)
                is_well = False
            failures = 0 if is_well else failures + 1
            self.polls += 1

    async def poll(self) -> bool:
        """Poll once.

        Returns:
            Whether the server does what it should: one that gives conversations but no list of them does.
        """
        listed: dict[Id, Conversation] = {}
        is_listed = True
        try:
            async for conversation in self._conversations():
                listed[conversation.id] = conversation
                look, known = _look(conversation), self._looks.get(conversation.id)
                self._looks[conversation.id] = look
                await self._on_listed(conversation, known is not None and known != look)
        except AuthenticationError:
            say(_log, logging.WARNING, "polling: token refused")
            return False
        except MessagingError as error:
            say(_log, logging.INFO, "polling: list not read", error=error)
            listed.clear()
            is_listed = False
        due = self._due(listed)
        return await self._read(due, listed) and (is_listed or bool(due))

    def _due(self, listed: dict[Id, Conversation]) -> list[Thread]:
        """The conversations that the list shows changed, or of whose messages it says nothing."""
        shows_last = any(_has_timed_last(conversation) for conversation in listed.values())
        return [
            thread
            for conversation_id, thread in self._feed.threads.items()
            if thread.proven is None
            or (conversation := listed.get(conversation_id)) is None
            or not (shows_last or _follows_messages(conversation, thread))
            or self._signatures.get(conversation_id) != _signature(conversation)
        ]

    async def _read(self, due: list[Thread], listed: dict[Id, Conversation]) -> bool:
        results = await asyncio.gather(*(self._recovery.read_back(thread) for thread in due))
        unread = [thread for thread, complete in zip(due, results, strict=True) if not complete]
        # A conversation that could not be read is due again with the next poll.
        due_again = {thread.conversation_id for thread in unread}
        self._signatures = {each: _signature(shown) for each, shown in listed.items() if each not in due_again}
        # One that this user may not read is no failure of the server.
        return all(thread.failures == REFUSED for thread in unread)


def _signature(conversation: Conversation) -> Signature:
    """What changes with every message of a conversation."""
    last = conversation.last_message
    return (
        conversation.last_activity,
        last.timestamp if last is not None else None,
        hash(last.content) if last is not None else None,
    )


def _look(conversation: Conversation) -> Signature:
    """Everything that a list shows of a conversation, and that changes."""
    return (*_signature(conversation), conversation.unread_count, conversation.status, conversation.title)


def _has_timed_last(conversation: Conversation) -> bool:
    return conversation.last_message is not None and conversation.last_message.timestamp is not None


def _follows_messages(conversation: Conversation, thread: Thread) -> bool:
    """Whether the time of the last activity moves with messages: some servers give that of the last change of title."""
    newest = thread.proven.timestamp if thread.proven is not None else None
    return conversation.last_activity is not None and newest is not None and conversation.last_activity >= newest
