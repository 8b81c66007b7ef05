"""What clients send, checked. Everything wrong is a `Refused` with the status to answer and the reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn

from messaging_client import strict_json
from messaging_client.testing.records import Identity

MAX_ID = 2**63 - 1  # SQLite's largest integer
MAX_PAGE = 10**9
MAX_LIMIT = 100
MAX_TITLE = 255
MAX_KEY = 255
MAX_PARTICIPANTS = 50
MAX_BATCH = 100

_DIGITS = re.compile(r"[0-9]{1,19}", re.ASCII)

_USER_TYPES = {
    "patient": "patient",
    "medecin": "medecin",
    "professionnel": "medecin",
    "professionnel_sante": "medecin",
}
_MESSAGE_TYPES = {
    "texte": "texte",
    "text": "texte",
    "image": "image",
    "document": "document",
    "file": "document",
    "audio": "audio",
    "voice": "audio",
}
_STATUSES = {"active": "active", "archived": "archivée", "closed": "fermée", "archivée": "archivée", "fermée": "fermée"}
_ALL = ("all", "toutes")
CONVERSATION_KINDS = ("patient_medecin", "medecin_medecin", "patient_patient")


class Refused(Exception):
    """A request that is answered with a failure.

    Attributes:
        status: the HTTP status.
        message: what is wrong, in the server's language, without anything private.

    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def wrong(message: str) -> NoReturn:
    """Refuse with 400."""
    raise Refused(400, message)


def parse_json(body: bytes) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        Refused: 400; it is not JSON, not UTF-8, or not an object.

    """
    try:
        value = strict_json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        wrong("JSON invalide")
    return as_object(value, "Le corps")


def as_object(value: Any, name: str) -> dict[str, Any]:
    """Take an object.

    Raises:
        Refused: 400; it is none.

    """
    if not isinstance(value, dict):
        wrong(f"{name} doit être un objet")
    return value


def parse_id(value: Any, name: str) -> int:
    """Take an id: an integer from 0 to 2**63 - 1, or 1 to 19 digits.

    Raises:
        Refused: 400; it is none.

    """
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_ID:
        wrong(f"{name} invalide")
    return value


def parse_text(value: Any, name: str, longest: int | None = None) -> str:
    """Take a text that is not blank and can be written as UTF-8.

    Raises:
        Refused: 400.

    """
    if not isinstance(value, str):
        wrong(f"{name} doit être un texte")
    if not value.strip():
        wrong(f"{name} est vide")
    if longest is not None and len(value) > longest:
        wrong(f"{name} est trop long ({longest} caractères au plus)")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        wrong(f"{name} n'est pas un texte Unicode valide")
    return value


def parse_key(*candidates: Any) -> str | None:
    """Take the idempotency key of a send, from its header, its body or both.

    Raises:
        Refused: 400; it is no short text, or header and body disagree.

    """
    keys = {parse_text(value, "client_message_id", MAX_KEY) for value in candidates if value is not None}
    if len(keys) > 1:
        wrong("Idempotency-Key et client_message_id diffèrent")
    return next(iter(keys), None)


def parse_message_type(value: Any) -> str:
    """Take a `type_message`, in either language.

    Raises:
        Refused: 400; unknown.

    """
    if not isinstance(value, str) or value not in _MESSAGE_TYPES:
        wrong("type_message inconnu")
    return _MESSAGE_TYPES[value]


def parse_status(value: Any) -> str | None:
    """Take a conversation's `statut`; None for `all`.

    Raises:
        Refused: 400; unknown.

    """
    if value in _ALL:
        return None
    if not isinstance(value, str) or value not in _STATUSES:
        wrong("statut inconnu")
    return _STATUSES[value]


def known_type(value: Any) -> str | None:
    """The type of person that a word means: `patient`, `medecin` or None."""
    return _USER_TYPES.get(value) if isinstance(value, str) else None


def parse_identity(type: Any, id: Any, name: str) -> Identity:
    """Take a person.

    Raises:
        Refused: 400.

    """
    known = known_type(type)
    if known is None:
        wrong(f"type de {name} inconnu")
    return Identity(known, parse_id(id, name))


def parse_participants(value: Any) -> list[Identity]:
    """Take the participants of a new conversation, each once.

    Raises:
        Refused: 400.

    """
    if not isinstance(value, list) or len(value) > MAX_PARTICIPANTS:
        wrong(f"participants doit être une liste de {MAX_PARTICIPANTS} personnes au plus")
    people = [as_object(each, "Un participant") for each in value]
    found = [parse_identity(each.get("participant_type"), each.get("participant_id"), "participant") for each in people]
    return list(dict.fromkeys(found))


def parse_page(query: Mapping[str, str]) -> int:
    """Take `page`, from 1.

    Raises:
        Refused: 400.

    """
    return _whole(query, "page", 1, MAX_PAGE)


def parse_limit(query: Mapping[str, str], default: int) -> int:
    """Take `limit`, from 1 to 100.

    Raises:
        Refused: 400.

    """
    return _whole(query, "limit", default, MAX_LIMIT)


def _whole(query: Mapping[str, str], name: str, default: int, largest: int) -> int:
    given = query.get(name)
    if given is None:
        return default
    if not _DIGITS.fullmatch(given) or not 1 <= int(given) <= largest:
        wrong(f"{name} doit être un entier de 1 à {largest}")
    return int(given)


def parse_since(query: Mapping[str, str]) -> int:
    """Take `since`, an ISO time, as whole milliseconds; without a zone it is UTC.

    Raises:
        Refused: 400.

    """
    try:
        return milliseconds(datetime.fromisoformat(query.get("since", "")))
    except (ValueError, OverflowError):
        wrong("since doit être une date ISO 8601")


def milliseconds(time: datetime) -> int:
    """Give a time as milliseconds since 1970, rounded down; without a zone it is UTC."""
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    since_epoch = time - datetime.fromtimestamp(0, UTC)
    return (since_epoch.days * 86400 + since_epoch.seconds) * 1000 + since_epoch.microseconds // 1000
