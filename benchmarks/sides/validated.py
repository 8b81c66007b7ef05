"""What a user would write with pydantic for conversations: a model with aliases and validators."""

from __future__ import annotations

import re
import statistics
import time
import unicodedata
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from benchmarks.sides.common import contents

_NAMED = re.compile("ordonnance|examen|consultation", re.IGNORECASE)
_NUMBER = re.compile(r"(?:[\s#:-]|n[°º])*([0-9]+)", re.IGNORECASE)


class Status(StrEnum):
    ACTIVE = "active"
    ARCHIVED = "archived"
    CLOSED = "closed"
    UNKNOWN = "unknown"


class Kind(StrEnum):
    PATIENT = "patient"
    MEDECIN = "medecin"
    UNKNOWN = "unknown"


_STATUSES = {
    "active": Status.ACTIVE,
    "archivee": Status.ARCHIVED,
    "archived": Status.ARCHIVED,
    "fermee": Status.CLOSED,
    "closed": Status.CLOSED,
}
_KINDS = {"patient": Kind.PATIENT, "medecin": Kind.MEDECIN, "docteur": Kind.MEDECIN, "professionnel": Kind.MEDECIN}


def _folded(word: object) -> str:
    if not isinstance(word, str):
        return ""
    if word.isascii():
        return word.strip().lower()
    return "".join(
        each for each in unicodedata.normalize("NFKD", word.strip().casefold()) if not unicodedata.combining(each)
    )


def _to_id(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


Identity = Annotated[int | str, BeforeValidator(_to_id)]
Moment = Annotated[datetime, AfterValidator(_in_utc)]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Person(Frozen):
    id: Identity | None = Field(
        None,
        validation_alias=AliasChoices("participant_id", "patient_id", "professionnel_id", "id", "expediteur_id"),
    )
    type: Annotated[Kind, BeforeValidator(lambda word: _KINDS.get(_folded(word), Kind.UNKNOWN))] = Field(
        Kind.UNKNOWN, validation_alias=AliasChoices("participant_type", "type", "role", "expediteur_type")
    )
    name: str | None = None
    first_name: str | None = Field(
        None,
        validation_alias=AliasChoices(
            AliasPath("info", "prenom"),
            AliasPath("patient_info", "prenom"),
            AliasPath("medecin_info", "prenom"),
            "prenom",
        ),
    )
    last_name: str | None = Field(
        None,
        validation_alias=AliasChoices(
            AliasPath("info", "nom"), AliasPath("patient_info", "nom"), AliasPath("medecin_info", "nom"), "nom"
        ),
    )
    specialite: str | None = Field(None, validation_alias=AliasChoices(AliasPath("info", "specialite"), "specialite"))

    @property
    def display(self) -> str:
        return self.name or " ".join(filter(None, (self.first_name, self.last_name))) or f"{self.type} #{self.id}"


class Preview(Frozen):
    content: str = Field(validation_alias=AliasChoices("content", "contenu"))
    timestamp: Moment | None = Field(
        None, validation_alias=AliasChoices("timestamp", "date_envoi", "created_at", "createdAt")
    )
    sender: Person

    @model_validator(mode="before")
    @classmethod
    def _with_sender(cls, given: Any) -> Any:
        if isinstance(given, dict) and "sender" not in given:
            return {**given, "sender": given.get("expediteur_info") or given.get("expediteur") or given}
        return given


class Conversation(Frozen):
    id: Identity = Field(
        validation_alias=AliasChoices("id_conversation", "id", "conversation_id", "conversationId", "idConversation")
    )
    title: str = Field("", validation_alias=AliasChoices("titre", "title"))
    kind: str | None = Field(None, validation_alias=AliasChoices("type_conversation", "typeConversation"))
    status: Annotated[Status, BeforeValidator(lambda word: _STATUSES.get(_folded(word), Status.UNKNOWN))] = Field(
        Status.UNKNOWN, validation_alias=AliasChoices("statut", "status")
    )
    context_type: str | None = Field(
        None, validation_alias=AliasChoices("contexte_type", "context_type", "contextType")
    )
    context_id: Identity | None = Field(None, validation_alias=AliasChoices("contexte_id", "context_id", "contextId"))
    participants: tuple[Person, ...] = Field(
        (), validation_alias=AliasChoices(AliasPath("rawData", "participants"), "participants")
    )
    last_message: Preview | None = Field(None, validation_alias=AliasChoices("dernier_message", "lastMessage"))
    unread_count: int = Field(0, validation_alias=AliasChoices("unreadCount", "unread_count", "nombre_non_lus"))
    created_at: Moment | None = Field(None, validation_alias=AliasChoices("date_creation", "created_at", "createdAt"))
    last_activity: Moment | None = Field(
        None, validation_alias=AliasChoices("date_modification", "lastActivity", "updatedAt", "updated_at")
    )
    patient: Person | None = None
    medecin: Person | None = None

    @model_validator(mode="after")
    def _completed(self) -> Self:
        found: dict[str, Any] = {}
        if self.context_type is None:
            word = _NAMED.search(self.title)
            number = _NUMBER.match(self.title, word.end()) if word else None
            found["context_type"] = word[0].lower() if word else "consultation"
            if self.context_id is None and number:
                found["context_id"] = int(number[1])
        for kind in (Kind.PATIENT, Kind.MEDECIN):
            found[str(kind)] = next((each for each in self.participants if each.type is kind), None)
        self.__dict__.update(found)  # it is frozen
        return self


class Data(BaseModel):
    conversations: list[Conversation]


class Answer(BaseModel):
    data: Data


async def lists(path: str, times: int) -> dict[str, float]:
    data = contents(path)
    taken = []
    for _ in range(1 + times):
        began = time.perf_counter()
        found = Answer.model_validate_json(data).data.conversations
        taken.append(time.perf_counter() - began)
        assert found[0].medecin is not None
        assert found[0].context_id is not None
    return {"ms": statistics.median(taken[1:]) * 1000}
