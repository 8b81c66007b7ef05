"""Each fault of handshakes, sockets, rooms and events does what it says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
import socketio

from messaging_client.testing import MessagingServer, ServerOptions

from .conftest import DOCTOR, PATIENT, Live

Connect = Callable[..., Awaitable[Live]]
REFUSED = socketio.exceptions.ConnectionError


async def attempt(server: MessagingServer, live: Connect, **given: Any) -> tuple[Live, BaseException | None]:
    client = await live(None)
    try:
        await asyncio.wait_for(client.connect(server.url, server.token(*PATIENT), **given), 20)
    except (socketio.exceptions.SocketIOError, OSError, ValueError, TypeError) as error:
        return client, error
    return client, None


async def upgrade(server: MessagingServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Ask for a WebSocket by hand."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    wish = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + "A" * 22
    writer.write(f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n{wish}==\r\n\r\n".encode())
    return reader, writer


# Handshakes


async def test_refuse_handshake(server: MessagingServer, live: Connect) -> None:
    server.faults.refuse_handshake(count=2)
    server.faults.refuse_handshake("temporarily refused", data={"code": 7})
    refusals = []
    for _ in range(3):
        client, error = await attempt(server, live)
        assert isinstance(error, REFUSED)
        refusals += client.refusals
    assert refusals == [
        {"message": "Authentication error"},
        {"message": "Authentication error"},
        {"message": "temporarily refused", "data": {"code": 7}},
    ]
    assert (await attempt(server, live))[1] is None


async def test_delay_handshake(server: MessagingServer, live: Connect) -> None:
    server.faults.delay_handshake(0.2)
    started = asyncio.get_running_loop().time()
    assert (await attempt(server, live))[1] is None
    assert asyncio.get_running_loop().time() - started >= 0.2


@pytest.mark.parametrize("status", [401, 403, 500, 503])
async def test_refuse_upgrade(server: MessagingServer, live: Connect, status: int) -> None:
    server.faults.refuse_upgrade(status, body="jwt expired")
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(f"{server.url}/socket.io/?EIO=4&transport=websocket")
        assert caught.value.status == status
    assert (await attempt(server, live))[1] is None


async def test_the_body_of_a_refused_upgrade(server: MessagingServer) -> None:
    server.faults.refuse_upgrade(401, body="jwt expired")
    reader, writer = await upgrade(server)
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert answer.endswith(b"jwt expired")
    writer.close()
    await writer.wait_closed()


async def test_close_handshake(server: MessagingServer, live: Connect) -> None:
    server.faults.close_handshake(1013)
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{server.url}/socket.io/?EIO=4&transport=websocket") as socket,
    ):
        frame = await socket.receive()
        assert (frame.type, frame.data) == (aiohttp.WSMsgType.CLOSE, 1013)
    server.faults.close_handshake()
    assert (await attempt(server, live))[1] is not None
    assert (await attempt(server, live))[1] is None


async def test_garble_handshake(server: MessagingServer, live: Connect) -> None:
    server.faults.garble_handshake("nonsense")
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{server.url}/socket.io/?EIO=4&transport=websocket") as socket,
    ):
        assert await socket.receive_str() == "nonsense"
    assert (await attempt(server, live))[1] is None


@pytest.mark.parametrize("stage", ["open", "connect"])
async def test_silence_handshake(server: MessagingServer, live: Connect, stage: Any) -> None:
    server.faults.silence_handshake(stage)
    silenced = asyncio.ensure_future(attempt(server, live, wait_timeout=1))
    await server.wait_until(lambda: server.faults.pending() == 0)
    other, error = await attempt(server, live)  # others get through meanwhile
    assert error is None
    assert not silenced.done()
    server.faults.clear()
    assert (await silenced)[1] is not None
    assert [each.socket_id for each in server.connections()] == [other.sio.get_sid()]


async def test_silence_from_the_start(server: MessagingServer, live: Connect) -> None:
    server.faults.silence_handshake("upgrade")
    reader, writer = await upgrade(server)  # aiohttp would try again by itself
    await server.wait_until(lambda: server.faults.pending() == 0)
    assert (await attempt(server, live))[1] is None
    server.faults.clear()
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("stage", ["upgrade", "open", "connect"])
async def test_a_silent_handshake_does_not_keep_the_server_from_stopping(
    server: MessagingServer, live: Connect, stage: Any
) -> None:
    server.faults.silence_handshake(stage)
    silenced = asyncio.ensure_future(attempt(server, live, wait_timeout=1))
    await server.wait_until(lambda: server.faults.pending() == 0)
    started = asyncio.get_running_loop().time()
    await server.stop()
    assert asyncio.get_running_loop().time() - started < 0.4
    assert (await silenced)[1] is not None


async def test_an_unknown_stage(server: MessagingServer) -> None:
    with pytest.raises(ValueError, match="upgrade"):
        server.faults.silence_handshake("later")  # type: ignore[arg-type]


async def test_the_first_frames_of_a_session_that_stays_silent(server: MessagingServer) -> None:
    server.faults.silence_handshake("open")
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{server.url}/socket.io/?EIO=4&transport=websocket") as socket,
    ):
        with pytest.raises(asyncio.TimeoutError):
            await socket.receive(timeout=0.1)


# Sockets


async def test_cut_everybody(server: MessagingServer, live: Connect) -> None:
    clients = [await live(PATIENT), await live(DOCTOR)]
    assert await server.faults.cut() == 2
    assert server.connections() == []
    assert server.rooms() == {}
    for client in clients:
        await asyncio.wait_for(client.gone.wait(), 20)
    assert await server.faults.cut() == 0


async def test_cut_one_user(server: MessagingServer, live: Connect) -> None:
    phone, laptop, doctor = await live(PATIENT), await live(PATIENT), await live(DOCTOR)
    await live(("medecin", 5))
    assert await server.faults.cut(PATIENT) == 2
    assert [each.user for each in server.connections()] == [DOCTOR, ("medecin", 5)]
    for client in (phone, laptop):
        await asyncio.wait_for(client.gone.wait(), 20)
    assert (await doctor.hear("user_offline"))["userType"] == "patient"
    assert doctor.sio.connected


async def test_a_cut_says_no_goodbye(server: MessagingServer) -> None:
    async with aiohttp.ClientSession() as session:
        socket = await session.ws_connect(f"{server.url}/socket.io/?EIO=4&transport=websocket")
        await socket.receive()
        await socket.send_str(f'40{{"token":"{server.token(*PATIENT)}"}}')
        assert [(await socket.receive_str())[:2] for _ in range(2)] == ["40", "42"]
        await server.faults.cut()
        assert [frame async for frame in socket] == []
    assert socket.close_code == 1006


async def test_cut_a_handshake(server: MessagingServer, live: Connect) -> None:
    server.faults.silence_handshake("open")
    silenced = asyncio.ensure_future(attempt(server, live))
    await server.wait_until(lambda: server.faults.pending() == 0)
    assert await server.faults.cut() == 1
    assert (await silenced)[1] is not None


async def test_disconnect(server: MessagingServer, live: Connect) -> None:
    marie, doctor = await live(PATIENT), await live(DOCTOR)
    reasons = []
    marie.sio.on("disconnect", lambda reason: (reasons.append(reason), marie.gone.set()))
    assert await server.faults.disconnect(PATIENT) == 1
    assert [each.user for each in server.connections()] == [DOCTOR]
    await asyncio.wait_for(marie.gone.wait(), 20)
    assert reasons == ["server disconnect"]
    assert doctor.sio.connected
    assert await server.faults.disconnect() == 1


async def test_disconnect_closes_the_websocket(server: MessagingServer) -> None:
    async with aiohttp.ClientSession() as session:
        socket = await session.ws_connect(f"{server.url}/socket.io/?EIO=4&transport=websocket")
        await socket.receive()
        await socket.send_str(f'40{{"token":"{server.token(*PATIENT)}"}}')
        assert [(await socket.receive_str())[:2] for _ in range(2)] == ["40", "42"]
        await server.faults.disconnect()
        assert [frame.data async for frame in socket] == ["41", "1"]
    assert socket.close_code == 1000


async def test_freeze_and_thaw(server: MessagingServer, live: Connect, conversation: int) -> None:
    marie, doctor = await live(PATIENT, joined=conversation), await live(DOCTOR, joined=conversation)
    assert server.faults.freeze(PATIENT) == 1
    await server.say(conversation, "a", DOCTOR)
    await marie.sio.emit("typing", {"conversationId": 1, "isTyping": True})
    await doctor.hear("new_message")
    await doctor.settle()
    assert marie.of("new_message") == doctor.of("user_typing") == []
    server.faults.thaw()
    await marie.hear("new_message")
    await doctor.hear("user_typing")


@pytest.mark.parametrize("options", [ServerOptions(ping_interval=0.2, ping_timeout=0.2)])
async def test_a_frozen_link_is_found_out_by_both_sides(server: MessagingServer, live: Connect) -> None:
    client = await live(PATIENT)
    server.faults.freeze()
    await asyncio.wait_for(client.gone.wait(), 20)
    await server.wait_until(lambda: not server.connections())


@pytest.mark.parametrize("end", ["cut", "stop", "clear"])
async def test_ways_out_of_the_ice(server: MessagingServer, live: Connect, conversation: int, end: str) -> None:
    client = await live(PATIENT, joined=conversation)
    server.faults.freeze()
    for _ in range(3):
        await server.say(conversation, "x" * 100_000, DOCTOR)
    if end == "cut":
        assert await server.faults.cut() == 1
        await asyncio.wait_for(client.gone.wait(), 20)
    elif end == "stop":
        started = asyncio.get_running_loop().time()
        await server.stop()
        assert asyncio.get_running_loop().time() - started < 0.4
    else:
        server.faults.clear()
        await client.hear("new_message", 3)


async def test_a_stopped_server_has_no_sockets_to_break(server: MessagingServer) -> None:
    await server.stop()
    assert await server.faults.cut() == await server.faults.disconnect() == server.faults.freeze() == 0
    server.faults.hold_events("new_message")
    assert await server.faults.release_events() == 0
    server.faults.thaw()
    server.faults.clear()


async def test_a_socket_outlives_its_token(server: MessagingServer, live: Connect) -> None:
    token = server.token(*PATIENT)
    client = await live(PATIENT, token=token)
    server.faults.revoke(token)
    await client.settle()
    assert client.sio.connected


# Rooms


async def test_slow_join(server: MessagingServer, live: Connect, conversation: int) -> None:
    server.faults.slow_join(0.2)
    marie = await live(PATIENT)
    started = asyncio.get_running_loop().time()
    await marie.sio.emit("join_conversation", {"conversationId": 1})
    await marie.settle()  # other events go on
    assert server.members(conversation) == []
    await server.wait_until(lambda: server.members(conversation))
    assert asyncio.get_running_loop().time() - started >= 0.2


async def test_who_leaves_before_a_slow_join_never_joins(
    server: MessagingServer, live: Connect, conversation: int
) -> None:
    server.faults.slow_join(0.1)
    marie = await live(PATIENT)
    await marie.sio.emit("join_conversation", {"conversationId": 1})
    await marie.settle()
    await server.faults.cut()
    await asyncio.sleep(0.15)
    assert server.rooms() == {}


async def test_a_slow_join_does_not_outlive_the_server(
    server: MessagingServer, live: Connect, conversation: int
) -> None:
    server.faults.slow_join(60)
    marie = await live(PATIENT)
    await marie.sio.emit("join_conversation", {"conversationId": 1})
    await marie.settle()
    before = asyncio.all_tasks()
    await server.stop()
    assert not {task for task in asyncio.all_tasks() & before if "_join_later" in repr(task)}


# Events


@pytest.fixture
async def marie(server: MessagingServer, live: Connect, conversation: int) -> Live:
    return await live(PATIENT, joined=conversation)


async def told(server: MessagingServer, client: Live, *contents: str) -> list[str]:
    """Say these, and give what a client has heard by then."""
    for content in contents:
        await server.say(1, content, DOCTOR)
    await client.settle()
    return [each["content"] for each in client.of("new_message")]


async def test_drop_events(server: MessagingServer, marie: Live) -> None:
    server.faults.drop_events("new_message", count=2)
    assert await told(server, marie, "a", "b", "c") == ["c"]
    assert len(marie.of("notification")) == 3
    assert server.faults.pending() == 0


async def test_duplicate_events(server: MessagingServer, marie: Live) -> None:
    server.faults.duplicate_events("new_message")
    server.faults.duplicate_events("new_message", times=3)
    assert await told(server, marie, "a", "b", "c") == ["a", "a", "b", "b", "b", "c"]


async def test_reorder_events(server: MessagingServer, marie: Live) -> None:
    server.faults.reorder_events("new_message", count=3)
    assert await told(server, marie, "a", "b") == []
    assert await told(server, marie, "c", "d") == ["c", "b", "a", "d"]


async def test_hold_and_release_events(server: MessagingServer, marie: Live) -> None:
    server.faults.hold_events("new_message")
    server.faults.hold_events("notification")
    assert await told(server, marie, "a", "b") == []
    assert await server.faults.release_events("new_message") == 2
    assert await told(server, marie, "c") == ["a", "b", "c"]
    assert marie.of("notification") == []
    assert await server.faults.release_events() == 3
    await marie.hear("notification", 3)
    assert server.faults.pending() == 0


async def test_an_incomplete_reorder_is_released_in_order(server: MessagingServer, marie: Live) -> None:
    server.faults.reorder_events("new_message", count=5)
    await told(server, marie, "a", "b")
    await server.faults.release_events()
    assert await told(server, marie, "c") == ["a", "b", "c"]


async def test_clear_sends_what_is_held(server: MessagingServer, marie: Live) -> None:
    server.faults.hold_events("new_message")
    server.faults.drop_events("user_typing", count=None)
    await told(server, marie, "a", "b")
    server.faults.clear()
    await marie.hear("new_message", 2)
    assert await told(server, marie, "c") == ["a", "b", "c"]
    assert server.faults.pending() == 0


async def test_events_of_one_user(server: MessagingServer, marie: Live, live: Connect) -> None:
    doctor = await live(DOCTOR, joined=1)
    for fault in ("drop", "duplicate", "hold"):
        getattr(server.faults, f"{fault}_events")("new_message", user=PATIENT)
        await told(server, doctor, fault)
    assert await told(server, marie) == ["duplicate", "duplicate"]
    assert await told(server, doctor) == ["drop", "duplicate", "hold"]
    await server.faults.release_events()
    assert await told(server, marie) == ["duplicate", "duplicate", "hold"]
    assert len(doctor.of("new_message")) == 3


async def test_emissions_to_nobody_do_not_count(server: MessagingServer, conversation: int, live: Connect) -> None:
    server.faults.drop_events("new_message")
    server.faults.drop_events("new_message", user=PATIENT)
    await server.say(conversation, "a", DOCTOR)
    doctor = await live(DOCTOR, joined=conversation)
    assert await told(server, doctor, "b", "c") == ["c"]
    assert server.faults.pending() == 1


async def test_what_was_held_for_somebody_who_left_is_lost(server: MessagingServer, marie: Live, live: Connect) -> None:
    doctor = await live(DOCTOR, joined=1)
    server.faults.hold_events("new_message")
    await told(server, doctor, "a")
    await server.faults.cut(PATIENT)
    await server.faults.release_events()
    await doctor.hear("new_message")


async def test_counts_too_small(server: MessagingServer) -> None:
    for call in (
        lambda: server.faults.drop_events("x", count=0),
        lambda: server.faults.duplicate_events("x", times=0),
        lambda: server.faults.reorder_events("x", count=1),
    ):
        with pytest.raises(ValueError, match="count"):
            call()
