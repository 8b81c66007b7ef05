"""Relays: what one client is told goes into a stream, once, however many relays there are."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import nats.errors
from nats.aio.client import Client as Nats
from nats.js import JetStreamContext

from messaging_client.client import MessagingClient
from messaging_client.errors import ConfigurationError
from messaging_client.events import ConversationUpdated, GapDetected, Notification
from messaging_client.fleet.envelopes import NAMES, Event, envelope, packed
from messaging_client.fleet.layout import Layout
from messaging_client.fleet.life import EVENTS, Life
from messaging_client.fleet.shelves import SharedPositions
from messaging_client.fleet.streams import bucket, prepare
from messaging_client.fleet.troubles import TROUBLES
from messaging_client.models import Message
from messaging_client.observing.logs import say
from messaging_client.transport.retry import Backoff

if TYPE_CHECKING:
    from messaging_client.observing.measurements import Reading

_log = logging.getLogger("messaging_client.fleet.relay")

PUBLISH_TIMEOUT = 5.0
"""Seconds for one publish; then it is tried again, and the stream drops the copy."""


@dataclass(frozen=True, slots=True)
class RelayStats:
    """Counters of a relay since it was made.

    Attributes:
        published: events that the stream has taken.
        duplicates: of these, events that another relay had published.
        retries: publishes that had to be tried again.
    """

    published: int = 0
    duplicates: int = 0
    retries: int = 0


class Relay(Life):
    """Publishes everything that a client is told to a JetStream stream, for workers to handle.

    Any number of relays of one account run at once: the stream keeps one copy of each event. Read positions lie on the
    NATS server, so that a relay that starts after an outage reads back what nobody published. While NATS is away or the
    stream is full, the relay waits, and what waits in memory is bounded by the client's `queue_size`.

    Args:
        client: a client of the account, not yet connected, without `store=`; the relay connects and closes it.
        nats_url: of the NATS server, such as `nats://localhost:4222`; several of a cluster in a list, or with commas.
        account: name of the account; one stream for each.
        events: what is relayed besides messages; `ConversationUpdated` and `Notification` can be added.
        partitions: how many partitions conversations are spread over; all relays and workers of an account agree.
        duplicate_window: seconds within which the stream drops copies; longer than the longest pause of a relay.
        max_bytes: size of the stream; when it is full, relays wait.
        replicas: servers of a cluster that keep the stream.
        nats_options: further arguments of `nats.connect`, such as `user_credentials` or `tls`.

    Raises:
        ConfigurationError: an argument is of no use.
    """

    def __init__(
        self,
        client: MessagingClient,
        nats_url: str | list[str],
        account: str,
        *,
        events: Collection[type[Event]] = (GapDetected,),
        partitions: int = 32,
        duplicate_window: float = 120.0,
        max_bytes: int = 1 << 30,
        replicas: int = 1,
        nats_options: dict[str, Any] | None = None,
    ) -> None:
        if not isinstance(client, MessagingClient):
            raise ConfigurationError("client must be a MessagingClient, not yet connected.")
        if not set(events) <= set(NAMES):
            raise ConfigurationError("events can be Message, GapDetected, ConversationUpdated and Notification.")
        self._client = client
        self._events = frozenset(events)
        super().__init__(nats_url, nats_options)
        self._layout = Layout(account, partitions, duplicate_window, max_bytes, replicas)
        self._js: JetStreamContext | None = None
        self._backoff = Backoff(0.5)
        self._chance = random.SystemRandom()
        self._published = self._duplicates = self._retries = 0

    def __repr__(self) -> str:
        return f"<Relay {self._layout.account}>"

    @property
    def client(self) -> MessagingClient:
        """The client whose events are relayed."""
        return self._client

    def stats(self) -> RelayStats:
        """Give the counters, as they are now."""
        return RelayStats(self._published, self._duplicates, self._retries)

    def _readings(self) -> tuple[dict[Reading, int], dict[Reading, int]]:
        counted = {"published": self._published, "duplicate": self._duplicates, "retried": self._retries}
        return {(EVENTS, outcome): number for outcome, number in counted.items()}, {}

    async def _begin(self, served: Nats) -> None:
        client = self._client
        self._js = served.jetstream(timeout=PUBLISH_TIMEOUT)
        server, user = await client._identity()
        await prepare(self._js, self._layout, self._layout.marks(server, user))
        _check_size(served, client._config.max_message_bytes)
        client._keep_positions_in(SharedPositions(await bucket(self._js, self._layout.positions)))
        client.on_new_message(self._relay, own=True)
        if ConversationUpdated in self._events:
            client.on_conversation_update(self._relay)
        if Notification in self._events:
            client.on_notification(self._relay)
        if GapDetected in self._events:
            client.on_gap(self._relay)
        await client.connect()
        await client.join_all()

    async def run(self) -> None:
        """Start, and relay until the client is closed or this is cancelled; then close."""
        async with self:
            await self._client.run_forever()

    async def aclose(self, drain: float = 5.0) -> None:
        """Close the client, publish what it was told, and leave NATS.

        Args:
            drain: seconds for what waits to be published; what is left is read back by the next relay.
        """
        await self._client.aclose(drain)
        await super().aclose(drain)

    async def _relay(self, event: Message | ConversationUpdated | Notification | GapDetected) -> None:
        """Publish an event. Only once the stream has it is it handled, and the read position moves."""
        is_own = False
        if isinstance(event, Message):
            is_own = self._client.is_own(event)
        else:
            await asyncio.sleep(0)  # a notice comes with its message, which nats-py writes to the network meanwhile
        sent = envelope(event, is_own=is_own)
        payload, headers = packed(sent)
        layout = self._layout
        subject = layout.subject(layout.partition_of(sent.conversation_id), sent.name)
        repetition = 0
        while not await self._publish(subject, payload, headers):
            self._retries += 1
            await asyncio.sleep(self._backoff.delay(repetition, self._chance))
            repetition += 1

    async def _publish(self, subject: str, payload: bytes, headers: dict[str, str]) -> bool:
        assert self._js is not None
        try:
            ack = await self._js.publish(subject, payload, headers=headers)
        except nats.errors.MaxPayloadError:
            raise  # checked at the start; told as an error of the handler
        except TROUBLES as error:
            say(_log, logging.WARNING, "event not published yet", error=error)
            return False
        self._published += 1
        self._duplicates += bool(ack.duplicate)
        return True


_AROUND = 40_000  # bytes of a message's JSON besides its content, names and all


def _check_size(served: Nats, largest: int) -> None:
    if served.max_payload < largest + _AROUND:
        raise ConfigurationError(
            f"The NATS server takes {served.max_payload} bytes, and a message may have {largest}: set max_payload in "
            f"its configuration to at least {largest + _AROUND}, or MessagingConfig(max_message_bytes=...) lower."
        )
