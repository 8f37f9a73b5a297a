import subprocess
import sys

from opentelemetry.sdk.trace import TracerProvider

from xmirad.client.credentials import Credentials

PLAIN = """
import sys
from xmirad.client.credentials import Credentials
assert [key for key, _ in Credentials().metadata("ab")] == ["x-request-id"], Credentials().metadata("ab")
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
"""


def test_a_call_within_a_trace_names_it() -> None:
    with TracerProvider(shutdown_on_exit=False).get_tracer("test").start_as_current_span("asking") as span:
        sent = dict(Credentials().metadata("ab"))
    assert sent["traceparent"].split("-")[1] == f"{span.get_span_context().trace_id:032x}"
    assert "traceparent" not in dict(Credentials().metadata("ab"))


def test_a_program_that_does_not_trace_sends_and_imports_nothing_of_it() -> None:
    subprocess.run([sys.executable, "-c", PLAIN], check=True)
