"""The fast normalisers give what the plain ones give, for whatever a server sends, and in whatever order it comes.

What they remember (shapes of payloads, people) is never emptied here: each example meets what earlier ones left.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from messaging_client.models import Frozen, Message, Participant, UserType
from messaging_client.wire import regulars
from messaging_client.wire.conversations import conversation_from_wire
from messaging_client.wire.errors import PayloadError
from messaging_client.wire.messages import message_from_wire
from messaging_client.wire.participants import NOBODY, participant_from_wire, people_index

from .reference import conversations as plain_conversations
from .reference import messages as plain_messages
from .reference import participants as plain_participants
from .support import (
    CONVERSATION_NAMES,
    MESSAGE_NAMES,
    NOW,
    PERSON_NAMES,
    conversations,
    messages,
    not_json,
    outcome,
    people,
    texts,
    times,
    valid_messages,
    vectors,
)

# Values that are equal, or that are nearly something: what a memory could take for one another.
confusable = st.sampled_from(
    [
        *(0, 1, 1.0, True, False, "1", "01", "", " ", None, [], {}, [1], {"id": 1}, 10**19, -1, "\ud800", float("nan")),
        *("patient", "medecin", "Médecin", "unknown", "all", "Marie", "envoyé", "lu", "texte", "FILE", "temp_1"),
        *("2025-08-23T10:00:00Z", "2025-08-23T10:00:00.123456789Z", "2025-08-23T10:00:00z", " 2025-08-23T10:00:00Z"),
        *("2025-08-23Z", "2025-08-23ßZ", "2025-08-23T10:00:00+02:00", "20250823T100000Z", 1755943200, 0.5),
    ]
)
close_people = st.dictionaries(st.sampled_from(PERSON_NAMES), confusable, max_size=5)
person_like = st.one_of(close_people, confusable)
close_messages = st.dictionaries(
    st.sampled_from(MESSAGE_NAMES),
    st.one_of(person_like, st.dictionaries(st.sampled_from(MESSAGE_NAMES), person_like, max_size=8)),
    max_size=9,
)
sound = st.fixed_dictionaries(
    {"id": st.one_of(st.integers(0, 9), confusable), "content": st.one_of(texts, confusable)},
    optional={
        name: st.one_of(person_like, times)
        for name in (
            *("id_message", "contenu", "conversation_id", "conversationId", "sender", "sender_id", "sender_type"),
            *("expediteur_info", "expediteur", "expediteur_id", "expediteur_nom", "recipient", "destinataire_id"),
            *("timestamp", "date_envoi", "status", "statut", "type", "read_at", "date_lecture", "client_message_id"),
        )
    },
)
any_message = st.one_of(sound, close_messages, messages, valid_messages, not_json)
any_person = st.one_of(close_people, people, not_json)
close_conversations = st.dictionaries(
    st.sampled_from([*CONVERSATION_NAMES, "unread_count", "contexte_id", "raw_data"]),
    st.one_of(
        confusable,
        close_people,
        st.lists(person_like, max_size=3),
        sound,
        st.fixed_dictionaries({"participants": st.lists(close_people, max_size=3)}),
        st.sampled_from(["Messages - Ordonnance 15", "Examen n° 23", "Consultation #7 du 3", "ordonnance", "x 4 ½"]),
    ),
    max_size=9,
)
any_conversation = st.one_of(st.builds(lambda a: a | {"id": 1}, close_conversations), conversations, not_json)


def told(value: Any) -> Any:
    """Everything there is to tell of a result: each field's class and value, what was given, and what came."""
    if isinstance(value, PayloadError):
        return (value.reason, repr(value.raw))
    if isinstance(value, tuple):
        return tuple(map(told, value))
    if not isinstance(value, Frozen):
        return (type(value), repr(value))
    assert value.__pydantic_extra__ is None
    assert value.__pydantic_private__ is None
    assert isinstance(value.model_fields_set, set)
    fields = [(name, told(each)) for name, each in value.__dict__.items()]
    return (type(value), fields, set(value.model_fields_set))


def same(fast: Callable[..., Any], plain: Callable[..., Any], payload: Any, **options: Any) -> None:
    before = repr(payload)
    expected = told(outcome(plain, payload, **options))
    for _ in range(3):  # anew, remembered, and from what was remembered
        found = outcome(fast, payload, **options)
        assert told(found) == expected
        assert found.raw is payload
    assert repr(payload) == before


@settings(max_examples=300)
@given(any_message, st.sampled_from([None, 15, "temp_1"]))
def test_messages(payload: Any, conversation_id: Any) -> None:
    same(
        message_from_wire,
        plain_messages.message_from_wire,
        payload,
        received_at=NOW,
        conversation_id=conversation_id,
    )


@settings(max_examples=300)
@given(any_message, st.lists(close_people, max_size=3))
def test_messages_among_known_people(payload: Any, listed: list[Any]) -> None:
    known = [found for each in listed if isinstance(found := outcome(participant_from_wire, each), Participant)]
    index = people_index(known)
    assert told(tuple(index.values())) == told(tuple(plain_participants.people_index(known).values()))
    same(message_from_wire, plain_messages.message_from_wire, payload, received_at=NOW, people=index)


@settings(max_examples=200)
@given(any_person, st.sampled_from(UserType))
def test_participants(payload: Any, implied: UserType) -> None:
    same(participant_from_wire, plain_participants.participant_from_wire, payload, type_implied=implied)


@settings(max_examples=200)
@given(any_conversation)
def test_conversations(payload: Any) -> None:
    same(conversation_from_wire, plain_conversations.conversation_from_wire, payload)


usual_people = st.fixed_dictionaries(
    {
        "id": st.one_of(st.integers(-1, 3), confusable),
        "type": st.one_of(st.sampled_from(["patient", "medecin", "docteur", "Patient", ""]), confusable),
        "info": st.one_of(close_people, st.dictionaries(st.sampled_from(["nom", "prenom", "specialite"]), confusable)),
    }
)
usual_conversations = st.fixed_dictionaries(
    {
        "id": st.integers(1, 3),
        "participants": st.lists(usual_people, max_size=3),
        "dernier_message": st.fixed_dictionaries(
            {
                "contenu": st.one_of(st.just("bonsoir"), texts, confusable),
                "expediteur_id": st.one_of(st.integers(-1, 3), confusable),
                "expediteur_type": st.one_of(st.sampled_from(["patient", "medecin", "Patient"]), confusable),
            },
            optional={"date_envoi": st.one_of(times, confusable), "expediteur_nom": confusable},
        ),
    }
)


@settings(max_examples=300)
@given(usual_conversations)
def test_conversations_as_servers_send_them(payload: Any) -> None:
    regulars._MET.clear()
    same(conversation_from_wire, plain_conversations.conversation_from_wire, payload)


def test_the_sender_of_a_last_message_is_who_takes_part() -> None:
    payload = with_doctor(1)
    payload["dernier_message"] = {"contenu": "a", "expediteur_id": 979, "expediteur_type": "medecin"}
    same(conversation_from_wire, plain_conversations.conversation_from_wire, payload)
    sender = conversation_from_wire(payload).last_message.sender
    assert (sender.name, sender.raw) == ("Sakura Saza", None)


def test_an_empty_text_is_no_last_message() -> None:
    for each in ("", {}, [], None, 0, " "):
        same(conversation_from_wire, plain_conversations.conversation_from_wire, {"id": 1, "dernier_message": each})


def test_the_examples_of_the_contract() -> None:
    for case in vectors("messages"):
        same(message_from_wire, plain_messages.message_from_wire, case["wire"], received_at=NOW, people=NOBODY)
    for case in vectors("conversations"):
        same(conversation_from_wire, plain_conversations.conversation_from_wire, case["wire"])


# --- what is shared ----------------------------------------------------------------------------------------------


def from_marie(number: int, **fields: Any) -> dict[str, Any]:
    return {"id": number, "content": "a", "sender": {"id": 5, "type": "patient", "name": "Marie"}, **fields}


def test_one_person_is_one_object() -> None:
    first, second = (message_from_wire(from_marie(each), received_at=NOW) for each in (1, 2))
    assert first.sender is second.sender


def with_doctor(number: int, **fields: Any) -> dict[str, Any]:
    info = {"nom": "Saza", "prenom": "Sakura"}
    return {"id": number, "participants": [{"id": 979, "type": "medecin", "info": info, **fields}]}


def test_one_participant_of_many_conversations_is_one_object() -> None:
    found = [conversation_from_wire(with_doctor(each)).participants[0] for each in range(4)]
    assert found[1] is found[2] is found[3]
    assert {(each.name, repr(each.raw)) for each in found} == {("Sakura Saza", repr(with_doctor(0)["participants"][0]))}


def test_a_list_that_is_changed_later_changes_no_other_conversation() -> None:
    payloads = [with_doctor(each) for each in range(4)]
    found = [conversation_from_wire(each) for each in payloads]
    for payload in payloads[:3]:
        payload["participants"][0]["info"]["nom"] = "Dupont"
        payload["participants"][0]["status"] = "away"
    found.append(conversation_from_wire(with_doctor(4)))
    for each in found[3:]:
        assert each.participants[0].name == "Sakura Saza"
        assert each.participants[0].raw == with_doctor(0)["participants"][0]


def test_what_one_list_says_of_a_person_is_not_told_of_another() -> None:
    said: list[dict[str, Any]] = [
        *({}, {"online": 1}, {"online": True}, {"online": 1.0}, {"online": None}, {"online": []}),
        *({"info": {"prenom": "Sakura", "nom": "Saza"}}, {"info": {"nom": "Saza", "prenom": "Sakura", "x": 1}}),
        *({"info": {"nom": "Saza"}}, {"info": {"nom": "Saza", "x": True}}, {"info": "nom"}, {"id": 979.0}),
    ]
    for fields in said:
        for other in said:
            for each in (fields, fields, fields, other):
                same(conversation_from_wire, plain_conversations.conversation_from_wire, with_doctor(1, **each))
        regulars._MET.clear()


def test_a_doctor_is_remembered_however_many_patients_there_are() -> None:
    regulars._MET.clear()
    patients = [{"id": number, "type": "patient"} for number in range(3 * regulars._MOST_MET)]
    found = [
        conversation_from_wire({"id": 1, "participants": [each, *with_doctor(1)["participants"]]}) for each in patients
    ]
    assert len({id(each.participants[1]) for each in found[1:]}) == 1


def test_who_is_remembered_of_lists_is_bounded() -> None:
    regulars._MET.clear()
    for number in range(3000):
        conversation_from_wire({"id": 1, "participants": [{"id": number, "type": "patient"}]})
    for _ in range(3):
        conversation_from_wire(with_doctor(1, name="x" * 1000))
        conversation_from_wire(with_doctor(1, id=10**30))
        conversation_from_wire(with_doctor(1, type="y" * 1000))
    assert all(len(each) <= regulars._MOST_MET for each in regulars._MET.values())
    assert regulars._MET["medecin"].get(979) is None
    assert not any(number >= 10**19 or len(word) > 64 for word, met in regulars._MET.items() for number in met)
    for number in range(100):
        conversation_from_wire({"id": 1, "participants": [{"id": 1, "type": f"type {number}"}]})
        assert len(regulars._MET) <= regulars._MOST_WORDS


def test_a_payload_that_is_changed_later_changes_no_other_message() -> None:
    payload = from_marie(1)
    first = message_from_wire(payload, received_at=NOW)
    payload["sender"]["name"] = "Jean"
    second = message_from_wire(from_marie(2), received_at=NOW)
    assert first.sender.raw == second.sender.raw == {"id": 5, "type": "patient", "name": "Marie"}
    assert second.sender.name == "Marie"


def test_what_one_message_says_of_a_person_is_not_told_of_another() -> None:
    for number, sender in enumerate([{"id": 1}, {"id": True}, {"id": 1.0}, {"id": "1"}, {"id": 1}]):
        found = message_from_wire({"id": number, "content": "a", "sender": sender}, received_at=NOW).sender
        assert found.id == (1 if sender["id"] in ("1",) or type(sender["id"]) is int else None)


def test_an_object_in_the_place_of_an_id_is_not_taken_for_the_person_in_it() -> None:
    senders = ["expediteur_id", "sender"]
    found = [message_from_wire({"id": 1, "content": "a", each: {"id": 4321}}, received_at=NOW) for each in senders]
    assert [each.sender.id for each in found] == [None, 4321]


def test_an_object_in_place_of_an_id_is_nobody_though_somebody_came_as_that_object() -> None:
    marie = {"id": 5, "type": "patient", "name": "Marie"}
    for name, identity in (("sender", 5), ("sender_id", None), ("recipient", 5), ("destinataire_id", None)):
        found = message_from_wire({"id": 1, "content": "a", name: dict(marie)}, received_at=NOW)
        person = found.recipient if name in ("recipient", "destinataire_id") else found.sender
        assert (person and person.id) == identity


def test_people_of_the_same_id_are_told_apart_though_they_write_in_turn() -> None:
    for number in range(6):
        sender = {"id": 5, "type": ("patient", "medecin")[number % 2], "name": "Marie"}
        found = message_from_wire({"id": number, "content": "a", "sender": sender}, received_at=NOW).sender
        assert (found.id, found.type, found.raw) == (5, sender["type"], sender)


def test_what_is_remembered_is_bounded() -> None:
    from messaging_client.wire import messages as fast

    for number in range(3000):
        message_from_wire(
            {"id": number, "content": "a", f"field_{number}": 1, "sender": {"id": number}}, received_at=NOW
        )
    long = {"id": 1, "content": "a", "sender": {"id": 5, "name": "x" * 10_000}, "y" * 10_000: 1}
    assert len(message_from_wire(long, received_at=NOW).sender.name) == 10_000
    assert len(regulars._LATEST) <= len(regulars._SEEN) <= regulars._MOST_SEEN
    assert len(fast._SHAPES) <= 256
    assert not any("y" * 10_000 in keys for keys in fast._SHAPES)
    assert not any(found is not None and len(found.name) > 500 for found in regulars._SEEN.values())


def test_copied_and_pickled() -> None:
    message = message_from_wire(from_marie(1, timestamp="2025-08-23T10:00:00Z"), received_at=NOW)
    for other in (pickle.loads(pickle.dumps(message)), copy.deepcopy(message), message.model_copy()):
        assert told(other) == told(message)
        assert (other, hash(other)) == (message, hash(message))
    assert message.model_copy(update={"late": True}).late
    assert told(Message.model_validate(message.__dict__, strict=True)) == told(message)
