"""The server in a thread of its own, from plain and from asynchronous tests."""

from __future__ import annotations

import asyncio
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from messaging_client.errors import ConfigurationError
from messaging_client.testing import BackgroundServer, MessagingServer, ServerOptions

from .conftest import DOCTOR, PATIENT, Live


def threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name == "messaging-server"]


def test_in_a_plain_test() -> None:
    with BackgroundServer(options=ServerOptions(event_spelling="rest")) as server:
        assert threads()
        with urllib.request.urlopen(f"{server.url}/api/health", timeout=5) as answer:
            assert answer.status == 200
        assert server.options.event_spelling == "rest"
        assert server.create_conversation("Suivi", [PATIENT, DOCTOR]) == 1
        message = server.say(1, "Bonjour", DOCTOR)
        assert server.messages(1) == [message]
        assert [each.operation for each in server.requests] == ["health"]
        server.faults.answer("health", 503)
        assert server.faults.pending() == 1
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{server.url}/api/health", timeout=5)
        caught.value.close()
        assert caught.value.code == 503
        assert server.faults.cut() == 0
        server.restart()
        server.wait_until(lambda inside: isinstance(inside, MessagingServer) and len(inside.messages(1)) == 1)
    assert not threads()


async def test_in_an_asynchronous_test() -> None:
    with BackgroundServer() as server:
        conversation = await server.create_conversation("Suivi", [PATIENT, DOCTOR])
        client = Live()
        await client.connect(server.url, server.token(*PATIENT))
        await client.sio.emit("join_conversation", conversation)
        await server.wait_until(lambda inside: inside.members(conversation) == [PATIENT])
        message = await server.say(conversation, "Bonjour", DOCTOR)
        assert (await client.hear("new_message"))["id"] == message["id_message"]
        assert len(server.connections()) == 1
        assert await server.faults.cut(PATIENT) == 1
        await asyncio.wait_for(client.gone.wait(), 20)
        await client.close()
    assert not threads()


def test_errors_come_through() -> None:
    with BackgroundServer() as server:
        with pytest.raises(LookupError, match="4711"):
            server.say(4711, "x", DOCTOR)
        with pytest.raises(ValueError, match="operation"):
            server.faults.answer("x", 500)
        with pytest.raises(TimeoutError):
            server.wait_until(lambda inside: inside.requests, timeout=0.01)
        with pytest.raises(AttributeError):
            _ = server.nothing
        with pytest.raises(AttributeError):
            _ = server._nothing


async def test_errors_come_through_to_whoever_awaits() -> None:
    with BackgroundServer() as server, pytest.raises(LookupError, match="4711"):
        await server.say(4711, "x", DOCTOR)


def test_a_start_that_fails(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError), BackgroundServer(database=str(tmp_path / "nowhere" / "a.db")):
        pass  # pragma: no cover
    assert not threads()


def test_a_stop_that_fails_ends_the_thread_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(self: Any) -> None:
        await close(self)
        raise KeyError

    close = MessagingServer.aclose
    monkeypatch.setattr(MessagingServer, "aclose", fails)
    with pytest.raises(KeyError), BackgroundServer():
        pass
    assert not threads()


def test_a_call_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    with BackgroundServer() as server:
        monkeypatch.setattr("messaging_client.testing.background.TIMEOUT", 0.05)
        with pytest.raises(TimeoutError):
            server.wait_until(lambda inside: inside.requests, timeout=60)
        monkeypatch.undo()
        assert server.is_running


def test_two_at_once() -> None:
    with BackgroundServer() as one, BackgroundServer() as other:
        assert one.url != other.url
