"""Exports a conversation to a JSON and a CSV file, with a progress bar.

    $ pip install "messaging-client[cli]"           # rich draws the bar
    $ export MESSAGING_URL=... MESSAGING_TOKEN=...  # of somebody who takes part in it
    $ python examples/export_conversation.py 15 [FOLDER]

makes conversation-15.json and conversation-15.csv, oldest message first, readable by their owner only: they hold what a
patient wrote. Files that are there already are replaced once the export is complete, and stay as they are if it is not.
"""

from __future__ import annotations

import asyncio
import csv
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from messaging_client import Id, Message, MessagingClient, MessagingError

COLUMNS = ("id", "timestamp", "sender_type", "sender_id", "sender_name", "type", "status", "read_at", "content")


def row(message: Message) -> dict[str, str | int | None]:
    """Give what is exported of a message."""
    return {
        "id": message.id,
        "timestamp": message.timestamp.isoformat(),
        "sender_type": message.sender.type.value,
        "sender_id": message.sender.id,
        "sender_name": message.sender.name,
        "type": message.type.value,
        "status": message.status.value,
        "read_at": message.read_at.isoformat() if message.read_at is not None else None,
        "content": message.content,
    }


def for_a_spreadsheet(value: str | int | None) -> str | int | None:
    """Mark text that a spreadsheet would take for a formula: it comes from somebody else."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def write(path: Path, fill: Callable[[IO[str]], None]) -> None:
    """Write a file of the owner's alone, under its name only when it is complete."""
    partial = path.with_name(path.name + ".part")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8", newline="") as file:
        fill(file)
    partial.replace(path)


def write_all(messages: list[Message], conversation_id: Id, folder: Path) -> tuple[Path, Path]:
    """Write both files, and give their paths."""
    rows = [row(message) for message in messages]

    def as_json(file: IO[str]) -> None:
        json.dump({"conversation_id": conversation_id, "messages": rows}, file, ensure_ascii=False, indent=2)
        file.write("\n")

    def as_csv(file: IO[str]) -> None:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows({name: for_a_spreadsheet(value) for name, value in each.items()} for each in rows)

    paths = folder / f"conversation-{conversation_id}.json", folder / f"conversation-{conversation_id}.csv"
    write(paths[0], as_json)
    write(paths[1], as_csv)
    return paths


async def read(client: MessagingClient, conversation_id: Id, progress: Progress) -> list[Message]:
    """Read every message, oldest first."""
    first = await client.get_conversation_messages(conversation_id, limit=1)
    task = progress.add_task("reading", total=first.pagination.total)  # a bar without an end where it is not known
    messages = []
    async for message in client.iter_messages(conversation_id):
        messages.append(message)
        progress.advance(task)
    messages.reverse()  # they came newest first
    return messages


async def main(conversation_id: Id, folder: Path) -> None:
    client = MessagingClient.from_env()  # it reads over HTTP: there is no need to connect
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    try:
        with Progress(*columns, console=Console(stderr=True)) as progress:
            messages = await read(client, conversation_id, progress)
    finally:
        await client.aclose()
    for path in write_all(messages, conversation_id, folder):
        print(f"{len(messages)} messages in {path}")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: export_conversation.py CONVERSATION [FOLDER]")
    try:
        with suppress(KeyboardInterrupt):
            asyncio.run(main(sys.argv[1], Path(sys.argv[2] if len(sys.argv) == 3 else ".")))
    except (MessagingError, OSError) as error:
        sys.exit(str(error))
