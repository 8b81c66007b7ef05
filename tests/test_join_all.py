"""`join_all`: every conversation of the user, those that come to be later included."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from scenes import DOCTOR, PATIENT, TIMEOUT, Scene

from messaging_client import ConversationUpdated, Message, Participant, UserType
from messaging_client.dispatch import EventStream


async def test_present_and_later_conversations_are_heard_from_their_first_message_on() -> None:
    async with Scene() as scene:
        await scene.fill(2)
        client = await scene.client()
        messages = client.events(Message)
        await client.join_all()
        await scene.say("présent")
        for number in range(3):
            later = await scene.server.create_conversation(f"Suivi {number}", [PATIENT, DOCTOR])
            await scene.server.say(later, f"premier de {number}", PATIENT)
        async with asyncio.timeout(TIMEOUT):
            came = [(await anext(messages)).content for _ in range(4)]
        # Each conversation is joined by itself: the order holds within one.
        assert sorted(came) == sorted(["présent", *(f"premier de {number}" for number in range(3))])
        await scene.server.wait_until(lambda: len([each for each in scene.server.rooms() if ":" in each]) >= 5)


async def test_one_created_while_the_connection_was_lost_is_heard_too() -> None:
    async with Scene() as scene:
        client = await scene.client(reconnection_delay=0.05, reconnection_delay_max=0.1, fallback_poll_interval=0.1)
        messages = client.events(Message)
        await client.join_all()
        await scene.server.stop()
        later = await scene.server.create_conversation("Suivi", [PATIENT, DOCTOR])
        await scene.server.say(later, "pendant", PATIENT)
        await scene.server.start()
        async with asyncio.timeout(TIMEOUT):
            assert (await anext(messages)).content == "pendant"


async def test_conversations_of_others_are_not_joined() -> None:
    async with Scene() as scene:
        strangers = await scene.server.create_conversation("Autres", [("patient", 6), ("medecin", 80)])
        client = await scene.client()
        await client.join_all()
        await scene.server.wait_until(lambda: scene.server.members(scene.conversation))
        assert not scene.server.members(strangers)


QUICK = {"reconnection_delay": 0.05, "reconnection_delay_max": 0.1, "settle_delay": 0.2, "max_retries": 0}


async def contents_of(messages: EventStream[Message], last: str) -> list[str]:
    """The texts that were told, up to that one."""
    came = [""]
    async with asyncio.timeout(TIMEOUT):
        while came[-1] != last:
            came.append((await anext(messages)).content)
    return came[1:]


async def archived(scene: Scene) -> int:
    """A conversation that no list shows, with messages that were not read."""
    other = await scene.server.create_conversation("Archives", [PATIENT, DOCTOR])
    await scene.fill(60, conversation_id=other)
    await scene.server.set_status(other, "archivée")
    return other


async def test_a_list_that_fails_is_read_again_while_connected() -> None:
    async with Scene() as scene:
        client = await scene.client(**QUICK)
        messages = client.events(Message)
        scene.server.faults.answer("conversations", 500, count=2)
        await scene.fill(60)
        await client.join_all()
        await scene.say("depuis")
        await scene.server.wait_until(lambda: scene.server.members(scene.conversation))
        await scene.say("entendu")
        assert await contents_of(messages, "entendu") == ["depuis", "entendu"]


async def test_a_list_that_fails_after_a_reconnection_is_read_again() -> None:
    async with Scene() as scene:
        client = await scene.client(**QUICK, fallback_poll_interval=1000.0)
        messages = client.events(Message)
        await client.join_all()
        scene.server.faults.drop_events("notification", count=None)
        scene.server.faults.drop_events("conversation_updated", count=None)
        await scene.server.stop()
        later = await scene.server.create_conversation("Suivi", [PATIENT, DOCTOR])
        await scene.server.say(later, "pendant", PATIENT)
        scene.server.faults.answer("conversations", 500, count=2)
        await scene.server.start()
        assert await contents_of(messages, "pendant") == ["pendant"]


async def test_a_notice_about_an_archived_conversation_tells_nothing_old() -> None:
    async with Scene() as scene:
        other = await archived(scene)
        client = await scene.client(**QUICK)
        messages = client.events(Message)
        await client.join_all()
        before = scene.requests("conversations")
        async with client.expect(ConversationUpdated, lambda event: event.status is not None) as update:
            await scene.server.mark_read(scene.server.messages(other)[0]["id_message"], DOCTOR)
        await update
        assert scene.requests("conversations") == before, "the notice says that it is archived"
        await scene.server.emit("conversation_updated", {"conversationId": other}, user=DOCTOR)
        await scene.server.wait_until(lambda: scene.requests("conversations") > before)
        await scene.say("fin")
        assert await contents_of(messages, "fin") == ["fin"]
        assert not scene.server.members(other)


async def test_one_that_becomes_active_again_tells_what_is_new_only() -> None:
    async with Scene() as scene:
        other = await archived(scene)
        created = datetime.now(UTC)
        while datetime.now(UTC).replace(microsecond=0) <= created:  # noqa: ASYNC110 - the server's clock is known by the second
            await asyncio.sleep(0.05)
        client = await scene.client(**QUICK)
        messages = client.events(Message)
        await client.join_all()
        await scene.server.set_status(other, "active")
        await scene.server.wait_until(lambda: scene.server.members(other))
        await scene.server.say(other, "reprise", PATIENT)
        assert await contents_of(messages, "reprise") == ["reprise"]


async def test_one_that_was_left_stays_left_until_all_are_wanted_again() -> None:
    async with Scene() as scene:
        await scene.fill(60)
        client = await scene.client(**QUICK)
        messages = client.events(Message)
        await client.join_all()
        await client.leave_conversation(scene.conversation)
        other = await scene.server.create_conversation("Suivi", [PATIENT, DOCTOR])
        await scene.say("pas pour nous")
        await scene.server.say(other, "fin", PATIENT)
        assert await contents_of(messages, "fin") == ["fin"]
        await client.join_all()
        await scene.server.wait_until(lambda: scene.server.members(scene.conversation))
        await scene.say("de nouveau")
        assert await contents_of(messages, "de nouveau") == ["de nouveau"]


async def test_one_that_could_not_be_read_at_first_tells_what_came_since() -> None:
    async with Scene() as scene:
        await scene.fill(60)
        client = await scene.client(**QUICK)
        messages = client.events(Message)
        scene.server.faults.garbage("messages", count=1)
        await client.join_all()
        await scene.say("depuis")
        await scene.server.wait_until(lambda: scene.server.members(scene.conversation))
        await scene.say("fin")
        assert await contents_of(messages, "fin") == ["depuis", "fin"]


async def test_one_that_is_closed_to_the_user_is_not_asked_for_again_and_again() -> None:
    async with Scene() as scene:
        client = await scene.client(**QUICK)
        scene.server.faults.answer("messages", 403, count=1)
        await client.join_all()
        assert client._all_rooms._looking is None


async def untyped(scene: Scene, sender_id: int, content: str) -> None:
    """A message whose sender has an id and no type."""
    now = datetime.now(UTC).isoformat()
    payload = {"id": f"u{content}", "conversationId": scene.conversation, "content": content, "timestamp": now}
    await scene.server.emit("new_message", {**payload, "sender_id": sender_id}, user=DOCTOR)


async def test_an_own_message_without_a_type_is_not_told_as_one_of_others() -> None:
    async with Scene() as scene:
        client = await scene.client(**QUICK)
        heard: list[str] = []
        came = asyncio.Event()

        @client.on_new_message
        def take(message: Message) -> None:
            heard.append(message.content)
            came.set()

        await untyped(scene, DOCTOR[1], "de moi")
        await untyped(scene, PATIENT[1], "du patient")
        async with asyncio.timeout(TIMEOUT):
            await came.wait()
        assert heard == ["du patient"]


async def test_an_id_that_one_other_participant_alone_has_names_that_one() -> None:
    async with Scene() as scene:
        namesake = ("patient", DOCTOR[1])
        scene.conversation = await scene.server.create_conversation("Trois", [namesake, ("medecin", 80)])
        client = await scene.client(("medecin", 80), **QUICK)
        message = Message(
            id=1,
            conversation_id=scene.conversation,
            content="...",
            sender=Participant(id=80),
            timestamp=datetime.now(UTC),
        )
        await client.join_all()
        assert client.is_own(message)
        client._all_rooms._people[scene.conversation] = (Participant(id=80, type=UserType.PATIENT),)
        assert not client.is_own(message)
