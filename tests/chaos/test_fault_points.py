"""A client is killed at each step of a send, and started again: nothing accepted is lost, and nothing is doubled."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from messaging_client.testing import MessagingServer, ServerOptions
from tests.chaos.sender import PATIENCE, STEPS, run
from tests.outbox.support import DOCTOR, PATIENT

# Processes are forked from one that has imported everything, so that each starts in an instant.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.chaos.sender"])

SERVERS = {
    "keys honoured": {"idempotency": True},
    "keys echoed": {"idempotency": False},
    "keys unknown": {"idempotency": False, "echo_client_message_id": False},
}
CONTENTS = ["ok", "ok", "ok", "fin"]  # texts alone do not tell them apart


@dataclass
class Heard:
    """What a process said before its end."""

    exit_code: int | None = None
    said: list[tuple[str, Any]] = field(default_factory=list)

    def contents(self, word: str) -> list[str]:
        return [what for said, what in self.said if said == word]


class Scene:
    """A server, and processes of one user that use one file after the other."""

    def __init__(self, server: MessagingServer, conversation: int, folder: Path) -> None:
        self.server = server
        self.conversation = conversation
        self.store = str(folder / "messages.db")

    async def process(self, contents: list[str], *, kill: asyncio.Event | None = None, **work: Any) -> Heard:
        """Run a process to its end, or kill it when the event is set."""
        ours, theirs = PROCESSES.Pipe(duplex=False)
        settings = {
            "server_idempotency": self.server._options.idempotency,
            "request_timeout": 3000.0,  # the process's clock runs a hundred times as fast
            "connect_timeout": 3000.0,
        }
        work |= {"contents": contents, "conversation": self.conversation}
        process = PROCESSES.Process(
            target=run, args=(theirs, self.server.url, self.server.token(*DOCTOR), self.store, settings, work)
        )
        process.start()
        theirs.close()
        heard = Heard()
        listening = asyncio.ensure_future(asyncio.to_thread(_listen, ours, heard))
        killing = asyncio.ensure_future(_kill_at(process, kill)) if kill is not None else None
        try:
            async with asyncio.timeout(PATIENCE):
                await listening
        finally:
            if killing is not None:
                killing.cancel()
            process.kill() if process.is_alive() and not listening.done() else None
            await asyncio.to_thread(process.join)
        heard.exit_code = process.exitcode
        return heard

    def stored(self) -> list[str]:
        return [each["contenu"] for each in self.server.messages(self.conversation)]


def _listen(pipe: Connection, heard: Heard) -> None:
    with pipe:
        while True:
            try:
                heard.said.append(pipe.recv())
            except EOFError:
                return


async def _kill_at(process: Any, event: asyncio.Event) -> None:
    await event.wait()
    process.kill()


@pytest.fixture(params=SERVERS)
async def scene(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Scene]:
    async with MessagingServer(options=ServerOptions(**SERVERS[request.param])) as server:
        conversation = await server.create_conversation("Messages - Ordonnance 15", [PATIENT, DOCTOR])
        await server.say(conversation, "ok", DOCTOR)  # sent from elsewhere, and not to be taken for one of ours
        yield Scene(server, conversation, tmp_path)


def check(stored: list[str], heard: Heard) -> None:
    """What a process handed in is stored in order, each once: all that it was told of, and one more at most."""
    _elsewhere, *stored = stored
    accepted = heard.contents("accepted")
    assert stored == CONTENTS[: len(stored)]
    assert len(accepted) <= len(stored) <= len(accepted) + 1


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("scene", "number"),
    [("keys honoured", 3), ("keys echoed", 1), ("keys unknown", 1), ("keys unknown", 3)],
    indirect=["scene"],
)
async def test_killed_at_a_step_and_started_again(scene: Scene, step: str, number: int) -> None:
    first = await scene.process(CONTENTS, step=step, number=number)
    assert first.exit_code == -signal.SIGKILL
    second = await scene.process([])
    assert second.exit_code == 0
    assert second.contents("left") == [[]]
    check(scene.stored(), first)


async def test_killed_while_the_server_has_stored_it_and_not_yet_answered(scene: Scene) -> None:
    scene.server.faults.silence("send", after_storing=True)
    stored = asyncio.Event()

    async def watch() -> None:
        await scene.server.wait_until(lambda: len(scene.stored()) == 2, timeout=PATIENCE)
        stored.set()

    watching = asyncio.ensure_future(watch())
    first = await scene.process(CONTENTS, kill=stored)
    await watching
    assert first.exit_code == -signal.SIGKILL
    scene.server.faults.clear()
    second = await scene.process([])
    assert second.exit_code == 0
    check(scene.stored(), first)


async def test_killed_again_and_again(scene: Scene) -> None:
    """Each process dies a step later than the one before, while it takes up what that one left."""
    first = await scene.process(CONTENTS, step="before the request leaves", number=1)
    for step in list(STEPS)[2:8]:
        heard = await scene.process([], step=step, number=1)
        assert heard.exit_code in (-signal.SIGKILL, 0)
    last = await scene.process(["dernier"])
    assert last.exit_code == 0
    *stored, newest = scene.stored()
    assert newest == "dernier"
    check(stored, first)


# --- where a send does not go well ------------------------------------------------------------------------------------


def left(heard: Heard) -> list[str]:
    """The texts that a process left behind at its end."""
    (found,) = heard.contents("left")
    return [content for content, _status in found]


def check_with(stored: list[str], heard: Heard, refused: list[str]) -> None:
    """What was handed in is stored, or left as it was refused: each once, and nothing else."""
    _elsewhere, *stored = stored
    accepted = heard.contents("accepted")
    assert len(accepted) <= len(stored) + len(refused) <= len(accepted) + 1
    assert stored == CONTENTS[len(refused) : len(refused) + len(stored)]


only_unknown = pytest.mark.parametrize("scene", ["keys unknown"], indirect=True)


@pytest.mark.parametrize("step", ["before it is noted", "after it was noted"])
async def test_killed_where_it_is_noted_that_the_server_is_away(scene: Scene, step: str) -> None:
    scene.server.faults.answer("send", 503)
    first = await scene.process(CONTENTS, step=step, number=1)
    assert first.exit_code == -signal.SIGKILL
    second = await scene.process([])
    assert second.exit_code == 0
    assert left(second) == []
    check(scene.stored(), first)


@only_unknown
@pytest.mark.parametrize("step", ["before it is noted", "after it was noted"])
async def test_killed_where_a_refusal_is_noted(scene: Scene, step: str) -> None:
    """Before it is, nobody knows of it, and the message is sent again."""
    scene.server.faults.answer("send", 400)
    first = await scene.process(CONTENTS, step=step, number=1)
    assert first.exit_code == -signal.SIGKILL
    second = await scene.process([])
    assert second.exit_code == 0
    assert left(second) == ([] if step.startswith("before") else ["ok"])
    check_with(scene.stored(), first, left(second))


@pytest.mark.parametrize("scene", ["keys echoed", "keys unknown"], indirect=True)
@pytest.mark.parametrize(
    ("is_stored", "number"),
    [(True, 1), (False, 1), (False, 2)],
    ids=["stored", "not stored", "not stored, between the reads"],
)
async def test_killed_where_it_is_read_back(scene: Scene, is_stored: bool, number: int) -> None:
    if is_stored:
        scene.server.faults.drop_after_storing("send")
    else:
        scene.server.faults.drop_before_storing("send")
    first = await scene.process(CONTENTS, step="before it is read back", number=number)
    assert first.exit_code == -signal.SIGKILL
    scene.server.faults.clear()
    second = await scene.process([])
    assert second.exit_code == 0
    assert left(second) == []
    check(scene.stored(), first)


@only_unknown
@pytest.mark.parametrize("step", ["before it is taken up", "after it was taken up"])
@pytest.mark.parametrize("first_step", ["after it was kept", "after the request was marked", "after the answer came"])
async def test_killed_where_it_is_taken_up(scene: Scene, first_step: str, step: str) -> None:
    first = await scene.process(CONTENTS, step=first_step, number=2)
    second = await scene.process([], step=step, number=1)
    assert (first.exit_code, second.exit_code) == (-signal.SIGKILL, -signal.SIGKILL)
    third = await scene.process([])
    assert third.exit_code == 0
    assert left(third) == []
    check(scene.stored(), first)


@only_unknown
@pytest.mark.parametrize(
    ("step", "number", "is_sent"),
    [
        ("before it is kept", 2, False),
        ("after it was kept", 2, True),
        ("before the request leaves", 2, True),
        ("after the answer came", 1, True),  # the first that came well
    ],
)
async def test_killed_where_it_is_tried_again_by_hand(scene: Scene, step: str, number: int, is_sent: bool) -> None:
    scene.server.faults.answer("send", 400)
    first = await scene.process(["ok"], step=step, number=number, then="retry")
    assert first.exit_code == -signal.SIGKILL
    second = await scene.process([])
    assert second.exit_code == 0
    assert (scene.stored()[1:], left(second)) == ((["ok"], []) if is_sent else ([], ["ok"]))


@only_unknown
@pytest.mark.parametrize(("step", "stays"), [("before it is dropped", True), ("after it was dropped", False)])
async def test_killed_where_it_is_discarded(scene: Scene, step: str, stays: bool) -> None:
    scene.server.faults.answer("send", 400)
    first = await scene.process(["ok"], step=step, number=1, then="discard")
    assert first.exit_code == -signal.SIGKILL
    second = await scene.process([])
    assert second.exit_code == 0
    assert (scene.stored()[1:], left(second)) == ([], ["ok"] if stays else [])


@only_unknown
@pytest.mark.parametrize("step", ["before it is noted", "after it was noted"])
async def test_killed_where_a_deadline_ends(scene: Scene, step: str) -> None:
    """Before that is noted nobody was told of it, and the next process goes on with what time is left."""
    scene.server.faults.silence("send")
    first = await scene.process(["ok"], step=step, number=1, deadline=100.0)
    assert first.exit_code == -signal.SIGKILL
    scene.server.faults.clear()
    second = await scene.process([])
    assert second.exit_code == 0
    assert (scene.stored()[1:], left(second)) == ((["ok"], []) if step.startswith("before") else ([], ["ok"]))
