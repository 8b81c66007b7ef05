"""Spans and measurements, as OpenTelemetry's own SDK is told them."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest
from canary import CANARY, CANARY_NAME, NAMES, holds_secret
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.trace import NoOpTracerProvider, ProxyTracerProvider, SpanKind, StatusCode, get_current_span
from scenes import DOCTOR, PATIENT, TIMEOUT, Scene
from support import Told, eventually, joined, told

from messaging_client import (
    ConnectFailed,
    Message,
    MessagingClient,
    MessagingError,
    NotConnected,
    RequestTimeout,
    SendUncertain,
)
from messaging_client.observing import telemetry
from messaging_client.testing import BackgroundServer

__all__ = ["told"]


def parent_of(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def id_of(span: Any) -> int:
    return int(span.get_span_context().span_id)


async def test_a_send_is_a_span_of_its_caller_and_each_request_one_of_it(told: Told) -> None:
    async with Scene() as scene:
        client = await scene.client()
        with told.tracer.start_as_current_span("first") as first:
            await client.send_message_to_conversation(scene.conversation, CANARY)
        with told.tracer.start_as_current_span("second") as second:
            await client.send_message_to_conversation(scene.conversation, CANARY)
        sends = told.spans("messaging.send")
        assert [parent_of(each) for each in sends] == [id_of(first), id_of(second)]
        for send, stored in zip(sends, scene.server.messages(scene.conversation), strict=True):
            assert send.kind is SpanKind.PRODUCER
            attributes = dict(send.attributes or {})
            assert attributes.pop("messaging_client.client_message_id")
            assert attributes == {
                "messaging.system": "messaging_client",
                "messaging.operation.type": "send",
                "messaging.operation.name": "send",
                "messaging.destination.name": str(scene.conversation),
                "messaging.message.conversation_id": str(scene.conversation),
                "messaging.message.id": str(stored["id_message"]),
                "messaging_client.restored": False,
                "messaging_client.outcome": "confirmed",
                "messaging_client.attempts": 1,
            }
        requests = told.spans("messaging.request send")
        assert [parent_of(each) for each in requests] == [id_of(each) for each in sends]
        assert {each.kind for each in requests} == {SpanKind.CLIENT}
        assert dict(requests[0].attributes or {}) == {
            "messaging.system": "messaging_client",
            "messaging_client.operation": "send",
            "messaging_client.outcome": "ok",
            "messaging_client.attempts": 1,
            "http.response.status_code": 201,
        }


async def test_many_sends_at_once_each_stay_with_their_callers(told: Told) -> None:
    """One worker sends them all: the context that it was made in must not become that of the others."""
    async with Scene() as scene:
        client = await scene.client()

        async def send(number: int) -> int:
            with told.tracer.start_as_current_span(f"caller {number}") as span:
                await client.send_message_to_conversation(scene.conversation, f"m{number}")
                return id_of(span)

        callers = await asyncio.gather(*map(send, range(5)))
        sends = told.spans("messaging.send")
        assert [parent_of(each) for each in sends] == list(callers)
        requests = told.spans("messaging.request send")
        assert [parent_of(each) for each in requests] == [id_of(each) for each in sends]


async def test_a_refused_send_and_its_retry(told: Told) -> None:
    async with Scene() as scene:
        client = await scene.client()
        scene.server.faults.answer("send", 422, message=CANARY)
        with pytest.raises(MessagingError):
            await client.send_message_to_conversation(scene.conversation, CANARY)
        (refused,) = told.spans("messaging.send")
        attributes = refused.attributes or {}
        assert (attributes["messaging_client.outcome"], attributes["error.type"]) == ("refused", "ValidationFailed")
        assert refused.status.status_code is StatusCode.ERROR
        assert refused.status.description is None
        assert not refused.events, "an exception's text may hold content"
        with told.tracer.start_as_current_span("again") as again:
            await client.retry(client.pending()[0])
        retried = told.spans("messaging.send")[1]
        assert parent_of(retried) == id_of(again)
        assert [each.context.span_id for each in retried.links] == [id_of(refused)]
        assert told.numbers("messaging.client.sent.messages") == {"confirmed": 1, "refused": 1, "uncertain": 0}


async def test_a_later_attempt_is_within_the_span_of_the_one_who_sent(told: Told) -> None:
    async with Scene() as scene:
        client = await scene.client(randomization_factor=0.0)
        scene.server.faults.answer("send", 503, retry_after=0)
        with told.tracer.start_as_current_span("caller") as caller:
            await client.send_message_to_conversation(scene.conversation, "m")
        (send,) = told.spans("messaging.send")
        assert parent_of(send) == id_of(caller)
        assert (send.attributes or {})["messaging_client.attempts"] == 2
        assert [parent_of(each) for each in told.spans("messaging.request send")] == 2 * [id_of(send)]


async def test_what_an_earlier_process_left_has_a_span_of_its_own(told: Told, tmp_path: Path) -> None:
    async with Scene() as scene:
        store, token = tmp_path / "bot.db", scene.server.token(*DOCTOR)
        first = MessagingClient(scene.server.url, token=token, store=store)
        await first.connect()
        scene.server.faults.answer("send", 503, count=None, retry_after=60)
        (waiting,) = await first._submit(scene.conversation, ("m",), "texte", None, None)
        await first.aclose(drain=0)
        (unsent,) = told.spans("messaging.send")
        assert (unsent.attributes or {})["messaging_client.outcome"] == "unsent"
        scene.server.faults.clear()
        second = MessagingClient(scene.server.url, token=token, store=store)
        with told.tracer.start_as_current_span("start"):
            await second.connect()
        await second.aclose(drain=TIMEOUT)
        send = told.spans("messaging.send")[1]
        attributes = send.attributes or {}
        assert attributes["messaging_client.client_message_id"] == waiting.client_message_id
        assert (attributes["messaging_client.restored"], attributes["messaging_client.outcome"]) == (True, "confirmed")
        assert parent_of(send) is None


async def test_connecting_is_the_callers_and_connecting_again_nobodys(told: Told) -> None:
    async with Scene() as scene:
        client = await scene.client(connect=False, reconnection_delay=0.01)
        with told.tracer.start_as_current_span("start") as start:
            scene.server.faults.refuse_upgrade()
            with pytest.raises(ConnectFailed):
                await client.connect()
            await client.connect()
        await eventually(lambda: len(told.spans("messaging.connect")) == 2)
        failed, made = told.spans("messaging.connect")
        assert parent_of(failed) == parent_of(made) == id_of(start)
        assert (failed.attributes or {})["error.type"] == "HandshakeRefused"
        assert made.status.status_code is StatusCode.UNSET
        await joined(scene, client)
        await scene.server.faults.cut(DOCTOR)
        await eventually(lambda: client.stats().reconnections)
        await client.get_conversation_messages(scene.conversation)
        await eventually(lambda: told.spans("messaging.reconnect"))
        (again,) = told.spans("messaging.reconnect")
        assert parent_of(again) is None
        late = [each for each in told.spans() if each.start_time > (again.start_time or 0)]
        assert {parent_of(each) for each in late} == {None}, "what is read back is not part of connecting long ago"
        assert told.numbers("messaging_client.reconnections") == {"": 1}


async def test_a_handler_has_a_span_and_what_it_does_is_within(told: Told) -> None:
    async with Scene() as scene:
        client = await scene.client()
        seen: list[int] = []
        done = asyncio.Event()

        class Callable:
            async def __call__(self, message: Message) -> None:
                seen.append(id_of(get_current_span()))
                done.set()

        @client.on_new_message
        async def answer(message: Message) -> None:
            seen.append(id_of(get_current_span()))
            await client.send_message_to_conversation(scene.conversation, "oui")

        client.on_new_message(lambda message: seen.append(id_of(get_current_span())))
        client.on_new_message(Callable())
        with told.tracer.start_as_current_span("join"):
            await joined(scene, client)
        await scene.say("un")
        await asyncio.wait_for(done.wait(), TIMEOUT)
        await eventually(lambda: len(told.spans("messaging.process")) >= 3)
        spans = {id_of(each): each for each in told.spans("messaging.process")}
        assert set(seen) == set(spans)
        (send,) = told.spans("messaging.send")
        assert parent_of(send) == seen[0]
        for each in spans.values():
            attributes = each.attributes or {}
            assert (each.kind, parent_of(each)) == (SpanKind.CONSUMER, None)
            assert attributes["messaging.message.id"] == str(scene.server.messages(scene.conversation)[0]["id_message"])
            assert attributes["messaging_client.event"] == "Message"
            assert attributes["messaging_client.late"] is False


async def test_a_handler_that_raises_is_told_by_its_class(told: Told) -> None:
    async with Scene() as scene:
        client = await scene.client()

        @client.on_new_message
        async def later(message: Message) -> None:
            await asyncio.sleep(0)
            raise ValueError(message.content)

        @client.on_new_message
        def at_once(message: Message) -> None:
            raise KeyError(message.content)

        await joined(scene, client)
        await scene.say(CANARY)
        await eventually(lambda: client.stats().handler_errors == 2)
        spans = told.spans("messaging.process")
        assert {(each.attributes or {})["error.type"] for each in spans} == {"ValueError", "KeyError"}
        assert not any(each.events or each.status.description for each in spans)
        assert told.numbers("messaging_client.handler_errors") == {"": 2}
        assert later.name.endswith("later"), "reports name the user's handler"


async def test_measurements_are_of_what_has_happened(told: Told) -> None:
    async with Scene() as scene:
        client = await scene.client()
        await joined(scene, client)
        stream = client.events(Message)
        scene.server.faults.duplicate_events("new_message")
        await scene.say("un")
        await eventually(lambda: client.stats().duplicates)
        for _ in range(3):
            await client.get_conversation_participants(scene.conversation)
        scene.server.faults.drop_after_storing("send")
        scene.server.faults.answer("messages", 403, count=None)
        with pytest.raises(SendUncertain):
            await client.send_message_to_conversation(scene.conversation, "m")
        assert told.numbers("messaging_client.events")["Message"] == client._intake.messages >= 2
        assert told.numbers("messaging.client.consumed.messages") == {"": client.stats().messages}
        assert told.numbers("messaging_client.duplicates") == {"": client.stats().duplicates}
        assert told.numbers("messaging_client.cache.reads") == {"hit": 2, "miss": client.stats().cache_misses}
        waiting = client.stats()
        assert told.numbers("messaging_client.queued") == {
            "all": waiting.queued,
            "longest": waiting.queued_longest,
        }
        assert waiting.queued >= 1
        assert told.numbers("messaging_client.pending") == {"": 1}
        (took,) = told.points("messaging.client.operation.duration").values()
        assert took.count == 1
        assert took.attributes["messaging_client.outcome"] == "uncertain"
        assert took.attributes["error.type"] == "SendUncertain"
        assert took.sum == pytest.approx(client.stats().last_send_seconds)
        assert 10 in took.explicit_bounds

        def measured() -> int:
            return sum(each.count for each in told.points("messaging_client.request.duration").values())

        await eventually(lambda: measured() == client.stats().requests)  # one may be under way: the end is measured
        stream.cancel()


async def test_clients_are_let_go_and_their_numbers_stay(told: Told) -> None:
    async with Scene() as scene:
        closed = MessagingClient(scene.server.url, token=scene.server.token(*DOCTOR))
        await closed.send_message_to_conversation(scene.conversation, "un")
        forgotten = MessagingClient(scene.server.url, token=scene.server.token(*PATIENT))
        assert told.numbers("messaging.client.sent.messages")["confirmed"] == 1
        refs = [weakref.ref(closed), weakref.ref(forgotten)]
        await closed.send_message_to_conversation(scene.conversation, "deux")
        await closed.aclose()
        assert told.numbers("messaging.client.sent.messages")["confirmed"] == 2
        del closed, forgotten
        while any(each() is not None for each in refs):  # tasks that have ended are let go a turn later
            await asyncio.sleep(0)
            gc.collect()
        assert told.numbers("messaging.client.sent.messages")["confirmed"] == 2
        assert told.numbers("messaging_client.pending") == {}


async def test_collecting_in_another_thread_while_everything_changes(told: Told) -> None:
    async with Scene() as scene:
        client = await scene.client()
        await joined(scene, client)
        failures: list[BaseException] = []
        is_over = threading.Event()

        def collect() -> None:
            while not is_over.is_set():
                try:
                    client._readings()  # past the SDK, which logs what callbacks raise, and goes on
                except BaseException as error:
                    failures.append(error)
                    return

        thread = threading.Thread(target=collect)
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        thread.start()
        try:
            for _ in range(100):
                for stream in [client.events(Message) for _ in range(50)]:
                    stream.cancel()
        finally:
            is_over.set()
            await asyncio.to_thread(thread.join)
            sys.setswitchinterval(interval)
        assert not failures


async def test_neither_content_nor_names_nor_tokens_leave(told: Told) -> None:
    async with Scene() as scene:
        scene.server.add_user(*PATIENT, prenom="Marie", nom=CANARY_NAME)
        client = await scene.client(reconnection_delay=0.01)
        await client.join_all()
        client.on_new_message(lambda message: 1 / 0)
        client.on("custom", lambda *_: None)
        await scene.say(CANARY)
        await eventually(lambda: client.stats().handler_errors)
        await scene.server.faults.cut(DOCTOR)
        await eventually(lambda: client.stats().reconnections)
        for status in (422, 403):
            scene.server.faults.answer("send", status, message=CANARY)
            with pytest.raises(MessagingError):
                await client.send_message_to_conversation(scene.conversation, CANARY)
        await client.get_user_info(PATIENT[1], PATIENT[0])
        said = told.everything()
        assert "messaging.send" in said
        assert "messaging.process" in said
        assert not holds_secret(said)
        assert not any(name in said for name in (*NAMES, "Marie", "Sakura"))


class _Broken(SpanProcessor):
    def on_start(self, span: Any, parent_context: Any = None) -> None:
        raise RuntimeError(CANARY)


async def test_telemetry_that_fails_stops_no_message(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = TracerProvider()
    broken.add_span_processor(_Broken())
    monkeypatch.setattr(telemetry, "set_up_providers", lambda: (broken, None))
    async with Scene() as scene:
        client = await scene.client()
        await joined(scene, client)
        heard = asyncio.Event()
        client.on_new_message(lambda _: heard.set())
        await client.send_message_to_conversation(scene.conversation, "un")
        await scene.say("deux")
        await asyncio.wait_for(heard.wait(), TIMEOUT)
    assert "telemetry raised: error_type=RuntimeError" in caplog.text


def test_the_blocking_client_keeps_the_callers_context(told: Told) -> None:
    from messaging_client.sync import MessagingClient as Blocking

    with BackgroundServer() as server, Blocking(server.url, token=server.token(*PATIENT)) as client:
        conversation = client.find_or_create_conversation("ordonnance", 15, medecin_id=79)
        with told.tracer.start_as_current_span("caller") as caller:
            client.send_message_to_conversation(conversation.id, "m")
        (send,) = told.spans("messaging.send")
        assert parent_of(send) == id_of(caller)


@pytest.mark.parametrize(
    "provider", [ProxyTracerProvider(), NoOpTracerProvider()], ids=lambda each: type(each).__name__
)
async def test_a_provider_that_records_nothing_puts_nothing_in_the_way(
    provider: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opentelemetry.trace.get_tracer_provider", lambda: provider)
    assert telemetry.set_up_providers() == (None, None)
    client = MessagingClient(token="eyJhbGciOiJub25lIn0.eyJpZCI6NSwicm9sZSI6InBhdGllbnQifQ.x")

    def handler(_: Message) -> None: ...

    assert client.on_new_message(handler)._call is handler
    await client.aclose()


async def test_it_can_be_turned_off_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    tracers = TracerProvider()
    monkeypatch.setattr("opentelemetry.trace.get_tracer_provider", lambda: tracers)
    assert telemetry.set_up_providers() == (tracers, None)
    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "redis, messaging_client")
    assert telemetry.set_up_providers() == (None, None)


async def test_a_send_over_the_socket_is_a_span_and_counts(told: Told) -> None:
    async with Scene() as scene:
        client = await scene.client()
        with told.tracer.start_as_current_span("caller") as caller:
            sent = await client.send_message_via_websocket(scene.conversation, CANARY)
        (span,) = told.spans("messaging.send")
        assert (span.kind, parent_of(span)) == (SpanKind.PRODUCER, id_of(caller))
        assert dict(span.attributes or {}) == {
            "messaging.system": "messaging_client",
            "messaging.operation.type": "send",
            "messaging.operation.name": "send",
            "messaging.destination.name": str(scene.conversation),
            "messaging.message.conversation_id": str(scene.conversation),
            "messaging.message.id": str(sent.message_id),
            "messaging_client.client_message_id": sent.client_message_id,
            "messaging_client.restored": False,
            "messaging_client.outcome": "confirmed",
            "messaging_client.attempts": 1,
        }
        with pytest.raises(MessagingError):
            await client.send_message_via_websocket(999, CANARY)
        scene.server.faults.freeze(DOCTOR)
        with pytest.raises(RequestTimeout):
            await client.send_message_via_websocket(scene.conversation, CANARY, timeout=0.1)
        given_up = asyncio.ensure_future(client.send_message_via_websocket(scene.conversation, CANARY))
        await eventually(lambda: client.stats().sends == 4)
        given_up.cancel()
        await asyncio.wait({given_up})
        scene.server.faults.thaw()
        await client.disconnect()
        with pytest.raises(NotConnected):
            await client.send_message_via_websocket(scene.conversation, CANARY)
        with pytest.raises(MessagingError):
            await client.send_message_via_websocket(scene.conversation, "")
        ends = [(each.attributes or {}) for each in told.spans("messaging.send")[1:]]
        assert [(each["messaging_client.outcome"], each["error.type"]) for each in ends] == [
            ("refused", "ValidationFailed"),
            ("uncertain", "RequestTimeout"),
            ("uncertain", "CancelledError"),
            ("refused", "NotConnected"),
        ]
        assert not any("messaging.message.id" in each for each in ends)
        assert told.numbers("messaging.client.sent.messages") == {"confirmed": 1, "refused": 2, "uncertain": 2}
        stats = client.stats()
        assert (stats.sends, stats.confirmed, stats.refused, stats.uncertain, stats.pending) == (5, 1, 2, 2, 0)
        took = told.points("messaging.client.operation.duration")
        assert sum(each.count for each in took.values()) == 5
        assert not holds_secret(told.everything())
