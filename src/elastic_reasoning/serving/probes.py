"""What operators and their machines ask: whether the gateway lives, is ready, and what it does."""

import time
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from elastic_reasoning.serving.access import Access
from elastic_reasoning.serving.front import access_of
from elastic_reasoning.serving.gateway import Gateway
from elastic_reasoning.serving.logs import log_access
from elastic_reasoning.serving.metrics import DEADLINES, REFUSALS, REQUESTS, SECONDS, UPSTREAM_ERRORS, Metrics
from elastic_reasoning.serving.prices import amount, as_number
from elastic_reasoning.serving.tracing import Tracing

HEALTH, READY, METRICS, STATS = "/health", "/ready", "/metrics", "/v1/elastic/stats"
QUIET = frozenset((HEALTH, READY, METRICS, STATS))
"""Paths that are asked all the time: of no interest in logs."""


def add_probes(app: FastAPI, gateway: Gateway) -> None:
    """Add what operators ask for to an application."""
    metrics, ledger = gateway.admission.metrics, gateway.admission.ledger

    @app.get(HEALTH)
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get(READY, responses={503: {"description": "Why it is not ready."}})
    async def ready() -> JSONResponse:
        why = gateway.unready()
        return JSONResponse({"status": why or "ok"}, 503 if why else 200)

    @app.get(METRICS, response_class=PlainTextResponse)
    async def prometheus() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    @app.get(STATS)
    async def stats(request: Request) -> dict[str, Any]:
        key = access_of(request).key
        today = ledger.totals(key.name)
        limit = None if key.daily_limit is None else as_number(amount(key.daily_limit))
        today_said = {**today, "cost": as_number(today["cost"]), "daily_limit": limit}
        return {**metrics.stats(list(gateway.backends)), "currency": gateway.config.currency, "today": today_said}


def over(metrics: Metrics, tracing: Tracing | None) -> Callable[[Access], None]:
    """What is told of each request when it is over: it is counted, logged, and made a span."""

    def note(access: Access) -> None:
        if access.path in QUIET:
            return
        _count(metrics, access)
        log_access(access)
        if tracing is not None:
            tracing.record(access)

    return note


def _count(metrics: Metrics, access: Access) -> None:
    error, model = access.error, access.model
    if model:
        metrics.add(REQUESTS, model, str(access.status))
        metrics.observe(SECONDS, model, time.monotonic() - access.arrived)
    if error is None:
        return
    metrics.add(REFUSALS, error.code or str(error.status))
    if error.code in ("deadline_infeasible", "deadline_busy"):
        metrics.add(DEADLINES, model, "refused")
    elif error.status in (502, 503) and error.code != "shutting_down":
        metrics.add(UPSTREAM_ERRORS, model, error.code)
