"""How the server spells what it remembers (wire protocol, sections 3 to 5)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from messaging_client.testing.options import ServerOptions
from messaging_client.testing.records import Context, Identity, Person, StoredConversation, StoredMessage
from messaging_client.testing.store import Store

Json = dict[str, Any]

_EVENT_TYPES = {"texte": "text"}
_EPOCH = datetime.fromtimestamp(0, UTC)


def iso(milliseconds: int | None) -> str | None:
    """Write a time in ISO 8601 with milliseconds and `Z`."""
    if milliseconds is None:
        return None
    return (_EPOCH + timedelta(milliseconds=milliseconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def pagination(page: int, limit: int, total: int) -> Json:
    """Where a page stands among the others."""
    return {"page": page, "limit": limit, "total": total, "totalPages": -(-total // limit)}


def context(known: Context) -> Json:
    """An ordonnance, consultation or examen."""
    return {
        **known.fields,
        "id": known.id,
        f"id_{known.type}": known.id,
        "patient_id": known.patient_id,
        "medecin_id": known.medecin_id,
    }


class Shapes:
    """Spells messages, conversations and people.

    Args:
        store: where names are looked up.
        options: which spelling.

    """

    def __init__(self, store: Store, options: ServerOptions) -> None:
        self._store = store
        self._options = options

    def known(self, identity: Identity) -> Person:
        """Give a person, with names where they are registered."""
        return self._store.person(identity) or Person(identity)

    def person(self, identity: Identity) -> Json:
        """A person, as the routes for one person answer."""
        known = self.known(identity)
        return {
            "id": identity.id,
            "type": identity.type,
            "prenom": known.prenom,
            "nom": known.nom,
            "specialite": known.specialite,
        }

    def participants(self, people: Iterable[Identity]) -> list[Json]:
        """Participants with what is known of each."""
        return [
            {"id": each.id, "type": each.type, "info": _info(self.known(each)), "role": each.type, "statut": "actif"}
            for each in people
        ]

    def conversation(self, stored: StoredConversation, viewer: Identity) -> Json:
        """A conversation, as one of its participants sees it."""
        newest, _ = self._store.page_of_messages(stored.id, limit=1, offset=0)
        shape = {
            "id_conversation": stored.id,
            "titre": stored.titre,
            "type_conversation": stored.type_conversation,
            "statut": stored.statut,
            "date_creation": iso(stored.created_ms),
            "date_modification": iso(stored.modified_ms),
            "participants": [
                {"participant_id": each.id, "participant_type": each.type, "role": each.type, "statut": "actif"}
                for each in stored.participants
            ],
            "rawData": {"participants": self.participants(stored.participants)},
            "nombre_non_lus": self._store.unread_count(stored.id, viewer),
            "dernier_message": _preview(newest[0]) if newest else None,
        }
        if stored.context_is_explicit:
            shape |= {"contexte_type": stored.contexte_type, "contexte_id": stored.contexte_id}
        return shape

    def message(self, stored: StoredMessage) -> Json:
        """A message in REST spelling."""
        sender = self.known(stored.sender)
        shape = {
            "id_message": stored.id,
            "conversation_id": stored.conversation_id,
            "expediteur_id": stored.sender.id,
            "expediteur_type": stored.sender.type,
            "expediteur_nom": sender.nom,
            "expediteur_prenom": sender.prenom,
            "contenu": stored.contenu,
            "type_message": stored.type_message,
            "statut": "envoyé" if stored.read_ms is None else "lu",
            "date_envoi": iso(stored.sent_ms),
            "date_lecture": iso(stored.read_ms),
        }
        return shape | self._key(stored)

    def new_message(self, stored: StoredMessage, participants: Iterable[Identity]) -> Json:
        """A message as the event `new_message` carries it here."""
        if self._options.event_spelling == "rest":
            return self.message(stored)
        if self._options.event_spelling == "wrapped":
            return {"message": self.message(stored)}
        shape = {
            "id": stored.id,
            "content": stored.contenu,
            "type": _EVENT_TYPES.get(stored.type_message, stored.type_message),
            "sender": self._short(stored.sender),
            "conversation_id": stored.conversation_id,
            "timestamp": iso(stored.sent_ms),
            "status": "sent" if stored.read_ms is None else "read",
        }
        others = [each for each in participants if each != stored.sender]
        if len(others) == 1:
            shape["recipient"] = self._short(others[0])
        return shape | self._key(stored)

    def _key(self, stored: StoredMessage) -> Json:
        if stored.client_message_id is None or not self._options.echo_client_message_id:
            return {}
        return {"client_message_id": stored.client_message_id}

    def _short(self, identity: Identity) -> Json:
        return {"id": identity.id, "type": identity.type, "name": self.known(identity).name}


def _info(person: Person) -> Json:
    info = {"nom": person.nom, "prenom": person.prenom, "specialite": person.specialite}
    return {name: value for name, value in info.items() if value is not None}


def _preview(message: StoredMessage) -> Json:
    return {
        "contenu": message.contenu,
        "date_envoi": iso(message.sent_ms),
        "expediteur_id": message.sender.id,
        "expediteur_type": message.sender.type,
    }
