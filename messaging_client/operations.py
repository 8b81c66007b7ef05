"""What users ask the server for over REST, one line of work each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from messaging_client.asking import Person
from messaging_client.finding import find_or_create
from messaging_client.message_operations import MessageOperations
from messaging_client.models import (
    Conversation,
    Id,
    Page,
    Participant,
    UserType,
)


class Operations(MessageOperations):
    """The part of the client that asks the server for something.

    Each method takes `timeout=`, seconds for one try of a request (`request_timeout` of the configuration if not
    given). Reads take `refresh=True` to go past the cache. All raise the errors of `messaging_client.errors`: a bad
    argument is `ValidationFailed` with `status` None before anything is sent, no answer is a `TransportError`, a
    refusal is the `RequestError` of its code.
    """

    # --- conversations -----------------------------------------------------------------------------------------------

    async def get_medecin_conversations(
        self,
        medecin_id: Id | None = None,
        page: int = 1,
        limit: int = 20,
        statut: str = "active",
        *,
        timeout: float | None = None,
        refresh: bool = False,
    ) -> Page[Conversation]:
        """Read a page of a doctor's conversations.

        Args:
            medecin_id: the doctor; the present user if not given.
            page: from 1.
            limit: conversations on a page.
            statut: `active`, or another status of the server's.
            timeout: seconds for one try.
            refresh: read past the cache.

        Returns:
            The page, a sequence of conversations.

        Raises:
            ValidationFailed: an argument cannot work; nothing was sent.
            TransportError, AuthenticationError, RequestError: there was no answer, or a refusal.
        """
        return await self._rest.conversations(
            UserType.MEDECIN, medecin_id, page, limit, statut, timeout=timeout, refresh=refresh
        )

    async def get_patient_conversations(
        self,
        patient_id: Id | None = None,
        page: int = 1,
        limit: int = 20,
        statut: str = "active",
        *,
        timeout: float | None = None,
        refresh: bool = False,
    ) -> Page[Conversation]:
        """Read a page of a patient's conversations.

        Args:
            patient_id: the patient; the present user if not given.
            page: from 1.
            limit: conversations on a page.
            statut: `active`, or another status of the server's.
            timeout: seconds for one try of the request; `request_timeout` if None.
            refresh: read past the cache.

        Returns:
            The page, a sequence of conversations.

        Raises:
            ValidationFailed: an argument cannot work; nothing was sent.
            TransportError, AuthenticationError, RequestError: there was no answer, or a refusal.
        """
        return await self._rest.conversations(
            UserType.PATIENT, patient_id, page, limit, statut, timeout=timeout, refresh=refresh
        )

    async def get_unread_conversations(
        self, *, timeout: float | None = None, refresh: bool = False
    ) -> Page[Conversation]:
        """Read the conversations with messages that the user has not read.

        Args:
            timeout: seconds for one try of the request; `request_timeout` if None.
            refresh: read past the cache.

        Returns:
            The conversations, as one page.

        Raises:
            ValidationFailed: an argument cannot work; nothing was sent.
            TransportError, AuthenticationError, RequestError: there was no answer, or a refusal.
        """
        return await self._rest.unread_conversations(timeout=timeout, refresh=refresh)

    def iter_conversations(self, statut: str = "active") -> AsyncIterator[Conversation]:
        """Iterate over every conversation of the user, page after page, past the cache.

        Args:
            statut: `active`, or another status of the server's.

        Returns:
            An async iterator, which reads as it goes.

        Raises:
            ValidationFailed: an argument cannot work; nothing was sent.
            TransportError, AuthenticationError, RequestError: there was no answer, or a refusal.
        """
        return self._rest.iter_conversations(statut)

    async def create_conversation(
        self,
        titre: str,
        participants: Sequence[Person],
        type_conversation: str = "patient_medecin",
        *,
        timeout: float | None = None,
    ) -> Conversation:
        """Create a conversation; the user takes part in it.

        Args:
            titre: its title.
            participants: `Participant` or `User` objects, or `{"participant_id", "participant_type"}` mappings.
            type_conversation: `patient_medecin`, `medecin_medecin` or `patient_patient`.
            timeout: seconds.

        Returns:
            The conversation as the server made it.

        Raises:
            ValidationFailed: an argument cannot work; nothing was sent.
            TransportError, AuthenticationError, RequestError: there was no answer, or a refusal.
        """
        return await self._rest.create(titre, participants, type_conversation, timeout=timeout)

    async def create_conversation_from_context(
        self,
        context_type: str,
        context_id: Id,
        patient_id: Id | None = None,
        medecin_id: Id | None = None,
        *,
        timeout: float | None = None,
    ) -> Conversation:
        """Create the conversation of a context (`"ordonnance", 15`), titled as the protocol has it.

        Args:
            context_type: `ordonnance`, `consultation`, `examen` or another word.
            context_id: its id.
            patient_id, medecin_id: both people; the user's own id need not be given.
            timeout: seconds.

        Returns:
            The conversation as the server made it.

        Raises:
            ValidationFailed: an argument cannot work; nothing was sent.
            TransportError, AuthenticationError, RequestError: there was no answer, or a refusal.
        """
        return await self._rest.create_from_context(context_type, context_id, patient_id, medecin_id, timeout=timeout)

    async def find_or_create_conversation(
        self,
        context_type: str,
        context_id: Id,
        patient_id: Id | None = None,
        medecin_id: Id | None = None,
        *,
        timeout: float | None = None,
    ) -> Conversation:
        """Find the conversation of a context, or create it if there is none.

        Args:
            context_type: `ordonnance`, `consultation`, `examen` or another word.
            context_id: its id.
            patient_id, medecin_id: both people; the user's own id need not be given.
            timeout: seconds for one try of each request; `request_timeout` if None.

        Returns:
            The conversation.

        Raises:
            ValidationFailed: an argument cannot work; nothing was sent.
            TransportError, AuthenticationError, RequestError: there was no answer, or a refusal.
        """
        return await find_or_create(self._rest, context_type, context_id, patient_id, medecin_id, timeout=timeout)

    # --- people and server -------------------------------------------------------------------------------------------

    async def get_conversation_participants(
        self, conversation_id: Id, *, timeout: float | None = None, refresh: bool = False
    ) -> tuple[Participant, ...]:
        """Read who takes part in a conversation.

        Args:
            conversation_id: the conversation.
            timeout: seconds for one try of the request; `request_timeout` if None.
            refresh: read past the cache.

        Returns:
            Everybody who takes part, the user included.

        Raises:
            ValidationFailed: an argument cannot work; nothing was sent.
            TransportError, AuthenticationError, RequestError: there was no answer, or a refusal.
        """
        return await self._rest.participants(conversation_id, timeout=timeout, refresh=refresh)

    async def get_user_info(
        self, user_id: Id, user_type: str, *, timeout: float | None = None, refresh: bool = False
    ) -> Participant:
        """Read what the server knows of a person.

        Args:
            user_id: the id.
            user_type: `patient` or `medecin`: patient 5 is not doctor 5.
            timeout: seconds for one try.
            refresh: read past the cache.

        Returns:
            The person.

        Raises:
            NotFound: there is no such person.
            ValidationFailed: an argument cannot work; nothing was sent.
            TransportError, AuthenticationError, RequestError: there was no answer, or a refusal.
        """
        return await self._rest.user_info(user_id, user_type, timeout=timeout, refresh=refresh)

    async def check_messaging_permissions(
        self, ordonnance_id: Id, patient_id: Id, *, timeout: float | None = None
    ) -> Mapping[str, Any]:
        """Ask what the user may do about an ordonnance of a patient.

        Args:
            ordonnance_id: the ordonnance.
            patient_id: the patient.
            timeout: seconds for one try of the request; `request_timeout` if None.

        Returns:
            The server's own mapping, unchanged.

        Raises:
            ValidationFailed: an argument cannot work; nothing was sent.
            TransportError, AuthenticationError, RequestError: there was no answer, or a refusal.
        """
        return await self._rest.permissions(ordonnance_id, patient_id, timeout=timeout)

    async def check_health(self, *, timeout: float | None = None) -> bool:
        """Ask whether the server is up.

        Args:
            timeout: seconds for one try of the request; `request_timeout` if None.

        Returns:
            Whether it says that it is well.

        Raises:
            TransportError: it does not answer.
        """
        return await self._rest.health(timeout=timeout)
