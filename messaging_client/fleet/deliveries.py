"""What a handler is given besides the event: how often it came, and the way to answer it once."""

from __future__ import annotations

import uuid

from messaging_client.client import MessagingClient
from messaging_client.errors import ConfigurationError, ValidationFailed
from messaging_client.fleet.envelopes import Envelope
from messaging_client.models import Id, Message

_NAMESPACE = uuid.UUID("6f1d6f1e-3b0e-5a53-9f55-0d6f0f7a9c11")
"""Of this project's own: keys of answers are made from it, and must not change from one version to the next."""


class Delivery:
    """One delivery of one event to a handler.

    Attributes:
        number: which delivery of this event it is, from 1; more than 1 after a failure or the end of a worker.
        partition: the partition it came by.
        identity: the event's identity in the stream.
    """

    def __init__(
        self, sent: Envelope, number: int, partition: int, account: str, client: MessagingClient | None
    ) -> None:
        self.number = number
        self.partition = partition
        self.identity = sent.identity
        self._conversation_id = sent.conversation_id
        self._account = account
        self._client = client
        self._answers = 0

    def __repr__(self) -> str:
        return f"<Delivery {self.number} of {self.identity}>"

    async def answer(self, contenu: str, *, conversation_id: Id | None = None) -> Message:
        """Send a message to the conversation that the event is of, once, however often the event is delivered.

        The first answer to an event has the same idempotency key in each delivery, so has the second: a handler gives
        its answers in the same order each time.

        Args:
            contenu: the text.
            conversation_id: another conversation.

        Returns:
            The message as the server stored it.

        Raises:
            ConfigurationError: the worker has no client.
            ValidationFailed: the event is of no conversation.
            MessagingError: as for `send_message_to_conversation`.
        """
        client, target = self._client, self._conversation_id if conversation_id is None else conversation_id
        if client is None:
            raise ConfigurationError(
                "Give the worker a client to answer with: Worker(..., client=MessagingClient(...))."
            )
        if target is None:
            raise ValidationFailed("The event is of no conversation; name one.", operation="send")
        self._answers += 1
        key = uuid.uuid5(_NAMESPACE, f"{self._account} {self.identity} {self._answers}")
        return await client._send_once(target, contenu, str(key))
