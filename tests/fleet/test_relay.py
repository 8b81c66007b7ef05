from __future__ import annotations

import asyncio
from typing import Any

import pytest
from nats.js import api

from messaging_client import ConfigurationError, ConnectFailed, Message, MessagingClient, MessagingConfig
from messaging_client.fleet import Relay, troubles
from messaging_client.fleet import relay as relay_module
from tests.fleet.nats_process import NatsProcess, free_port
from tests.fleet.yard import DOCTOR, PATIENT, Yard, until


async def test_two_relays_leave_one_copy_in_the_stream(yard: Yard) -> None:
    conversation = await yard.conversation()
    async with yard.relay() as one, yard.relay() as other:
        for number in range(20):
            await yard.server.say(conversation, f"{number}", PATIENT)
        await until(lambda: one.stats().published == other.stats().published == 20)
        assert one.stats().duplicates + other.stats().duplicates == 20
        assert await yard.stored() == 20


async def test_events_have_the_documented_subject_and_headers(yard: Yard) -> None:
    conversation = await yard.conversation()
    js = await yard.jetstream()
    async with yard.relay(partitions=1):
        await yard.server.say(conversation, "Bonjour docteur", PATIENT)
        await yard.server.say(conversation, "Bonjour Marie", DOCTOR)
        await yard.until_stored(2)
    first = await js.get_msg(f"messaging-{yard.account}", seq=1)
    second = await js.get_msg(f"messaging-{yard.account}", seq=2)
    assert first.subject == f"messaging.{yard.account}.0.new_message"
    assert first.headers is not None
    assert second.headers is not None
    assert {"Nats-Msg-Id", "Messaging-Schema"} < set(first.headers)
    assert (first.headers["Messaging-Own"], second.headers["Messaging-Own"]) == ("0", "1")
    assert Message.model_validate_json(first.data or b"").content == "Bonjour docteur"


async def test_a_relay_reads_back_what_no_relay_was_there_for(yard: Yard) -> None:
    conversation = await yard.conversation()
    async with yard.relay():
        await yard.server.say(conversation, "before", PATIENT)
        await yard.until_stored(1)
    await yard.server.say(conversation, "meanwhile", PATIENT)
    other = await yard.conversation(16)
    await yard.server.say(other, "in a new conversation", PATIENT)
    async with yard.relay() as relay:
        await yard.until_stored(3)
        await until(lambda: relay.stats().published >= 2)
    assert await yard.stored() == 3


async def test_a_relay_waits_for_nats_and_goes_on(own_yard: Yard, own_nats: NatsProcess) -> None:
    yard = own_yard
    conversation = await yard.conversation()
    async with yard.relay(client=yard.client(queue_size=10)) as relay:
        await yard.server.say(conversation, "0", PATIENT)
        await yard.until_stored(1)
        own_nats.kill()
        for number in range(1, 50):
            await yard.server.say(conversation, f"{number}", PATIENT)
        await until(lambda: relay.stats().retries > 0)
        assert relay.client.stats().queued <= 11  # what does not fit is read back later
        await own_nats.start()
        await yard.until_stored(50)
    async with yard.worker():
        await yard.until_seen(*[f"{each}" for each in range(50)])


async def test_a_relay_that_is_stopped_while_nats_is_away_leaves_it_to_the_next(
    own_yard: Yard, own_nats: NatsProcess
) -> None:
    yard = own_yard
    conversation = await yard.conversation()
    relay = yard.relay()
    async with relay:
        await yard.server.say(conversation, "0", PATIENT)
        await yard.until_stored(1)
        own_nats.kill()
        await yard.server.say(conversation, "1", PATIENT)
        await until(lambda: relay.stats().retries > 0)
        await relay.aclose(drain=0)
    await own_nats.start()
    async with yard.relay():
        await yard.until_stored(2)


@pytest.mark.parametrize("moment", ["prepare", "bucket"])
async def test_a_relay_starts_although_nats_goes_away_meanwhile(
    own_yard: Yard,
    own_nats: NatsProcess,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    moment: str,
) -> None:
    yard = own_yard
    conversation = await yard.conversation()
    async with yard.relay():
        await yard.server.say(conversation, "before", PATIENT)
        await yard.until_stored(1)
    await yard.server.say(conversation, "meanwhile", PATIENT)
    step = getattr(relay_module, moment)

    async def dies_after(*arguments: object) -> object:
        done = await step(*arguments)
        own_nats.kill()
        return done

    monkeypatch.setattr(relay_module, moment, dies_after)
    monkeypatch.setattr(relay_module, "PUBLISH_TIMEOUT", 0.2)
    relay = yard.relay()
    starting = asyncio.create_task(relay.start())
    await until(lambda: "NATS does not answer yet" in caplog.text)
    await own_nats.start()
    await starting
    await yard.until_stored(2)
    await relay.aclose()


async def test_what_nats_never_answers_is_told(
    own_yard: Yard, own_nats: NatsProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = relay_module.prepare

    async def dies_after(*arguments: Any) -> None:
        await step(*arguments)
        own_nats.kill()

    monkeypatch.setattr(relay_module, "prepare", dies_after)
    monkeypatch.setattr(relay_module, "PUBLISH_TIMEOUT", 0.2)
    monkeypatch.setattr(troubles, "PATIENCE", 0.5)
    with pytest.raises(ConnectFailed, match="JetStream"):
        await own_yard.relay().start()


async def test_a_full_stream_makes_relays_wait(yard: Yard) -> None:
    conversation = await yard.conversation()
    text = "x" * 100_000
    async with yard.relay(max_bytes=1 << 20) as relay:
        for _ in range(12):
            await yard.server.say(conversation, text, PATIENT)
        await until(lambda: relay.stats().retries > 0)
        assert await yard.stored() < 12
        async with yard.worker():
            await yard.until_seen(*[text] * 12)


async def test_another_user_or_another_number_of_partitions_is_refused(yard: Yard) -> None:
    async with yard.relay():
        with pytest.raises(ConfigurationError, match=r"messaging\.user"):
            await yard.relay(client=yard.client(("medecin", 80))).start()
        with pytest.raises(ConfigurationError, match=r"messaging\.partitions"):
            await yard.relay(partitions=8).start()
        with pytest.raises(ConfigurationError, match="duplicate_window"):
            await yard.relay(duplicate_window=60).start()
        with pytest.raises(ConfigurationError, match=r"messaging\.partitions"):
            await yard.worker(partitions=8).start()
        with pytest.raises(ConfigurationError, match=r"messaging\.user"):
            await yard.worker(client=yard.client(("medecin", 80))).start()


async def test_a_stream_that_somebody_changed_is_not_changed_back(yard: Yard) -> None:
    async with yard.relay():
        pass
    js = await yard.jetstream()
    config = (await js.stream_info(f"messaging-{yard.account}")).config
    await js.update_stream(config.evolve(discard=api.DiscardPolicy.OLD))
    with pytest.raises(ConfigurationError, match="discard"):
        await yard.relay().start()
    assert (await js.stream_info(f"messaging-{yard.account}")).config.discard == api.DiscardPolicy.OLD


async def test_what_cannot_work_is_refused_at_the_start(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    for account in ("", "a.b", "a b", "é", "x" * 65, 5):
        with pytest.raises(ConfigurationError, match="account"):
            Relay(yard.client(), yard.nats_url, account)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="client"):
        Relay(yard.nats_url, yard.nats_url, "bot")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="nats_url"):
        await Relay(yard.client(), "", "bot").start()
    with pytest.raises(ConfigurationError, match="max_payload"):
        await yard.relay(client=yard.client(max_message_bytes=2_000_000)).start()
    connected = yard.client()
    await connected.connect()
    with pytest.raises(ConfigurationError, match="connected by the relay"):
        await yard.relay(client=connected).start()
    monkeypatch.setattr("messaging_client.fleet.nats_server.CONNECT_TIMEOUT", 0.3)
    with pytest.raises(ConnectFailed, match="NATS"):
        await Relay(yard.client(), f"nats://127.0.0.1:{free_port()}", "bot").start()


async def test_a_client_with_a_file_is_refused(yard: Yard, tmp_path: object) -> None:
    client = MessagingClient(
        yard.server.url, token=yard.server.token(*DOCTOR), config=MessagingConfig(), store=f"{tmp_path}/bot.db"
    )
    with pytest.raises(ConfigurationError, match="store="):
        await Relay(client, yard.nats_url, yard.account).start()
    await client.aclose(drain=0)


async def test_stopping_a_relay_publishes_what_it_was_told(yard: Yard) -> None:
    conversation = await yard.conversation()
    async with yard.relay() as relay:
        for number in range(100):
            await yard.server.say(conversation, f"{number}", PATIENT)
        await until(lambda: relay.stats().published > 0)
        await asyncio.wait_for(relay.aclose(), 20)
    async with yard.relay():
        await yard.until_stored(100)
