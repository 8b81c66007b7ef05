"""NATS away, slow or full: what that looks like, and waiting for it to pass."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import nats.errors
from nats.js.errors import APIError, ServerError, ServiceUnavailableError

from messaging_client.observing.logs import say
from messaging_client.transport.retry import Backoff

_log = logging.getLogger("messaging_client.fleet")

TROUBLES = (nats.errors.Error, TimeoutError, ConnectionError)
"""What nats-py raises while a server is away, slow or full."""

PATIENCE = 60.0
"""Seconds for which what a start needs is asked for: a server, or a leader of a cluster, is back within."""

_FINAL = (nats.errors.ConnectionClosedError, nats.errors.ConnectionDrainingError)
_PASSING_ANSWERS = (ServerError, ServiceUnavailableError)  # 500 and 503: no leader yet, no resources for a moment
_BACKOFF = Backoff(0.5, first=0.1, longest=2.0)
_chance = random.SystemRandom()

T = TypeVar("T")


async def insist(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask NATS again until it answers, for as long as `PATIENCE`; an answer that says no is an answer.

    Args:
        ask: may be called any number of times.

    Raises:
        nats.errors.Error: or another of `TROUBLES`; what was asked last failed so.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + PATIENCE
    repetition = 0
    while True:
        try:
            return await ask()
        except TROUBLES as error:
            says_no = isinstance(error, APIError) and not isinstance(error, _PASSING_ANSWERS)
            if says_no or isinstance(error, _FINAL) or loop.time() >= until:
                raise
            say(_log, logging.WARNING, "NATS does not answer yet", error=error)
        await asyncio.sleep(_BACKOFF.delay(repetition, _chance))
        repetition += 1
