"""What a server holds: people, contexts, conversations and messages, in one database."""

from __future__ import annotations

from typing import Any

from messaging_client.clock import Clock
from messaging_client.testing.options import ServerOptions
from messaging_client.testing.records import Context, Person, StoredConversation, StoredMessage
from messaging_client.testing.running import Memory
from messaging_client.testing.shapes import Json
from messaging_client.testing.watching import as_person


class Holding:
    """The part of the server that opens and closes its database, registers what is known, and shows what is stored."""

    _clock: Clock
    _database: str
    _known: Memory | None
    _options: ServerOptions

    def add_user(
        self,
        user_type: str,
        user_id: int,
        *,
        prenom: str | None = None,
        nom: str | None = None,
        specialite: str | None = None,
    ) -> None:
        """Register a person, or change their names. Whoever is not registered can use the server all the same.

        Args:
            user_type: `patient` or `medecin`.
            user_id: whose.
            prenom, nom: first and last name.
            specialite: of a doctor.

        Raises:
            ValueError: the type is neither of the two.

        """
        self._memory().store.put_person(Person(as_person((user_type, user_id)), prenom, nom, specialite))

    def add_context(
        self,
        context_type: str,
        context_id: int,
        *,
        patient_id: int | None = None,
        medecin_id: int | None = None,
        **fields: Any,
    ) -> None:
        """Register an ordonnance, a consultation, an examen or the like.

        Args:
            context_type: `ordonnance`, `consultation`, `examen` or another word.
            context_id: its id.
            patient_id, medecin_id: whose it is.
            fields: whatever else it holds.

        """
        context = Context(context_type, context_id, patient_id, medecin_id, fields)
        self._memory().store.put_context(context)

    def messages(self, conversation_id: int) -> list[Json]:
        """Give the stored messages of a conversation, oldest first, in REST spelling, always with their keys.

        Args:
            conversation_id: the conversation.

        Returns:
            The messages; none where there is no such conversation.

        """
        return [self._spell(each) for each in self._memory().store.messages(conversation_id)]

    def _spell(self, message: StoredMessage) -> Json:
        return self._memory().shapes.message(message) | {"client_message_id": message.client_message_id}

    def _conversation(self, id: int) -> StoredConversation:
        found = self._memory().store.conversation(id)
        if found is None:
            raise LookupError(f"There is no conversation {id}.")
        return found

    def _memory(self) -> Memory:
        if self._known is None:
            self._known = Memory.open(self._database, self._options, self._clock)
        return self._known

    def _forget(self) -> None:
        known, self._known = self._known, None
        if known is not None:
            known.store.close()
