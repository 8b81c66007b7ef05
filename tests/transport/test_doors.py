"""How links share a session of aiohttp, and nothing else."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path

import pytest
from lines import make_config
from peers import Peer, poll

from messaging_client.clock import SystemClock
from messaging_client.errors import ConnectFailed
from messaging_client.transport import doors
from messaging_client.transport.link import Link


def make_link(**settings: object) -> Link:
    return Link(make_config(**settings), clock=SystemClock(), on_event=lambda *_: None, ssl_context=None)


async def opened(url: str, **settings: object) -> Link:
    link = make_link(**settings)
    await link.open(url, "/socket.io", {"token": "t"})
    return link


def sessions() -> int:
    gc.collect()
    return len(doors._sessions._present)


async def test_the_last_link_closes_what_they_share() -> None:
    async with Peer() as peer:
        first, second = await opened(peer.url), await opened(peer.url)
        assert first._door is not None
        assert second._door is not None
        shared = first._door._shared
        assert shared is second._door._shared
        await first.close()
        await first.close()
        assert (second.is_open, shared.session.closed, sessions()) == (True, False, 1)
        await second.close()
        assert (shared.session.closed, sessions()) == (True, 0)


async def test_headers_and_cookies_are_those_of_each_link() -> None:
    async with Peer() as peer:
        links = []
        for name in ("a", "b"):
            links.append(await opened(peer.url, headers={"Cookie": f"who={name}", "X-Who": name}))
            seen = peer.visit.headers
            assert (seen.getall("Cookie"), seen.getall("X-Who")) == ([f"who={name}"], [name])
        links.append(await opened(peer.url))
        assert not {"Cookie", "X-Who"} & set(peer.visit.headers)
        for link in links:
            await link.close()


async def test_one_that_ends_leaves_the_others_alone() -> None:
    async with Peer() as peer:
        first, second = await opened(peer.url), await opened(peer.url)
        first._sockets.shut()
        await asyncio.wait({first.ended}, timeout=5)
        await first.close()
        assert second.is_open
        await second.emit("still", "there")
        await peer.until(lambda: "still" in peer.visit.names)
        await second.close()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors as Linux shows them")
async def test_no_descriptor_is_left_while_others_go_on() -> None:
    """The connector closes its connections with the last link; here one stays open all the time."""
    async with Peer() as peer, Peer(refusals=(503,) * 10) as refuser:
        stays = await opened(peer.url)
        await (await opened(peer.url)).close()
        await poll(lambda: peer.open == 1)
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(10):
            link = await opened(peer.url)
            await link.close()
            refused = make_link()
            with pytest.raises(ConnectFailed):
                await refused.open(refuser.url, "/socket.io", {"token": "t"})
            await refused.close()
        await poll(lambda: len(os.listdir("/proc/self/fd")) <= before)
        assert stays.is_open
        await stays.close()
