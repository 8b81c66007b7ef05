"""Whatever is given to a public method, nothing but an error of ours comes out of it."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest
from scenes import DOCTOR, PATIENT, Scene

from messaging_client import (
    ConfigurationError,
    ConversationSession,
    Inbox,
    Message,
    MessagingClient,
    MessagingConfig,
    MessagingError,
    Participant,
    UserType,
    ValidationFailed,
)
from messaging_client.subscriptions import EventHook, MessageHook
from messaging_client.testing import mint_token

WRONG: list[Any] = [
    None, True, False, -1, 1.5, 10**30, float("nan"), float("inf"), 1j, "", "x", "\ud800", b"x", [], ["x"], [None], (),
    (1, 2), {}, {"a": 1}, {1}, object(), int, Message,
]  # fmt: skip
TIMES = {"timeout", "deadline", "drain"}
MIGHT_WAIT = (int, float, type(None))  # a time among these may be right, and the test would wait that long

OWNERS: dict[str, type] = {
    "client": MessagingClient,
    "session": ConversationSession,
    "inbox": Inbox,
    "hook": EventHook,
    "message hook": MessageHook,
}


def good(scene: Scene) -> dict[str, Any]:
    """A value for each argument that is right, by name."""
    return {
        "conversation_id": scene.conversation,
        "context_type": "ordonnance",
        "context_id": 15,
        "ordonnance_id": 15,
        "patient_id": 5,
        "medecin_id": 79,
        "user_id": 5,
        "user_type": "patient",
        "message_id": 1,
        "since": datetime.now(UTC),
        "titre": "Titre",
        "participants": [Participant(id=5, type=UserType.PATIENT)],
        "contenu": "x",
        "content": "x",
        "contenus": ["x"],
        "is_typing": False,
        "event": "x",
        "event_name": "x",
        "type": Message,
        "handler": print,
        "conversation": scene.conversation,
        "timeout": 0.01,
    }


def arguments() -> Iterator[tuple[str, str, str]]:
    """Every argument of every public method."""
    for where, owner in OWNERS.items():
        for name in dir(owner):
            function = getattr(owner, name)
            if (name.startswith("_") and name != "__call__") or not inspect.isroutine(function):
                continue
            for argument, given in inspect.signature(function).parameters.items():
                if argument != "self" and given.kind is not given.VAR_KEYWORD:
                    yield where, name, argument


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with Scene() as scene:
        yield scene


async def used(outcome: Any) -> None:
    """Do with what a method gives what a user does."""
    if inspect.isawaitable(outcome) and not hasattr(outcome, "__aenter__"):
        outcome = await outcome
    if hasattr(outcome, "cancel"):
        outcome.cancel()
    elif hasattr(outcome, "__anext__"):
        with contextlib.suppress(StopAsyncIteration):
            await anext(outcome)
    elif type(outcome).__name__ == "Expectation":
        async with outcome as reply:
            pass
        await reply


@pytest.mark.parametrize(("where", "name", "argument"), list(arguments()))
async def test_nothing_but_errors_of_ours(scene: Scene, where: str, name: str, argument: str) -> None:
    client = await scene.client(DOCTOR, max_retries=1)
    message = await client.send_message_to_conversation(scene.conversation, "x")
    owner: Any = {
        "client": lambda: client,
        "session": lambda: client.conversation(scene.conversation),
        "inbox": client.inbox,
        "hook": lambda: client.on_typing,
        "message hook": lambda: client.on_new_message,
    }[where]()
    async with contextlib.AsyncExitStack() as stack:
        if where in ("session", "inbox"):
            await stack.enter_async_context(owner)
        method: Callable[..., Any] = getattr(owner, name)
        values = good(scene) | {"message": message}
        if where == "session":
            values["type"] = "text"
        for wrong in WRONG:
            if argument in TIMES and isinstance(wrong, MIGHT_WAIT) and (wrong is None or wrong >= 0):
                continue
            # Of the others, those that have to be given, and a time, so that nothing waits long.
            needed = {
                each: values[each]
                for each, given in inspect.signature(method).parameters.items()
                if (given.default is given.empty or each == "timeout") and given.kind is not given.VAR_POSITIONAL
            }
            if inspect.signature(method).parameters[argument].kind is inspect.Parameter.VAR_POSITIONAL:
                call = lambda: method(wrong, **needed)  # noqa: E731, B023
            else:
                call = lambda: method(**needed | {argument: wrong})  # noqa: E731, B023
            told = ""
            try:
                await used(call())
            except MessagingError as error:
                told = str(error)
            assert not told or len(told) > 20
            assert "\n" not in told
    assert client.is_connected or name in ("disconnect", "aclose")


WAITS: dict[str, Callable[[MessagingClient, ConversationSession, Any], Any]] = {
    "expect": lambda client, _session, bad: client.expect(Message, timeout=bad),
    "wait_connected": lambda client, _session, bad: client.wait_connected(bad),
    "call": lambda client, _session, bad: client.call("x", timeout=bad),
    "socket": lambda client, _session, bad: client.send_message_via_websocket(1, "x", timeout=bad),
    "aclose": lambda client, _session, bad: client.aclose(bad),
    "wait_for_message": lambda _client, session, bad: session.wait_for_message(timeout=bad),
}


@pytest.mark.parametrize("name", WAITS)
async def test_times_that_are_none(scene: Scene, name: str) -> None:
    client = await scene.client()
    session = await scene.session(client)
    for bad in ("x", "5", True, -1, float("nan"), [], object(), b"1"):
        with pytest.raises(ValidationFailed, match="seconds"):
            await WAITS[name](client, session, bad)
    assert client.is_connected


async def test_a_time_of_a_send_is_refused_before_it_is_taken(scene: Scene) -> None:
    client = await scene.client()
    for bad in ("x", 0, -1, True, float("inf")):
        with pytest.raises(ValidationFailed, match="timeout"):
            await client.send_message_to_conversation(scene.conversation, "x", timeout=bad)
    assert client.pending() == ()


@pytest.mark.parametrize("given", ["ab", b"ab", bytearray(b"ab"), {"a": 1}, None, 5])
async def test_a_text_is_not_several_messages(scene: Scene, given: Any) -> None:
    client = await scene.client()
    with pytest.raises(ValidationFailed, match="contenus must be a list"):
        await client.send_messages(scene.conversation, given)
    assert scene.server.messages(scene.conversation) == []
    sent = await client.send_messages(scene.conversation, (each for each in ("a", "b")))
    assert [each.content for each in sent] == ["a", "b"]


async def test_who_takes_part_is_a_list(scene: Scene) -> None:
    client = await scene.client()
    for bad in (None, "ab", 5, {"participant_id": 5, "participant_type": "patient"}):
        with pytest.raises(ValidationFailed, match="participants must be a list"):
            await client.create_conversation("Titre", bad)  # type: ignore[arg-type]


async def test_what_is_no_message_is_refused(scene: Scene) -> None:
    client = await scene.client()
    session = await scene.session(client)
    for bad in (None, 5, "x", {}):
        for call in (client.retry, client.discard, session.retry, session.discard, session.mark_as_read):
            with pytest.raises(ValidationFailed, match="Message"):
                await call(bad)  # type: ignore[arg-type]
        with pytest.raises(ValidationFailed, match="Message"):
            client.is_own(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["url", "config", "store", "clock", "random"])
@pytest.mark.parametrize("wrong", WRONG, ids=repr)
async def test_the_parts_of_a_client(name: str, wrong: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        client = MessagingClient(**{"token": mint_token("k" * 32, *PATIENT), name: wrong})
    except ConfigurationError:
        return
    await client.aclose()
    assert wrong is None or (name == "store" and wrong == "x")


@pytest.mark.parametrize("name", [each.name for each in fields(MessagingConfig)])
@pytest.mark.parametrize("wrong", WRONG, ids=repr)
async def test_settings(name: str, wrong: Any) -> None:
    with contextlib.suppress(ConfigurationError):
        config = MessagingConfig(**{name: wrong})
        client = MessagingClient("https://127.0.0.1:9", token=mint_token("k" * 32, *PATIENT), config=config)
        await client.aclose()
