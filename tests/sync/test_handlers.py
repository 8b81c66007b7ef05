"""Handlers of the blocking client: on threads, in order, apart from each other, free to call the client."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import pytest

from messaging_client.errors import NotConnected, ValidationFailed
from messaging_client.sync import HandlerError, Message, MessagingClient, MessagingConfig, SlowConsumer
from messaging_client.sync.handler_threads import HandlerThreads
from messaging_client.testing import BackgroundServer

from .conftest import DOCTOR, TIMEOUT, client_threads


class Collected:
    """What handlers were given, and a way to wait for it."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self.items: list[Any] = []

    def __call__(self, item: Any) -> None:
        with self._news:
            self.items.append(item)
            self._news.notify_all()

    def wait(self, count: int) -> list[Any]:
        with self._news:
            assert self._news.wait_for(lambda: len(self.items) >= count, TIMEOUT), self.items
            return list(self.items)


@pytest.fixture
def collected() -> Collected:
    return Collected()


@pytest.fixture
def bot(doctor: MessagingClient, conversation: int) -> MessagingClient:
    """The doctor's client, in the conversation."""
    doctor.join_conversation(conversation)
    return doctor


def test_a_handler_calls_the_client_back(
    bot: MessagingClient, patient: MessagingClient, conversation: int, collected: Collected
) -> None:
    @bot.on_new_message
    def answer(message: Message) -> None:
        assert threading.current_thread() is not threading.main_thread()
        assert bot.is_connected
        bot.send_message_to_conversation(conversation, f"Bien reçu : {message.content}")
        with bot.conversation(conversation) as session:
            collected(session.messages[-1].content)

    assert answer.name.endswith("answer")
    with patient.conversation(conversation) as session:
        session.send("a")
        assert session.wait_for_message(timeout=TIMEOUT).content == "Bien reçu : a"
    assert collected.wait(1) == ["Bien reçu : a"]


def test_two_bots_answer_each_other(bot: MessagingClient, patient: MessagingClient, conversation: int) -> None:
    done = threading.Event()

    def answer(client: MessagingClient, message: Message) -> None:
        number = int(message.content)
        if number == 10:
            done.set()
        else:
            client.send_message_to_conversation(conversation, str(number + 1))

    patient.join_conversation(conversation)
    bot.on_new_message(functools.partial(answer, bot))
    patient.on_new_message(functools.partial(answer, patient))
    patient.send_message_to_conversation(conversation, "0")
    assert done.wait(TIMEOUT)


def test_order_is_kept(
    bot: MessagingClient, conversation: int, collected: Collected, messaging_server: BackgroundServer
) -> None:
    server: Any = messaging_server
    bot.on_new_message(lambda message: collected(message.content), conversation_id=conversation)
    for number in range(100):
        server.say(conversation, str(number), ("patient", 5))
    assert collected.wait(100) == [str(number) for number in range(100)]


def test_a_slow_handler_holds_up_nobody_else(
    bot: MessagingClient, patient: MessagingClient, conversation: int, collected: Collected
) -> None:
    release = threading.Event()
    slow: list[str] = []

    @bot.on_new_message
    def wait(message: Message) -> None:
        assert release.wait(TIMEOUT)
        slow.append(message.content)

    bot.on_new_message(lambda message: collected(message.content))
    patient.send_messages(conversation, ["a", "b"])
    assert collected.wait(2) == ["a", "b"]
    assert slow == []
    release.set()
    assert bot.close().cancelled == 0
    assert slow == ["a", "b"]


def test_a_slow_handler_is_told_of(
    messaging_client_factory: Callable[..., MessagingClient], collected: Collected, messaging_server: BackgroundServer
) -> None:
    server: Any = messaging_server
    client = messaging_client_factory(*DOCTOR, config=MessagingConfig(queue_size=2))
    entered, release = threading.Event(), threading.Event()
    seen = Collected()

    def wait(*_args: Any) -> None:
        entered.set()
        assert release.wait(TIMEOUT)
        seen(None)

    custom = client.on("bulletin", wait)
    client.on_slow_consumer(collected)
    client.on("last", seen)
    client.connect()
    server.emit("bulletin", {})
    assert entered.wait(TIMEOUT)
    for _ in range(4):
        server.emit("bulletin", {})
    server.emit("last", {})
    seen.wait(1)
    (report,) = collected.wait(1)
    assert isinstance(report, SlowConsumer)
    assert report.handler.endswith("wait")
    release.set()
    seen.wait(4)
    assert custom.dropped == 2


def fail(error: BaseException) -> Callable[[Any], None]:
    def failing(_event: Any) -> None:
        raise error

    return failing


@pytest.mark.parametrize(
    ("error", "cause"),
    [(ValueError("x"), ValueError), (SystemExit(3), SystemExit), (KeyboardInterrupt(), KeyboardInterrupt)],
    ids=["an error", "sys.exit", "an interruption"],
)
def test_a_handler_that_raises_is_reported_and_goes_on(
    bot: MessagingClient,
    patient: MessagingClient,
    conversation: int,
    collected: Collected,
    error: BaseException,
    cause: type[BaseException],
) -> None:
    bot.on_new_message(fail(error))
    bot.on_error(collected)
    patient.send_messages(conversation, ["a", "b"])
    for report, content in zip(collected.wait(2), "ab", strict=True):
        assert isinstance(report, HandlerError)
        assert report.event.content == content
        assert isinstance(report.error, cause) or isinstance(report.error.__cause__, cause)
    assert bot.stats().handler_errors == 2


async def asynchronous(_event: Any) -> None: ...


class Asynchronous:
    async def __call__(self, _event: Any) -> None: ...


@pytest.mark.parametrize("handler", [asynchronous, Asynchronous(), 5], ids=["function", "object", "no callable"])
def test_what_is_no_handler(patient: MessagingClient, conversation: int, handler: Any) -> None:
    for subscribe in (
        patient.on_new_message,
        patient.on_typing(conversation_id=conversation),
        functools.partial(patient.on, "bulletin"),
        patient.conversation(conversation).on_change,
        patient.inbox().on_change,
    ):
        with pytest.raises(ValidationFailed, match=r"callable|plain function"):
            subscribe(handler)


def test_subscriptions(bot: MessagingClient, patient: MessagingClient, conversation: int, collected: Collected) -> None:
    @bot.on_new_message(own=True)
    def look(message: Message) -> str:
        collected(message)
        return message.content

    @bot.on("bulletin")
    def custom(*_args: Any) -> None: ...

    with bot.on_typing(lambda _event: None) as other:
        assert other.is_open
    assert not other.is_open
    sent = bot.send_message_to_conversation(conversation, "a")
    assert collected.wait(1) == [sent]
    assert look(sent) == "a"
    assert collected.items == [sent, sent]
    assert look.dropped == 0
    assert "look" in repr(look)
    look.cancel()
    custom.cancel()
    patient.send_message_to_conversation(conversation, "b")
    with pytest.raises(ValidationFailed):
        bot.on_presence_change(conversation_id=conversation)
    assert len(collected.items) == 2


def test_a_handler_cancels_its_own_subscription(
    bot: MessagingClient, patient: MessagingClient, conversation: int, collected: Collected
) -> None:
    @bot.on_new_message
    def once(message: Message) -> None:
        once.cancel()
        collected(message.content)

    bot.on_new_message(lambda message: collected(message.content.upper()))
    patient.send_messages(conversation, ["a", "b"])
    assert sorted(collected.wait(3)) == ["A", "B", "a"]


# --- closing ---


def test_a_handler_closes_its_client(bot: MessagingClient, patient: MessagingClient, conversation: int) -> None:
    reports: list[Any] = []
    after = threading.Event()

    @bot.on_new_message
    def stop(message: Message) -> None:
        with bot.conversation(conversation):
            reports.append(bot.close(drain=30.0))
        with pytest.raises(NotConnected):
            bot.check_health()
        after.set()

    patient.send_message_to_conversation(conversation, "stop")
    bot.run_forever()
    assert bot.close() is not None  # waits for the handler's
    assert after.wait(TIMEOUT)
    assert [each.cancelled for each in reports] == [0]


def test_two_handlers_close_their_client(bot: MessagingClient, patient: MessagingClient, conversation: int) -> None:
    both = threading.Barrier(2)
    closed = Collected()

    def stop(_message: Message) -> None:
        both.wait(TIMEOUT)
        closed(bot.close(drain=30.0))

    bot.on_new_message(stop)
    bot.on_new_message(stop)
    patient.send_message_to_conversation(conversation, "stop")
    assert [each.cancelled for each in closed.wait(2)] == [0, 0]


def test_closing_waits_for_handlers_as_long_as_it_says(
    bot: MessagingClient, patient: MessagingClient, conversation: int
) -> None:
    entered, release, refused = threading.Event(), threading.Event(), threading.Event()

    @bot.on_new_message
    def slow(message: Message) -> None:
        entered.set()
        assert release.wait(TIMEOUT)
        with pytest.raises(NotConnected):
            bot.check_health()
        refused.set()

    patient.send_message_to_conversation(conversation, "a")
    assert entered.wait(TIMEOUT)
    assert bot.close(drain=0.05).cancelled == 1
    release.set()
    assert refused.wait(TIMEOUT)


def test_closing_ends_what_a_handler_waits_for(
    bot: MessagingClient, patient: MessagingClient, conversation: int, collected: Collected
) -> None:
    entered = threading.Event()

    @bot.on_new_message
    def wait(message: Message) -> None:
        with bot.conversation(conversation) as session:
            entered.set()
            try:
                session.wait_for_message()
            except NotConnected as error:
                collected(error)

    patient.send_message_to_conversation(conversation, "a")
    assert entered.wait(TIMEOUT)
    assert bot.close(drain=0.2).cancelled == 1
    collected.wait(1)


def test_threads_of_a_handler_may_call_the_client(
    bot: MessagingClient, patient: MessagingClient, conversation: int, collected: Collected
) -> None:
    @bot.on_new_message
    def delegate(message: Message) -> None:
        helper = threading.Thread(target=lambda: collected(bot.check_health()))
        helper.start()
        helper.join()

    patient.send_message_to_conversation(conversation, "a")
    assert collected.wait(1) == [True]


def test_a_thread_serves_again_and_ends_when_it_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("messaging_client.sync.handler_threads._KEPT", 0.2)
    threads = HandlerThreads()
    used, free = Collected(), Collected()

    def use() -> threading.Thread:
        before = len(free.items)
        threads.run(lambda: used(threading.current_thread()), lambda: free(None))
        free.wait(before + 1)
        thread: threading.Thread = used.items[-1]
        return thread

    thread = use()
    assert use() is thread
    thread.join(TIMEOUT)
    assert not thread.is_alive()
    assert use() is not thread
    threads.close()
    assert not client_threads()


def test_handlers_do_not_run_more_threads_than_subscriptions(
    bot: MessagingClient, conversation: int, collected: Collected, messaging_server: BackgroundServer
) -> None:
    server: Any = messaging_server
    for _ in range(3):
        bot.on_new_message(lambda _message: collected(threading.current_thread()))
    for number in range(20):
        server.say(conversation, str(number), ("patient", 5))
    assert 1 <= len(set(collected.wait(60))) <= 3
