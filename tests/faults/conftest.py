"""Whatever goes wrong, nothing may be left behind: every test of this directory is followed by an inventory."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest
from engineio import base_client as engine_registry
from peers import descriptors, poll


@pytest.fixture(autouse=True)
async def no_leftovers() -> AsyncIterator[None]:
    """No task, no descriptor and no entry in the library's registry outlives a test."""
    gc.collect()
    tasks = asyncio.all_tasks()
    before = descriptors()
    yield
    await poll(lambda: not asyncio.all_tasks() - tasks - {asyncio.current_task()})
    assert engine_registry.connected_clients == []
    gc.collect()
    await poll(lambda: descriptors() <= before)
