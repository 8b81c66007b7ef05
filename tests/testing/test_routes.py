"""Every route: its success, no token, somebody else, malformed."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from messaging_client.testing import MessagingServer, ServerOptions
from messaging_client.testing.records import Identity, RequestRecord

from .conftest import DOCTOR, PATIENT, STRANGER, Rest

T0 = datetime(2025, 8, 23, 10, tzinfo=UTC)
UNKNOWN = 4711
LISTS = ("/messaging/conversations/medecin/79", "/messaging/medecin/79/conversations")

ROUTES = [
    ("GET", "/messaging/conversations/medecin/79"),
    ("GET", "/messaging/medecin/79/conversations"),
    ("GET", "/messaging/conversations/patient/5"),
    ("GET", "/messaging/patient/5/conversations"),
    ("GET", "/messaging/conversations/unread"),
    ("GET", "/messaging/conversation/1/messages"),
    ("GET", "/messaging/conversation/1/new-messages?since=2025-01-01"),
    ("GET", "/messaging/conversation/1/participants"),
    ("GET", "/messaging/user/5/info"),
    ("GET", "/patients/5"),
    ("GET", "/medecins/79"),
    ("POST", "/messaging/conversation/1/message"),
    ("POST", "/messaging/send"),
    ("POST", "/messaging/conversation"),
    ("GET", "/messaging/history/ordonnance/15"),
    ("GET", "/messaging/history/15"),
    ("GET", "/messaging/permissions/15/patient/5"),
    ("PATCH", "/messaging/messages/1/read"),
    ("PUT", "/messaging/messages/1/read"),
]


@pytest.fixture
async def filled(server: MessagingServer, conversation: int) -> list[dict[str, Any]]:
    """Five messages, a minute apart, by turns."""
    return [
        await server.say(conversation, f"m{n}", DOCTOR if n % 2 else PATIENT, at=T0 + timedelta(minutes=n))
        for n in range(5)
    ]


# All of them


async def test_health_needs_no_token(session: aiohttp.ClientSession, server: MessagingServer) -> None:
    reply = await Rest(session, server.url, None).get("/health")
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("application/json")


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_no_token(
    session: aiohttp.ClientSession, server: MessagingServer, conversation: int, method: str, path: str
) -> None:
    reply = await Rest(session, server.url, None)(method, path)
    assert (reply.status, reply.message) == (401, "Jeton manquant")


@pytest.mark.parametrize("kind", ["expired", "revoked", "malformed", "other key"])
async def test_bad_tokens(session: aiohttp.ClientSession, server: MessagingServer, kind: str) -> None:
    token = server.token(*PATIENT, expires_in=-1 if kind == "expired" else 60)
    if kind == "revoked":
        server.revoke(token)
    elif kind == "malformed":
        token = token[:-3]
    elif kind == "other key":
        token = MessagingServer().token(*PATIENT)
    reply = await Rest(session, server.url, token).get("/messaging/conversations/unread")
    assert reply.status == 401
    assert reply.message.startswith("Jeton")


async def test_the_scheme_is_bearer(session: aiohttp.ClientSession, server: MessagingServer) -> None:
    anybody = Rest(session, server.url, None)
    token = server.token(*PATIENT)
    for header, status in ((f"bearer  {token}", 200), (f"Basic {token}", 401), (token, 401), ("Bearer", 401)):
        reply = await anybody("GET", "/messaging/conversations/unread", headers={"Authorization": header})
        assert reply.status == status, header


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/messaging/conversations/medecin/79", 403),
        ("GET", "/messaging/medecin/79/conversations", 403),
        ("GET", "/messaging/conversations/patient/5", 403),
        ("GET", "/messaging/patient/5/conversations", 403),
        ("GET", "/messaging/conversation/1/messages", 403),
        ("GET", "/messaging/conversation/1/new-messages?since=2025-01-01", 403),
        ("GET", "/messaging/conversation/1/participants", 403),
        ("POST", "/messaging/conversation/1/message", 403),
        ("POST", "/messaging/send", 403),
        ("PATCH", "/messaging/messages/1/read", 403),
        ("PUT", "/messaging/messages/1/read", 403),
        ("GET", "/messaging/history/ordonnance/15", 404),
        ("GET", "/messaging/history/15", 404),
        ("GET", "/patients/5", 404),
        ("GET", "/messaging/user/5/info", 404),
    ],
)
async def test_somebody_else(
    stranger: Rest, filled: list[Any], server: MessagingServer, method: str, path: str, status: int
) -> None:
    body = {"contenu": "x", "conversation_id": 1, "messages": [{"contenu": "x"}]} if method == "POST" else None
    reply = await stranger(method, path, json=body)
    assert reply.status == status
    # What is not there gives the very same answer
    path = path.replace("/1/", f"/{UNKNOWN}/").replace("/15", f"/{UNKNOWN}").replace("5", "4712", path.startswith("/p"))
    if body:
        body["conversation_id"] = UNKNOWN
    unknown = await stranger(method, path, json=body)
    assert (unknown.status, unknown.text) == (reply.status, reply.text)
    assert len(server.messages(1)) == len(filled)


async def test_the_same_id_of_the_other_type_is_somebody_else(rest: Callable[..., Rest], filled: list[Any]) -> None:
    doctor_5, patient_79 = rest(("medecin", 5)), rest(("patient", 79))
    for user in (doctor_5, patient_79):
        assert (await user.get("/messaging/conversation/1/messages")).status == 403
        assert (await user.send(1, "x")).status == 403
        assert (await user("PATCH", "/messaging/messages/1/read")).status == 403
    assert (await doctor_5.get("/messaging/conversations/patient/5")).status == 403
    assert (await patient_79.get("/messaging/conversations/medecin/79")).status == 403


@pytest.mark.parametrize("word", ["abc", "-1", "99999999999999999999", str(2**63), "1.5", "temp_1", "%20"])
async def test_malformed_ids(doctor: Rest, conversation: int, word: str) -> None:
    for method, path in ROUTES:
        if not any(digit in path for digit in "1579") or path.endswith("unread"):
            continue
        for place in ("/79", "/15", "/5", "/1"):
            if place in path:
                malformed = path.replace(place, f"/{word}", 1)
        body = {"contenu": "x", "conversation_id": word, "messages": [{"contenu": "x"}]} if method == "POST" else None
        reply = await doctor(method, malformed, json=body)
        assert (reply.status, bool(reply.message)) == (400, True), malformed


async def test_unknown_routes_and_methods(doctor: Rest, server: MessagingServer) -> None:
    for path in ("/nothing", "/messaging", "/messaging/conversation/1", "/messaging/robot/5/conversations"):
        reply = await doctor.get(path)
        assert (reply.status, reply.message) == (404, "Route inconnue"), path
    reply = await doctor("DELETE", "/messaging/conversation/1/message")
    assert (reply.status, reply.message) == (405, "Méthode non autorisée")
    assert reply.headers["Allow"] == "POST"
    assert [(each.operation, each.status) for each in server.requests][-2:] == [("unknown", 404), ("unknown", 405)]


async def test_a_browser_may_ask_from_another_origin(doctor: Rest) -> None:
    headers = {
        "Origin": "http://app",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,idempotency-key",
    }
    reply = await doctor("OPTIONS", "/messaging/conversation/1/message", headers=headers)
    assert reply.status == 200
    assert "*" in reply.headers["Access-Control-Allow-Origin"]


# Lists of conversations


@pytest.mark.parametrize("path", ["/messaging/conversations/medecin/79", "/messaging/medecin/79/conversations"])
async def test_conversations_of_a_doctor(doctor: Rest, filled: list[Any], path: str) -> None:
    data = (await doctor.get(path)).data
    assert data["pagination"] == {"page": 1, "limit": 20, "total": 1, "totalPages": 1}
    (one,) = data["conversations"]
    assert (one["id_conversation"], one["titre"], one["type_conversation"], one["statut"]) == (
        1,
        "Messages - Ordonnance 15",
        "patient_medecin",
        "active",
    )
    assert one["participants"] == [
        {"participant_id": 5, "participant_type": "patient", "role": "patient", "statut": "actif"},
        {"participant_id": 79, "participant_type": "medecin", "role": "medecin", "statut": "actif"},
    ]
    assert one["rawData"]["participants"][1]["info"] == {
        "nom": "Saza",
        "prenom": "Sakura",
        "specialite": "Cardiologue",
    }
    assert one["nombre_non_lus"] == 3
    assert one["dernier_message"]["contenu"] == "m4"
    assert one["dernier_message"]["expediteur_id"] == 5
    assert "contexte_type" not in one


@pytest.mark.parametrize("path", ["/messaging/conversations/patient/5", "/messaging/patient/5/conversations"])
async def test_conversations_of_a_patient(patient: Rest, filled: list[Any], path: str) -> None:
    (one,) = (await patient.get(path)).data["conversations"]
    assert one["nombre_non_lus"] == 2


async def test_lists_are_paged_latest_first(doctor: Rest, server: MessagingServer) -> None:
    ids = [await server.create_conversation(f"Suivi {n}", [("patient", n), DOCTOR]) for n in range(5)]
    for n, each in enumerate(ids):
        await server.say(each, "x", DOCTOR, at=datetime.now(UTC) + timedelta(hours=n))
    pages = [(await doctor.get("/messaging/medecin/79/conversations", page=n, limit=2)).data for n in (1, 2, 3, 4)]
    assert [[each["id_conversation"] for each in page["conversations"]] for page in pages] == [
        [ids[4], ids[3]],
        [ids[2], ids[1]],
        [ids[0]],
        [],
    ]
    assert pages[1]["pagination"] == {"page": 2, "limit": 2, "total": 5, "totalPages": 3}


async def test_lists_are_filtered_by_status(doctor: Rest, server: MessagingServer, conversation: int) -> None:
    other = await server.create_conversation("Suivi", [PATIENT, DOCTOR])
    await server.set_status(other, "archivée")

    async def listed(**query: str) -> list[int]:
        data = (await doctor.get("/messaging/conversations/medecin/79", **query)).data
        return sorted(each["id_conversation"] for each in data["conversations"])

    assert await listed() == [conversation]
    assert await listed(statut="active") == [conversation]
    assert await listed(statut="archived") == await listed(statut="archivée") == [other]
    assert await listed(statut="all") == [conversation, other]
    assert (await doctor.get("/messaging/conversations/medecin/79", statut="x")).status == 400


@pytest.mark.parametrize("query", [{"page": "0"}, {"limit": "0"}, {"limit": "101"}, {"page": "x"}, {"page": "1" * 30}])
async def test_bad_pages(doctor: Rest, conversation: int, query: dict[str, str]) -> None:
    for path in ("conversations/medecin/79", "conversation/1/messages", "history/ordonnance/15"):
        assert (await doctor.get(f"/messaging/{path}", **query)).status == 400


async def test_unread(doctor: Rest, patient: Rest, stranger: Rest, server: MessagingServer, filled: list[Any]) -> None:
    await server.create_conversation("Suivi", [PATIENT, DOCTOR])  # nothing in it
    (one,) = (await doctor.get("/messaging/conversations/unread")).data["conversations"]
    assert one["nombre_non_lus"] == 3
    for message in filled:
        await server.mark_read(message["id_message"], DOCTOR)
    assert (await doctor.get("/messaging/conversations/unread")).data == {"conversations": []}
    assert len((await patient.get("/messaging/conversations/unread")).data["conversations"]) == 1
    assert (await stranger.get("/messaging/conversations/unread")).data == {"conversations": []}


# Messages


async def test_messages_are_oldest_first_and_page_1_is_the_newest(doctor: Rest, filled: list[Any]) -> None:
    data = (await doctor.get("/messaging/conversation/1/messages", limit=2)).data
    assert [each["contenu"] for each in data["messages"]] == ["m3", "m4"]
    assert data["pagination"] == {"page": 1, "limit": 2, "total": 5, "totalPages": 3}
    assert data["conversation"]["id_conversation"] == 1
    data = (await doctor.get("/messaging/conversation/1/messages", page=3, limit=2)).data
    assert [each["contenu"] for each in data["messages"]] == ["m0"]
    assert (await doctor.get("/messaging/conversation/1/messages", page=10**9, limit=100)).data["messages"] == []


async def test_a_message_in_rest_spelling(patient: Rest, filled: list[Any]) -> None:
    message = (await patient.get("/messaging/conversation/1/messages")).data["messages"][1]
    assert message == {
        "id_message": 2,
        "conversation_id": 1,
        "expediteur_id": 79,
        "expediteur_type": "medecin",
        "expediteur_nom": "Saza",
        "expediteur_prenom": "Sakura",
        "contenu": "m1",
        "type_message": "texte",
        "statut": "envoyé",
        "date_envoi": "2025-08-23T10:01:00.000Z",
        "date_lecture": None,
    }


async def test_new_messages(doctor: Rest, server: MessagingServer, filled: list[Any]) -> None:
    async def since(time: str, **query: Any) -> list[str]:
        reply = await doctor.get("/messaging/conversation/1/new-messages", since=time, **query)
        return [each["contenu"] for each in reply.data["messages"]]

    assert await since("2025-08-23T10:02:00.000Z") == ["m3", "m4"]  # exclusive
    assert await since("2025-08-23T10:01:59.999Z") == ["m2", "m3", "m4"]
    assert await since("2025-08-23T12:02:00+02:00") == ["m3", "m4"]
    assert await since("2025-08-23T10:00:00", limit=2) == ["m1", "m2"]
    for query in ({}, {"since": "x"}, {"since": "2025-01-01", "limit": "0"}):
        assert (await doctor.get("/messaging/conversation/1/new-messages", **query)).status == 400


async def test_messages_of_one_time_keep_their_order(doctor: Rest, server: MessagingServer, conversation: int) -> None:
    for n in range(4):
        await server.say(conversation, f"m{n}", PATIENT, at=T0)
    data = (await doctor.get("/messaging/conversation/1/messages", limit=3)).data
    assert [each["contenu"] for each in data["messages"]] == ["m1", "m2", "m3"]
    reply = await doctor.get("/messaging/conversation/1/new-messages", since="2025-08-23T09:59:59.999Z", limit=2)
    assert [each["contenu"] for each in reply.data["messages"]] == ["m0", "m1"]


async def test_participants(doctor: Rest, conversation: int) -> None:
    people = (await doctor.get("/messaging/conversation/1/participants")).data["participants"]
    assert [(each["type"], each["id"], each["info"].get("nom")) for each in people] == [
        ("patient", 5, "Dupont"),
        ("medecin", 79, "Saza"),
    ]


# People


async def test_people(doctor: Rest, patient: Rest, conversation: int) -> None:
    marie = {"id": 5, "type": "patient", "prenom": "Marie", "nom": "Dupont", "specialite": None}
    assert (await doctor.get("/messaging/user/5/info")).data == marie
    assert (await doctor.get("/patients/5")).data == marie
    assert (await patient.get("/patients/5")).data == marie
    assert (await patient.get("/medecins/79")).data["specialite"] == "Cardiologue"


async def test_an_id_that_two_people_have(doctor: Rest, patient: Rest, server: MessagingServer) -> None:
    server.add_user("medecin", 5, nom="Cinq")
    await server.create_conversation("Suivi", [PATIENT, DOCTOR, ("medecin", 5)])
    assert (await doctor.get("/messaging/user/5/info")).data["type"] == "patient"
    assert (await patient.get("/messaging/user/5/info")).data["type"] == "medecin"
    assert (await patient.get("/patients/5")).data["nom"] == "Dupont"
    assert (await doctor.get("/medecins/5")).data["nom"] == "Cinq"


async def test_doctors_are_in_a_directory_and_patients_are_not(
    stranger: Rest, patient: Rest, server: MessagingServer
) -> None:
    assert (await stranger.get("/medecins/79")).data["nom"] == "Saza"
    assert (await stranger.get("/messaging/user/79/info")).data["nom"] == "Saza"
    assert (await patient.get("/medecins/80")).status == 404  # not registered
    assert (await stranger.get("/medecins/80")).data["nom"] is None  # oneself
    assert (await stranger.get("/patients/5")).status == 404
    server.add_context("examen", 3, patient_id=5, medecin_id=80)
    assert (await stranger.get("/patients/5")).data["nom"] == "Dupont"
    assert (await patient.get("/medecins/80")).data["type"] == "medecin"


# Sending


async def test_send(doctor: Rest, server: MessagingServer, conversation: int) -> None:
    reply = await doctor.send(conversation, "Bonjour ☺")
    assert reply.status == 201
    message = reply.data["message"]
    assert (message["contenu"], message["expediteur_id"], message["expediteur_type"]) == ("Bonjour ☺", 79, "medecin")
    assert "client_message_id" not in message
    (stored,) = server.messages(conversation)
    assert stored == message | {"client_message_id": None}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"contenu": None},
        {"contenu": 5},
        {"contenu": ""},
        {"contenu": " \n "},
        {"contenu": ["x"]},
        {"contenu": "\ud800"},
        {"contenu": "x", "type_message": "hologramme"},
        {"contenu": "x", "type_message": None},
        {"contenu": "x", "client_message_id": 5},
        {"contenu": "x", "client_message_id": ""},
        {"contenu": "x", "client_message_id": "x" * 256},
        [],
        "contenu",
    ],
)
async def test_bad_messages(doctor: Rest, server: MessagingServer, conversation: int, body: Any) -> None:
    reply = await doctor.post("/messaging/conversation/1/message", body)
    assert (reply.status, bool(reply.message)) == (400, True)
    assert server.messages(conversation) == []


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 50_000, b'{"contenu": NaN}'])
async def test_bad_json(doctor: Rest, conversation: int, body: bytes) -> None:
    for path in ("/messaging/conversation/1/message", "/messaging/send", "/messaging/conversation"):
        reply = await doctor("POST", path, data=body, headers={"Content-Type": "application/json"})
        assert (reply.status, reply.message) == (400, "JSON invalide")


async def test_oversize_bodies(doctor: Rest, server: MessagingServer, conversation: int) -> None:
    assert (await doctor.send(conversation, "x" * 900_000)).status == 201
    assert (await doctor.send(conversation, "x" * 1_000_001)).status == 413

    async def endless() -> Any:
        for _ in range(200):
            yield b"x" * 100_000

    with_length = await doctor("POST", "/messaging/conversation/1/message", data=io.BytesIO(b"x" * 5_000_000))
    assert (with_length.status, with_length.message) == (413, "Corps trop volumineux")
    try:
        without = await doctor("POST", "/messaging/conversation/1/message", data=endless())
    except aiohttp.ClientError:
        pass  # over sixteen times the limit the server hangs up, and the answer may get lost
    else:
        assert without.status == 413
    assert len(server.messages(conversation)) == 1


async def test_a_client_that_leaves_in_the_middle_of_its_body(server: MessagingServer, doctor: Rest) -> None:
    await server.create_conversation("Suivi", [PATIENT, DOCTOR])
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    head = f"POST /api/messaging/conversation/1/message HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {doctor.token}\r\n"
    writer.write(head.encode() + b"Content-Length: 100\r\n\r\n{")
    await server.wait_until(lambda: server.requests)
    writer.close()
    await writer.wait_closed()
    assert (await doctor.get("/health")).status == 200
    assert server.messages(1) == []
    assert server.requests[0].status is None


# Keys


async def test_a_key_stores_once(doctor: Rest, server: MessagingServer, conversation: int) -> None:
    first = await doctor.send(conversation, "a", key="k1")
    again = await doctor.send(conversation, "a", key="k1", client_message_id="k1")
    by_body = await doctor.send(conversation, "a", client_message_id="k1")
    assert (first.status, again.status, by_body.status) == (201, 200, 200)
    assert first.data == again.data == by_body.data
    assert first.data["message"]["client_message_id"] == "k1"
    assert len(server.messages(conversation)) == 1


async def test_at_the_same_time_too(doctor: Rest, server: MessagingServer, conversation: int) -> None:
    replies = await asyncio.gather(*(doctor.send(conversation, "a", key="k1") for _ in range(20)))
    assert sorted(reply.status for reply in replies) == [200] * 19 + [201]
    assert len(server.messages(conversation)) == 1


async def test_a_key_belongs_to_sender_and_conversation(
    doctor: Rest, patient: Rest, server: MessagingServer, conversation: int
) -> None:
    other = await server.create_conversation("Suivi", [PATIENT, DOCTOR])
    replies = [await doctor.send(conversation, "a", key="k"), await patient.send(conversation, "b", key="k")]
    replies.append(await doctor.send(other, "c", key="k"))
    assert [reply.status for reply in replies] == [201, 201, 201]


async def test_a_key_used_for_another_message(doctor: Rest, server: MessagingServer, conversation: int) -> None:
    await doctor.send(conversation, "a", key="k")
    assert (await doctor.send(conversation, "b", key="k")).status == 409
    assert (await doctor.send(conversation, "a", key="k", type_message="image")).status == 409
    assert (await doctor.send(conversation, "a", key="k", client_message_id="other")).status == 400
    assert len(server.messages(conversation)) == 1


async def test_a_closed_conversation_takes_repeats_only(
    doctor: Rest, server: MessagingServer, conversation: int
) -> None:
    await doctor.send(conversation, "a", key="k")
    await server.set_status(conversation, "fermée")
    assert (await doctor.send(conversation, "b")).status == 409
    assert (await doctor.send(conversation, "a", key="k")).status == 200
    assert (await doctor.get(f"/messaging/conversation/{conversation}/messages")).status == 200


@pytest.mark.parametrize("options", [ServerOptions(idempotency=False)])
async def test_a_server_that_does_not_know_keys(doctor: Rest, server: MessagingServer, conversation: int) -> None:
    replies = [await doctor.send(conversation, "a", key="k") for _ in range(2)]
    assert [reply.status for reply in replies] == [201, 201]
    assert [reply.data["message"]["client_message_id"] for reply in replies] == ["k", "k"]
    assert len(server.messages(conversation)) == 2


@pytest.mark.parametrize("options", [ServerOptions(echo_client_message_id=False)])
async def test_a_server_that_does_not_echo_keys(doctor: Rest, server: MessagingServer, conversation: int) -> None:
    first, again = [await doctor.send(conversation, "a", key="k") for _ in range(2)]
    assert first.data == again.data
    assert "client_message_id" not in first.data["message"]
    assert server.messages(conversation)[0]["client_message_id"] == "k"


# Send many


def batch(*contents: Any, **more: Any) -> dict[str, Any]:
    return {"sessionId": "s1", "conversation_id": 1, "messages": [{"contenu": each} for each in contents]} | more


async def test_send_many(doctor: Rest, server: MessagingServer, conversation: int) -> None:
    reply = await doctor.post("/messaging/send", batch("a", "b"))
    assert reply.status == 201
    summary = reply.data
    assert (summary["sessionId"], summary["conversation_id"], summary["total"], summary["envoyes"]) == ("s1", 1, 2, 2)
    assert [each["contenu"] for each in summary["messages"]] == ["a", "b"]
    assert [each["contenu"] for each in server.messages(1)] == ["a", "b"]


async def test_send_many_by_ordonnance(doctor: Rest, server: MessagingServer, conversation: int) -> None:
    body = batch("a", conversation_id=None, ordonnance_id=15)
    assert (await doctor.post("/messaging/send", body)).status == 201
    assert (await doctor.post("/messaging/send", body | {"ordonnance_id": 16})).status == 404
    assert (await doctor.post("/messaging/send", body | {"ordonnance_id": None})).status == 400


@pytest.mark.parametrize("messages", [None, [], {}, [5], [{"contenu": "a"}, {"contenu": ""}], [{"contenu": "a"}] * 101])
async def test_all_or_none(doctor: Rest, server: MessagingServer, conversation: int, messages: Any) -> None:
    reply = await doctor.post("/messaging/send", batch() | {"messages": messages})
    assert reply.status == 400
    assert server.messages(conversation) == []


async def test_a_repeated_batch(doctor: Rest, server: MessagingServer, conversation: int) -> None:
    body = batch("a", "b")
    body["messages"][1]["client_message_id"] = "mine"
    headers = {"Idempotency-Key": "k"}
    first = await doctor.post("/messaging/send", body, headers=headers)
    again = await doctor.post("/messaging/send", body, headers=headers)
    assert (first.status, again.status) == (201, 200)
    assert (again.data["envoyes"], again.data["messages"]) == (0, first.data["messages"])
    assert [each["client_message_id"] for each in server.messages(1)] == ["k:0", "mine"]
    clash = await doctor.post("/messaging/send", batch("new", "x"), headers={"Idempotency-Key": "k2"})
    assert clash.status == 201
    changed = await doctor.post("/messaging/send", batch("new", "y"), headers={"Idempotency-Key": "k2"})
    assert changed.status == 409
    assert len(server.messages(1)) == 4


# Creation


def creation(titre: Any = "Messages - Ordonnance 15", **more: Any) -> dict[str, Any]:
    people = [
        {"participant_id": 5, "participant_type": "patient"},
        {"participant_id": "79", "participant_type": "professionnel"},
    ]
    return {
        "titre": titre,
        "type_conversation": "patient_medecin",
        "participants": people,
        "initiateur_id": 79,
        "initiateur_type": "medecin",
    } | more


async def test_create(doctor: Rest, patient: Rest) -> None:
    reply = await doctor.post("/messaging/conversation", creation())
    assert reply.status == 201
    assert (reply.data["id_conversation"], reply.data["titre"]) == (1, "Messages - Ordonnance 15")
    assert [each["participant_id"] for each in reply.data["participants"]] == [5, 79]
    listed = (await patient.get("/messaging/patient/5/conversations")).data["conversations"]
    assert listed == [reply.data]


async def test_creations_of_one_context_find_the_first(doctor: Rest, server: MessagingServer) -> None:
    replies = await asyncio.gather(
        *(doctor.post("/messaging/conversation", creation(titre)) for titre in ["Messages - Ordonnance 15"] * 5)
    )
    assert sorted(reply.status for reply in replies) == [200, 200, 200, 200, 201]
    assert {reply.data["id_conversation"] for reply in replies} == {1}
    same = await doctor.post("/messaging/conversation", creation("ORDONNANCE n° 15"))
    assert (same.status, same.data["id_conversation"]) == (200, 1)
    assert same.data["titre"] == "Messages - Ordonnance 15"


async def test_other_contexts_other_people_and_no_context_are_new(doctor: Rest) -> None:
    more = [*creation()["participants"], {"participant_id": 80, "participant_type": "medecin"}]
    bodies = [creation(), creation("Examen 15"), creation("Ordonnance 16"), creation(participants=more)]
    bodies += [creation("Suivi 15"), creation("Suivi 15"), creation("Ordonnance")]
    replies = [await doctor.post("/messaging/conversation", body) for body in bodies]
    assert [reply.status for reply in replies] == [201] * 7


async def test_explicit_contexts_win_over_the_title(doctor: Rest) -> None:
    first = await doctor.post("/messaging/conversation", creation(contexte_type="examen", contexte_id="8"))
    assert (first.data["contexte_type"], first.data["contexte_id"]) == ("examen", 8)
    assert (await doctor.get("/messaging/history/examen/8")).status == 200
    assert (await doctor.get("/messaging/history/ordonnance/15")).status == 404
    other = await doctor.post("/messaging/conversation", creation(contextType="examen", contextId=8))
    assert (other.status, other.data["id_conversation"]) == (200, 1)


async def test_the_creator_takes_part(doctor: Rest) -> None:
    only_marie = [{"participant_id": 5, "participant_type": "patient"}]
    reply = await doctor.post("/messaging/conversation", creation(participants=only_marie))
    assert [each["participant_id"] for each in reply.data["participants"]] == [5, 79]


async def test_without_an_initiator(doctor: Rest) -> None:
    body = creation(initiateur_id=None, initiateur_type=None)
    del body["type_conversation"]
    assert (await doctor.post("/messaging/conversation", body)).data["type_conversation"] == "patient_medecin"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"titre": None}, 400),
        ({"titre": " "}, 400),
        ({"titre": "x" * 256}, 400),
        ({"titre": "\udfff"}, 400),
        ({"type_conversation": "x"}, 400),
        ({"type_conversation": ["patient_medecin"]}, 400),
        ({"participants": None}, 400),
        ({"participants": []}, 400),
        ({"participants": ["x"]}, 400),
        ({"participants": [{"participant_id": 79, "participant_type": "medecin"}]}, 400),
        ({"participants": [{"participant_id": 5, "participant_type": "robot"}]}, 400),
        ({"participants": [{"participant_id": 2**63, "participant_type": "patient"}]}, 400),
        ({"initiateur_id": 5, "initiateur_type": "patient"}, 403),
        ({"initiateur_id": 79, "initiateur_type": "patient"}, 403),
        ({"initiateur_id": None}, 400),
        ({"contexte_type": "examen"}, 400),
        ({"contexte_id": 5}, 400),
    ],
)
async def test_bad_creations(doctor: Rest, change: dict[str, Any], status: int) -> None:
    reply = await doctor.post("/messaging/conversation", creation() | change)
    assert (reply.status, bool(reply.message)) == (status, True)
    assert (await doctor.get("/messaging/medecin/79/conversations")).data["pagination"]["total"] == 0


# Histories and permissions


@pytest.mark.parametrize("path", ["/messaging/history/ordonnance/15", "/messaging/history/15"])
async def test_history(doctor: Rest, server: MessagingServer, filled: list[Any], path: str) -> None:
    data = (await doctor.get(path, limit=2)).data
    assert [each["contenu"] for each in data["messages"]] == ["m3", "m4"]
    assert data["pagination"] == {"page": 1, "limit": 2, "total": 5, "totalPages": 3}
    assert data["conversation"]["id_conversation"] == 1
    assert "ordonnance" not in data
    server.add_context("ordonnance", 15, patient_id=5, medecin_id=79, medicament="Doliprane")
    assert (await doctor.get(path)).data["ordonnance"] == {
        "id": 15,
        "id_ordonnance": 15,
        "patient_id": 5,
        "medecin_id": 79,
        "medicament": "Doliprane",
    }


async def test_the_context_is_shown_to_those_it_concerns_only(
    stranger: Rest, patient: Rest, server: MessagingServer
) -> None:
    server.add_context("ordonnance", 15, patient_id=5, medecin_id=79, medicament="Doliprane")
    await server.create_conversation("Messages - Ordonnance 15", [PATIENT, STRANGER])
    assert "ordonnance" not in (await stranger.get("/messaging/history/15")).data
    assert "ordonnance" in (await patient.get("/messaging/history/15")).data


async def test_history_of_other_kinds(doctor: Rest, server: MessagingServer) -> None:
    await server.create_conversation("Consultation #7", [PATIENT, DOCTOR])
    await server.create_conversation("Radio", [PATIENT, DOCTOR], context=("radiographie", 3))
    assert (await doctor.get("/messaging/history/consultation/7")).status == 200
    assert (await doctor.get("/messaging/history/radiographie/3")).data["conversation"]["contexte_id"] == 3
    for path in ("consultation/8", "examen/7", "7", "nothing/1"):
        reply = await doctor.get(f"/messaging/history/{path}")
        assert (reply.status, bool(reply.message)) == (404, True)


async def test_permissions(doctor: Rest, patient: Rest, stranger: Rest, server: MessagingServer) -> None:
    path = "/messaging/permissions/15/patient/5"
    nothing = {"ordonnance_id": 15, "patient_id": 5, "peut_lire": False, "peut_envoyer": False}
    assert (await doctor.get(path)).data == nothing
    server.add_context("ordonnance", 15, patient_id=5, medecin_id=79)
    for user in (doctor, patient):
        assert (await user.get(path)).data == nothing | {"peut_lire": True, "peut_envoyer": True}
    assert (await stranger.get(path)).data == nothing
    assert (await patient.get("/messaging/permissions/15/patient/6")).status == 403
    await server.create_conversation("Ordonnance 15", [PATIENT, STRANGER])
    assert (await stranger.get(path)).data["peut_envoyer"] is True


# Mark read


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_mark_read(doctor: Rest, patient: Rest, server: MessagingServer, conversation: int, method: str) -> None:
    message = await server.say(conversation, "a", PATIENT)
    path = f"/messaging/messages/{message['id_message']}/read"
    read = (await doctor(method, path)).data["message"]
    assert (read["statut"], read["contenu"]) == ("lu", "a")
    assert read["date_lecture"] is not None
    assert (await doctor(method, path)).data["message"] == read
    assert (await patient.get("/messaging/conversation/1/messages")).data["messages"] == [read]


async def test_ones_own_message_is_not_read_by_oneself(
    patient: Rest, server: MessagingServer, conversation: int
) -> None:
    await server.say(conversation, "a", PATIENT)
    reply = await patient("PATCH", "/messaging/messages/1/read")
    assert (reply.status, reply.data["message"]["statut"]) == (200, "envoyé")


# Which server it is


@pytest.mark.parametrize(
    ("options", "missing", "present"),
    [
        (
            ServerOptions(list_routes="first"),
            "/messaging/medecin/79/conversations",
            "/messaging/conversations/medecin/79",
        ),
        (
            ServerOptions(list_routes="other"),
            "/messaging/conversations/medecin/79",
            "/messaging/medecin/79/conversations",
        ),
        (ServerOptions(history_routes="first"), "/messaging/history/15", "/messaging/history/ordonnance/15"),
        (ServerOptions(history_routes="other"), "/messaging/history/ordonnance/15", "/messaging/history/15"),
        (ServerOptions(user_info_route=False), "/messaging/user/5/info", "/patients/5"),
        (
            ServerOptions(new_messages_route=False),
            "/messaging/conversation/1/new-messages?since=2025-01-01",
            "/messaging/conversation/1/messages",
        ),
    ],
)
async def test_routes_of_other_servers(doctor: Rest, conversation: int, missing: str, present: str) -> None:
    assert ((await doctor.get(missing)).status, (await doctor.get(present)).status) == (404, 200)


@pytest.mark.parametrize(
    ("options", "missing", "present"),
    [
        (ServerOptions(mark_read_methods="first"), "PUT", "PATCH"),
        (ServerOptions(mark_read_methods="other"), "PATCH", "PUT"),
    ],
)
async def test_methods_of_other_servers(
    doctor: Rest, server: MessagingServer, conversation: int, missing: str, present: str
) -> None:
    await server.say(conversation, "a", PATIENT)
    assert (await doctor(missing, "/messaging/messages/1/read")).status == 404
    assert (await doctor(present, "/messaging/messages/1/read")).status == 200


@pytest.mark.parametrize("options", [ServerOptions(answers="short", empty_mark_read=True)])
async def test_short_answers(doctor: Rest, server: MessagingServer, conversation: int) -> None:
    assert (await doctor.send(conversation, "a")).data["contenu"] == "a"
    assert len((await doctor.get("/messaging/conversation/1/participants")).data) == 2
    assert (await doctor.post("/messaging/conversation", creation())).data["conversation"]["id_conversation"] == 1
    assert "messages" in (await doctor.get("/messaging/conversation/1/messages")).data
    reply = await doctor("PATCH", "/messaging/messages/1/read")
    assert (reply.status, reply.text) == (200, "")


@pytest.mark.parametrize("options", [ServerOptions(answers="bare")])
async def test_bare_answers(doctor: Rest, stranger: Rest, conversation: int) -> None:
    assert (await doctor.send(conversation, "a")).json["message"]["contenu"] == "a"
    assert set((await doctor.get("/messaging/conversation/1/messages")).json) == {
        "conversation",
        "messages",
        "pagination",
    }
    assert (await doctor.post("/messaging/conversation", creation())).json["id_conversation"] == 1
    assert (await stranger.send(conversation, "a")).message  # failures keep their envelope


@pytest.mark.parametrize("options", [ServerOptions(api_path="/v2/api/")])
async def test_another_path(session: aiohttp.ClientSession, server: MessagingServer) -> None:
    assert (await Rest(session, f"{server.url}/v2", None).get("/health")).status == 200
    assert (await Rest(session, server.url, None).get("/health")).status == 404


# What is noted


async def test_requests_are_noted_without_their_bodies(
    doctor: Rest, server: MessagingServer, conversation: int
) -> None:
    await doctor.get("/messaging/conversation/1/messages", page=2)
    await doctor.send(conversation, "secret")
    await doctor.get("/health")
    assert server.requests == (
        RequestRecord("messages", "GET", "/api/messaging/conversation/1/messages", "page=2", Identity(*DOCTOR), 200),
        RequestRecord("send", "POST", "/api/messaging/conversation/1/message", "", Identity(*DOCTOR), 201),
        RequestRecord("health", "GET", "/api/health", "", None, 200),
    )
    assert "secret" not in repr(server.requests)
