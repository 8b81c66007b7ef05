"""What the server does with conversations and messages, and who may. Nothing here knows of HTTP or sockets.

A conversation, or a message, that is not there and one that belongs to others give the same refusal, 403, so that
ids cannot be guessed. A person that the user cannot see is 404, whether there is one or not, and so is the history of
a context without a conversation of the user's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from messaging_client.clock import Clock
from messaging_client.testing import inputs
from messaging_client.testing.inputs import Refused
from messaging_client.testing.options import ServerOptions
from messaging_client.testing.records import Identity, StoredConversation, StoredMessage
from messaging_client.testing.store import Store

Stored = tuple[StoredMessage, bool]
"""A message, and whether it is new."""

_WORD = re.compile(r"ordonnance|examen|consultation", re.IGNORECASE)
_FOLLOWS = re.compile(r"(?:\s|#|n°|:|-)*([0-9]+)", re.ASCII)
_AFTER_HASH = re.compile(r"#\s*([0-9]+)", re.ASCII)
_NUMBER = re.compile(r"[0-9]+", re.ASCII)

CLOSED = "fermée"


def context_of_title(titre: str) -> tuple[str, int] | None:
    """Read type and id of the context out of a title (wire protocol, section 3); None without a word or a number."""
    word = _WORD.search(titre)
    if word is None:
        return None
    number = _FOLLOWS.match(titre, word.end()) or _AFTER_HASH.search(titre)
    digits = number[1] if number else (_NUMBER.findall(titre) or [""])[-1]
    try:
        return word[0].lower(), inputs.parse_id(digits, "contexte_id")
    except Refused:
        return None


class Messaging:
    """The work behind routes and events.

    Args:
        store: the server's memory.
        options: which server this is.
        clock: gives the time that messages carry.

    """

    def __init__(self, store: Store, options: ServerOptions, clock: Clock) -> None:
        self._store = store
        self._options = options
        self._clock = clock

    def conversation_of(self, user: Identity, id: Any) -> StoredConversation:
        """Give a conversation to one of its participants.

        Raises:
            Refused: 400 for what is no id; 403 for a conversation of others, or none.

        """
        found = self._store.conversation(inputs.parse_id(id, "conversation_id"))
        if found is None or user not in found.participants:
            raise Refused(403, "Accès refusé à cette conversation")
        return found

    def message_of(self, user: Identity, id: Any) -> tuple[StoredMessage, StoredConversation]:
        """Give a message, and its conversation, to one of its participants.

        Raises:
            Refused: 400 for what is no id; 403 for a message of others, or none.

        """
        message = self._store.message(inputs.parse_id(id, "message_id"))
        conversation = None if message is None else self._store.conversation(message.conversation_id)
        if message is None or conversation is None or user not in conversation.participants:
            raise Refused(403, "Accès refusé à ce message")
        return message, conversation

    def of_context(self, user: Identity, type: str, id: Any) -> StoredConversation:
        """Give the user's first conversation about a context.

        Raises:
            Refused: 400 for what is no id; 404 where the user takes part in none.

        """
        all_of_it = self._store.conversations_of_context(type, inputs.parse_id(id, "id du contexte"))
        for conversation in all_of_it:
            if user in conversation.participants:
                return conversation
        raise Refused(404, "Aucune conversation pour ce contexte")

    def send(self, user: Identity, conversation_id: Any, body: Mapping[str, Any], *keys: Any) -> Stored:
        """Store one message, or find the one stored under the same key.

        Raises:
            Refused: 400; 403; 409 where the key stands for another message, or the conversation is closed.

        """
        contenu, type_message, key = _draft(body, *keys)
        conversation = self.conversation_of(user, conversation_id)
        with self._store.writing():
            return self._keep(conversation, user, contenu, type_message, key)

    def send_many(self, user: Identity, body: Mapping[str, Any], key: Any) -> tuple[StoredConversation, list[Stored]]:
        """Store several messages, all or none of them.

        Args:
            user: who sends.
            body: the request's.
            key: of the whole request; its n-th message has the key `{key}:{n}` unless it has one of its own.

        Raises:
            Refused: 400; 403; 404 where an ordonnance has no conversation; 409.

        """
        if body.get("conversation_id") is not None:
            conversation = self.conversation_of(user, body["conversation_id"])
        else:
            conversation = self.of_context(user, "ordonnance", body.get("ordonnance_id"))
        messages = body.get("messages")
        if not isinstance(messages, list) or not 1 <= len(messages) <= inputs.MAX_BATCH:
            inputs.wrong(f"messages doit être une liste de 1 à {inputs.MAX_BATCH} messages")
        key = inputs.parse_key(key)
        drafts = [_draft(inputs.as_object(each, "Un message")) for each in messages]
        with self._store.writing():
            return conversation, [
                self._keep(conversation, user, contenu, kind, own or (key and f"{key}:{position}"))
                for position, (contenu, kind, own) in enumerate(drafts)
            ]

    def _keep(
        self, conversation: StoredConversation, user: Identity, contenu: str, type_message: str, key: str | None
    ) -> Stored:
        known = self._store.message_by_key(conversation.id, user, key) if key and self._options.idempotency else None
        if known is not None:
            if (known.contenu, known.type_message) != (contenu, type_message):
                raise Refused(409, "Cette clé d'idempotence a servi à un autre message")
            return known, False
        if conversation.statut == CLOSED:
            raise Refused(409, "Conversation fermée")
        return self.add(conversation.id, user, contenu, type_message, key=key), True

    def add(
        self,
        conversation_id: int,
        sender: Identity,
        contenu: str,
        type_message: str,
        *,
        key: str | None = None,
        at: datetime | None = None,
    ) -> StoredMessage:
        """Store a message without asking whether it may be; call it inside `Store.writing()`."""
        sent_ms = self.now_ms() if at is None else inputs.milliseconds(at)
        new_id = self._store.add_message(
            conversation_id, sender, contenu, type_message, sent_ms=sent_ms, client_message_id=key
        )
        return StoredMessage(new_id, conversation_id, sender, contenu, type_message, sent_ms, None, key)

    def create(self, user: Identity, body: Mapping[str, Any]) -> tuple[StoredConversation, bool]:
        """Open a conversation, or find the one of the same context with the same participants.

        The user takes part even if the list forgets them.

        Returns:
            The conversation, and whether it is new.

        Raises:
            Refused: 400; 403 where the initiator is somebody else.

        """
        titre = inputs.parse_text(body.get("titre"), "titre", inputs.MAX_TITLE)
        kind = body.get("type_conversation", "patient_medecin")
        if kind not in inputs.CONVERSATION_KINDS:
            inputs.wrong("type_conversation inconnu")
        if (body.get("initiateur_id"), body.get("initiateur_type")) != (None, None):
            initiator = inputs.parse_identity(body.get("initiateur_type"), body.get("initiateur_id"), "initiateur")
            if initiator != user:
                raise Refused(403, "L'initiateur doit être l'utilisateur authentifié")
        participants = inputs.parse_participants(body.get("participants"))
        if user not in participants:
            participants.append(user)
        if len(participants) < 2:  # nobody but the user
            inputs.wrong("participants doit nommer une autre personne")
        return self.find_or_add(titre, kind, participants, _explicit_context(body))

    def find_or_add(
        self, titre: str, kind: str, participants: Iterable[Identity], explicit: tuple[str, int] | None
    ) -> tuple[StoredConversation, bool]:
        """Store a conversation unless its context has one with the same participants.

        Returns:
            The conversation, and whether it is new.

        """
        people = tuple(participants)
        context = explicit or context_of_title(titre)
        with self._store.writing():
            for known in self._store.conversations_of_context(*context) if context else ():
                if set(known.participants) == set(people):
                    return known, False
            now_ms = self.now_ms()
            new_id = self._store.add_conversation(
                titre, kind, context, explicit=explicit is not None, participants=people, now_ms=now_ms
            )
        contexte_type, contexte_id = context or (None, None)
        return StoredConversation(
            id=new_id,
            titre=titre,
            type_conversation=kind,
            statut="active",
            contexte_type=contexte_type,
            contexte_id=contexte_id,
            context_is_explicit=explicit is not None,
            created_ms=now_ms,
            modified_ms=now_ms,
            participants=people,
        ), True

    def mark_read(self, user: Identity, message_id: Any) -> tuple[StoredMessage, StoredConversation, bool]:
        """Note that the user read a message; one's own stays as it is.

        Returns:
            The message, its conversation, and whether anything changed.

        Raises:
            Refused: 400; 403.

        """
        message, conversation = self.message_of(user, message_id)
        changed = message.sender != user and self._store.mark_read(message.id, user, self.now_ms())
        return self.message_of(user, message.id)[0], conversation, changed

    def person_seen_by(self, user: Identity, id: Any, type: str | None = None) -> Identity:
        """Give a person whom the user may see: oneself, an acquaintance, or any registered doctor.

        Args:
            user: who asks.
            id: whose id.
            type: `patient` or `medecin`; None takes the type that the user is not, if there is such a person.

        Raises:
            Refused: 400 for what is no id; 404.

        """
        number = inputs.parse_id(id, "id")
        other = "medecin" if user.type == "patient" else "patient"
        for each in (type,) if type else (other, user.type):
            person = Identity(each, number)
            if person == user or self._store.are_acquainted(user, person) or self._is_registered_doctor(person):
                return person
        raise Refused(404, "Utilisateur introuvable")

    def _is_registered_doctor(self, person: Identity) -> bool:
        return person.type == "medecin" and self._store.person(person) is not None

    def may_write(self, user: Identity, ordonnance_id: Any, patient_id: Any) -> tuple[int, int, bool]:
        """Say whether the user and a patient may write to each other about an ordonnance.

        They may where the ordonnance is registered for both, or where a conversation about it has both.

        Returns:
            Both ids, and whether they may.

        Raises:
            Refused: 400; 403 where a patient asks for another.

        """
        ordonnance = inputs.parse_id(ordonnance_id, "ordonnance_id")
        patient = Identity("patient", inputs.parse_id(patient_id, "patient_id"))
        if user.type == "patient" and user != patient:
            raise Refused(403, "Accès refusé aux permissions d'un autre patient")
        context = self._store.context("ordonnance", ordonnance)
        allowed = context is not None and context.concerns(user) and context.concerns(patient)
        for conversation in self._store.conversations_of_context("ordonnance", ordonnance):
            allowed = allowed or {user, patient} <= set(conversation.participants)
        return ordonnance, patient.id, allowed

    def now_ms(self) -> int:
        """The server's time, in milliseconds since 1970."""
        return inputs.milliseconds(self._clock.now())


def _draft(body: Mapping[str, Any], *keys: Any) -> tuple[str, str, str | None]:
    """Check the content, the type and the key of a message."""
    contenu = inputs.parse_text(body.get("contenu"), "contenu")
    type_message = inputs.parse_message_type(body.get("type_message", "texte"))
    return contenu, type_message, inputs.parse_key(*keys, body.get("client_message_id"))


def _explicit_context(body: Mapping[str, Any]) -> tuple[str, int] | None:
    for type_name, id_name in (
        ("contexte_type", "contexte_id"),
        ("context_type", "context_id"),
        ("contextType", "contextId"),
    ):
        if body.get(type_name) is not None or body.get(id_name) is not None:
            word = inputs.parse_text(body.get(type_name), type_name, inputs.MAX_TITLE)
            return word, inputs.parse_id(body.get(id_name), id_name)
    return None
