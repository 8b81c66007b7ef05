"""What the client logs: every record has an event that is listed in the docs, with the fields listed there."""

from __future__ import annotations

import ast
import asyncio
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from canary import ATTRIBUTES, CANARY, CANARY_NAME, SecretWatch, holds_secret
from scenes import PATIENT, TIMEOUT, Scene
from support import joined

from messaging_client import MessagingError
from messaging_client.observing.logs import say

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs/how-to/observing.md"
OTHERS = {"cli", "sync", "testing", "tui"}
"""Parts that are not the client; the embedded server logs under `messaging_client.testing`, for development."""

Said = tuple[str, str, str, tuple[str, ...]]
"""Logger, level, event, fields."""


def modules() -> Iterator[tuple[Path, ast.Module]]:
    home = ROOT / "messaging_client"
    for path in sorted(home.rglob("*.py")):
        if path.relative_to(home).parts[0] not in OTHERS:
            yield path, ast.parse(path.read_text())


def called(tree: ast.Module, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == name:
            yield node


def said_in(tree: ast.Module) -> Iterator[Said]:
    named = [ast.literal_eval(each.args[0]) for each in called(tree, "logging.getLogger")]
    for call in called(tree, "say"):
        _, level, event = call.args
        fields = ("error_type" if each.arg == "error" else str(each.arg) for each in call.keywords)
        yield named[0], ast.unparse(level).removeprefix("logging."), ast.literal_eval(event), tuple(sorted(fields))


def listed() -> set[Said]:
    rows = re.findall(
        r"^\| `(messaging_client[\w.]*)` \| (\w+) \| `([^`]+)` \| (.*) \|$", PAGE.read_text(), re.MULTILINE
    )
    return {(name, level, event, tuple(sorted(re.findall(r"`(\w+)`", fields)))) for name, level, event, fields in rows}


def test_the_page_lists_every_record_and_no_other() -> None:
    assert {each for _, tree in modules() for each in said_in(tree)} == listed()


def test_nothing_is_logged_in_another_way() -> None:
    for path, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and path.name != "logs.py":
                level = node.func.attr in ("debug", "info", "warning", "error", "exception", "critical", "log")
                assert not (level and ast.unparse(node.func.value) in ("log", "_log", "logger", "logging")), path


def test_no_field_has_the_name_of_what_every_record_has() -> None:
    fields = {field for *_, each in listed() for field in each}
    assert {"conversation_id", "client_message_id", "attempts", "state", "error_type"} <= fields
    assert not fields & (ATTRIBUTES | {"event"})


class Lines(logging.Handler):
    """JSON lines, as the page shows them."""

    def __init__(self) -> None:
        super().__init__(1)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        fields = {name: value for name, value in vars(record).items() if name not in ATTRIBUTES}
        self.lines.append(json.dumps({"logger": record.name, "file": record.filename, **fields}))

    def told(self, event: str) -> list[dict[str, object]]:
        return [each for line in self.lines if (each := json.loads(line))["event"] == event]


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler, logger = Lines(), logging.getLogger("messaging_client")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


async def test_records_of_a_run_have_fields_and_nothing_secret(lines: Lines) -> None:
    async with Scene() as scene:
        scene.server.add_user(*PATIENT, prenom="Marie", nom=CANARY_NAME)
        client = await scene.client(reconnection_delay=0.01)
        await joined(scene, client)
        ended = asyncio.Event()

        @client.on_new_message
        def fail(message: object) -> None:
            ended.set()
            raise ValueError(message)

        await scene.say(CANARY)
        await asyncio.wait_for(ended.wait(), TIMEOUT)
        scene.server.faults.answer("send", 422)
        with pytest.raises(MessagingError):
            await client.send_message_to_conversation(scene.conversation, CANARY)
    (raised,) = lines.told("handler raised")
    assert raised["error_type"] == "ValueError"
    assert str(raised["handler"]).endswith("fail")
    (refused,) = lines.told("message not confirmed")
    assert (refused["conversation_id"], refused["attempts"]) == (scene.conversation, 1)
    assert refused["error_type"] == "ValidationFailed"
    states = [each["state"] for each in lines.told("connection changed")]
    assert states == ["connecting", "connected", "disconnected"]
    assert {each["file"] for each in lines.told("connection changed")} == {"socket.py"}
    assert not holds_secret("".join(lines.lines))


def apart(level: int = 1) -> logging.Logger:
    """A logger that tells nobody else."""
    return logging.Logger("messaging_client.apart", level)  # noqa: LOG001 - the logs of the tests are watched


def test_the_watch_over_all_tests_sees_fields() -> None:
    watch, logger = SecretWatch(), apart()
    logger.addHandler(watch)
    logger.info("harmless", extra={"event": "x", "field": CANARY})
    assert len(watch.leaks) == 1


def test_what_is_not_wanted_costs_no_text() -> None:
    class Loud:
        def __str__(self) -> str:
            raise AssertionError("nobody wants it")

    say(apart(logging.ERROR), logging.INFO, "event", field=Loud())  # type: ignore[arg-type]
