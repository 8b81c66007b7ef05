from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from messaging_client.testing import MessagingServer
from tests.fleet.nats_process import NatsProcess
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
    with warnings.catch_warnings():
        # nats-py leaves the sockets of a server that died to the collector.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
async def yard(shared_nats: NatsProcess) -> AsyncIterator[Yard]:
    async with MessagingServer() as server, Yard(server, shared_nats.url) as made:
        yield made


@pytest.fixture
async def own_yard(own_nats: NatsProcess) -> AsyncIterator[Yard]:
    async with MessagingServer() as server, Yard(server, own_nats.url) as made:
        yield made
