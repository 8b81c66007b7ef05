"""Who types, by exact times; and presence. Both agree with a simple model over random sequences of events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from scenes import DOCTOR, OTHER_DOCTOR, PATIENT, TIMEOUT, Scene, until

from messaging_client import ConversationSession, PresenceEvent, TypingEvent, UserType
from messaging_client.errors import NotConnected
from messaging_client.models import Participant
from messaging_client.testing import ManualClock
from messaging_client.typing_indicator import OwnTyping, TypingUsers

MARIE = {"id": 5, "type": "patient"}

# --- others ----------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def watched(clock: ManualClock, **options: object) -> AsyncIterator[tuple[Scene, ConversationSession]]:
    async with Scene(**options) as scene:
        yield scene, await scene.session(await scene.client(DOCTOR, clock=clock))


def names(session: ConversationSession) -> list[str]:
    return [each.display_name for each in session.typing_users]


async def test_somebody_who_types_disappears_after_exactly_five_seconds_without_news() -> None:
    clock = ManualClock()
    async with watched(clock) as (scene, session):
        await scene.server.typing(scene.conversation, PATIENT)
        await until(session, lambda: names(session) == ["Marie Dupont"])
        changes = asyncio.Event()
        session.on_change(lambda _session: changes.set())
        await clock.advance(4.999)
        assert names(session) == ["Marie Dupont"]
        assert not changes.is_set()
        await clock.advance(0.001)
        assert names(session) == []
        assert changes.is_set()


async def test_news_prolong_it_and_a_stop_or_a_message_ends_it() -> None:
    clock = ManualClock()
    async with watched(clock) as (scene, session):
        async with session._client.expect(TypingEvent) as first:
            await scene.server.typing(scene.conversation, PATIENT)
        await first
        await clock.advance(4.0)
        async with session._client.expect(TypingEvent) as again:
            await scene.server.typing(scene.conversation, PATIENT)
        await again
        await clock.advance(4.0)
        assert names(session) == ["Marie Dupont"]
        await scene.server.typing(scene.conversation, PATIENT, False)
        await until(session, lambda: names(session) == [])
        await scene.server.typing(scene.conversation, PATIENT)
        await until(session, lambda: names(session) == ["Marie Dupont"])
        await scene.say("voilà")
        await until(session, lambda: names(session) == [])


async def test_a_message_that_waits_for_a_read_ends_nothing_that_began_after_it() -> None:
    async with watched(ManualClock()) as (scene, session):
        feed, target, came = session._client._feed, scene.conversation, asyncio.Event()
        scene.server.faults.silence("new_messages", count=None)
        feed.hold(feed.threads[target])  # as while what was missed is read
        feed.threads[target].on_held = came.set
        await scene.server.typing(target, PATIENT)
        await scene.say("voilà")
        async with asyncio.timeout(TIMEOUT):
            await came.wait()
        async with session._client.expect(TypingEvent) as again:
            await scene.server.typing(target, PATIENT)
        await again
        feed.release(feed.threads[target])
        assert [message.content for message in session.messages] == ["voilà"]
        assert names(session) == ["Marie Dupont"]
        await scene.say("et encore")
        await until(session, lambda: names(session) == [])


@pytest.mark.parametrize("is_held", [False, True], ids=["told at once", "waits for a read"])
async def test_a_message_that_comes_together_with_typing_ends_it(is_held: bool) -> None:
    async with watched(ManualClock()) as (scene, session):
        client, target = session._client, scene.conversation
        thread = client._feed.threads[target]
        scene.server.faults.silence("new_messages", count=None)
        client._feed.hold(thread)  # as while what was missed is read
        if not is_held:
            client._feed.release(thread)
        for name, payload in (
            ("user_typing", {"conversationId": target, "userId": 5, "userType": "patient", "isTyping": True}),
            ("new_message", {"id": 900, "conversationId": target, "content": "voilà", "sender": MARIE}),
        ):
            client._intake.take(name, (payload,))  # as when both stand in what was read of the socket at a time
        for _turn in range(10):
            await asyncio.sleep(0)
        if is_held:
            assert names(session) == ["Marie Dupont"]
            client._feed.release(thread)
        assert [message.content for message in session.messages] == ["voilà"]
        assert names(session) == []


async def test_oneself_and_unknown_people_are_not_shown() -> None:
    async with watched(ManualClock()) as (scene, session):
        for user in (DOCTOR, ("patient", 999), PATIENT):
            async with session._client.expect(TypingEvent) as told:
                await scene.server.typing(scene.conversation, user)
            await told
        await until(session, lambda: names(session) == ["Marie Dupont"])


async def test_an_id_that_two_people_have_names_nobody_unless_the_event_says_the_type() -> None:
    async with Scene() as scene:
        twins = await scene.server.create_conversation("Homonymes", [PATIENT, ("medecin", 5), DOCTOR])
        session = await scene.session(await scene.client(DOCTOR), twins)
        told = {"conversationId": twins, "userId": 5, "isTyping": True}
        await scene.server.emit("user_typing", told, conversation_id=twins)
        await scene.server.emit("user_typing", told | {"userType": "medecin"}, conversation_id=twins)
        await until(session, lambda: session.typing_users)
        assert [(each.type, each.id) for each in session.typing_users] == [(UserType.MEDECIN, 5)]


people = [Participant(id=5, type=UserType.PATIENT), Participant(id=5, type=UserType.MEDECIN), Participant(id=80)]
typing_moves = st.lists(
    st.tuples(st.sampled_from(["types", "stops"]), st.integers(0, 2)) | st.tuples(st.just("waits"), st.integers(1, 60)),
    max_size=40,
)


@pytest.mark.one_server("it talks to no server")
@given(typing_moves)
async def test_typing_agrees_with_a_model(moves: list[tuple[str, int]]) -> None:
    clock = ManualClock()
    calls: list[tuple[Participant, ...]] = []
    ours = TypingUsers(clock, 5.0, lambda: calls.append(ours.present))
    model: dict[int, float] = {}  # who, until when, in the order in which they began
    now = 0.0
    for move, what in moves:
        if move == "waits":
            await clock.advance(what / 10)
            now = round(now + what / 10, 1)
            model = {who: ends for who, ends in model.items() if round(ends - now, 6) > 0}
        else:
            event = TypingEvent(conversation_id=1, user_id=people[what].id, is_typing=move == "types")
            ours.hear(people[what], event)
            if move == "types":
                model[what] = now + 5.0
            else:
                model.pop(what, None)
        assert ours.present == tuple(people[who] for who in model)
        assert not calls or calls[-1] == ours.present
    await ours.aclose()


# --- oneself ---------------------------------------------------------------------------------------------------------


class Told:
    """What an own indicator says, and when."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.said: list[tuple[float, bool]] = []
        self.connected = True
        self.typing = OwnTyping(self.clock, 5.0, self._emit)

    async def _emit(self, is_typing: bool) -> None:
        if not self.connected:
            raise NotConnected("no connection")
        self.said.append((self.clock.monotonic(), is_typing))


@pytest.mark.one_server("it talks to no server")
async def test_said_at_most_every_two_seconds_and_taken_back_after_five() -> None:
    told = Told()
    for _ in range(50):
        await told.typing.set(True)
        await told.clock.advance(0.1)
    await told.clock.advance(10.0)
    assert told.said == [(0.0, True), (2.0, True), (4.0, True), (9.9, False)]


@pytest.mark.one_server("it talks to no server")
async def test_taken_back_at_once_when_one_stops_and_once_only() -> None:
    told = Told()
    await told.typing.set(False)
    await told.typing.set(True)
    await told.typing.set(False)
    await told.typing.set(False)
    await told.clock.advance(10.0)
    assert told.said == [(0.0, True), (0.0, False)]


@pytest.mark.one_server("it talks to no server")
async def test_without_a_connection_nothing_is_said() -> None:
    told = Told()
    told.connected = False
    await told.typing.set(True)
    await told.typing.aclose()
    assert told.said == []
    assert told.clock.sleeping == ()


async def test_a_block_keeps_saying_it_and_takes_it_back_even_when_it_raises() -> None:
    clock = ManualClock()
    async with watched(clock) as (scene, session):
        patient = await scene.session(await scene.client(PATIENT))

        def said() -> int:
            return sum(each.event == "typing" for each in scene.server.events)

        with pytest.raises(KeyError):
            async with session.typing():
                await until(patient, lambda: names(patient) == ["Dr. Sakura Saza"])
                assert said() == 1
                await clock.wait_for_sleepers(2)
                await clock.advance(4.0)
                await scene.server.wait_until(lambda: said() == 3)
                raise KeyError
        await until(patient, lambda: names(patient) == [])
        assert said() == 4


async def test_sending_takes_it_back_and_so_does_closing() -> None:
    async with Scene() as scene:
        patient = await scene.session(await scene.client(PATIENT))
        doctor = await scene.session(await scene.client(DOCTOR, clock=ManualClock()))
        for end in (lambda: doctor.send("voilà"), doctor.close):
            await doctor.set_typing(True)
            await until(patient, lambda: patient.typing_users)
            async with patient._client.expect(TypingEvent, lambda event: not event.is_typing) as stop:
                await end()
            await stop
            await until(patient, lambda: not patient.typing_users)


async def test_a_session_that_was_closed_says_no_more_that_the_user_types() -> None:
    async with Scene() as scene:
        patient = await scene.client(PATIENT)
        await patient.join_conversation(scene.conversation)
        client = await scene.client(DOCTOR)
        closed = await scene.session(client)
        await closed.close()  # it has not said so before
        async with patient.expect(TypingEvent) as heard:
            await closed.set_typing(True)
            await client.emit_typing(scene.conversation, False)
        assert not (await heard).is_typing


# --- presence --------------------------------------------------------------------------------------------------------

presence_moves = st.lists(
    st.tuples(st.sampled_from(["comes", "goes"]), st.sampled_from([PATIENT, OTHER_DOCTOR])), max_size=8
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.generate])
@given(presence_moves)
async def test_presence_agrees_with_a_model(moves: list[tuple[str, tuple[str, int]]]) -> None:
    """Several devices of a user are one user, who is there as long as one of them is."""
    async with Scene() as scene:
        watching = await scene.client(DOCTOR)
        heard: list[tuple[tuple[str, int], str]] = []

        @watching.on_presence_change
        def hear(event: PresenceEvent) -> None:
            if event.user_id != DOCTOR[1]:
                heard.append(((event.user_type.value, event.user_id), event.status.value))

        devices = {PATIENT: [], OTHER_DOCTOR: []}
        expected = []
        for move, user in moves:
            if move == "comes":
                devices[user].append(await scene.client(user))
                if len(devices[user]) == 1:
                    expected.append((user, "online"))
            elif devices[user]:
                await devices[user].pop().aclose()
                await scene.server.wait_until(
                    lambda user=user: len(scene.server.connections(user)) == len(devices[user])
                )
                if not devices[user]:
                    expected.append((user, "offline"))
        async with watching.expect(PresenceEvent, lambda event: event.user_id == DOCTOR[1]) as last:
            await scene.server.emit("user_online", {"userId": DOCTOR[1], "userType": "medecin"})
        await last
        assert heard == expected
