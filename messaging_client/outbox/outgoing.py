"""A message on its way, and what has to be known to find it on the server again."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from messaging_client.errors import MessagingError
from messaging_client.models import Id, Message, MessageStatus, MessageType, Participant, User
from messaging_client.outbox.marks import Mark
from messaging_client.store import SendState, StoredSend
from messaging_client.wire.payloads import TEMPORARY

_STATUS = {
    SendState.QUEUED: MessageStatus.SENDING,
    SendState.REFUSED: MessageStatus.ERROR,
    SendState.UNCERTAIN: MessageStatus.UNCERTAIN,
}
_STATE = {status: state for state, status in _STATUS.items()}


class Progress(Protocol):
    """How far a request has come, as the transport sees it."""

    may_have_left: bool


@dataclass(eq=False, repr=False)
class Outgoing:
    """A message being sent.

    Attributes:
        pending: the message as it stands now, under its temporary id.
        client_message_id: its key from birth.
        created_at: when it was handed in, by this machine's clock.
        accepted: done when it is kept (at once without a store), or could not be.
        done: resolved with the confirmed message, or the error.
        confirmed: as the server stored it, or None.
        error: why it was refused, or is uncertain; None otherwise.
        is_kept: whether the store holds it.
        position: its place in the store.
        attempts: requests sent for it so far.
        may_have_left: whether one of them can have reached the server, and its fate is not known.
        mark: the newest messages known before the first request; None while that is not known.
        expires_at: when it is given up, or None.
        timeout: seconds for one request; as configured if None.
        progress: how far the request under way has come; None while there is none.
        given_up_after: seconds of a deadline that is over; None while it is to be sent.
        is_being_discarded: the user has discarded it, and the store is forgetting it.
        began_at: when it was handed in, or tried again, on the monotonic clock.
        observed: what the observer keeps with it.
    """

    pending: Message
    client_message_id: str
    created_at: datetime
    accepted: asyncio.Future[None]
    done: asyncio.Future[Message]
    confirmed: Message | None = None
    error: MessagingError | None = None
    is_kept: bool = False
    position: int = 0
    attempts: int = 0
    may_have_left: bool = False
    mark: Mark | None = None
    expires_at: datetime | None = None
    timeout: float | None = None
    progress: Progress | None = None
    given_up_after: float | None = None
    is_being_discarded: bool = False
    began_at: float = 0.0
    observed: Any = None

    def __repr__(self) -> str:
        return f"<Outgoing {self.client_message_id} {self.pending.status}>"

    @property
    def conversation_id(self) -> Id:
        """The conversation that it belongs to."""
        assert self.pending.conversation_id is not None
        return self.pending.conversation_id

    @property
    def stored_id(self) -> Id | None:
        """Its id on the server, once that is known."""
        return None if self.confirmed is None else self.confirmed.id

    @property
    def is_under_way(self) -> bool:
        """Whether the request under way may have reached the server by now."""
        return self.progress is not None and self.progress.may_have_left

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """A request is under way during the block.

        What is written down before it leaves says that it may have left. If the block is cancelled, what is left here
        says whether that is so; if it ends otherwise, whoever has the answer decides.
        """
        before, self.may_have_left, self.progress = self.may_have_left, True, None
        try:
            yield
        except asyncio.CancelledError:
            self.may_have_left = before or self.is_under_way
            raise
        finally:
            self.progress = None

    def become(self, status: MessageStatus, error: MessagingError | None = None) -> None:
        """Change where it stands."""
        self.error = error
        self.pending = self.pending.model_copy(update={"status": status})

    def to_store(self) -> StoredSend:
        """Write it down."""
        mark = self.mark
        return StoredSend(
            client_message_id=self.client_message_id,
            conversation_id=self.conversation_id,
            position=self.position,
            content=self.pending.content,
            kind=self.pending.type,
            created_at=self.created_at,
            timestamp=self.pending.timestamp,
            state=_STATE[self.pending.status],
            attempts=self.attempts,
            may_have_left=self.may_have_left,
            after_time=None if mark is None else mark.timestamp,
            after_ids=None if mark is None else mark.ids,
            expires_at=self.expires_at,
            error=type(self.error).__name__ if self.error is not None else None,
        )

    @classmethod
    def new(
        cls,
        conversation_id: Id,
        content: str,
        kind: MessageType,
        user: User,
        *,
        now: datetime,
        after: datetime | None,
        deadline: float | None,
        timeout: float | None,
        key: str | None = None,
    ) -> Outgoing:
        """Make one with a key of its own; the arguments are those of `Outbox.submit`."""
        loop = asyncio.get_running_loop()
        draft = StoredSend(
            client_message_id=key or str(uuid.uuid4()),
            conversation_id=conversation_id,
            position=0,
            content=content,
            kind=kind,
            created_at=now,
            timestamp=now if after is None else max(now, after),
        )
        return cls(
            pending_message(draft, user),
            draft.client_message_id,
            created_at=now,
            accepted=loop.create_future(),
            done=loop.create_future(),
            expires_at=None if deadline is None else now + timedelta(seconds=deadline),
            timeout=timeout,
        )

    @classmethod
    def from_store(cls, send: StoredSend, user: User, error: MessagingError | None) -> Outgoing:
        """Take up what an earlier process left."""
        loop = asyncio.get_running_loop()
        made = cls(
            pending=pending_message(send, user),
            client_message_id=send.client_message_id,
            created_at=send.created_at,
            accepted=loop.create_future(),
            done=loop.create_future(),
            error=error,
            is_kept=True,
            position=send.position,
            attempts=send.attempts,
            may_have_left=send.may_have_left,
            mark=None if send.after_ids is None else Mark(send.after_time, send.after_ids),
            expires_at=send.expires_at,
        )
        made.accepted.set_result(None)
        if error is not None:
            fail(made.done, error)
        return made


def pending_message(send: StoredSend, user: User) -> Message:
    """Give the message as its conversation shows it until the server has it."""
    return Message(
        id=TEMPORARY + send.client_message_id,
        conversation_id=send.conversation_id,
        content=send.content,
        type=send.kind,
        sender=Participant(id=user.id, type=user.type),
        timestamp=send.timestamp,
        timestamp_is_receipt=True,
        status=_STATUS[send.state],
        client_message_id=send.client_message_id,
    )


def fail(future: asyncio.Future[Message] | asyncio.Future[None], error: MessagingError) -> None:
    """End a future with an error, which nobody may be waiting for."""
    if not future.done():
        future.set_exception(error)
        future.exception()
