"""Bad input is a clear error of ours, before anything is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from scenes import PATIENT, Scene

from messaging_client import (
    AuthenticationError,
    ConfigurationError,
    Message,
    MessagingClient,
    MessagingConfig,
    MessagingError,
    NotConnected,
    Participant,
    UnexpectedResponse,
    UserType,
    ValidationFailed,
)
from messaging_client.testing import mint_token

TOKEN = mint_token("k" * 32, *PATIENT)

Call = Callable[[MessagingClient], Awaitable[Any]]


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with Scene() as scene:
        yield scene


@pytest.fixture
async def client(scene: Scene) -> MessagingClient:
    return await scene.client(PATIENT, connect=False)


def is_clear(error: MessagingError) -> bool:
    """One line that says something."""
    return "\n" not in str(error) and len(str(error)) > 20


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:3000",
        "ftp://localhost",
        "http://",
        "http://host:port",
        "http://host:70000",
        "http://user:secret@localhost:3000",
        "http://local host",
        "http://localhost\n",
        "http://clinic.example",
        None,
        3000,
    ],
)
def test_an_unusable_address(url: Any) -> None:
    with pytest.raises(ConfigurationError) as refused:
        MessagingClient(url, token=TOKEN)
    assert is_clear(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("token", ["", "   ", "abc", "temp_x", "auth_" + TOKEN, [], [""], None, "a.b.c", b"x", 5])
def test_no_token(token: Any) -> None:
    with pytest.raises(AuthenticationError) as refused:
        MessagingClient("http://localhost:3000", token=token)
    assert is_clear(refused.value)


@pytest.mark.parametrize("token", ["", "temp_x", None, [], 5])
async def test_no_token_of_a_callable(scene: Scene, token: Any) -> None:
    client = MessagingClient(scene.server.url, token=lambda: token)
    for call in (client.connect, client.get_unread_conversations):
        with pytest.raises(AuthenticationError) as refused:
            await call()
        assert is_clear(refused.value)
    assert not scene.server.requests
    await client.aclose()


async def test_no_token_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MESSAGING_TOKEN", raising=False)
    with pytest.raises(ConfigurationError, match="MESSAGING_TOKEN"):
        MessagingClient.from_env()
    monkeypatch.setenv("MESSAGING_TOKEN", TOKEN)
    monkeypatch.delenv("MESSAGING_URL", raising=False)
    assert MessagingClient.from_env().current_user.id == 5
    monkeypatch.setenv("MESSAGING_URL", "nowhere")
    with pytest.raises(ConfigurationError):
        MessagingClient.from_env()


@pytest.mark.parametrize("is_callable", [False, True])
async def test_an_expired_token(scene: Scene, is_callable: bool) -> None:
    expired = scene.server.token(*PATIENT, expires_in=-10)
    client = MessagingClient(scene.server.url, token=(lambda: expired) if is_callable else expired)
    with pytest.raises(AuthenticationError) as handshake:
        await client.connect()
    with pytest.raises(AuthenticationError) as request:
        await client.get_unread_conversations()
    assert is_clear(handshake.value)
    assert is_clear(request.value)
    assert expired not in f"{handshake.value}{request.value}"
    await client.aclose()


IDS = [
    "../users/1",
    "1/../2",
    "..",
    "a\nb",
    "1\n",
    "a b",
    "a?b",
    "a#b",
    "a\\b",
    "",
    None,
    -1,
    1.5,
    True,
    [],
    {},
    "x" * 300,
]

WITH_IDS: dict[str, Callable[[MessagingClient, Any], Awaitable[Any]]] = {
    "messages": lambda client, bad: client.get_conversation_messages(bad),
    "new messages": lambda client, bad: client.get_new_messages(bad, datetime.now(UTC)),
    "participants": lambda client, bad: client.get_conversation_participants(bad),
    "history": lambda client, bad: client.get_message_history("ordonnance", bad),
    "user": lambda client, bad: client.get_user_info(bad, "patient"),
    "permissions": lambda client, bad: client.check_messaging_permissions(15, bad),
    "read": lambda client, bad: client.mark_message_as_read(bad),
    "send": lambda client, bad: client.send_message_to_conversation(bad, "bonjour"),
    "send over the socket": lambda client, bad: client.send_message_via_websocket(bad, "bonjour"),
    "join": lambda client, bad: client.join_conversation(bad),
    "leave": lambda client, bad: client.leave_conversation(bad),
    "typing": lambda client, bad: client.emit_typing(bad, True),
    "context": lambda client, bad: client.create_conversation_from_context("ordonnance", bad, 5, 79),
}


@pytest.mark.parametrize("operation", WITH_IDS)
@pytest.mark.parametrize("bad", IDS, ids=repr)
async def test_an_id_that_is_none(client: MessagingClient, scene: Scene, operation: str, bad: Any) -> None:
    with pytest.raises(ValidationFailed) as refused:
        await WITH_IDS[operation](client, bad)
    assert refused.value.status is None
    assert refused.value.operation
    assert is_clear(refused.value)
    assert not scene.server.requests
    assert not scene.server.events


SENDS: dict[str, Callable[[MessagingClient, Any], Awaitable[Any]]] = {
    "one": lambda client, text: client.send_message_to_conversation(1, text),
    "several": lambda client, text: client.send_messages(1, ["good", text]),
    "socket": lambda client, text: client.send_message_via_websocket(1, text),
}


@pytest.mark.parametrize("operation", SENDS)
@pytest.mark.parametrize(
    "text", ["", " \n\t", None, 5, b"bytes", "\ud800", "é" * 600_000], ids=lambda each: repr(each)[:12]
)
async def test_a_message_that_is_none(client: MessagingClient, scene: Scene, operation: str, text: Any) -> None:
    with pytest.raises(ValidationFailed) as refused:
        await SENDS[operation](client, text)
    assert refused.value.status is None
    assert is_clear(refused.value)
    assert client.pending() == ()
    assert not scene.server.requests


PAGES: dict[str, Callable[..., Awaitable[Any]]] = {
    "messages": lambda client, **given: client.get_conversation_messages(1, **given),
    "history": lambda client, **given: client.get_message_history("examen", 1, **given),
    "ordonnance": lambda client, **given: client.get_ordonnance_history(1, **given),
    "medecin": lambda client, **given: client.get_medecin_conversations(79, **given),
    "patient": lambda client, **given: client.get_patient_conversations(5, **given),
}


@pytest.mark.parametrize("operation", PAGES)
@pytest.mark.parametrize(
    "given", [{"page": 0}, {"page": -1}, {"page": 1.0}, {"page": True}, {"page": "1"}, {"limit": 0}, {"limit": 1001}]
)
async def test_a_page_that_is_none(client: MessagingClient, scene: Scene, operation: str, given: Any) -> None:
    with pytest.raises(ValidationFailed) as refused:
        await PAGES[operation](client, **given)
    assert refused.value.status is None
    assert next(iter(given)) in str(refused.value)
    assert not scene.server.requests


NOBODY = {"participant_id": None, "participant_type": "patient"}
OTHERS: dict[str, Call] = {
    "type of message": lambda client: client.send_message_to_conversation(1, "x", "film"),
    "type of user": lambda client: client.get_user_info(5, "plombier"),
    "time without a zone": lambda client: client.get_new_messages(1, datetime(2025, 1, 1)),
    "time that is text": lambda client: client.get_new_messages(1, "2025-01-01"),  # type: ignore[arg-type]
    "limit": lambda client: client.get_new_messages(1, datetime.now(UTC), limit=0),
    "status": lambda client: client.get_patient_conversations(statut=""),
    "title": lambda client: client.create_conversation(" ", [NOBODY]),
    "participant": lambda client: client.create_conversation("Titre", [NOBODY]),
    "participant of no kind": lambda client: client.create_conversation("Titre", [5]),  # type: ignore[list-item]
    "participant of another kind": lambda client: client.create_conversation("Titre", [Participant(id=1)]),
    "nobody else": lambda client: client.create_conversation("Titre", []),
    "myself only": lambda client: client.create_conversation("Titre", [Participant(id=5, type=UserType.PATIENT)]),
    "context": lambda client: client.get_message_history("", 15),
    "context that goes elsewhere": lambda client: client.get_message_history("../admin", 15),
    "doctor": lambda client: client.create_conversation_from_context("ordonnance", 15),
    "list of a doctor": lambda client: client.get_medecin_conversations(),
    "name of an event": lambda client: client.emit("", {}),
    "name that is reserved": lambda client: client.call("disconnect"),
}


@pytest.mark.parametrize("name", OTHERS)
async def test_other_arguments(client: MessagingClient, scene: Scene, name: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        await OTHERS[name](client)
    assert refused.value.status is None
    assert is_clear(refused.value)
    assert not scene.server.requests


SUBSCRIPTIONS: dict[str, Callable[[MessagingClient], Any]] = {
    "no handler": lambda client: client.on_typing(5),  # type: ignore[call-overload]
    "no handler of messages": lambda client: client.on_new_message("x"),  # type: ignore[call-overload]
    "conversation": lambda client: client.on_new_message(print, conversation_id="../1"),
    "conversation of an event without": lambda client: client.on_presence_change(print, conversation_id=1),
    "reserved name": lambda client: client.on("connect", print),
    "no name": lambda client: client.on("", print),
    "no handler of a name": lambda client: client.on("x")(5),  # type: ignore[arg-type]
    "no event": lambda client: client.events(int),
    "no event expected": lambda client: client.expect(str),
    "conversation of an iterator": lambda client: client.events(Message, conversation_id=""),
    "conversation of a session": lambda client: client.conversation("a\nb"),
    "conversation to forget": lambda client: client.invalidate_conversation("a/b"),
}


@pytest.mark.parametrize("name", SUBSCRIPTIONS)
async def test_subscriptions(client: MessagingClient, name: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        SUBSCRIPTIONS[name](client)
    assert is_clear(refused.value)


async def test_an_expectation_that_was_not_entered(client: MessagingClient) -> None:
    with pytest.raises(ValidationFailed, match="async with"):
        await client.expect(Message)


READS: dict[str, Call] = {
    "conversations": lambda client: client.get_patient_conversations(),
    "unread": lambda client: client.get_unread_conversations(),
    "messages": lambda client: client.get_conversation_messages(1),
    "new_messages": lambda client: client.get_new_messages(1, datetime.now(UTC)),
    "participants": lambda client: client.get_conversation_participants(1),
    "user": lambda client: client.get_user_info(79, "medecin"),
    "history": lambda client: client.get_ordonnance_history(15),
    "permissions": lambda client: client.check_messaging_permissions(15, 5),
    "create": lambda client: client.create_conversation_from_context("examen", 3, medecin_id=79),
}


@pytest.mark.parametrize("operation", READS)
@pytest.mark.parametrize(
    "body",
    ["<!DOCTYPE html><html><body>Bienvenue</body></html>", "", "null", "true", '{"status": "success"}', "{"],
)
async def test_an_answer_that_is_no_answer(client: MessagingClient, scene: Scene, operation: str, body: str) -> None:
    """A proxy that answers every address with its own page, and other successes that are none."""
    scene.server.faults.garbage(operation, body=body, count=None)
    with pytest.raises(UnexpectedResponse) as odd:
        await READS[operation](client)
    assert odd.value.status == 200
    assert odd.value.operation
    assert is_clear(odd.value)


@pytest.mark.parametrize("status", [200, 201, 204, 206])
async def test_the_status_of_an_answer_that_is_no_answer(client: MessagingClient, scene: Scene, status: int) -> None:
    scene.server.faults.garbage(None, body="" if status == 204 else '{"x": 1}', status=status, count=None)
    for operation in ("create", "messages"):
        with pytest.raises(UnexpectedResponse) as odd:
            await READS[operation](client)
        assert odd.value.status == status


async def test_what_needs_a_connection_says_so(client: MessagingClient) -> None:
    for call in (client.emit("x"), client.call("x"), client.emit_typing(1, True)):
        with pytest.raises(NotConnected) as refused:
            await call
        assert is_clear(refused.value)
    await client.aclose()
    with pytest.raises(NotConnected, match="closed"):
        await client.connect()


@pytest.mark.parametrize("payload", [{1, 2}, object(), {"x": float("nan")}, "x" * 1_100_000], ids=lambda e: repr(e)[:8])
async def test_an_event_that_cannot_be_sent(scene: Scene, payload: Any) -> None:
    client = await scene.client(PATIENT)
    with pytest.raises(ValidationFailed) as refused:
        await client.emit("x", payload)
    assert is_clear(refused.value)
    assert client.is_connected


@pytest.mark.parametrize(
    "given",
    [{"connect_timeout": 0}, {"join_payload": "x"}, {"queue_size": 1.5}, {"routes": {"send": "FETCH /x"}}],
    ids=str,
)
def test_settings_that_cannot_work(given: Any) -> None:
    with pytest.raises(ConfigurationError) as refused:
        MessagingClient("http://localhost:3000", token=TOKEN, config=MessagingConfig(**given))
    assert is_clear(refused.value)


async def test_joining_with_a_client_that_was_closed_says_so(scene: Scene) -> None:
    client = await scene.client(PATIENT)
    await client.aclose()
    for call in (client.join_conversation(scene.conversation), client.join_all(), client.inbox().__aenter__()):
        with pytest.raises(NotConnected, match="closed"):
            await call
    await client.leave_conversation(scene.conversation)
