"""What a session shows: the conversation, its people, its messages in order, and what changes in them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from scenes import DOCTOR, LONG_AGO, OTHER_DOCTOR, PATIENT, TIMEOUT, Scene, contents, until

from messaging_client import (
    ContextType,
    Message,
    MessageStatus,
    MessageType,
    ServerError,
    UserType,
    ValidationFailed,
)
from messaging_client.testing import ManualClock

# --- opening ---------------------------------------------------------------------------------------------------------


async def test_opens_the_conversation_of_a_context() -> None:
    async with Scene() as scene:
        await scene.fill(2)
        client = await scene.client(DOCTOR)
        async with await client.open_conversation("ordonnance", 15, patient_id=5) as session:
            assert session.conversation_id == scene.conversation
            assert session.conversation is not None
            assert (session.context_type, session.context_id) == (ContextType.ORDONNANCE, 15)
            assert contents(session) == ["m1", "m2"]
            assert (session.is_medecin, session.is_patient) == (True, False)
            assert (session.current_user.type, session.current_user.id) == (UserType.MEDECIN, 79)
            assert session.is_connected
            assert not session.loading
            assert session.error is None
            assert repr(session) == f"<ConversationSession {scene.conversation}>"


@pytest.mark.parametrize(("user", "person"), [(DOCTOR, {"patient_id": 5}), (PATIENT, {"medecin_id": 79})])
async def test_creates_the_conversation_of_a_context_once(user: tuple[str, int], person: dict[str, int]) -> None:
    async with Scene() as scene:
        client = await scene.client(user)
        async with await client.open_conversation("examen", 23, **person) as session:
            assert session.conversation_id != scene.conversation
            assert (session.context_type, session.context_id) == (ContextType.EXAMEN, 23)
            assert contents(session) == []
            assert not await session.load_older()
        again = await client.open_conversation("examen", "23", **person)
        assert again.conversation_id == session.conversation_id


async def test_a_conversation_that_must_be_created_needs_the_other_person() -> None:
    async with Scene() as scene:
        client = await scene.client(DOCTOR)
        with pytest.raises(ValidationFailed, match="patient_id"):
            await client.open_conversation("examen", 23)


async def test_context_info_has_the_description_of_the_context() -> None:
    async with Scene() as scene:
        scene.server.add_context("ordonnance", 15, patient_id=5, medecin_id=79, description="Levothyrox 75 µg")
        session = await scene.session(await scene.client())
        await until(session, lambda: session.context_info.description)
        assert (session.context_info.title, session.context_info.description) == ("Ordonnance 15", "Levothyrox 75 µg")


async def test_context_info_without_a_context() -> None:
    async with Scene() as scene:
        other = await scene.server.create_conversation("Suivi", [PATIENT, DOCTOR])
        session = await scene.session(await scene.client(), other)
        assert (session.context_info.title, session.context_info.description) == (f"Consultation {other}", None)


async def test_servers_that_give_messages_alone_still_have_the_conversation_that_was_opened() -> None:
    async with Scene(answers="bare") as scene:
        await scene.fill(1)
        bare = {"messages": [{"id": 7, "contenu": "seul", "expediteur_id": 5, "expediteur_type": "patient"}]}
        client = await scene.client()
        opened = await client.open_conversation("ordonnance", 15)
        scene.server.faults.answer("messages", 200, body=bare, count=None)
        async with opened as session:
            assert session.context_id == 15
            assert contents(session) == ["seul"]


# --- history ---------------------------------------------------------------------------------------------------------


async def test_loads_older_pages_until_the_beginning() -> None:
    async with Scene() as scene:
        await scene.fill(120)
        session = await scene.session(await scene.client())
        assert contents(session) == [f"m{n}" for n in range(71, 121)]
        requests = scene.requests("messages")
        assert await session.load_older() == 50
        assert await session.load_older() == 20
        assert scene.requests("messages") == requests + 2
        assert contents(session) == [f"m{n}" for n in range(1, 121)]
        requests = scene.requests("messages")
        assert await session.load_older() == 0
        assert scene.requests("messages") == requests


async def test_load_older_skips_what_came_in_meanwhile() -> None:
    async with Scene() as scene:
        await scene.fill(110)
        session = await scene.session(await scene.client())
        for number in range(111, 181):
            await scene.say(f"m{number}", at=LONG_AGO + timedelta(seconds=number))
        await until(session, lambda: contents(session)[-1:] == ["m180"])
        while await session.load_older():
            pass
        assert contents(session) == [f"m{n}" for n in range(1, 181)]


async def test_load_older_that_failed_is_repeated() -> None:
    async with Scene() as scene:
        await scene.fill(120)
        session = await scene.session(await scene.client(max_retries=0))
        scene.server.faults.answer("messages", 500)
        with pytest.raises(ServerError):
            await session.load_older()
        both = await asyncio.gather(session.load_older(), session.load_older())
        assert sum(both) == 70
        assert contents(session) == [f"m{n}" for n in range(1, 121)]


async def test_refresh_reads_what_was_told_to_nobody() -> None:
    async with Scene() as scene:
        session = await scene.session(await scene.client(verify_interval=600.0))
        await scene.say("silent", broadcast=False)
        assert contents(session) == []
        reading = asyncio.create_task(session.refresh())
        await until(session, lambda: session.loading)
        await reading
        assert not session.loading
        assert contents(session) == ["silent"]


async def test_error_of_a_refresh_is_kept_until_one_succeeds() -> None:
    async with Scene() as scene:
        session = await scene.session(await scene.client(max_retries=0))
        scene.server.faults.answer("messages", 500)
        with pytest.raises(ServerError):
            await session.refresh()
        assert isinstance(session.error, ServerError)
        assert not session.loading
        await session.refresh()
        assert session.error is None


async def test_error_of_a_read_in_the_background_is_shown() -> None:
    async with Scene() as scene:
        clock = ManualClock()
        session = await scene.session(await scene.client(clock=clock, max_retries=0))
        scene.server.faults.answer("messages", 500)
        await scene.server.set_status(scene.conversation, "active")
        await until(session, lambda: session.error is not None)
        await scene.server.set_status(scene.conversation, "archivée")
        await clock.wait_for_sleepers()
        await clock.advance(2.0)
        await until(session, lambda: session.error is None)
        assert session.conversation is not None
        assert session.conversation.status == "archived"


async def test_notices_in_a_burst_cause_few_reads() -> None:
    async with Scene() as scene:
        clock = ManualClock()
        session = await scene.session(await scene.client(clock=clock))
        before = scene.requests("messages")
        for _ in range(20):
            await scene.server.set_status(scene.conversation, "archivée")
        await until(session, lambda: session.conversation.status == "archived")
        assert scene.requests("messages") == before + 1
        await clock.advance(2.0)
        await scene.server.wait_until(lambda: scene.requests("messages") == before + 2)


# --- people ----------------------------------------------------------------------------------------------------------


async def test_participants_have_the_names_that_come_along() -> None:
    async with Scene() as scene:
        session = await scene.session(await scene.client())
        assert [(each.type, each.id, each.display_name) for each in session.participants] == [
            (UserType.PATIENT, 5, "Marie Dupont"),
            (UserType.MEDECIN, 79, "Dr. Sakura Saza"),
        ]
        assert scene.requests("user") == 0


async def test_names_that_do_not_come_along_are_asked_for_once_in_a_minute() -> None:
    nameless = {"participants": [{"id": 5, "type": "patient"}, {"id": 79, "type": "medecin"}]}
    spoken = {"id": 1, "contenu": "x", "expediteur_id": 5, "expediteur_type": "patient", "date_envoi": "2025-01-01"}
    async with Scene() as scene:
        clock = ManualClock()
        client = await scene.client(clock=clock)
        scene.server.faults.answer(
            "messages", 200, body={"status": "success", "data": {"messages": [spoken]}}, count=None
        )
        scene.server.faults.answer("participants", 200, body={"status": "success", "data": nameless}, count=None)
        async with client.conversation(scene.conversation) as session:
            assert [each.display_name for each in session.participants] == ["Patient #5", "Médecin #79"]
            await until(session, lambda: all(each.is_named for each in session.participants))
            assert session.messages[0].sender.name == "Marie Dupont"
            await session.refresh()
            assert session.messages[0].sender.name == "Marie Dupont"
        asked = scene.requests("user")
        assert asked == 2
        async with client.conversation(scene.conversation) as session:
            await until(session, lambda: session.participants[0].is_named)
        assert scene.requests("user") == asked


async def test_somebody_whom_the_server_does_not_name_is_asked_for_again_after_a_minute() -> None:
    async with Scene() as scene:
        clock = ManualClock()
        other = await scene.server.create_conversation("Suivi", [PATIENT, OTHER_DOCTOR])
        session = await scene.session(await scene.client(PATIENT, clock=clock), other)
        await scene.server.wait_until(lambda: scene.requests("user") == 1)
        await session.refresh()
        await session.refresh()
        assert scene.requests("user") == 1
        scene.server.add_user(*OTHER_DOCTOR, prenom="Zoé", nom="Petit")
        assert session.participants[1].display_name == "Médecin #80"
        await clock.advance(60.0)
        await session.refresh()
        await until(session, lambda: session.participants[1].display_name == "Dr. Zoé Petit")


async def test_somebody_whom_the_server_does_not_know_is_not_asked_for_at_every_read() -> None:
    async with Scene() as scene:
        other = await scene.server.create_conversation("Suivi", [PATIENT, OTHER_DOCTOR])
        scene.server.faults.answer("user", 404, count=None)
        session = await scene.session(await scene.client(PATIENT, clock=ManualClock()), other)
        await scene.server.wait_until(lambda: scene.requests("user") == 2)  # the route for any user, that for doctors
        for _ in range(3):
            await session.refresh()
        assert scene.requests("user") == 2
        assert session.participants[1].display_name == "Médecin #80"


async def test_a_name_that_was_refused_once_is_asked_for_at_the_next_read() -> None:
    async with Scene() as scene:
        scene.server.add_user(*OTHER_DOCTOR, prenom="Zoé", nom="Petit")
        nameless = {"participants": [{"id": 5, "type": "patient"}, {"id": 80, "type": "medecin"}]}
        scene.server.faults.answer("messages", 200, body={"messages": []}, count=None)
        scene.server.faults.answer("participants", 200, body={"status": "success", "data": nameless}, count=None)
        scene.server.faults.answer("user", 403, count=2)
        session = await scene.session(await scene.client(PATIENT))
        await scene.server.wait_until(lambda: [each.status for each in scene.server.requests].count(403) == 2)
        await session.refresh()
        await until(session, lambda: session.participants[1].display_name == "Dr. Zoé Petit")


async def test_participants_who_leave_are_gone() -> None:
    async with Scene() as scene:
        three = await scene.server.create_conversation("Staff", [PATIENT, DOCTOR, OTHER_DOCTOR])
        session = await scene.session(await scene.client(), three)
        assert len(session.participants) == 3
        fewer = {"id": three, "participants": [{"id": 5, "type": "patient"}, {"id": 79, "type": "medecin"}]}
        data = {"status": "success", "data": {"conversation": fewer, "messages": []}}
        scene.server.faults.answer("messages", 200, body=data)
        await session.refresh()
        assert [each.id for each in session.participants] == [5, 79]


# --- messages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["event", "rest", "wrapped"])
async def test_messages_of_others_come_live_in_order(spelling: str) -> None:
    async with Scene(event_spelling=spelling) as scene:
        session = await scene.session(await scene.client())
        await scene.say("un")
        await scene.say("deux", DOCTOR)
        await until(session, lambda: len(session.messages) == 2)
        assert contents(session) == ["un", "deux"]
        assert [session.is_own(each) for each in session.messages] == [False, True]
        assert [each.sender.display_name for each in session.messages] == ["Marie Dupont", "Dr. Sakura Saza"]


async def test_a_late_message_stands_in_its_place() -> None:
    async with Scene() as scene:
        session = await scene.session(await scene.client())
        await scene.say("trois", at=LONG_AGO + timedelta(seconds=3))
        await session.wait_for_message(timeout=TIMEOUT)
        await scene.say("deux", at=LONG_AGO + timedelta(seconds=2))
        await session.wait_for_message(timeout=TIMEOUT)
        await session.refresh()
        assert [(each.content, each.late) for each in session.messages] == [("deux", True), ("trois", False)]


async def test_a_repeated_event_changes_a_message_in_place() -> None:
    async with Scene() as scene:
        session = await scene.session(await scene.client())
        told = {
            "id": 900,
            "conversationId": scene.conversation,
            "sender": {"id": 79, "type": "medecin"},
            "timestamp": "2025-01-01T10:00:00Z",
        }

        async def tell(content: str, status: str) -> None:
            payload = told | {"content": content, "status": status}
            await scene.server.emit("new_message", payload, conversation_id=scene.conversation)

        def seen() -> list[tuple[str, str]]:
            return [(each.content, each.status.value) for each in session.messages]

        await tell("brouillon", "sent")
        await until(session, lambda: seen() == [("brouillon", "sent")])
        await tell("corrigé", "delivered")
        await until(session, lambda: seen() == [("corrigé", "delivered")])
        await tell("corrigé", "read")
        await until(session, lambda: seen() == [("corrigé", "read")])
        await tell("encore", "sent")
        await until(session, lambda: seen() == [("encore", "read")])
        await tell("encore", "quelconque")
        await tell("fin", "livré")
        await until(session, lambda: seen() == [("fin", "read")])


async def test_own_messages_from_another_device_come_too() -> None:
    async with Scene() as scene:
        session = await scene.session(await scene.client())
        phone = await scene.client()
        await phone.send_message_to_conversation(scene.conversation, "du téléphone", "document")
        await until(session, lambda: len(session.messages) == 1)
        (message,) = session.messages
        assert (message.content, message.type, session.is_own(message)) == ("du téléphone", MessageType.DOCUMENT, True)
        assert session.unread_count == 0


async def test_stays_whole_across_a_restart_of_the_server() -> None:
    async with Scene() as scene:
        client = await scene.client(reconnection_delay=0.05, reconnection_delay_max=0.1)
        session = await scene.session(client)
        connected: list[bool] = []
        with session.on_change(lambda each: connected.append(each.is_connected)):
            await scene.say("avant")
            await until(session, lambda: contents(session) == ["avant"])
            await scene.server.stop()
            await until(session, lambda: not session.is_connected)
            await scene.say("pendant")
            await scene.server.start()
            await until(session, lambda: contents(session) == ["avant", "pendant"])
            await until(session, lambda: session.is_connected)
        assert False in connected
        assert connected[-1]
        await scene.server.wait_until(lambda: scene.server.members(scene.conversation))
        await scene.say("après")
        await until(session, lambda: contents(session) == ["avant", "pendant", "après"])


async def test_a_read_mark_made_while_the_connection_was_lost_is_seen() -> None:
    async with Scene() as scene:
        client = await scene.client(reconnection_delay=0.05, reconnection_delay_max=0.1)
        stored = await scene.say("bonjour", DOCTOR)
        session = await scene.session(client)
        await scene.server.stop()
        await until(session, lambda: not session.is_connected)
        await scene.server.mark_read(stored["id_message"], PATIENT)
        await scene.server.start()
        await until(session, lambda: session.messages[0].status is MessageStatus.READ)
        assert session.messages[0].read_at is not None


@pytest.mark.parametrize("ids", [("temp_k", 900), (900, "temp_k")], ids=["relay first", "relay last"])
async def test_a_message_that_was_relayed_under_a_temporary_id_stands_there_once(ids: tuple[int | str, ...]) -> None:
    async with Scene() as scene:
        client = await scene.client(DOCTOR)
        session = await scene.session(client)
        stream = client.events(Message)
        told = {"conversation_id": scene.conversation, "content": "x", "sender": {"id": 5, "type": "patient"}}
        for each in (*ids, 901):
            payload = told | {"id": each, "client_message_id": "l" if each == 901 else "k"}
            await scene.server.emit("new_message", payload, conversation_id=scene.conversation)
        async with asyncio.timeout(TIMEOUT):
            while (await anext(stream)).id != 901:
                pass
        assert sorted(message.id for message in session.messages) == [900, 901]
        assert session.unread_count == 2
