"""A process that sends, and dies at a step that the test names."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from messaging_client import MessagingClient, MessagingConfig
from messaging_client.outbox import Keeper
from messaging_client.sending import Sending
from tests.outbox.support import FastClock

STEPS: dict[str, tuple[type, str, bool]] = {
    "before it is kept": (Keeper, "keep", False),
    "after it was kept": (Keeper, "keep", True),
    "before the request is marked": (Keeper, "mark", False),
    "after the request was marked": (Keeper, "mark", True),
    "before the request leaves": (Sending, "send", False),
    "after the answer came": (Sending, "send", True),
    "before subscribers are told": (Sending, "confirmed", False),
    "before it is forgotten": (Keeper, "note_confirmed", False),
    "after it was forgotten": (Keeper, "note_confirmed", True),
    "before it is relayed": (Sending, "relay", False),
    "after it was relayed": (Sending, "relay", True),
}
TROUBLE: dict[str, tuple[type, str, bool]] = {
    "before it is noted": (Keeper, "note", False),
    "after it was noted": (Keeper, "note", True),
    "before it is read back": (Sending, "read_after", False),
    "before it is taken up": (Keeper, "take_up", False),
    "after it was taken up": (Keeper, "take_up", True),
    "before it is dropped": (Keeper, "forget", False),
    "after it was dropped": (Keeper, "forget", True),
}
"""Steps of a send that does not go well, likewise."""
"""The steps of a send: a function, and whether the process dies after it rather than before it."""

PATIENCE = 60.0  # seconds that a process gets; far more than it needs


def run(pipe: Connection, url: str, token: str, store: str, settings: dict[str, Any], work: dict[str, Any]) -> None:
    """Be that process: send `work["contents"]`, and die at `work["step"]` of message number `work["number"]`.

    What is left then is given to `work["then"]`, which is `retry` or `discard`, if anything.

    Says `("accepted", content)` and `("confirmed", content)` as they happen, and at last `("left", statuses)`.
    """
    if work.get("step"):
        _die_at(*{**STEPS, **TROUBLE}[work["step"]], work["number"])
    asyncio.run(_send(pipe, url, token, store, MessagingConfig(**settings), work))


async def _send(
    pipe: Connection, url: str, token: str, store: str, config: MessagingConfig, work: dict[str, Any]
) -> None:
    client = MessagingClient(url, token=token, config=config, store=store, clock=FastClock())
    await client.connect()
    async with client.conversation(work["conversation"]) as session:
        for content in work["contents"]:
            await session.send(content, wait=False, deadline=work.get("deadline"))
            pipe.send(("accepted", content))
        await client._outbox.drain(PATIENCE * FastClock.FACTOR)
        if ends := {each.done for each in client._outbox.pending()}:
            await asyncio.wait(ends)  # one whose deadline is over leaves its queue first, and is noted then
        for message in client.pending() if work.get("then") else ():
            await getattr(session, work["then"])(message)
        for content in work["contents"]:
            if content not in [each.content for each in client.pending()]:
                pipe.send(("confirmed", content))
    report = await client.aclose(drain=0)
    pipe.send(("left", [(each.content, each.status.value) for each in report.unsent]))


def _die_at(owner: type, name: str, after: bool, number: int) -> None:
    work: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def step() -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)

    if asyncio.iscoroutinefunction(work):

        @functools.wraps(work)
        async def dying(*args: Any, **kwargs: Any) -> Any:
            if not after:
                step()
            result = await work(*args, **kwargs)
            if after:
                step()
            return result

        setattr(owner, name, dying)
    else:

        @functools.wraps(work)
        def dying_at_once(*args: Any, **kwargs: Any) -> Any:
            step()
            return work(*args, **kwargs)

        setattr(owner, name, dying_at_once)
