"""Providers of OpenTelemetry's own SDK that keep what they are told in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from scenes import TIMEOUT, Scene

from messaging_client import MessagingClient
from messaging_client.observing import telemetry


async def joined(scene: Scene, client: MessagingClient) -> None:
    """Return once the server has a client in the room of the scene's conversation."""
    await client.join_conversation(scene.conversation)
    await scene.server.wait_until(lambda: scene.server.members(scene.conversation), TIMEOUT)


async def eventually(predicate: Callable[[], Any]) -> None:
    """Return once something holds that nobody announces."""
    async with asyncio.timeout(TIMEOUT):
        while not predicate():  # noqa: ASYNC110 - a span that ends says so to nobody
            await asyncio.sleep(0.005)


class Told:
    """What clients tell OpenTelemetry.

    Attributes:
        tracer: one of the program's own.
    """

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracers, self.meters = TracerProvider(), MeterProvider([self._reader])
        self.tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = self.tracers.get_tracer("the program")

    def spans(self, name: str = "") -> list[ReadableSpan]:
        """Spans that have ended, in that order, of a name that begins so."""
        return [each for each in self._exporter.get_finished_spans() if each.name.startswith(name)]

    def points(self, name: str) -> dict[str, Any]:
        """Data points of an instrument, by the values of their own attributes."""
        found: dict[str, Any] = {}
        data = self._reader.get_metrics_data()
        for resource in [] if data is None else data.resource_metrics:
            for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
                for point in metric.data.data_points if metric.name == name else ():
                    attributes = dict(point.attributes or {})
                    assert attributes.pop("messaging.system") == "messaging_client"
                    found[" ".join(map(str, attributes.values()))] = point
        return found

    def numbers(self, name: str) -> dict[str, Any]:
        """The values of those."""
        return {key: point.value for key, point in self.points(name).items()}

    def everything(self) -> str:
        """All that would leave the process."""
        data = self._reader.get_metrics_data()
        return "".join(span.to_json() for span in self.spans()) + ("" if data is None else data.to_json())


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    """Clients made in the test tell OpenTelemetry what they do, as if the program had set these providers."""
    told = Told()
    monkeypatch.setattr(telemetry, "set_up_providers", lambda: (told.tracers, told.meters))
    yield told
    told.tracers.shutdown()
    told.meters.shutdown()
