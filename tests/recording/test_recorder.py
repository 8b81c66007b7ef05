"""A recording: what is in the file, what is not, and that nothing goes wrong with a client that is recorded."""

from __future__ import annotations

import asyncio
import json
import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from canary import CANARY, CANARY_NAME, CANARY_TOKEN, holds_secret
from scenes import DOCTOR, PATIENT, TIMEOUT, Scene

from messaging_client import ConfigurationError, Message, MessagingClient, MessagingConfig, MessagingError
from messaging_client.recording import RecordingError, read_recording, recording
from messaging_client.recording.lines import Lines
from messaging_client.sync import MessagingClient as BlockingClient
from messaging_client.testing import BackgroundServer
from messaging_client.transport import fast_path

Line = dict[str, Any]

IN_ADDRESSES = "il-pleure-dans-mon-coeur"
"""A canary for addresses, which the server of the tests itself logs."""


def lines_of(path: Path) -> list[Line]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def client_of(scene: Scene, user: tuple[str, int] = DOCTOR, **settings: Any) -> MessagingClient:
    config = MessagingConfig(settle_delay=0.05, **settings)
    return MessagingClient(scene.server.url, token=scene.server.token(*user), config=config)


async def everything(scene: Scene, client: MessagingClient) -> None:
    """Every operation of a client, with canaries in all that a user or a server can put in."""
    server, faults, conversation = scene.server, scene.server.faults, scene.conversation
    server.add_user(*PATIENT, prenom=CANARY, nom=CANARY_NAME)
    await client.join_all()
    await server.wait_until(lambda: server.members(conversation))
    async with client.expect(Message, client.is_own):
        await client.send_message_to_conversation(conversation, f"{CANARY} over REST")
    await client.send_message_via_websocket(conversation, f"{CANARY} over the socket")
    said = await scene.say(CANARY)
    await client.emit_typing(conversation, True)
    await client.emit("custom_event", {CANARY: CANARY, "token": CANARY_TOKEN, "list": [CANARY, {"id": CANARY}]})
    for event, payload in (
        ("new_message", {"contenu": CANARY, CANARY_NAME: CANARY_TOKEN}),
        ("new_message", CANARY),
        ("unknown_event", [CANARY, {"deep": {"er": CANARY_TOKEN}}]),
        ("user_typing", {"userName": CANARY_NAME, "userId": CANARY}),
        ("notification", {"type": CANARY, "conversationId": CANARY_NAME}),
    ):
        async with client.events() as events:
            await server.emit(event, payload)
            await anext(events)
    await client.get_conversation_messages(conversation)
    await client.get_medecin_conversations()
    await client.get_unread_conversations()
    await client.get_conversation_participants(conversation)
    await client.get_user_info(PATIENT[1], "patient")
    await client.get_message_history("ordonnance", 15)
    people = [client.current_user, {"participant_id": 5, "participant_type": "patient"}]
    await client.create_conversation(f"{CANARY} {CANARY_NAME}", people)
    await client.mark_message_as_read(said["id_message"])
    for fault in (  # for one operation: what the client asks by itself at the same time must not have them
        lambda: faults.answer("create", 400, message=f"{CANARY} {CANARY_TOKEN}"),
        lambda: faults.answer("create", 409, body={"status": "fail", CANARY: {"detail": CANARY_NAME}}),
        lambda: faults.garbage("create", body=f"<html>{CANARY} {CANARY_TOKEN}</html>"),
        lambda: faults.raw("create", f"HTTP/1.1 200 {CANARY}\r\nX: {CANARY_TOKEN}\r\n{CANARY}".encode()),
    ):
        fault()
        with pytest.raises(MessagingError):
            await client.create_conversation(CANARY, people)
    assert not faults.pending()
    with pytest.raises(MessagingError):
        await client.get_conversation_messages(f"{IN_ADDRESSES}-7")
    with pytest.raises(MessagingError):
        await client.get_medecin_conversations(statut=f"{IN_ADDRESSES} 7")


@pytest.mark.parametrize("is_fast", [True, False], ids=["fast path", "library's way"])
@pytest.mark.one_server("what goes wrong is the embedded server's")
async def test_no_canary_of_any_operation_is_in_the_file(
    scene: Scene, tmp_path: Path, is_fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(fast_path.VARIABLE, "1" if is_fast else "0")
    path = tmp_path / "bug.jsonl"
    client = client_of(scene, max_retries=0)
    with recording(client, path) as recorder:
        async with client:
            await everything(scene, client)
    text = path.read_text()
    assert not holds_secret(text)
    assert IN_ADDRESSES not in text
    assert scene.server.url not in text
    assert recorder.summary().failure is None
    lines = lines_of(path)
    events = {(line["dir"], line["data"][0]) for line in lines if line.get("type") == "event"}
    assert events >= {
        ("in", "new_message"),
        ("in", "unknown_event"),
        ("out", "custom_event"),
        ("out", "send_message"),
        ("out", "typing"),
        ("out", "join_conversation"),
    }
    asked = {line["operation"] for line in lines if line["kind"] == "request"}
    assert asked >= {"send", "messages", "unread_conversations", "participants", "user_info", "history", "create"}
    assert any(re.search(r"/conversation/\[~32 \w+\]/messages", line.get("path", "")) for line in lines)
    assert {400, 409} <= {line.get("status") for line in lines}
    assert len([line for line in lines if line["kind"] == "request"]) == recorder.summary().requests


@pytest.mark.one_server("tokens of the embedded server")
async def test_with_contents_texts_are_in_the_file_and_tokens_are_not(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "bug.jsonl"
    client = client_of(scene, max_retries=0)
    with recording(client, path, contents=True, keep_url=True):
        async with client:
            await everything(scene, client)
    text = path.read_text()
    assert CANARY in text
    assert CANARY_NAME in text
    assert scene.server.url in text
    assert "eyJ" not in text


async def test_both_ways_of_reading_frames_record_the_same(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    for name, value in (("fast", "1"), ("slow", "0")):
        monkeypatch.setenv(fast_path.VARIABLE, value)
        client = client_of(scene)
        with recording(client, tmp_path / name):
            async with client, client.events(Message) as events:
                await client.join_conversation(scene.conversation)
                await scene.server.wait_until(lambda: scene.server.members(scene.conversation))
                await scene.say("Bonjour")
                await anext(events)
        frames = [each for each in lines_of(tmp_path / name) if each["kind"] == "frame"]
        seen.append({(each["dir"], each["type"]) for each in frames})
    assert seen[0] == seen[1] >= {("in", "open"), ("out", "connect"), ("in", "event"), ("out", "event")}


async def test_only_its_owner_can_read_the_file(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "bug.jsonl"
    path.write_text("old")
    path.chmod(0o644)
    before = os.umask(0)
    try:
        with recording(client_of(scene), path, overwrite=True) as recorder:
            recorder.close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each["kind"] for each in lines_of(path)] == ["header", "end"]


async def test_what_cannot_work_is_said_before_anything_is_recorded(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "bug.jsonl"
    path.write_text("mine")
    with pytest.raises(RecordingError, match="there already"):
        recording(client_of(scene), path).__enter__()
    with pytest.raises(RecordingError, match="no plain file"):
        recording(client_of(scene), tmp_path, overwrite=True).__enter__()
    with pytest.raises(RecordingError, match="cannot be written: no such file or directory"):
        recording(client_of(scene), tmp_path / "no" / "where").__enter__()
    for wrong in (0, 10.5, True):
        with pytest.raises(ConfigurationError, match="max_bytes"):
            recording(client_of(scene), path, max_bytes=wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="takes a MessagingClient"):
        recording("client", path)  # type: ignore[arg-type]
    assert path.read_text() == "mine"


async def test_it_begins_before_the_client_connects_and_once(scene: Scene, tmp_path: Path) -> None:
    connected = await scene.client()
    with pytest.raises(ConfigurationError, match="before the client connects"):
        recording(connected, tmp_path / "late").__enter__()
    assert not (tmp_path / "late").exists()
    client = client_of(scene)
    with recording(client, tmp_path / "one") as recorder:
        with pytest.raises(ConfigurationError, match="recorded already"):
            recording(client, tmp_path / "two").__enter__()
        with pytest.raises(ConfigurationError, match="made once"):
            recorder.__enter__()
    with recording(client, tmp_path / "two"):
        pass
    with pytest.raises(RecordingError, match="not begun"):
        recording(client, tmp_path / "three").summary()
    await client.aclose()


async def test_a_client_goes_on_when_its_recording_ends(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "bug.jsonl"
    client = client_of(scene)
    with recording(client, path) as recorder:
        await client.connect()
    size = path.stat().st_size
    await client.get_unread_conversations()
    async with client.expect(Message):
        await client.send_message_to_conversation(scene.conversation, "Bonjour")
    await client.aclose()
    recorder.close()
    assert path.stat().st_size == size == recorder.summary().bytes


async def test_it_stops_at_its_largest_size_and_says_so(scene: Scene, tmp_path: Path) -> None:
    path, full = tmp_path / "bug.jsonl", asyncio.Event()
    client = client_of(scene)
    with recording(client, path, max_bytes=6000) as recorder:
        recorder.on_full = full.set
        async with client:
            async with asyncio.timeout(TIMEOUT):
                while not full.is_set():
                    await client.emit_typing(scene.conversation, True)
            await client.get_unread_conversations()
    assert recorder.summary().is_full
    assert 5000 < path.stat().st_size <= 6000
    assert lines_of(path)[-1]["reason"] == "full"
    assert read_recording(path).is_whole


async def test_a_disk_that_is_full_harms_no_client(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Lines, line: bytes) -> None:
        raise OSError(28, "No space left on device")

    client = client_of(scene)
    with recording(client, tmp_path / "bug.jsonl") as recorder:
        monkeypatch.setattr(Lines, "_put", full)
        async with client:
            await client.get_unread_conversations()
    assert recorder.summary().failure == "no space left on device"


async def test_a_fault_of_the_recording_harms_no_client(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*_args: Any) -> Any:
        raise ZeroDivisionError

    client = client_of(scene)
    with recording(client, tmp_path / "bug.jsonl") as recorder:
        monkeypatch.setattr("messaging_client.recording.redaction.Redaction.frame", wrong)
        async with client:
            await client.get_unread_conversations()
    assert recorder.summary().failure == "an unexpected ZeroDivisionError; please report it"


def test_a_blocking_client_is_recorded_too(tmp_path: Path) -> None:
    path = tmp_path / "bug.jsonl"
    with BackgroundServer() as server:
        client = BlockingClient(server.url, token=server.token("patient", 5))
        with recording(client, path) as recorder, client:
            client.find_or_create_conversation("ordonnance", 15, medecin_id=79)
    assert recorder.summary().connections == 1
    assert {each["kind"] for each in lines_of(path)} >= {"header", "user", "frame", "request", "response", "state"}


async def test_half_a_last_line_is_left_out(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "bug.jsonl"
    client = client_of(scene)
    with recording(client, path):
        async with client:
            pass
    whole = read_recording(path)
    raw = path.read_bytes()
    path.write_bytes(raw[:-10])
    cut = read_recording(path)
    assert cut.lines == whole.lines[:-1]
    assert (whole.is_whole, cut.is_whole) == (True, False)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: no such file"),
        (b"", "no recording: its first line"),
        (b"\x00\xff", "no recording: its first line"),
        (b'{"kind":"frame"}\n', "no recording: its first line"),
        (b'{"kind":"header","format":2,"started":"","client":"9.9","server":"","contents":false}\n', "version 2 of"),
        (b'HEADER\n{"kind":"frame"}\n{"kind":"end","reason":"x"}\n', "line 2 is not one"),
        (b'HEADER\n{"kind":"other"}\n{"kind":"end","reason":"x"}\n', "line 2 is not one"),
        (b'HEADER\n{"kind":"response","id":1,"status":99}\n{"kind":"end","reason":"x"}\n', "line 2 is not one"),
    ],
)
def test_what_is_no_recording_is_said(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "bug.jsonl"
    header = b'{"kind":"header","format":1,"started":"","client":"1","server":"","contents":false}'
    if content is not None:
        path.write_bytes(content.replace(b"HEADER", header))
    with pytest.raises(RecordingError, match=said):
        read_recording(path)
