"""Read marks, and counts of the unread that agree with the server's."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from scenes import DOCTOR, OTHER_DOCTOR, PATIENT, Scene, until, while_time_passes

from messaging_client import ConversationSession, MessageStatus, PermissionDenied, ValidationFailed
from messaging_client.models import Message, Participant, UserType
from messaging_client.testing import ManualClock
from messaging_client.transport.http import RestClient


async def counted(scene: Scene, session: ConversationSession) -> int:
    """How many the server counts for the session's user."""
    page = await session._client.get_unread_conversations(refresh=True)
    return sum(each.unread_count for each in page if each.id == session.conversation_id)


async def test_counts_messages_of_others_that_are_not_read() -> None:
    async with Scene() as scene:
        await scene.fill(3)
        await scene.fill(2, DOCTOR)
        session = await scene.session(await scene.client())
        assert session.unread_count == 3 == await counted(scene, session)
        await scene.say("encore")
        await until(session, lambda: session.unread_count == 4)
        await session.send("moi")
        assert session.unread_count == 4 == await counted(scene, session)


async def test_counts_those_on_older_pages() -> None:
    async with Scene() as scene:
        await scene.fill(120)
        session = await scene.session(await scene.client())
        assert session.unread_count == 120
        await session.load_older()
        assert session.unread_count == 120
        await session.mark_as_read(session.messages[0])
        assert session.unread_count == 119 == await counted(scene, session)


async def test_nothing_is_marked_by_itself() -> None:
    async with Scene() as scene:
        await scene.fill(1)
        session = await scene.session(await scene.client())
        await session.refresh()
        await scene.say("deux")
        await until(session, lambda: len(session.messages) == 2)
        assert scene.requests("mark_read") == 0
        assert await counted(scene, session) == 2


@pytest.mark.parametrize("options", [{}, {"empty_mark_read": True}, {"mark_read_methods": "other"}], ids=repr)
async def test_marks_one_message(options: dict[str, object]) -> None:
    async with Scene(**options) as scene:
        await scene.fill(2)
        session = await scene.session(await scene.client())
        read = await session.mark_as_read(session.messages[0])
        assert (read.status, read.read_at is not None) == (MessageStatus.READ, True)
        # Its time may have become the server's own by now, where the answer was empty
        assert (session.messages[0].id, session.messages[0].status) == (read.id, MessageStatus.READ)
        assert session.unread_count == 1 == await counted(scene, session)
        before = scene.requests("mark_read")
        assert (await session.mark_as_read(read)).status is MessageStatus.READ
        own = await session.send("moi")
        assert await session.mark_as_read(own) == own
        assert scene.requests("mark_read") == before


async def test_a_message_of_another_conversation_is_not_marked_here() -> None:
    async with Scene() as scene:
        session = await scene.session(await scene.client())
        stranger = await scene.say("x")
        other = await scene.server.create_conversation("Suivi", [PATIENT, DOCTOR])
        elsewhere = await scene.session(session._client, other)
        await until(session, lambda: session.messages)
        assert session.messages[0].id == stranger["id_message"]
        with pytest.raises(ValidationFailed):
            await elsewhere.mark_as_read(session.messages[0])
        assert len(elsewhere.messages) == 0


async def test_marks_a_message_that_is_not_loaded() -> None:
    async with Scene() as scene:
        await scene.fill(60)
        session = await scene.session(await scene.client())
        oldest = scene.server.messages(scene.conversation)[0]
        sender = Participant(id=5, type=UserType.PATIENT)
        message = Message(
            id=oldest["id_message"],
            conversation_id=scene.conversation,
            content="m1",
            sender=sender,
            timestamp=session.messages[0].timestamp,
        )
        await session.mark_as_read(message)
        assert session.unread_count == 59 == await counted(scene, session)
        assert len(session.messages) == 50


async def test_marks_everything_older_pages_included() -> None:
    async with Scene() as scene:
        await scene.fill(60)
        await scene.fill(60, DOCTOR)
        session = await scene.session(await scene.client())
        await session.mark_all_as_read()
        assert session.unread_count == 0 == await counted(scene, session)
        await session.mark_all_as_read()
        assert scene.requests("mark_read") == 60


async def test_a_mark_that_is_refused_is_an_error_of_ours() -> None:
    async with Scene() as scene:
        await scene.fill(6)
        session = await scene.session(await scene.client())
        scene.server.faults.answer("mark_read", 403)
        with pytest.raises(PermissionDenied):
            await session.mark_all_as_read()
        await session.mark_all_as_read()
        assert session.unread_count == 0 == await counted(scene, session)


async def test_what_another_device_marks_is_read_here_even_far_back() -> None:
    async with Scene() as scene:
        await scene.fill(120)
        session = await scene.session(await scene.client())
        while await session.load_older():
            pass
        assert session.unread_count == 120
        phone = await scene.session(await scene.client())
        await phone.mark_all_as_read()
        await until(session, lambda: session.unread_count == 0)
        assert all(message.read_at is not None for message in session.messages)


async def test_the_other_reads_and_the_sender_sees_it() -> None:
    async with Scene() as scene:
        patient = await scene.session(await scene.client(PATIENT))
        doctor = await scene.session(await scene.client(DOCTOR))
        sent = await patient.send("bonjour")
        await until(doctor, lambda: doctor.messages)
        await doctor.mark_as_read(doctor.messages[0])
        await until(patient, lambda: patient.messages[0].status is MessageStatus.READ)
        assert patient.messages[0].id == sent.id


async def test_where_three_take_part_the_count_is_the_servers_own() -> None:
    """A message says that somebody has read it, not who."""
    async with Scene() as scene:
        staff = await scene.server.create_conversation("Staff", [PATIENT, DOCTOR, OTHER_DOCTOR])
        await scene.fill(30, PATIENT, staff)
        for message in scene.server.messages(staff)[:25]:
            await scene.server.mark_read(message["id_message"], OTHER_DOCTOR)
        session = await scene.session(await scene.client(), staff)
        assert session.unread_count == 30 == await counted(scene, session)
        await session.mark_all_as_read()
        assert session.unread_count == 0 == await counted(scene, session)


async def test_a_page_read_before_a_mark_does_not_undo_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Scene() as scene:
        await scene.fill(1)
        session = await scene.session(await scene.client())
        answered, go_on = asyncio.Event(), asyncio.Event()
        request = RestClient.request

        async def slow(self: RestClient, operation: str, *given: object, **more: object) -> object:
            answer = await request(self, operation, *given, **more)
            if operation == "messages":
                answered.set()
                await go_on.wait()
            return answer

        with monkeypatch.context() as patched:
            patched.setattr(RestClient, "request", slow)
            refreshing = asyncio.create_task(session.refresh())
            await answered.wait()
            await session.mark_as_read(session.messages[0])
            go_on.set()
            await refreshing
        assert session.unread_count == 0
        assert session.messages[0].status is MessageStatus.READ


def read_here(session: ConversationSession) -> list[bool]:
    return [message.status is MessageStatus.READ for message in session.messages]


async def read_by_the_patient(scene: Scene, places: range) -> None:
    for message in [scene.server.messages(scene.conversation)[place] for place in places]:
        await scene.server.mark_read(message["id_message"], PATIENT)


async def test_what_the_other_reads_behind_the_newest_page_is_seen() -> None:
    """Only the newest 50 come with every notice."""
    async with Scene() as scene:
        session = await scene.session(await scene.client())
        for number in range(60):
            await scene.say(f"m{number}", DOCTOR)
        await until(session, lambda: len(session.messages) == 60)
        await read_by_the_patient(scene, range(3))
        await until(session, lambda: read_here(session) == [True] * 3 + [False] * 57)
        for event in ("conversation_updated", "notification"):
            scene.server.faults.drop_events(event, count=None)
        await read_by_the_patient(scene, range(3, 60))
        await session.refresh()
        assert read_here(session) == [True] * 60


async def test_older_pages_are_read_again_a_few_at_a_time_and_only_as_far_as_need_be() -> None:
    clock = ManualClock()
    async with Scene() as scene:
        await scene.fill(30)
        await scene.fill(370, DOCTOR)
        client = await scene.client(clock=clock)
        session = await scene.session(client)
        while len(session.messages) < 350:
            await session.load_older()
        scene.server.faults.drop_events("conversation_updated", count=None)
        await read_by_the_patient(scene, range(60, 400, 2))
        before = scene.requests("messages")
        await session.refresh()
        assert scene.requests("messages") == before + 7
        assert len(session.messages) == 350
        assert sum(read_here(session)) == 170
        scene.server.faults.clear()
        before = scene.requests("messages")
        await read_by_the_patient(scene, range(51, 52))
        await scene.server.wait_until(lambda: scene.requests("messages") == before + 4)
        assert not read_here(session)[1]
        await while_time_passes(clock, until(session, lambda: read_here(session)[1]))
        assert scene.requests("messages") <= before + 8
        assert session.unread_count == 30


async def test_a_page_at_the_edge_brings_nothing_that_was_not_asked_for() -> None:
    async with Scene() as scene:
        await scene.fill(40)
        await scene.fill(50, DOCTOR)
        session = await scene.session(await scene.client())
        await session.send("et encore")
        assert (len(session.messages), session.unread_count) == (51, 40)
        await read_by_the_patient(scene, range(40, 42))
        await session.refresh()
        assert read_here(session) == [True] * 2 + [False] * 49
        assert session.unread_count == 40 == await counted(scene, session)
        assert await session.load_older() == 40
        assert session.unread_count == 40


async def test_a_load_that_fails_says_nothing_of_a_later_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Scene() as scene:
        session = await scene.session(await scene.client(max_retries=0))
        nobody = {"id": scene.conversation, "titre": "x", "statut": "active"}
        body = {"status": "success", "data": {"conversation": nobody, "messages": []}}
        scene.server.faults.answer("messages", 200, body=body, count=None)
        scene.server.faults.answer("participants", 403)
        request, refused, go_on = RestClient.request, asyncio.Event(), asyncio.Event()

        async def slow(rest: RestClient, operation: str, *given: object, **more: object) -> object:
            try:
                return await request(rest, operation, *given, **more)
            except PermissionDenied:
                refused.set()
                await go_on.wait()
                raise

        monkeypatch.setattr(RestClient, "request", slow)
        session._client.invalidate_conversation(scene.conversation)
        failing = asyncio.create_task(session.refresh())
        await refused.wait()
        await session.refresh()
        go_on.set()
        with pytest.raises(PermissionDenied):
            await failing
        assert session.error is None


moves = st.lists(
    st.sampled_from(["patient says", "doctor says", "silently", "mark newest", "mark oldest", "mark all"])
    | st.sampled_from(["phone marks", "older", "refresh", "cut", "restart"]),
    max_size=12,
)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)
@example(
    34,
    ["doctor says", "mark all", "phone marks", "refresh", "phone marks", "silently", "silently", "mark all"],
)
@given(st.integers(0, 60), moves)
async def test_agrees_with_the_server_after_any_sequence(before: int, sequence: list[str]) -> None:
    clock = ManualClock()
    async with Scene() as scene:
        await scene.fill(before)
        client = await scene.client(clock=clock, reconnection_delay=0.0)
        session = await scene.session(client)
        for move in sequence:
            await while_time_passes(clock, MOVES[move](scene, session))
        if "silently" in sequence:
            # What the server tells nobody, with nothing after it, is found by whoever looks.
            await while_time_passes(clock, session.refresh())
        wanted = {each["id_message"] for each in scene.server.messages(scene.conversation)}

        async def agrees() -> bool:
            here = {message.id for message in session.messages} <= wanted and bool(session.messages) == bool(wanted)
            return here and session.unread_count == await counted(scene, session)

        async with asyncio.timeout(20):
            while not await while_time_passes(clock, agrees()):
                await clock.advance(2.0)


async def _phone_marks(scene: Scene, _session: ConversationSession) -> None:
    for message in scene.server.messages(scene.conversation)[-3:]:
        if message["expediteur_type"] == "patient":
            await scene.server.mark_read(message["id_message"], DOCTOR)


async def _mark(session: ConversationSession, place: int) -> None:
    if session.messages:
        await session.mark_as_read(session.messages[place])


MOVES = {
    "patient says": lambda scene, _session: scene.say("x"),
    "doctor says": lambda scene, _session: scene.say("y", DOCTOR),
    "silently": lambda scene, _session: scene.say("z", broadcast=False),
    "mark newest": lambda _scene, session: _mark(session, -1),
    "mark oldest": lambda _scene, session: _mark(session, 0),
    "mark all": lambda _scene, session: session.mark_all_as_read(),
    "phone marks": _phone_marks,
    "older": lambda _scene, session: session.load_older(),
    "refresh": lambda _scene, session: session.refresh(),
    "cut": lambda scene, _session: scene.server.faults.cut(DOCTOR),
    "restart": lambda scene, _session: scene.server.restart(),
}
