"""Bringing work to its end: ours of limited length, and tasks of the library."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any


async def brought_to_end(work: Awaitable[Any]) -> None:
    """Wait for work of limited length, even when cancelled meanwhile: that goes on afterwards. Outcomes are dropped."""
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            cancelled = True
    failure_of(task)
    if cancelled:
        raise asyncio.CancelledError


async def within(seconds: float, work: Awaitable[Any]) -> None:
    """Give some work a limited time; what comes of it is dropped."""
    task = asyncio.ensure_future(work)
    await asyncio.wait({task}, timeout=seconds)
    await finish(task)


async def finish(task: asyncio.Future[Any] | None) -> None:
    """Bring a task of the library to its end and take note of its outcome, whatever it is."""
    if task is None:
        return
    if not task.done():
        task.cancel()
        await asyncio.wait({task})
    failure_of(task)


def failure_of(task: asyncio.Future[Any]) -> BaseException | None:
    """How a task that is done has failed; looked at, so that asyncio does not report it."""
    return asyncio.CancelledError() if task.cancelled() else task.exception()
