"""Runs the interface in this terminal, from the first connection to the report of what is left."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

from messaging_client import CloseReport, MessagingClient, MessagingError
from messaging_client.tui.app import PATIENCE, ChatApp
from messaging_client.tui.plain import plain

EXIT_OK, EXIT_FAILED, EXIT_UNSENT = 0, 1, 3


async def run_chat(make: Callable[[], MessagingClient], *, is_stored: bool = False, light: bool = False) -> int:
    """Run the interface until the user quits, or a signal ends it; then send what is left, and say what could not be.

    Args:
        make: makes the client.
        is_stored: whether the client has a `store=`.
        light: begin with the light colours.

    Returns:
        The exit code: 0, 1 when it could not begin or broke, 3 when messages are left that may not be on the server.
    """
    try:
        client = make()
    except MessagingError as error:
        return _refuse(error)
    try:
        await client.connect(wait=False)
    except MessagingError as error:
        await client.aclose(drain=0)
        return _refuse(error)
    app = ChatApp(client, is_stored=is_stored, light=light)
    loop = asyncio.get_running_loop()
    with suppress(NotImplementedError, AttributeError):  # Windows has neither
        for ending in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(ending, app.exit)
    try:
        await app.run_async()
    finally:
        report = await _close(client)
    if _tell_unsent(report, is_stored=is_stored):
        return EXIT_UNSENT
    return EXIT_FAILED if app.return_code else EXIT_OK


async def _close(client: MessagingClient) -> CloseReport:
    waiting = len(client.pending())
    if waiting:
        _say(f"Sending what is left ({waiting}), {PATIENCE:.0f} seconds at most …")
    return await client.aclose(drain=PATIENCE)


def _tell_unsent(report: CloseReport, *, is_stored: bool) -> bool:
    """Say what may not be on the server, without its words: they do not belong into a terminal's history."""
    for message in report.unsent:
        _say(f"Not certain to be sent: {message.status}, conversation {message.conversation_id}")
    if report.unsent and is_stored:
        _say("They are kept in the store; the next client on it sends what was not refused.")
    elif report.unsent:
        _say("They are lost to this computer. With --store FILE they would be kept.")
    return bool(report.unsent)


def _refuse(error: MessagingError) -> int:
    _say(f"The interface cannot start: {error}")
    return EXIT_FAILED


def _say(words: str) -> None:
    with suppress(OSError):  # the terminal may be gone
        sys.stderr.write(f"{plain(words)}\n")
        sys.stderr.flush()
