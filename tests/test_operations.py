"""Every REST operation, on servers of either spelling."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from scenes import DOCTOR, LONG_AGO, PATIENT, TIMEOUT, Scene

from messaging_client import (
    Conflict,
    ConversationStatus,
    Message,
    MessageType,
    MessagingClient,
    MessagingError,
    NotFound,
    Participant,
    PermissionDenied,
    RateLimited,
    RequestTimeout,
    ServerError,
    UnexpectedResponse,
    User,
    UserType,
    ValidationFailed,
)

SERVERS: dict[str, dict[str, Any]] = {
    "first spelling": {"list_routes": "first", "history_routes": "first", "mark_read_methods": "first"},
    "other spelling": {
        "list_routes": "other",
        "history_routes": "other",
        "mark_read_methods": "other",
        "user_info_route": False,
    },
    "short answers": {"answers": "short"},
    "bare answers": {"answers": "bare", "empty_mark_read": True},
}


@pytest.fixture(params=SERVERS)
async def scene(request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    async with Scene(**SERVERS[request.param]) as scene:
        await scene.fill(5)
        yield scene


@pytest.fixture
async def client(scene: Scene) -> MessagingClient:
    return await scene.client(DOCTOR, connect=False)


async def test_lists(scene: Scene, client: MessagingClient) -> None:
    for found in (
        await client.get_medecin_conversations(),
        await client.get_medecin_conversations(79, page=1, limit=1),
        await client.get_unread_conversations(),
    ):
        (conversation,) = found
        assert conversation.id == scene.conversation
        assert conversation.unread_count == 5
        assert conversation.status is ConversationStatus.ACTIVE
        assert (conversation.context_type, conversation.context_id) == ("ordonnance", 15)
        assert conversation.last_message is not None
        assert conversation.last_message.content == "m5"
    patient = await scene.client(PATIENT, connect=False)
    assert [each.id for each in await patient.get_patient_conversations()] == [scene.conversation]
    assert not await patient.get_patient_conversations(statut="archivée")
    assert not (await client.get_medecin_conversations(page=2)).items


async def test_messages(scene: Scene, client: MessagingClient) -> None:
    newest = await client.get_conversation_messages(scene.conversation, limit=2)
    assert [each.content for each in newest.messages] == ["m4", "m5"]
    older = await client.get_conversation_messages(scene.conversation, 2, 2)
    assert [each.content for each in older.messages] == ["m2", "m3"]
    new = await client.get_new_messages(scene.conversation, LONG_AGO + timedelta(seconds=3))
    assert [each.content for each in new] == ["m4", "m5"]
    assert new[0].sender.is_same_person(User(id=5, type=UserType.PATIENT))
    assert new[0].conversation_id == scene.conversation


async def test_history(scene: Scene, client: MessagingClient) -> None:
    for found in (
        await client.get_ordonnance_history(15, limit=3),
        await client.get_message_history(" Ordonnance ", "15", limit=3),
    ):
        assert [each.content for each in found.messages] == ["m3", "m4", "m5"]
    for missing in (client.get_ordonnance_history(16), client.get_message_history("examen", 15)):
        with pytest.raises(NotFound) as error:
            await missing
        assert error.value.status == 404


async def test_people(scene: Scene, client: MessagingClient) -> None:
    people = await client.get_conversation_participants(scene.conversation)
    assert {(each.type, each.id) for each in people} == {PATIENT, DOCTOR}
    doctor = await client.get_user_info(79, "medecin")
    assert (doctor.display_name, doctor.specialite) == ("Dr. Sakura Saza", "Cardiologue")
    assert (await client.get_user_info("5", UserType.PATIENT)).name == "Marie Dupont"


async def test_creating_and_finding(scene: Scene, client: MessagingClient) -> None:
    plain = await client.create_conversation("Suivi", [Participant(id=5, type=UserType.PATIENT)])
    assert plain.title == "Suivi"
    await client.get_medecin_conversations()
    new = await client.find_or_create_conversation("examen", 23, 5)
    assert (new.title, new.context_type, new.context_id) == ("Messages - Examen 23", "examen", 23)
    assert new.id in [each.id for each in await client.get_medecin_conversations()]
    assert (await client.find_or_create_conversation("ordonnance", 15, 5)).id == scene.conversation


@pytest.mark.parametrize("scene", ["first spelling"], indirect=True)
async def test_one_that_another_client_creates_at_the_same_moment_is_found(
    scene: Scene, client: MessagingClient
) -> None:
    scene.server.faults.answer("history", 404)
    scene.server.faults.answer("create", 409)
    assert (await client.find_or_create_conversation("ordonnance", 15, 5)).id == scene.conversation
    # Its history may come later than the refusal; the list has it.
    scene.server.faults.answer("history", 404, count=2)
    scene.server.faults.answer("create", 409)
    session = await client.open_conversation("ordonnance", 15, patient_id=5)
    assert session.conversation_id == scene.conversation
    scene.server.faults.answer("history", 404, count=2)
    scene.server.faults.answer("create", 409)
    with pytest.raises(Conflict):
        await client.find_or_create_conversation("ordonnance", 15, 6)  # a conversation, but not with patient 6


@pytest.mark.parametrize("scene", ["first spelling"], indirect=True)
@pytest.mark.parametrize("said", ["in the messages", "beside them", "nowhere"])
async def test_one_whose_history_is_messages_alone_is_not_created_again(
    scene: Scene, client: MessagingClient, said: str
) -> None:
    message = dict(scene.server.messages(scene.conversation)[-1])
    ids = {key: message.pop(key) for key in list(message) if "conversation" in key}
    assert set(ids.values()) == {scene.conversation}
    bodies: dict[str, Any] = {
        "in the messages": {"messages": [message | ids]},
        "beside them": {"messages": [], "conversation_id": scene.conversation},
        "nowhere": {"messages": [message]},
    }
    scene.server.faults.answer("history", 200, body=bodies[said], count=None)
    scene.server.faults.answer("create", 500, count=None)
    found = await client.find_or_create_conversation("ordonnance", 15, 5)
    assert (found.id, found.context_type, found.context_id) == (scene.conversation, "ordonnance", 15)
    assert scene.requests("create") == 0
    if said == "beside them":
        scene.server.faults.answer("messages", 200, body={"messages": []})
        found = await client.find_or_create_conversation("ordonnance", 15, 5)
        assert (found.id, found.context_type, found.context_id) == (scene.conversation, "ordonnance", 15)
    if said == "nowhere":
        with pytest.raises(UnexpectedResponse):
            await client.find_or_create_conversation("examen", 23, 5)


async def test_sending_and_marking(scene: Scene, client: MessagingClient) -> None:
    sent = await client.send_message_to_conversation(scene.conversation, "bonjour", "document")
    assert (sent.content, sent.type, sent.conversation_id) == ("bonjour", MessageType.DOCUMENT, scene.conversation)
    several = await client.send_messages(scene.conversation, ["un", "deux", "trois"])
    stored = scene.server.messages(scene.conversation)[5:]
    assert [each.id for each in (sent, *several)] == [each["id_message"] for each in stored]
    first = scene.server.messages(scene.conversation)[0]["id_message"]
    marked = await client.mark_message_as_read(first)
    assert marked is None or (marked.id == first and marked.read_at is not None)
    (listed,) = await client.get_unread_conversations()
    assert listed.unread_count == 4


async def test_permissions_and_health(client: MessagingClient) -> None:
    assert isinstance(await client.check_messaging_permissions(15, 5), dict)
    assert await client.check_health() is True


async def test_iterating_over_everything(scene: Scene, client: MessagingClient) -> None:
    await scene.fill(120)
    others = [await scene.server.create_conversation(f"Suivi {number}", [PATIENT, DOCTOR]) for number in range(60)]
    contents = [each.content async for each in client.iter_messages(scene.conversation)]
    assert contents == [f"m{number}" for number in range(125, 0, -1)]
    listed = [each.id async for each in client.iter_conversations()]
    assert sorted(listed) == sorted([scene.conversation, *others])


@pytest.mark.parametrize("scene", ["first spelling"], indirect=True)
async def test_iterating_while_more_is_written(scene: Scene, client: MessagingClient) -> None:
    """What is written meanwhile pushes the rest back by a whole page."""
    await scene.fill(75)
    contents = []
    async for each in client.iter_messages(scene.conversation):
        contents.append(each.content)
        if len(contents) == 50:
            await scene.fill(50)
    assert contents == [f"m{number}" for number in range(80, 0, -1)]


@pytest.mark.parametrize("scene", ["other spelling"], indirect=True)
async def test_a_spelling_that_is_proven_is_kept(scene: Scene, client: MessagingClient) -> None:
    for _ in range(3):
        await client.get_medecin_conversations(refresh=True)
    assert scene.requests("conversations") == 3
    assert sum(each.status == 404 for each in scene.server.requests) == 1


READS: dict[str, Callable[[MessagingClient, Scene, float], Awaitable[Any]]] = {
    "conversations": lambda client, scene, seconds: client.get_medecin_conversations(timeout=seconds),
    "unread": lambda client, scene, seconds: client.get_unread_conversations(timeout=seconds),
    "messages": lambda client, scene, seconds: client.get_conversation_messages(scene.conversation, timeout=seconds),
    "new_messages": lambda client, scene, seconds: client.get_new_messages(
        scene.conversation, LONG_AGO, timeout=seconds
    ),
    "participants": lambda client, scene, seconds: client.get_conversation_participants(
        scene.conversation, timeout=seconds
    ),
    "user": lambda client, scene, seconds: client.get_user_info(5, "patient", timeout=seconds),
    "history": lambda client, scene, seconds: client.get_ordonnance_history(15, timeout=seconds),
    "permissions": lambda client, scene, seconds: client.check_messaging_permissions(15, 5, timeout=seconds),
    "health": lambda client, scene, seconds: client.check_health(timeout=seconds),
    "create": lambda client, scene, seconds: client.create_conversation(
        "x", [User(id=5, type=UserType.PATIENT)], timeout=seconds
    ),
    "mark_read": lambda client, scene, seconds: client.mark_message_as_read(1, timeout=seconds),
}


@pytest.mark.parametrize("scene", ["first spelling"], indirect=True)
@pytest.mark.parametrize("operation", READS)
async def test_a_time_for_each_call(scene: Scene, operation: str) -> None:
    client = await scene.client(DOCTOR, connect=False, max_retries=0)
    scene.server.faults.silence(operation, count=None)
    async with asyncio.timeout(TIMEOUT):
        with pytest.raises(RequestTimeout):
            await READS[operation](client, scene, 0.2)
    scene.server.faults.clear()
    await READS[operation](client, scene, TIMEOUT)


ERRORS: dict[int, type[MessagingError]] = {
    400: ValidationFailed,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    422: ValidationFailed,
    429: RateLimited,
    500: ServerError,
    503: ServerError,
}


@pytest.mark.parametrize("scene", ["first spelling"], indirect=True)
@pytest.mark.parametrize("status", ERRORS)
async def test_errors_by_code(scene: Scene, status: int) -> None:
    client = await scene.client(DOCTOR, connect=False, max_retries=0)
    scene.server.faults.answer("messages", status, count=None, message="Panne")
    with pytest.raises(ERRORS[status]) as error:
        await client.get_conversation_messages(scene.conversation)
    assert error.value.status == status
    assert error.value.server_message == "Panne"
    assert error.value.operation == "messages"
    assert "Panne" not in str(error.value)


@pytest.mark.parametrize("scene", ["first spelling"], indirect=True)
@pytest.mark.parametrize(("status", "is_up"), [(200, True), (503, False), (404, False)])
async def test_health_is_the_status(scene: Scene, status: int, is_up: bool) -> None:
    client = await scene.client(DOCTOR, connect=False, max_retries=0)
    scene.server.faults.answer("health", status, body="up and running", count=None)
    assert await client.check_health() is is_up


@pytest.mark.parametrize("scene", ["first spelling"], indirect=True)
async def test_a_history_without_conversation_is_read_again_once_there_is_one(
    scene: Scene, client: MessagingClient
) -> None:
    """A server that answers with nothing in place of 404."""
    scene.server.faults.answer(
        "history", 200, body={"status": "success", "data": {"conversation": None, "messages": []}}
    )
    assert (await client.get_message_history("examen", 23)).conversation is None
    created = await client.create_conversation_from_context("examen", 23, 5)
    found = await client.get_message_history("examen", 23)
    assert found.conversation is not None
    assert found.conversation.id == created.id


@pytest.mark.parametrize("scene", ["first spelling"], indirect=True)
async def test_what_a_sender_relays(scene: Scene) -> None:
    """Servers that do not broadcast by themselves hear of a message from its sender."""
    for notifies in (True, False):
        client = await scene.client(DOCTOR, notify_sent=notifies)
        before = len(scene.server.events)
        await client.send_message_to_conversation(scene.conversation, "bonjour")
        await client.emit_typing(scene.conversation, False)

        def names(before: int = before) -> list[str]:
            return [each.event for each in scene.server.events][before:]

        await scene.server.wait_until(lambda names=names: "typing" in names())
        assert names() == (["new_message", "message_sent", "typing"] if notifies else ["typing"])
        await client.aclose()


@pytest.mark.parametrize("scene", ["first spelling"], indirect=True)
async def test_events_to_the_server(scene: Scene) -> None:
    doctor, patient = await scene.client(DOCTOR), await scene.client(PATIENT)
    await doctor.join_conversation(scene.conversation)
    await scene.server.wait_until(lambda: scene.server.members(scene.conversation))
    got: list[Any] = []
    doctor.on_typing(got.append)
    async with doctor.expect(Message) as end:
        for is_typing in (True, False):
            await patient.emit_typing(scene.conversation, is_typing)
        await patient.emit("nobody_knows_this", {"x": 1})
        await patient.send_message_to_conversation(scene.conversation, "fin")
    await end
    assert [each.is_typing for each in got] == [True, False]


@pytest.mark.one_server("the embedded server acknowledges what it refuses; the protocol asks for no acknowledgement")
@pytest.mark.parametrize("scene", ["first spelling"], indirect=True)
async def test_the_acknowledgement_of_a_join_that_is_refused(scene: Scene) -> None:
    patient = await scene.client(PATIENT)
    reply = await patient.call("join_conversation", {"conversationId": 999})
    assert reply["status"] == "error"


# --- a token that comes from a callable ------------------------------------------------------------------------------

OF_THE_USER: dict[str, Callable[[MessagingClient], Awaitable[Any]]] = {
    "list": lambda client: client.get_patient_conversations(),
    "iterator": lambda client: anext(aiter(client.iter_conversations())),
    "create": lambda client: client.create_conversation("Titre", [User(id=79, type=UserType.MEDECIN)]),
    "create from context": lambda client: client.create_conversation_from_context("examen", 3, medecin_id=79),
    "find": lambda client: client.find_or_create_conversation("examen", 4, medecin_id=79),
    "open": lambda client: client.open_conversation("examen", 5, medecin_id=79),
    "inbox": lambda client: client.inbox().create("Titre", 6),
}


@pytest.mark.parametrize("name", OF_THE_USER)
async def test_what_needs_the_user_asks_the_token_callable(name: str) -> None:
    async with Scene() as scene:
        asked = 0

        async def token() -> str:
            nonlocal asked
            asked += 1
            return scene.server.token(*(DOCTOR if name == "inbox" else PATIENT))

        client = MessagingClient(scene.server.url, token=token)
        try:
            assert await OF_THE_USER[name](client)
            assert client.current_user.id == (79 if name == "inbox" else 5)
            assert asked == 1
        finally:
            await client.aclose()


@pytest.mark.one_server("it talks to no server")
async def test_a_token_callable_is_not_asked_for_what_is_refused_here() -> None:
    def token() -> str:
        raise AssertionError("asked")

    client = MessagingClient("http://127.0.0.1:9", token=token)
    for call in (client.get_patient_conversations(page=0), client.create_conversation("", [])):
        with pytest.raises(ValidationFailed):
            await call
    await client.aclose()
