"""The connection to NATS."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

from nats.aio.client import Client as Nats

from messaging_client.errors import ConfigurationError, ConnectFailed
from messaging_client.fleet.troubles import TROUBLES
from messaging_client.observing.logs import say

_log = logging.getLogger("messaging_client.fleet")

CONNECT_TIMEOUT = 10.0
"""Seconds for the first connection; later ones are made again and again, for as long as it takes."""


async def connected(url: str | list[str], options: dict[str, Any]) -> Nats:
    """Connect, and stay so: whatever happens later, the connection is made again.

    Args:
        url: of a server; or several of a cluster, in a list, or in one text with commas between them.
        options: of `nats.connect`, in place of ours.

    Raises:
        ConfigurationError: there is no such address.
        ConnectFailed: nobody answers there, or it refuses.
    """
    servers = [each.strip() for each in url.split(",")] if isinstance(url, str) else list(url)
    if not servers or not all(isinstance(each, str) and each for each in servers):
        raise ConfigurationError("nats_url must be an address such as nats://localhost:4222, or a list of such.")
    given: dict[str, Any] = {"error_cb": _told, "max_reconnect_attempts": -1, "reconnect_time_wait": 0.5} | options
    client = Nats()
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            await client.connect(servers=servers, **given)
    except TROUBLES as error:
        await leave(client)
        raise ConnectFailed(
            f"NATS cannot be reached ({type(error).__name__}); check its address, and that it runs."
        ) from None
    return client


async def leave(client: Nats) -> None:
    """Close a connection, wherever it stands; what nobody takes any more is dropped."""
    with contextlib.suppress(*TROUBLES, TypeError):
        # nats-py flushes into a transport that may have ended, at which that of CPython 3.12 and 3.13 raises TypeError.
        await client.close()


async def _told(error: Exception) -> None:
    # Its text may hold the address, and with it a password.
    say(_log, logging.WARNING, "trouble with NATS", error=error)
