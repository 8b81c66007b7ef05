"""What a `Peer` may do with a WebSocket."""

from __future__ import annotations

from typing import Any

from peers import Script, Visit

serve = Visit.serve


async def accept_and_stay_silent(visit: Visit) -> None:
    """The WebSocket stands; no session is opened on it."""
    await visit.stay()


async def never_acknowledge(visit: Visit) -> None:
    """The session is open; the namespace is not acknowledged."""
    await visit.open()
    await visit.stay()


def refusing(data: Any) -> Script:
    """A middleware that refuses the namespace."""

    async def script(visit: Visit) -> None:
        await visit.open()
        await visit.asked()
        await visit.refuse(data)
        await visit.stay()

    return script


def pinging(interval: float, timeout: float) -> Script:
    """Serve, with that promise of pings; none is sent, so that the client has to notice."""

    async def script(visit: Visit) -> None:
        await visit.welcome(ping_interval=interval, ping_timeout=timeout)
        await visit.stay()

    return script


async def disconnect_at_once(visit: Visit) -> None:
    """`socket.disconnect()` in the handler of the connection."""
    await visit.welcome()
    await visit.send("41")
    await visit.stay()


async def end_at_once(visit: Visit) -> None:
    """The engine's own goodbye."""
    await visit.welcome()
    await visit.send("1")
    await visit.stay()


async def close_at_once(visit: Visit) -> None:
    await visit.welcome()
    await visit.ws.close()


async def abort_at_once(visit: Visit) -> None:
    await visit.welcome()
    visit.abort()


async def cut_at_the_first_join(visit: Visit) -> None:
    await visit.welcome()
    while not visit.rooms and await visit.receive() is not None:
        pass
    visit.abort()
