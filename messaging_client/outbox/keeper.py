"""Messages on their way as the store holds them; without a store, nothing is to be done."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from messaging_client.errors import MessagingError, SendUncertain, StoreError
from messaging_client.models import Id, User
from messaging_client.observing.logs import say
from messaging_client.outbox.outgoing import Outgoing
from messaging_client.store import SendState, StoredSend

if TYPE_CHECKING:
    from messaging_client.store import Store

_log = logging.getLogger("messaging_client.outbox")


class Keeper:
    """Writes down what must outlive the process.

    Args:
        store: keeps messages; None where they live in memory.
        open_store: opens it for the present user, whom it gives; called before it is used first.
    """

    def __init__(self, store: Store | None, open_store: Callable[[], Awaitable[User]]) -> None:
        self._store = store
        self._open_store = open_store
        self._last_position = 0

    @property
    def is_needed(self) -> bool:
        """Whether there is a store."""
        return self._store is not None

    async def take_up(self) -> list[Outgoing]:
        """Give what an earlier process left, in order.

        Raises:
            ConfigurationError, StoreError: the store cannot be used.
        """
        user = await self._open_store()
        sends = [] if self._store is None else await self._store.sends()
        self._last_position = max((send.position for send in sends), default=0)
        return [Outgoing.from_store(send, user, _left_error(send)) for send in sends]

    async def keep(self, outgoing: Outgoing) -> None:
        """Give a message the last place, and write it down: on return it survives the process, and the power.

        Raises:
            StoreError: it could not be written.
        """
        self._last_position += 1
        outgoing.position = self._last_position
        if self._store is not None:
            await self._store.save_send(outgoing.to_store())
            outgoing.is_kept = True

    async def mark(self, outgoing: Outgoing, *, durable: bool) -> None:
        """Write down that a request for it is about to leave; `durable` survives the power too.

        Raises:
            StoreError: it could not be written.
        """
        if self._store is not None:
            await self._store.save_send(outgoing.to_store(), durable=durable)

    async def note(self, outgoing: Outgoing) -> None:
        """Write down where it stands now; if that fails, it is found out again after a restart."""
        if self._store is not None:
            try:
                await self._store.save_send(outgoing.to_store(), durable=False)
            except StoreError as error:
                say(
                    _log,
                    logging.WARNING,
                    "message state is not stored",
                    client_message_id=outgoing.client_message_id,
                    reason=str(error),
                )

    async def note_confirmed(self, outgoing: Outgoing, message_id: Id) -> None:
        """Forget it, but not its id; if that fails, it is found on the server after a restart."""
        if self._store is None or not outgoing.is_kept:
            return
        try:
            await self._store.confirm_send(outgoing.client_message_id, outgoing.conversation_id, message_id)
        except StoreError as error:
            say(
                _log,
                logging.WARNING,
                "message is confirmed but still stored",
                client_message_id=outgoing.client_message_id,
                reason=str(error),
            )

    async def note_stored(self, conversation_id: Id, message_id: Id) -> None:
        """Write down the id of a message that was sent by another way."""
        if self._store is not None:
            try:
                await self._store.add_claim(conversation_id, message_id)
            except StoreError as error:
                say(
                    _log,
                    logging.WARNING,
                    "message is not noted",
                    message_id=message_id,
                    conversation_id=conversation_id,
                    reason=str(error),
                )

    async def claims(self) -> list[tuple[Id, Id]]:
        """Give the ids, with their conversations, of messages that none of those left must be taken for.

        Raises:
            StoreError: the store cannot be read.
        """
        return [] if self._store is None else await self._store.claims()

    async def forget(self, outgoing: Outgoing) -> None:
        """Forget it.

        Raises:
            StoreError: it could not be forgotten.
        """
        if self._store is not None and outgoing.is_kept:
            await self._store.remove_send(outgoing.client_message_id)


def _left_error(send: StoredSend) -> MessagingError | None:
    """Give the error of a message that an earlier process left behind."""
    if send.state is SendState.QUEUED:
        return None
    if send.state is SendState.UNCERTAIN:
        return SendUncertain(
            "An earlier process could not find out whether the message was stored: read the conversation, then retry "
            "or discard it."
        )
    return MessagingError(f"An earlier process could not send the message ({send.error}): retry or discard it.")
