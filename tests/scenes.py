"""A scene for tests of sessions and inboxes: a server, and clients of it that are closed at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from messaging_client import ConversationSession, Inbox, MessagingClient, MessagingConfig
from messaging_client.clock import Clock
from messaging_client.testing import ManualClock, ServerOptions
from tests.servers import make_server

PATIENT = ("patient", 5)
DOCTOR = ("medecin", 79)
OTHER_DOCTOR = ("medecin", 80)
TIMEOUT = 20.0  # of a test that fails; a busy machine takes its time
LONG_AGO = datetime(2025, 1, 1, 9, 0, tzinfo=UTC)

User = tuple[str, int]


class Scene:
    """A server with a patient, Marie Dupont, and a doctor, Sakura Saza, who have one conversation.

    Args:
        server_clock: the server's, in place of the machine's.
        server: in place of one of the kind that the running test is for.
        options: which server; keywords of `ServerOptions`.

    Attributes:
        conversation: the conversation of both, about ordonnance 15.
    """

    def __init__(self, *, server_clock: Clock | None = None, server: Any = None, **options: Any) -> None:
        self.server = server or make_server(options=ServerOptions(**options), clock=server_clock)
        self.conversation = 0
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.server)
        self.server.add_user(*PATIENT, prenom="Marie", nom="Dupont")
        self.server.add_user(*DOCTOR, prenom="Sakura", nom="Saza", specialite="Cardiologue")
        self.conversation = await self.server.create_conversation("Messages - Ordonnance 15", [PATIENT, DOCTOR])
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        await self._stack.__aexit__(*exc_info)

    async def client(
        self, user: User = DOCTOR, *, clock: Clock | None = None, connect: bool = True, **settings: Any
    ) -> MessagingClient:
        """A client of a user, connected unless said otherwise; `settings` are fields of `MessagingConfig`."""
        client = MessagingClient(
            self.server.url, token=self.server.token(*user), config=MessagingConfig(**settings), clock=clock
        )
        self._stack.push_async_callback(client.aclose, drain=0)
        if connect:
            await client.connect()
        return client

    async def session(self, client: MessagingClient, conversation_id: int | None = None) -> ConversationSession:
        """An entered session on the conversation, or another one."""
        target = self.conversation if conversation_id is None else conversation_id
        return await self._stack.enter_async_context(client.conversation(target))

    async def inbox(self, client: MessagingClient) -> Inbox:
        """An entered inbox."""
        return await self._stack.enter_async_context(client.inbox())

    async def fill(self, count: int, sender: User = PATIENT, conversation_id: int | None = None) -> None:
        """Store messages `m1`, `m2` and so on, a second apart, long ago, without telling anybody."""
        target = self.conversation if conversation_id is None else conversation_id
        start = len(self.server.messages(target))
        for number in range(start + 1, start + count + 1):
            at = LONG_AGO + timedelta(seconds=number)
            await self.server.say(target, f"m{number}", sender, at=at, broadcast=False)

    async def say(self, content: str, sender: User = PATIENT, **given: Any) -> Any:
        """Store a message in the conversation as if its sender had posted it."""
        return await self.server.say(self.conversation, content, sender, **given)

    def requests(self, operation: str) -> int:
        """How many REST requests of an operation came so far."""
        return sum(each.operation == operation for each in self.server.requests)


async def until(subject: ConversationSession | Inbox, predicate: Callable[[], Any], timeout: float = TIMEOUT) -> None:
    """Return as soon as the predicate holds; it is asked again after each change of a session or an inbox.

    Raises:
        TimeoutError: it did not come to hold in that many real seconds.
    """
    news = asyncio.Event()
    with subject.on_change(lambda _subject: news.set()):
        async with asyncio.timeout(timeout):
            while not predicate():
                await news.wait()
                news.clear()


async def while_time_passes(clock: ManualClock, work: Coroutine[Any, Any, Any]) -> Any:
    """Await something that may wait for the clock, such as the next try of a request."""
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.wait({task}, timeout=0.01)
        await clock.advance(0.25)
    return task.result()


def contents(session: ConversationSession) -> list[str]:
    """The texts of a session's messages, in its order."""
    return [message.content for message in session.messages]


def at_work() -> list[str]:
    """The coroutines that run in tasks of a client, other than those of its connection."""
    running = [task.get_coro() for task in asyncio.all_tasks()]
    where = [(each.cr_code.co_filename, each.__qualname__) for each in running]
    elsewhere = ("/testing/", "/transport/", "/clock.py")
    return sorted(
        name for file, name in where if "/messaging_client/" in file and not any(each in file for each in elsewhere)
    )
