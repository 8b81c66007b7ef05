"""What an operator sees: in a program, on the command line, and in OpenTelemetry."""

from __future__ import annotations

import asyncio
import json

import pytest

from messaging_client import ConfigurationError, ConnectFailed, Message
from messaging_client.fleet import Delivery, fleet_status
from messaging_client.fleet.layout import Layout
from tests.cli.processes import environment, run
from tests.fleet.nats_process import free_port
from tests.fleet.yard import PATIENT, Yard, until
from tests.observing.support import Told, told

__all__ = ["told"]


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


async def test_the_command_line_tells_the_same(yard: Yard) -> None:
    where = ("fleet", "--nats", yard.nats_url, "--account", yard.account)
    done = await run(*where, env=environment())
    assert (done.code, done.out) == (2, "")
    assert "There is no stream" in done.error
    assert "start a relay" in done.error
    conversation = await yard.conversation()
    partition = Layout(yard.account).partition_of(conversation)
    async with yard.relay():
        for content in ("a", "b"):
            await yard.server.say(conversation, content, PATIENT)
        await yard.until_stored(2)
    done = await run(*where, env=environment())
    assert (done.code, done.err) == (0, "")
    assert done.lines == [
        "2 wait, 0 in hand, 0 delivered again, 0 set aside",
        f"  partition {partition}: 2 wait",
    ]
    done = await run(*where, "--json", env=environment())
    told = json.loads(done.out)
    assert (done.code, told["lag"], told["waiting"], told["dead"]) == (0, 2, {str(partition): 2}, 0)


async def test_nats_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("messaging_client.fleet.nats_server.CONNECT_TIMEOUT", 0.3)
    with pytest.raises(ConnectFailed, match="NATS"):
        await fleet_status(f"nats://127.0.0.1:{free_port()}", "bot")


async def test_the_command_line_tells_it_in_one_line() -> None:
    done = await run("fleet", "--nats", f"nats://127.0.0.1:{free_port()}", env=environment())
    assert (done.code, done.out) == (3, "")
    assert "check its address" in done.error


async def test_opentelemetry_is_told_what_relays_and_workers_do(yard: Yard, told: Told) -> None:
    conversation = await yard.conversation()
    partition = Layout(yard.account).partition_of(conversation)
    is_open = asyncio.Event()

    async def handle(message: Message, delivery: Delivery) -> None:
        await is_open.wait()

    async with yard.relay() as relay, yard.worker(handle) as worker:
        for content in ("a", "b", "c"):
            await yard.server.say(conversation, content, PATIENT)
        await until(lambda: told.numbers("messaging_client.fleet.waiting").get(str(partition)) == 2)
        is_open.set()
        await until(lambda: worker.stats().handled == 3)
        assert relay.stats().published == 3
    counted = told.numbers("messaging_client.fleet.events")
    assert (counted["published"], counted["duplicate"], counted["handled"]) == (3, 0, 3)  # also once they are closed
