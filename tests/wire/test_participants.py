from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging_client.models import Participant, UserType
from messaging_client.wire.errors import PayloadError
from messaging_client.wire.participants import (
    RECIPIENT,
    SENDER,
    make_participant,
    participant_from_wire,
    people_index,
    person_of,
    user_type_from_wire,
)

from .support import assert_sound, flat_messages, not_json, outcome, people

PATIENT, MEDECIN, UNKNOWN = UserType.PATIENT, UserType.MEDECIN, UserType.UNKNOWN
MARIE = {"id": 5, "type": "patient", "name": "Marie Dupont"}
SAZA = {"id": 79, "type": "medecin", "info": {"nom": "Saza", "prenom": "Sakura", "specialite": "Cardiologue"}}
BOTH = people_index([participant_from_wire(MARIE), participant_from_wire(SAZA)])


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("patient", PATIENT),
        ("PATIENT", PATIENT),
        (" Patient ", PATIENT),
        ("medecin", MEDECIN),
        ("Médecin", MEDECIN),
        ("Me\u0301decin", MEDECIN),
        ("professionnel", MEDECIN),
        ("professionnel_sante", MEDECIN),
        ("Professionnel de santé", MEDECIN),
        ("professionnel-santé", MEDECIN),
        ("doctor", MEDECIN),
        ("docteur", MEDECIN),
        (UserType.MEDECIN, MEDECIN),
        ("robot", UNKNOWN),
        ("unknown", UNKNOWN),
        ("", UNKNOWN),
        (None, UNKNOWN),
        (5, UNKNOWN),
        (["patient"], UNKNOWN),
        ({}, UNKNOWN),
        ("patient" * 1_000_000, UNKNOWN),
    ],
)
def test_types(word: Any, expected: UserType) -> None:
    assert user_type_from_wire(word) is expected


@pytest.mark.parametrize(
    ("payload", "identity", "name", "display_name"),
    [
        (MARIE, (PATIENT, 5), "Marie Dupont", "Marie Dupont"),
        (SAZA, (MEDECIN, 79), "Sakura Saza", "Dr. Sakura Saza"),
        ({"participant_id": "5", "participant_type": "patient"}, (PATIENT, 5), "Patient #5", "Patient #5"),
        ({"participant_id": 5, "role": "patient", "statut": "actif"}, (PATIENT, 5), "Patient #5", "Patient #5"),
        ({"participantId": 79, "participantType": "medecin"}, (MEDECIN, 79), "Médecin #79", "Médecin #79"),
        ({"patient_id": 5, "patient_info": {"nom": "Dupont"}}, (PATIENT, 5), "Dupont", "Dupont"),
        ({"professionnel_id": 79, "medecin_info": {"prenom": "Sakura"}}, (MEDECIN, 79), "Sakura", "Dr. Sakura"),
        ({"medecin_id": 79}, (MEDECIN, 79), "Médecin #79", "Médecin #79"),
        ({"patient_id": 5, "professionnel_id": None}, (PATIENT, 5), "Patient #5", "Patient #5"),
        ({"id": 900, "participant_id": 5, "participant_type": "patient"}, (PATIENT, 5), "Patient #5", "Patient #5"),
        ({"id": 900, "patient_id": 5}, (PATIENT, 5), "Patient #5", "Patient #5"),
        ({"id": 5, "type": "patient", "medecin_id": 79}, (PATIENT, 5), "Patient #5", "Patient #5"),
        ({"id": 3, "patient_id": 5, "medecin_id": 79}, (UNKNOWN, 3), "Utilisateur #3", "Utilisateur #3"),
        ({"type": "medecin", "patient_id": 5, "medecin_id": 79}, (MEDECIN, 79), "Médecin #79", "Médecin #79"),
        ({"id": 5, "type": "robot", "role": "patient"}, (UNKNOWN, 5), "Utilisateur #5", "Utilisateur #5"),
        ({"id": 0, "type": "medecin"}, (MEDECIN, 0), "Médecin #0", "Médecin #0"),
        ({"id": "u-77", "type": "patient"}, (PATIENT, "u-77"), "Patient #u-77", "Patient #u-77"),
        ({"id": "medecin", "type": "medecin", "name": "Saza"}, (MEDECIN, None), "Saza", "Dr. Saza"),
        ({"nom": "Dupont", "prenom": "Marie"}, (UNKNOWN, None), "Marie Dupont", "Marie Dupont"),
    ],
)
def test_shapes(payload: dict[str, Any], identity: tuple[UserType, Any], name: str, display_name: str) -> None:
    found = participant_from_wire(payload)
    assert (found.type, found.id) == identity
    assert (found.name, found.display_name) == (name, display_name)
    assert found.raw is payload
    assert_sound(found)


def test_the_place_tells_the_type() -> None:
    found = participant_from_wire({"id": 5, "nom": "Dupont", "type": "medecin"}, type_implied=PATIENT)
    assert (found.type, found.id, found.name) == (PATIENT, 5, "Dupont")


def test_names_of_the_info_win_but_not_over_the_name() -> None:
    found = participant_from_wire(
        {"id": 5, "type": "patient", "name": "M. D.", "nom": "Autre", "info": {"nom": "Dupont", "specialite": 5}}
    )
    assert (found.name, found.last_name, found.first_name, found.specialite) == ("M. D.", "Dupont", None, None)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (None, "not an object"),
        ([5], "not an object"),
        ("patient", "not an object"),
        ({}, "neither id nor name"),
        ({"type": "patient"}, "neither id nor name"),
        ({"id": True, "type": "patient"}, "neither id nor name"),
        ({"id": None, "name": " "}, "neither id nor name"),
        ({"id": "medecin", "type": "medecin", "name": "Médecin"}, "neither id nor name"),
        ({"patient_id": 5, "professionnel_id": 79}, "two people"),
    ],
)
def test_invalid(payload: Any, reason: str) -> None:
    with pytest.raises(PayloadError, match=reason) as caught:
        participant_from_wire(payload)
    assert caught.value.raw is payload


def test_index_by_type_and_id() -> None:
    unnamed = participant_from_wire({"id": 5, "type": "patient"})
    named = participant_from_wire(MARIE)
    doctor = participant_from_wire({"id": 5, "type": "medecin"})
    nobody = [Participant(), Participant(id=5), Participant(type=PATIENT, name="x")]
    for order in ([unnamed, named, doctor], [named, unnamed, doctor]):
        index = people_index([*nobody, *order])
        assert index == {(PATIENT, 5): named, (MEDECIN, 5): doctor}


@pytest.mark.parametrize(
    ("message", "identity", "name"),
    [
        ({"sender": {"id": 5, "type": "patient"}}, (PATIENT, 5), "Patient #5"),
        ({"expediteur_info": {"id": 5, "type": "patient"}}, (PATIENT, 5), "Patient #5"),
        ({"expediteur": {"id": 5, "type": "patient", "nom": "Dupont"}}, (PATIENT, 5), "Dupont"),
        ({"expediteur_id": 5, "expediteur_type": "patient"}, (PATIENT, 5), "Patient #5"),
        ({"sender_id": 5, "sender_type": "patient"}, (PATIENT, 5), "Patient #5"),
        ({"senderId": "5", "senderType": "patient", "senderName": "Marie"}, (PATIENT, 5), "Marie"),
        ({"expediteurId": 5, "expediteurType": "patient"}, (PATIENT, 5), "Patient #5"),
        ({"expediteur_nom": "Dupont", "expediteur_prenom": "Marie"}, (UNKNOWN, None), "Marie Dupont"),
        ({"sender": {"id": None}, "expediteur_id": 5, "expediteur_type": "patient"}, (PATIENT, 5), "Patient #5"),
        ({"sender": {"id": 5}, "expediteur_type": "patient"}, (PATIENT, 5), "Patient #5"),
        ({"sender": {"id": 5, "type": "patient"}, "expediteur_id": 6}, (PATIENT, 5), "Patient #5"),
        ({"sender": {"id": 5, "type": "robot"}, "expediteur_type": "patient"}, (UNKNOWN, 5), "Utilisateur #5"),
        ({"sender": {"id": "medecin"}, "sender_id": 79}, (UNKNOWN, 79), "Utilisateur #79"),
        ({"sender": {"id": "patient"}}, (PATIENT, None), "Patient"),
        ({"sender": "Marie", "sender_id": 5}, (UNKNOWN, 5), "Utilisateur #5"),
        ({"sender_type": "medecin"}, (MEDECIN, None), "Médecin"),
        (
            {
                "sender": {"id": 5, "type": "patient", "nom": "B", "prenom": "B", "specialite": "B"},
                "expediteur_info": {"nom": "A", "specialite": "A"},
                "expediteur": {"nom": "C"},
            },
            (PATIENT, 5),
            "B A",
        ),
        ({"sender": {"name": "N", "nom": "A"}, "expediteur_info": {"prenom": "P"}}, (UNKNOWN, None), "N"),
    ],
)
def test_senders(message: dict[str, Any], identity: tuple[UserType, Any], name: str) -> None:
    found = person_of(message, SENDER)
    assert found is not None
    assert (found.type, found.id) == identity
    assert found.name == name
    assert_sound(found)
    assert person_of(message, RECIPIENT) is None


@pytest.mark.parametrize(
    "message",
    [{}, {"sender": None}, {"sender": {}}, {"sender": 5}, {"expediteur_id": None}, {"sender": {"id": True, "type": 5}}],
)
def test_nobody(message: dict[str, Any]) -> None:
    assert person_of(message, SENDER) is None


@pytest.mark.parametrize(
    ("message", "identity"),
    [
        ({"recipient": {"id": "medecin", "type": "medecin"}}, (MEDECIN, None)),
        ({"recipient": {"id": "medecin"}}, (MEDECIN, None)),
        ({"destinataire_id": "patient"}, (PATIENT, None)),
        ({"destinataire_id": "all"}, (UNKNOWN, None)),
        ({"destinataire_id": "all", "destinataire_type": "patient"}, (PATIENT, None)),
        ({"destinataire": {"id": 79, "type": "professionnel"}}, (MEDECIN, 79)),
        ({"destinataire_info": {"id": 79}, "recipient_type": "medecin"}, (MEDECIN, 79)),
        ({"recipientId": 79, "recipientType": "medecin"}, (MEDECIN, 79)),
    ],
)
def test_recipients(message: dict[str, Any], identity: tuple[UserType, Any]) -> None:
    found = person_of(message, RECIPIENT)
    assert found is not None
    assert (found.type, found.id) == identity


def test_the_object_of_a_side_is_its_raw() -> None:
    sender = {"id": 5, "type": "patient"}
    found = person_of({"sender": sender, "expediteur_info": {}}, SENDER)
    assert found is not None
    assert found.raw is sender
    flat = person_of({"sender_id": 5}, SENDER)
    assert flat is not None
    assert flat.raw is None


def named(message: dict[str, Any], known: Any = BOTH) -> Participant:
    found = person_of(message, SENDER, known)
    assert found is not None
    assert_sound(found)
    return found


def test_names_come_from_who_takes_part() -> None:
    found = named({"sender_id": "79", "sender_type": "professionnel"})
    assert (found.name, found.first_name, found.last_name, found.specialite) == (
        *("Sakura Saza", "Sakura", "Saza"),
        "Cardiologue",
    )


def test_patient_79_is_not_doctor_79() -> None:
    assert named({"sender_id": 79, "sender_type": "patient"}).name == "Patient #79"
    assert named({"sender_id": 79, "sender_type": "robot"}).name == "Utilisateur #79"


def test_the_names_of_the_message_win() -> None:
    assert named({"sender": {"id": 79, "type": "medecin", "name": "Dr S."}}).name == "Dr S."
    found = named({"sender": {"id": 79, "type": "medecin", "prenom": "S."}})
    assert (found.name, found.last_name, found.specialite) == ("S. Saza", "Saza", "Cardiologue")


def test_an_id_without_a_type_names_one_that_has_it_alone() -> None:
    assert named({"sender_id": 5}).type is PATIENT
    assert named({"sender_id": 79}).type is MEDECIN
    assert named({"sender_id": 80}).type is UNKNOWN
    twins = people_index([participant_from_wire({"id": 5, "type": kind}) for kind in ("patient", "medecin")])
    assert named({"sender_id": 5}, twins).type is UNKNOWN


def test_made_with_half_a_name() -> None:
    assert make_participant(PATIENT, 5, first_name="Marie").name == "Marie"
    assert make_participant(PATIENT, 5, last_name="Dupont").name == "Dupont"
    assert make_participant(UNKNOWN, None).name == "Utilisateur"


@given(st.one_of(not_json, people), st.sampled_from(UserType))
def test_anything_is_read_or_refused(payload: Any, implied: UserType) -> None:
    found = outcome(participant_from_wire, payload, type_implied=implied)
    assert found.raw is payload
    if not isinstance(found, PayloadError):
        assert_sound(found)


@given(flat_messages, st.lists(people, max_size=3))
def test_sides_of_anything(message: dict[str, Any], listed: list[Any]) -> None:
    known = [found for each in listed if isinstance(found := outcome(participant_from_wire, each), Participant)]
    for side in (SENDER, RECIPIENT):
        found = person_of(message, side, people_index(known))
        if found is not None:
            assert_sound(found)
