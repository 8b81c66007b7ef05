"""Three NATS servers, started as `docs/how-to/fleet.md` says, of which any one may be lost."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from nats.js import JetStreamContext

from messaging_client import ConnectFailed
from messaging_client.fleet import fleet_status, troubles
from messaging_client.fleet.troubles import TROUBLES
from messaging_client.testing import MessagingServer
from tests.fleet.nats_process import NatsProcess, collect_dead_sockets, free_port
from tests.fleet.yard import PATIENT, Yard, until

PAGE = Path(__file__).parents[2] / "docs/how-to/fleet.md"
REPLICAS = 3

# nats-py leaves the sockets of a server that died to the collector, which comes at any time.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[dict[str, NatsProcess]]:
    """The servers of the page by their names, on this machine."""
    _, _, file = PAGE.read_text().partition("```yaml\n")
    services = yaml.safe_load(file.partition("```")[0])["services"]
    ports = {name: free_port() for name in services}
    made = {}
    for name, service in services.items():
        options = (
            service["command"]
            .replace("/data", str(tmp_path / name))
            .replace("0.0.0.0:6222", f"127.0.0.1:{ports[name]}")
        )
        for other, port in ports.items():
            options = options.replace(f"{other}:6222", f"127.0.0.1:{port}")
        made[name] = NatsProcess(tmp_path / name, *shlex.split(options))
    try:
        for each in made.values():
            await each.start()
        yield made
    finally:
        for each in made.values():
            each.kill()
        collect_dead_sockets()


async def _until_whole(js: JetStreamContext, stream: str) -> str:
    """Wait until every replica has all of a stream, and give its leader."""
    async with asyncio.timeout(60):
        while True:
            try:
                told = (await js.stream_info(stream)).cluster
            except TROUBLES:
                told = None  # it has no leader just now
            others = (told and told.replicas) or []
            if told and told.leader and len(others) == REPLICAS - 1 and all(each.current for each in others):
                return told.leader
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("losses", [1, pytest.param(3, marks=pytest.mark.soak)])
async def test_any_server_of_a_cluster_can_be_lost(cluster: dict[str, NatsProcess], losses: int) -> None:
    urls = ",".join(each.url for each in cluster.values())
    said: list[str] = []
    async with MessagingServer() as server, Yard(server, urls) as yard:
        conversation = await yard.conversation()
        lost: list[str] = []

        async def say(count: int) -> None:
            for _ in range(count):
                said.append(f"{len(said)}")
                await server.say(conversation, said[-1], PATIENT)

        async with yard.relay(replicas=REPLICAS), yard.relay(replicas=REPLICAS), yard.worker(ack_wait=3.0):
            stream = f"messaging-{yard.account}"
            js = await yard.jetstream()
            while len(lost) < losses:
                leader = await _until_whole(js, stream)
                # The leader of the stream first, and then whoever was not lost yet.
                name = leader if leader not in lost else next(each for each in cluster if each not in lost)
                await say(5)
                cluster[name].kill()
                lost.append(name)
                await say(10)
                await until(lambda: {each for each, _ in yard.seen} == set(said), lambda: yard.seen)
                await cluster[name].start()
            await _until_whole(js, stream)
        status = await fleet_status(urls, yard.account)
        assert (status.dead, status.lag) == (0, 0)
        # In order: an event may be delivered again, and none before the one that it follows.
        assert list(dict.fromkeys(each for each, _ in yard.seen)) == said


@pytest.mark.soak
async def test_a_relay_starts_while_a_server_of_its_cluster_is_away(cluster: dict[str, NatsProcess]) -> None:
    urls = ",".join(each.url for each in cluster.values())
    first, *_ = cluster.values()
    async with MessagingServer() as server, Yard(server, urls) as yard:
        conversation = await yard.conversation()
        async with yard.relay(replicas=REPLICAS):
            await _until_whole(await yard.jetstream(), f"messaging-{yard.account}")
        first.kill()
        async with yard.relay(replicas=REPLICAS):
            await server.say(conversation, "Bonjour", PATIENT)
            await yard.until_stored(1)
        async with Yard(server, first.url) as alone:
            with pytest.raises(ConnectFailed, match="cannot be reached"):
                await alone.relay(replicas=REPLICAS).start()


async def test_too_few_servers_for_the_replicas_are_named(
    cluster: dict[str, NatsProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with MessagingServer() as server, Yard(server, ",".join(each.url for each in cluster.values())) as yard:
        async with yard.relay(replicas=REPLICAS):
            pass
        monkeypatch.setattr(troubles, "PATIENCE", 0.0)
        yard.account += "-of-five"
        with pytest.raises(ConnectFailed, match="as many servers as they are to have replicas"):
            await yard.relay(replicas=5).start()
