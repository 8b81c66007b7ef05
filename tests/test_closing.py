"""Closing: once, for good, by whomever and from wherever; and what overlaps with it."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
from scenes import DOCTOR, PATIENT, TIMEOUT, Scene

from messaging_client import (
    AuthenticationError,
    CloseReport,
    ConnectionLost,
    ConnectionState,
    Message,
    MessagingClient,
    MessagingConfig,
    NotConnected,
)

HANG = 3600.0


async def in_the_room(scene: Scene) -> MessagingClient:
    client = await scene.client()
    await client.join_conversation(scene.conversation)
    return client


async def sockets_gone(scene: Scene) -> None:
    await scene.server.wait_until(lambda: not scene.server.connections(), timeout=TIMEOUT)


async def test_from_a_handler_everything_is_sent_and_everybody_waits_for_the_end() -> None:
    async with Scene() as scene:
        report: asyncio.Future[CloseReport] = asyncio.get_running_loop().create_future()
        client = await in_the_room(scene)

        @client.on_new_message
        async def stop(message: Message) -> None:
            scene.server.faults.delay("send", 0.2)
            for content in ("premier", "second"):
                await client._submit(scene.conversation, (content,), "texte", None, None)
            report.set_result(await client.aclose(drain=TIMEOUT))

        running = asyncio.create_task(client.run_forever())
        await scene.say("stop")
        async with asyncio.timeout(TIMEOUT):
            await running
            assert [each["contenu"] for each in scene.server.messages(scene.conversation)][1:] == ["premier", "second"]
            assert await client.aclose() is await client.aclose()
            assert await report is await client.aclose()
        assert client.state is ConnectionState.DISCONNECTED
        await sockets_gone(scene)


async def test_whoever_is_cancelled_hurries_it_and_nothing_is_left() -> None:
    async with Scene() as scene:
        before = asyncio.all_tasks()
        client = await scene.client()
        scene.server.faults.silence("send")
        (sending,) = await client._submit(scene.conversation, ("un",), "texte", None, None)
        await scene.server.wait_until(lambda: scene.requests("send") == 1, timeout=TIMEOUT)
        closing = asyncio.create_task(client.aclose(drain=HANG))
        other = asyncio.create_task(client.aclose(drain=HANG))
        await asyncio.sleep(0)
        closing.cancel()
        async with asyncio.timeout(TIMEOUT):
            with pytest.raises(asyncio.CancelledError):
                await closing
            report = await other
        assert [message.id for message in report.unsent] == [sending.pending.id]
        assert client.state is ConnectionState.DISCONNECTED
        await sockets_gone(scene)
        assert not [task for task in asyncio.all_tasks() - before if "messaging_client/" in repr(task.get_coro())]


async def test_a_handler_that_swallows_its_cancellation_does_not_hold_it_up() -> None:
    async with Scene() as scene:
        client = await in_the_room(scene)
        handled = []
        never, go_on = asyncio.Event(), asyncio.Event()

        @client.on_new_message
        async def stubborn(message: Message) -> None:
            handled.append(message.content)
            go_on.set()
            with contextlib.suppress(asyncio.CancelledError):
                await never.wait()

        async with client.expect(Message, lambda message: message.content == "trois"):
            for content in ("un", "deux", "trois"):
                await scene.say(content)
        await go_on.wait()
        report = await client.aclose(drain=0.01)
        assert report.cancelled == 1
        assert handled == ["un"], "what waits for it is dropped"


async def test_one_that_never_ends_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    async with Scene() as scene:
        client = await in_the_room(scene)
        entered, free = asyncio.Event(), asyncio.Event()

        @client.on_new_message
        async def immortal(_message: Message) -> None:
            entered.set()
            while not free.is_set():
                try:
                    await free.wait()
                except asyncio.CancelledError:
                    continue

        await scene.say("un")
        await entered.wait()
        async with asyncio.timeout(TIMEOUT):
            assert (await client.aclose(drain=0)).cancelled == 1
        assert "does not end when it is cancelled" in caplog.text
        assert "immortal" in caplog.text
        free.set()


@pytest.mark.parametrize("end", ["aclose", "disconnect"])
async def test_connecting_meanwhile_does_not_outlive_it(end: str, tmp_path: Path) -> None:
    async with Scene() as scene:
        asked, give = asyncio.Event(), asyncio.Event()

        async def token() -> str:
            asked.set()
            await give.wait()
            return scene.server.token(*DOCTOR)

        client = MessagingClient(scene.server.url, token=token, store=tmp_path / "messages.db")
        connecting = asyncio.create_task(client.connect())
        await asked.wait()
        ending = asyncio.create_task(client.aclose() if end == "aclose" else client.disconnect())
        await asyncio.sleep(0)
        give.set()
        async with asyncio.timeout(TIMEOUT):
            with pytest.raises(ConnectionLost, match="connect again"):
                await connecting
            await ending
        assert client.state is ConnectionState.DISCONNECTED
        assert not client.status().polling
        assert not scene.server.connections()
        if end == "disconnect":
            await client.connect()
            assert client.is_connected
        await client.aclose()


async def test_connecting_afterwards_is_refused_even_while_it_goes_on() -> None:
    async with Scene() as scene:
        client = await scene.client()
        closing = asyncio.create_task(client.aclose())
        await asyncio.sleep(0)
        with pytest.raises(NotConnected, match="closed"):
            await client.connect()
        await closing
        with pytest.raises(NotConnected, match="closed"):
            await client._connection.connect()


async def test_who_waits_for_a_connection_is_told_that_there_will_be_none() -> None:
    async with Scene() as scene:
        client = await scene.client(connect=False)
        waiting = asyncio.create_task(client.wait_connected())
        await asyncio.sleep(0)
        await client.aclose()
        async with asyncio.timeout(TIMEOUT):
            with pytest.raises(NotConnected, match="closed"):
                await waiting


async def test_who_waits_for_a_connection_is_told_that_the_token_was_refused() -> None:
    async with Scene() as scene:
        token = scene.server.token(*PATIENT)
        scene.server.faults.expire(token)
        async with asyncio.timeout(TIMEOUT):
            client = MessagingClient(scene.server.url, token=token)
            waiting = asyncio.create_task(client.wait_connected())
            await client.connect(wait=False)
            with pytest.raises(AuthenticationError):
                await waiting
            with pytest.raises(AuthenticationError):
                await client.wait_connected()
            await client.aclose()


async def test_a_token_callable_that_fails_at_first_is_asked_again_in_the_background() -> None:
    async with Scene() as scene:
        answers = iter([OSError("the store is away"), OSError("still"), scene.server.token(*DOCTOR)])

        def token() -> str:
            answer = next(answers)
            if isinstance(answer, Exception):
                raise answer
            return answer

        client = MessagingClient(
            scene.server.url, token=token, config=MessagingConfig(reconnection_delay=0.01, reconnection_delay_max=0.02)
        )
        await client.connect(wait=False)
        await client.wait_connected(TIMEOUT)
        await client.aclose()


async def test_both_tokens_of_a_list_that_expired_are_passed_over() -> None:
    async with Scene() as scene:
        tokens = [scene.server.token(*DOCTOR) for _ in range(3)]
        for expired in tokens[:2]:
            scene.server.faults.expire(expired)
        candidates = dict(zip(("originalJWT", "firstConnectionToken", "jwt"), tokens, strict=True))
        for given in (candidates, tokens, lambda: candidates):
            rest_only = MessagingClient(scene.server.url, token=given)
            assert (await rest_only.get_unread_conversations()).items == ()
            await rest_only.aclose()
            async with MessagingClient(scene.server.url, token=given) as client:
                assert client.is_connected
