"""The connection's states: which move comes when, and why."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from lines import Line, NotingClock, make_token
from peers import Peer, Script, Visit, free_port
from scripts import never_acknowledge, refusing, serve

from messaging_client.errors import (
    AuthenticationError,
    ConnectFailed,
    ConnectionLost,
    ConnectTimeout,
)
from messaging_client.events import ConnectionChange
from messaging_client.models import ConnectionState as State
from messaging_client.testing import ManualClock

PROTOCOL: dict[str, Any] = {"connect_timeout": 15.0, "reconnection_delay": 2.0, "reconnection_delay_max": 5.0}
"""The delays of the protocol, in place of the quick ones."""


def nowhere() -> str:
    return f"http://127.0.0.1:{free_port()}"


# --- connect ----------------------------------------------------------------------------------------------------------


async def test_connect_is_one_attempt() -> None:
    async with Line(nowhere()) as line:
        with pytest.raises(ConnectFailed):
            await line.connection.connect()
        assert line.moves == [("connecting", "connect", 1), ("disconnected", "attempt_failed", 1)]
        assert isinstance(line.changes[-1].error, ConnectFailed)
        assert line.connection.last_error is line.changes[-1].error


async def test_connect_while_connected_is_nothing() -> None:
    async with Peer() as peer, Line(peer.url) as line:
        await line.connection.connect()
        await line.connection.connect()
        await line.connection.connect(wait=False)
        assert peer.upgrades == 1
        assert line.causes == ["connect", "connected"]


async def test_those_who_connect_at_once_share_one_attempt() -> None:
    async with Peer() as peer, Line(peer.url) as line:
        await asyncio.gather(*(line.connection.connect() for _ in range(5)))
        assert peer.upgrades == 1


async def test_those_who_share_an_attempt_share_its_failure() -> None:
    async with Line(nowhere(), connect_timeout=15.0) as line:
        outcomes = await asyncio.gather(*(line.connection.connect() for _ in range(3)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [ConnectFailed] * 3
        assert line.causes == ["connect", "attempt_failed"]


async def test_one_of_two_who_gives_up_does_not_end_the_attempt_of_the_other() -> None:
    async with Peer(never_acknowledge) as peer, Line(peer.url) as line:
        first, second = (asyncio.create_task(line.connection.connect()) for _ in range(2))
        await peer.until(lambda: peer.visits)
        first.cancel()
        await asyncio.wait({first})
        await peer.visit.accept()
        await second
        assert line.state is State.CONNECTED


async def test_when_the_last_of_two_gives_up_too_nothing_is_left() -> None:
    async with Peer(never_acknowledge) as peer, Line(peer.url) as line:
        both = [asyncio.create_task(line.connection.connect()) for _ in range(2)]
        await peer.until(lambda: peer.visits)
        for each in both:
            each.cancel()
            await asyncio.wait({each})
        assert line.state is State.DISCONNECTED
        await peer.until(lambda: peer.open == 0)


async def test_who_joins_an_attempt_does_not_end_it_by_giving_up() -> None:
    async with Peer(never_acknowledge) as peer, Line(peer.url) as line:
        await line.connection.connect(wait=False)
        await peer.until(lambda: peer.visits)
        joining = asyncio.create_task(line.connection.connect())
        await asyncio.sleep(0)
        joining.cancel()
        await asyncio.wait({joining})
        await peer.visit.accept()
        await line.until_connected()


async def test_connect_without_waiting_goes_on_after_a_failure() -> None:
    clock = NotingClock()
    async with Peer(refusals=(503, 503)) as peer, Line(peer.url, clock=clock, **PROTOCOL) as line:
        await line.connection.connect(wait=False)
        await line.until_connected()
        assert line.moves == [
            ("connecting", "connect", 1),
            ("reconnecting", "attempt_failed", 1),
            ("reconnecting", "attempt", 2),
            ("reconnecting", "attempt", 3),
            ("connected", "connected", 3),
        ]
        assert clock.slept == [2.0, 4.0]


async def test_connect_without_waiting_while_somebody_waits_goes_on_for_both() -> None:
    async with Peer(refusals=(503,)) as peer, Line(peer.url) as line:
        waiting = asyncio.create_task(line.connection.connect())
        await asyncio.sleep(0)
        await line.connection.connect(wait=False)
        with pytest.raises(ConnectFailed):
            await waiting
        await line.until_connected()


async def test_connect_during_a_pause_makes_the_next_attempt_at_once() -> None:
    clock = NotingClock(held=(15.0, 2.0))
    async with Peer(refusals=(503,)) as peer, Line(peer.url, clock=clock, **PROTOCOL) as line:
        await line.connection.connect(wait=False)
        await line.until_state(State.RECONNECTING)
        await line.connection.connect()
        assert line.moves[-1] == ("connected", "connected", 2)
        assert clock.slept == []


async def test_connect_from_the_handler_of_a_loss_makes_the_next_attempt_at_once() -> None:
    clock = NotingClock(held=(15.0, 2.0))
    async with Peer() as peer, Line(peer.url, clock=clock, **PROTOCOL) as line:
        await line.connection.connect()
        noted, again = line.connection._on_change, list[asyncio.Task[None]]()

        def on_change(change: ConnectionChange) -> None:
            noted(change)
            if change.cause == "connection_lost":
                again.append(asyncio.create_task(line.connection.connect()))

        line.connection._on_change = on_change
        peer.visit.abort()
        await line.until_connected(2)
        await again[0]
        assert clock.slept == []


async def test_a_failure_during_rounds_is_told_to_who_asked_and_the_rounds_go_on() -> None:
    clock = NotingClock(held=(15.0, 2.0))
    async with Peer(refusals=(503, 503)) as peer, Line(peer.url, clock=clock, **PROTOCOL) as line:
        await line.connection.connect(wait=False)
        await line.until_state(State.RECONNECTING)
        with pytest.raises(ConnectFailed):
            await line.connection.connect()
        await line.until_connected()
        assert clock.slept == [4.0]


# --- rounds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chance", "delays"),
    [
        (0.5, [2.0, 4.0, *[5.0] * 8]),
        (0.0, [1.0, 2.0, 4.0, *[5.0] * 7]),
        (1.0, [3.0, *[5.0] * 9]),
    ],
)
async def test_ten_attempts_with_the_delays_of_the_protocol_then_error(chance: float, delays: list[float]) -> None:
    clock = NotingClock(held=(15.0, 60.0))
    settings = {**PROTOCOL, "randomization_factor": 0.5}
    async with Peer() as peer, Line(peer.url, clock=clock, chance=chance, **settings) as line:
        await line.connection.connect()
        await peer.stop()
        await line.until_state(State.ERROR)
        attempts = [("reconnecting", "attempt", number) for number in range(1, 11)]
        assert line.moves[2:] == [
            ("reconnecting", "connection_lost", 0),
            *attempts,
            ("error", "attempts_exhausted", 10),
        ]
        assert clock.slept == delays
        assert isinstance(line.changes[-1].error, ConnectFailed)


async def test_a_new_round_every_60_seconds_whose_first_attempt_is_made_at_once() -> None:
    clock = NotingClock(held=(15.0, 60.0))
    async with Line(nowhere(), clock=clock, reconnection_attempts=3, **PROTOCOL) as line:
        await line.connection.connect(wait=False)
        for rounds in (1, 2):
            await line.until(lambda rounds=rounds: line.causes.count("attempts_exhausted") == rounds)
            await asyncio.sleep(0)
            clock.release(60.0)
        await line.until(lambda: line.causes.count("attempts_exhausted") == 3)
        assert line.moves[5:10] == [
            ("reconnecting", "round", 0),
            ("reconnecting", "attempt", 1),
            ("reconnecting", "attempt", 2),
            ("reconnecting", "attempt", 3),
            ("error", "attempts_exhausted", 3),
        ]
        assert clock.slept == [2.0, 4.0] * 3


async def test_after_a_success_delays_begin_anew() -> None:
    clock = NotingClock()
    async with Peer(refusals=(503, 503, 503)) as peer, Line(peer.url, clock=clock, **PROTOCOL) as line:
        await line.connection.connect(wait=False)
        await line.until_connected(1)
        peer.visit.abort()
        await line.until_connected(2)
        assert clock.slept == [2.0, 4.0, 5.0, 2.0]
        assert line.connection.reconnections == 2


async def test_an_attempt_has_connect_timeout_for_everything() -> None:
    clock = ManualClock()
    async with Peer(never_acknowledge) as peer, Line(peer.url, clock=clock, connect_timeout=15.0) as line:
        connecting = asyncio.create_task(line.connection.connect())
        await peer.until(lambda: peer.visits and peer.visit.frames == [] and clock.sleeping == (15.0,))
        await clock.advance(14.999)
        assert not connecting.done()
        await clock.advance(0.001)
        with pytest.raises(ConnectTimeout, match="15 s"):
            await connecting


async def test_without_reconnection_a_loss_is_the_end_and_connect_begins_anew() -> None:
    async with Peer() as peer, Line(peer.url, reconnection=False) as line:
        await line.connection.connect()
        peer.visit.abort()
        await line.until_state(State.DISCONNECTED)
        assert line.moves[-1] == ("disconnected", "connection_lost", 0)
        assert isinstance(line.changes[-1].error, ConnectionLost)
        await line.connection.connect()
        assert line.state is State.CONNECTED
        assert peer.upgrades == 2


# --- authentication, faults of ours -----------------------------------------------------------------------------------


@pytest.mark.parametrize("wait", [True, False])
async def test_a_refused_token_is_final(wait: bool) -> None:
    async with Peer(refusing({"message": "jwt expired"})) as peer, Line(peer.url) as line:
        if wait:
            with pytest.raises(AuthenticationError):
                await line.connection.connect()
        else:
            await line.connection.connect(wait=False)
        await line.until_state(State.ERROR)
        assert line.moves == [("connecting", "connect", 1), ("error", "authentication_refused", 1)]


async def test_no_usable_token_is_an_authentication_error() -> None:
    async with Line(nowhere(), token=lambda: "temp_1") as line:
        with pytest.raises(AuthenticationError):
            await line.connection.connect()
        assert line.state is State.ERROR


async def test_a_fault_of_ours_is_a_failed_attempt_and_said_loudly(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_token: str) -> None:
        raise LookupError("secret")

    monkeypatch.setattr("messaging_client.wire.payloads.handshake_auth", fail)
    async with Line(nowhere()) as line:
        with pytest.raises(ConnectFailed, match="LookupError"):
            await line.connection.connect()
        assert line.state is State.DISCONNECTED
    assert "attempt failed unexpectedly: error_type=LookupError" in caplog.text
    assert "secret" not in caplog.text


# --- disconnect -------------------------------------------------------------------------------------------------------


async def test_disconnect_without_a_connection_is_nothing() -> None:
    async with Line(nowhere()) as line:
        await line.connection.disconnect()
        await line.connection.disconnect()
        assert line.moves == []


async def test_several_disconnects_at_once() -> None:
    async with Peer() as peer, Line(peer.url) as line:
        await line.connection.connect()
        await asyncio.gather(*(line.connection.disconnect() for _ in range(3)))
        assert line.causes == ["connect", "connected", "disconnect"]


async def test_a_cancelled_disconnect_is_brought_to_its_end() -> None:
    async with Peer() as peer, Line(peer.url) as line:
        await line.connection.connect()
        leaving = asyncio.create_task(line.connection.disconnect())
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait({leaving})
        await line.until_state(State.DISCONNECTED)
        await peer.until(lambda: peer.open == 0)


async def test_disconnect_and_connect_again_at_once() -> None:
    async with Peer() as peer, Line(peer.url) as line:
        await line.connection.connect()
        leaving = asyncio.create_task(line.connection.disconnect())
        for _ in range(3):
            await asyncio.sleep(0)
        await line.connection.connect()
        await leaving
        assert line.causes == ["connect", "connected", "disconnect", "connect", "connected"]
        peer.visit.abort()
        await line.until_connected(3)


async def test_what_a_change_says() -> None:
    async with Peer() as peer, Line(peer.url) as line:
        await line.connection.connect()
        await line.connection.disconnect()
        assert [(change.previous.value, change.socket_id) for change in line.changes] == [
            ("disconnected", None),
            ("connecting", peer.visit.sid),
            ("connected", None),
        ]
        assert line.connection.attempt == 0


# --- waiting ----------------------------------------------------------------------------------------------------------


async def test_wait_connected() -> None:
    async with Peer() as peer, Line(peer.url) as line:
        waiting = asyncio.create_task(line.connection.wait_connected())
        await asyncio.sleep(0)
        await line.connection.connect()
        await waiting
        await line.connection.wait_connected(0.1)


async def test_wait_connected_has_a_limit() -> None:
    clock = ManualClock()
    async with Line(nowhere(), clock=clock) as line:
        waiting = asyncio.create_task(line.connection.wait_connected(7.0))
        await clock.wait_for_sleepers()
        await clock.advance(7.0)
        with pytest.raises(ConnectTimeout, match="7 s"):
            await waiting


# --- rooms ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("form", "payload"), [("object", {"conversationId": 15}), ("id", 15)])
async def test_how_rooms_are_asked_for(form: str, payload: Any) -> None:
    async with Peer() as peer, Line(peer.url, join_payload=form) as line:
        await line.connection.connect()
        await line.connection.join(15)
        await line.connection.leave(15)
        await peer.until(lambda: len(peer.visit.events) == 2)
        assert [(sent.name, sent.args) for sent in peer.visit.events] == [
            ("join_conversation", [payload]),
            ("leave_conversation", [payload]),
        ]
        assert line.connection.rooms == ()


async def acknowledging(visit: Visit) -> None:
    await visit.welcome()
    while await visit.receive() is not None:
        await visit.acknowledge(visit.events[-1], "joined")


async def test_acknowledgements_of_joins() -> None:
    async with Peer(acknowledging) as peer, Line(peer.url) as line:
        await line.connection.join(15)
        await line.connection.connect()
        taken = line.connection.take_acknowledgements()
        assert {room: await reply for room, reply in taken.items()} == {15: "joined"}
        assert line.connection.take_acknowledgements() == {}
        reply = await line.connection.join(16)
        assert reply is not None
        assert await reply == "joined"


async def authenticating(visit: Visit) -> None:
    """Answer `authenticate` only when told to."""
    await visit.welcome()
    await visit.stay()


@pytest.mark.parametrize("script", [authenticating])
async def test_rooms_that_come_and_go_during_the_handshake(script: Script) -> None:
    async with Peer(script) as peer, Line(peer.url, authenticate_event=True) as line:
        await line.connection.join(15)
        connecting = asyncio.create_task(line.connection.connect())
        await peer.until(lambda: peer.visits and peer.visit.names == ["authenticate"])
        await line.connection.join(16)
        await line.connection.leave(15)
        await peer.visit.emit("authenticated", {})
        await connecting
        await peer.until(lambda: peer.visit.rooms == [16])
        assert line.connection.rooms == (16,)


async def test_authenticate_says_who_the_user_is() -> None:
    async def script(visit: Visit) -> None:
        await visit.welcome()
        await visit.receive()
        await visit.emit("authenticated", {})
        await visit.stay()

    token = make_token(79, "medecin")
    async with Peer(script) as peer, Line(peer.url, token=token, authenticate_event=True) as line:
        await line.connection.connect()
        (sent,) = peer.visit.events
        assert sent.name == "authenticate"
        assert sent.args[0]["userId"] == 79


async def test_a_server_that_never_answers_authenticate_is_a_timeout() -> None:
    async with Peer(serve) as peer, Line(peer.url, authenticate_event=True, connect_timeout=1.0) as line:
        with pytest.raises(ConnectTimeout):
            await line.connection.connect()
        await peer.until(lambda: peer.open == 0)
