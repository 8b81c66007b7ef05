from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from messaging_client.testing import MessagingServer
from tests.fleet.nats_process import NatsProcess, collect_dead_sockets
from tests.fleet.yard import Yard


@pytest.fixture(scope="session")
def shared_nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsProcess]:
    """One server for tests that leave it running; each has an account of its own."""
    made = NatsProcess(tmp_path_factory.mktemp("nats"))
    asyncio.run(made.start())
    yield made
    made.kill()


@pytest.fixture
async def own_nats(tmp_path: Path) -> AsyncIterator[NatsProcess]:
    """A server that a test may kill."""
    async with NatsProcess(tmp_path / "nats") as made:
        yield made
    collect_dead_sockets()


@pytest.fixture
async def yard(shared_nats: NatsProcess) -> AsyncIterator[Yard]:
    async with MessagingServer() as server, Yard(server, shared_nats.url) as made:
        yield made


@pytest.fixture
async def own_yard(own_nats: NatsProcess) -> AsyncIterator[Yard]:
    async with MessagingServer() as server, Yard(server, own_nats.url) as made:
        yield made
