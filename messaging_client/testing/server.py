"""The embedded messaging server, for development and tests only.

It speaks the whole of the wire protocol, from one process, with one SQLite database behind it. It knows no login:
whoever holds it mints tokens. Never put it in front of real patients.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

from messaging_client.clock import Clock, SystemClock
from messaging_client.testing.event_faults import EventFaults
from messaging_client.testing.faults import Faults, User
from messaging_client.testing.holding import Holding
from messaging_client.testing.inputs import Refused, parse_status
from messaging_client.testing.lifetime import Changes, Lifetime
from messaging_client.testing.network import bind
from messaging_client.testing.options import ServerOptions
from messaging_client.testing.realtime import conversation_room, user_room
from messaging_client.testing.records import EventRecord, RequestRecord
from messaging_client.testing.rules import RuleBook
from messaging_client.testing.running import Memory, Running, launch
from messaging_client.testing.shapes import Json
from messaging_client.testing.sockets import Sockets
from messaging_client.testing.surroundings import Surroundings
from messaging_client.testing.tokens import Tokens
from messaging_client.testing.watching import Watching, as_person

RECORDS = 10_000
"""How many requests, and how many events, are remembered."""

_LOCAL = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


class MessagingServer(Holding, Watching):
    """The embedded server, for development and tests only; an async context manager.

    It runs in the event loop that it was started in, leaves the signals of the process alone, and may be stopped and
    started again on the same port: with a file everything is still there, and with `:memory:` as long as `aclose`
    (the end of `async with`) has not been called.

    Args:
        database: path of an SQLite file, or `:memory:`.
        port: 0 takes a free one.
        host: address to listen on.
        options: which of the many servers of this family it is.
        secret: the key that tokens are signed with, 32 bytes or more; one of its own by default.
        clock: gives the time of messages, of tokens and of delays.

    Raises:
        ConfigurationError: the secret is too short.

    Attributes:
        faults: everything that can be made to go wrong.

    """

    def __init__(
        self,
        database: str = ":memory:",
        port: int = 0,
        host: str = "127.0.0.1",
        *,
        options: ServerOptions | None = None,
        secret: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._database = str(database)
        self._host = host
        self._port = port
        self._options = options or ServerOptions()
        self._clock = clock or SystemClock()
        self._tokens = Tokens(secret or secrets.token_hex(32), self._clock)
        self._rules = RuleBook()
        self._event_faults = EventFaults()
        self._changes = Changes()
        self._requests: deque[RequestRecord] = deque(maxlen=RECORDS)
        self._events: deque[EventRecord] = deque(maxlen=RECORDS)
        self._known: Memory | None = None
        self._running: Running | None = None
        self.faults = Faults(self._rules, self._event_faults, self._tokens, self._reach)

    # Life

    async def start(self) -> None:
        """Listen.

        Raises:
            RuntimeError: it runs already.
            OSError: the port is taken.
            ConfigurationError: the database cannot be used.

        """
        if self._running is not None:
            raise RuntimeError("The server runs already.")
        around = Surroundings(
            options=self._options,
            tokens=self._tokens,
            rules=self._rules,
            event_faults=self._event_faults,
            changes=self._changes,
            requests=self._requests,
            events=self._events,
            lifetime=Lifetime(self._clock),
        )
        listening = bind(self._host, self._port)
        try:
            self._running = await launch(around, self._memory(), listening)
        except BaseException:
            listening.close()
            raise
        self._port = listening.getsockname()[1]

    async def stop(self) -> None:
        """Close the port and cut every connection; nothing is left running. Does nothing if it is stopped."""
        running, self._running = self._running, None
        if running is not None:
            await running.stop()
            self._changes.notify()
        if self._database != ":memory:":
            self._forget()

    async def restart(self) -> None:
        """Stop, and start again on the same port with the same memory."""
        await self.stop()
        await self.start()

    async def aclose(self) -> None:
        """Stop, and close the database; what was in memory only is gone."""
        await self.stop()
        self._forget()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    def _reach(self) -> tuple[Sockets, Lifetime] | None:
        return None if self._running is None else (self._running.sockets, self._running.lifetime)

    # Addresses and tokens

    @property
    def port(self) -> int:
        """The TCP port; 0 before the first start, unless one was given."""
        return self._port

    @property
    def url(self) -> str:
        """The address, as `http://127.0.0.1:54321`."""
        host = _LOCAL.get(self._host, self._host)
        return f"http://[{host}]:{self._port}" if ":" in host else f"http://{host}:{self._port}"

    @property
    def is_running(self) -> bool:
        """Whether it listens."""
        return self._running is not None

    @property
    def options(self) -> ServerOptions:
        """Which server it is."""
        return self._options

    def token(self, user_type: str, user_id: int, *, expires_in: float = 3600.0, **claims: Any) -> str:
        """Make a signed token for a patient or a doctor; no two are alike.

        Args:
            user_type: `patient` or `medecin`.
            user_id: whose.
            expires_in: seconds from now; may be negative.
            claims: further claims, or others in place of the usual ones.

        Returns:
            The token.

        Raises:
            ValueError: the type is neither of the two.

        """
        return self._tokens.mint(user_type, user_id, expires_in=expires_in, **claims)

    def revoke(self, token: str) -> None:
        """Take a token no longer.

        Args:
            token: the token. A socket that is connected with it stays so.

        """
        self._tokens.revoke(token)

    # What happens in it

    async def create_conversation(
        self,
        titre: str,
        participants: Sequence[User],
        *,
        type_conversation: str = "patient_medecin",
        context: tuple[str, int] | None = None,
    ) -> int:
        """Open a conversation as its first participant would, and tell the others.

        Args:
            titre: as `Messages - Ordonnance 15`, from which the context is read.
            participants: as `[("patient", 5), ("medecin", 79)]`.
            type_conversation: the kind of conversation.
            context: type and id, where they shall stand in fields of their own.

        Returns:
            Its id; that of the first one if the context has one with the same participants.

        """
        memory = self._memory()
        people = [as_person(each) for each in participants]
        conversation, is_new = memory.messaging.find_or_add(titre, type_conversation, people, context)
        if is_new and self._running is not None:
            await self._running.realtime.created(conversation, people[0])
        return conversation.id

    async def set_status(self, conversation_id: int, statut: str) -> None:
        """Make a conversation `active`, `archivée` or `fermée`, and tell its participants.

        Args:
            conversation_id: the conversation.
            statut: one of the three.

        Raises:
            LookupError: there is no such conversation.

        """
        conversation = self._conversation(conversation_id)
        word = parse_status(statut) or "active"
        self._memory().store.set_status(conversation.id, word)
        if self._running is not None:
            await self._running.realtime.updated(self._conversation(conversation.id), "status")

    async def say(
        self,
        conversation_id: int,
        contenu: str,
        sender: User,
        *,
        type_message: str = "texte",
        at: datetime | None = None,
        client_message_id: str | None = None,
        broadcast: bool = True,
    ) -> Json:
        """Store a message as if its sender had posted it, and tell others, even on a server that relays only.

        Args:
            conversation_id: where.
            contenu: the text.
            sender: one of the participants, as `("medecin", 79)`.
            type_message: the kind of content.
            at: the message's time, in place of now.
            client_message_id: the key that its sender gives it.
            broadcast: False stores it without a word, as if every event had got lost.

        Returns:
            The message, as `messages` gives it.

        Raises:
            LookupError: there is no such conversation, or the sender takes no part in it.

        """
        memory = self._memory()
        person = as_person(sender)
        if person not in self._conversation(conversation_id).participants:
            raise LookupError(f"{person.type} {person.id} takes no part in conversation {conversation_id}.")
        with memory.store.writing():
            message = memory.messaging.add(conversation_id, person, contenu, type_message, key=client_message_id, at=at)
        self._changes.notify()
        if broadcast and self._running is not None:
            await self._running.realtime.tell_message(message)
        return self._spell(message)

    async def mark_read(self, message_id: int, reader: User) -> Json:
        """Mark a message read as one of its participants would, and tell the others.

        Args:
            message_id: the message.
            reader: who has read it, as `("patient", 5)`.

        Returns:
            The message, as `messages` gives it.

        Raises:
            LookupError: there is no such message, or the reader takes no part in its conversation.

        """
        try:
            message, conversation, changed = self._memory().messaging.mark_read(as_person(reader), message_id)
        except Refused as refused:
            raise LookupError(refused.message) from None
        if changed and self._running is not None:
            await self._running.realtime.updated(conversation, "read")
        return self._spell(message)

    async def typing(self, conversation_id: int, user: User, is_typing: bool = True) -> None:
        """Tell a conversation's room that somebody types, or has stopped.

        Args:
            conversation_id: the conversation.
            user: who, as `("patient", 5)`.
            is_typing: whether they type now.

        """
        if self._running is not None:
            await self._running.realtime.tell_typing(conversation_id, as_person(user), is_typing)

    async def emit(self, event: str, *args: Any, user: User | None = None, conversation_id: int | None = None) -> int:
        """Send any event, however odd, to a conversation's room, to a user's sockets, or else to everybody.

        Args:
            event: its name.
            args: its arguments, as JSON has them.
            user: to whose sockets, as `("patient", 5)`.
            conversation_id: to whose room.

        Returns:
            How many sockets it went to, before faults.

        """
        if self._running is None:
            return 0
        sockets = self._running.sockets
        room = (
            conversation_room(conversation_id) if conversation_id is not None else user and user_room(as_person(user))
        )
        sids = list(sockets.clients) if room is None else list(sockets.rooms.get(room, ()))
        await sockets.send(event, args, sids)
        return len(sids)
