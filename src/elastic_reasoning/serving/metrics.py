"""What the gateway has done since it began, and in the last minute: for Prometheus, and as JSON.

All is counted in the event loop's thread, in plain dictionaries: counting takes no lock, and both forms are made of the
same numbers when they are asked for.
"""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from elastic_reasoning.serving.gate import Gate
from elastic_reasoning.serving.window import Key, Window


@dataclass(frozen=True, slots=True)
class Family:
    """One thing that is counted."""

    name: str
    about: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Histogram:
    """Seconds that are counted by model."""

    name: str
    about: str
    bounds: tuple[float, ...]
    """Upper ones, of buckets."""


REQUESTS = Family("elastic_requests", "Requests that are over, by status of HTTP.", ("model", "status"))
TOKENS = Family("elastic_tokens", "Tokens by phase; given_up is of answers that came to no end.", ("model", "phase"))
GENERATED = Family("elastic_generated_tokens", "Tokens of completions as they come, whatever their phase.", ("model",))
ENDS = Family("elastic_phase_ends", "What ended a phase of a sample.", ("model", "phase", "by"))
DEADLINES = Family("elastic_deadlines", "Deadlines by outcome: kept, missed or refused.", ("model", "outcome"))
REFUSALS = Family("elastic_refusals", "Requests that were not answered, or not to their end.", ("code",))
UPSTREAM_ERRORS = Family("elastic_upstream_errors", "Requests that an upstream failed.", ("model", "code"))
COST = Family("elastic_cost", "What requests have cost.", ("model", "currency"))
COUNTERS = (REQUESTS, TOKENS, GENERATED, ENDS, DEADLINES, REFUSALS, UPSTREAM_ERRORS, COST)

FIRST_TOKEN = Histogram(
    "elastic_time_to_first_token_seconds",
    "From a request to its first token.",
    (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
PER_TOKEN = Histogram(
    "elastic_time_per_token_seconds",
    "From one token of a sample to the next, in the mean of each request.",
    (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1),
)
SECONDS = Histogram(
    "elastic_request_seconds",
    "From a request to the end of its answer.",
    (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300),
)
HISTOGRAMS = (FIRST_TOKEN, PER_TOKEN, SECONDS)


class Metrics(Collector):
    """Counts of one gateway.

    Args:
        gate: knows how many requests are under way, and wait.
        clock: seconds.
    """

    def __init__(self, gate: Gate, clock: Callable[[], float] = time.monotonic) -> None:
        self._gate, self._clock = gate, clock
        self._began = clock()
        self._totals: Counter[Key] = Counter()
        self._buckets: dict[tuple[str, str], list[int]] = {}
        self._minute = Window(clock)
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def add(self, family: Family, *labels: str, amount: float = 1) -> None:
        """Count something: its labels are in the order of the family's."""
        self._add((family.name, *labels), amount)

    def observe(self, histogram: Histogram, model: str, seconds: float) -> None:
        """Count a time."""
        buckets = self._buckets.setdefault((histogram.name, model), [0] * (len(histogram.bounds) + 1))
        buckets[bisect_left(histogram.bounds, seconds)] += 1
        self._add((histogram.name, model), seconds)
        self._add((histogram.name, model, "count"), 1)

    def _add(self, key: Key, amount: float) -> None:
        self._totals[key] += amount  # type: ignore[assignment]
        self._minute.add(key, amount)

    def text(self) -> bytes:
        """All counts, as Prometheus reads them."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """All counts, for the registry of Prometheus."""
        for family in COUNTERS:
            counter = CounterMetricFamily(family.name, family.about, labels=family.labels)
            for name, *labels in [key for key in self._totals if key[0] == family.name]:
                counter.add_metric(labels, self._totals[name, *labels])
            yield counter
        for each in HISTOGRAMS:
            histogram = HistogramMetricFamily(each.name, each.about, labels=("model",))
            for name, model in [key for key in self._buckets if key[0] == each.name]:
                counts = accumulate(self._buckets[name, model])
                bounds = [*map(str, each.bounds), "+Inf"]
                histogram.add_metric([model], list(zip(bounds, counts, strict=True)), self._totals[name, model])
            yield histogram
        yield GaugeMetricFamily("elastic_requests_running", "Requests under way.", self._gate.num_running)
        yield GaugeMetricFamily("elastic_requests_waiting", "Requests that wait.", self._gate.num_waiting)

    def stats(self, models: list[str]) -> dict[str, Any]:
        """Load and counts, since the beginning and in the last minute, for those who watch."""
        minute = self._minute.sums()
        return {
            "uptime_seconds": round(self._clock() - self._began, 1),
            "running": self._gate.num_running,
            "waiting": self._gate.num_waiting,
            "max_running": self._gate.max_running,
            "max_waiting": self._gate.max_waiting,
            "refusals": {"total": _by_label(self._totals, REFUSALS), "minute": _by_label(minute, REFUSALS)},
            "models": {
                model: {"total": _of_model(self._totals, model), "minute": _of_model(minute, model)} for model in models
            },
        }


def _by_label(counts: Counter[Key], family: Family, *first: str) -> dict[str, float]:
    """The counts of a family by its last label, where the labels before it are these."""
    size = len(first) + 2
    return {key[-1]: counts[key] for key in counts if len(key) == size and key[:-1] == (family.name, *first)}


def _of_model(counts: Counter[Key], model: str) -> dict[str, Any]:
    def mean(histogram: Histogram) -> float | None:
        number = counts[histogram.name, model, "count"]
        return round(counts[histogram.name, model] / number, 5) if number else None

    return {
        "requests": _by_label(counts, REQUESTS, model),
        "tokens": _by_label(counts, TOKENS, model),
        "generated_tokens": counts[GENERATED.name, model],
        "thinking_ended_by": _by_label(counts, ENDS, model, "thinking"),
        "solution_ended_by": _by_label(counts, ENDS, model, "solution"),
        "deadlines": _by_label(counts, DEADLINES, model),
        "upstream_errors": sum(_by_label(counts, UPSTREAM_ERRORS, model).values()),
        "cost": sum(_by_label(counts, COST, model).values()),
        "time_to_first_token_seconds": mean(FIRST_TOKEN),
        "time_per_token_seconds": mean(PER_TOKEN),
        "request_seconds": mean(SECONDS),
    }
