"""`join_all`: every conversation of the user, those that come to be later included."""

from __future__ import annotations

import asyncio

from scenes import DOCTOR, PATIENT, TIMEOUT, Scene

from messaging_client import Message


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
        assert came == ["présent", *(f"premier de {number}" for number in range(3))]
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
        assert scene.server.members(scene.conversation)
        assert not scene.server.members(strangers)
