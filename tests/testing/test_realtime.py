"""Every event of the protocol, in both directions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import socketio

from messaging_client.testing import MessagingServer, ServerOptions
from messaging_client.testing.records import EventRecord, Identity

from .conftest import DOCTOR, PATIENT, STRANGER, Live, Rest

Connect = Callable[..., Awaitable[Live]]
RELAY_ONLY = ServerOptions(broadcast_on_post=False)


# Handshakes


@pytest.mark.parametrize("auth", [{}, {"token": ""}, {"token": "x"}, {"token": 5}, {"jwt": "x"}])
async def test_a_refused_token(server: MessagingServer, live: Connect, auth: Any) -> None:
    client = await live(None)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await client.connect(server.url, auth)
    assert client.refusals == [{"message": "Authentication error"}]
    assert server.connections() == []


async def test_expired_and_revoked_tokens_are_refused(server: MessagingServer, live: Connect) -> None:
    revoked = server.token(*PATIENT)
    server.revoke(revoked)
    for token in (server.token(*PATIENT, expires_in=-1), revoked):
        client = await live(None)
        with pytest.raises(socketio.exceptions.ConnectionError):
            await client.connect(server.url, token)


async def test_no_handshake_data_at_all(server: MessagingServer, live: Connect) -> None:
    client = await live(None)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await client.sio.connect(server.url, transports=["websocket"])
    assert client.refusals == [{"message": "Authentication error"}]


async def test_polling_is_not_served(server: MessagingServer, live: Connect) -> None:
    client = await live(None)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await client.sio.connect(server.url, auth={"token": server.token(*PATIENT)}, transports=["polling"])


async def test_connections_and_rooms(server: MessagingServer, live: Connect, conversation: int) -> None:
    marie = await live(PATIENT, joined=conversation)
    doctor = await live(DOCTOR)
    assert [(each.socket_id, each.user) for each in server.connections()] == [
        (marie.sio.get_sid(), PATIENT),
        (doctor.sio.get_sid(), DOCTOR),
    ]
    assert [each.user for each in server.connections(DOCTOR)] == [DOCTOR]
    assert server.rooms() == {
        "everybody": [marie.sio.get_sid(), doctor.sio.get_sid()],
        "user:patient:5": [marie.sio.get_sid()],
        "user:medecin:79": [doctor.sio.get_sid()],
        "conversation:1": [marie.sio.get_sid()],
    }
    assert server.members(conversation) == [PATIENT]
    await marie.close()
    await server.wait_until(lambda: len(server.connections()) == 1)
    assert server.rooms() == {"everybody": [doctor.sio.get_sid()], "user:medecin:79": [doctor.sio.get_sid()]}


@pytest.mark.parametrize("options", [ServerOptions(ping_interval=0.3, ping_timeout=0.2, max_http_buffer_size=5000)])
async def test_engine_settings_are_told_to_the_client(server: MessagingServer, live: Connect) -> None:
    client = await live(PATIENT)
    assert client.sio.eio.ping_interval == 0.3
    assert client.sio.eio.ping_timeout == 0.2
    for _ in range(2):  # pings come, and are answered
        await asyncio.sleep(0.3)
    assert client.sio.connected
    await client.sio.emit("typing", "x" * 5001)
    await asyncio.wait_for(client.gone.wait(), 20)


@pytest.mark.parametrize("options", [ServerOptions(ping_interval=0.2, ping_timeout=0.2)])
async def test_a_client_that_answers_no_ping_is_let_go(server: MessagingServer, live: Connect) -> None:
    client = await live(PATIENT)
    client.sio.eio.queue.put = _swallow
    await server.wait_until(lambda: not server.connections())
    del client.sio.eio.queue.put


async def _swallow(packet: Any) -> None:
    pass


@pytest.mark.parametrize("options", [ServerOptions(middleware_delay=0.2, socketio_path="/live")])
async def test_a_slow_middleware_and_another_path(server: MessagingServer, live: Connect) -> None:
    client = await live(None)
    started = asyncio.get_running_loop().time()
    await client.connect(server.url, server.token(*PATIENT), socketio_path="/live")
    assert asyncio.get_running_loop().time() - started >= 0.2


async def test_a_client_that_leaves_during_the_handshake_never_was_there(
    server: MessagingServer, live: Connect
) -> None:
    watcher = await live(DOCTOR)
    client = await live(None)
    server.faults.delay_handshake(0.2)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await client.sio.connect(
            server.url, auth={"token": server.token(*PATIENT)}, transports=["websocket"], wait_timeout=0.05
        )
    await client.close()
    await (await live(STRANGER)).settle()
    await asyncio.sleep(0.25)
    await watcher.settle()
    assert [each["userId"] for each in watcher.of("user_online")] == [79, 80]
    assert watcher.of("user_offline") == []


# Rooms


@pytest.mark.parametrize("payload", [{"conversationId": 1}, {"conversation_id": "1"}, 1, "1"])
async def test_join_and_leave(server: MessagingServer, live: Connect, conversation: int, payload: Any) -> None:
    client = await live(PATIENT)
    await client.sio.emit("join_conversation", payload)
    await server.wait_until(lambda: server.members(conversation) == [PATIENT])
    await client.sio.emit("leave_conversation", payload)
    await server.wait_until(lambda: server.members(conversation) == [])


@pytest.mark.parametrize(
    ("options", "payload", "joins"),
    [
        (ServerOptions(join_payload="object"), {"conversationId": 1}, True),
        (ServerOptions(join_payload="object"), 1, False),
        (ServerOptions(join_payload="id"), {"conversationId": 1}, False),
        (ServerOptions(join_payload="id"), 1, True),
    ],
)
async def test_servers_that_understand_one_form(
    server: MessagingServer, live: Connect, conversation: int, payload: Any, joins: bool
) -> None:
    client = await live(PATIENT)
    await client.sio.emit("join_conversation", payload)
    await client.settle()
    assert server.members(conversation) == ([PATIENT] if joins else [])
    await client.sio.emit("leave_conversation", payload)
    await client.settle()
    assert server.members(conversation) == []


@pytest.mark.parametrize("payload", [{"conversationId": 1}, {"conversationId": 4711}])
async def test_only_participants_join(
    server: MessagingServer, live: Connect, conversation: int, payload: dict[str, int]
) -> None:
    for user in (STRANGER, ("medecin", 5), ("patient", 79)):
        client = await live(user)
        await client.sio.emit("join_conversation", payload)
        assert await client.hear("error") == {
            "event": "join_conversation",
            "message": "Accès refusé à cette conversation",
        }
    assert server.members(conversation) == []


@pytest.mark.parametrize("payload", [None, {}, [], "x", {"conversationId": None}, {"conversationId": 2**63}, -1, True])
@pytest.mark.parametrize("event", ["join_conversation", "leave_conversation"])
async def test_malformed_joins(live: Connect, event: str, payload: Any) -> None:
    client = await live(PATIENT)
    await client.sio.emit(event, payload)
    assert (await client.hear("error"))["event"] == event
    assert client.sio.connected


# New messages


async def test_a_post_is_told(live: Connect, doctor: Rest, conversation: int) -> None:
    marie, other_phone = await live(PATIENT, joined=conversation), await live(PATIENT)
    sender = await live(DOCTOR, joined=conversation)
    stored = (await doctor.send(conversation, "Bonjour", key="k1")).data["message"]
    event = {
        "id": 1,
        "content": "Bonjour",
        "type": "text",
        "sender": {"id": 79, "type": "medecin", "name": "Sakura Saza"},
        "recipient": {"id": 5, "type": "patient", "name": "Marie Dupont"},
        "conversation_id": conversation,
        "timestamp": stored["date_envoi"],
        "status": "sent",
        "client_message_id": "k1",
    }
    assert await marie.hear("new_message") == event
    assert await sender.hear("new_message") == event
    updated = {"conversationId": conversation, "statut": "active", "reason": "message"}
    for client in (marie, other_phone, sender):
        assert await client.hear("conversation_updated") == updated
    for client in (marie, other_phone):
        assert await client.hear("notification") == {"type": "new_message", "conversationId": conversation}
        await client.settle()
    await sender.settle()
    assert other_phone.of("new_message") == sender.of("notification") == []


async def test_nobody_else_is_told(live: Connect, doctor: Rest, conversation: int) -> None:
    others = [await live(STRANGER), await live(("medecin", 5)), await live(("patient", 79))]
    await doctor.send(conversation, "Bonjour")
    for client in others:
        await client.settle()
        assert {name for name, _ in client.heard} <= {"user_online"}


async def test_a_repeat_is_not_told_again(live: Connect, doctor: Rest, conversation: int) -> None:
    marie = await live(PATIENT, joined=conversation)
    for _ in range(3):
        await doctor.send(conversation, "Bonjour", key="k1")
    await doctor.post(
        "/messaging/send", {"conversation_id": conversation, "messages": [{"contenu": "a"}, {"contenu": "b"}]}
    )
    await marie.settle()
    assert [each["content"] for each in marie.of("new_message")] == ["Bonjour", "a", "b"]


async def test_order_of_many(live: Connect, doctor: Rest, server: MessagingServer, conversation: int) -> None:
    marie = await live(PATIENT, joined=conversation)
    for n in range(100):
        await server.say(conversation, str(n), DOCTOR)
    await marie.hear("new_message", 100)
    assert [each["content"] for each in marie.of("new_message")] == [str(n) for n in range(100)]


@pytest.mark.parametrize("options", [ServerOptions(event_spelling="rest"), ServerOptions(event_spelling="wrapped")])
async def test_other_spellings(live: Connect, doctor: Rest, server: MessagingServer, conversation: int) -> None:
    marie = await live(PATIENT, joined=conversation)
    stored = (await doctor.send(conversation, "Bonjour")).data["message"]
    wrapped = server.options.event_spelling == "wrapped"
    assert await marie.hear("new_message") == ({"message": stored} if wrapped else stored)


async def test_a_message_to_several_names_no_recipient(live: Connect, server: MessagingServer) -> None:
    three = await server.create_conversation("Suivi", [PATIENT, DOCTOR, STRANGER])
    marie = await live(PATIENT, joined=three)
    await server.say(three, "a", STRANGER, type_message="image")
    event = await marie.hear("new_message")
    assert "recipient" not in event
    assert (event["type"], event["sender"]["name"]) == ("image", "Médecin #80")


# Relays by the sender


def forged(**changes: Any) -> dict[str, Any]:
    lies = {"content": "forged", "sender": {"id": 5, "type": "patient"}, "conversation_id": 1, "status": "read"}
    return {"id": 1} | lies | changes


@pytest.mark.parametrize("options", [RELAY_ONLY])
async def test_a_server_that_relays_only(live: Connect, doctor: Rest, conversation: int) -> None:
    marie, sender = await live(PATIENT, joined=conversation), await live(DOCTOR, joined=conversation)
    await doctor.send(conversation, "Bonjour")
    await marie.settle()
    assert [name for name, _ in marie.heard if not name.startswith("user_")] == []
    assert await sender.sio.call("new_message", forged()) == {"status": "success"}
    heard = await marie.hear("new_message")
    assert (heard["content"], heard["sender"]["id"], heard["status"]) == ("Bonjour", 79, "sent")
    await marie.hear("conversation_updated")
    await marie.hear("notification")
    await sender.settle()
    assert sender.of("new_message") == []  # as `socket.to(room)`
    assert len(sender.of("conversation_updated")) == 1


async def test_a_server_that_broadcasts_relays_too(live: Connect, doctor: Rest, conversation: int) -> None:
    marie, sender = await live(PATIENT, joined=conversation), await live(DOCTOR, joined=conversation)
    await doctor.send(conversation, "Bonjour")
    await sender.sio.emit("new_message", {"message": {"id_message": "1", "contenu": "forged"}})
    await marie.hear("new_message", 2)
    await sender.settle()
    assert [each["content"] for each in marie.of("new_message")] == ["Bonjour", "Bonjour"]
    assert len(marie.of("conversation_updated")) == len(sender.of("new_message")) == 1


@pytest.mark.parametrize("options", [RELAY_ONLY])
async def test_nobody_relays_the_messages_of_others(
    live: Connect, patient: Rest, server: MessagingServer, conversation: int
) -> None:
    marie, doctor, stranger = await live(PATIENT, joined=1), await live(DOCTOR, joined=1), await live(STRANGER)
    await patient.send(conversation, "secret")
    for client in (doctor, stranger, await live(("medecin", 5))):
        answer = await client.sio.call("new_message", forged())
        assert answer["status"] == "error"
        assert (await client.hear("error"))["event"] == "new_message"
    await marie.settle()
    assert marie.of("new_message") == doctor.of("new_message") == []


@pytest.mark.parametrize(
    "payload", [None, "x", [], {}, {"id": None}, {"id": "temp_1"}, forged(id=4711), {"message": 5}]
)
async def test_relays_of_nothing(live: Connect, conversation: int, payload: Any) -> None:
    client = await live(PATIENT, joined=conversation)
    await client.sio.emit("new_message", payload)
    assert (await client.hear("error"))["event"] == "new_message"
    await client.settle()
    assert client.of("new_message") == []


async def test_message_sent_is_noted_quietly(live: Connect, server: MessagingServer, conversation: int) -> None:
    client, other = await live(DOCTOR, joined=conversation), await live(PATIENT, joined=conversation)
    payload = {"message_id": 1, "conversation_id": conversation, "sender_id": 79, "timestamp": "x"}
    assert await client.sio.call("message_sent", payload) == {"status": "success"}
    await client.settle()
    await other.settle()
    assert client.of("message_sent") == other.of("message_sent") == []


# Sending over the socket


def draft(content: Any = "Bonjour", **more: Any) -> dict[str, Any]:
    return {"conversationId": 1, "message": {"id": "temp_1", "content": content, "type": "text"} | more}


async def test_send_message(live: Connect, server: MessagingServer, conversation: int) -> None:
    doctor, marie = await live(DOCTOR, joined=conversation), await live(PATIENT, joined=conversation)
    answer = await doctor.sio.call("send_message", draft(client_message_id="k1"))
    (stored,) = server.messages(conversation)
    told = {
        "message_id": 1,
        "conversation_id": 1,
        "client_message_id": "k1",
        "temp_id": "temp_1",
        "timestamp": stored["date_envoi"],
    }
    assert answer == {"status": "success"} | told
    assert await doctor.hear("message_sent") == told
    assert (await marie.hear("new_message"))["content"] == "Bonjour"
    assert (await doctor.hear("new_message"))["client_message_id"] == "k1"
    await marie.hear("notification")
    assert marie.of("message_sent") == []


async def test_a_repeated_send_message(live: Connect, server: MessagingServer, conversation: int) -> None:
    doctor = await live(DOCTOR, joined=conversation)
    for _ in range(2):
        await doctor.sio.emit("send_message", draft())
    await doctor.hear("message_sent", 2)
    assert [each["message_id"] for each in doctor.of("message_sent")] == [1, 1]
    assert server.messages(1)[0]["client_message_id"] == "temp_1"
    await doctor.settle()
    assert len(doctor.of("new_message")) == 1


async def test_send_message_in_rest_spelling(live: Connect, server: MessagingServer, conversation: int) -> None:
    doctor = await live(DOCTOR)
    message = {"id": 7, "contenu": "a", "type_message": "image"}
    await doctor.sio.emit("send_message", {"conversation_id": "1", "message": message})
    sent = await doctor.hear("message_sent")
    assert (sent["client_message_id"], sent["temp_id"]) == (None, None)
    assert [(each["contenu"], each["type_message"]) for each in server.messages(1)] == [("a", "image")]


@pytest.mark.parametrize(
    ("user", "payload"),
    [
        (STRANGER, draft()),
        (("medecin", 5), draft()),
        (DOCTOR, draft() | {"conversationId": 4711}),
        (DOCTOR, draft() | {"conversationId": None}),
        (DOCTOR, draft(" ")),
        (DOCTOR, draft(None)),
        (DOCTOR, draft("\ud800")),
        (DOCTOR, draft(type="x")),
        (DOCTOR, draft(client_message_id=5)),
        (DOCTOR, {"conversationId": 1, "message": "x"}),
        (DOCTOR, {"conversationId": 1}),
        (DOCTOR, "x"),
        (DOCTOR, None),
    ],
)
async def test_refused_send_messages(
    live: Connect, server: MessagingServer, conversation: int, user: Any, payload: Any
) -> None:
    client = await live(user)
    answer = await client.sio.call("send_message", payload)
    error = await client.hear("message_error")
    assert answer == {"status": "error"} | error
    is_draft = isinstance(payload, dict) and isinstance(payload.get("message"), dict)
    assert error["message_id"] == ("temp_1" if is_draft else None)
    assert error["message"]
    assert server.messages(conversation) == []


# Typing, presence, reading, creation


async def test_typing(live: Connect, server: MessagingServer, conversation: int) -> None:
    doctor, phone = await live(DOCTOR, joined=conversation), await live(DOCTOR, joined=conversation)
    marie, elsewhere = await live(PATIENT, joined=conversation), await live(PATIENT)
    await doctor.sio.emit("typing", {"conversationId": 1, "isTyping": True, "timestamp": "x", "userName": "forged"})
    event = await marie.hear("user_typing")
    assert set(event) == {"conversationId", "userId", "userName", "isTyping", "timestamp"}
    assert (event["conversationId"], event["userId"], event["userName"], event["isTyping"]) == (
        1,
        79,
        "Sakura Saza",
        True,
    )
    await phone.hear("user_typing")
    await doctor.sio.emit("typing", {"conversationId": 1, "isTyping": False})
    assert (await marie.hear("user_typing", 2))["isTyping"] is False
    for client in (doctor, elsewhere):
        await client.settle()
        assert client.of("user_typing") == []


async def test_strangers_do_not_type(live: Connect, conversation: int) -> None:
    marie, stranger = await live(PATIENT, joined=conversation), await live(STRANGER)
    await stranger.sio.emit("typing", {"conversationId": 1, "isTyping": True})
    await stranger.hear("error")
    await marie.settle()
    assert marie.of("user_typing") == []


async def test_presence(live: Connect, server: MessagingServer) -> None:
    watcher = await live(DOCTOR)
    first, second = await live(PATIENT), await live(PATIENT)
    marie = {"userId": 5, "userType": "patient", "userName": "Marie Dupont"}
    assert await watcher.hear("user_online", 2) == marie
    assert await first.hear("user_online") == marie  # to all, oneself included
    await second.settle()
    assert second.of("user_online") == []
    await first.close()
    await server.wait_until(lambda: len(server.connections()) == 2)
    await watcher.settle()
    assert watcher.of("user_offline") == []
    await second.close()
    assert await watcher.hear("user_offline") == marie
    assert len(watcher.of("user_online")) == 2


async def test_patient_and_doctor_of_one_id_are_two(live: Connect, server: MessagingServer) -> None:
    watcher = await live(DOCTOR)
    doctor_5 = await live(("medecin", 5))
    await live(PATIENT)
    await doctor_5.close()
    assert (await watcher.hear("user_offline"))["userType"] == "medecin"
    await watcher.settle()
    assert [each["userType"] for each in watcher.of("user_online")] == ["medecin", "medecin", "patient"]


async def test_reading_is_told_once_to_both(
    live: Connect, doctor: Rest, server: MessagingServer, conversation: int
) -> None:
    await server.say(conversation, "a", PATIENT, broadcast=False)
    clients = [await live(PATIENT), await live(DOCTOR)]
    for _ in range(2):
        await doctor("PATCH", "/messaging/messages/1/read")
    for client in clients:
        await client.settle()
        assert client.of("conversation_updated") == [{"conversationId": 1, "statut": "active", "reason": "read"}]
        assert client.of("notification") == []


async def test_creation_is_told(live: Connect, doctor: Rest) -> None:
    marie, creator, stranger = await live(PATIENT), await live(DOCTOR), await live(STRANGER)
    people = [{"participant_id": 5, "participant_type": "patient"}]
    for _ in range(2):
        await doctor.post("/messaging/conversation", {"titre": "Examen 3", "participants": people})
    for client in (marie, creator, stranger):
        await client.settle()
    assert marie.of("notification") == [{"type": "new_conversation", "conversationId": 1}]
    assert len(marie.of("conversation_updated")) == len(creator.of("conversation_updated")) == 1
    assert creator.of("notification") == stranger.of("notification") == stranger.of("conversation_updated") == []


# Authenticate


async def test_authenticate_is_answered(live: Connect) -> None:
    client = await live(DOCTOR)
    await client.sio.emit("authenticate", {"userId": "79", "userType": "medecin", "role": "medecin"})
    assert await client.hear("authenticated") == {"success": True, "userId": 79, "userType": "medecin"}
    await client.settle()
    assert len(client.of("user_online")) == 1


@pytest.mark.parametrize("options", [ServerOptions(authenticate_event=True)])
async def test_a_server_that_wants_authenticate(
    live: Connect, server: MessagingServer, doctor: Rest, conversation: int
) -> None:
    client = await live(PATIENT)
    await client.sio.emit("join_conversation", {"conversationId": 1})
    assert await client.hear("error") == {"event": "join_conversation", "message": "Authentification attendue"}
    await doctor.send(conversation, "unheard")
    assert server.rooms() == {}
    for payload in ({"userId": 6, "userType": "patient"}, {"userId": 5, "userType": "medecin"}, None, {"userId": 5}):
        await client.sio.emit("authenticate", payload)
    await client.hear("error", 5)
    assert server.rooms() == {}
    assert await client.sio.call("authenticate", {"userId": 5, "role": "patient"}) == {
        "success": True,
        "userId": 5,
        "userType": "patient",
    }
    assert [name for name, _ in client.heard if name != "error"] == ["user_online", "authenticated"]
    await client.sio.emit("join_conversation", {"conversationId": 1})
    await server.wait_until(lambda: server.members(1) == [PATIENT])


@pytest.mark.parametrize("options", [ServerOptions(authenticate_event=True)])
async def test_who_never_authenticated_never_goes_offline(live: Connect, server: MessagingServer) -> None:
    watcher = await live(DOCTOR)
    await watcher.sio.call("authenticate", {"userId": 79, "userType": "medecin"})
    await (await live(PATIENT)).close()
    await server.wait_until(lambda: len(server.connections()) == 1)
    await watcher.settle()
    assert watcher.of("user_offline") == []


# Events of the user's own


@pytest.mark.parametrize("options", [ServerOptions(relay_events=["webrtc_offer"])])
async def test_own_events_go_to_the_room(live: Connect, server: MessagingServer, conversation: int) -> None:
    marie, doctor = await live(PATIENT, joined=conversation), await live(DOCTOR, joined=conversation)
    outside = await live(PATIENT)
    offer = {"conversationId": "1", "sdp": {"type": "offer", "list": [1, None, "é"]}}
    await doctor.sio.emit("webrtc_offer", offer)
    assert await marie.hear("webrtc_offer") == offer
    await doctor.sio.emit("webrtc_offer", (offer, "more", 5))
    assert await marie.hear("webrtc_offer", 2) == (offer, "more", 5)
    await doctor.sio.emit("webrtc_answer", offer)  # not among them
    for client in (marie, doctor, outside):
        await client.settle()
        assert client.of("webrtc_answer") == []
    assert doctor.of("webrtc_offer") == outside.of("webrtc_offer") == []


@pytest.mark.parametrize("options", [ServerOptions(relay_events=["webrtc_offer"])])
@pytest.mark.parametrize("payload", [None, {}, "x", {"conversationId": 2}, {"conversationId": [1]}])
async def test_own_events_need_a_joined_conversation(live: Connect, conversation: int, payload: Any) -> None:
    marie, doctor = await live(PATIENT, joined=conversation), await live(DOCTOR, joined=conversation)
    await doctor.sio.emit("webrtc_offer", payload)
    assert (await doctor.hear("error"))["event"] == "webrtc_offer"
    await marie.settle()
    assert marie.of("webrtc_offer") == []


@pytest.mark.parametrize("options", [ServerOptions(relay_events=["webrtc_offer"])])
@pytest.mark.parametrize("value", [float("nan"), b"bytes"])
async def test_own_events_are_json(live: Connect, conversation: int, value: Any) -> None:
    doctor = await live(DOCTOR, joined=conversation)
    await doctor.sio.emit("webrtc_offer", {"conversationId": 1, "value": value})
    assert (await doctor.hear("error"))["message"] == "Contenu non transmissible en JSON"


# What is noted, and what goes wrong inside


async def test_events_are_noted_without_their_payloads(
    live: Connect, server: MessagingServer, conversation: int
) -> None:
    client = await live(PATIENT)
    await client.sio.emit("join_conversation", {"conversationId": "1"})
    await client.sio.emit("whatever", {"secret": 1})
    await server.wait_until(lambda: len(server.events) == 2)
    sid = client.sio.get_sid()
    assert server.events == (
        EventRecord("join_conversation", Identity(*PATIENT), sid, 1),
        EventRecord("whatever", Identity(*PATIENT), sid, None),
    )


async def test_an_error_inside_is_logged_and_the_next_event_comes(
    live: Connect, server: MessagingServer, conversation: int, monkeypatch: Any, caplog: Any
) -> None:
    client = await live(PATIENT)

    async def fails(*args: Any, **kwargs: Any) -> None:
        raise KeyError("inside")

    with monkeypatch.context() as patched:
        patched.setattr("messaging_client.testing.realtime.Realtime.tell_typing", fails)
        assert await client.sio.call("typing", {"conversationId": 1, "isTyping": True}) is None
    assert "'typing' of a client could not be handled" in caplog.text
    await client.settle()


ODD = ["4", "42", "42{", "42[]", "42[5]", '42["a"', "49", "4999", "40", '40{"token":"x"}', "9", "41/x", "43[]"]


@pytest.mark.parametrize("frame", ODD)
async def test_odd_frames_do_not_hurt(live: Connect, server: MessagingServer, frame: str) -> None:
    client = await live(PATIENT)
    await client.sio.eio._send_packet(_Frame(frame))
    await client.settle()
    assert len(server.connections()) == 1
    assert len(client.of("user_online")) == 1


@pytest.mark.parametrize("frame", ["", "x", "é"])
async def test_a_frame_that_is_no_packet_ends_the_connection(
    live: Connect, server: MessagingServer, frame: str, caplog: Any
) -> None:
    watcher, client = await live(DOCTOR), await live(PATIENT)
    tasks = len(asyncio.all_tasks())
    await client.sio.eio._send_packet(_Frame(frame))
    assert (await watcher.hear("user_offline"))["userId"] == 5
    await asyncio.wait_for(client.gone.wait(), 20)
    await server.wait_until(lambda: len(server.connections()) == 1)
    assert "odd frame" in caplog.text
    await client.close()
    await watcher.settle()
    assert len(asyncio.all_tasks()) < tasks


async def test_odd_frames_hurt_nobody_else(live: Connect, server: MessagingServer, conversation: int) -> None:
    marie, odd = await live(PATIENT, joined=conversation), await live(DOCTOR)
    for frame in ("45", '451-["a"]', '42["a",{"_placeholder":true,"num":7}]', "1", "2"):
        await odd.sio.eio._send_packet(_Frame(frame))
    await server.say(conversation, "a", DOCTOR)
    await marie.hear("new_message")


class _Frame:
    """A packet that encodes to whatever it was given."""

    packet_type = 4
    data = ""
    binary = False

    def __init__(self, frame: str) -> None:
        self.frame = frame

    def encode(self, **kwargs: Any) -> str:
        return self.frame


async def test_nothing_private_is_logged(
    live: Connect, server: MessagingServer, doctor: Rest, conversation: int, caplog: Any
) -> None:
    with caplog.at_level(1):
        for name in ("uvicorn", "uvicorn.error", "engineio.server", "socketio.server", "messaging_client"):
            caplog.set_level(1, name)
        token = server.token(*PATIENT)
        marie = await live(PATIENT, joined=conversation, token=token)
        await doctor.send(conversation, "un secret médical")
        await marie.sio.call("send_message", draft("un autre secret"))
        await marie.hear("new_message", 2)
    # The bare clients of this test log what they like; nothing of the server's may
    lines = [record.getMessage() for record in caplog.records if not record.name.endswith(".client")]
    text = json.dumps(lines, ensure_ascii=False)
    assert "secret" not in text
    assert token not in text
    assert doctor.token is not None
    assert doctor.token not in text
