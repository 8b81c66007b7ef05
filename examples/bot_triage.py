"""A triage bot for a doctor's account: it answers patients out of hours, and points out what cannot wait.

    $ messaging-client serve                        # in another terminal, a server to try it on
    $ export MESSAGING_URL=... MESSAGING_TOKEN=...  # the line that it prints for the doctor
    $ python examples/bot_triage.py [--days 1-5] [--hours 8-18] [--timezone Europe/Paris] [--store FILE]

While the practice is open it says nothing: the doctor answers. When it is closed, a patient is told so once for each
closing, in each conversation, whether the bot was restarted meanwhile or not; a message with a word that sounds urgent
is always answered with the emergency number. The list of words is an example, not medical advice. Ctrl-C ends it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from messaging_client import HandlerError, Message, MessagingClient, MessagingError, UserType

CLOSED = "Le cabinet est fermé. Votre message sera lu à la réouverture. En cas d'urgence, appelez le 15 ou le 112."
URGENT = "Si c'est une urgence, n'attendez pas de réponse ici : appelez tout de suite le 15 ou le 112."
URGENT_WORDS = ("urgent", "urgence", "etouffe", "saigne", "inconscient", "douleur thoracique", "suicid")


@dataclass(frozen=True)
class Practice:
    """When the practice is open: from the first to the last day (Monday is 1), from one hour to the other."""

    days: range
    hours: range
    zone: ZoneInfo

    def is_open(self, at: datetime) -> bool:
        """Whether somebody answers at that time."""
        local = at.astimezone(self.zone)
        return local.isoweekday() in self.days and local.hour in self.hours

    def closed_since(self, at: datetime) -> datetime:
        """Give the hour at which the present closing began; a week before where it is never open."""
        hour = at.astimezone(self.zone).replace(minute=0, second=0, microsecond=0)
        for _ in range(7 * 24):
            if self.is_open(hour - timedelta(hours=1)):
                break
            hour -= timedelta(hours=1)
        return hour


def sounds_urgent(text: str) -> bool:
    """Whether a word of the list is in the text, whatever its accents and capitals."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(each for each in plain if not unicodedata.combining(each))
    return any(word in plain for word in URGENT_WORDS)


async def was_told(client: MessagingClient, conversation_id: int | str, since: datetime) -> bool:
    """Whether the conversation holds the notice since then: what the server has outlives the bot."""
    async for message in client.iter_messages(conversation_id):  # the newest first
        if message.timestamp < since:
            return False
        if client.is_own(message) and message.content == CLOSED:
            return True
    return False


async def main(practice: Practice, store: str | None) -> None:
    async with MessagingClient.from_env(store=store) as client:

        @client.on_new_message
        async def triage(message: Message) -> None:
            # The time of the message counts: one that was read back after a restart may be from another day.
            if message.sender.type is not UserType.PATIENT or message.conversation_id is None:
                return
            if practice.is_open(message.timestamp):
                return
            if sounds_urgent(message.content):
                answer = URGENT
            elif not await was_told(client, message.conversation_id, practice.closed_since(message.timestamp)):
                answer = CLOSED
            else:
                return
            await client.send_message_to_conversation(message.conversation_id, answer)
            kind = "urgent" if answer is URGENT else "closed"
            print(f"answered message {message.id} in conversation {message.conversation_id}: {kind}", flush=True)

        @client.on_error
        def report(error: HandlerError) -> None:
            print(f"{error.handler} failed: {type(error.error).__name__}: {error.error}", file=sys.stderr)

        await client.join_all()
        print(f"ready, as {client.current_user.type} {client.current_user.id}", flush=True)
        await client.run_forever()


def from_to(text: str) -> tuple[int, int]:
    """Read `8-18`."""
    first, _, last = text.partition("-")
    if not (first.isdecimal() and last.isdecimal()):
        raise argparse.ArgumentTypeError("give two numbers with a dash between: 1-5 for days, 8-18 for hours")
    return int(first), int(last)


def zone(text: str) -> ZoneInfo:
    """Find a time zone by its name."""
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        advice = "give a name such as Europe/Paris, and where no name is known: pip install tzdata"
        raise argparse.ArgumentTypeError(advice) from None


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Answers patients when the practice is closed.")
    parser.add_argument("--days", type=from_to, default=(1, 5), metavar="1-5", help="open days, Monday is 1")
    parser.add_argument("--hours", type=from_to, default=(8, 18), metavar="8-18", help="open from 8:00 until 18:00")
    parser.add_argument("--timezone", type=zone, default="Europe/Paris", help="where the practice is")
    parser.add_argument("--store", metavar="FILE", help="an SQLite file: what was written meanwhile is looked at, too")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        given = parsed()
        practice = Practice(range(given.days[0], given.days[1] + 1), range(*given.hours), given.timezone)
        with suppress(KeyboardInterrupt):
            asyncio.run(main(practice, given.store))
    except MessagingError as error:
        sys.exit(str(error))
