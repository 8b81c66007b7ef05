"""The server on Node itself: it has the interface of the embedded one, outlives nobody, and lets in only who may."""

from __future__ import annotations

import inspect
from typing import Any

import httpx
import jwt
import psutil
import pytest

from messaging_client import AuthenticationError, Message, MessageStatus, MessagingClient
from messaging_client.testing import Faults, MessagingServer
from tests.interop.node_faults import NodeFaults
from tests.interop.node_process import NodeProcess, shared_process
from tests.interop.node_server import NodeServer
from tests.scenes import DOCTOR, PATIENT, Scene, until

PATIENCE = 20.0
ONLY_EMBEDDED = {"is_running"}


def parameters(function: Any) -> list[tuple[str, Any]]:
    return [(each.name, each.default) for each in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize(("embedded", "node"), [(MessagingServer, NodeServer), (Faults, NodeFaults)])
def test_it_has_the_interface_of_the_embedded_server(embedded: type, node: type) -> None:
    names = {name for name in vars(embedded) if not name.startswith("_")} - ONLY_EMBEDDED
    instance = {"options", "faults"}  # attributes here, properties there
    assert names - set(vars(node)) - instance == set()
    for name in names - instance:
        ours, theirs = vars(embedded)[name], vars(node)[name]
        if inspect.isfunction(ours) and name not in ("add_context", "wait_until"):
            assert parameters(ours) == parameters(theirs), name
            assert inspect.iscoroutinefunction(ours) == inspect.iscoroutinefunction(theirs), name


async def test_killed_and_started_again_it_has_what_it_had() -> None:
    async with Scene(server=NodeServer(own_process=True)) as scene:
        await scene.say("avant", DOCTOR)
        client = await scene.client(PATIENT, reconnection_delay=0.05, reconnection_delay_max=0.2)
        session = await scene.session(client)
        await session.send("sûr")
        pid = scene.server._process._process.pid
        scene.server.kill()
        assert not psutil.pid_exists(pid)
        await until(session, lambda: not session.is_connected, PATIENCE)
        await session.send("sans serveur", wait=False)
        async with client.expect(Message, lambda message: message.content == "de retour", timeout=PATIENCE) as heard:
            await scene.server.start()
            await scene.say("de retour", DOCTOR)
        await heard

        def sent() -> list[str]:
            return sorted(each.content for each in session.messages if each.status is MessageStatus.SENT)

        await until(session, lambda: sent() == ["avant", "de retour", "sans serveur", "sûr"], PATIENCE)
        stored = [each["contenu"] for each in scene.server.messages(scene.conversation)]
        assert sorted(stored) == sent()


def test_its_process_ends_with_its_input() -> None:
    process = NodeProcess()
    there = psutil.Process(process._process.pid)
    assert process._process.stdin is not None
    process._process.stdin.close()
    assert there.wait(PATIENCE) == 0
    process.end()


def test_what_is_wrong_with_an_order_is_said() -> None:
    with pytest.raises(Exception, match="no option colour"):
        shared_process().new_server(options={"colour": "red"}, secret="", saved=None)


CLAIMS = {"id": 5, "role": "patient"}
FORGED = {
    "another key": lambda secret: jwt.encode(CLAIMS, "k" * 32, "HS256"),
    "no signature": lambda secret: jwt.encode(CLAIMS, None, "none") + "eA",  # else it is no JWT
    "another algorithm": lambda secret: jwt.encode(CLAIMS, secret, "HS384"),
    "expired": lambda secret: jwt.encode(CLAIMS | {"exp": 1}, secret, "HS256"),
    "nobody": lambda secret: jwt.encode({"id": 5}, secret, "HS256"),
}


@pytest.mark.parametrize("how", FORGED)
async def test_a_forged_token_is_refused_by_both_doors(how: str) -> None:
    async with Scene(server=NodeServer()) as scene:
        token = FORGED[how](scene.server._secret)
        client = MessagingClient(scene.server.url, token=token)
        with pytest.raises(AuthenticationError):
            await client.connect()
        await client.aclose()
        async with httpx.AsyncClient(trust_env=False) as http:
            address = f"{scene.server.url}/api/messaging/conversations/unread"
            answer = await http.get(address, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401
