"""What a test sees of a server: who is connected, what was asked, and when something has come about."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from messaging_client.testing.faults import User
from messaging_client.testing.inputs import Refused, parse_identity
from messaging_client.testing.lifetime import Changes
from messaging_client.testing.realtime import conversation_room
from messaging_client.testing.records import EventRecord, Identity, RequestRecord, SocketInfo
from messaging_client.testing.running import Running


class Watching:
    """The part of the server that tells what goes on in it."""

    _changes: Changes
    _events: deque[EventRecord]
    _requests: deque[RequestRecord]
    _running: Running | None

    def connections(self, user: User | None = None) -> list[SocketInfo]:
        """Give the connected sockets, of a user or of everybody, oldest first.

        Args:
            user: whose, as `("patient", 5)`; None for everybody's.

        Returns:
            The sockets.

        """
        if self._running is None:
            return []
        wanted = None if user is None else as_person(user)
        return [SocketInfo(client.sid, client.user) for client in self._running.sockets.of(wanted)]

    def rooms(self) -> dict[str, list[str]]:
        """Give the socket ids in each room: `conversation:15`, `user:patient:5` and `everybody`.

        Returns:
            The ids, by the name of the room.

        """
        if self._running is None:
            return {}
        return {name: list(members) for name, members in self._running.sockets.rooms.items()}

    def members(self, conversation_id: int) -> list[Identity]:
        """Give the users whose sockets have joined a conversation, each once.

        Args:
            conversation_id: the conversation.

        Returns:
            The users; each is equal to a tuple such as `("patient", 5)`.

        """
        if self._running is None:
            return []
        sockets = self._running.sockets
        joined = sockets.rooms.get(conversation_room(conversation_id), ())
        return list(dict.fromkeys(sockets.clients[sid].user for sid in joined))

    @property
    def requests(self) -> tuple[RequestRecord, ...]:
        """The latest REST requests, oldest first, without bodies."""
        return tuple(self._requests)

    @property
    def events(self) -> tuple[EventRecord, ...]:
        """The latest Socket.IO events that clients sent, oldest first, without payloads."""
        return tuple(self._events)

    async def wait_until(self, predicate: Callable[[], Any], timeout: float = 5.0) -> None:
        """Return as soon as the predicate holds; it is asked again whenever something changes in the server.

        Args:
            predicate: as `lambda: len(server.connections()) == 2`.
            timeout: real seconds.

        Raises:
            TimeoutError: it did not come to hold in time.

        """
        await self._changes.wait_until(predicate, timeout)


def as_person(user: User) -> Identity:
    """Check a person that a test names.

    Raises:
        ValueError: the type is neither `patient` nor `medecin`, or the id is none.

    """
    try:
        return parse_identity(*user, "utilisateur")
    except Refused as refused:
        raise ValueError(f"{user!r} is no user: {refused.message}.") from None
