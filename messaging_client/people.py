"""Who takes part in a conversation, and what they are called."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from messaging_client.clock import Clock
from messaging_client.errors import MessagingError, NotFound
from messaging_client.events import TypingEvent
from messaging_client.models import Id, Message, Participant, UserType
from messaging_client.observing.logs import say
from messaging_client.rest import RestOperations

_log = logging.getLogger("messaging_client.people")

Identity = tuple[UserType, Id]


class People:
    """The people of a conversation, or of a list of them; names that the server did not give along are asked for.

    Args:
        rest: where names are asked for; it keeps them for `user_cache_ttl` seconds.
        clock: time.
        ask_again_after: seconds until somebody whom the server does not name is asked for again.
    """

    def __init__(self, rest: RestOperations, clock: Clock, ask_again_after: float) -> None:
        self._rest = rest
        self._clock = clock
        self._ask_again_after = ask_again_after
        self._present: dict[Identity, Participant] = {}
        self._named: dict[Identity, Participant] = {}
        self._asked: dict[Identity, float] = {}

    @property
    def present(self) -> tuple[Participant, ...]:
        """Those who take part, in the server's order, with names as far as they are known."""
        return tuple(map(self.named_person, self._present.values()))

    @property
    def wants_names(self) -> bool:
        """Whether there is somebody to ask for."""
        return any(map(self._is_due, self._present))

    def replace(self, people: Iterable[Participant]) -> bool:
        """These take part, and nobody else.

        Returns:
            Whether a name came with them that was not known.
        """
        self._present.clear()
        before = len(self._named)
        for person in people:
            identity = _identity(person)
            if identity is not None:
                self._present[identity] = person
                if person.is_named:
                    self._named[identity] = person
        return len(self._named) > before

    def named_person(self, person: Participant) -> Participant:
        """Give somebody with a name, where one is known."""
        identity = _identity(person)
        known = None if identity is None else self._named.get(identity)
        # Most often the names are the same: comparing them costs a tenth of `is_named`.
        return person if known is None or known.name == person.name or person.is_named else known

    def named(self, message: Message) -> Message:
        """Give a message its sender's name, where only the conversation knows it."""
        sender = self.named_person(message.sender)
        return message if sender is message.sender else message.model_copy(update={"sender": sender})

    def typist(self, event: TypingEvent) -> Participant | None:
        """Who types: by type and id, or by id alone where one participant alone has it (wire protocol, section 2)."""
        if event.user_type is not UserType.UNKNOWN:
            identity = (event.user_type, event.user_id)
            return self._present.get(identity) or Participant(id=event.user_id, type=event.user_type)
        alike = [person for person in self._present.values() if person.id == event.user_id]
        return alike[0] if len(alike) == 1 else None

    async def find_names(self) -> bool:
        """Ask for the names that are not known yet; whoever cannot be found keeps the placeholder.

        Returns:
            Whether a name was found.
        """
        found_any = False
        for identity in [each for each in self._present if self._is_due(each)]:
            kind, number = identity
            try:
                found = await self._rest.user_info(number, kind, timeout=None, refresh=False)
            except NotFound:
                self._asked[identity] = self._clock.monotonic()
                continue
            except MessagingError as error:
                say(_log, logging.INFO, "name of a participant not found", error=error)
                continue
            self._asked[identity] = self._clock.monotonic()
            if found.is_named:
                self._named[identity] = found
                found_any = True
        return found_any

    def _is_due(self, identity: Identity) -> bool:
        if identity in self._named:
            return False
        asked = self._asked.get(identity)
        return asked is None or self._clock.monotonic() - asked >= self._ask_again_after


def _identity(person: Participant) -> Identity | None:
    return None if person.id is None or person.type is UserType.UNKNOWN else (person.type, person.id)
