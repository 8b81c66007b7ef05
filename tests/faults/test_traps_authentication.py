"""Refused tokens, and trap 14: what the log may not say."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from lines import Line, make_client, make_token
from peers import Peer, poll
from scripts import refusing, serve

from messaging_client.errors import AuthenticationError
from messaging_client.models import ConnectionState as State
from messaging_client.testing import MessagingServer
from messaging_client.transport.refusals import HandshakeRefused

REFUSED = {"message": "jwt expired"}
LIBRARY_LOGGERS = ("socketio", "socketio.client", "engineio", "engineio.client")


class Source:
    """A token callable: a fresh token each time, or what it is told to do."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.given: list[str] = []

    async def __call__(self) -> str:
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        token = answer if isinstance(answer, str) else make_token(jti=len(self.given))
        self.given.append(token)
        return token


async def test_a_refused_token_on_reconnection_is_renewed_once() -> None:
    source = Source()
    async with Peer(serve, refusing(REFUSED), serve) as peer, Line(peer.url, token=source) as line:
        await line.connection.connect()
        peer.visit.abort()
        await line.until_connected(2)
        assert [visit.auth["token"] for visit in peer.visits] == [source.given[0], source.given[0], source.given[1]]
        assert line.moves[-1] == ("connected", "connected", 1)  # both handshakes are one attempt


async def test_a_second_refusal_on_reconnection_is_final() -> None:
    source = Source()
    async with Peer(serve, refusing(REFUSED)) as peer, Line(peer.url, token=source) as line:
        await line.connection.connect()
        peer.visit.abort()
        await line.until_state(State.ERROR)
        assert line.moves[-1] == ("error", "authentication_refused", 1)
        assert isinstance(line.connection.last_error, AuthenticationError)
        assert len(source.given) == 2
        await poll(lambda: line.connection._supervisor.done() and peer.open == 0)
        assert len(peer.visits) == 3


async def test_after_a_final_refusal_the_user_may_connect_again() -> None:
    scripts = (refusing(REFUSED), refusing(REFUSED), serve)
    async with Peer(*scripts) as peer, Line(peer.url) as line:
        with pytest.raises(AuthenticationError):
            await line.connection.connect()
        assert line.state is State.ERROR
        await line.connection.connect()
        assert line.moves[-2:] == [("connecting", "connect", 1), ("connected", "connected", 1)]


async def test_a_fresh_token_that_the_server_refuses_for_another_reason_is_a_failed_attempt() -> None:
    async with Peer(refusing(REFUSED), refusing({"message": "too busy"})) as peer, Line(peer.url) as line:
        with pytest.raises(HandshakeRefused):
            await line.connection.connect()
        assert line.state is State.DISCONNECTED


async def test_a_refusal_for_another_reason_is_tried_again() -> None:
    async with Peer(serve, *[refusing({"message": "temporarily refused"})] * 3, serve) as peer, Line(peer.url) as line:
        await line.connection.connect()
        peer.visit.abort()
        await line.until_connected(2)
        assert line.moves[-1] == ("connected", "connected", 4)


async def test_a_token_callable_that_fails_for_a_moment_on_reconnection() -> None:
    source = Source(None, OSError("the store is away"), None)
    async with Peer(serve, refusing(REFUSED), serve) as peer, Line(peer.url, token=source) as line:
        await line.connection.connect()
        peer.visit.abort()
        await line.until_connected(2)
        assert line.causes.count("attempt") == 2


async def test_a_fresh_token_of_somebody_else_is_final() -> None:
    source = Source(make_token(5), make_token(6))
    async with Peer(serve, refusing(REFUSED)) as peer, Line(peer.url, token=source) as line:
        await line.connection.connect()
        peer.visit.abort()
        await line.until_state(State.ERROR)
        assert line.causes[-1] == "authentication_refused"


async def test_an_expired_token_at_the_real_server() -> None:
    async with MessagingServer() as server:
        tokens = [server.token("patient", 5) for _ in range(3)]
        given: list[str] = []

        def source() -> str:
            given.append(tokens[len(given)])
            return given[-1]

        async with make_client(server.url, token=source) as client:
            server.faults.expire(tokens[0])
            await server.faults.cut()
            await poll(lambda: client.is_connected and len(given) == 2)
            server.faults.expire(tokens[1])
            server.faults.expire(tokens[2])
            await server.faults.cut()
            await poll(lambda: client.state is State.ERROR)
            assert given == tokens
            assert not client.status().polling


# --- 14 ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """The libraries' own loggers too, as somebody does who looks for a fault."""
    levels = {name: logging.getLogger(name).level for name in LIBRARY_LOGGERS}
    for name in levels:
        logging.getLogger(name).setLevel(logging.DEBUG)
    with caplog.at_level(logging.DEBUG):
        yield caplog
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


async def test_trap_14_no_token_and_no_content_in_any_log(everything_logged: pytest.LogCaptureFixture) -> None:
    source = Source()
    content = "un secret de santé"
    scripts = (serve, refusing(REFUSED), serve)
    async with Peer(*scripts) as peer, Line(peer.url, token=source, max_response_bytes=5000) as line:
        await line.connection.connect()
        await line.connection.emit("new_message", {"contenu": content})
        await peer.visit.emit("new_message", {"contenu": content})
        await peer.visit.send('42{"contenu": "' + content + '"}')
        await line.until(lambda: len(line.events) == 2)
        peer.visit.abort()
        await line.until_connected(2)
        await peer.visit.emit("large", content * 1000)
        await line.until_connected(3)
    text = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in everything_logged.records)
    assert "connected" in text  # it is the log that was looked at
    assert content not in text
    for token in source.given:
        assert token not in text
        assert token.split(".")[2] not in text


async def test_trap_14_the_loggers_of_the_libraries_are_left_as_they_were() -> None:
    before = {name: list(logging.getLogger(name).handlers) for name in LIBRARY_LOGGERS}
    async with Peer() as peer, Line(peer.url) as line:
        await line.connection.connect()
    assert {name: logging.getLogger(name).handlers for name in LIBRARY_LOGGERS} == before
