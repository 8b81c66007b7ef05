"""The real socket.io-client and axios at the embedded server, in conversation with the SDK; both sides' views."""

from __future__ import annotations

from typing import Any

import pytest

from messaging_client import (
    ConnectionChange,
    ConversationSession,
    Message,
    MessageStatus,
    Notification,
    PresenceEvent,
    TypingEvent,
    UserType,
)
from tests.interop.javascript_client import PATIENCE, JavaScriptClient
from tests.interop.node_process import NodeError
from tests.interop.switches import TenfoldClock
from tests.scenes import DOCTOR, OTHER_DOCTOR, PATIENT, Scene, contents
from tests.scenes import until as until_within

SERVERS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "as it comes": ({}, {}, {}),
    "relays only": ({"broadcast_on_post": False}, {}, {}),
    "wrapped": ({"event_spelling": "wrapped"}, {}, {}),
    "bare answers": ({"answers": "bare"}, {}, {}),
    "bare id in join": ({"join_payload": "id"}, {"join_payload": "id"}, {"bareId": True}),
    "authenticate event": ({"authenticate_event": True}, {"authenticate_event": True}, {"authenticate": True}),
}
"""Options of the server, of the client in Python, of that in JavaScript."""


async def until(session: ConversationSession, predicate: Any) -> None:
    await until_within(session, predicate, PATIENCE)


async def both_joined(scene: Scene) -> None:
    await scene.server.wait_until(lambda: len(scene.server.members(scene.conversation)) == 2, PATIENCE)


@pytest.mark.parametrize("kind", SERVERS)
async def test_a_conversation_both_ways(kind: str) -> None:
    options, settings, javascript = SERVERS[kind]
    async with Scene(**options) as scene, JavaScriptClient(scene.server, PATIENT, **javascript) as patient:
        await scene.fill(2)
        # What comes, comes by events: nothing else is read but what a join wants
        doctor = await scene.client(DOCTOR, verify_interval=1000.0, settle_delay=0.05, **settings)

        # Presence, of each at the other's
        async with doctor.expect(PresenceEvent, lambda event: event.user_id == 5, timeout=PATIENCE) as came:
            await patient.call("connect")
        event = await came
        assert (event.user_type, event.user_id, event.status) == (UserType.PATIENT, 5, "online")
        await patient.until(lambda: patient.payloads("user_online"))

        # What was there before
        await patient.call("joinConversation", scene.conversation)
        session = await scene.session(doctor)
        await both_joined(scene)
        assert [each["content"] for each in await patient.call("getConversationMessages", scene.conversation)] == [
            "m1",
            "m2",
        ]
        assert contents(session) == ["m1", "m2"]

        # Messages
        spoken = ["m1", "m2"]
        for number in range(3):
            spoken.append(f"du docteur {number}")
            sent = await session.send(spoken[-1])
            await patient.until_sees(spoken)
            assert (await patient.view())[-1]["id"] == sent.id
            assert (await patient.view())[-1]["sender"] == "medecin 79"
            spoken.append(f"du patient {number}")
            said = await patient.call("sendMessage", scene.conversation, spoken[-1])
            await until(session, lambda: contents(session) == spoken)
            await patient.until_sees(spoken)
            assert (session.messages[-1].id, session.messages[-1].sender.display_name) == (said["id"], "Marie Dupont")
        assert [each["contenu"] for each in scene.server.messages(scene.conversation)] == spoken

        # Typing
        await patient.call("emitTyping", scene.conversation, True)
        await until(session, lambda: [each.display_name for each in session.typing_users] == ["Marie Dupont"])
        await patient.call("emitTyping", scene.conversation, False)
        await until(session, lambda: not session.typing_users)
        before = len(patient.payloads("user_typing"))
        await session.set_typing(True)
        await session.set_typing(False)
        await patient.until(lambda: len(patient.payloads("user_typing")) == before + 2)
        told = patient.payloads("user_typing")[before:]
        assert [(each["conversationId"], each["userId"], each["isTyping"]) for each in told] == [
            (scene.conversation, 79, True),
            (scene.conversation, 79, False),
        ]

        # Going
        async with doctor.expect(PresenceEvent, lambda event: event.user_id == 5, timeout=PATIENCE) as left:
            await patient.call("disconnect")
        assert (await left).status == "offline"


async def test_read_marks_on_both_sides() -> None:
    async with Scene() as scene, JavaScriptClient(scene.server, PATIENT) as patient:
        await patient.call("connect")
        await patient.call("joinConversation", scene.conversation)
        # A notice of a mark is read at most every 2 s, by the client's clock
        session = await scene.session(await scene.client(DOCTOR, clock=TenfoldClock(), connect_timeout=300.0))
        sent = await session.send("lisez-moi")
        await patient.until_sees(["lisez-moi"])

        # The patient reads: the doctor sees it
        assert (await patient.call("markMessageAsRead", sent.id))["isRead"]
        await until(session, lambda: session.messages[0].status is MessageStatus.READ)

        # The doctor reads: the patient is told to read the conversation again, and sees it
        said = await patient.call("sendMessage", scene.conversation, "lu ?")
        await until(session, lambda: len(session.messages) == 2)
        before = len(patient.payloads("conversation_updated"))
        await session.mark_as_read(session.messages[-1])
        await patient.until(lambda: len(patient.payloads("conversation_updated")) > before)
        await patient.call("getConversationMessages", scene.conversation)
        assert [(each["id"], each["isRead"]) for each in await patient.view()] == [(sent.id, True), (said["id"], True)]
        assert session.unread_count == 0


async def test_notifications_and_new_conversations_on_both_sides() -> None:
    async with Scene() as scene, JavaScriptClient(scene.server, PATIENT) as patient:
        doctor = await scene.client(DOCTOR)
        await patient.call("connect")

        async with doctor.expect(Notification, lambda event: event.type == "new_conversation", timeout=PATIENCE) as new:
            people = [{"participant_id": number, "participant_type": kind} for kind, number in (PATIENT, DOCTOR)]
            made = await patient.call("createConversation", "Messages - Examen 23", people)
        assert (await new).conversation_id == made
        found = await doctor.find_or_create_conversation("examen", 23, patient_id=5)
        assert found.id == made

        async with doctor.expect(Notification, lambda event: event.type == "new_message", timeout=PATIENCE) as told:
            await patient.call("sendMessage", made, "bonjour")
        assert (await told).conversation_id == made

        def told_patient() -> list[tuple[str, int]]:
            return [(each["type"], each["conversationId"]) for each in patient.payloads("notification")]

        await doctor.send_message_to_conversation(made, "bonsoir")
        await patient.until(lambda: ("new_message", made) in told_patient())
        created = await doctor.create_conversation_from_context("consultation", 7, patient_id=5, medecin_id=79)
        await patient.until(lambda: ("new_conversation", created.id) in told_patient())
        listed = {each.get("id_conversation", each.get("id")) for each in await patient.call("getConversations")}
        assert listed == {scene.conversation, made, created.id}


async def test_sends_over_the_socket_are_heard_on_the_other_side() -> None:
    async with Scene() as scene, JavaScriptClient(scene.server, PATIENT) as patient:
        await patient.call("connect")
        await patient.call("joinConversation", scene.conversation)
        doctor = await scene.client(DOCTOR)
        session = await scene.session(doctor)
        await both_joined(scene)
        await patient.call("sendMessageViaWebSocket", scene.conversation, "par le socket")
        await until(session, lambda: contents(session) == ["par le socket"])
        await patient.until(lambda: patient.payloads("message_sent"))
        assert patient.payloads("message_sent")[0]["message_id"] == session.messages[0].id
        sent = await doctor.send_message_via_websocket(scene.conversation, "moi aussi")
        await patient.until_sees(["par le socket", "moi aussi"])
        assert (await patient.view())[-1]["id"] == sent.message_id


async def test_both_come_back_after_a_cut_and_go_on() -> None:
    async with Scene() as scene, JavaScriptClient(scene.server, PATIENT) as patient:
        await patient.call("connect")
        await patient.call("joinConversation", scene.conversation)
        doctor = await scene.client(DOCTOR, reconnection_delay=0.02, reconnection_delay_max=0.1, settle_delay=0.3)
        session = await scene.session(doctor)
        await both_joined(scene)
        async with doctor.expect(
            ConnectionChange, lambda change: change.state == "connected", timeout=PATIENCE
        ) as back:
            await scene.server.faults.cut()
            await scene.say("pendant la coupure", PATIENT)
        await back
        await patient.until(lambda: len(patient.payloads("connect")) == 2)
        # Unlike the SDK, it neither joins its rooms again nor reads what it missed (wire protocol, section 6)
        await patient.call("joinConversation", scene.conversation)
        await patient.call("getConversationMessages", scene.conversation)
        await both_joined(scene)
        await session.send("revenu")
        await patient.call("sendMessage", scene.conversation, "moi aussi")
        spoken = ["pendant la coupure", "revenu", "moi aussi"]
        await until(session, lambda: contents(session) == spoken)
        await patient.until_sees(spoken)


async def test_who_may_not_is_refused_in_the_same_words_on_both_sides() -> None:
    async with Scene() as scene:
        async with JavaScriptClient(scene.server, PATIENT, token="eyJh.eyJh.x") as forger:
            with pytest.raises(NodeError, match="Authentication error"):
                await forger.call("connect")
            with pytest.raises(NodeError) as refused:
                await forger.call("getConversationMessages", scene.conversation)
            assert refused.value.status == 401
        async with JavaScriptClient(scene.server, OTHER_DOCTOR) as stranger:
            await stranger.call("connect")
            await stranger.call("joinConversation", scene.conversation)
            await stranger.until(lambda: stranger.payloads("error"))
            with pytest.raises(NodeError) as refused:
                await stranger.call("sendMessage", scene.conversation, "coucou")
            assert refused.value.status == 403
            doctor = await scene.client(DOCTOR)
            session = await scene.session(doctor)
            async with doctor.expect(Message, timeout=PATIENCE) as heard:
                await scene.say("entre nous")
            await heard
            assert not stranger.payloads("new_message")
            assert contents(session) == ["entre nous"]


async def test_a_typing_event_of_the_sdk_has_the_fields_that_the_javascript_client_reads() -> None:
    async with Scene() as scene, JavaScriptClient(scene.server, PATIENT) as patient:
        await patient.call("connect")
        await patient.call("joinConversation", scene.conversation)
        doctor = await scene.client(DOCTOR)
        await doctor.join_conversation(scene.conversation)
        await both_joined(scene)
        async with doctor.expect(TypingEvent, timeout=PATIENCE) as typing:
            await patient.call("emitTyping", scene.conversation, True)
        assert (await typing).user_name == "Marie Dupont"
        await doctor.emit_typing(scene.conversation, True)
        await patient.until(lambda: patient.payloads("user_typing"))
        told = patient.payloads("user_typing")[-1]
        assert set(told) == {"conversationId", "userId", "userName", "isTyping", "timestamp"}
        assert told["userName"] == "Sakura Saza"
