"""The life of a relay or a worker on one NATS server."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from nats.aio.client import Client as Nats
from nats.js.errors import APIError

from messaging_client.errors import ConnectFailed
from messaging_client.fleet.nats_server import connected, leave
from messaging_client.fleet.troubles import PATIENCE, TROUBLES
from messaging_client.observing.telemetry import measurements_for

if TYPE_CHECKING:
    from messaging_client.observing.measurements import Reading

EVENTS, WAITING = "messaging_client.fleet.events", "messaging_client.fleet.waiting"


class Life:
    """A context manager that is on a NATS server from its start to its end.

    Args:
        nats_url: of the NATS server; several of a cluster in a list, or with commas between them.
        nats_options: further arguments of `nats.connect`.
    """

    def __init__(self, nats_url: str | list[str], nats_options: dict[str, Any] | None) -> None:
        self._nats_url = nats_url
        self._nats_options = nats_options or {}
        self._nats: Nats | None = None
        self._measurements = measurements_for(self)

    async def start(self) -> None:
        """Connect to NATS, and begin. If that fails, all is closed that was opened, a relay's client included.

        Raises:
            ConfigurationError: the stream is not there, has other settings, or is another account's.
            ConnectFailed: NATS, or a relay's messaging server, cannot be reached.
            MessagingError: a relay's client cannot connect.
        """
        try:
            self._nats = await connected(self._nats_url, self._nats_options)
            try:
                await self._begin(self._nats)
            except TROUBLES as error:
                raise ConnectFailed(_not_begun(error)) from None
        except BaseException:
            await self.aclose(drain=0)
            raise

    async def aclose(self, drain: float = 10.0) -> None:
        """Leave NATS."""
        if self._measurements is not None:
            self._measurements.closed(self)
        served, self._nats = self._nats, None
        if served is not None:
            await leave(served)

    async def _begin(self, served: Nats) -> None:
        """Do what follows the connection."""
        raise NotImplementedError

    def _readings(self) -> tuple[dict[Reading, int], dict[Reading, int]]:
        """Give counters and gauges for OpenTelemetry; called in any thread."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _not_begun(error: BaseException) -> str:
    answer = error.description if isinstance(error, APIError) else None
    if answer is None:
        return (
            f"NATS did not answer what the start needs within {PATIENCE:g} s ({type(error).__name__}); is JetStream "
            "enabled, and the server well?"
        )
    return (
        f"NATS does not do what the start needs, and says: {answer}. In a cluster, making the streams of an account "
        "needs as many servers as they are to have replicas."
    )
