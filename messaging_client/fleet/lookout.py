"""What an operator wants to see: how much waits, how often events came again, what was set aside."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nats.js import JetStreamContext, api
from nats.js.errors import NotFoundError

from messaging_client.errors import ConfigurationError
from messaging_client.fleet.layout import Layout
from messaging_client.fleet.nats_server import connected
from messaging_client.fleet.streams import consumers
from messaging_client.fleet.troubles import TROUBLES

_MARK = "messaging.partitions"


@dataclass(frozen=True, slots=True)
class FleetStatus:
    """How an account's fleet stands.

    Attributes:
        waiting: events that no worker has had yet, by partition; partitions where none waits are left out.
        in_hand: events that workers have in hand.
        redelivered: of these, events that came more than once.
        dead: events that were set aside.
        stored: events in the stream, waiting or in hand.
        bytes: what they take.
    """

    waiting: Mapping[int, int] = field(default_factory=dict)
    in_hand: int = 0
    redelivered: int = 0
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
        nats_url: of the NATS server, or several.
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
            stream = await js.stream_info(layout.stream)
            dead = await js.stream_info(layout.dead_stream)
        except NotFoundError:
            raise ConfigurationError(f"There is no stream {layout.stream} on this NATS server.") from None
        return await _status(js, layout, stream, dead)
    finally:
        with contextlib.suppress(*TROUBLES):
            await served.close()


async def _status(js: JetStreamContext, layout: Layout, stream: api.StreamInfo, dead: api.StreamInfo) -> FleetStatus:
    names = {layout.consumer(each): each for each in range(int((stream.config.metadata or {}).get(_MARK, "0")))}
    listed = [each for each in await consumers(js, layout) if each.name in names]
    return FleetStatus(
        waiting={names[each.name]: each.num_pending for each in listed if each.num_pending},
        in_hand=sum(each.num_ack_pending or 0 for each in listed),
        redelivered=sum(each.num_redelivered or 0 for each in listed),
        dead=dead.state.messages,
        stored=stream.state.messages,
        bytes=stream.state.bytes,
    )
