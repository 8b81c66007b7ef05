"""Traps 2, 4, 6, 7, 11, 15, 19 and 20: what a connection lives through."""

from __future__ import annotations

import asyncio

import pytest
from engineio import base_client as engine_registry
from lines import Line, NotingClock, make_client, make_token
from peers import PROMPTLY, Peer, Script, Visit, poll
from scripts import (
    abort_at_once,
    accept_and_stay_silent,
    close_at_once,
    cut_at_the_first_join,
    disconnect_at_once,
    end_at_once,
    never_acknowledge,
    serve,
)

from messaging_client.errors import ConnectFailed, ConnectionLost
from messaging_client.events import ConnectionChange
from messaging_client.models import ConnectionState as State
from messaging_client.testing import MessagingServer

# --- 2: no zombie -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "times"),
    [(disconnect_at_once, 60), (end_at_once, 10), (close_at_once, 10), (abort_at_once, 10)],
)
async def test_trap_02_a_server_that_ends_every_connection_leaves_no_zombie(script: Script, times: int) -> None:
    async with Peer(*[script] * times, serve) as peer, Line(peer.url, reconnection_attempts=1000) as line:
        await line.connection.connect(wait=False)
        async with asyncio.timeout(20):
            await peer.until(lambda: len(peer.visits) == times + 1, 20)
            await line.until(lambda: line.connection.socket_id == peer.visit.sid)
        await peer.visit.emit("alive")
        await line.until(lambda: line.names == ["alive"])
        assert line.state is State.CONNECTED
        assert peer.open == 1


async def test_trap_02_a_drop_before_the_rooms_are_joined_is_no_connection() -> None:
    async def drop(visit: Visit) -> None:
        await visit.welcome()
        await visit.receive()
        assert visit.names == ["authenticate"]
        visit.abort()

    async with Peer(drop) as peer, Line(peer.url, authenticate_event=True) as line:
        with pytest.raises(ConnectFailed):
            await line.connection.connect()
        assert "connected" not in line.causes


async def test_trap_02_cut_during_the_join_a_room_event_comes_after_the_third() -> None:
    async with Peer(cut_at_the_first_join, cut_at_the_first_join, serve) as peer, Line(peer.url) as line:
        await line.connection.join(15)
        await line.connection.connect(wait=False)
        await peer.until(lambda: len(peer.visits) == 3 and peer.visit.rooms == [15])
        await line.until(lambda: line.connection.socket_id == peer.visit.sid)
        await peer.visit.emit("room event")
        await line.until(lambda: line.names == ["room event"])


async def test_trap_02_handlers_that_raise_end_neither_the_link_nor_the_order() -> None:
    heard: list[int] = []

    async with Peer() as peer:
        client = make_client(peer.url)

        @client.on_connection_change
        def changed(change: ConnectionChange) -> None:
            raise RuntimeError("changed")

        @client.on_error
        async def failed(error: object) -> None:
            raise ValueError("failed")

        @client.on("tick")
        def tick(number: int) -> None:
            heard.append(number)
            if number % 3 == 0:
                raise BaseExceptionGroup("tick", [KeyError(number)]) if number % 2 else LookupError(number)

        async with client:
            for number in range(30):
                await peer.visit.emit("tick", number)
            await poll(lambda: len(heard) == 30)
            first = client.socket_id
            peer.visit.abort()
            await poll(lambda: client.socket_id not in (None, first))
            for number in range(30, 60):
                await peer.visit.emit("tick", number)
            await poll(lambda: len(heard) == 60)
            assert heard == list(range(60))
            assert len(peer.visits) == 2


# --- 4: attempts run out ----------------------------------------------------------------------------------------------


async def test_trap_04_attempts_run_out_then_connect_works_and_the_next_drop_reconnects() -> None:
    clock = NotingClock(held=(15.0, 60.0))
    async with Line("http://127.0.0.1:9", clock=clock, connect_timeout=15.0) as line:
        await line.connection.connect(wait=False)
        await line.until_state(State.ERROR)
        assert line.causes[-1] == "attempts_exhausted"
        assert line.causes.count("attempt") == 9  # and the first, which is `connect`
    async with Peer() as peer, Line(peer.url, clock=clock, connect_timeout=15.0) as line:
        await line.connection.connect()
        port = peer.port
        await peer.stop()
        await line.until_state(State.ERROR)
        assert line.causes.count("attempt") == 10
        async with Peer(port=port) as second:
            await line.connection.connect()
            assert line.state is State.CONNECTED
            second.visit.abort()
            await line.until_connected(3)
            await second.visit.emit("alive")
            await line.until(lambda: line.names == ["alive"])


# --- 6: waiting must not break what is waited for ---------------------------------------------------------------------


async def test_trap_06_a_wait_that_is_given_up_leaves_the_link_alone() -> None:
    async with Peer() as peer, make_client(peer.url) as client:
        heard: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        client.on("alive", heard.set_result)
        for work in (client.run_forever(), client.call("ask", {}), client.events().__anext__()):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(work, 0.03)
        await peer.visit.emit("alive", "yes")
        assert await asyncio.wait_for(heard, 20) == "yes"
        assert len(peer.visits) == 1


async def test_trap_06_who_stops_waiting_for_the_connection_does_not_stop_it() -> None:
    async with Peer(never_acknowledge) as peer, Line(peer.url) as line:
        await line.connection.connect(wait=False)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(line.connection.wait_connected(), 0.03)
        await peer.until(lambda: peer.visits)
        await peer.visit.accept()
        await line.until_connected()


async def test_trap_06_the_end_is_a_polite_one() -> None:
    async with Peer() as peer, Line(peer.url) as line:
        await line.connection.connect()
        await line.connection.disconnect()
        await peer.until(lambda: peer.open == 0)
        assert peer.visit.frames[-1] == "41"
        assert peer.visit.close_code == 1000


# --- 7: the server says goodbye ---------------------------------------------------------------------------------------


async def test_trap_07_a_goodbye_of_the_server_is_one_event_and_reconnects() -> None:
    changes: list[ConnectionChange] = []

    async with MessagingServer() as server:
        client = make_client(server.url, token=server.token("patient", 5))

        @client.on_connection_change
        async def changed(change: ConnectionChange) -> None:
            changes.append(change)
            await asyncio.sleep(0.05)

        async with client:
            first = client.socket_id
            await server.faults.disconnect()
            await poll(lambda: client.socket_id not in (None, first))
            await poll(lambda: len(changes) == 5)
            assert [change.cause.value for change in changes] == [
                "connect",
                "connected",
                "server_disconnect",
                "attempt",
                "connected",
            ]


# --- 11: disconnect() from wherever it is -----------------------------------------------------------------------------


async def test_trap_11_disconnect_during_a_backoff() -> None:
    clock = NotingClock(held=(3.0, 0.01))
    async with Peer() as peer, Line(peer.url, clock=clock) as line:
        await line.connection.connect()
        peer.visit.abort()
        await poll(lambda: (0.01, False) in [(seconds, alarm.done()) for seconds, alarm in clock.waiting])
        await line.connection.disconnect()
        clock.release(0.01)
        await asyncio.sleep(1)
        assert (peer.upgrades, peer.open) == (1, 0)
        assert line.moves[-1] == ("disconnected", "disconnect", 0)


@pytest.mark.parametrize("script", [accept_and_stay_silent, never_acknowledge])
@pytest.mark.parametrize("earlier", [(), (serve,)], ids=["first", "reconnection"])
async def test_trap_11_disconnect_in_flight(script: Script, earlier: tuple[Script, ...]) -> None:
    async with Peer(*earlier, script) as peer, Line(peer.url) as line:
        connecting = asyncio.create_task(line.connection.connect())
        if earlier:
            await connecting
            peer.visit.abort()
        await peer.until(lambda: len(peer.visits) == len(earlier) + 1)
        async with asyncio.timeout(PROMPTLY):
            await line.connection.disconnect()
        assert line.state is State.DISCONNECTED
        if not earlier:
            with pytest.raises(ConnectionLost):
                await connecting
        await peer.until(lambda: peer.open == 0)
        await asyncio.sleep(1)
        assert (peer.upgrades, peer.open) == (len(earlier) + 1, 0)


async def test_trap_11_disconnect_while_the_token_is_asked_for() -> None:
    asked = asyncio.Event()

    async def token() -> str:
        asked.set()
        await asyncio.sleep(60)
        return make_token()

    async with Peer() as peer, Line(peer.url, token=token) as line:
        connecting = asyncio.create_task(line.connection.connect())
        await asked.wait()
        await line.connection.disconnect()
        with pytest.raises(ConnectionLost):
            await connecting
        assert peer.upgrades == 0


async def test_trap_11_disconnect_in_the_pause_between_rounds() -> None:
    clock = NotingClock(held=(3.0, 60.0))
    async with Line("http://127.0.0.1:9", clock=clock) as line:
        await line.connection.connect(wait=False)
        await line.until_state(State.ERROR)
        await line.connection.disconnect()
        assert line.moves[-1] == ("disconnected", "disconnect", 0)


# --- 15, 19: what every connection has to be given again --------------------------------------------------------------


async def test_trap_15_headers_and_cookies_go_with_every_connection() -> None:
    headers = {"X-Clinic": "Saint-Louis", "Cookie": "route=7"}
    async with Peer() as peer, Line(peer.url, headers=headers) as line:
        await line.connection.connect()
        for count in (2, 3):
            peer.visit.abort()
            await line.until_connected(count)
        assert [visit.headers.get("X-Clinic") for visit in peer.visits] == ["Saint-Louis"] * 3
        assert [visit.headers.get("Cookie") for visit in peer.visits] == ["route=7"] * 3


async def test_trap_19_rooms_are_joined_again_and_the_socket_id_is_the_new_one() -> None:
    async with Peer() as peer, Line(peer.url) as line:
        await line.connection.connect()
        for room in (15, 16, 17):
            await line.connection.join(room)
        await line.connection.leave(16)
        first = line.connection.socket_id
        peer.visit.abort()
        await line.connection.join(18)
        await line.until_connected(2)
        await peer.until(lambda: sorted(peer.visit.rooms) == [15, 17, 18])
        assert line.connection.socket_id == peer.visit.sid != first
        assert line.changes[-1].socket_id == peer.visit.sid


# --- 20: the library's registry ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", [abort_at_once, disconnect_at_once, accept_and_stay_silent])
async def test_trap_20_no_dead_client_stays_in_the_registry(script: Script) -> None:
    async with Peer(*[script] * 10, serve) as peer:
        async with Line(peer.url, reconnection_attempts=100, connect_timeout=0.1) as line:
            await line.connection.connect(wait=False)
            await line.until(lambda: len(peer.visits) == 11 and line.connection.socket_id == peer.visit.sid)
            assert len(engine_registry.connected_clients) == 1
        assert engine_registry.connected_clients == []


async def test_trap_20_not_even_one_whose_loops_were_killed() -> None:
    async with Peer() as peer, Line(peer.url) as line:
        await line.connection.connect()
        link = line.connection._link
        assert link is not None
        link.sio.eio.read_loop_task.cancel()
        await line.until_connected(2)
        assert link.sio.eio not in engine_registry.connected_clients
        assert len(engine_registry.connected_clients) == 1
