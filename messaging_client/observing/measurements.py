"""Numbers for OpenTelemetry: of all clients of the process together, read when somebody collects them.

What is counted anyway is read from the clients' own counters, so that counting costs nothing more; durations are told
as they come. Collecting is done in a thread of the SDK's, so that only what a thread may read is read there. Clients
are not kept alive; the numbers of one that is gone stay in the sums, which never go down.
"""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from opentelemetry.metrics import Observation

from messaging_client._version import __version__

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, MeterProvider

_SYSTEM = {"messaging.system": "messaging_client"}
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)

Reading = tuple[str, str]
"""Name of an instrument, and the value of its one attribute, or an empty text."""

COUNTERS: dict[str, tuple[str | None, str, str]] = {
    "messaging.client.sent.messages": ("messaging_client.outcome", "{message}", "Sends that have ended."),
    "messaging.client.consumed.messages": (None, "{message}", "Messages told to subscribers."),
    "messaging_client.events": ("messaging_client.event", "{event}", "Events that came over the socket."),
    "messaging_client.duplicates": (None, "{message}", "Messages that came again and were recognised."),
    "messaging_client.late": (None, "{message}", "Messages told after a newer one."),
    "messaging_client.reconnections": (None, "{connection}", "Connections after the first."),
    "messaging_client.gaps": (None, "{gap}", "Stretches that could not be proven complete."),
    "messaging_client.handler_errors": (None, "{error}", "Exceptions of handlers."),
    "messaging_client.fleet.events": (
        "messaging_client.outcome",
        "{event}",
        "What relays and workers did with events.",
    ),
    "messaging_client.cache.reads": ("messaging_client.cache.result", "{read}", "Reads, by hit and miss."),
}
"""By name: its attribute, its unit, and what it is."""

GAUGES: dict[str, tuple[str | None, str, str]] = {
    "messaging_client.queued": ("messaging_client.queue", "{event}", "Events waiting, in all queues and the longest."),
    "messaging_client.pending": (None, "{message}", "Messages not certain to be on the server."),
    "messaging_client.fleet.waiting": ("messaging_client.partition", "{event}", "Events that no worker has had yet."),
}


class Measured(Protocol):
    """A client, relay or worker, to those who measure it."""

    def _readings(self) -> tuple[dict[Reading, int], dict[Reading, int]]:
        """Counters and gauges; called in any thread."""
        ...


class Measurements:
    """The instruments of one provider, for all clients of the process.

    Args:
        meters: where they are made, once.
    """

    def __init__(self, meters: MeterProvider) -> None:
        self._lock = threading.Lock()
        self._past: Counter[Reading] = Counter()
        self._clients: list[tuple[weakref.ref[Any], dict[Reading, int]]] = []
        meter = meters.get_meter("messaging_client", __version__)
        self._send = meter.create_histogram(
            "messaging.client.operation.duration",
            "s",
            "From handing a message in until its end.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._request = meter.create_histogram(
            "messaging_client.request.duration",
            "s",
            "REST requests, repetitions included.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        for name, (attribute, unit, text) in COUNTERS.items():
            meter.create_observable_counter(name, [self._observed(name, attribute, 0)], unit, text)
        for name, (attribute, unit, text) in GAUGES.items():
            meter.create_observable_gauge(name, [self._observed(name, attribute, 1)], unit, text)

    def watch(self, client: Measured) -> None:
        """Measure a client, as long as somebody else holds it."""
        with self._lock:
            self._clients.append((weakref.ref(client), {}))

    def closed(self, client: Measured) -> None:
        """Keep the last numbers of a client that is closed."""
        with self._lock:
            for ref, _ in tuple(self._clients):
                if ref() is client:
                    self._past.update(client._readings()[0])
                    self._clients = [each for each in self._clients if each[0] is not ref]

    def send_took(self, seconds: float, outcome: str, error: BaseException | None) -> None:
        """A message has come to its end."""
        named = {"messaging.operation.name": "send", "messaging_client.outcome": outcome, **_of_error(error)}
        self._send.record(seconds, _SYSTEM | named)

    def request_took(self, seconds: float, operation: str, outcome: str, error: BaseException | None) -> None:
        """A request has ended."""
        named = {"messaging_client.operation": operation, "messaging_client.outcome": outcome, **_of_error(error)}
        self._request.record(seconds, _SYSTEM | named)

    def _observed(
        self, name: str, attribute: str | None, which: int
    ) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            return [
                Observation(number, _SYSTEM if attribute is None else {**_SYSTEM, attribute: value})
                for (each, value), number in self._read()[which].items()
                if each == name
            ]

        return observe

    def _read(self) -> tuple[Counter[Reading], Counter[Reading]]:
        """Add up all clients, and forget those that are gone."""
        gauges: Counter[Reading] = Counter()
        with self._lock:
            kept = []
            for ref, last in self._clients:
                client: Measured | None = ref()
                if client is None:
                    self._past.update(last)
                    continue
                counted, now = client._readings()
                kept.append((ref, counted))
                for reading, number in now.items():
                    is_one = reading[1] == "longest" or reading[0] == "messaging_client.fleet.waiting"
                    gauges[reading] = max(gauges[reading], number) if is_one else gauges[reading] + number
            self._clients = kept
            counters = Counter(self._past)
            for _, last in kept:
                counters.update(last)
        return counters, gauges


def _of_error(error: BaseException | None) -> dict[str, str]:
    return {} if error is None else {"error.type": type(error).__name__}


_known: weakref.WeakKeyDictionary[MeterProvider, Measurements] = weakref.WeakKeyDictionary()
_making = threading.Lock()


def measurements_of(meters: MeterProvider) -> Measurements:
    """Give the instruments of a provider, which are made once."""
    with _making:
        if meters not in _known:
            _known[meters] = Measurements(meters)
        return _known[meters]
