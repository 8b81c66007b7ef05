"""Each fault of REST does what it says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from messaging_client.testing import MessagingServer, ServerOptions
from messaging_client.testing.rules import OPERATIONS

from .conftest import PATIENT, Live, Rest

PATH = "/messaging/conversation/1/messages"


async def refused_connection(call: Awaitable[Any]) -> None:
    with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
        await call


async def test_answer_once(server: MessagingServer, doctor: Rest, conversation: int) -> None:
    server.faults.answer("messages", 503)
    assert server.faults.pending() == 1
    reply = await doctor.get(PATH)
    assert (reply.status, reply.json) == (503, {"status": "error", "message": "Panne demandée"})
    assert server.faults.pending() == 0
    assert (await doctor.get(PATH)).status == 200
    assert [each.status for each in server.requests] == [503, 200]


async def test_answer_several_times_and_until_cleared(server: MessagingServer, doctor: Rest, conversation: int) -> None:
    server.faults.answer("messages", 500, count=2)
    server.faults.answer("messages", 429, count=None)
    assert [(await doctor.get(PATH)).status for _ in range(5)] == [500, 500, 429, 429, 429]
    server.faults.clear()
    assert server.faults.pending() == 0
    assert (await doctor.get(PATH)).status == 200


async def test_answer_of_one_operation_or_of_any(server: MessagingServer, doctor: Rest, conversation: int) -> None:
    server.faults.answer("send", 502)
    assert (await doctor.get(PATH)).status == 200
    assert (await doctor.send(conversation, "a")).status == 502
    server.faults.answer(None, 502)
    assert (await doctor.get("/health")).status == 502


async def test_unknown_operations_and_counts(server: MessagingServer) -> None:
    with pytest.raises(ValueError, match="mark_read"):
        server.faults.answer("mark-read", 500)
    with pytest.raises(ValueError, match="operation"):
        server.faults.delay("x", 1)
    with pytest.raises(ValueError, match="count"):
        server.faults.answer("send", 500, count=0)


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_every_operation_has_its_name(
    server: MessagingServer, doctor: Rest, conversation: int, operation: str
) -> None:
    await server.say(conversation, "a", PATIENT)
    calls: dict[str, Callable[[], Awaitable[Any]]] = {
        "health": lambda: doctor.get("/health"),
        "conversations": lambda: doctor.get("/messaging/medecin/79/conversations"),
        "unread": lambda: doctor.get("/messaging/conversations/unread"),
        "messages": lambda: doctor.get(PATH),
        "new_messages": lambda: doctor.get("/messaging/conversation/1/new-messages", since="2025-01-01"),
        "participants": lambda: doctor.get("/messaging/conversation/1/participants"),
        "user": lambda: doctor.get("/messaging/user/5/info"),
        "send": lambda: doctor.send(1, "a"),
        "send_many": lambda: doctor.post("/messaging/send", {"conversation_id": 1, "messages": [{"contenu": "a"}]}),
        "create": lambda: doctor.post(
            "/messaging/conversation",
            {"titre": "x", "participants": [{"participant_id": 5, "participant_type": "patient"}]},
        ),
        "history": lambda: doctor.get("/messaging/history/15"),
        "permissions": lambda: doctor.get("/messaging/permissions/15/patient/5"),
        "mark_read": lambda: doctor("PATCH", "/messaging/messages/1/read"),
    }
    for each in OPERATIONS:
        if each != operation:
            server.faults.answer(each, 500)
    assert (await calls[operation]()).status < 300
    assert server.requests[-1].operation == operation


async def test_retry_after_headers_and_bodies(server: MessagingServer, doctor: Rest) -> None:
    server.faults.answer("health", 429, retry_after=3, message="Doucement")
    reply = await doctor.get("/health")
    assert (reply.headers["Retry-After"], reply.message) == ("3", "Doucement")
    server.faults.answer("health", 429, retry_after=0.5)
    assert (await doctor.get("/health")).headers["Retry-After"] == "0.5"
    server.faults.answer("health", 429, retry_after="Wed, 21 Oct 2037 07:28:00 GMT")
    assert (await doctor.get("/health")).headers["Retry-After"].endswith("GMT")
    server.faults.answer("health", 200, body={"messages": []}, headers={"X-A": "b"})
    reply = await doctor.get("/health")
    assert (reply.json, reply.headers["X-A"]) == ({"messages": []}, "b")
    server.faults.answer("health", 200, body="texte")
    assert (await doctor.get("/health")).text == "texte"
    server.faults.answer("health", 200, body=b"[1", headers={"Content-Type": "text/x"})
    reply = await doctor.get("/health")
    assert (reply.text, reply.headers["Content-Type"]) == ("[1", "text/x")
    server.faults.answer("health", 204)
    reply = await doctor.get("/health")
    assert (reply.status, reply.text) == (204, "")


async def test_answer_after_storing(server: MessagingServer, doctor: Rest, conversation: int) -> None:
    server.faults.answer("send", 502, after_storing=True)
    assert (await doctor.send(conversation, "a", key="k")).status == 502
    assert [each["contenu"] for each in server.messages(conversation)] == ["a"]
    assert (await doctor.send(conversation, "a", key="k")).status == 200


async def test_garbage(server: MessagingServer, doctor: Rest) -> None:
    server.faults.garbage("health")
    reply = await doctor.get("/health")
    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "<html>" in reply.text
    server.faults.garbage("health", body=b"\xff{", content_type="application/json", status=500)
    async with doctor.session.get(f"{server.url}/api/health") as response:
        assert (response.status, await response.read()) == (500, b"\xff{")


async def test_garbage_after_storing(server: MessagingServer, doctor: Rest, conversation: int) -> None:
    server.faults.garbage("send", after_storing=True)
    assert "<html>" in (await doctor.send(conversation, "a")).text
    assert len(server.messages(conversation)) == 1


async def test_raw(server: MessagingServer, doctor: Rest) -> None:
    server.faults.raw("health", b"HTTP/1.1 abc\r\n\r\n")
    with pytest.raises(aiohttp.ClientError):
        await doctor.get("/health")
    assert server.requests[0].status is None
    server.faults.raw("health", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert (await doctor.get("/health")).text == "ok"


async def test_truncate(server: MessagingServer, doctor: Rest, conversation: int) -> None:
    server.faults.truncate("send")
    with pytest.raises(aiohttp.ClientPayloadError):
        await doctor.send(conversation, "a")
    assert len(server.messages(conversation)) == 1
    assert (await doctor.get(PATH)).status == 200


async def test_drop_before_storing(server: MessagingServer, doctor: Rest, conversation: int) -> None:
    server.faults.drop_before_storing()
    await refused_connection(doctor.send(conversation, "a"))
    assert server.messages(conversation) == []
    assert (await doctor.send(conversation, "a")).status == 201


async def test_drop_after_storing(
    server: MessagingServer, doctor: Rest, conversation: int, live: Callable[..., Awaitable[Live]]
) -> None:
    marie = await live(PATIENT, joined=conversation)
    server.faults.drop_after_storing(count=2)
    for _ in range(2):
        await refused_connection(doctor.send(conversation, "a", key="k"))
    assert [each["contenu"] for each in server.messages(conversation)] == ["a"]
    await marie.hear("new_message")
    assert (await doctor.send(conversation, "a", key="k")).status == 200
    assert [(each.operation, each.status) for each in server.requests] == [
        ("send", None),
        ("send", None),
        ("send", 200),
    ]


async def test_drop_of_another_operation(server: MessagingServer, doctor: Rest) -> None:
    server.faults.drop_before_storing("mark_read")  # aiohttp would try a GET again by itself
    await refused_connection(doctor("PATCH", "/messaging/messages/1/read"))
    assert (await doctor("PATCH", "/messaging/messages/1/read")).status == 403


@pytest.mark.parametrize("after_storing", [False, True])
async def test_silence(server: MessagingServer, doctor: Rest, conversation: int, after_storing: bool) -> None:
    server.faults.silence("send", after_storing=after_storing)
    waiting = asyncio.ensure_future(doctor.send(conversation, "a"))
    await server.wait_until(lambda: len(server.messages(conversation)) == after_storing and server.requests)
    assert (await doctor.get("/health")).status == 200  # others are answered
    assert not waiting.done()
    server.faults.clear()
    await refused_connection(waiting)
    assert len(server.messages(conversation)) == after_storing


async def test_a_client_may_leave_a_silence(server: MessagingServer, doctor: Rest) -> None:
    server.faults.silence("health", count=None)
    with pytest.raises(asyncio.TimeoutError):
        await doctor("GET", "/health", timeout=aiohttp.ClientTimeout(0.1))
    server.faults.clear()
    assert (await doctor.get("/health")).status == 200


async def test_delay(server: MessagingServer, doctor: Rest, conversation: int) -> None:
    loop = asyncio.get_running_loop()
    server.faults.delay("send", 0.2)
    started = loop.time()
    sending = asyncio.ensure_future(doctor.send(conversation, "a"))
    await server.wait_until(lambda: server.requests)
    assert (await doctor.get("/health")).status == 200
    assert server.messages(conversation) == []
    assert (await sending).status == 201
    assert loop.time() - started >= 0.2


async def test_delay_after_storing(server: MessagingServer, doctor: Rest, conversation: int) -> None:
    server.faults.delay("send", 60, after_storing=True)
    with pytest.raises(asyncio.TimeoutError):
        await doctor.post(f"{PATH[:-1]}", {"contenu": "a"}, timeout=aiohttp.ClientTimeout(0.2))
    assert [each["contenu"] for each in server.messages(conversation)] == ["a"]


async def test_a_delayed_request_is_done_even_if_its_client_has_left(
    server: MessagingServer, doctor: Rest, conversation: int
) -> None:
    server.faults.delay("send", 0.2)
    with pytest.raises(asyncio.TimeoutError):
        await doctor.post(f"{PATH[:-1]}", {"contenu": "a"}, timeout=aiohttp.ClientTimeout(0.05))
    await server.wait_until(lambda: server.messages(conversation))


async def test_delay_and_another_fault_go_together(server: MessagingServer, doctor: Rest) -> None:
    server.faults.delay("health", 0.1)
    server.faults.answer("health", 503)
    started = asyncio.get_running_loop().time()
    assert (await doctor.get("/health")).status == 503
    assert asyncio.get_running_loop().time() - started >= 0.1


async def test_tokens_that_die(server: MessagingServer, doctor: Rest) -> None:
    assert doctor.token is not None
    server.faults.expire(doctor.token)
    reply = await doctor.get("/messaging/conversations/unread")
    assert (reply.status, reply.message) == (401, "Jeton expiré")
    doctor.token = server.token("medecin", 79)
    server.faults.revoke(doctor.token)
    reply = await doctor.get("/messaging/conversations/unread")
    assert (reply.status, reply.message) == (401, "Jeton révoqué")


async def test_faults_outlast_a_restart(server: MessagingServer, doctor: Rest) -> None:
    server.faults.answer("health", 503)
    await server.restart()
    assert [(await doctor.get("/health")).status for _ in range(2)] == [503, 200]


@pytest.mark.parametrize("options", [ServerOptions(answers="bare")])
async def test_an_error_inside_is_a_500_in_the_envelope(
    server: MessagingServer, doctor: Rest, monkeypatch: Any, caplog: Any
) -> None:
    def fails(*args: Any, **kwargs: Any) -> None:
        raise KeyError("inside")

    monkeypatch.setattr("messaging_client.testing.store.Store.conversations_of", fails)
    reply = await doctor.get("/messaging/conversations/unread")
    assert (reply.status, reply.message) == (500, "Erreur interne")
    assert "KeyError" in caplog.text
    assert server.requests[0].status == 500
