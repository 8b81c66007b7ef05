"""Traps 1, 3, 12 and 16: what can go wrong before a connection stands."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from lines import Line, make_token
from peers import PATIENCE, PROMPTLY, Bare, Peer, Visit, free_port, say_nothing
from scripts import accept_and_stay_silent, never_acknowledge, serve

from messaging_client.errors import AuthenticationError, ConnectFailed, ConnectTimeout
from messaging_client.models import ConnectionState as State
from messaging_client.transport.refusals import HandshakeRefused


def slow_namespace(seconds: float) -> Callable[[Visit], object]:
    async def script(visit: Visit) -> None:
        await visit.open()
        await visit.asked()
        await asyncio.sleep(seconds)
        await visit.accept()
        await visit.stay()

    return script


async def close_1013(visit: Visit) -> None:
    await visit.ws.close(code=1013, message=b"try again later")


async def close_at_once(visit: Visit) -> None:
    visit.abort()


async def vanish_before_the_acknowledgement(visit: Visit) -> None:
    await visit.open()
    await visit.asked()
    visit.abort()


async def close_before_the_acknowledgement(visit: Visit) -> None:
    await visit.open()
    await visit.asked()
    await visit.ws.close()


async def say_goodbye_before_the_acknowledgement(visit: Visit) -> None:
    await visit.open()
    await visit.asked()
    await visit.send("41")
    await visit.stay()


def first_frame(frame: str | bytes) -> Callable[[Visit], object]:
    async def script(visit: Visit) -> None:
        await visit.send(frame)
        await visit.stay()

    return script


# --- 1: the library's own wait for the namespace ----------------------------------------------------------------------


async def test_trap_01_a_slow_middleware_is_waited_for_on_every_connection() -> None:
    async with Peer(slow_namespace(1.5)) as peer, Line(peer.url) as line:
        await line.connection.connect()
        peer.visit.abort()
        await line.until_connected(2)
        assert line.moves[-3:] == [
            ("reconnecting", "connection_lost", 0),
            ("reconnecting", "attempt", 1),
            ("connected", "connected", 1),
        ]
        assert len(peer.visits) == 2  # the first attempt of the round was patient enough


# --- silent peers: the whole attempt is bounded from outside ----------------------------------------------------------


@pytest.mark.parametrize("script", [accept_and_stay_silent, never_acknowledge])
async def test_a_silent_handshake_ends_at_connect_timeout(script: Callable[[Visit], object]) -> None:
    async with Peer(script) as peer, Line(peer.url, connect_timeout=0.3) as line:
        began = time.monotonic()
        with pytest.raises(ConnectTimeout):
            await line.connection.connect()
        assert 0.3 <= time.monotonic() - began < PROMPTLY
        assert line.state is State.DISCONNECTED
        await peer.until(lambda: peer.open == 0)


async def test_a_peer_that_accepts_and_stays_silent_ends_at_connect_timeout() -> None:
    async with Bare(say_nothing) as peer, Line(peer.url, connect_timeout=0.3) as line:
        began = time.monotonic()
        with pytest.raises(ConnectTimeout):
            await line.connection.connect()
        assert 0.3 <= time.monotonic() - began < PROMPTLY
        await peer.news.until(lambda: peer.open == 0)


@pytest.mark.soak
@pytest.mark.parametrize("layer", ["tcp", "websocket", "session"])
async def test_a_silent_peer_ends_at_the_15_seconds_of_the_protocol(layer: str) -> None:
    script = {"websocket": accept_and_stay_silent, "session": never_acknowledge}.get(layer, serve)
    server = Bare(say_nothing) if layer == "tcp" else Peer(script)
    async with server as peer, Line(peer.url, connect_timeout=15.0) as line:
        began = time.monotonic()
        with pytest.raises(ConnectTimeout):
            await line.connection.connect()
        assert 14.5 < time.monotonic() - began < 15.5


# --- 3: the odd exceptions of failed handshakes -----------------------------------------------------------------------

ODD = {
    "close 1013 as first frame": close_1013,  # TypeError in the library
    "aborted after the upgrade": close_at_once,
    "garbage as first frame": first_frame("<html>"),  # ValueError
    "empty first frame": first_frame(""),
    "bytes as first frame": first_frame(b"\x00\xff"),
    "another packet first": first_frame("2probe"),
    "a session that is no object": first_frame("0[]"),
    "a session without a ping interval": first_frame('0{"sid": "x", "upgrades": []}'),
    "a session with an endless ping interval": first_frame(
        '0{"sid": "x", "upgrades": [], "pingInterval": Infinity, "pingTimeout": 1}'
    ),
    "vanishes before the acknowledgement": vanish_before_the_acknowledgement,
    "closes before the acknowledgement": close_before_the_acknowledgement,
    "says goodbye before the acknowledgement": say_goodbye_before_the_acknowledgement,
}


@pytest.mark.parametrize("script", list(ODD.values()), ids=list(ODD))
async def test_trap_03_an_odd_handshake_is_a_failed_attempt_at_once(script: Callable[[Visit], object]) -> None:
    async with Peer(script) as peer, Line(peer.url, connect_timeout=30.0) as line:
        async with asyncio.timeout(PROMPTLY):
            with pytest.raises(ConnectFailed) as caught:
                await line.connection.connect()
        assert not isinstance(caught.value, HandshakeRefused)
        assert "unexpected" not in str(caught.value), "explained, not caught by the net below"
        assert line.state is State.DISCONNECTED
        assert line.moves == [("connecting", "connect", 1), ("disconnected", "attempt_failed", 1)]
        await peer.until(lambda: peer.open == 0)


@pytest.mark.parametrize("script", list(ODD.values()), ids=list(ODD))
async def test_trap_03_rounds_survive_an_odd_handshake(script: Callable[[Visit], object]) -> None:
    async with Peer(serve, script, script, serve) as peer, Line(peer.url) as line:
        await line.connection.connect()
        peer.visit.abort()
        await line.until_connected(2)
        assert line.moves[2:] == [
            ("reconnecting", "connection_lost", 0),
            ("reconnecting", "attempt", 1),
            ("reconnecting", "attempt", 2),
            ("reconnecting", "attempt", 3),
            ("connected", "connected", 3),
        ]


GREETINGS = {
    "closes": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "half an answer": b"HTTP/1.1 101 Switching Prot",
    "a page": b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
    "a wrong accept key": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: bm9u\r\n\r\n",
    "noise": bytes(range(256)) * 8,
}


@pytest.mark.parametrize("greeting", list(GREETINGS.values()), ids=list(GREETINGS))
async def test_trap_03_a_peer_that_speaks_no_websocket_is_a_failed_attempt(greeting: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(greeting)
        await writer.drain()
        writer.close()

    async with Bare(talk) as peer, Line(peer.url, connect_timeout=30.0) as line:
        async with asyncio.timeout(PROMPTLY):
            with pytest.raises(ConnectFailed) as caught:
                await line.connection.connect()
        assert "unexpected" not in str(caught.value)


async def test_trap_03_nobody_listens() -> None:
    async with Line(f"http://127.0.0.1:{free_port()}") as line:
        with pytest.raises(ConnectFailed) as caught:
            await line.connection.connect()
        assert not isinstance(caught.value, HandshakeRefused)
        assert "ConnectionRefusedError" in str(caught.value)


async def test_trap_03_an_unknown_host() -> None:
    async with Line("https://nobody.invalid") as line:
        with pytest.raises(ConnectFailed):
            await line.connection.connect()


# --- 12: cancelled ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", [accept_and_stay_silent, never_acknowledge], ids=["websocket", "session"])
async def test_trap_12_a_cancelled_connect_leaves_nothing_and_connect_works_again(
    script: Callable[[Visit], object],
) -> None:
    async with Peer(script, serve) as peer, Line(peer.url) as line:
        connecting = asyncio.create_task(line.connection.connect())
        await peer.until(lambda: peer.visits)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        await peer.until(lambda: peer.open == 0)
        assert line.state is State.DISCONNECTED
        await line.connection.connect()
        assert line.state is State.CONNECTED
        assert line.moves[-2:] == [("connecting", "connect", 1), ("connected", "connected", 1)]


async def test_trap_12_cancelled_during_the_token_callable() -> None:
    calls: list[str] = []
    asked = asyncio.Event()

    async def token() -> str:
        calls.append("asked")
        if len(calls) == 1:
            asked.set()
            try:
                await asyncio.sleep(PATIENCE)
            except asyncio.CancelledError:
                calls.append("cancelled")
                raise
        return make_token()

    async with Peer() as peer, Line(peer.url, token=token) as line:
        connecting = asyncio.create_task(line.connection.connect())
        await asked.wait()
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        assert line.state is State.DISCONNECTED
        assert calls == ["asked", "cancelled"]
        assert peer.upgrades == 0
        await line.connection.connect()
        assert calls == ["asked", "cancelled", "asked"]
        assert peer.open == 1


async def test_trap_12_the_token_is_had_before_the_library_is_called() -> None:
    async def token() -> str:
        assert peer.upgrades == 0
        return wanted

    wanted = make_token()
    async with Peer() as peer, Line(peer.url, token=token) as line:
        await line.connection.connect()
        assert peer.visit.auth == {"token": wanted}


async def test_a_token_callable_that_hangs_is_bounded_by_connect_timeout() -> None:
    async def token() -> str:
        await asyncio.sleep(60)
        return make_token()

    async with Line("http://127.0.0.1:9", token=token, connect_timeout=0.2) as line:
        with pytest.raises(ConnectTimeout):
            await line.connection.connect()


async def test_a_token_callable_that_raises_cancelled_error_ends_nothing() -> None:
    """As one does that awaits a task of the application which was cancelled."""
    failing = True

    async def token() -> str:
        if failing:
            raise asyncio.CancelledError
        return make_token()

    async with Peer() as peer, Line(peer.url, token=token) as line:
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(AuthenticationError, match="cancelled from within"):
                await line.connection.connect()
        failing = False
        await line.connection.connect()
        assert line.state is State.CONNECTED


# --- 16: what hides behind the library's exceptions -------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403])
async def test_trap_16_an_upgrade_refused_for_authentication(status: int) -> None:
    async with Peer(refusals=(status, status)) as peer, Line(peer.url) as line:
        with pytest.raises(AuthenticationError):
            await line.connection.connect()
        assert line.state is State.ERROR
        assert peer.upgrades == 2  # the token source is asked once more


@pytest.mark.parametrize("status", [400, 404, 429, 500, 502, 503])
async def test_trap_16_any_other_status_is_a_failed_attempt(status: int) -> None:
    async with Peer(refusals=(status,)) as peer, Line(peer.url) as line:
        with pytest.raises(HandshakeRefused) as caught:
            await line.connection.connect()
        assert str(status) in str(caught.value)
        assert line.state is State.DISCONNECTED
        assert peer.upgrades == 1


async def test_trap_16_a_middleware_refusal_is_told_with_the_servers_words() -> None:
    async def refuse(visit: Visit) -> None:
        await visit.open()
        await visit.asked()
        await visit.refuse({"message": "temporarily refused", "data": {"retry": True}})
        await visit.stay()

    async with Peer(refuse) as peer, Line(peer.url) as line:
        with pytest.raises(HandshakeRefused) as caught:
            await line.connection.connect()
        assert caught.value.server_message == '{"message": "temporarily refused", "data": {"retry": true}}'
        assert "temporarily" not in str(caught.value)
        assert line.state is State.DISCONNECTED
        await peer.until(lambda: peer.open == 0)


async def test_trap_16_a_refusal_is_told_at_once_though_the_peer_never_closes() -> None:
    told = asyncio.Event()

    async def refuse_and_hang(visit: Visit) -> None:
        await visit.open()
        await visit.asked()
        await visit.refuse({"message": "temporarily refused"})
        await told.wait()

    async with Peer(refuse_and_hang) as peer, Line(peer.url, connect_timeout=30.0) as line:
        async with asyncio.timeout(PROMPTLY):
            with pytest.raises(HandshakeRefused):
                await line.connection.connect()
        told.set()
