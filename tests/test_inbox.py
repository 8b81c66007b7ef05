"""The list of conversations: live, sorted, counted as the server counts, searched, marked."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from scenes import DOCTOR, LONG_AGO, OTHER_DOCTOR, PATIENT, TIMEOUT, Scene, until, while_time_passes

from messaging_client import (
    ConnectionChange,
    ConversationStatus,
    HandlerError,
    Inbox,
    Message,
    NotConnected,
    PermissionDenied,
    ServerError,
    ValidationFailed,
)
from messaging_client.testing import ManualClock
from messaging_client.transport.http import RestClient
from messaging_client.wire import routes


def ids(inbox: Inbox) -> list[Any]:
    return [conversation.id for conversation in inbox.conversations]


async def with_others(scene: Scene) -> tuple[int, int]:
    """Two further conversations of the doctor: an examen with a patient called Zoé, and one without a context."""
    scene.server.add_user("patient", 6, prenom="Zoé", nom="Müller")
    examen = await scene.server.create_conversation("Messages - Examen 23", [("patient", 6), DOCTOR])
    plain = await scene.server.create_conversation("Suivi à l'hôpital", [PATIENT, DOCTOR], context=("avis", 1))
    return examen, plain


async def test_shows_the_most_recent_first_as_they_come() -> None:
    async with Scene() as scene:
        examen, plain = await with_others(scene)
        soon = datetime.now(UTC)  # later than the conversations came to be
        await scene.server.say(examen, "un", ("patient", 6), at=soon)
        inbox = await scene.inbox(await scene.client())
        assert set(ids(inbox)) == {scene.conversation, examen, plain}
        await scene.say("deux", at=soon + timedelta(minutes=1))
        await until(inbox, lambda: ids(inbox)[0] == scene.conversation)
        await scene.server.say(plain, "trois", PATIENT, at=soon + timedelta(minutes=2))
        await until(inbox, lambda: ids(inbox)[:2] == [plain, scene.conversation])
        assert [each.last_message.content for each in inbox.conversations] == ["trois", "deux", "un"]
        assert repr(inbox) == "<Inbox of 3 conversations>"


async def test_counts_what_the_user_has_not_read() -> None:
    async with Scene() as scene:
        examen, _ = await with_others(scene)
        await scene.fill(3)
        inbox = await scene.inbox(await scene.client())
        assert inbox.unread_count == 3
        await scene.server.say(examen, "un", ("patient", 6))
        await until(inbox, lambda: inbox.unread_count == 4)
        await scene.say("du docteur", DOCTOR)
        first = scene.server.messages(scene.conversation)[0]
        await scene.server.mark_read(first["id_message"], DOCTOR)
        await until(inbox, lambda: inbox.unread_count == 3)


async def test_conversations_appear_change_and_go() -> None:
    async with Scene() as scene:
        inbox = await scene.inbox(await scene.client())
        created = await scene.server.create_conversation("Messages - Consultation 7", [PATIENT, DOCTOR])
        await until(inbox, lambda: created in ids(inbox))
        await scene.server.say(created, "premier", PATIENT)
        await until(inbox, lambda: inbox.unread_count == 1)
        await scene.server.set_status(created, "archivée")
        await until(inbox, lambda: created not in ids(inbox))
        assert inbox.unread_count == 0
        await scene.server.set_status(created, "active")
        await until(inbox, lambda: created in ids(inbox))


@pytest.mark.one_server("searching is the client's own work")
@pytest.mark.parametrize(
    ("kind", "search", "found"),
    [
        ("all", "", {"ordonnance", "examen", "plain"}),
        ("unread", "", {"examen"}),
        ("ordonnance", "", {"ordonnance"}),
        ("examen", "", {"examen"}),
        ("consultation", "", set()),
        ("all", "ZOE", {"examen"}),
        ("all", "muller", {"examen"}),
        ("all", "MÜLLER zoé", {"examen"}),
        ("all", "HOPITAL", {"plain"}),
        ("all", "messages", {"ordonnance", "examen"}),
        ("all", "douleur", {"examen"}),
        ("all", "dr. saza", {"ordonnance", "examen", "plain"}),
        ("ordonnance", "zoé", set()),
        ("all", "zoé hôpital", set()),
    ],
)
async def test_filters_and_searches(kind: Any, search: str, found: set[str]) -> None:
    async with Scene() as scene:
        examen, plain = await with_others(scene)
        named = {scene.conversation: "ordonnance", examen: "examen", plain: "plain"}
        await scene.server.say(examen, "Une DOULEUR au pied", ("patient", 6))
        inbox = await scene.inbox(await scene.client())
        assert {named[each.id] for each in inbox.filter(kind, search)} == found


async def test_an_unknown_kind_is_refused() -> None:
    async with Scene() as scene:
        inbox = await scene.inbox(await scene.client())
        with pytest.raises(ValidationFailed, match="ordonnance"):
            inbox.filter("photos")


async def test_names_that_the_list_does_not_give_are_asked_for() -> None:
    async with Scene() as scene:
        nameless = [{"participant_id": 5, "participant_type": "patient"}]
        nameless += [{"participant_id": 79, "participant_type": "medecin"}]
        listed = {"id": scene.conversation, "titre": "x", "statut": "active", "participants": nameless}
        body = {"status": "success", "data": {"conversations": [listed]}}
        scene.server.faults.answer("conversations", 200, body=body, count=None)
        inbox = await scene.inbox(await scene.client())
        await until(inbox, lambda: inbox.filter("all", "marie dupont"))
        (conversation,) = inbox.conversations
        assert conversation.patient is not None
        assert conversation.patient.name == "Marie Dupont"
        await inbox.refresh()
        assert [each.name for each in inbox.conversations[0].participants] == ["Marie Dupont", "Sakura Saza"]
        assert scene.requests("user") == 2


async def test_marks_everything_as_read() -> None:
    async with Scene() as scene:
        staff = await scene.server.create_conversation("Staff", [PATIENT, DOCTOR, OTHER_DOCTOR])
        await scene.fill(70)
        await scene.fill(3, PATIENT, staff)
        await scene.server.mark_read(scene.server.messages(staff)[0]["id_message"], OTHER_DOCTOR)
        client = await scene.client()
        inbox = await scene.inbox(client)
        assert inbox.unread_count == 73
        await inbox.mark_all_as_read()
        assert inbox.unread_count == 0
        assert len(await client.get_unread_conversations(refresh=True)) == 0
        scene.server.faults.answer("mark_read", 403)
        await scene.say("encore")
        await until(inbox, lambda: inbox.unread_count == 1)
        with pytest.raises(PermissionDenied):
            await inbox.mark_all_as_read()


async def test_creates_and_opens() -> None:
    async with Scene() as scene:
        client = await scene.client()
        inbox = await scene.inbox(client)
        created = await inbox.create("Suivi post-opératoire", 5)
        assert created.id in ids(inbox)
        async with inbox.open(created) as session:
            await session.send("Bonjour")
        await until(inbox, lambda: inbox.conversations[0].last_message is not None)
        assert inbox.conversations[0].id == created.id
        assert inbox.conversations[0].last_message.content == "Bonjour"
        assert inbox.unread_count == 0
        async with inbox.open(scene.conversation) as session:
            assert session.conversation_id == scene.conversation
        for wrong in ("", -1, None):
            with pytest.raises(ValidationFailed):
                await inbox.create("Suivi", wrong)


async def test_stays_live_across_a_restart_of_the_server() -> None:
    async with Scene() as scene:
        client = await scene.client(reconnection_delay=0.05, reconnection_delay_max=0.1)
        inbox = await scene.inbox(client)
        await scene.server.stop()
        await scene.say("pendant")
        created = await scene.server.create_conversation("Messages - Examen 3", [PATIENT, DOCTOR])
        await scene.server.start()
        await until(inbox, lambda: inbox.unread_count == 1 and created in ids(inbox))


async def test_a_read_mark_made_while_the_connection_was_lost_is_seen() -> None:
    async with Scene() as scene:
        stored = await scene.say("un")
        client = await scene.client(reconnection_delay=0.05, reconnection_delay_max=0.1)
        inbox = await scene.inbox(client)
        async with client.expect(ConnectionChange, lambda change: change.state == "reconnecting") as lost:
            await scene.server.stop()
        await lost
        await scene.server.mark_read(stored["id_message"], DOCTOR)
        await scene.server.start()
        await until(inbox, lambda: inbox.unread_count == 0)


@pytest.mark.parametrize("told", ["new_message", "conversation_updated", "notification"])
async def test_any_one_event_is_enough(told: str) -> None:
    """Servers differ in what they tell."""
    async with Scene() as scene:
        client = await scene.client()
        await client.join_all()
        inbox = await scene.inbox(client)
        for event in {"new_message", "conversation_updated", "notification"} - {told}:
            scene.server.faults.drop_events(event, count=None)
        await scene.say("un")
        await until(inbox, lambda: inbox.unread_count == 1)
        assert inbox.conversations[0].last_message.content == "un"


async def test_a_late_message_is_not_the_last_one() -> None:
    async with Scene() as scene:
        await scene.say("maintenant")
        client = await scene.client()
        inbox = await scene.inbox(client)
        async with client.expect(Message):
            await scene.say("autrefois", at=LONG_AGO)
        await until(inbox, lambda: inbox.unread_count == 2)
        assert inbox.conversations[0].last_message.content == "maintenant"


async def test_a_read_in_the_background_that_fails_is_shown_and_the_next_notice_reads_again() -> None:
    async with Scene() as scene:
        clock = ManualClock()
        inbox = await scene.inbox(await scene.client(clock=clock, max_retries=0))
        scene.server.faults.answer("conversations", 500)
        await scene.say("un")
        await until(inbox, lambda: isinstance(inbox.error, ServerError))
        await scene.say("deux")
        await clock.wait_for_sleepers(2)
        await while_time_passes(clock, until(inbox, lambda: inbox.unread_count == 2))
        assert inbox.error is None


async def test_entering_again_changes_nothing() -> None:
    async with Scene() as scene:
        inbox = await scene.inbox(await scene.client())
        requests = scene.requests("conversations")
        assert await inbox.__aenter__() is inbox
        assert scene.requests("conversations") == requests


async def test_shows_what_a_poll_brings_while_there_is_no_socket() -> None:
    async with Scene() as scene:
        scene.server.faults.refuse_upgrade(503, count=None)
        client = await scene.client(connect=False, fallback_poll_interval=0.05, reconnection_delay=5.0)
        await client.connect(wait=False)
        inbox = await scene.inbox(client)
        await scene.say("sans socket")
        await until(inbox, lambda: inbox.unread_count == 1)
        assert not client.is_connected


async def test_an_error_is_kept_until_the_list_is_read_again() -> None:
    async with Scene() as scene:
        inbox = await scene.inbox(await scene.client(max_retries=0))
        scene.server.faults.answer("conversations", 500)
        with pytest.raises(ServerError):
            await inbox.refresh()
        assert isinstance(inbox.error, ServerError)
        assert ids(inbox) == [scene.conversation]
        await inbox.refresh()
        assert inbox.error is None


async def test_entering_that_fails_leaves_nothing_behind() -> None:
    async with Scene() as scene:
        client = await scene.client(max_retries=0)
        scene.server.faults.answer("conversations", 500, count=None)
        inbox = client.inbox()
        with pytest.raises(ServerError):
            await inbox.__aenter__()
        assert not client._dispatcher._everywhere.get(Message)
        with pytest.raises(NotConnected):
            await inbox.__aenter__()


async def test_closing_ends_it() -> None:
    async with Scene() as scene:
        client = await scene.client()
        calls: list[int] = []
        async with client.inbox() as inbox:
            inbox.on_change(lambda given: calls.append(len(given.conversations)))
        async with client.expect(Message):
            await scene.say("après")
        assert calls == []


async def test_handlers_are_told_and_one_that_raises_is_reported() -> None:
    async with Scene() as scene:
        client = await scene.client()
        inbox = await scene.inbox(client)
        told = asyncio.Event()

        @inbox.on_change
        async def hear(given: Inbox) -> None:
            if given.unread_count:
                told.set()
            raise KeyError

        async with client.expect(HandlerError) as report:
            await scene.say("un")
        assert isinstance((await report).error, KeyError)
        await asyncio.wait_for(told.wait(), TIMEOUT)


class SlowLists:
    """Holds reads of the list: those numbered in `held` once the server has answered, those in `unasked` before.

    Attributes:
        answered: set once the first has been answered.
        go_on: lets those that are held go on.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, held: set[int], unasked: set[int] = frozenset()) -> None:
        self.answered, self.go_on = asyncio.Event(), asyncio.Event()
        self.count = 0
        request = RestClient.request

        async def slow(rest: RestClient, operation: str, *given: object, **more: object) -> object:
            if operation != routes.MEDECIN_CONVERSATIONS:
                return await request(rest, operation, *given, **more)
            self.count += 1
            number = self.count
            if number in unasked:
                await self.go_on.wait()
                await asyncio.Event().wait()
            answer = await request(rest, operation, *given, **more)
            self.answered.set()
            if number in held:
                await self.go_on.wait()
            return answer

        monkeypatch.setattr(RestClient, "request", slow)


def tell_nobody(scene: Scene) -> None:
    """A server that sends no notices."""
    for event in ("conversation_updated", "notification"):
        scene.server.faults.drop_events(event, count=None)


async def test_an_older_answer_does_not_take_the_place_of_a_newer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Scene() as scene:
        await scene.fill(1)
        inbox = await scene.inbox(await scene.client())
        tell_nobody(scene)
        lists = SlowLists(monkeypatch, held={1})
        refreshing = asyncio.create_task(inbox.refresh())
        await lists.answered.wait()
        await inbox.mark_all_as_read()
        assert inbox.unread_count == 0
        lists.go_on.set()
        await refreshing
        assert inbox.unread_count == 0


async def test_an_older_read_that_fails_says_nothing_of_a_newer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Scene() as scene:
        inbox = await scene.inbox(await scene.client(max_retries=0))
        scene.server.faults.answer("conversations", 500)
        request, go_on = RestClient.request, asyncio.Event()
        calls: list[str] = []

        async def slow(rest: RestClient, operation: str, *given: object, **more: object) -> object:
            calls.append(operation)
            is_first = len(calls) == 1
            try:
                return await request(rest, operation, *given, **more)
            finally:
                if is_first:
                    await go_on.wait()

        monkeypatch.setattr(RestClient, "request", slow)
        failing = asyncio.create_task(inbox.refresh())
        await scene.server.wait_until(lambda: any(each.status == 500 for each in scene.server.requests))
        await inbox.refresh()
        go_on.set()
        with pytest.raises(ServerError):
            await failing
        assert inbox.error is None


async def test_a_list_that_is_older_than_a_message_does_not_take_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Scene() as scene:
        inbox = await scene.inbox(await scene.client())
        tell_nobody(scene)
        lists = SlowLists(monkeypatch, held={1}, unasked={2})
        refreshing = asyncio.create_task(inbox.refresh())
        await lists.answered.wait()
        await scene.say("un")
        await until(inbox, lambda: inbox.conversations[0].last_message is not None)
        lists.go_on.set()
        await refreshing
        assert lists.count == 3
        assert inbox.conversations[0].last_message.content == "un"
        assert inbox.unread_count == 1


async def test_what_this_client_marks_is_counted_though_the_server_tells_nobody() -> None:
    async with Scene() as scene:
        await scene.fill(3)
        client = await scene.client()
        inbox, session = await scene.inbox(client), await scene.session(client)
        tell_nobody(scene)
        await session.mark_as_read(session.messages[0])
        await until(inbox, lambda: inbox.unread_count == 2)
        await client.mark_message_as_read(session.messages[1].id)
        await until(inbox, lambda: inbox.unread_count == 1)
        await inbox.close()
        assert not client._cache._watchers["lists"]


async def test_marks_that_end_half_way_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Scene() as scene:
        clock = ManualClock()
        await scene.fill(12)
        inbox = await scene.inbox(await scene.client(clock=clock, max_retries=0))
        tell_nobody(scene)
        request, marks = RestClient.request, [0]

        async def fail_in_the_end(rest: RestClient, operation: str, *given: object, **more: object) -> object:
            if operation == routes.MARK_READ:
                marks[0] += 1
                if marks[0] == 9:
                    scene.server.faults.answer("mark_read", 403)
            return await request(rest, operation, *given, **more)

        monkeypatch.setattr(RestClient, "request", fail_in_the_end)
        with pytest.raises(PermissionDenied):
            await inbox.mark_all_as_read()
        await until(inbox, lambda: 0 < inbox.unread_count < 12)


async def test_a_list_that_comes_after_closing_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Scene() as scene:
        client = await scene.client()
        nameless = [{"participant_id": 5, "participant_type": "patient"}]
        listed = {"id": scene.conversation, "titre": "x", "statut": "active", "participants": nameless}
        async with client.inbox() as inbox:
            body = {"status": "success", "data": {"conversations": [listed]}}
            scene.server.faults.answer("conversations", 200, body=body, count=None)
            lists = SlowLists(monkeypatch, held={1})
            refreshing = asyncio.create_task(inbox.refresh())
            await lists.answered.wait()
        lists.go_on.set()
        await refreshing
        assert inbox._naming is None
        assert [each.title for each in inbox.conversations] == ["Messages - Ordonnance 15"]


# --- any sequence ----------------------------------------------------------------------------------------------------

moves = st.lists(
    st.tuples(
        st.sampled_from(
            ["says", "says own", "silently", "reads", "reads all", "creates", "archives", "cut", "restart"]
        ),
        st.integers(0, 5),
    ),
    max_size=12,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.generate])
@given(moves)
async def test_agrees_with_the_server_after_any_sequence(sequence: list[tuple[str, int]]) -> None:
    """The model: which conversations are active, and which messages of the patient the doctor has not read."""
    clock = ManualClock()
    async with Scene() as scene:
        unread: dict[int, list[int]] = {scene.conversation: []}
        archived: set[int] = set()
        inbox = await scene.inbox(await scene.client(clock=clock, reconnection_delay=0.0))
        for move, number in sequence:
            target = list(unread)[number % len(unread)]
            if move == "creates":
                unread[await scene.server.create_conversation(f"Suivi {len(unread)}", [PATIENT, DOCTOR])] = []
            elif move == "archives":
                await scene.server.set_status(target, "active" if target in archived else "archivée")
                archived ^= {target}
            elif move == "reads" and unread[target]:
                await scene.server.mark_read(unread[target].pop(), DOCTOR)
            elif move == "reads all":
                await while_time_passes(clock, inbox.refresh())
                await settled(clock, inbox, unread, archived)
                await while_time_passes(clock, inbox.mark_all_as_read())
                unread |= {each: [] for each in unread if each not in archived}
            elif move == "cut":
                await scene.server.faults.cut(DOCTOR)
            elif move == "restart":
                await scene.server.restart()
            elif move.startswith(("says", "silently")):
                sender = DOCTOR if move == "says own" else PATIENT
                stored = await scene.server.say(target, move, sender, broadcast=move != "silently")
                if sender == PATIENT:
                    unread[target].append(stored["id_message"])
        if any(move == "silently" for move, _ in sequence):
            await while_time_passes(clock, inbox.refresh())
        await settled(clock, inbox, unread, archived)


async def settled(clock: ManualClock, inbox: Inbox, unread: dict[int, list[int]], archived: set[int]) -> None:
    """Wait until the inbox agrees with the model."""

    def agrees() -> bool:
        shown = {each.id: each.unread_count for each in inbox.conversations}
        active = all(each.status is ConversationStatus.ACTIVE for each in inbox.conversations)
        return active and shown == {each: len(ids) for each, ids in unread.items() if each not in archived}

    async with asyncio.timeout(10):
        while not agrees():
            await while_time_passes(clock, asyncio.sleep(0.01))
    assert inbox.unread_count == sum(len(ids) for each, ids in unread.items() if each not in archived)
