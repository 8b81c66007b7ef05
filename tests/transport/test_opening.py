"""What waits until a link is ready."""

from __future__ import annotations

from typing import Any

import pytest
from lines import Line
from peers import Peer, Visit
from scripts import serve

from messaging_client.errors import ConnectFailed
from messaging_client.transport.opening import Opening


async def test_events_wait_and_then_go_straight_through_in_order() -> None:
    told: list[str] = []
    opening = Opening(lambda name, args: told.append(name), 10)
    opening.take("a", ())
    opening.take("b", ())
    assert told == []
    opening.release()
    opening.take("c", ())
    assert told == ["a", "b", "c"]


async def test_an_event_that_comes_while_the_others_are_released_comes_after_them() -> None:
    told: list[str] = []

    def sink(name: str, args: tuple[Any, ...]) -> None:
        told.append(name)
        if name == "a":
            opening.take("late", ())

    opening = Opening(sink, 10)
    for name in ("a", "b", "c"):
        opening.take(name, ())
    opening.release()
    assert told == ["a", "b", "c", "late"]


async def test_the_answer_to_authenticate_is_noted_and_delivered() -> None:
    told: list[str] = []
    opening = Opening(lambda name, args: told.append(name), 10)
    assert not opening.authenticated.done()
    opening.take("authenticated", ({},))
    opening.take("authenticated", ({},))
    assert opening.authenticated.done()
    opening.release()
    assert told == ["authenticated", "authenticated"]


async def test_without_a_link_what_is_too_much_is_dropped() -> None:
    told: list[str] = []
    opening = Opening(lambda name, args: told.append(name), 2)
    for name in ("a", "b", "c"):
        opening.take(name, ())
    opening.release()
    assert told == ["a", "b"]


async def test_a_server_that_floods_the_handshake_is_cut_off() -> None:
    async def flood(visit: Visit) -> None:
        await visit.welcome()
        for number in range(6):
            await visit.emit("n", number)
        await visit.stay()

    async with Peer(flood, serve) as peer, Line(peer.url, queue_size=5, authenticate_event=True) as line:
        with pytest.raises(ConnectFailed):
            await line.connection.connect()
        assert line.events == []
        await peer.until(lambda: peer.open == 0)


async def test_what_came_during_the_handshake_is_delivered_once_connected_and_before_what_follows() -> None:
    states: list[str] = []

    async def early(visit: Visit) -> None:
        await visit.welcome()
        await visit.emit("early", 1)
        await visit.emit("early", 2)
        await visit.emit("authenticated", {})
        await visit.emit("later", 3)
        await visit.stay()

    async with (
        Peer(early) as peer,
        Line(peer.url, authenticate_event=True, on_event=lambda *_: states.append(line.state.value)) as line,
    ):
        await line.connection.connect()
        await line.until(lambda: len(line.events) == 4)
        assert line.names == ["early", "early", "authenticated", "later"]
        assert set(states) == {"connected"}
        await peer.until(lambda: peer.visit.events)
        assert peer.visit.events[0].name == "authenticate"
