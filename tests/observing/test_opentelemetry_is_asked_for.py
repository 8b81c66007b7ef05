"""opentelemetry is used by programs that have set it up, and is neither imported nor needed by others."""

from __future__ import annotations

import subprocess
import sys

import pytest

SEND = """
import sys
from messaging_client.sync import MessagingClient
from messaging_client.testing import BackgroundServer

with BackgroundServer() as server, MessagingClient(server.url, token=server.token("patient", 5)) as client:
    with client.open_conversation("ordonnance", 15, medecin_id=79) as session:
        session.send("Bonjour")
    assert client.stats().confirmed == 1
"""
LOADED = "print(sorted(each for each in sys.modules if each.split('.')[0] == 'opentelemetry'))"
MISSING = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "opentelemetry":
            raise ImportError(name)

sys.meta_path.insert(0, Missing())
"""
SET_UP = """
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)
metrics.set_meter_provider(MeterProvider([reader]))
"""
TOLD = """
print({each.name for each in spans.get_finished_spans()} >= {"messaging.connect", "messaging.send"})
print("messaging.client.sent.messages" in reader.get_metrics_data().to_json())
"""
API_ONLY = "import opentelemetry.trace, opentelemetry.metrics\n"


def run(program: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("before", ["", MISSING], ids=["installed", "missing"])
def test_it_is_not_imported_by_itself(before: str) -> None:
    assert run(before + SEND + LOADED).split() == ["[]"]


def test_it_is_used_where_the_program_has_set_it_up() -> None:
    assert run(SET_UP + SEND + TOLD).split() == ["True", "True"]


def test_what_its_own_switch_turns_off_is_off() -> None:
    printed = run(SET_UP + SEND + "print(spans.get_finished_spans())", OTEL_SDK_DISABLED="true")
    assert printed.split() == ["()"]


def test_the_interface_alone_changes_nothing() -> None:
    program = API_ONLY + SEND + "print([each for each in sys.modules if each.endswith('observing.measurements')])"
    assert run(program).split() == ["[]"]
