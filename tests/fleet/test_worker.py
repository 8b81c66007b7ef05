from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from messaging_client import ConfigurationError, Message
from messaging_client.fleet import Delivery
from messaging_client.fleet.layout import Layout
from tests.fleet.yard import PATIENT, Yard, until


async def test_events_of_a_conversation_are_handled_in_order_by_any_worker(yard: Yard) -> None:
    rooms = [await yard.conversation(each) for each in range(1, 6)]
    under_way: set[int] = set()
    had: dict[int, list[str]] = {each: [] for each in rooms}

    async def handle(message: Message, delivery: Delivery) -> None:
        room = int(message.conversation_id or 0)
        assert room not in under_way
        under_way.add(room)
        await asyncio.sleep(0.001)
        had[room].append(message.content)
        under_way.remove(room)

    async with yard.relay(), yard.worker(handle) as one, yard.worker(handle) as other:
        for number in range(100):
            await yard.server.say(rooms[number % 5], f"{number}", PATIENT)
        await until(lambda: one.stats().handled + other.stats().handled == 100)
        assert [had[each] for each in rooms] == [[f"{n}" for n in range(k, 100, 5)] for k in range(5)]
        assert one.stats().failed == other.stats().failed == 0
        await yard.until_stored(0)


async def test_its_own_words_are_handled_only_where_asked(yard: Yard) -> None:
    conversation = await yard.conversation()
    async with yard.relay():
        await yard.server.say(conversation, "mine", ("medecin", 79))
        await yard.server.say(conversation, "theirs", PATIENT)
        async with yard.worker() as worker:
            await yard.until_seen("theirs")
            await until(lambda: worker.stats().skipped == 1)
        await yard.server.say(conversation, "mine again", ("medecin", 79))
        async with yard.worker(own=True):
            await yard.until_seen("theirs", "mine again")


async def test_a_handler_that_raises_has_the_event_again_and_the_next_one_waits(yard: Yard) -> None:
    conversation = await yard.conversation()

    async def handle(message: Message, delivery: Delivery) -> None:
        await yard.see(message, delivery)
        if message.content == "first" and delivery.number < 3:
            raise RuntimeError("not yet")

    async with yard.relay(), yard.worker(handle, backoff=(0.05, 0.05, 0.05)) as worker:
        await yard.server.say(conversation, "first", PATIENT)
        await yard.server.say(conversation, "second", PATIENT)
        await until(lambda: len(yard.seen) == 4)
        assert yard.seen == [("first", 1), ("first", 2), ("first", 3), ("second", 1)]
        await until(lambda: worker.stats().handled == 2)
        assert (worker.stats().failed, worker.stats().redelivered, worker.stats().dead) == (2, 2, 0)


async def test_a_handler_that_lets_out_a_cancellation_of_its_own_has_failed(yard: Yard) -> None:
    conversation = await yard.conversation()

    async def handle(message: Message, delivery: Delivery) -> None:
        await yard.see(message, delivery)
        if delivery.number == 1:
            task = asyncio.create_task(asyncio.sleep(60))
            task.cancel()
            await task

    async with yard.relay(), yard.worker(handle, backoff=(0.05,), concurrency=1) as worker:
        await yard.server.say(conversation, "first", PATIENT)
        await yard.server.say(conversation, "second", PATIENT)
        await until(lambda: worker.stats().handled == 2)
    assert yard.seen == [("first", 1), ("first", 2), ("second", 1), ("second", 2)]


async def test_what_fails_again_and_again_is_set_aside_with_its_error(yard: Yard) -> None:
    conversation = await yard.conversation()

    async def handle(message: Message, delivery: Delivery) -> None:
        if message.content == "poison":
            raise RuntimeError("no such dose")
        await yard.see(message, delivery)

    async with yard.relay(), yard.worker(handle, backoff=(0.05,)) as worker:
        await yard.server.say(conversation, "poison", PATIENT)
        await yard.server.say(conversation, "next", PATIENT)
        await yard.until_seen("next")
        assert (worker.stats().failed, worker.stats().dead) == (2, 1)
        assert await yard.stored(dead=True) == 1
    js = await yard.jetstream()
    aside = json.loads((await js.get_msg(f"messaging-{yard.account}-dead", seq=1)).data or b"")
    assert Message.model_validate_json(aside["event"]).content == "poison"
    assert aside["error"] == {"type": "RuntimeError", "text": "no such dose"}
    assert aside["deliveries"] == 2


async def test_an_event_that_nobody_can_read_is_set_aside(yard: Yard) -> None:
    conversation = await yard.conversation()
    layout = Layout(yard.account)
    async with yard.relay(), yard.worker():
        js = await yard.jetstream()
        subject = layout.subject(layout.partition_of(conversation), "new_message")
        await js.publish(subject, b"{}", headers={"Nats-Msg-Id": "x", "Messaging-Schema": "1"})
        await yard.server.say(conversation, "next", PATIENT)
        await yard.until_seen("next")
        await yard.until_stored(1, dead=True)


async def test_an_event_of_a_newer_form_is_left_to_a_newer_worker(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("messaging_client.fleet.handling.UNKNOWN_FORM_DELAY", 0.05)
    conversation = await yard.conversation()
    async with yard.relay():
        monkeypatch.setattr("messaging_client.fleet.envelopes.SCHEMA", 2)
        await yard.server.say(conversation, "of tomorrow", PATIENT)
        await yard.until_stored(1)
        monkeypatch.setattr("messaging_client.fleet.envelopes.SCHEMA", 1)
        async with yard.worker():
            await until(lambda: "upgrade this worker" in caplog.text)
        assert (yard.seen, await yard.stored(), await yard.stored(dead=True)) == ([], 1, 0)
        monkeypatch.setattr("messaging_client.fleet.envelopes.SCHEMA", 2)
        async with yard.worker():
            await until(lambda: len(yard.seen) == 1)


async def test_what_the_stream_holds_twice_is_handled_once(yard: Yard) -> None:
    conversation = await yard.conversation()
    async with yard.relay(duplicate_window=1.0):
        await yard.server.say(conversation, "once", PATIENT)
        await yard.until_stored(1)
    js = await yard.jetstream()
    stored = await js.get_msg(f"messaging-{yard.account}", seq=1)
    await asyncio.sleep(2)  # the stream forgets what is older than its window
    ack = await js.publish(stored.subject or "", stored.data or b"", headers=stored.headers)
    assert not ack.duplicate
    async with yard.worker() as worker:
        await until(lambda: worker.stats().handled + worker.stats().skipped == 2)
        assert yard.seen == [("once", 1)]


async def test_a_long_handler_keeps_its_event(yard: Yard) -> None:
    conversation = await yard.conversation()
    done = asyncio.Event()

    async def handle(message: Message, delivery: Delivery) -> None:
        await yard.see(message, delivery)
        await asyncio.sleep(2.5)
        done.set()

    async with yard.relay(), yard.worker(handle, ack_wait=1.0), yard.worker(handle, ack_wait=1.0):
        await yard.server.say(conversation, "slow", PATIENT)
        await asyncio.wait_for(done.wait(), 20)
        await yard.until_stored(0)
    assert yard.seen == [("slow", 1)]


async def test_answers_are_given_once_however_often_the_event_comes(yard: Yard) -> None:
    conversation = await yard.conversation()

    async def handle(message: Message, delivery: Delivery) -> None:
        await delivery.answer("one")
        await delivery.answer("two")
        if delivery.number == 1:
            raise RuntimeError("after both")

    async with yard.relay(), yard.worker(handle, backoff=(0.05,)) as worker:
        await yard.server.say(conversation, "?", PATIENT)
        await until(lambda: worker.stats().handled == 1)
    assert yard.contents(conversation) == ["?", "one", "two"]


async def test_a_worker_without_a_client_says_so(yard: Yard) -> None:
    conversation = await yard.conversation()
    errors: list[BaseException] = []

    async def handle(message: Message, delivery: Delivery) -> None:
        try:
            await delivery.answer("!")
        except ConfigurationError as error:
            errors.append(error)

    async with yard.relay(), yard.worker(handle, client=None):
        await yard.server.say(conversation, "?", PATIENT)
        await until(lambda: len(errors) == 1)


async def test_stopping_gives_back_what_is_not_done(yard: Yard) -> None:
    conversation = await yard.conversation()
    begun = asyncio.Event()

    async def hang(message: Message, delivery: Delivery) -> None:
        begun.set()
        await asyncio.Event().wait()

    async with yard.relay():
        await yard.server.say(conversation, "held", PATIENT)
        worker = yard.worker(hang)
        async with worker:
            await asyncio.wait_for(begun.wait(), 20)
            await worker.aclose(drain=0)
        async with yard.worker():  # at once, not after ack_wait
            await asyncio.wait_for(yard.until_seen("held"), 10)
    assert yard.seen == [("held", 2)]


async def test_stopping_lets_handlers_end(yard: Yard) -> None:
    conversation = await yard.conversation()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait(message: Message, delivery: Delivery) -> None:
        begun.set()
        await go_on.wait()

    async with yard.relay():
        await yard.server.say(conversation, "held", PATIENT)
        worker = yard.worker(wait)
        async with worker:
            await asyncio.wait_for(begun.wait(), 20)
            closing = asyncio.create_task(worker.aclose())
            await asyncio.sleep(0)
            go_on.set()
            await closing
        assert worker.stats().handled == 1
        await yard.until_stored(0)


async def test_another_worker_takes_over_from_one_that_is_killed(yard: Yard, tmp_path: Path) -> None:
    conversation = await yard.conversation()
    program = tmp_path / "stuck.py"
    program.write_text(
        "import asyncio\n"
        "async def handle(message, delivery):\n"
        "    print('begun', flush=True)\n"
        "    await asyncio.Event().wait()\n"
    )
    async with yard.relay():
        process = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
            [
                *(sys.executable, "-m", "messaging_client", "work", "stuck:handle"),
                *("--account", yard.account, "--ack-wait", "1"),
            ],
            cwd=tmp_path,
            env=os.environ
            | {
                "MESSAGING_URL": yard.server.url,
                "MESSAGING_TOKEN": yard.server.token("medecin", 79),
                "NATS_URL": yard.nats_url,
                "PYTHONPATH": str(Path(__file__).parents[2]),
            },
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            await asyncio.to_thread(process.stdout.readline)  # that it works
            await yard.server.say(conversation, "first", PATIENT)
            await yard.server.say(conversation, "second", PATIENT)
            assert await asyncio.to_thread(process.stdout.readline) == b"begun\n"
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdout.close()
        async with yard.worker(ack_wait=1.0):
            await yard.until_seen("first", "second")
    assert yard.seen == [("first", 2), ("second", 1)]


async def test_workers_of_other_settings_are_refused(yard: Yard) -> None:
    with pytest.raises(ConfigurationError, match="start a relay"):
        await yard.worker().start()
    async with yard.relay(), yard.worker(ack_wait=30.0):
        with pytest.raises(ConfigurationError, match="ack_wait"):
            await yard.worker(ack_wait=10.0).start()
    for arguments in ({"concurrency": 0}, {"concurrency": True}, {"ack_wait": 0.1}, {"partitions": 0}):
        with pytest.raises(ConfigurationError):
            yard.worker(**arguments)
    with pytest.raises(ConfigurationError, match="handler"):
        yard.worker("no function")  # type: ignore[arg-type]
