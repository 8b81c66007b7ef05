"""The conversations that somebody has open: one state each, kept as long as a session uses it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from messaging_client.clock import new_task
from messaging_client.conversation_state import ConversationState
from messaging_client.dispatch import Subscription
from messaging_client.events import ConnectionChange
from messaging_client.feed import Key
from messaging_client.few import Few
from messaging_client.host import Host
from messaging_client.models import Conversation, Id, Message
from messaging_client.session import ConversationSession

READS_AT_A_TIME = 4
"""Conversations that read again at a time what may have changed, so that a reconnection is no burst for the server."""


class Sessions:
    """Makes sessions; two on one conversation share its state.

    Args:
        host: the client.
        order: the order of messages.
    """

    def __init__(self, host: Host, order: Callable[[Message], Key]) -> None:
        self._host = host
        self._order = order
        self._states: dict[Id, ConversationState] = {}
        self._users: dict[Id, set[ConversationSession]] = {}
        self._reading = asyncio.Semaphore(READS_AT_A_TIME)
        self._changes: Subscription[Any] | None = None
        self._closing: Few[asyncio.Task[None]] = Few()

    def open(self, conversation_id: Id, known: Conversation | None = None) -> ConversationSession:
        """Give a session; its state is opened when it is entered.

        Args:
            conversation_id: the conversation.
            known: what is known of it already.
        """
        return ConversationSession(self._host, conversation_id, known, self._take, self._give_back)

    def _take(self, session: ConversationSession) -> ConversationState:
        if self._changes is None:
            self._changes = self._host._dispatcher.subscribe(ConnectionChange, self._connection_changed)
        target = session.conversation_id
        if target not in self._states:
            self._states[target] = ConversationState(self._host, target, self._order, self._reading)
        self._users.setdefault(target, set()).add(session)
        return self._states[target]

    async def _give_back(self, session: ConversationSession) -> None:
        target = session.conversation_id
        users = self._users.get(target, set())
        users.discard(session)
        if users:
            return
        self._users.pop(target, None)
        state = self._states.pop(target, None)
        if state is not None:
            # Once begun it is brought to its end, even when the caller is cancelled.
            closing = new_task(state.aclose())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            await asyncio.shield(closing)

    def _connection_changed(self, change: ConnectionChange) -> None:
        for state in tuple(self._states.values()):
            state.connection_changed(change)

    async def aclose(self) -> None:
        """Close every session."""
        for session in [session for users in self._users.values() for session in users]:
            await session.close()
        if self._closing:
            await asyncio.wait(set(self._closing))
        if self._changes is not None:
            self._changes.cancel()
            self._changes = None
