"""What the generated methods do is pass their arguments on, each in its place, and wrap what comes back."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any
from unittest.mock import create_autospec

import pytest

import messaging_client
from messaging_client import sync
from messaging_client.errors import ConfigurationError, ExpectTimeout
from messaging_client.sync.runtime import Runtime, _end_all
from messaging_client.testing import BackgroundServer

from .conftest import TIMEOUT, client_threads

PAIRS = {
    "client": (messaging_client.MessagingClient, sync.MessagingClient),
    "session": (messaging_client.ConversationSession, sync.ConversationSession),
    "inbox": (messaging_client.Inbox, sync.Inbox),
}


def methods() -> Iterator[Any]:
    for word, (asynchronous, blocking) in PAIRS.items():
        for name in dir(blocking):
            value = inspect.getattr_static(blocking, name)
            if not name.startswith("_") and inspect.isfunction(value) and hasattr(asynchronous, name):
                yield pytest.param(asynchronous, blocking, name, id=f"{word} {name}")


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    runtime = Runtime()
    yield runtime
    runtime.stop()


@pytest.mark.parametrize(("asynchronous", "blocking", "name"), list(methods()))
def test_arguments_arrive(runtime: Runtime, asynchronous: type, blocking: type, name: str) -> None:
    behind = create_autospec(asynchronous, instance=True)
    face = blocking.__new__(blocking)
    face._runtime, face._async = runtime, behind
    signature = inspect.signature(getattr(asynchronous, name))
    positional = [each for each in signature.parameters.values() if each.kind is not each.KEYWORD_ONLY][1:]
    named = {each.name: object() for each in signature.parameters.values() if each.kind is each.KEYWORD_ONLY}
    is_subscribing = "handler" in signature.parameters
    values = [print if each.name == "handler" else object() for each in positional]
    came = getattr(face, name)(*values, **named)
    method = getattr(behind, getattr(blocking, name).__name__)  # `send_message_unified` is `send`
    (call,) = method.mock_calls[:1] or [pytest.fail(f"{name} was not called")]
    if not is_subscribing:
        assert call.args == tuple(values)
        assert call.kwargs == named
    returned = method.return_value
    assert came is returned or came is None or came._async is returned or returned in vars(came).values()


@pytest.mark.parametrize(("asynchronous", "blocking"), PAIRS.values(), ids=PAIRS)
def test_properties_are_read(runtime: Runtime, asynchronous: type, blocking: type) -> None:
    behind = create_autospec(asynchronous, instance=True)
    face = blocking.__new__(blocking)
    face._runtime, face._async = runtime, behind
    for name, value in inspect.getmembers_static(blocking, lambda each: isinstance(each, property)):
        wanted = (object(),) if name == "messages" else object()
        setattr(behind, name, wanted)
        came = value.__get__(face)
        assert came == wanted or came._async is wanted, name


# --- the end, in this process too ---


def test_an_interruption_cancels_what_waits(patient: sync.MessagingClient, conversation: int) -> None:
    entered, cancelled = threading.Event(), threading.Event()

    async def work() -> None:
        entered.set()
        try:
            await asyncio.sleep(TIMEOUT)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    def interrupt() -> None:
        entered.wait(TIMEOUT)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    with pytest.raises(KeyboardInterrupt):
        thread.start()
        patient._runtime.run(work)
    thread.join(TIMEOUT)
    assert cancelled.is_set()
    assert patient.check_health()


def test_the_end_of_the_program_closes_what_is_open(
    patient: sync.MessagingClient, messaging_server: BackgroundServer
) -> None:
    _end_all()
    assert not client_threads()
    messaging_server.wait_until(lambda server: not server.connections())
    assert patient.close().unsent == ()


def test_the_wait_of_windows(monkeypatch: pytest.MonkeyPatch, patient: sync.MessagingClient, conversation: int) -> None:
    """There, waits are short and many, so that Ctrl-C comes through."""
    monkeypatch.setattr("messaging_client.sync.loop_thread._SLICE", 0.01)
    with patient.conversation(conversation) as session, pytest.raises(ExpectTimeout):
        session.wait_for_message(timeout=0.1)


def test_a_predicate_looks_at_the_client_and_cannot_wait_for_it(
    patient: sync.MessagingClient, conversation: int
) -> None:
    def use(message: sync.Message) -> bool:
        return patient.is_own(message) and patient.check_health()

    with patient.expect(sync.Message, use) as own:
        patient.send_message_to_conversation(conversation, "a")
    with pytest.raises(ConfigurationError, match="cannot wait"):
        own.result()
