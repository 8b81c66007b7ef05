"""The desk: conversations that are looked at or still have something to send, drafts, and what is under way."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from messaging_client import ConversationSession, Id, Message, MessageStatus, MessagingClient, MessagingError
from messaging_client.clock import new_task
from messaging_client.tui.live import Opening

FAILED = frozenset({MessageStatus.ERROR, MessageStatus.UNCERTAIN})
"""States in which a message waits for its writer to decide."""


class Place:
    """One conversation as the user left it.

    Attributes:
        id: the conversation.
        draft: what was typed and not sent.
        returned: texts that were handed in and not accepted; whoever shows the draft puts them in front of it.
        opening: its session, while it is open.
        new_from: the first message that was unread when it was opened, and has not been marked since.
        new_count: how many there were.
        is_complete: whether its first message is here, so that there is nothing older to read.
        is_reading_older: whether older messages are being read.
    """

    def __init__(self, conversation_id: Id) -> None:
        self.id = conversation_id
        self.draft = ""
        self.returned: list[str] = []
        self.opening: Opening[ConversationSession] | None = None
        self.new_from: Id | None = None
        self.new_count = 0
        self.is_complete = False
        self.is_reading_older = False
        self._has_looked = False

    @property
    def session(self) -> ConversationSession | None:
        """The session, once it is live."""
        return self.opening.value if self.opening is not None else None

    @property
    def has_draft(self) -> bool:
        """Whether something was typed and not sent."""
        return bool(self.draft.strip() or self.returned)

    @property
    def error(self) -> MessagingError | None:
        """Why it cannot be shown, or None."""
        return self.opening.error if self.opening is not None else None

    def look_for_new(self) -> None:
        """Remember what was new at the first sight of an opened conversation."""
        session = self.session
        if session is None or self._has_looked:
            return
        self._has_looked = True
        unread = session.messages.unread
        self.new_from = unread[0].id if unread else None
        self.new_count = len(unread)

    def forget_new(self) -> None:
        """Nothing is new any more."""
        self.new_from, self.new_count = None, 0

    def closed(self) -> None:
        """The session is gone; the draft stays."""
        self.opening = None
        self._has_looked = self.is_complete = self.is_reading_older = False
        self.forget_new()


class Desk:
    """Keeps a conversation open while it is looked at or has unsent messages, and carries out what the user asks.

    Args:
        client: the client.
        changed: called when something changed that is to be shown.
        failed: told of what could not be done.
    """

    def __init__(
        self, client: MessagingClient, changed: Callable[[], None], failed: Callable[[MessagingError], None]
    ) -> None:
        self._client = client
        self._changed = changed
        self._failed = failed
        self._places: dict[Id, Place] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._typing: asyncio.Task[None] | None = None
        self.current: Place | None = None

    # --- looking -----------------------------------------------------------------------------------------------------

    def look_at(self, conversation_id: Id) -> Place:
        """Make a conversation the one that is looked at; the one before stays open while it has unsent messages."""
        place = self._places.setdefault(conversation_id, Place(conversation_id))
        self.current = place
        if place.opening is None:
            place.opening = Opening(lambda: self._client.conversation(conversation_id), self._note)
            place.opening.start()
        self._tidy()
        return place

    def try_again(self) -> None:
        """Try again to open what could not be opened."""
        for place in self._places.values():
            if place.opening is not None:
                place.opening.try_again()

    def unsent(self) -> Counter[Id]:
        """How many messages of each conversation are not certain to be on the server."""
        return Counter(each.conversation_id for each in self._client.pending() if each.conversation_id is not None)

    def failed(self) -> Counter[Id]:
        """How many of those wait for a decision of the user's."""
        pending = self._client.pending()
        return Counter(each.conversation_id for each in pending if each.conversation_id and each.status in FAILED)

    def drafts(self) -> int:
        """How many conversations have a draft."""
        return sum(place.has_draft for place in self._places.values())

    def has_draft(self, conversation_id: Id) -> bool:
        """Whether something was typed for a conversation and not sent."""
        place = self._places.get(conversation_id)
        return place is not None and place.has_draft

    # --- doing -------------------------------------------------------------------------------------------------------

    def send(self, place: Place, text: str) -> bool:
        """Hand a text in; where it is not accepted it comes back to the draft.

        Returns:
            Whether it could be handed in at all: the conversation has to be open.
        """
        session = place.session
        if session is None:
            return False
        place.draft = ""
        self.do(self._send(session, place, text))
        return True

    async def _send(self, session: ConversationSession, place: Place, text: str) -> None:
        try:
            await session.send(text, wait=False)
        except MessagingError:
            place.returned.append(text)
            raise

    def retry(self, message: Message) -> None:
        """Send a message again that was refused or is uncertain."""
        self.do(self._retry(message))

    async def _retry(self, message: Message) -> None:
        try:
            await self._client.retry(message)
        except MessagingError:
            if not any(each.id == message.id for each in self._client.pending()):
                raise  # otherwise the message itself shows what became of it

    def discard(self, message: Message) -> None:
        """Drop a message that was refused or is uncertain."""
        self.do(self._client.discard(message))

    def mark_read(self, message: Message) -> None:
        """Mark one message as read."""
        session = self.current.session if self.current is not None else None
        if session is not None:
            self.do(self._mark(session.mark_as_read(message)))

    def mark_all_read(self, place: Place) -> None:
        """Mark every message of a conversation as read."""
        if place.session is not None:
            place.forget_new()
            self.do(place.session.mark_all_as_read())

    @staticmethod
    async def _mark(marking: Coroutine[Any, Any, Message]) -> None:
        await marking

    def read_older(self, place: Place) -> None:
        """Read the page before the oldest message."""
        session = place.session
        if session is None or place.is_complete or place.is_reading_older:
            return
        place.is_reading_older = True
        self.do(self._read_older(session, place))

    async def _read_older(self, session: ConversationSession, place: Place) -> None:
        try:
            place.is_complete = await session.load_older() == 0
        finally:
            place.is_reading_older = False
            self._note()

    def say_typing(self, place: Place) -> None:
        """Tell the others that the user types; one word at a time, so that a slow link piles nothing up."""
        if place.session is not None and (self._typing is None or self._typing.done()):
            self._typing = self.do(place.session.set_typing(bool(place.draft.strip())))

    def do(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Carry something out, and tell if it fails."""
        task = new_task(self._carry_out(work))
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    async def _carry_out(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except MessagingError as error:
            self._failed(error)
        self._note()

    # --- life --------------------------------------------------------------------------------------------------------

    def _note(self) -> None:
        self._tidy()
        self._changed()

    def _tidy(self) -> None:
        """Close what is neither looked at nor has anything to send."""
        unsent = self.unsent()
        for place in self._places.values():
            opening = place.opening
            if opening is not None and place is not self.current and not unsent[place.id]:
                place.closed()
                self.do(opening.close())

    async def aclose(self, patience: float) -> None:
        """Let what was handed in be accepted, for some seconds at most, and close every conversation."""
        handing_in = set(self._work)
        if handing_in:
            await asyncio.wait(handing_in, timeout=patience)
        for task in self._work:
            task.cancel()
        for place in self._places.values():
            if place.opening is not None:
                await place.opening.close()
