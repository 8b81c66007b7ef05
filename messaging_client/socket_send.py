"""Sending a message over the socket: whichever way the server says that it has it, or that it has not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from messaging_client.clock import Clock, end_task, finished_within
from messaging_client.dispatch import Dispatcher
from messaging_client.errors import ConnectionLost, MessagingError, RequestTimeout, TransportError, ValidationFailed
from messaging_client.events import MessageFailed, MessageSent
from messaging_client.models import Id, Message
from messaging_client.observing.observer import Observer
from messaging_client.wire import events as names
from messaging_client.wire.errors import PayloadError

if TYPE_CHECKING:
    from messaging_client.transport.socket import Connection

_UNKNOWN = "the server may have stored it: read the conversation before sending it again."


@dataclass
class SocketSend:
    """A message sent over the socket, to those who watch sends.

    Attributes:
        conversation_id: where it goes.
        client_message_id: its key.
        stored_id: its id on the server, once that has told it.
        attempts: it is sent once.
        observed: what the observer keeps with it.
    """

    conversation_id: Id
    client_message_id: str
    stored_id: Id | None = None
    attempts: int = 1
    observed: Any = None


@contextmanager
def observed(observer: Observer, sending: SocketSend, clock: Clock) -> Iterator[None]:
    """The message is sent in the block, and how that ends is how the block does.

    Whoever gives up waiting cannot know whether the server has it, so that this end is uncertain.
    """
    began = clock.monotonic()
    observer.send_began(sending)
    try:
        with observer.within_send(sending):
            yield
    except BaseException as error:
        has_left = error.may_have_left if isinstance(error, TransportError) else not isinstance(error, MessagingError)
        observer.send_ended(sending, clock.monotonic() - began, error, is_uncertain=has_left)
        raise
    observer.send_ended(sending, clock.monotonic() - began, None)


class _Word:
    """Looks for the server's word about one message among the events that come.

    Args:
        own: the names that the message goes by: its client message id, and its temporary id.

    Attributes:
        came: what the server said.
    """

    def __init__(self, own: tuple[str, ...]) -> None:
        self._own = frozenset[Any](own)
        self.came: asyncio.Future[MessageSent | MessageFailed] = asyncio.get_running_loop().create_future()

    def offer(self, event: Any) -> None:
        """Look at an event."""
        if self.came.done():
            return
        if isinstance(event, MessageSent | MessageFailed):
            if event.message_id in self._own or getattr(event, "client_message_id", None) in self._own:
                self.came.set_result(event)
        elif isinstance(event, Message) and event.client_message_id in self._own:
            stored = MessageSent(
                message_id=event.id,
                conversation_id=event.conversation_id,
                client_message_id=event.client_message_id,
                timestamp=event.timestamp,
                raw=event.raw,
            )
            self.came.set_result(stored)

    def closed(self) -> None:
        """The client was closed."""
        if not self.came.done():
            self.came.set_exception(ConnectionLost(f"The client was closed; {_UNKNOWN}", may_have_left=True))
            self.came.exception()


async def send_over(
    connection: Connection,
    dispatcher: Dispatcher,
    payload: Any,
    own: tuple[str, ...],
    clock: Clock,
    timeout: float,
) -> MessageSent:
    """Send a message and wait for the first word about it: an acknowledgement, or an event.

    Args:
        connection: what it goes over.
        dispatcher: where events come by.
        payload: of `send_message`.
        own: the names that the message goes by.
        clock: for the time-out.
        timeout: seconds.

    Raises:
        NotConnected: there is no connection.
        ConnectionLost: it ended before any word.
        RequestTimeout: no word came in time.
        ValidationFailed: the server could not take it.
    """
    word = _Word(own)
    dispatcher.tap(word)
    acknowledged = asyncio.ensure_future(_acknowledgement(connection, payload, timeout, word))
    try:
        either = asyncio.ensure_future(asyncio.wait({acknowledged, word.came}, return_when=asyncio.FIRST_COMPLETED))
        try:
            await finished_within(clock, either, timeout)
        finally:
            await end_task(either)
        if word.came.done():
            outcome = word.came.result()
        elif acknowledged.done():
            outcome = acknowledged.result()
        else:
            raise RequestTimeout(f"No word about the message within {timeout:g} s; {_UNKNOWN}", may_have_left=True)
    finally:
        dispatcher.untap(word)
        await end_task(acknowledged)
    if isinstance(outcome, MessageFailed):
        raise ValidationFailed(
            "The server did not take the message; see server_message.",
            operation=names.SEND_MESSAGE,
            server_message=outcome.error,
        )
    return outcome


async def _acknowledgement(
    connection: Connection, payload: Any, timeout: float, word: _Word
) -> MessageSent | MessageFailed:
    """Give what the acknowledgement says; one that names no message leaves the word to the events."""
    try:
        return names.acknowledgement_from_wire(await connection.call(names.SEND_MESSAGE, payload, timeout))
    except PayloadError:
        return await word.came
    except RequestTimeout as late:
        raise RequestTimeout(
            f"No word about the message within {timeout:g} s; {_UNKNOWN}", may_have_left=late.may_have_left
        ) from None
