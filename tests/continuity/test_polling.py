"""HTTP in place of the socket: from the first connect() on, while not connected, until disconnect() or a refusal."""

from __future__ import annotations

import asyncio

import pytest

from messaging_client import (
    AuthenticationError,
    ConnectFailed,
    ConnectionChange,
    ConnectionState,
    ConversationUpdated,
    MessagingClient,
)
from messaging_client.testing import MessagingServer
from messaging_client.testing.records import RequestRecord
from tests.continuity.support import DOCTOR, PATIENT, ids_of, listen, patient_of


def answered(server: MessagingServer) -> list[RequestRecord]:
    return [each for each in server.requests if each.status == 200]


async def test_none_before_the_first_connect(server: MessagingServer, talk: int) -> None:
    client = patient_of(server)
    await client.join_conversation(talk)
    assert not client.status().polling
    await client.aclose()


async def test_from_a_failed_first_connect_on(server: MessagingServer, talk: int) -> None:
    server.faults.refuse_upgrade(503, count=None)
    client = patient_of(server)
    heard = listen(client)
    with pytest.raises(ConnectFailed):
        await client.connect()
    assert client.state is ConnectionState.DISCONNECTED
    assert client.status().polling
    await client.join_conversation(talk)
    await server.say(talk, "over HTTP", DOCTOR)
    await heard.until(1)
    await client.disconnect()
    assert not client.status().polling
    polls = client.stats().polls
    server.faults.clear()
    await client.connect()
    await server.say(talk, "live", DOCTOR)
    await heard.until(2)
    assert heard.ids == ids_of(server, talk, 3)
    assert client.stats().polls == polls
    await client.aclose()


async def test_none_after_a_final_refusal_of_the_token(server: MessagingServer, talk: int) -> None:
    token = server.token(*PATIENT)
    client = MessagingClient(server.url, token=token, config=patient_of(server)._config)
    changes: list[ConnectionChange] = []
    refused = asyncio.Event()

    @client.on_connection_change
    def note(change: ConnectionChange) -> None:
        changes.append(change)
        if change.state is ConnectionState.ERROR:
            refused.set()

    await client.connect()
    await client.join_conversation(talk)
    server.revoke(token)
    await server.faults.cut()
    async with asyncio.timeout(10):
        await refused.wait()
    assert not client.status().polling
    assert [(change.state, change.polling) for change in changes if change.previous is ConnectionState.CONNECTED] == [
        (ConnectionState.RECONNECTING, True)
    ]
    assert not changes[-1].polling
    with pytest.raises(AuthenticationError):
        await client.connect()
    assert not client.status().polling
    await client.aclose()


async def test_the_list_tells_what_the_socket_would_have_told(server: MessagingServer, talk: int) -> None:
    async with patient_of(server) as client:
        server.faults.refuse_upgrade(503, count=None)
        await server.faults.cut()
        await server.wait_until(lambda: any(each.operation == "conversations" for each in answered(server)))
        async with client.expect(ConversationUpdated, lambda event: event.conversation_id == talk) as update:
            await server.say(talk, "not joined", DOCTOR)
        await update


async def test_all_conversations_new_ones_too(server: MessagingServer, talk: int) -> None:
    async with patient_of(server) as client:
        heard = listen(client)
        await client.join_all()
        live = await server.create_conversation("Messages - Examen 23", [DOCTOR, PATIENT])
        await server.say(live, "live", DOCTOR)
        await heard.until(1)
        server.faults.refuse_upgrade(503, count=None)
        await server.faults.cut()
        polled = await server.create_conversation("Messages - Examen 24", [DOCTOR, PATIENT])
        await server.say(polled, "polled", DOCTOR)
        await heard.until(2)
        server.faults.clear()
        await client.wait_connected(10)
        await server.faults.cut()
        missed = await server.create_conversation("Messages - Examen 25", [DOCTOR, PATIENT])
        await server.say(missed, "between two connections", DOCTOR)
        await heard.until(3)
        await server.say(talk, "and the old one", DOCTOR)
        await heard.until(4)
        expected = [*ids_of(server, live), *ids_of(server, polled), *ids_of(server, missed), *ids_of(server, talk, 3)]
        assert heard.ids == expected


async def test_all_conversations_of_a_server_that_is_not_there_yet(server: MessagingServer, talk: int) -> None:
    await server.stop()
    client = patient_of(server, max_retries=0)
    heard = listen(client)
    await client.connect(wait=False)
    await client.join_all()
    await server.start()
    await client.wait_connected(10)
    await server.wait_until(lambda: server.members(talk))
    await server.say(talk, "first", DOCTOR)
    await heard.until(1)
    assert heard.ids == ids_of(server, talk, 3)
    await client.aclose()


async def test_a_session_keeps_its_room_when_the_user_leaves_it(server: MessagingServer, talk: int) -> None:
    async with patient_of(server) as client:
        heard = listen(client)
        await client.join_conversation(talk)
        async with client.conversation(talk):
            await client.leave_conversation(talk)
            await server.say(talk, "still here", DOCTOR)
            await heard.until(1)
            assert server.members(talk)
        await server.wait_until(lambda: not server.members(talk))
