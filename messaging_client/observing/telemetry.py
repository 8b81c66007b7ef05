"""Spans and measurements of OpenTelemetry, for programs that have set it up.

Nothing of opentelemetry is imported here before the program itself has imported it, and found only if a provider is set
that does something. Attributes are ids, counts, states and names of classes, never what people wrote, what they are
called, or a token: exceptions are told by their class, for their text may hold content.
"""

from __future__ import annotations

import contextvars
import inspect
import logging
import os
import sys
from collections.abc import Awaitable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from messaging_client._version import __version__
from messaging_client.models import Message
from messaging_client.observing.logs import say
from messaging_client.observing.observer import Handler, Observer, Sending, request_outcome, send_outcome

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, Tracer, TracerProvider

    from messaging_client.observing.measurements import Measured, Measurements

_log = logging.getLogger("messaging_client.telemetry")

SYSTEM = "messaging_client"
Attribute = str | bool | int


def observer_for_client() -> Observer:
    """Give the observer of a new client: one that tells OpenTelemetry if the program has set that up."""
    tracers, meters = set_up_providers()
    if tracers is None and meters is None:
        return Observer()
    return telemetry(tracers, meters)


def set_up_providers() -> tuple[TracerProvider | None, MeterProvider | None]:
    """Give the providers that the program has set; None for what it has not set, or has turned off."""
    disabled = os.environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "")
    if SYSTEM in (each.strip() for each in disabled.split(",")):
        return None, None
    trace, metrics = sys.modules.get("opentelemetry.trace"), sys.modules.get("opentelemetry.metrics")
    tracers = None if trace is None else trace.get_tracer_provider()
    meters = None if metrics is None else metrics.get_meter_provider()
    return (None if _does_nothing(tracers) else tracers), (None if _does_nothing(meters) else meters)


def measurements_for(measured: Measured) -> Measurements | None:
    """Measure a relay or worker from now on, if the program has set up a provider of meters."""
    _, meters = set_up_providers()
    if meters is None:
        return None
    from messaging_client.observing.measurements import measurements_of

    found = measurements_of(meters)
    found.watch(measured)
    return found


def telemetry(tracers: TracerProvider | None, meters: MeterProvider | None) -> Observer:
    """Give an observer that tells these."""
    from messaging_client.observing.measurements import measurements_of

    tracer = None if tracers is None else tracers.get_tracer(SYSTEM, __version__)
    return Telemetry(None if _does_nothing(tracer) else tracer, None if meters is None else measurements_of(meters))


def _does_nothing(given: object) -> bool:
    """Whether this is one of the stand-ins that come with the API, which record nothing."""
    return given is None or type(given).__module__.startswith(("opentelemetry.trace", "opentelemetry.metrics"))


class Telemetry(Observer):
    """Tells OpenTelemetry what the client does.

    Args:
        tracer: makes spans; None for none.
        measurements: of all clients of the process; None for none.
    """

    def __init__(self, tracer: Tracer | None, measurements: Measurements | None) -> None:
        super().__init__()
        self._tracer = tracer
        self._measurements = measurements

    # --- sends -------------------------------------------------------------------------------------------------------

    def send_began(self, sending: Sending, *, is_restored: bool = False) -> None:
        """Begin the span of a message within its caller's, linked to the one of an earlier try."""
        super().send_began(sending, is_restored=is_restored)
        attributes: dict[str, Attribute] = {
            "messaging.operation.type": "send",
            "messaging.operation.name": "send",
            "messaging.destination.name": str(sending.conversation_id),
            "messaging.message.conversation_id": str(sending.conversation_id),
            "messaging_client.client_message_id": sending.client_message_id,
            "messaging_client.restored": is_restored,
        }
        context = _nowhere() if is_restored else None
        sending.observed = self._start("messaging.send", "PRODUCER", attributes, context, earlier=sending.observed)

    def send_ended(
        self, sending: Sending, seconds: float, error: BaseException | None, *, is_uncertain: bool = False
    ) -> None:
        """End the span of a message, and measure how long it took."""
        super().send_ended(sending, seconds, error, is_uncertain=is_uncertain)
        outcome = send_outcome(error, is_uncertain=is_uncertain)
        if self._measurements is not None:
            with _harmless():
                self._measurements.send_took(seconds, outcome, error)
        self._end_send(sending, outcome, error)

    def send_parted(self, sending: Sending, error: BaseException | None) -> None:
        """End the span of a message that this client does not send any more."""
        self._end_send(sending, "unsent", error)

    def _end_send(self, sending: Sending, outcome: str, error: BaseException | None) -> None:
        attributes: dict[str, Attribute] = {
            "messaging_client.outcome": outcome,
            "messaging_client.attempts": sending.attempts,
        }
        if sending.stored_id is not None:
            attributes["messaging.message.id"] = str(sending.stored_id)
        _end(sending.observed, error, attributes)

    def within_send(self, sending: Sending) -> AbstractContextManager[None]:
        """Make the span of a message the present one, whoever's task sends it."""
        return super().within_send(sending) if sending.observed is None else _current(sending.observed)

    # --- REST requests -----------------------------------------------------------------------------------------------

    def request_began(self, operation: str) -> Any:
        """Begin the span of a request."""
        super().request_began(operation)
        return self._start(f"messaging.request {operation}", "CLIENT", {"messaging_client.operation": operation})

    def request_ended(
        self, began: Any, operation: str, seconds: float, *, error: BaseException | None, status: int | None, tries: int
    ) -> None:
        """End the span of a request, and measure how long it took."""
        super().request_ended(began, operation, seconds, error=error, status=status, tries=tries)
        outcome = request_outcome(error)
        if self._measurements is not None:
            with _harmless():
                self._measurements.request_took(seconds, operation, outcome, error)
        attributes: dict[str, Attribute] = {"messaging_client.outcome": outcome, "messaging_client.attempts": tries}
        if status is not None:
            attributes["http.response.status_code"] = status
        _end(began, error, attributes)

    # --- the connection ----------------------------------------------------------------------------------------------

    def here(self) -> Any:
        """Give the present context."""
        from opentelemetry.context import get_current

        return get_current()

    def context(self) -> contextvars.Context | None:
        """Copy the present context without its span, which ends long before the connection does."""
        from opentelemetry.context import attach

        copied = contextvars.copy_context()
        copied.run(attach, _nowhere())
        return copied

    def attempt_began(self, number: int, *, is_again: bool, asked: Any) -> Any:
        """Begin the span of an attempt: within that of whoever asks, or of nobody's."""
        name = "messaging.reconnect" if is_again else "messaging.connect"
        context = _nowhere() if asked is None else asked
        return self._start(name, "CLIENT", {"messaging_client.attempt": number}, context)

    def attempt_ended(self, began: Any, error: BaseException | None) -> None:
        """End the span of an attempt."""
        _end(began, error)

    # --- handlers ----------------------------------------------------------------------------------------------------

    def around(self, handler: Handler, kind: str) -> Handler:
        """Call a handler within a span of its own; what it does is done within that."""
        if self._tracer is None:
            return handler

        def observed(*args: Any) -> Any:
            span = self._start("messaging.process", "CONSUMER", _of_event(kind, args), _nowhere())
            if span is None:
                return handler(*args)
            try:
                with _current(span):
                    result = handler(*args)
            except BaseException as error:
                _end(span, error)
                raise
            if inspect.isawaitable(result):
                return _awaited(result, span)
            _end(span, None)
            return result

        return observed

    def _start(
        self,
        name: str,
        kind: str,
        attributes: dict[str, Attribute],
        context: Context | None = None,
        *,
        earlier: Span | None = None,
    ) -> Span | None:
        """Begin a span; None without a tracer, or where it fails."""
        if self._tracer is None:
            return None
        from opentelemetry.trace import Link, SpanKind

        links = () if earlier is None else (Link(earlier.get_span_context()),)
        given = {"messaging.system": SYSTEM, **attributes}
        span: Span | None = None
        with _harmless():
            span = self._tracer.start_span(name, context, SpanKind[kind], given, links)
        return span  # noqa: RET504 - None if that has raised

    # --- the client --------------------------------------------------------------------------------------------------

    def watch(self, client: Any) -> None:
        """Measure a client."""
        if self._measurements is not None:
            self._measurements.watch(client)

    def closed(self, client: Any) -> None:
        """Keep the last numbers of a client."""
        if self._measurements is not None:
            self._measurements.closed(client)


async def _awaited(result: Awaitable[Any], span: Span) -> Any:
    """Wait for what a handler does, within its span."""
    try:
        with _current(span):
            value = await result
    except BaseException as error:
        _end(span, error)
        raise
    _end(span, None)
    return value


def _of_event(kind: str, args: tuple[Any, ...]) -> dict[str, Attribute]:
    """Attributes of an event that is given to a handler."""
    found: dict[str, Attribute] = {
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging_client.event": kind,
    }
    event = args[0] if args else None
    conversation_id = getattr(event, "conversation_id", None)
    if conversation_id is not None:
        found["messaging.destination.name"] = found["messaging.message.conversation_id"] = str(conversation_id)
    if isinstance(event, Message):
        found["messaging.message.id"] = str(event.id)
        found["messaging_client.late"] = event.late
    return found


def _end(span: Span | None, error: BaseException | None, attributes: dict[str, Attribute] | None = None) -> None:
    """End a span; of an error its class alone is told."""
    if span is None:
        return
    from opentelemetry.trace import Status, StatusCode

    with _harmless():
        span.set_attributes(attributes or {})
        if error is not None:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(Status(StatusCode.ERROR))
        span.end()


@contextmanager
def _harmless() -> Iterator[None]:
    """Whatever a tracer, a processor or an exporter raises is logged: no message may be lost for it."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - see above
        say(_log, logging.ERROR, "telemetry raised", error=error)


@contextmanager
def _current(span: Span) -> Iterator[None]:
    """Make a span the present one; unlike `use_span` it never writes down an exception."""
    from opentelemetry.context import attach, detach
    from opentelemetry.trace import set_span_in_context

    token = attach(set_span_in_context(span))
    try:
        yield
    finally:
        detach(token)


def _nowhere() -> Context:
    from opentelemetry.context import Context

    return Context()
