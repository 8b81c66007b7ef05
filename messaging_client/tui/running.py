"""Runs the interface in this terminal, from the first connection to the report of what is left."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress

from messaging_client import CloseReport, MessagingClient
from messaging_client.harmless import plain
from messaging_client.tui.app import PATIENCE, ChatApp


async def run_chat(client: MessagingClient, *, is_stored: bool = False, light: bool = False) -> tuple[CloseReport, int]:
    """Run the interface until the user quits, or a signal ends it; then send what is left, and say what could not be.

    Args:
        client: a client, not yet connected; it is closed in the end.
        is_stored: whether it has a `store=`.
        light: begin with the light colours.

    Returns:
        What was left, and the interface's own code: 0, or another number when it broke.

    Raises:
        MessagingError: it cannot begin: the token or the store cannot be used.
    """
    app: ChatApp | None = None
    try:
        await client.connect(wait=False)
        app = ChatApp(client, is_stored=is_stored, light=light)
        with suppress(NotImplementedError, AttributeError):  # Windows has neither
            for ending in (signal.SIGTERM, signal.SIGHUP):
                asyncio.get_running_loop().add_signal_handler(ending, app.exit)
        await app.run_async()
    finally:
        report = await _close(client)
    _tell(report, is_stored=is_stored)
    return report, app.return_code or 0


async def _close(client: MessagingClient) -> CloseReport:
    waiting = len(client.pending())
    if waiting:
        _say(f"Sending what is left ({waiting}), {PATIENCE:.0f} seconds at most …")
    return await client.aclose(drain=PATIENCE)


def _tell(report: CloseReport, *, is_stored: bool) -> None:
    """Say what may not be on the server, without its words: they do not belong into a terminal's history."""
    for message in report.unsent:
        _say(f"Not certain to be sent ({message.status}): a message of conversation {message.conversation_id}")
    if report.unsent and is_stored:
        _say("What was not refused is kept in the store, and sent by the next client on it.")
    elif report.unsent:
        _say("They are gone from this computer. With --store FILE they would be kept.")


def _say(words: str) -> None:
    with suppress(OSError):  # the terminal may be gone
        sys.stderr.write(f"{plain(words)}\n")
        sys.stderr.flush()
