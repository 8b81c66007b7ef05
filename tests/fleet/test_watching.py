"""What an operator sees: in a program, on the command line, and in OpenTelemetry."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from messaging_client import ConfigurationError, ConnectFailed, Message
from messaging_client.fleet import Delivery, fleet_status
from messaging_client.fleet.layout import Layout
from messaging_client.observing import telemetry
from tests.fleet.nats_process import free_port
from tests.fleet.yard import PATIENT, Yard, until


async def test_an_operator_sees_what_waits_and_what_was_set_aside(yard: Yard) -> None:
    with pytest.raises(ConfigurationError, match="no stream"):
        await fleet_status(yard.nats_url, yard.account)
    conversation = await yard.conversation()
    partition = Layout(yard.account).partition_of(conversation)
    begun = asyncio.Event()

    async def hang(message: Message, delivery: Delivery) -> None:
        if message.content == "poison":
            raise RuntimeError
        begun.set()
        await asyncio.Event().wait()

    async with yard.relay():
        for content in ("poison", "a", "b", "c"):
            await yard.server.say(conversation, content, PATIENT)
        await yard.until_stored(4)
        status = await fleet_status(yard.nats_url, yard.account)  # before there is any worker
        assert (status.waiting, status.lag, status.in_hand, status.redeliveries) == ({partition: 4}, 4, 0, 0)
        worker = yard.worker(hang, backoff=(0.1,))
        async with worker:
            await asyncio.wait_for(begun.wait(), 20)
            await yard.until_stored(3)
            status = await fleet_status(yard.nats_url, yard.account)
            await worker.aclose(drain=0)
    assert (status.waiting, status.lag, status.in_hand) == ({partition: 2}, 2, 1)
    assert (status.stored, status.dead, status.redelivered, status.redeliveries) == (3, 1, 0, 1)
    assert status.bytes > 0


async def command(*arguments: str) -> tuple[int | None, str, str]:
    """Run `messaging-client fleet`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "messaging_client", "fleet", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, out.decode(), err.decode()


async def test_the_command_line_tells_the_same(yard: Yard) -> None:
    where = ("--nats", yard.nats_url, "--account", yard.account)
    code, out, err = await command(*where)
    assert (code, out) == (2, "")
    assert "There is no stream" in err
    conversation = await yard.conversation()
    partition = Layout(yard.account).partition_of(conversation)
    async with yard.relay():
        for content in ("a", "b"):
            await yard.server.say(conversation, content, PATIENT)
        await yard.until_stored(2)
    code, out, err = await command(*where)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "2 wait, 0 in hand, 0 delivered again, 0 set aside",
        f"  partition {partition}: 2 wait",
    ]
    code, out, err = await command(*where, "--json")
    told = json.loads(out)
    assert (code, told["lag"], told["waiting"], told["dead"]) == (0, 2, {str(partition): 2}, 0)


async def test_nats_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("messaging_client.fleet.nats_server.CONNECT_TIMEOUT", 0.3)
    with pytest.raises(ConnectFailed, match="NATS"):
        await fleet_status(f"nats://127.0.0.1:{free_port()}", "bot")


async def test_opentelemetry_is_told_what_relays_and_workers_do(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader])
    monkeypatch.setattr(telemetry, "set_up_providers", lambda: (None, meters))
    conversation = await yard.conversation()
    partition = Layout(yard.account).partition_of(conversation)
    is_open = asyncio.Event()

    async def handle(message: Message, delivery: Delivery) -> None:
        await is_open.wait()

    async with yard.relay() as relay, yard.worker(handle) as worker:
        for content in ("a", "b", "c"):
            await yard.server.say(conversation, content, PATIENT)
        await until(lambda: _numbers(reader, "messaging_client.fleet.waiting").get(str(partition)) == 2)
        is_open.set()
        await until(lambda: worker.stats().handled == 3)
        assert relay.stats().published == 3
    counted = _numbers(reader, "messaging_client.fleet.events")
    assert (counted["published"], counted["duplicate"], counted["handled"]) == (3, 0, 3)  # also once they are closed
    meters.shutdown()


def _numbers(reader: InMemoryMetricReader, name: str) -> dict[str, Any]:
    """The values of an instrument, by its one attribute."""
    data = reader.get_metrics_data()
    return {
        str(next(value for key, value in (point.attributes or {}).items() if key != "messaging.system")): point.value
        for resource in ([] if data is None else data.resource_metrics)
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == name
        for point in metric.data.data_points
        if hasattr(point, "value")
    }
