"""An OpenTelemetry span for each request, where a collector is configured in the environment.

OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 elastic serve --model mini-e1

Names are those of the semantic conventions: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from elastic_reasoning.serving.access import Access
from elastic_reasoning.serving.logs import MOST_LETTERS

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
INSTALL = "pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"
OPERATIONS = {"/v1/completions": "text_completion"}
"""Paths at which something else than a chat goes on."""

logger = logging.getLogger(__name__)


class Tracing:
    """Sends spans.

    Args:
        provider: has been told where to; closed with this.
    """

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("elastic_reasoning.serving")
        self._propagator = TraceContextTextMapPropagator()

    def record(self, access: Access) -> None:
        """Make a span of a request that is over, within the client's own where it has named one."""
        from opentelemetry.trace import SpanKind, Status, StatusCode

        end = time.time_ns()
        operation = OPERATIONS.get(access.path, "chat")
        span = self._tracer.start_span(
            f"{operation} {access.model}" if access.model else operation,
            self._propagator.extract({"traceparent": access.traceparent}),
            SpanKind.SERVER,
            _attributes(access, operation),
            start_time=end - int((time.monotonic() - access.arrived) * 1e9),
        )
        if access.error is not None and access.error.status >= 500:
            span.set_status(Status(StatusCode.ERROR, access.error.code))
        span.end(end)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


def _attributes(access: Access, operation: str) -> dict[str, Any]:
    account = access.account
    told = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": "elastic",
        "gen_ai.request.model": access.model,
        "gen_ai.response.id": access.id,
        "gen_ai.response.finish_reasons": access.finish_reasons,
        "gen_ai.usage.input_tokens": access.usage.prompt,
        "gen_ai.usage.output_tokens": access.usage.completion,
        "url.path": access.path[:MOST_LETTERS],
        "http.response.status_code": access.status,
        "error.type": access.error and (access.error.code or str(access.error.status)),
        "elastic.key": access.key.name,
        "elastic.thinking_budget": account.get("budget", {}).get("thinking"),
        "elastic.solution_budget": account.get("budget", {}).get("solution"),
        "elastic.thinking_tokens": access.usage.reasoning,
        "elastic.thinking_ended_by": account.get("thinking_ended_by"),
        "elastic.solution_ended_by": account.get("solution_ended_by"),
        "elastic.cost": account.get("cost", {}).get("total"),
    }
    return {name: value for name, value in told.items() if value not in (None, "", ())}


def open_tracing(environment: Mapping[str, str]) -> Tracing | None:
    """Tracing as the environment says it; without a collector in it, nothing is imported.

    Args:
        environment: as `os.environ`.
    """
    if not any(environment.get(name) for name in ENDPOINTS):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        logger.warning("no spans are sent to the collector that is configured: %s", INSTALL)
        return None
    resource = Resource.create({"service.name": environment.get("OTEL_SERVICE_NAME") or "elastic-gateway"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)
