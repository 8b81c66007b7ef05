"""The words that options take; they are known without importing what they stand for."""

from __future__ import annotations

from enum import StrEnum


class Filter(StrEnum):
    """What `inbox --filter` takes."""

    ALL = "all"
    UNREAD = "unread"
    ORDONNANCE = "ordonnance"
    EXAMEN = "examen"
    CONSULTATION = "consultation"


class Person(StrEnum):
    """Whose token `token mint` makes."""

    PATIENT = "patient"
    MEDECIN = "medecin"


class EventKind(StrEnum):
    """What `--type` takes."""

    MESSAGE = "message"
    SENT = "sent"
    FAILED = "failed"
    TYPING = "typing"
    PRESENCE = "presence"
    UPDATE = "update"
    NOTIFICATION = "notification"
    CONNECTION = "connection"
    GAP = "gap"
    INVALID = "invalid"
    SLOW = "slow"
    CUSTOM = "custom"
