"""`messaging-client tail`: what happens, as it happens; and what others wrote does nothing to a terminal."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from scenes import DOCTOR, LONG_AGO, PATIENT, Scene

from messaging_client import CustomEvent, Message, Participant
from messaging_client.cli.choices import EventKind
from messaging_client.cli.event_forms import KINDS, as_object, who, words
from messaging_client.cli.exit_codes import ExitCode
from messaging_client.cli.output import json_line, tabbed
from messaging_client.harmless import plain, printable
from messaging_client.subscriptions import ALL_EVENTS
from tests.cli.processes import environment, in_terminal, run, run_in_terminal, running

HOSTILE = "a\x1b]0;owned\x07\x1b[2J\r\nb\x9bc\u202ed\u2066\x00"


async def joined(scene: Scene, count: int = 1) -> None:
    """Wait until the doctor is in the room."""
    await scene.server.wait_until(lambda: len(scene.server.members(1)) >= count, 40)


async def test_every_kind_of_event_as_json(scene: Scene) -> None:
    other = await scene.server.create_conversation("Messages - Examen 23", [PATIENT, DOCTOR])
    types = [part for each in EventKind for part in ("--type", each)]
    async with running("tail", "--json", "--own", *types, env=environment(scene)) as tail:
        await scene.server.wait_until(lambda: scene.server.members(other) and scene.server.members(1), 40)

        async def told(kind: str, **fields: Any) -> dict[str, Any]:
            def wanted(line: str) -> bool:
                return json.loads(line)["event"] == kind

            found: dict[str, Any] = json.loads(await tail.line(wanted))
            assert fields.items() <= found.items(), found
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", found["at"])
            assert "raw" not in found
            return found

        await scene.server.say(1, "Bonjour", PATIENT)
        message = await told("message", conversation_id=1, content="Bonjour", own=False, late=False, type="text")
        assert (message["sender"]["name"], message["sender"]["id"]) == ("Marie Dupont", 5)
        assert message["timestamp"].endswith("Z")
        await scene.server.say(other, "Oui", DOCTOR)
        await told("message", conversation_id=other, own=True)
        await scene.server.typing(1, PATIENT)
        await told("typing", conversation_id=1, user_id=5, user_name="Marie Dupont", is_typing=True)
        await scene.server.emit("webrtc_offer", {"sdp": "v=0"}, user=DOCTOR)
        await told("custom", conversation_id=None, name="webrtc_offer", args=[{"sdp": "v=0"}])
        await scene.server.emit("new_message", {"id": 5}, user=DOCTOR)
        await told("invalid", conversation_id=None, source="new_message")
        async with await scene.client(PATIENT):
            await told("presence", user_id=5, user_type="patient", status="online")
        await scene.server.faults.cut(DOCTOR)
        await told("connection", state="reconnecting", previous="connected", cause="connection_lost", polling=True)
        done = await tail.end()
    assert (done.code, done.err) == (ExitCode.INTERRUPTED, "")


async def test_only_what_was_asked_for(scene: Scene) -> None:
    other = await scene.server.create_conversation("Messages - Examen 23", [PATIENT, DOCTOR])
    args = ("tail", "--json", "--conversation", "1", "--type", "message")
    async with running(*args, env=environment(scene)) as tail:
        await joined(scene)
        assert not scene.server.members(other)
        for conversation, sender in ((other, PATIENT), (1, DOCTOR), (1, PATIENT)):
            await scene.server.typing(conversation, sender)
            await scene.server.say(conversation, f"{conversation} {sender[0]}", sender)
        assert json.loads(await tail.line())["content"] == "1 patient"
        done = await tail.end()
    assert (done.code, done.out, done.err) == (ExitCode.INTERRUPTED, "", "")
    refused = await run("tail", "--conversation", "99", env=environment(scene))
    assert refused.code == ExitCode.REFUSED
    assert refused.error


async def test_lines_for_people_in_local_time(scene: Scene) -> None:
    async with in_terminal("tail", env=environment(scene, TZ="Asia/Tokyo")) as screen:
        await joined(scene)
        await scene.server.say(1, f"Bonjour {HOSTILE}", PATIENT, at=LONG_AGO)
        await screen.until("Bonjour")
        await scene.server.say(1, "fin", PATIENT)
        await screen.until("fin")
        lines = re.sub(r"\x1b\[[0-9;]*m", "", screen.text).split("\r\n")
    (line,) = [each for each in lines if "Bonjour" in each]
    assert re.match(r"18:00:00 message +#1 Marie Dupont: (\(late\) )?Bonjour a\ufffd\]0;owned", line), "09:00 UTC"
    assert [each for each in lines if not each.isprintable()] == []


async def test_the_token_is_refused_for_good(scene: Scene) -> None:
    token = scene.server.token(*DOCTOR)
    async with running("tail", env=environment(scene, MESSAGING_TOKEN=token)) as tail:
        await joined(scene)
        scene.server.revoke(token)
        await scene.server.faults.cut(DOCTOR)
        done = await tail.end(None)
    assert done.code == ExitCode.AUTHENTICATION
    assert done.error
    assert "\x1b" not in done.out


async def test_a_reader_that_goes_is_no_error(scene: Scene) -> None:
    async with running("tail", "--type", "message", env=environment(scene)) as tail:
        await joined(scene)
        await scene.server.say(1, "un", PATIENT)
        assert "\tun" in await tail.line()
        assert tail.process.stdout is not None
        tail.process.stdout._transport.close()  # type: ignore[attr-defined]
        await scene.server.say(1, "deux", PATIENT)
        async with asyncio.timeout(40):
            assert await tail.process.wait() == ExitCode.BROKEN_PIPE
        assert tail.process.stderr is not None
        assert await tail.process.stderr.read() == b""


@pytest.mark.parametrize("command", ["inbox", "tail"])
async def test_what_others_wrote_does_nothing_to_a_terminal(scene: Scene, command: str) -> None:
    scene.server.add_user(*PATIENT, prenom=HOSTILE, nom=HOSTILE)
    conversation = await scene.server.create_conversation(HOSTILE, [PATIENT, DOCTOR])
    await scene.server.say(conversation, HOSTILE, PATIENT)
    if command == "inbox":
        shown = (await run_in_terminal("inbox", env=environment(scene))).plain
        piped = (await run("inbox", env=environment(scene))).out
        (first, _) = (await run("inbox", "--json", env=environment(scene))).lines
        assert json.loads(first)["last_message"]["content"] == scene.server.messages(conversation)[0]["contenu"]
        texts = [shown, piped, first]
    else:
        async with running("tail", "--json", env=environment(scene)) as tail:
            await joined(scene)
            await scene.server.say(1, HOSTILE, PATIENT)
            texts = [await tail.line(lambda line: "message" in line)]
    for text in texts:
        assert "owned" in text
        assert [each for each in text.replace("\n", "").replace("\t", "") if not each.isprintable()] == []


def test_one_function_neutralises() -> None:
    assert printable("a\r\nb\nc\td") == "a⏎b⏎c d"
    # French typography puts a no-break space before a sign; both functions show a space of any kind as one.
    spaced = "Bonjour\u00a0! 15\u202fmg\u3000?"
    assert printable(spaced) == plain(spaced) == "Bonjour ! 15 mg ?"
    assert tabbed(["a\tb", "\n", 5]) == "a b\t⏎\t5"
    assert printable(HOSTILE + "\ud800").isprintable()
    assert json.loads(json_line({"text": HOSTILE + "\ud800😀"})) == {"text": HOSTILE + "\ud800😀"}
    assert json_line({"text": HOSTILE + "\ud800😀"}).isprintable()


def test_every_kind_of_event_has_a_word_and_a_form() -> None:
    kinds = {each.__name__ for each in ALL_EVENTS} - {"HandlerError"}  # there are no handlers here
    assert {each.__name__ for each in KINDS.values()} == kinds
    assert set(KINDS) == set(EventKind)
    person = Participant(id=5, type="patient", name="Marie")
    late = Message(id=1, conversation_id=2, content="x", sender=person, timestamp=LONG_AGO, late=True)
    assert (who(late), words(late)) == ("Marie", "(late) x")
    assert as_object(late, own=True)["timestamp"] == "2025-01-01T09:00:00Z"
    assert words(CustomEvent(name="alarm", args=(1,))) == "alarm [1]"
