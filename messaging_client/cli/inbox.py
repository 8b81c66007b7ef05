"""`messaging-client inbox`."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from messaging_client.cli.exit_codes import ExitCode
from messaging_client.cli.options import ServerArguments
from messaging_client.cli.output import console, in_utc, is_for_people, json_line, note, say, tabbed
from messaging_client.harmless import printable
from messaging_client.inbox import Kind
from messaging_client.models import Conversation, Participant, User

_NAMES_TIMEOUT = 2.0  # seconds that names get which the list itself does not give
_COLUMNS = (("", 6), ("Id", 12), ("With", 22), ("About", 18), ("When", 10), ("Last message", 0))
"""Heads, and how wide a column may be; the last one takes what is left."""


async def show_inbox(server: ServerArguments, *, kind: Kind, search: str, as_json: bool) -> int:
    """Print the user's conversations, the most recently active first."""
    client = server.client()
    try:
        inbox = client.inbox()
        changed = asyncio.Event()
        inbox.on_change(lambda _inbox: changed.set())
        await inbox.refresh()
        if not _are_named(inbox.conversations):
            changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), _NAMES_TIMEOUT)
        found = inbox.filter(kind, search)
        user = client.current_user
        await inbox.close()
    finally:
        await client.aclose()
    if as_json:
        for each in found:
            say(json_line(as_object(each, user)))
    elif is_for_people():
        _show_table(found, user)
    else:
        for each in found:
            say(tabbed(_fields(each, user)))
    if not found:
        note("No conversation." if kind == "all" and not search else "No conversation matches.")
    return ExitCode.OK


def as_object(conversation: Conversation, user: User) -> dict[str, Any]:
    """Give a conversation as `--json` prints it."""
    last = conversation.last_message
    return {
        "conversation_id": conversation.id,
        "title": conversation.title,
        "context_type": str(conversation.context_type),
        "context_id": conversation.context_id,
        "status": str(conversation.status),
        "unread_count": conversation.unread_count,
        "with": [_person(each) for each in _others(conversation, user)],
        "last_activity": in_utc(conversation.last_activity),
        "last_message": None
        if last is None
        else {
            "content": last.content,
            "timestamp": in_utc(last.timestamp),
            "sender": _person(last.sender),
        },
    }


def _person(person: Participant) -> dict[str, Any]:
    return {"type": str(person.type), "id": person.id, "name": person.display_name}


def _others(conversation: Conversation, user: User) -> list[Participant]:
    return [each for each in conversation.participants if not each.is_same_person(user)]


def _are_named(conversations: tuple[Conversation, ...]) -> bool:
    return all(person.is_named for each in conversations for person in each.participants)


def _fields(conversation: Conversation, user: User) -> tuple[object, ...]:
    """What a line says, for programs."""
    last = conversation.last_message
    return (
        conversation.id,
        conversation.unread_count,
        ", ".join(each.display_name for each in _others(conversation, user)),
        conversation.title,
        in_utc(conversation.last_activity) or "",
        last.content if last else "",
    )


def _show_table(conversations: tuple[Conversation, ...], user: User) -> None:
    if not conversations:
        return
    screen = console()
    rows = [_cells(each, user) for each in conversations]
    # Decided here: rich shares the room out among all columns, and takes it from the short ones too.
    widths = [
        min(most, max(cell_len(cell) for cell in (head, *column)))
        for (head, most), column in zip(_COLUMNS, zip(*rows, strict=True), strict=True)
    ]
    widths[-1] = max(10, screen.width - sum(widths[:-1]) - 2 * (len(_COLUMNS) - 1))
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for (head, _), width in zip(_COLUMNS, widths, strict=True):
        table.add_column(head, width=width, no_wrap=True, overflow="ellipsis")
    for each, cells in zip(conversations, rows, strict=True):
        style = "bold" if each.unread_count else ""
        table.add_row(*(Text(cell, style=style) for cell in cells))
    screen.print(table)


def _cells(conversation: Conversation, user: User) -> tuple[str, ...]:
    """What a row of the table shows."""
    number, unread, people, title, _, content = map(printable, _fields(conversation, user))
    about = title.removeprefix("Messages - ")
    return (f"● {unread}" if conversation.unread_count else "", number, people, about, _when(conversation), content)


def _when(conversation: Conversation) -> str:
    """The time of day where it is today, else the date; both local."""
    if conversation.last_activity is None:
        return ""
    local = conversation.last_activity.astimezone()
    return f"{local:%H:%M}" if local.date() == datetime.now().astimezone().date() else f"{local:%Y-%m-%d}"
