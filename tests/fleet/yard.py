"""What tests of relays and workers have in common: one account, its people, and whoever runs."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Awaitable, Callable
from typing import Any

from nats.aio.client import Client as Nats
from nats.js import JetStreamContext

from messaging_client import Message, MessagingClient, MessagingConfig
from messaging_client.fleet import Delivery, Relay, Worker
from messaging_client.fleet.nats_server import connected
from messaging_client.testing import MessagingServer

PATIENT, DOCTOR = ("patient", 5), ("medecin", 79)
_NUMBERS = itertools.count()


class Yard:
    """One account on one messaging server and one NATS server."""

    def __init__(self, server: MessagingServer, nats_url: str) -> None:
        self.server = server
        self.nats_url = nats_url
        self.account = f"bot-{os.getpid()}-{next(_NUMBERS)}"
        self.seen: list[tuple[str, int]] = []
        self._clients: list[MessagingClient] = []
        self._connections: list[Nats] = []

    def client(self, user: tuple[str, int] = DOCTOR, **settings: Any) -> MessagingClient:
        config = MessagingConfig(server_idempotency=True, **settings)
        made = MessagingClient(self.server.url, token=self.server.token(*user), config=config)
        self._clients.append(made)
        return made

    async def conversation(self, number: int = 15, patient: tuple[str, int] = PATIENT) -> int:
        return int(await self.server.create_conversation(f"Messages - Ordonnance {number}", [patient, DOCTOR]))

    def relay(self, **arguments: Any) -> Relay:
        return Relay(arguments.pop("client", None) or self.client(), self.nats_url, self.account, **arguments)

    def worker(self, handler: Callable[..., Awaitable[None]] | None = None, **arguments: Any) -> Worker:
        arguments.setdefault("client", self.client())
        return Worker(self.nats_url, self.account, handler or self.see, **arguments)

    async def see(self, message: Message, delivery: Delivery) -> None:
        """A handler that remembers what it was given."""
        self.seen.append((message.content, delivery.number))

    async def until_seen(self, *contents: str) -> None:
        await until(lambda: [each for each, _ in self.seen][: len(contents)] == list(contents), lambda: self.seen)

    async def jetstream(self) -> JetStreamContext:
        connection = await connected(self.nats_url, {})
        self._connections.append(connection)
        return connection.jetstream()

    async def stored(self, *, dead: bool = False) -> int:
        name = f"messaging-{self.account}" + ("-dead" if dead else "")
        return int((await (await self.jetstream()).stream_info(name)).state.messages)

    async def until_stored(self, count: int, *, dead: bool = False) -> None:
        async with asyncio.timeout(20):
            while await self.stored(dead=dead) != count:  # noqa: ASYNC110 - another process has no event here
                await asyncio.sleep(0.02)

    def contents(self, conversation: int) -> list[str]:
        return [str(each["contenu"]) for each in self.server.messages(conversation)]

    async def __aenter__(self) -> Yard:
        return self

    async def __aexit__(self, *_: object) -> None:
        for each in self._connections:
            await each.close()
        for client in self._clients:
            await client.aclose(drain=0)


async def until(is_so: Callable[[], bool], state: Callable[[], object] = lambda: "") -> None:
    """Wait until something is so; tells the state if it never is."""
    try:
        async with asyncio.timeout(20):
            while not is_so():  # noqa: ASYNC110 - what is waited for is of many kinds
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"not so: {state()}") from None
