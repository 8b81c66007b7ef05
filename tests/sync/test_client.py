"""What the blocking client, its sessions and its inbox do: on the embedded server, from several threads."""

from __future__ import annotations

import asyncio
import gc
import itertools
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from messaging_client.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectFailed,
    ExpectTimeout,
    NotConnected,
    ValidationFailed,
)
from messaging_client.sync import (
    ConnectionState,
    ConversationSession,
    Message,
    MessagingClient,
    MessagingConfig,
    TypingEvent,
)
from messaging_client.testing import BackgroundServer

from .conftest import DOCTOR, PATIENT, TIMEOUT, client_threads


def contents(messages: Any) -> list[str]:
    return [each.content for each in messages]


# --- life ---


def test_a_script(messaging_server: BackgroundServer) -> None:
    token = messaging_server.token(*PATIENT)
    with MessagingClient(messaging_server.url, token=token) as client:
        assert client.is_connected
        assert client.state is ConnectionState.CONNECTED
        assert client.socket_id
        assert client.status().state is ConnectionState.CONNECTED
        assert client.current_user.id == 5
        assert client.check_health()
        assert repr(client) == "<MessagingClient connected>"
        with client.open_conversation("ordonnance", 15, medecin_id=79) as session:
            sent = session.send("Bonjour docteur")
            assert contents(session.messages) == ["Bonjour docteur"]
            assert isinstance(session.messages, tuple)
            assert client.get_conversation_messages(session.conversation_id).messages == (sent,)
        client.disconnect()
        assert client.state is ConnectionState.DISCONNECTED
        client.connect()
        assert client.is_connected
    assert client.state is ConnectionState.DISCONNECTED
    assert not client_threads()


@pytest.mark.parametrize("drain", ["x", -1, None, float("nan")])
def test_closing_with_a_time_that_is_none_closes_nothing(patient: MessagingClient, drain: Any) -> None:
    with pytest.raises(ValidationFailed, match="drain"):
        patient.close(drain)
    assert patient.check_health()
    patient.close()
    assert not client_threads()


def test_closing_says_what_it_left_and_may_be_repeated(patient: MessagingClient) -> None:
    report = patient.close(drain=1.0)
    assert (report.unsent, report.cancelled) == ((), 0)
    assert patient.close() == report
    assert not client_threads()
    with pytest.raises(NotConnected, match="closed"):
        patient.connect()
    with pytest.raises(NotConnected, match="closed"):
        patient.check_health()
    assert patient.cache_info().size == 0


def test_from_the_environment(messaging_server: BackgroundServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MESSAGING_TOKEN", raising=False)
    with pytest.raises(ConfigurationError, match="MESSAGING_TOKEN"):
        MessagingClient.from_env()
    monkeypatch.setenv("MESSAGING_TOKEN", messaging_server.token(*PATIENT))
    monkeypatch.setenv("MESSAGING_URL", messaging_server.url)

    class Mine(MessagingClient):
        pass

    with Mine.from_env(config=MessagingConfig(connect_timeout=5.0)) as client:
        assert isinstance(client, Mine)
        assert client.is_connected


@pytest.mark.parametrize(
    ("url", "token", "error"),
    [("ftp://x", None, ConfigurationError), (None, "temp_1", AuthenticationError)],
    ids=["address", "token"],
)
def test_a_client_that_cannot_be_made_leaves_no_thread(
    messaging_server: BackgroundServer, url: str | None, token: str | None, error: type[Exception]
) -> None:
    with pytest.raises(error):
        MessagingClient(url or messaging_server.url, token=token or messaging_server.token(*PATIENT))
    assert not client_threads()


def test_one_that_cannot_connect_is_closed(messaging_server: BackgroundServer) -> None:
    token = messaging_server.token(*PATIENT)
    with pytest.raises(ConnectFailed), MessagingClient("http://127.0.0.1:1", token=token):
        raise AssertionError("not reached")
    assert not client_threads()


def test_one_that_nobody_holds_any_more_ends(messaging_server: BackgroundServer) -> None:
    def use() -> tuple[weakref.ref[MessagingClient], ConversationSession]:
        client = MessagingClient(messaging_server.url, token=messaging_server.token(*PATIENT))
        client.connect()
        session = client.open_conversation("ordonnance", 15, medecin_id=79)
        return weakref.ref(client), session

    client, session = use()
    gc.collect()
    assert client() is None
    session.__enter__()  # what a session needs of its client lives as long as the session
    assert session.is_connected
    session.__exit__(None, None, None)
    del session
    gc.collect()
    for thread in client_threads():
        thread.join(TIMEOUT)
    assert not client_threads()
    messaging_server.wait_until(lambda server: not server.connections())


def test_run_forever_returns_when_another_thread_closes(patient: MessagingClient) -> None:
    threading.Timer(0.05, patient.close).start()
    patient.run_forever()
    assert patient.close().unsent == ()  # waits for the other
    assert not client_threads()


@pytest.mark.parametrize(
    "wait",
    [
        lambda client, session: session.wait_for_message(),
        lambda client, session: client.expect(Message, timeout=60.0).__enter__().result(),
        lambda client, session: client.wait_connected() if client.disconnect() is None else None,
    ],
    ids=["message", "expectation", "connection"],
)
def test_closing_ends_what_other_threads_wait_for(
    patient: MessagingClient, conversation: int, wait: Callable[..., Any]
) -> None:
    session = patient.conversation(conversation).__enter__()
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(wait, patient, session)
        assert not waiting.done()
        patient.close()
        error = waiting.exception(TIMEOUT)
    assert isinstance(error, NotConnected), repr(error)


# --- where an event loop runs ---


async def test_inside_an_event_loop_it_says_what_to_do(messaging_server: BackgroundServer) -> None:
    with pytest.raises(ConfigurationError, match="MessagingClient of messaging_client there, with await"):
        MessagingClient(messaging_server.url, token=messaging_server.token(*PATIENT))
    assert not client_threads()


def test_every_method_says_so(patient: MessagingClient, conversation: int) -> None:
    async def use() -> None:
        for use in (
            lambda: patient.state,
            patient.status,
            patient.check_health,
            patient.close,
            lambda: patient.conversation(conversation),
            lambda: patient.on_new_message(print),
        ):
            with pytest.raises(ConfigurationError, match="with await"):
                use()

    asyncio.run(use())
    assert patient.is_connected


def test_another_thread_of_an_asynchronous_program_may_use_it(patient: MessagingClient) -> None:
    async def use() -> bool:
        return await asyncio.to_thread(patient.check_health)

    assert asyncio.run(use())


def test_a_token_callable_is_asked_and_cannot_wait_for_its_client(messaging_server: BackgroundServer) -> None:
    tokens = iter([messaging_server.token(*PATIENT)])
    client = MessagingClient(messaging_server.url, token=lambda: next(tokens))
    with client:
        assert client.current_user.id == 5

    late: list[MessagingClient] = []
    client = MessagingClient(messaging_server.url, token=lambda: str(late[0].check_health()))
    late.append(client)
    with pytest.raises(AuthenticationError) as caught:
        client.connect()
    assert isinstance(caught.value.__cause__, ConfigurationError)
    client.close()


# --- conversations ---


def test_several_threads_send_at_once(
    patient: MessagingClient, conversation: int, messaging_server: BackgroundServer
) -> None:
    with patient.conversation(conversation) as session:
        with ThreadPoolExecutor(8) as pool:
            sent = list(pool.map(lambda number: session.send(f"m{number}"), range(40)))
        assert sorted(contents(sent)) == sorted(f"m{number}" for number in range(40))
        assert len({each.id for each in sent}) == 40
        assert [each.id for each in session.messages] == [
            each["id_message"] for each in messaging_server.messages(conversation)
        ]


def test_each_thread_keeps_its_order(patient: MessagingClient, conversation: int) -> None:
    def send(thread: int) -> None:
        for number in range(10):
            patient.send_message_to_conversation(conversation, f"{thread}.{number}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, range(4)))
    found = contents(patient.iter_messages(conversation))[::-1]
    assert len(found) == 40
    for thread in range(4):
        mine = [each for each in found if each.startswith(f"{thread}.")]
        assert mine == [f"{thread}.{number}" for number in range(10)]


def test_waiting_for_messages(patient: MessagingClient, doctor: MessagingClient, conversation: int) -> None:
    with patient.conversation(conversation) as session:
        doctor.send_messages(conversation, ["a", "b"])
        assert session.wait_for_message(lambda message: not patient.is_own(message), timeout=TIMEOUT).content == "a"
        assert session.wait_for_message(lambda message: message.content == "b", timeout=TIMEOUT).content == "b"
        with pytest.raises(ExpectTimeout):
            session.wait_for_message(timeout=0.05)
        assert not session.is_own(session.messages[0])


def test_streams_end_with_their_session(patient: MessagingClient, conversation: int, doctor: MessagingClient) -> None:
    with patient.conversation(conversation) as session:
        stream = session.stream()
        with ThreadPoolExecutor() as pool:
            first = pool.submit(lambda: contents(itertools.islice(stream, 3)))
            doctor.send_messages(conversation, ["a", "b", "c"])
            assert first.result(TIMEOUT) == ["a", "b", "c"]
            rest = pool.submit(list, stream)
            session.close()
            assert rest.result(TIMEOUT) == []
    assert list(stream) == []


def test_events(patient: MessagingClient, doctor: MessagingClient, conversation: int) -> None:
    patient.join_conversation(conversation)
    with patient.events(Message, TypingEvent, conversation_id=conversation) as events:
        doctor.emit_typing(conversation, True)
        assert isinstance(next(events), TypingEvent)
        patient.send_message_to_conversation(conversation, "mine")
        assert next(events).content == "mine"
        assert events.is_open
        assert events.dropped == 0
    assert not events.is_open
    assert list(events) == []


def test_an_event_stream_ends_with_the_client(patient: MessagingClient) -> None:
    stream = patient.events()
    with ThreadPoolExecutor() as pool:
        rest = pool.submit(list, stream)
        patient.close()
        rest.result(TIMEOUT)
    assert list(stream) == []


def test_a_stream_that_is_let_go_ends(patient: MessagingClient) -> None:
    stream = patient.events(Message)
    behind = stream._async
    del stream
    gc.collect()
    assert not patient._runtime.call(lambda: behind.is_open)  # type: ignore[attr-defined]


def test_threads_share_an_iterator(patient: MessagingClient, conversation: int) -> None:
    patient.send_messages(conversation, [f"m{number}" for number in range(60)])
    messages = patient.iter_messages(conversation)
    with ThreadPoolExecutor(4) as pool:
        parts = pool.map(list, [messages] * 4)
    assert sorted(contents(itertools.chain(*parts))) == sorted(f"m{number}" for number in range(60))
    assert [each.id for each in patient.iter_conversations()] == [conversation]


def test_expectations(patient: MessagingClient, conversation: int) -> None:
    with patient.expect(Message, lambda each: each.content == "b") as reply:
        patient.send_messages(conversation, ["a", "b"])
    assert reply.result().content == "b"
    assert reply.result().content == "b"
    with patient.expect(Message, timeout=0.05) as nothing:
        pass
    with pytest.raises(ExpectTimeout, match="No Message within"):
        nothing.result()
    with pytest.raises(ZeroDivisionError), patient.expect(Message, lambda _: bool(1 / 0)) as wrong:
        patient.send_message_to_conversation(conversation, "c")
        wrong.result()


def test_typing(patient: MessagingClient, doctor: MessagingClient, conversation: int) -> None:
    with doctor.conversation(conversation) as other, patient.conversation(conversation) as session:
        with doctor.expect(TypingEvent, lambda event: event.is_typing) as begins, session.typing():
            begins.result()
            assert [each.id for each in other.typing_users] == [5]
            with doctor.expect(TypingEvent, lambda event: not event.is_typing) as ends:
                pass
        ends.result()
        with pytest.raises(ZeroDivisionError), session.typing():
            _ = 1 / 0


def test_sessions_tell_their_changes(patient: MessagingClient, doctor: MessagingClient, conversation: int) -> None:
    with patient.conversation(conversation) as session:
        seen: list[ConversationSession] = []
        changed = threading.Event()

        @session.on_change
        def look(given: ConversationSession) -> None:
            seen.append(given)
            if contents(given.messages) == ["a"]:
                changed.set()

        doctor.send_message_to_conversation(conversation, "a")
        assert changed.wait(TIMEOUT)
        assert set(map(id, seen)) == {id(session)}
        assert session.unread_count == 1
        session.mark_all_as_read()
        assert session.unread_count == 0
        assert session.context_info.title == "Ordonnance 15"
        assert session.is_patient
        look.cancel()
        assert not look.is_open
    session.close()


def test_the_inbox(patient: MessagingClient, doctor: MessagingClient, conversation: int) -> None:
    with patient.inbox() as inbox:
        changed = threading.Event()
        with inbox.on_change(lambda given: changed.set() if given is inbox and given.unread_count else None):
            doctor.send_message_to_conversation(conversation, "a")
            assert changed.wait(TIMEOUT)
        assert [each.id for each in inbox.filter("unread")] == [conversation]
        assert inbox.error is None
        with inbox.open(inbox.conversations[0]) as session:
            assert contents(session.messages) == ["a"]
        inbox.mark_all_as_read()
        assert inbox.unread_count == 0


def test_leaving_a_session_whose_client_is_closed(patient: MessagingClient, conversation: int) -> None:
    with patient.conversation(conversation) as session, patient.inbox() as inbox, session.stream():
        patient.close()
    session.close()
    inbox.close()
    with pytest.raises(NotConnected):
        session.send("a")


def test_errors_come_as_they_are(patient: MessagingClient, conversation: int) -> None:
    with pytest.raises(ValidationFailed) as caught:
        patient.send_message_to_conversation(conversation, "")
    assert caught.value.status is None
    with pytest.raises(ValidationFailed):
        patient.on("connect")


def test_what_the_factory_of_the_plugin_gives(messaging_client_factory: Callable[..., Any]) -> None:
    client = messaging_client_factory(*DOCTOR)
    assert type(client) is MessagingClient
    client.connect()
    assert client.is_connected
