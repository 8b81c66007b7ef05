"""The clients of a storm: a process of several, who send what is theirs to send and note what they see."""

from __future__ import annotations

import asyncio
import logging
import random
import signal
import sys
from collections import defaultdict
from collections.abc import Iterable
from multiprocessing.connection import Connection
from typing import Any

from messaging_client import Message, MessagingClient, MessagingConfig
from messaging_client.errors import MessagingError, SendUncertain
from messaging_client.outbox import Outgoing
from messaging_client.store import Cursor
from messaging_client.testing.tokens import mint_token
from tests.chaos.plan import SECRET, Journal, Plan, User, content_of, read_journal

AT_A_TIME = 3  # messages of a client under way in a conversation
PAUSE = 0.02  # seconds between two messages, at most


def run_clients(plan: Plan, process: int, life: int, pipe: Connection) -> None:
    """Live as some of the clients until killed. A word starts the sending, another ends all; SIGUSR1 shows tasks."""
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of every write to a socket that was cut
    asyncio.run(_live(plan, process, life, pipe))


async def _live(plan: Plan, process: int, life: int, pipe: Connection) -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, _show_tasks)
    members = [_Member(plan, user, life) for user in plan.users_of(process)]
    await asyncio.gather(*(member.begin() for member in members))
    pipe.send("ready")
    await asyncio.to_thread(pipe.recv)
    working = asyncio.gather(*(member.send_all() for member in members))
    word = asyncio.ensure_future(asyncio.to_thread(pipe.recv))
    await asyncio.wait({working, word}, return_when=asyncio.FIRST_COMPLETED)
    if working.done():
        working.result()
        pipe.send("sent")
    await word
    for member in members:
        await member.client.aclose(drain=5)
    pipe.send("closed")


def _show_tasks() -> None:
    for task in asyncio.all_tasks():
        task.print_stack(file=sys.stderr)


class _Member:
    """One client."""

    def __init__(self, plan: Plan, user: User, life: int) -> None:
        self._plan = plan
        self._user = user
        self._life = life
        self._chance = random.Random(f"{plan.seed} {user} {life}")
        self._journal = Journal(plan.journal_of(user))
        self._numbers: dict[str, int] = {}
        self._next = {number: 0 for number, pair in enumerate(plan.pairs) if user in pair}
        self._accepted = dict.fromkeys(self._next, 0)
        for what, *values in read_journal(plan.journal_of(user)):
            if what == "intends":
                self._next[values[0]] = values[1] + 1
            elif what == "accepted":
                self._accepted[values[0]] += 1
                self._numbers[values[2]] = values[1]
        config = MessagingConfig(
            server_idempotency=plan.honours_keys,
            request_timeout=5.0,
            connect_timeout=5.0,
            reconnection_delay=0.1,
            reconnection_delay_max=0.5,
            reconnection_round_interval=1.0,
            fallback_poll_interval=1.0,
            verify_interval=2.0,
            settle_delay=0.5,
        )
        token = mint_token(SECRET, *user, expires_in=86_400)
        self.client = MessagingClient(plan.url, token=token, config=config, store=plan.store_of(user))
        self._kept: dict[int, set[Any]] = defaultdict(set)
        store = self.client._store
        assert store is not None
        self._save_cursors = store.save_cursors
        store.save_cursors = self._note_kept  # type: ignore[method-assign]

    async def begin(self) -> None:
        """Connect and be in every room; what an earlier life left is watched."""
        self._journal.write("begins", self._life)
        self.client.on_new_message(self._see)
        await self.client.connect(wait=False)
        for outgoing in self.client._outbox.pending():
            conversation, key = int(outgoing.conversation_id) - 1, outgoing.client_message_id
            if key not in self._numbers:
                # Accepted, and then killed before that was written here: it can only be what was intended last.
                number = self._next[conversation] - 1
                self._note_accepted(conversation, number, key)
            self._journal.write("takes up", conversation, self._numbers[key])
            self._watch(outgoing)
        while True:
            try:
                await self.client.join_all()
            except MessagingError:
                await asyncio.sleep(0.2)  # the server is down just now
            else:
                return

    async def send_all(self) -> None:
        """Send until everything was accepted, in all conversations at a time, and until it is certain."""
        await asyncio.gather(*(self._send_in(conversation) for conversation in self._next))
        await self.client._outbox.drain(3600)

    async def _send_in(self, conversation: int) -> None:
        under_way: set[asyncio.Future[Message]] = set()
        while self._accepted[conversation] < self._plan.quota(conversation):
            # A number that was intended when a life ended may have been sent: it is not used again.
            number = self._next[conversation]
            self._next[conversation] += 1
            self._journal.write("intends", conversation, number)
            content = content_of(self._user, conversation, number)
            (outgoing,) = await self.client._submit(conversation + 1, (content,), "texte", None, None)
            self._note_accepted(conversation, number, outgoing.client_message_id)
            self._watch(outgoing)
            under_way.add(outgoing.done)
            if len(under_way) >= AT_A_TIME:
                _, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(self._chance.uniform(0, PAUSE))

    def _note_accepted(self, conversation: int, number: int, key: str) -> None:
        self._journal.write("accepted", conversation, number, key)
        self._accepted[conversation] += 1
        self._numbers[key] = number

    def _watch(self, outgoing: Outgoing) -> None:
        conversation, number = int(outgoing.conversation_id) - 1, self._numbers[outgoing.client_message_id]

        def note(done: asyncio.Future[Message]) -> None:
            error = done.exception()
            if error is None:
                self._journal.write("confirmed", conversation, number, done.result().id)
            else:
                what = "uncertain" if isinstance(error, SendUncertain) else "failed"
                self._journal.write(what, conversation, number, type(error).__name__)

        outgoing.done.add_done_callback(note)

    def _see(self, message: Message) -> None:
        conversation = int(message.conversation_id or 0) - 1
        self._journal.write("sees", conversation, message.id, message.content, message.late)

    async def _note_kept(self, cursors: Iterable[Cursor]) -> None:
        """Note which messages may not come again, once that is on the disk."""
        saved = list(cursors)
        await self._save_cursors(saved)
        for cursor in saved:
            conversation = int(cursor.conversation_id) - 1
            stands_for = {*cursor.ids, *cursor.seen}
            more, less = stands_for - self._kept[conversation], self._kept[conversation] - stands_for
            self._kept[conversation] = stands_for
            self._journal.write("kept", conversation, cursor.newest_id, sorted(more), sorted(less))
