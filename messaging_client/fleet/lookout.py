"""What an operator wants to see: how much waits, how often events came again, what was set aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nats.js import JetStreamContext, api
from nats.js.errors import NotFoundError

from messaging_client.errors import ConnectFailed
from messaging_client.fleet.layout import Layout
from messaging_client.fleet.nats_server import connected, leave
from messaging_client.fleet.streams import consumers, no_stream
from messaging_client.fleet.troubles import TROUBLES


@dataclass(frozen=True, slots=True)
class FleetStatus:
    """How an account's fleet stands.

    Attributes:
        waiting: events that no worker has had yet, by partition; partitions where none waits are left out.
        in_hand: events that workers have in hand.
        redelivered: of these, events that came more than once.
        redeliveries: deliveries of an event after its first, since the stream was made.
        dead: events that were set aside.
        stored: events in the stream, waiting or in hand.
        bytes: what they take.
    """

    waiting: Mapping[int, int] = field(default_factory=dict)
    in_hand: int = 0
    redelivered: int = 0
    redeliveries: int = 0
    dead: int = 0
    stored: int = 0
    bytes: int = 0

    @property
    def lag(self) -> int:
        """Events that no worker has had yet."""
        return sum(self.waiting.values())


async def fleet_status(
    nats_url: str | list[str], account: str, *, nats_options: dict[str, Any] | None = None
) -> FleetStatus:
    """Ask a NATS server how an account's fleet stands.

    Args:
        nats_url: of the NATS server; several of a cluster in a list, or with commas between them.
        account: name of the account.
        nats_options: further arguments of `nats.connect`.

    Returns:
        The status, as it is now.

    Raises:
        ConfigurationError: there is no stream of that account.
        ConnectFailed: NATS cannot be reached.
    """
    layout = Layout(account)
    served = await connected(nats_url, nats_options or {})
    try:
        js = served.jetstream(timeout=5)
        try:
            stream = await js.stream_info(layout.stream, subjects_filter=layout.subject("*", "*"))
            dead = await js.stream_info(layout.dead_stream)
            return await _status(js, layout, stream, dead)
        except NotFoundError:
            raise no_stream(layout) from None
        except TROUBLES as error:
            raise ConnectFailed(f"NATS does not answer ({type(error).__name__}); is JetStream enabled?") from None
    finally:
        await leave(served)


async def _status(js: JetStreamContext, layout: Layout, stream: api.StreamInfo, dead: api.StreamInfo) -> FleetStatus:
    listed = {each.name: each for each in await consumers(js, layout)}
    waiting: Counter[int] = Counter()
    for subject, count in (stream.state.subjects or {}).items():
        waiting[layout.partition_in(subject)] += count
    for partition in waiting:
        if taken := listed.get(layout.consumer(partition)):
            waiting[partition] -= taken.num_ack_pending or 0
    in_hand = sum(each.num_ack_pending or 0 for each in listed.values())
    # An event leaves with its acknowledgement: those that have left or are in hand have had a first delivery.
    first = stream.state.last_seq - stream.state.messages + in_hand
    deliveries = sum(each.delivered.consumer_seq for each in listed.values() if each.delivered)
    return FleetStatus(
        waiting=dict(+waiting),
        in_hand=in_hand,
        redelivered=sum(each.num_redelivered or 0 for each in listed.values()),
        redeliveries=max(0, deliveries - first),
        dead=dead.state.messages,
        stored=stream.state.messages,
        bytes=stream.state.bytes,
    )
