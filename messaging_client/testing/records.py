"""What the embedded server remembers, as plain frozen objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple


class Identity(NamedTuple):
    """A person: a type (`patient` or `medecin`) and an id, which is unique within that type only."""

    type: str
    id: int


@dataclass(frozen=True, slots=True)
class Person:
    """A registered person.

    Attributes:
        identity: who.
        prenom, nom, specialite: None where not known.

    """

    identity: Identity
    prenom: str | None = None
    nom: str | None = None
    specialite: str | None = None

    @property
    def name(self) -> str:
        """First and last name, or `Patient #5` and `Médecin #79` where neither is known."""
        known = " ".join(part for part in (self.prenom, self.nom) if part)
        return known or f"{'Patient' if self.identity.type == 'patient' else 'Médecin'} #{self.identity.id}"


@dataclass(frozen=True, slots=True)
class Context:
    """An ordonnance, consultation, examen or the like.

    Attributes:
        type, id: which.
        patient_id, medecin_id: whom it concerns, or None.
        fields: whatever else it holds.

    """

    type: str
    id: int
    patient_id: int | None
    medecin_id: int | None
    fields: dict[str, Any]

    def concerns(self, person: Identity) -> bool:
        """Whether it is this person's own."""
        return person.id == (self.patient_id if person.type == "patient" else self.medecin_id)


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as stored; times are milliseconds since 1970, UTC.

    Attributes:
        read_ms: when somebody other than the sender read it first, or None.
        client_message_id: the key that its sender gave it, or None.

    """

    id: int
    conversation_id: int
    sender: Identity
    contenu: str
    type_message: str
    sent_ms: int
    read_ms: int | None
    client_message_id: str | None


@dataclass(frozen=True, slots=True)
class StoredConversation:
    """A conversation as stored; times are milliseconds since 1970, UTC.

    Attributes:
        contexte_type, contexte_id: what it is about, or None.
        context_is_explicit: whether the context was given in words of its own, not by the title alone.

    """

    id: int
    titre: str
    type_conversation: str
    statut: str
    contexte_type: str | None
    contexte_id: int | None
    context_is_explicit: bool
    created_ms: int
    modified_ms: int
    participants: tuple[Identity, ...]


@dataclass(slots=True)
class RequestRecord:
    """A REST request that the server got; nothing of its body or its token.

    Attributes:
        operation: its name, as in `faults` (`send`, `messages`, …), or `unknown`.
        method, path, query: as sent.
        user: whom the token names; None before that is known.
        status: what was answered; None while under way, and for ever where nothing was answered.

    """

    operation: str
    method: str
    path: str
    query: str
    user: Identity | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A Socket.IO event that the server got from a client; nothing of its payload but the conversation.

    Attributes:
        event: its name.
        user: who sent it.
        socket_id: over which connection.
        conversation_id: the conversation it names, or None.

    """

    event: str
    user: Identity
    socket_id: str
    conversation_id: int | None = None


@dataclass(frozen=True, slots=True)
class SocketInfo:
    """A connected Socket.IO client."""

    socket_id: str
    user: Identity
