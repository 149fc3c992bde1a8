"""What is counted, as Prometheus reads it and as JSON."""

from prometheus_client.parser import text_string_to_metric_families

from elastic_reasoning.serving.access import Access
from elastic_reasoning.serving.errors import ApiError
from elastic_reasoning.serving.events import Ended, Finished, Started, Usage
from elastic_reasoning.serving.gate import Gate
from elastic_reasoning.serving.meter import Meter
from elastic_reasoning.serving.metrics import COUNTERS, HISTOGRAMS, Metrics
from elastic_reasoning.serving.prices import Price
from elastic_reasoning.untrusted.json import convert

PRICE = convert({"input": 1, "cached": "0.25", "output": 2}, Price)
ACCOUNT = {
    "thinking_tokens": 8,
    "solution_tokens": 4,
    "forced_tokens": 1,
    "thinking_ended_by": "money",
    "solution_ended_by": "model",
    "deadline": {"kept": True},
}


class Clock:
    """Seconds, as a test sets them."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def answered(clock: Clock, metrics: Metrics, whole: bool = True) -> Meter:
    """An answer of thirteen tokens within two seconds, the first after half a second; or half of it."""
    meter = Meter(Access(model="m", arrived=clock.now), PRICE, "EUR", metrics, clock)
    meter.see(Started(100, {}))
    clock.now += 0.5
    meter.took(1)
    clock.now += 1.5
    if whole:
        meter.took(12)
        usage = Usage(100, 40, 13, 8)
        meter.see(Ended(0, "stop", usage, ACCOUNT))
        meter.see(Finished(usage, {}))
    meter.over()
    return meter


def values(metrics: Metrics) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(metrics.text().decode())
    return {(each.name, *sorted(each.labels.values())): each.value for family in families for each in family.samples}


def test_an_answer_is_counted_by_phase_and_by_what_ended_it() -> None:
    clock = Clock()
    metrics = Metrics(Gate(4, 2), clock)
    answered(clock, metrics)
    found = values(metrics)
    counted = {"".join({*key[1:]} - {"m"}): value for key, value in found.items() if key[0] == "elastic_tokens_total"}
    assert counted == {"prompt": 100, "cached": 40, "thinking": 8, "solution": 4, "forced": 1, "given_up": 0}
    assert found["elastic_phase_ends_total", "m", "money", "thinking"] == 1
    assert found["elastic_deadlines_total", "kept", "m"] == 1
    assert found["elastic_cost_total", "EUR", "m"] == (60 * 1 + 40 * 0.25 + 13 * 2) / 10**6
    assert found["elastic_time_to_first_token_seconds_bucket", "0.5", "m"] == 1
    assert found["elastic_time_to_first_token_seconds_bucket", "0.25", "m"] == 0
    assert found["elastic_time_per_token_seconds_sum", "m"] == 1.5 / 12
    assert found["elastic_requests_running",] == 0


def test_what_is_given_up_is_counted_and_paid_for() -> None:
    clock = Clock()
    metrics = Metrics(Gate(4, 2), clock)
    meter = answered(clock, metrics, whole=False)
    assert meter.used == Usage(100, 0, 1)
    assert values(metrics)["elastic_tokens_total", "given_up", "m"] == 1


def test_what_fails_before_its_first_token_costs_nothing() -> None:
    metrics = Metrics(Gate(4, 2))
    meter = Meter(Access(model="m"), PRICE, "EUR", metrics)
    meter.see(Started(100, {}))
    meter.lost(ApiError(503, "gone"))
    assert (meter.used, meter.cost.total) == (Usage(), 0)


def test_the_last_minute_is_forgotten_when_it_is_over() -> None:
    clock = Clock()
    metrics = Metrics(Gate(4, 2), clock)
    answered(clock, metrics)
    model = metrics.stats(["m"])["models"]["m"]
    assert model["minute"] == model["total"]
    assert model["total"]["time_to_first_token_seconds"] == 0.5
    clock.now += 61
    model = metrics.stats(["m"])["models"]["m"]
    assert (model["minute"]["tokens"], model["total"]["tokens"]["thinking"]) == ({}, 8)


def test_every_family_says_what_it_is_about_under_one_prefix() -> None:
    families = (*COUNTERS, *HISTOGRAMS)
    assert all(family.about and family.name.startswith("elastic_") for family in families)
    assert len({family.name for family in families}) == len(families)
