"""The blocking client has what the asynchronous one has, and is not written twice by hand."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import pytest

import messaging_client
from messaging_client import subscriptions, sync
from messaging_client.sync._generated import subscriptions as blocking_subscriptions

ROOT = Path(__file__).parents[2]

PAIRS = {
    "client": (messaging_client.MessagingClient, sync.MessagingClient),
    "session": (messaging_client.ConversationSession, sync.ConversationSession),
    "inbox": (messaging_client.Inbox, sync.Inbox),
    "hook": (subscriptions.EventHook, blocking_subscriptions.EventHook),
    "message hook": (subscriptions.MessageHook, blocking_subscriptions.MessageHook),
}
BY_HAND = {
    "stream": (messaging_client.EventStream, sync.EventStream),
    "expectation": (messaging_client.Expectation, sync.Expectation),
    "subscription": (messaging_client.Subscription, sync.Subscription),
}
pairs = pytest.mark.parametrize(("asynchronous", "blocking"), PAIRS.values(), ids=PAIRS)

# What the parts of the client use among themselves, and what is called otherwise here.
INTERNAL = {"offer", "queue", "label", "waiting", "worked_off", "patience", "closed"}
RENAMED = {"aclose": "close"}


def attributes(cls: type) -> set[str]:
    """Public attributes that `__init__` sets, as the source of the class and its bases has them."""
    found: set[str] = set()
    for each in cls.__mro__[:-1]:
        if each.__module__.startswith("messaging_client"):
            found |= set(re.findall(r"^ +self\.([a-z]\w*)(?:: [^=]+)? = ", inspect.getsource(each), re.MULTILINE))
    return found


def surface(cls: type) -> set[str]:
    return {each for each in dir(cls) if not each.startswith("_")}


@pytest.mark.parametrize(("asynchronous", "blocking"), (PAIRS | BY_HAND).values(), ids=PAIRS | BY_HAND)
def test_the_same_names(asynchronous: type, blocking: type) -> None:
    wanted = {RENAMED.get(each, each) for each in surface(asynchronous) | attributes(asynchronous)} - INTERNAL
    if blocking is sync.Expectation:
        wanted |= {"result"}  # what `await` is there
    assert surface(blocking) == wanted
    for name in ("__call__", "__enter__", "__iter__"):
        assert hasattr(blocking, name) == (
            hasattr(asynchronous, name) or hasattr(asynchronous, name.replace("__", "__a", 1))
        )


def methods(cls: type) -> dict[str, Callable[..., Any]]:
    names = {each for each in dir(cls) if not each.startswith("_") or each in ("__init__", "__call__")}
    return {each: getattr(cls, each) for each in names if inspect.isroutine(getattr(cls, each))}


@pairs
def test_the_same_parameters(asynchronous: type, blocking: type) -> None:
    found = methods(blocking)
    for name, method in methods(asynchronous).items():
        if name in INTERNAL or (name == "__init__" and asynchronous is not messaging_client.MessagingClient):
            continue
        wanted = [(each.name, each.kind, each.default) for each in inspect.signature(method).parameters.values()]
        mine = inspect.signature(found[RENAMED.get(name, name)]).parameters.values()
        assert [(each.name, each.kind, each.default) for each in mine] == wanted, name


@pairs
def test_nothing_is_left_to_be_awaited(asynchronous: type, blocking: type) -> None:
    for name in surface(blocking):
        value = inspect.getattr_static(blocking, name)
        function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        assert not inspect.iscoroutinefunction(function), name
        assert not inspect.isasyncgenfunction(function), name
        was = inspect.getattr_static(asynchronous, name, None)
        assert isinstance(value, property) == (isinstance(was, property) or name in attributes(asynchronous)), name
        returned = str(get_type_hints(function).get("return"))
        for word in ("Await", "Async", "Coroutine", "Timeline", "messaging_client.dispatch", "session.Conv", "box.In"):
            assert word not in returned.replace("_generated.session.Conv", "").replace("_generated.inbox.In", ""), name


@pairs
def test_everything_is_documented_without_await(asynchronous: type, blocking: type) -> None:
    for name in surface(blocking) - {"name"}:
        text = inspect.getdoc(inspect.getattr_static(blocking, name)) or ""
        assert text, name
        assert "await " not in text, name
        assert "async " not in text.replace("sync or async callable returning", ""), name


def test_the_public_names() -> None:
    diagnosis = {"CHECKS", "CheckOutcome", "CheckResult", "Diagnosis", "diagnose"}
    assert set(sync.__all__) == set(messaging_client.__all__) - {"Timeline"} - diagnosis
    different = {each for each in sync.__all__ if getattr(sync, each) is not getattr(messaging_client, each)}
    assert different == {
        "ConversationSession",
        "EventStream",
        "Expectation",
        "Inbox",
        "MessagingClient",
        "Subscription",
    }


def generate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools/generate_sync.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def test_the_generated_files_are_up_to_date() -> None:
    done = generate("--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_module_is_too_long() -> None:
    for path in (ROOT / "messaging_client/sync").rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 400, path
