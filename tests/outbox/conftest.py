from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from messaging_client.testing import ManualClock
from tests.outbox.support import Script


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def script(clock: ManualClock) -> Script:
    return Script(clock)


@pytest.fixture(autouse=True)
async def no_leftovers() -> AsyncIterator[None]:
    """No task outlives a test."""
    before = asyncio.all_tasks()
    yield
    async with asyncio.timeout(20):
        while left := asyncio.all_tasks() - before - {asyncio.current_task()}:
            await asyncio.wait(left)
