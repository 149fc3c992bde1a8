import random
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, stdev

import pytest

from elastic_reasoning.analysis.calibrate import SHARES, calibrate, ratio
from elastic_reasoning.analysis.effort import EFFORTS, ModelEfforts
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import RecordsError, UsageError
from elastic_reasoning.records.manifest import Manifest
from elastic_reasoning.records.record import Record
from make_records import make_manifest, make_records


def folder(records: Sequence[Record], split: str = "test") -> tuple[Manifest, Sequence[Record]]:
    return replace(make_manifest(0), split=split), records


def made(accuracies: dict[str, float], num_problems: int = 200, seed: int = 0) -> list[Record]:
    """Records of one model whose every sample is right with the chance given for its budget."""
    rng = random.Random(seed)
    records = make_records(num_problems, 2, budgets=list(accuracies), models=["mini"], strategies=["elastic"])
    return [
        replace(record, correct=rng.random() < accuracies[record.budget])
        for record in records
        if record.strategy == "elastic"
    ]


CURVE = {"8+20": 0.1, "16+20": 0.5, "24+20": 0.75, "32+20": 0.79, "48+20": 0.8, "160+20": 0.8}


def budgets(found: ModelEfforts) -> dict[str, str]:
    return {name: effort.budget for name, effort in found.efforts.items()}


def test_the_cheapest_budget_that_keeps_the_share() -> None:
    exact = [replace(record, correct=hash_share(record) < CURVE[record.budget]) for record in made(CURVE)]
    assert budgets(calibrate(folder(exact, "validation"))) == {"low": "24+20", "medium": "32+20", "high": "48+20"}
    shares = {"max": 100.0, "minimal": 50.0, "xhigh": 99.0}
    found = calibrate(folder(exact, "validation"), shares)
    assert list(budgets(found).items()) == [("minimal", "16+20"), ("xhigh", "48+20"), ("max", "48+20")]
    assert found.best is not None
    assert (found.best.budget, found.best.accuracy, found.best.is_largest) == ("48+20", 0.8, False)
    assert calibrate(folder([r for r in exact if r.budget != "160+20"]), shares).best.is_largest  # type: ignore[union-attr]


def hash_share(record: Record) -> float:
    """From 0 to 1, evenly over the problems and the same under every budget."""
    return (int(record.problem.removeprefix("chain-")) + 0.5) / 200


def test_it_is_measured_on_other_problems_than_it_was_chosen_on() -> None:
    records = made(CURVE)
    found = calibrate(folder(records), folder="sweep")
    source = found.source
    assert source is not None
    assert (source.held_out, source.num_chosen_on, source.num_measured_on, source.records) == (True, 100, 100, "sweep")
    for effort in found.efforts.values():
        known = effort.measured
        assert known is not None
        assert known.interval[0] < known.accuracy < known.interval[1]
        assert known.share_interval[0] <= known.share_of_best <= known.share_interval[1]
        assert known.num_samples == 400
        t, s = (part or 0 for part in (Budget.parse(effort.budget).thinking, Budget.parse(effort.budget).solution))
        lengths = (known.thinking_tokens, known.solution_tokens)
        for each, most in zip(lengths, (t, s), strict=True):
            assert 0 <= each.p50 <= each.p90 <= each.p95 <= each.p99 <= each.p99_5 <= most
        mine = [record for record in records if record.budget == effort.budget]
        assert known.budget_hit_rate == round(fmean(record.budget_hit for record in mine), 4)


def test_efforts_never_cost_less_than_lesser_ones() -> None:
    for seed in range(10):
        rng = random.Random(seed)
        found = calibrate(folder(made({f"{t}+20": rng.uniform(0.2, 0.6) for t in (4, 8, 12, 16, 20)}, 40, seed)))
        totals = [Budget.parse(budget).total or 0 for budget in budgets(found).values()]
        assert totals == sorted(totals)


def test_the_winners_luck_is_not_reported() -> None:
    """Of equal budgets the luckiest is the best; elsewhere the cheapest keeps what there is to keep: all of it."""
    equal = {f"{t}+20": 0.5 for t in range(10, 26)}
    shares = []
    for seed in range(30):
        known = calibrate(folder(made(equal, 60, seed))).efforts["low"].measured
        assert known is not None
        shares.append(known.share_of_best)
    assert fmean(shares) == pytest.approx(1.0, abs=0.1)


def test_the_error_of_a_ratio_is_that_of_its_draws() -> None:
    rng = random.Random(0)

    def drawn() -> tuple[list[list[float]], list[list[float]]]:
        chances = [rng.random() for _ in range(100)]  # hard problems are hard under both budgets
        most = [[float(rng.random() < chance) for _ in range(2)] for chance in chances]
        return [[each * (rng.random() < 0.8) for each in problem] for problem in most], most

    found = [ratio(*drawn()) for _ in range(400)]
    assert fmean(share for share, _ in found) == pytest.approx(0.8, abs=0.01)
    assert stdev(share for share, _ in found) == pytest.approx(fmean(se for _, se in found), rel=0.15)
    assert ratio([[0.0], [0.0]], [[0.0], [0.0]]) == (1.0, 0.0)


def test_what_cannot_be_asked_is_refused() -> None:
    run = folder(made({"8+20": 0.5}, 8))
    for shares, message in (
        ({"hihg": 99.0}, "unknown effort 'hihg': did you mean 'high'"),
        ({"none": 10.0}, "unknown effort 'none'"),
        ({"low": 0.0}, "low 0: must be percent of the best accuracy, above 0 and up to 100"),
        ({"low": 101.0}, "low 101: must be"),
        ({"low": float("nan")}, "low nan: must be"),
        ({"high": 80.0, "low": 90.0}, "low 90 is above high 80"),
        ({}, "no shares"),
    ):
        with pytest.raises(UsageError, match=message):
            calibrate(run, shares)
    with pytest.raises(UsageError, match="no records of nobody under elastic"):
        calibrate(run, SHARES, "nobody")
    with pytest.raises(RecordsError, match="has no right answer on the 4 problems to choose on"):
        calibrate(folder(made({"8+20": 0.0}, 8)))
    assert set(SHARES) < set(EFFORTS)
