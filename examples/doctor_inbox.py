"""A doctor's inbox in the terminal, live: who wrote, how many messages are unread, and the last one of each.

    $ messaging-client serve                        # in another terminal, a server to try it on
    $ export MESSAGING_URL=... MESSAGING_TOKEN=...  # the line that it prints for the doctor
    $ python examples/doctor_inbox.py               # every conversation
    $ python examples/doctor_inbox.py unread        # or ordonnance, examen, consultation
    $ python examples/doctor_inbox.py all dupont    # in which a word is found
    $ python examples/doctor_inbox.py read          # marks everything as read

Ctrl-C ends it.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import Any

from messaging_client import Conversation, Inbox, MessagingClient, MessagingError


def line(conversation: Conversation) -> str:
    who = conversation.patient.display_name if conversation.patient is not None else conversation.title
    last = conversation.last_message
    said = "" if last is None else f": {last.content[:60]}"
    unread = f"({conversation.unread_count})" if conversation.unread_count else ""
    return f"{unread:>5} {who}, {conversation.title}{said}"


async def main(kind: Any, search: str) -> None:
    async with MessagingClient.from_env() as client, client.inbox() as inbox:

        def show(changed: Inbox) -> None:
            print(f"--- {changed.unread_count} unread", *map(line, changed.filter(kind, search)), sep="\n", flush=True)

        if kind == "read":
            before = inbox.unread_count
            await inbox.mark_all_as_read()
            print(f"{before} messages marked as read")
            return
        inbox.filter(kind, search)  # a word that it does not know is refused now, not at the first change
        inbox.on_change(show)
        show(inbox)
        await client.run_forever()


if __name__ == "__main__":
    kind, search, *_ = [*sys.argv[1:], "", ""][:2]
    try:
        with suppress(KeyboardInterrupt):
            asyncio.run(main(kind or "all", search))
    except MessagingError as error:
        sys.exit(str(error))
