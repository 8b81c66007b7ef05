"""Stores on real files, each closed at the end of its test."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from messaging_client.store import Store, open_store
from messaging_client.store.store import THREAD_NAME
from tests.store.support import PATIENT, SERVER

Opening = Callable[..., Awaitable[Store]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "messages.db"


@pytest.fixture
async def opened(path: Path) -> AsyncIterator[Opening]:
    """`await opened()`: a store that is bound to a patient at a server; no thread of it outlives the test."""
    stores: list[Store] = []

    async def make(where: Path | str | None = None, server: str = SERVER, user: object = PATIENT) -> Store:
        store = open_store(where or path)
        stores.append(store)
        await store.bind(server, user)
        return store

    yield make
    for store in stores:
        await store.aclose()
    assert not [each for each in threading.enumerate() if each.name.startswith(THREAD_NAME)]
