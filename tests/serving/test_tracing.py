"""Spans of requests, as a collector receives them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from elastic_reasoning.serving.tracing import open_tracing
from fake_servers import fake_vllm, serving
from serving.upstreams import before, chat, fake_mini

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@contextmanager
def collecting() -> Iterator[tuple[str, list[bytes]]]:
    """A collector on loopback: its address, and what it was sent."""
    received: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", received
        finally:
            server.shutdown()
            thread.join()


def test_a_request_is_a_span_within_the_clients_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting() as (endpoint, received):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        with serving(lambda: fake_vllm(fake_mini(), plug_in=True)) as server, before(server.url) as root:
            headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
            answer = httpx2.post(f"{root}/v1/chat/completions", json=chat(), headers=headers, timeout=30).json()
    [body] = received
    [span] = ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans
    told = {each.key: each.value for each in span.attributes}
    assert (span.name, span.trace_id.hex(), span.parent_span_id.hex()) == ("chat mini-e1", TRACE, PARENT)
    assert told["gen_ai.usage.output_tokens"].int_value == answer["usage"]["completion_tokens"]
    assert told["elastic.thinking_budget"].int_value == 8
    assert span.end_time_unix_nano > span.start_time_unix_nano


def test_without_a_collector_there_are_no_spans() -> None:
    assert open_tracing({}) is None
