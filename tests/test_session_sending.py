"""A message on its way, as its session shows it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from scenes import DOCTOR, LONG_AGO, PATIENT, Scene, contents, until

from messaging_client import (
    ConversationSession,
    MessageStatus,
    MessageType,
    PermissionDenied,
    RequestTimeout,
    SendUncertain,
    ValidationFailed,
)


def shown(session: ConversationSession) -> list[tuple[str, str]]:
    return [(message.content, message.status.value) for message in session.messages]


async def test_stands_there_at_once_and_becomes_sent_in_place() -> None:
    async with Scene() as scene:
        await scene.fill(2)
        session = await scene.session(await scene.client())
        scene.server.faults.delay("send", 0.1)
        pending = await session.send("premier", wait=False)
        assert pending.status is MessageStatus.SENDING
        assert session.is_own(pending)
        await session.send("second", wait=False)
        assert shown(session)[2:] == [("premier", "sending"), ("second", "sending")]
        assert session.unread_count == 2
        await until(session, lambda: shown(session)[2:] == [("premier", "sent"), ("second", "sent")])
        assert [message.id for message in session.messages] == [
            stored["id_message"] for stored in scene.server.messages(scene.conversation)
        ]
        assert session.messages[2].sender.display_name == "Dr. Sakura Saza"


@pytest.mark.parametrize(
    ("type", "stored", "shows"), [("text", "texte", MessageType.TEXT), ("audio", "audio", MessageType.AUDIO)]
)
async def test_gives_the_confirmed_message(type: str, stored: str, shows: MessageType) -> None:
    async with Scene() as scene:
        session = await scene.session(await scene.client())
        message = await session.send_message_unified("bonjour", type=type)
        assert isinstance(message.id, int)
        assert (message.content, message.type, message.status) == ("bonjour", shows, MessageStatus.SENT)
        assert message in session.messages
        (only,) = scene.server.messages(scene.conversation)
        assert (only["contenu"], only["type_message"]) == ("bonjour", stored)


@pytest.mark.parametrize(
    "wrong", [{"content": ""}, {"content": " \n"}, {"content": 5}, {"content": "x", "type": "vidéo"}], ids=repr
)
async def test_what_cannot_be_sent_leaves_no_trace(wrong: dict[str, object]) -> None:
    async with Scene() as scene:
        client = await scene.client()
        session = await scene.session(client)
        with pytest.raises(ValidationFailed) as caught:
            await session.send(**wrong)
        assert caught.value.status is None
        assert contents(session) == []
        assert client.pending() == ()


@pytest.mark.parametrize("broadcast", [True, False])
@pytest.mark.parametrize("echo", [True, False])
async def test_never_stands_there_twice(echo: bool, broadcast: bool) -> None:
    """Whether the broadcast comes before the answer or not, and whether messages carry their keys or not."""
    async with Scene(echo_client_message_id=echo, broadcast_on_post=broadcast) as scene:
        session = await scene.session(await scene.client())
        seen: list[int] = []
        scene.server.faults.delay("send", 0.05, after_storing=True, count=None)
        with session.on_change(lambda each: seen.append(len(each.messages))):
            for number in range(3):
                await session.send("ok")
                assert contents(session) == ["ok"] * (number + 1)
            await session.refresh()
        assert contents(session) == ["ok"] * 3
        assert max(seen) <= 3


async def test_a_page_read_while_a_message_is_on_its_way_does_not_double_or_hide_it() -> None:
    async with Scene() as scene:
        await scene.say("ok", DOCTOR)
        session = await scene.session(await scene.client())
        scene.server.faults.delay("send", 0.2, after_storing=True)
        await session.send("ok", wait=False)
        await session.refresh()
        assert contents(session) == ["ok", "ok"]
        await scene.server.wait_until(lambda: len(scene.server.messages(scene.conversation)) == 2)
        await session.refresh()
        assert contents(session) == ["ok", "ok"]
        await until(session, lambda: shown(session) == [("ok", "sent"), ("ok", "sent")])


@pytest.mark.parametrize("honours", [True, False])
async def test_a_page_that_has_a_message_on_its_way_without_its_key_does_not_double_it(honours: bool) -> None:
    """On a server that echoes no keys, its content tells, if it was stored since the send began."""
    async with Scene(echo_client_message_id=False, idempotency=honours) as scene:
        await scene.say("ok", DOCTOR)
        session = await scene.session(await scene.client(server_idempotency=honours))
        scene.server.faults.drop_events("new_message", count=None)
        scene.server.faults.silence("send", after_storing=True)
        pending = await session.send("ok", wait=False)
        await scene.server.wait_until(lambda: len(scene.server.messages(scene.conversation)) == 2)
        assert shown(session) == [("ok", "sent"), ("ok", "sending")]
        for _ in range(2):
            await session.refresh()
            assert shown(session) == [("ok", "sent"), ("ok", "sent")]
        assert pending.id not in [message.id for message in session.messages]
        scene.server.faults.clear()
        await until(session, lambda: not session._client.pending())
        assert shown(session) == [("ok", "sent"), ("ok", "sent")]


async def test_a_page_with_an_old_message_of_the_same_words_hides_none_on_its_way() -> None:
    """An older page brings what was said before, by the same user and in the same words."""
    async with Scene(echo_client_message_id=False, idempotency=False) as scene:
        await scene.say("ok", DOCTOR, at=LONG_AGO)
        await scene.fill(50)
        session = await scene.session(await scene.client())
        scene.server.faults.silence("send")
        await session.send("ok", wait=False)
        await scene.server.wait_until(lambda: scene.requests("send"))
        assert await session.load_older() == 1
        await session.refresh()
        assert contents(session)[0] == "ok"
        assert shown(session)[-1] == ("ok", "sending")


async def test_what_another_device_says_in_the_same_words_hides_none_that_did_not_leave() -> None:
    async with Scene(echo_client_message_id=False, idempotency=False) as scene:
        session = await scene.session(await scene.client())
        scene.server.faults.silence("send")
        await session.send("devant", wait=False)
        await session.send("ok", wait=False)  # waits behind the first
        await scene.say("ok", DOCTOR)
        await until(session, lambda: ("ok", "sent") in shown(session))
        await session.refresh()
        assert sorted(shown(session)) == [("devant", "sending"), ("ok", "sending"), ("ok", "sent")]


async def test_a_refused_message_stays_and_is_retried() -> None:
    async with Scene() as scene:
        client = await scene.client()
        session = await scene.session(client)
        scene.server.faults.answer("send", 403)
        with pytest.raises(PermissionDenied):
            await session.send("bonjour")
        assert shown(session) == [("bonjour", "error")]
        assert [message.id for message in client.pending()] == [session.messages[0].id]
        sent = await session.retry(session.messages[0])
        assert shown(session) == [("bonjour", "sent")]
        assert sent == session.messages[0]
        assert client.pending() == ()
        with pytest.raises(ValidationFailed):
            await session.retry(sent)
        assert len(scene.server.messages(scene.conversation)) == 1


async def test_a_refused_message_is_discarded() -> None:
    async with Scene() as scene:
        client = await scene.client()
        session = await scene.session(client)
        scene.server.faults.answer("send", 403)
        await session.send("bonjour", wait=False)
        await until(session, lambda: shown(session) == [("bonjour", "error")])
        await session.discard(session.messages[0])
        assert contents(session) == []
        assert client.pending() == ()


async def test_an_uncertain_message_stays_and_is_shown_to_a_later_session() -> None:
    async with Scene(echo_client_message_id=False, idempotency=False) as scene:
        client = await scene.client()
        async with client.conversation(scene.conversation) as session:
            scene.server.faults.answer("messages", 403, count=None)
            scene.server.faults.answer("new_messages", 403, count=None)
            scene.server.faults.drop_before_storing("send")
            with pytest.raises(SendUncertain):
                await session.send("peut-être")
            assert shown(session) == [("peut-être", "uncertain")]
        scene.server.faults.clear()
        async with client.conversation(scene.conversation) as session:
            assert shown(session) == [("peut-être", "uncertain")]
            await session.discard(session.messages[0])
            assert shown(session) == []


async def test_given_up_at_the_deadline() -> None:
    async with Scene() as scene:
        session = await scene.session(await scene.client())
        scene.server.faults.silence("send", count=None)
        await session.send("devant", wait=False)
        with pytest.raises(RequestTimeout):
            await session.send("derrière", deadline=0.05)
        assert shown(session) == [("devant", "sending"), ("derrière", "error")]


async def test_stands_behind_what_the_server_has_though_its_clock_is_ahead() -> None:
    async with Scene() as scene:
        await scene.say("du futur", at=datetime.now(UTC) + timedelta(hours=1))
        session = await scene.session(await scene.client())
        scene.server.faults.silence("send")
        await session.send("réponse", wait=False)
        assert contents(session) == ["du futur", "réponse"]


async def test_a_message_read_by_the_other_before_its_answer_came_stays_read() -> None:
    async with Scene() as scene:
        session = await scene.session(await scene.client(PATIENT))
        scene.server.faults.delay("send", 0.3, after_storing=True)
        await session.send("lu tout de suite", wait=False)
        await scene.server.wait_until(lambda: scene.server.messages(scene.conversation))
        await scene.server.mark_read(scene.server.messages(scene.conversation)[0]["id_message"], DOCTOR)
        await until(session, lambda: shown(session) == [("lu tout de suite", "read")])
        await until(session, lambda: not session._client.pending())
        assert shown(session) == [("lu tout de suite", "read")]
