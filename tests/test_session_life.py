"""Sessions come and go: entering that fails or is cancelled, sharing, closing; nothing is left behind."""

from __future__ import annotations

import asyncio

import pytest
from scenes import OTHER_DOCTOR, Scene, at_work, contents, until

from messaging_client import NotConnected, NotFound, PermissionDenied, ServerError


async def test_a_conversation_that_is_not_the_users_leaves_nothing_behind() -> None:
    async with Scene() as scene:
        client = await scene.client(OTHER_DOCTOR)
        tasks = at_work()
        session = client.conversation(scene.conversation)
        with pytest.raises(PermissionDenied):
            await session.__aenter__()
        assert not client._sessions._states
        assert not client._feed.threads
        assert not client._feed._watchers
        assert not client._outbox._listeners._by_conversation
        assert at_work() == tasks
        assert scene.server.members(scene.conversation) == []


async def test_a_server_that_fails_leaves_nothing_behind_and_may_be_tried_again() -> None:
    async with Scene() as scene:
        client = await scene.client(max_retries=0)
        scene.server.faults.answer("messages", 500, count=3)
        with pytest.raises(ServerError):
            await client.conversation(scene.conversation).__aenter__()
        assert not client._sessions._states
        await scene.server.wait_until(lambda: scene.server.members(scene.conversation) == [])
        session = await scene.session(client)
        await scene.say("enfin")
        await until(session, lambda: contents(session) == ["enfin"])


async def test_cancelled_entry_leaves_nothing_behind() -> None:
    async with Scene() as scene:
        client = await scene.client()
        tasks = at_work()
        scene.server.faults.silence("messages", count=None)
        entering = asyncio.create_task(client.conversation(scene.conversation).__aenter__())
        await scene.server.wait_until(lambda: scene.requests("messages"))
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
        assert not client._sessions._states
        assert at_work() == tasks
        await scene.server.wait_until(lambda: scene.server.members(scene.conversation) == [])


async def test_cancelling_one_entry_does_not_disturb_another() -> None:
    async with Scene() as scene:
        await scene.fill(1)
        client = await scene.client()
        scene.server.faults.delay("messages", 0.2)
        first = asyncio.create_task(client.conversation(scene.conversation).__aenter__())
        second = asyncio.create_task(client.conversation(scene.conversation).__aenter__())
        await scene.server.wait_until(lambda: scene.requests("messages"))
        first.cancel()
        assert contents(await second) == ["m1"]


async def test_opens_without_a_socket_and_is_live_once_there_is_one() -> None:
    async with Scene() as scene:
        await scene.fill(1)
        client = await scene.client(connect=False)
        session = await scene.session(client)
        assert not session.is_connected
        assert contents(session) == ["m1"]
        await session.send("sans socket")
        await client.connect()
        await scene.server.wait_until(lambda: scene.server.members(scene.conversation))
        await scene.say("bonjour")
        await until(session, lambda: contents(session) == ["m1", "sans socket", "bonjour"])


async def test_two_sessions_share_one_state_and_closing_one_leaves_the_other() -> None:
    async with Scene() as scene:
        await scene.fill(1)
        client = await scene.client()
        one, other = client.conversation(scene.conversation), client.conversation(scene.conversation)
        async with one, other:
            requests = scene.requests("messages")
            async with client.conversation(scene.conversation) as third:
                assert scene.requests("messages") == requests
                assert third.messages is one.messages
            await one.send("de l'une")
            assert contents(other) == ["m1", "de l'une"]
            await one.close()
            await one.close()
            await scene.say("pour l'autre")
            await until(other, lambda: len(other.messages) == 3)
            assert scene.server.members(scene.conversation)
        await scene.server.wait_until(lambda: not scene.server.members(scene.conversation))
        assert not client._sessions._states


async def test_a_room_that_the_user_joined_stays_joined() -> None:
    async with Scene() as scene:
        client = await scene.client()
        await client.join_conversation(scene.conversation)
        async with client.conversation(scene.conversation):
            pass
        await client.emit("typing", {"conversationId": scene.conversation, "isTyping": False})
        await scene.server.wait_until(lambda: any(each.event == "typing" for each in scene.server.events))
        assert scene.server.members(scene.conversation)


async def test_states_and_reopening_of_a_closed_session() -> None:
    async with Scene() as scene:
        await scene.fill(1)
        client = await scene.client()
        session = client.conversation(scene.conversation)
        with pytest.raises(NotConnected, match="Enter the session first"):
            _ = session.messages
        async with session:
            pass
        assert contents(session) == ["m1"]
        with pytest.raises(NotConnected, match="closed"):
            await session.__aenter__()
        with pytest.raises(NotFound):
            await client.get_message_history("ordonnance", 99)


async def test_closing_the_client_closes_its_sessions() -> None:
    async with Scene() as scene:
        client = await scene.client()
        session = await scene.session(client)
        stream = session.stream()
        waiting = asyncio.create_task(session.wait_for_message())
        await asyncio.sleep(0)
        await client.aclose()
        with pytest.raises(NotConnected, match="closed while it waited"):
            await waiting
        assert [message async for message in stream] == []
        with pytest.raises(NotConnected, match="not live"):
            session.stream()


async def test_what_is_asked_of_a_closed_session_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Scene() as scene:
        client = await scene.client()
        tasks = at_work()
        nameless = {"id": scene.conversation, "titre": "x", "statut": "active"}
        nameless["participants"] = [{"participant_id": 5, "participant_type": "patient"}] * 2
        async with client.conversation(scene.conversation) as session:
            pass
        body = {"status": "success", "data": {"conversation": nameless, "messages": []}}
        scene.server.faults.answer("messages", 200, body=body)
        scene.server.faults.silence("user", count=None)
        await session.refresh()
        await session.set_typing(True)
        for _ in range(100):  # what was cancelled has turns to end; by itself, nothing would end so soon
            if not (left := [each for each in at_work() if each not in tasks]):
                break
            await asyncio.sleep(0.005)
        assert left == []


async def test_opening_reads_the_newest_page_once() -> None:
    async with Scene() as scene:
        await scene.fill(3)
        client = await scene.client()
        session = await scene.session(client)
        assert contents(session) == ["m1", "m2", "m3"]
        assert session.unread_count == 3
        assert session.conversation is not None
        assert (scene.requests("messages"), scene.requests("history")) == (1, 0)


async def test_a_room_that_was_joined_before_has_its_page_read_again() -> None:
    """What the joining read may be old by then, and was read before the room was asked for."""
    async with Scene() as scene:
        await scene.fill(1)
        client = await scene.client()
        joining = asyncio.ensure_future(client.join_conversation(scene.conversation))
        await asyncio.sleep(0)
        session = await scene.session(client)
        await joining
        assert contents(session) == ["m1"]
        assert scene.requests("messages") == 2
        await session.close()
        await scene.session(client)
        assert scene.requests("messages") == 3


async def test_what_is_broadcast_before_the_server_has_joined_the_room_comes_once() -> None:
    async with Scene() as scene:
        await scene.fill(1)
        client = await scene.client()
        heard: asyncio.Queue[str] = asyncio.Queue()
        client.on_new_message(lambda message: heard.put_nowait(message.content))
        for event in ("conversation_updated", "notification"):
            scene.server.faults.drop_events(event, count=None)
        scene.server.faults.slow_join(0.3)
        session = await scene.session(client)
        assert not scene.server.members(scene.conversation)
        await scene.say("entre deux")
        await until(session, lambda: contents(session) == ["m1", "entre deux"])
        await scene.server.wait_until(lambda: scene.server.members(scene.conversation))
        await scene.say("après")
        await until(session, lambda: contents(session) == ["m1", "entre deux", "après"])
        assert [await heard.get(), await heard.get()] == ["entre deux", "après"]
        assert heard.empty()


async def test_one_that_may_not_be_read_is_not_stayed_in() -> None:
    async with Scene() as scene:
        client = await scene.client(OTHER_DOCTOR)
        with pytest.raises(PermissionDenied):
            await scene.session(client)
        assert client._connection.rooms == ()
