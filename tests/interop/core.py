"""The core set: what every server must be able to do with the SDK. Each of these is given a scene that has begun."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from messaging_client import (
    ConnectionChange,
    ConnectionState,
    Message,
    MessageStatus,
    MessagingClient,
    NotFound,
    Participant,
    PresenceEvent,
    UserType,
    ValidationFailed,
)
from tests.interop.switches import SwitchedScene
from tests.scenes import DOCTOR, PATIENT, contents
from tests.scenes import until as until_within

PATIENCE = 20.0


async def until(subject: Any, predicate: Callable[[], Any]) -> None:
    await until_within(subject, predicate, PATIENCE)


class Heard:
    """What a handler of a client is told, which may be later than a session shows it: in order means waiting."""

    def __init__(self, client: MessagingClient) -> None:
        self._contents: list[str] = []
        self._news = asyncio.Event()
        client.on_new_message(self._hear)

    def _hear(self, message: Message) -> None:
        self._contents.append(message.content)
        self._news.set()

    async def first(self, count: int) -> list[str]:
        """Everything, once it is that many."""
        async with asyncio.timeout(PATIENCE):
            while len(self._contents) < count:
                self._news.clear()
                await self._news.wait()
        return self._contents


async def a_conversation_both_ways(scene: SwitchedScene) -> None:
    """Presence, messages, typing and read marks, as both sides see them."""
    doctor = await scene.client(DOCTOR)
    async with doctor.expect(PresenceEvent, lambda event: event.user_id == PATIENT[1], timeout=PATIENCE) as came:
        patient = await scene.client(PATIENT)
    assert (await came).status == "online"
    mine, theirs = await scene.session(doctor), await scene.session(patient)
    await scene.server.wait_until(lambda: len(scene.server.members(scene.conversation)) == 2, PATIENCE)
    await mine.set_typing(True)
    await until(theirs, lambda: [each.display_name for each in theirs.typing_users] == ["Dr. Sakura Saza"])
    spoken = []
    for number in range(3):
        for session in (mine, theirs):
            spoken.append(f"{'docteur' if session is mine else 'patient'} {number}")
            sent = await session.send(spoken[-1])
            assert (sent.content, sent.status) == (spoken[-1], MessageStatus.SENT)
            for each in (mine, theirs):
                await until(each, lambda each=each: contents(each) == spoken)
    assert not theirs.typing_users
    last = mine.messages[-1]
    assert (last.sender.type, last.sender.id, last.sender.display_name) == (UserType.PATIENT, 5, "Marie Dupont")
    await mine.mark_as_read(last)
    await until(theirs, lambda: theirs.messages[-1].status is MessageStatus.READ)
    async with doctor.expect(PresenceEvent, lambda event: event.user_id == PATIENT[1], timeout=PATIENCE) as left:
        await patient.aclose()
    assert (await left).status == "offline"
    assert [each["contenu"] for each in scene.server.messages(scene.conversation)] == spoken


async def losses(scene: SwitchedScene) -> None:
    """Cuts and a restart: a handler hears everything once and in order, rooms are joined again."""
    await scene.fill(3)
    client = await scene.client(DOCTOR)
    heard = Heard(client)
    session = await scene.session(client)
    said = []
    for number in range(3):
        async with client.expect(
            ConnectionChange, lambda change: change.state == "connected", timeout=PATIENCE
        ) as back:
            if number < 2:
                await scene.server.faults.cut()
            else:
                await scene.server.stop()
            for content in (f"absent {number}", f"encore {number}"):
                await scene.say(content)
                said.append(content)
            if number == 2:
                await scene.server.start()
        await back
        await scene.say(f"revenu {number}")
        said.append(f"revenu {number}")
    await until(session, lambda: contents(session)[-1] == said[-1] and len(session.messages) == 12)
    assert contents(session) == ["m1", "m2", "m3", *said]
    assert await heard.first(len(said)) == said
    await scene.server.wait_until(lambda: scene.server.members(scene.conversation), PATIENCE)


async def uncertain_sends(scene: SwitchedScene) -> None:
    """Whatever becomes of an answer, a message is stored once, and its sender knows."""
    client = await scene.client(DOCTOR)
    faults = scene.server.faults
    mishaps: list[Callable[[], None]] = [
        faults.drop_after_storing,
        faults.drop_before_storing,
        lambda: faults.answer("send", 500, after_storing=True),
        lambda: faults.truncate("send"),
        lambda: faults.answer("send", 503),
    ]
    for mishap in mishaps:
        mishap()
        message = await client.send_message_to_conversation(scene.conversation, "ok")
        assert message.status is MessageStatus.SENT
    assert faults.pending() == 0
    assert [each["contenu"] for each in scene.server.messages(scene.conversation)] == ["ok"] * len(mishaps)
    assert client.pending() == ()
    with pytest.raises(ValidationFailed):
        await client.send_message_to_conversation(scene.conversation, "x" * (scene.settings["max_message_bytes"] + 1))


async def reading(scene: SwitchedScene) -> None:
    """Lists, pages, history, people."""
    await scene.fill(70)
    client = await scene.client(DOCTOR)
    (listed,) = await client.get_medecin_conversations()
    assert (listed.id, listed.unread_count, listed.last_message.content) == (scene.conversation, 70, "m70")
    assert (listed.patient.name, listed.medecin.display_name) == ("Marie Dupont", "Dr. Sakura Saza")
    everything = [message.content async for message in client.iter_messages(scene.conversation)]
    assert sorted(everything, key=lambda text: int(text[1:])) == [f"m{number}" for number in range(1, 71)]
    history = await client.get_message_history("ordonnance", 15, limit=10)
    assert [message.content for message in history.messages] == [f"m{number}" for number in range(61, 71)]
    with pytest.raises(NotFound):
        await client.get_message_history("ordonnance", 99)
    people = await client.get_conversation_participants(scene.conversation)
    assert [(each.type, each.id) for each in people] == [(UserType.PATIENT, 5), (UserType.MEDECIN, 79)]
    assert (await client.get_user_info(5, "patient")).name == "Marie Dupont"
    assert (await client.get_user_info(79, "medecin")).specialite == "Cardiologue"
    assert await client.check_messaging_permissions(15, 5)


async def opening(scene: SwitchedScene) -> None:
    """The conversation of a context, found or made, and an inbox that follows."""
    client = await scene.client(DOCTOR)
    async with client.inbox() as inbox:
        async with await client.open_conversation("ordonnance", 15, patient_id=5) as session:
            assert session.conversation_id == scene.conversation
        async with await client.open_conversation("ordonnance", 16, patient_id=5) as session:
            assert session.conversation_id != scene.conversation
            await session.send("Bonjour")
            made = session.conversation_id
            again = await client.find_or_create_conversation("ordonnance", 16, patient_id=5)
            assert again.id == made
        await until(inbox, lambda: {each.id for each in inbox.conversations} == {scene.conversation, made})
        await scene.say("un")
        await scene.server.say(made, "deux", PATIENT)
        await until(inbox, lambda: inbox.unread_count == 2)
        await inbox.mark_all_as_read()
        assert inbox.unread_count == 0
        assert len(await client.get_unread_conversations(refresh=True)) == 0
    people = [Participant(id=5, type=UserType.PATIENT), Participant(id=79, type=UserType.MEDECIN)]
    assert (await client.create_conversation("Suivi", people)).title == "Suivi"


async def without_a_socket(scene: SwitchedScene) -> None:
    """Upgrades are refused: HTTP does it all, until they are taken again."""
    scene.server.faults.refuse_upgrade(503, count=None)
    client = await scene.client(DOCTOR, connect=False, fallback_poll_interval=1.0, reconnection_attempts=1000)
    await client.connect(wait=False)
    heard = Heard(client)
    session = await scene.session(client)
    await scene.say("sans socket")
    await until(session, lambda: contents(session) == ["sans socket"])
    await session.send("réponse")
    assert not client.is_connected
    async with client.expect(Message, lambda message: message.content == "en direct", timeout=PATIENCE) as live:
        scene.server.faults.clear()
        await client.wait_connected(PATIENCE)
        await scene.say("en direct")
    await live
    assert contents(session) == ["sans socket", "réponse", "en direct"]
    assert client.state is ConnectionState.CONNECTED
    assert await heard.first(2) == ["sans socket", "en direct"]


CORE: dict[str, Callable[[SwitchedScene], Awaitable[None]]] = {
    each.__name__: each
    for each in (a_conversation_both_ways, losses, uncertain_sends, reading, opening, without_a_socket)
}
