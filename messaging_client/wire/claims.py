"""Whom a token names (wire protocol, section 2)."""

from __future__ import annotations

from collections.abc import Mapping

from messaging_client.models import User, UserType
from messaging_client.wire.construct import construct
from messaging_client.wire.errors import PayloadError
from messaging_client.wire.participants import user_type_from_wire
from messaging_client.wire.values import first_id, first_text, spellings

_PATIENT_IDS = spellings("id_patient", "patient_id")
_MEDECIN_IDS = spellings("id_professionnel", "professionnel_id")
_IDS = {
    UserType.PATIENT: ("id", *_PATIENT_IDS),
    UserType.MEDECIN: (*_MEDECIN_IDS, "id"),
}
_ROLES = ("role", "type")


def user_from_claims(claims: object) -> User:
    """Give the user that the claims name.

    Claims that name no role name a user all the same where they hold an id of one kind only, such as `id_patient`.

    Raises:
        PayloadError: they name nobody.

    """
    if not isinstance(claims, Mapping):
        raise PayloadError("claims are not an object", claims)
    kinds = [user_type_from_wire(claims.get(name)) for name in _ROLES]
    kind = next((each for each in kinds if each is not UserType.UNKNOWN), None) or _kind_of_id(claims)
    identity = None if kind is None else first_id(claims, _IDS[kind])
    if kind is None or identity is None:
        raise PayloadError("the claims name nobody: a role and an id are expected", claims)
    return construct(User, id=identity, type=kind, role=first_text(claims, _ROLES) or "")


def _kind_of_id(claims: Mapping[str, object]) -> UserType | None:
    is_patient = first_id(claims, _PATIENT_IDS) is not None
    is_medecin = first_id(claims, _MEDECIN_IDS) is not None
    if is_patient is is_medecin:
        return None
    return UserType.PATIENT if is_patient else UserType.MEDECIN
