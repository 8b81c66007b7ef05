from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messaging_client.models import Frozen, History, Page, Participant, UserType
from messaging_client.wire import answers
from messaging_client.wire.errors import PayloadError

from .support import NOW, assert_sound, bodies, not_json, outcome, valid_messages

PATIENT, MEDECIN = UserType.PATIENT, UserType.MEDECIN
FAILURES: list[Any] = [
    {"status": "fail", "message": "x"},
    {"status": "error", "data": {"messages": [], "conversations": [], "participants": []}},
    {"success": False, "messages": []},
    "ok",
    5,
    True,
]
EMPTY: list[Any] = [None, {}, {"status": "success"}, {"status": "success", "data": None}, {"success": True, "data": {}}]


class Reports(list[PayloadError]):
    """Takes what is reported."""

    def __call__(self, fault: PayloadError) -> None:
        self.append(fault)

    def __bool__(self) -> bool:
        return True

    @property
    def raws(self) -> list[object]:
        return [fault.raw for fault in self]


def message(identity: int, **fields: Any) -> dict[str, Any]:
    return {"id_message": identity, "contenu": "a", "date_envoi": f"2025-08-23T10:00:0{identity % 10}Z", **fields}


def success(**data: Any) -> dict[str, Any]:
    return {"status": "success", "data": data}


def conversations(body: Any, report: Any = None, **options: Any) -> Page[Any]:
    return answers.read_conversations(body, **{"page": 1, "limit": 20, "report": report or Reports(), **options})


def history(body: Any, report: Any = None, **options: Any) -> History:
    given = {"conversation_id": None, "page": 1, "limit": 50, "received_at": NOW, "report": report or Reports()}
    found = answers.read_history(body, **{**given, **options})
    assert_sound(found)
    assert found.raw is body
    return found


def new_messages(body: Any, report: Any = None) -> tuple[Any, ...]:
    return answers.read_new_messages(body, conversation_id=15, received_at=NOW, report=report or Reports())


def participants(body: Any, report: Any = None) -> tuple[Participant, ...]:
    return answers.read_participants(body, report=report or Reports())


def user(body: Any, *, implied: bool = False, kind: UserType = MEDECIN) -> Participant | None:
    return answers.read_user(body, user_id=79, user_type=kind, type_implied=implied)


def sent(body: Any) -> Any:
    return answers.read_message(body, conversation_id=15, received_at=NOW)


def marked(body: Any) -> Any:
    return answers.read_marked(body, received_at=NOW)


LISTS: list[tuple[str, Callable[..., Any]]] = [
    ("conversations", conversations),
    ("messages", history),
    ("messages", new_messages),
    ("participants", participants),
]
EVERY: list[Callable[[Any], Any]] = [
    *(read for _, read in LISTS),
    *(user, sent, marked, answers.read_conversation, answers.read_permissions, answers.read_summary),
]


# --- what all have in common -------------------------------------------------------------------------------------


@pytest.mark.parametrize("read", EVERY)
@pytest.mark.parametrize("body", FAILURES, ids=str)
def test_failures_are_never_results(read: Callable[[Any], Any], body: Any) -> None:
    with pytest.raises(PayloadError) as caught:
        read(body)
    assert caught.value.raw is body


@pytest.mark.parametrize(("name", "read"), LISTS)
@pytest.mark.parametrize(
    "body",
    [*EMPTY, {"message": "ok"}, success(autre=[]), {"data": {"messages": None}}, success(messages={}), {"data": "x"}],
    ids=str,
)
def test_without_a_list_there_is_no_list(name: str, read: Callable[..., Any], body: Any) -> None:
    with pytest.raises(PayloadError, match=f"no list of {name}") as caught:
        read(body)
    assert caught.value.raw is body


@pytest.mark.parametrize(("name", "read"), LISTS)
def test_an_empty_list_is_one(name: str, read: Callable[..., Any]) -> None:
    for body in (success(**{name: []}), {name: []}, {"data": {name: []}}):
        found = read(body)
        assert (found.messages if isinstance(found, History) else tuple(found)) == ()


BARE: list[Any] = [[], [{"id": 1, "contenu": "a", "type": "patient"}], {"status": "success", "data": []}, {"data": [1]}]


@pytest.mark.parametrize(("name", "read"), LISTS)
@pytest.mark.parametrize("body", BARE, ids=str)
def test_a_list_by_itself_is_one_of_participants_only(name: str, read: Callable[..., Any], body: Any) -> None:
    if name == "participants":
        listed = body if isinstance(body, list) else body["data"]
        assert len(read(body)) == sum(isinstance(each, dict) for each in listed)
        return
    with pytest.raises(PayloadError, match=f"no list of {name}") as caught:
        read(body)
    assert caught.value.raw is body


@pytest.mark.parametrize("body", EMPTY, ids=str)
def test_an_empty_success_is_enough_for_two(body: Any) -> None:
    assert marked(body) is None
    assert answers.read_summary(body) == {}
    for read in (user, sent, answers.read_conversation, answers.read_permissions):
        with pytest.raises(PayloadError):
            read(body)


# --- conversations -----------------------------------------------------------------------------------------------


def test_conversations() -> None:
    reports = Reports()
    pages = {"page": 2, "limit": "10", "total": 21, "totalPages": 3}
    items: list[Any] = [{"id": 1}, None, {"titre": "x"}, {"id": "2"}]
    page = conversations(success(conversations=items, pagination=pages), reports)
    assert [each.id for each in page] == [1, 2]
    assert (page.page, page.limit, page.total, page.total_pages, page.has_next) == (2, 10, 21, 3, True)
    assert reports.raws == [None, {"titre": "x"}]
    assert_sound(page)


@pytest.mark.parametrize(
    "pagination",
    [None, [], 5, {}, {"page": 0, "limit": 0}, {"page": True, "limit": -1, "total": 10**12, "totalPages": "x"}],
)
def test_without_pagination(pagination: Any) -> None:
    page = conversations({"conversations": [{"id": 1}], "pagination": pagination}, page=3, limit=7)
    assert (page.page, page.limit, page.total, page.total_pages) == (3, 7, None, None)


def test_a_created_conversation() -> None:
    for body in (success(id=44), success(conversation={"id": 44}), {"conversation": {"id": 44}}, {"id": 44}):
        assert answers.read_conversation(body).id == 44
    for wrong in ([{"id": 44}], {"data": [{"id": 44}]}, success(titre="x")):
        with pytest.raises(PayloadError):
            answers.read_conversation(wrong)


# --- messages ----------------------------------------------------------------------------------------------------


def test_history() -> None:
    saza = {"id": 79, "type": "medecin", "info": {"nom": "Saza"}}
    body = success(
        conversation={"id_conversation": "15", "titre": "Messages - Examen 3", "participants": [saza]},
        messages=[
            message(3, conversation_id=15, expediteur_id=79, expediteur_type="medecin"),
            message(1, conversation_id="15"),
            message(2),
        ],
        pagination={"page": 1, "limit": 50, "total": 3, "totalPages": 1},
        examen={"id": 3},
    )
    reports = Reports()
    found = history(body, reports)
    assert [each.id for each in found.messages] == [1, 2, 3]
    assert {each.conversation_id for each in found.messages} == {15}
    assert found.messages[2].sender.name == "Saza"
    assert found.conversation is not None
    assert found.conversation.id == 15
    assert (found.pagination.total, found.pagination.total_pages) == (3, 1)
    assert found.context == {"id": 3}
    assert list(reports) == []


def test_order_with_ids_of_both_kinds() -> None:
    same = {"date_envoi": "2025-08-23T10:00:00Z"}
    listed = [{**message(1), "id_message": each, **same} for each in ("b", 10, "temp_1", 9, "a")]
    assert [each.id for each in history({"messages": listed}).messages] == [9, 10, "a", "b", "temp_1"]


def test_messages_of_others_are_left_out() -> None:
    listed = [message(1, conversation_id=15), message(2, conversation_id=16), message(3), {"contenu": "a"}]
    for read in (
        lambda reports: history({"messages": listed}, reports, conversation_id=15).messages,
        lambda reports: history({"messages": listed, "conversation": {"id": 15}}, reports).messages,
        lambda reports: history({"messages": listed, "conversation_id": "15"}, reports).messages,
        lambda reports: new_messages({"messages": listed}, reports),
    ):
        reports = Reports()
        assert [each.id for each in read(reports)] == [1, 3]
        assert reports.raws == [listed[1], listed[3]]
        assert reports[0].reason == "a message is of another conversation"


def test_without_any_conversation_messages_keep_their_own() -> None:
    found = history({"messages": [message(1, conversation_id=15), message(2, conversation_id=16), message(3)]})
    assert [each.conversation_id for each in found.messages] == [15, 16, None]


@pytest.mark.parametrize("named", [{"conversation": {"id": 16}}, {"conversation_id": 16}])
def test_an_answer_about_another_conversation(named: dict[str, Any]) -> None:
    body = success(messages=[message(1)], **named)
    with pytest.raises(PayloadError, match="another conversation") as caught:
        history(body, conversation_id=15)
    assert caught.value.raw is body


def test_a_conversation_that_cannot_be_read() -> None:
    reports = Reports()
    found = history(success(conversation={"titre": "x"}, messages=[message(1)]), reports, conversation_id=15)
    assert found.conversation is None
    assert [each.conversation_id for each in found.messages] == [15]
    assert reports.raws == [{"titre": "x"}]


@pytest.mark.parametrize(
    ("data", "asked", "expected"),
    [
        ({"ordonnance": {"id": 1}}, None, {"id": 1}),
        ({"consultation": {"id": 1}}, None, {"id": 1}),
        ({"contexte": {"id": 1}}, None, {"id": 1}),
        ({"rendez_vous": {"id": 1}}, "rendez_vous", {"id": 1}),
        ({"rendez_vous": {"id": 1}, "contexte_type": "rendez_vous"}, None, {"id": 1}),
        ({"suivi": {"id": 1}, "conversation": {"id": 1, "contexte_type": "suivi"}}, None, {"id": 1}),
        ({"ordonnance": {"id": 1}, "examen": {"id": 2}}, "examen", {"id": 2}),
        (
            {"ordonnance": {"id": 1}, "conversation": {"id": 1, "titre": "Examen 2"}, "examen": {"id": 2}},
            None,
            {"id": 2},
        ),
        ({"ordonnance": 15}, None, None),
        ({"rendez_vous": {"id": 1}}, None, None),
    ],
)
def test_contexts(data: dict[str, Any], asked: str | None, expected: Any) -> None:
    assert history(success(messages=[], **data), context_type=asked).context == expected


def test_a_message_without_a_time_has_that_of_receipt() -> None:
    (found,) = new_messages({"messages": [{"id": 1, "contenu": "a"}]})
    assert (found.timestamp, found.timestamp_is_receipt, found.conversation_id) == (NOW, True, 15)


@pytest.mark.parametrize(
    "body",
    [
        success(message=message(1)),
        success(**message(1)),
        {"status": "success", "message": message(1)},
        {"status": "success", "message": "Message envoyé", "data": message(1)},
        {"message": message(1)},
        message(1),
        {**message(1), "status": "error"},
        success(message=message(1, conversation_id="15")),
        success(conversation_id=15, message=message(1)),
    ],
)
def test_the_answer_to_a_send(body: Any) -> None:
    found = sent(body)
    assert (found.id, found.conversation_id) == (1, 15)
    assert_sound(found)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (success(message=message(1, conversation_id=16)), "another conversation"),
        (success(conversation_id=16, message=message(1)), "another conversation"),
        (success(message="ok"), "no id"),
        (success(autre=1), "no id"),
        ([message(1)], "no object"),
    ],
)
def test_no_answer_to_a_send(body: Any, reason: str) -> None:
    with pytest.raises(PayloadError, match=reason):
        sent(body)


@pytest.mark.parametrize(
    "body", [success(message=message(7)), success(**message(7)), {"message": message(7)}, message(7)]
)
def test_marked_with_the_message(body: Any) -> None:
    found = marked(body)
    assert (found.id, found.conversation_id) == (7, None)


@pytest.mark.parametrize(
    "body",
    [
        *EMPTY,
        {"status": "success", "message": "Message lu"},
        {"status": "success", "data": True},
        success(updated=1),
        success(id_message=7, statut="lu"),
        success(message={"id": 7, "statut": "lu"}),
        {"id": 7, "statut": "lu"},
        {"message": {"id": 7}},
        {"status": "success", "data": []},
    ],
    ids=str,
)
def test_marked_without_the_message(body: Any) -> None:
    assert marked(body) is None


@pytest.mark.parametrize("body", [{"autre": 1}, [], [message(7)], {"data": {"autre": 1}}, {"data": "ok"}], ids=str)
def test_neither_marked_nor_failed(body: Any) -> None:
    with pytest.raises(PayloadError, match="neither"):
        marked(body)


def test_marked_with_a_message_that_cannot_be_read() -> None:
    with pytest.raises(PayloadError, match="time"):
        marked(success(message=message(7, date_envoi="hier")))


# --- people ------------------------------------------------------------------------------------------------------


def test_participants() -> None:
    reports = Reports()
    listed = [{"id": 5, "type": "patient"}, 7, {"professionnel_id": 79}]
    found = participants(success(participants=listed), reports)
    assert [(each.type, each.id) for each in found] == [("patient", 5), ("medecin", 79)]
    assert reports.raws == [7]
    assert participants({"status": "success", "data": listed}) == found == participants(listed)


SAZA = {"prenom": "Sakura", "nom": "Saza", "specialite": "Cardiologue"}


@pytest.mark.parametrize("implied", [True, False])
@pytest.mark.parametrize(
    "body",
    [
        success(id=79, type="medecin", **SAZA),
        success(id="79", type="professionnel_sante", **SAZA),
        success(type="medecin", **SAZA),
        success(id=None, role="doctor", **SAZA),
        success(user={"id": 79, "type": "medecin", **SAZA}),
        success(medecin={"id": 79, **SAZA}),
        success(id=3, id_professionnel=79, type="medecin", **SAZA),
        {"id": 79, "type": "medecin", "status": "active", **SAZA},
    ],
)
def test_who_was_asked_for(body: Any, implied: bool) -> None:
    found = user(body, implied=implied)
    assert found is not None
    assert (found.type, found.id) == (MEDECIN, 79)
    assert (found.name, found.first_name, found.last_name, found.specialite) == (
        *("Sakura Saza", "Sakura", "Saza"),
        "Cardiologue",
    )
    assert_sound(found)


@pytest.mark.parametrize("implied", [True, False])
@pytest.mark.parametrize(
    "body",
    [
        success(id=79, type="patient", **SAZA),
        success(id=80, type="medecin", **SAZA),
        success(type="patient", **SAZA),
        success(patient={"id": 79, **SAZA}),
        success(id=79, type="medecin", id_professionnel=80, **SAZA),
    ],
)
def test_somebody_else(body: Any, implied: bool) -> None:
    assert user(body, implied=implied) is None


@pytest.mark.parametrize("fields", [{}, {"type": "généraliste"}, {"type": None}])
def test_only_some_routes_tell_the_type(fields: dict[str, Any]) -> None:
    body = success(id=79, **SAZA, **fields)
    assert user(body, implied=False) is None
    found = user(body, implied=True)
    assert found is not None
    assert found.type is MEDECIN


def test_a_patient_with_a_doctor() -> None:
    body = success(id=79, nom="Dupont", medecin_id=3, medecin={"id": 3, "nom": "Saza"})
    found = user(body, implied=True, kind=PATIENT)
    assert found is not None
    assert (found.type, found.id, found.name) == (PATIENT, 79, "Dupont")


def test_a_person_without_a_name() -> None:
    found = user(success(id=79), implied=True)
    assert found is not None
    assert (found.name, found.is_named) == ("Médecin #79", False)


@pytest.mark.parametrize("body", [success(autre=1), success(specialite="x"), [], {"data": [SAZA]}])
def test_nobody(body: Any) -> None:
    with pytest.raises(PayloadError):
        user(body, implied=True)


# --- the server's own objects ------------------------------------------------------------------------------------


def test_permissions() -> None:
    assert answers.read_permissions(success(peut_lire=True)) == {"peut_lire": True}
    assert answers.read_permissions(success(permissions={"peut_lire": True})) == {"peut_lire": True}
    assert answers.read_permissions({"status": "success", "peut_lire": False}) == {"peut_lire": False}
    assert answers.read_permissions({"peut_lire": False}) == {"peut_lire": False}
    with pytest.raises(PayloadError):
        answers.read_permissions([])


def test_summaries() -> None:
    assert answers.read_summary(success(total=2)) == {"total": 2}
    assert answers.read_summary({"total": 2}) == {"total": 2}
    with pytest.raises(PayloadError):
        answers.read_summary([1])


# --- anything ----------------------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(st.one_of(bodies, not_json))
def test_anything_is_read_or_refused(body: Any) -> None:
    for read in EVERY:
        found = outcome(read, body)
        for each in found if isinstance(found, tuple) else [found]:
            if isinstance(each, Frozen):
                assert_sound(each)
            else:
                assert each is None or isinstance(each, dict | PayloadError)


@given(st.lists(st.one_of(valid_messages, not_json), max_size=6))
def test_each_item_is_read_or_reported(listed: list[Any]) -> None:
    reports = Reports()
    found = new_messages({"messages": listed}, reports)
    assert len(found) + len(reports) == len(listed)
    assert {id(each.raw) for each in found} | {id(raw) for raw in reports.raws} == {id(each) for each in listed}
    assert all(each.conversation_id == 15 for each in found)
    assert list(found) == sorted(found, key=answers.message_order_key)
