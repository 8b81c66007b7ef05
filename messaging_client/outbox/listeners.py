"""Who is told of messages on their way."""

from __future__ import annotations

import logging
from collections.abc import Callable

from messaging_client.models import Id
from messaging_client.observing.logs import say
from messaging_client.outbox.outgoing import Outgoing

_log = logging.getLogger("messaging_client.outbox")

Listener = Callable[[Outgoing], None]


class Listeners:
    """Listeners of each conversation."""

    def __init__(self) -> None:
        self._by_conversation: dict[Id, list[Listener]] = {}

    def add(self, conversation_id: Id, listener: Listener) -> Callable[[], None]:
        """Tell a listener of every change of a conversation's messages; returns what ends it."""
        place = self._by_conversation.setdefault(conversation_id, [])
        place.append(listener)

        def stop() -> None:
            place.remove(listener)
            if not place:
                self._by_conversation.pop(conversation_id, None)

        return stop

    def tell(self, outgoing: Outgoing) -> None:
        """A message has changed; what a listener does with that stops no message."""
        for listener in tuple(self._by_conversation.get(outgoing.conversation_id, ())):
            try:
                listener(outgoing)
            except Exception as error:  # noqa: BLE001 - reported, and the others are told
                say(_log, logging.ERROR, "listener raised", client_message_id=outgoing.client_message_id, error=error)
