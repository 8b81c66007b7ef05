from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging_client.models import UserType
from messaging_client.wire.claims import user_from_claims
from messaging_client.wire.errors import PayloadError

from .support import assert_sound, near, not_json, outcome

PATIENT, MEDECIN = UserType.PATIENT, UserType.MEDECIN


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"id": 5, "role": "patient"}, (PATIENT, 5, "patient")),
        ({"id": 5, "patient_id": 6, "role": "patient"}, (PATIENT, 5, "patient")),
        ({"id": None, "id_patient": "6", "role": "patient"}, (PATIENT, 6, "patient")),
        ({"patient_id": 6, "id_professionnel": 7, "role": "patient"}, (PATIENT, 6, "patient")),
        ({"id": 5, "role": "medecin"}, (MEDECIN, 5, "medecin")),
        ({"id": 1, "professionnel_id": 79, "role": "professionnel"}, (MEDECIN, 79, "professionnel")),
        ({"id": 1, "id_professionnel": 0, "role": "medecin"}, (MEDECIN, 0, "medecin")),
        ({"id": 79, "type": "professionnel"}, (MEDECIN, 79, "professionnel")),
        ({"id": 79, "role": "admin", "type": "professionnel"}, (MEDECIN, 79, "admin")),
        ({"id": 5, "role": "patient", "type": "professionnel"}, (PATIENT, 5, "patient")),
        ({"id_patient": 5}, (PATIENT, 5, "")),
        ({"id": 1, "id_professionnel": 79}, (MEDECIN, 79, "")),
        (MappingProxyType({"id": 5, "role": "patient"}), (PATIENT, 5, "patient")),
    ],
)
def test_users(claims: Any, expected: tuple[UserType, Any, str]) -> None:
    user = user_from_claims(claims)
    assert (user.type, user.id, user.role) == expected
    assert_sound(user)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"id": 5},
        {"role": "patient"},
        {"role": "medecin", "id": True},
        {"role": "patient", "id_professionnel": 79},
        {"role": "robot", "id": 5},
        {"id_patient": 5, "id_professionnel": 79},
        None,
        "patient",
        [5],
    ],
)
def test_nobody(claims: Any) -> None:
    with pytest.raises(PayloadError) as caught:
        user_from_claims(claims)
    assert caught.value.raw is claims


@given(st.one_of(near(["id", "role", "type", "id_patient", "patient_id", "id_professionnel", "exp"]), not_json))
def test_anything_is_read_or_refused(claims: Any) -> None:
    user = outcome(user_from_claims, claims)
    if not isinstance(user, PayloadError):
        assert_sound(user)
