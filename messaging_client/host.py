"""What sessions and inboxes need of the client that they belong to."""

from __future__ import annotations

from typing import Protocol

from messaging_client.clock import Clock
from messaging_client.config import MessagingConfig
from messaging_client.dispatch import Dispatcher
from messaging_client.feed import Feed
from messaging_client.models import Id, Message, User
from messaging_client.outbox import Outbox
from messaging_client.rest import RestOperations


class Host(Protocol):
    """What a conversation needs of the client that it belongs to."""

    _rest: RestOperations
    _feed: Feed
    _outbox: Outbox
    _dispatcher: Dispatcher
    _config: MessagingConfig
    _clock: Clock

    @property
    def current_user(self) -> User:
        """The user that the token names."""
        ...

    @property
    def is_connected(self) -> bool:
        """Whether live events come."""
        ...

    def is_own(self, message: Message) -> bool:
        """Whether the user sent a message."""
        ...

    def _is_own(self, message: Message) -> bool:
        """The same, of what is a message for certain."""
        ...

    async def emit_typing(self, conversation_id: Id, is_typing: bool) -> None:
        """Tell others that the user types."""
        ...

    async def _hold_room(self, conversation_id: Id, holder: object) -> bool:
        """Be in a conversation's room, as long as somebody holds it; see `Rooms.hold`."""
        ...

    async def _release_room(self, conversation_id: Id, holder: object) -> None:
        """Leave the room when nobody holds it any more."""
        ...
