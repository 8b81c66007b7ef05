"""Life of the server, and what tests do with it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from messaging_client.errors import ConfigurationError
from messaging_client.testing import ManualClock, MessagingServer, ServerOptions
from messaging_client.testing.records import SocketInfo

from .conftest import DOCTOR, PATIENT, STRANGER, Live, Rest

Connect = Callable[..., Awaitable[Live]]


# Life


async def test_a_start_leaves_signals_alone() -> None:
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    async with MessagingServer():
        assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before


async def test_several_at_once(session: aiohttp.ClientSession) -> None:
    async with MessagingServer() as one, MessagingServer() as other:
        assert one.port != other.port
        await one.create_conversation("Suivi", [PATIENT, DOCTOR])
        for server, status in ((one, 200), (other, 403)):
            rest = Rest(session, server.url, server.token(*PATIENT))
            assert (await rest.get("/messaging/conversation/1/messages")).status == status
        rest = Rest(session, other.url, one.token(*PATIENT))
        assert (await rest.get("/messaging/conversations/unread")).status == 401


async def test_stopping_is_quick_and_thorough(server: MessagingServer, live: Connect, conversation: int) -> None:
    clients = [await live(PATIENT, joined=conversation) for _ in range(10)]
    started = asyncio.get_running_loop().time()
    await server.stop()
    assert asyncio.get_running_loop().time() - started < 0.5
    assert not server.is_running
    assert server.connections() == server.members(conversation) == []
    assert server.rooms() == {}
    for client in clients:
        await asyncio.wait_for(client.gone.wait(), 20)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", server.port)
    await server.stop()  # once is enough


async def test_nothing_is_left_behind() -> None:
    async def life() -> None:
        async with MessagingServer() as server:
            await server.create_conversation("Suivi", [PATIENT, DOCTOR])
            server.faults.silence("health")
            server.faults.delay("unread", 60)
            server.faults.slow_join(60)
            client = Live()
            await client.connect(server.url, server.token(*PATIENT))
            await client.sio.emit("join_conversation", 1)
            await client.settle()
            async with aiohttp.ClientSession() as session:
                rest = Rest(session, server.url, server.token(*PATIENT))
                waiting = [asyncio.ensure_future(rest.post(path)) for path in ("/x",)]
                waiting += [asyncio.ensure_future(rest("GET", path)) for path in ("/health",)]
                waiting += [asyncio.ensure_future(rest("GET", "/messaging/conversations/unread"))]
                await server.wait_until(lambda: len(server.requests) == 3)
                await server.aclose()
                await asyncio.gather(*waiting, return_exceptions=True)
            await client.close()

    await life()  # the first one warms caches up
    process = psutil.Process()
    tasks, files, threads = asyncio.all_tasks(), process.num_fds(), threading.active_count()
    for _ in range(3):
        await life()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == tasks
    assert process.num_fds() <= files
    assert threading.active_count() == threads


async def test_connections_that_are_just_being_made_end_too(server: MessagingServer) -> None:
    connecting = [asyncio.ensure_future(asyncio.open_connection("127.0.0.1", server.port)) for _ in range(50)]
    await asyncio.wait(connecting, return_when=asyncio.FIRST_COMPLETED)
    await server.stop()
    for pair in await asyncio.gather(*connecting, return_exceptions=True):
        if isinstance(pair, BaseException):
            assert isinstance(pair, OSError)
            continue
        reader, writer = pair
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 20) == b""
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_answers_do_not_wait_for_acknowledgements(server: MessagingServer, doctor: Rest) -> None:
    async def time_of_ten() -> float:
        started = asyncio.get_running_loop().time()
        for _ in range(10):
            await doctor.get("/health")
        return asyncio.get_running_loop().time() - started

    assert min([await time_of_ten() for _ in range(3)]) < 0.4  # 40 ms each with Nagle's algorithm


async def test_a_request_that_does_not_notice_the_stop_is_cancelled(
    server: MessagingServer, doctor: Rest, monkeypatch: Any, caplog: Any
) -> None:
    async def stuck(*args: Any) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr("messaging_client.testing.rest.Operation._work", stuck)
    waiting = asyncio.ensure_future(doctor.post("/messaging/conversation"))
    await server.wait_until(lambda: server.requests)
    await server.stop()
    assert "1 requests had to be cancelled" in caplog.text
    with pytest.raises(aiohttp.ClientError):
        await waiting


async def test_restart_on_the_same_port_and_file(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    async with MessagingServer(str(tmp_path / "a.db")) as server:
        rest = Rest(session, server.url, server.token(*PATIENT))
        await server.create_conversation("Suivi", [PATIENT, DOCTOR])
        await server.say(1, "before", DOCTOR)
        url = server.url
        await server.stop()
        with pytest.raises(aiohttp.ClientConnectionError):
            await rest.get("/health")
        await server.start()
        assert server.url == url
        assert (await rest.get("/messaging/conversation/1/messages")).data["messages"][0]["contenu"] == "before"
        await server.restart()
        assert len(server.messages(1)) == 1
        port = server.port
    secret = "s" * 32
    async with MessagingServer(str(tmp_path / "a.db"), port=port, secret=secret) as again:
        assert again.url == url
        assert [each["contenu"] for each in again.messages(1)] == ["before"]


async def test_memory_lasts_through_a_stop_but_not_through_the_end() -> None:
    server = MessagingServer()
    async with server:
        await server.create_conversation("Suivi", [PATIENT, DOCTOR])
        await server.stop()
        await server.say(1, "while it was away", DOCTOR)
        await server.start()
        assert len(server.messages(1)) == 1
    async with server:
        assert server.messages(1) == []


async def test_it_starts_once() -> None:
    async with MessagingServer() as server:
        with pytest.raises(RuntimeError, match="runs already"):
            await server.start()


async def test_a_port_that_is_taken() -> None:
    async with MessagingServer() as server:
        other = MessagingServer(port=server.port)
        with pytest.raises(OSError, match="in use"):
            await other.start()
        assert not other.is_running


async def test_a_database_that_cannot_be_used(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = MessagingServer(str(tmp_path / "nowhere" / "a.db"), port=port)
    with pytest.raises(ConfigurationError):
        await server.start()
    async with MessagingServer(port=port):  # the port was given back
        pass


@pytest.mark.parametrize(("host", "start"), [("0.0.0.0", "http://127.0.0.1:"), ("::1", "http://[::1]:")])
async def test_other_addresses(session: aiohttp.ClientSession, host: str, start: str) -> None:
    async with MessagingServer(host=host) as server:
        assert server.url.startswith(start)
        assert (await Rest(session, server.url, None).get("/health")).status == 200


async def test_a_short_secret() -> None:
    with pytest.raises(ConfigurationError, match="32 bytes"):
        MessagingServer(secret="short")


async def test_a_debug_loop_finds_nothing_slow_or_forgotten(server: MessagingServer, live: Connect) -> None:
    asyncio.get_running_loop().set_debug(True)
    await live(PATIENT)
    await server.restart()


# What tests do with it


async def test_say_is_told_as_if_posted(server: MessagingServer, live: Connect, conversation: int) -> None:
    marie = await live(PATIENT, joined=conversation)
    message = await server.say(conversation, "Bonjour", DOCTOR, client_message_id="k", type_message="image")
    assert (message["contenu"], message["expediteur_id"], message["client_message_id"]) == ("Bonjour", 79, "k")
    assert (await marie.hear("new_message"))["id"] == message["id_message"]
    assert server.messages(conversation) == [message]
    await server.say(conversation, "unheard", DOCTOR, broadcast=False)
    await marie.settle()
    assert len(marie.of("new_message")) == 1


@pytest.mark.parametrize("options", [ServerOptions(broadcast_on_post=False)])
async def test_say_is_told_by_a_server_that_relays_only(
    server: MessagingServer, live: Connect, conversation: int
) -> None:
    marie = await live(PATIENT, joined=conversation)
    await server.say(conversation, "Bonjour", DOCTOR)
    await marie.hear("new_message")


async def test_say_at_a_time(server: MessagingServer, conversation: int) -> None:
    late = await server.say(conversation, "late", PATIENT, at=datetime(2025, 1, 2, tzinfo=UTC))
    await server.say(conversation, "early", PATIENT, at=datetime(2025, 1, 1))
    assert late["date_envoi"] == "2025-01-02T00:00:00.000Z"
    assert [each["contenu"] for each in server.messages(conversation)] == ["early", "late"]


async def test_who_takes_no_part_says_nothing(server: MessagingServer, conversation: int) -> None:
    with pytest.raises(LookupError, match="takes no part"):
        await server.say(conversation, "x", STRANGER)
    with pytest.raises(LookupError, match="no conversation 4711"):
        await server.say(4711, "x", DOCTOR)
    with pytest.raises(LookupError):
        await server.mark_read(4711, DOCTOR)
    for user in (("robot", 1), ("patient", -1), ("patient", "x")):
        with pytest.raises(ValueError, match="is no user"):
            await server.say(conversation, "x", user)  # type: ignore[arg-type]


async def test_mark_read_and_status_are_told(server: MessagingServer, live: Connect, conversation: int) -> None:
    marie = await live(PATIENT)
    await server.say(conversation, "a", PATIENT, broadcast=False)
    assert (await server.mark_read(1, DOCTOR))["statut"] == "lu"
    await server.mark_read(1, DOCTOR)
    await server.set_status(conversation, "archived")
    assert (await marie.hear("conversation_updated", 2)) == {
        "conversationId": 1,
        "statut": "archivée",
        "reason": "status",
    }
    assert len(marie.of("conversation_updated")) == 2


async def test_creation_is_told_and_done_once(server: MessagingServer, live: Connect) -> None:
    marie, doctor = await live(PATIENT), await live(DOCTOR)
    ids = [await server.create_conversation("Examen 3", [DOCTOR, PATIENT]) for _ in range(2)]
    assert ids == [1, 1]
    assert (await marie.hear("notification"))["type"] == "new_conversation"
    await doctor.settle()
    assert doctor.of("notification") == []


async def test_typing(server: MessagingServer, live: Connect, conversation: int) -> None:
    marie = await live(PATIENT, joined=conversation)
    await server.typing(conversation, DOCTOR)
    assert (await marie.hear("user_typing"))["isTyping"] is True
    await server.typing(conversation, DOCTOR, is_typing=False)
    assert (await marie.hear("user_typing", 2))["isTyping"] is False


async def test_emit_anything(server: MessagingServer, live: Connect, conversation: int) -> None:
    marie, doctor = await live(PATIENT, joined=conversation), await live(DOCTOR)
    assert await server.emit("new_message", "garbage", conversation_id=conversation) == 1
    assert await server.emit("odd", {"a": 1}, 2, user=DOCTOR) == 1
    assert await server.emit("all") == 2
    assert await server.emit("nobody", conversation_id=4711) == 0
    assert await marie.hear("new_message") == "garbage"
    assert await doctor.hear("odd") == ({"a": 1}, 2)
    assert await doctor.hear("all") == ()


async def test_a_stopped_server_stores_in_silence(server: MessagingServer, conversation: int) -> None:
    await server.stop()
    await server.say(conversation, "a", PATIENT)
    await server.mark_read(1, DOCTOR)
    await server.set_status(conversation, "all")
    await server.typing(conversation, DOCTOR)
    assert await server.emit("x") == 0
    assert await server.create_conversation("Suivi", [PATIENT, DOCTOR]) == 2
    assert server.messages(conversation)[0]["statut"] == "lu"


async def test_wait_until(server: MessagingServer, live: Connect) -> None:
    waiting = asyncio.ensure_future(server.wait_until(lambda: len(server.connections(PATIENT)) == 2))
    for _ in range(2):
        assert not waiting.done()
        await live(PATIENT)
    await waiting
    assert all(isinstance(each, SocketInfo) for each in server.connections())
    with pytest.raises(TimeoutError, match="did not come to that state"):
        await server.wait_until(lambda: False, timeout=0.01)


async def test_a_server_on_a_manual_clock(session: aiohttp.ClientSession) -> None:
    clock = ManualClock(datetime(2030, 1, 1, tzinfo=UTC))
    async with MessagingServer(clock=clock) as server:
        await server.create_conversation("Suivi", [PATIENT, DOCTOR])
        rest = Rest(session, server.url, server.token(*PATIENT, expires_in=60))
        assert (await rest.send(1, "a")).data["message"]["date_envoi"] == "2030-01-01T00:00:00.000Z"
        server.faults.delay("send", 59)
        sending = asyncio.ensure_future(rest.send(1, "b"))
        await clock.wait_for_sleepers(1)
        assert len(server.messages(1)) == 1
        await clock.advance(59)
        assert (await sending).data["message"]["date_envoi"] == "2030-01-01T00:00:59.000Z"
        await clock.advance(1)
        assert (await rest.send(1, "c")).message == "Jeton expiré"


@pytest.mark.parametrize(
    "wrong",
    [
        {"event_spelling": "x"},
        {"list_routes": "x"},
        {"ping_interval": 0},
        {"max_body_size": -1},
        {"ping_timeout": float("nan")},
        {"middleware_delay": -1},
        {"api_path": "api"},
        {"relay_events": "webrtc_offer"},
        {"relay_events": ["connect"]},
    ],
)
def test_options_that_cannot_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        ServerOptions(**wrong)


async def test_a_connection_that_comes_as_the_server_stops_leaves_no_socket() -> None:
    """Warnings are errors: one that is lost is told when it is collected."""
    async with MessagingServer() as server:
        for turns in range(6):
            with socket.create_connection(("127.0.0.1", server.port)):
                for _ in range(turns):
                    await asyncio.sleep(0)
                await server.restart()
            gc.collect()
