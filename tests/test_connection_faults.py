"""What networks and servers do to a connection, on each server: rooms and messages survive, refusals are told apart.

`faults/` has what only a scripted peer can do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from scenes import DOCTOR, PATIENT, Scene

from messaging_client import (
    AuthenticationError,
    ConnectFailed,
    ConnectionChange,
    ConnectionState,
    ConnectTimeout,
    CustomEvent,
    Message,
    MessagingClient,
    MessagingConfig,
    NotConnected,
)
from messaging_client.testing import Faults

PATIENCE = 15.0
QUICK: dict[str, Any] = {
    "reconnection_delay": 0.02,
    "reconnection_delay_max": 0.1,
    "fallback_poll_interval": 0.2,
    "settle_delay": 0.3,
    "verify_interval": 0.5,
}


class Watched:
    """A client's changes of state, and the messages that its handlers were told."""

    def __init__(self, client: MessagingClient) -> None:
        self.changes: list[ConnectionChange] = []
        self.heard: list[str] = []
        self._news = asyncio.Event()
        client.on_connection_change(self._change)
        client.on_new_message(self._hear)

    def _change(self, change: ConnectionChange) -> None:
        self.changes.append(change)
        self._news.set()

    def _hear(self, message: Message) -> None:
        self.heard.append(message.content)
        self._news.set()

    @property
    def causes(self) -> list[str]:
        return [each.cause.value for each in self.changes]

    async def until(self, predicate: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not predicate():
                self._news.clear()
                await self._news.wait()

    async def until_connected(self, times: int) -> None:
        await self.until(lambda: self.causes.count("connected") >= times)


async def joined(scene: Scene, **settings: Any) -> tuple[MessagingClient, Watched]:
    """A doctor in the room of the conversation."""
    client = await scene.client(DOCTOR, connect=False, **(QUICK | settings))
    watched = Watched(client)
    await client.connect()
    await client.join_conversation(scene.conversation)
    await scene.server.wait_until(lambda: scene.server.members(scene.conversation))
    return client, watched


# --- the handshake ---------------------------------------------------------------------------------------------------

ODD: dict[str, Callable[[Faults], None]] = {
    "upgrade refused": lambda faults: faults.refuse_upgrade(503, body="busy"),
    "closed at once": lambda faults: faults.close_handshake(1013),
    "garbage": lambda faults: faults.garble_handshake("<html>"),
    "middleware": lambda faults: faults.refuse_handshake("temporarily refused", data={"retry": True}),
    "no upgrade": lambda faults: faults.silence_handshake("upgrade"),
    "no session": lambda faults: faults.silence_handshake("open"),
    "no namespace": lambda faults: faults.silence_handshake("connect"),
}


@pytest.mark.parametrize("odd", ODD)
async def test_an_odd_handshake_is_a_failed_attempt_and_the_next_one_works(odd: str) -> None:
    async with Scene() as scene:
        is_silent = odd.startswith("no ")
        client = await scene.client(connect=False, connect_timeout=0.6 if is_silent else PATIENCE)
        ODD[odd](scene.server.faults)
        with pytest.raises(ConnectTimeout if is_silent else ConnectFailed):
            await client.connect()
        assert client.state is ConnectionState.DISCONNECTED
        assert scene.server.faults.pending() == 0
        scene.server.faults.clear()
        await client.connect(wait=False)
        await client.wait_connected(PATIENCE)


@pytest.mark.parametrize("odd", [name for name in ODD if not name.startswith("no ")])
async def test_reconnecting_goes_on_after_odd_handshakes(odd: str) -> None:
    async with Scene() as scene:
        _, watched = await joined(scene)
        for _ in range(3):
            ODD[odd](scene.server.faults)
        await scene.server.faults.cut()
        await watched.until_connected(2)
        assert scene.server.faults.pending() == 0
        assert watched.causes.count("attempt") == 4
        await scene.say("entendu")
        await watched.until(lambda: watched.heard == ["entendu"])


async def test_a_slow_middleware_is_waited_for_on_every_connection() -> None:
    async with Scene(middleware_delay=1.3) as scene:
        _, watched = await joined(scene)
        await scene.server.faults.cut()
        await watched.until_connected(2)
        assert watched.causes.count("attempt") == 1


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403])
async def test_an_upgrade_refused_for_authentication(status: int) -> None:
    async with Scene() as scene:
        client = await scene.client(connect=False)
        scene.server.faults.refuse_upgrade(status, count=None)
        with pytest.raises(AuthenticationError):
            await client.connect()
        assert client.state is ConnectionState.ERROR


async def test_an_expired_token_is_renewed_once_and_a_second_refusal_is_final() -> None:
    async with Scene() as scene:
        tokens = [scene.server.token(*DOCTOR) for _ in range(3)]
        given: list[str] = []

        def source() -> str:
            given.append(tokens[len(given)])
            return given[-1]

        async with MessagingClient(scene.server.url, token=source, config=MessagingConfig(**QUICK)) as client:
            watched = Watched(client)
            scene.server.faults.expire(tokens[0])
            await scene.server.faults.cut()
            await watched.until_connected(1)
            assert len(given) == 2
            scene.server.faults.expire(tokens[1])
            scene.server.faults.expire(tokens[2])
            await scene.server.faults.cut()
            await watched.until(lambda: client.state is ConnectionState.ERROR)
            assert watched.causes[-1] == "authentication_refused"
            assert given == tokens
            assert not client.status().polling


async def test_a_token_of_another_key_is_refused_everywhere() -> None:
    async with Scene() as scene, Scene() as other:
        client = MessagingClient(scene.server.url, token=other.server.token(*DOCTOR))
        with pytest.raises(AuthenticationError):
            await client.connect()
        with pytest.raises(AuthenticationError):
            await client.get_medecin_conversations()
        await client.aclose()


# --- losses ----------------------------------------------------------------------------------------------------------


async def test_rooms_are_joined_again_and_what_was_missed_is_told_in_order() -> None:
    async with Scene() as scene:
        client, watched = await joined(scene)
        ids = {client.socket_id}
        said = []
        for number in range(5):
            await scene.server.faults.cut()
            for content in (f"absent {number}", f"revenu {number}"):
                await scene.say(content)
                said.append(content)
            await watched.until_connected(number + 2)
            ids.add(client.socket_id)
        await watched.until(lambda: len(watched.heard) >= len(said))
        assert watched.heard == said
        assert len(ids) == 6


async def test_cut_during_a_slow_join() -> None:
    async with Scene() as scene:
        _, watched = await joined(scene)
        scene.server.faults.slow_join(0.5, count=2)
        for number in range(3):
            await scene.server.faults.cut()
            await watched.until_connected(number + 2)
        await scene.say("après trois coupures")
        await watched.until(lambda: watched.heard)
        assert watched.heard == ["après trois coupures"]
        await scene.server.wait_until(lambda: scene.server.members(scene.conversation), PATIENCE)


async def test_a_goodbye_of_the_server_is_one_event_and_reconnects() -> None:
    async with Scene() as scene:
        _, watched = await joined(scene)
        await scene.server.faults.disconnect(DOCTOR)
        await watched.until_connected(2)
        assert watched.causes == ["connect", "connected", "server_disconnect", "attempt", "connected"]


async def test_a_half_open_link_is_noticed_by_its_pings_and_replaced() -> None:
    async with Scene(ping_interval=0.3, ping_timeout=0.7) as scene:
        _, watched = await joined(scene)
        assert scene.server.faults.freeze(DOCTOR) == 1
        await watched.until_connected(2)
        await scene.say("sur le nouveau lien")
        await watched.until(lambda: watched.heard == ["sur le nouveau lien"])
        scene.server.faults.thaw()


async def test_attempts_run_out_and_the_user_connects_again() -> None:
    async with Scene() as scene:
        client, watched = await joined(scene, reconnection_attempts=2)
        await scene.server.stop()
        await watched.until(lambda: client.state is ConnectionState.ERROR)
        assert watched.causes[-1] == "attempts_exhausted"
        assert client.status().polling
        await scene.say("pendant l'arrêt")
        await scene.server.start()
        await client.connect()
        await watched.until(lambda: watched.heard == ["pendant l'arrêt"])
        await scene.server.faults.cut()
        await watched.until_connected(3)


async def test_an_emit_without_a_connection_says_so() -> None:
    async with Scene() as scene:
        client, watched = await joined(scene)
        await scene.server.stop()
        await watched.until(lambda: not client.is_connected)
        with pytest.raises(NotConnected):
            await client.emit("typing", {"conversationId": scene.conversation, "isTyping": True})


async def test_a_frame_beyond_the_servers_limit_costs_the_link_and_nothing_else() -> None:
    async with Scene(max_http_buffer_size=20_000) as scene:
        client, watched = await joined(scene)
        await client.emit("typing", {"conversationId": scene.conversation, "filler": "x" * 50_000})
        await scene.say("pendant la coupure")
        await watched.until_connected(2)
        await watched.until(lambda: watched.heard == ["pendant la coupure"])


# --- events ----------------------------------------------------------------------------------------------------------


async def test_duplicated_reordered_and_lost_events_are_each_message_once() -> None:
    async with Scene() as scene:
        _, watched = await joined(scene)
        faults = scene.server.faults
        faults.duplicate_events("new_message", times=3)
        await scene.say("double")
        faults.reorder_events("new_message", count=3)
        for content in ("un", "deux", "trois"):
            await scene.say(content)
        faults.drop_events("new_message")
        await scene.say("perdu")
        await scene.say("fin")
        await watched.until(lambda: len(watched.heard) >= 6)
        assert sorted(watched.heard) == sorted(["double", "un", "deux", "trois", "perdu", "fin"])
        assert faults.pending() == 0


async def test_events_of_the_users_own_with_several_arguments() -> None:
    async with Scene(relay_events=("dessin",)) as scene:
        doctor, _ = await joined(scene)
        patient = await scene.client(PATIENT)
        await patient.join_conversation(scene.conversation)
        await scene.server.wait_until(lambda: len(scene.server.members(scene.conversation)) == 2)
        got: list[tuple[Any, ...]] = []
        doctor.on("dessin", lambda *args: got.append(args))
        async with doctor.expect(CustomEvent, timeout=PATIENCE) as drawn:
            await patient.emit("dessin", {"conversationId": scene.conversation, "x": 1})
        await drawn
        async with doctor.expect(CustomEvent, timeout=PATIENCE) as more:
            await scene.server.emit("dessin", 1, [2], None, conversation_id=scene.conversation)
        await more
        assert got == [({"conversationId": scene.conversation, "x": 1},), (1, [2], None)]
