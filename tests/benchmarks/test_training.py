"""The arithmetic of the table of trainings, and what is left to do of it."""

from dataclasses import replace
from math import log2, sqrt
from pathlib import Path

import pytest

from elastic_reasoning.records.record import Record
from training import AXES, REFERENCE, RUNS, area, areas_of, if_kept, judged, merged, recipe, waiting, wanted


def record(problem: str, budget: str, sample: int, correct: bool, strategy: str = "elastic") -> Record:
    values = dict.fromkeys(Record.__dataclass_fields__, None)
    given = {"model": "m", "strategy": strategy, "budget": budget, "problem": problem, "sample": sample}
    return Record(**{**values, **given, "correct": correct})  # type: ignore[arg-type]


def test_the_area_is_a_mean_height() -> None:
    assert area({3.0: 0.5, 4.0: 0.5, 7.0: 0.5}) == 0.5
    assert area({0.0: 0.0, 1.0: 1.0, 3.0: 1.0}) == pytest.approx((0.5 + 2) / 3)


def test_areas_are_of_each_problem_and_seed_under_one_strategy() -> None:
    records = [
        record("p", "8+20", 0, False),
        record("p", "32+20", 0, True),
        record("p", "16+20", 0, True),
        record("p", "8+20", 1, True),
        record("p", "16+20", 1, True),
        record("p", "32+20", 1, True),
        record("p", "8+20", 0, True, strategy="s1"),
        record("p", "inf+inf", 0, True),
    ]
    assert areas_of(records, "elastic", AXES["log"]) == {"p": [0.75, 1.0]}
    assert areas_of(records, "elastic", AXES["linear"]) == {"p": [pytest.approx((4 + 16) / 24), 1.0]}
    assert AXES["log"](8.0) == log2(8.0)


def test_an_answer_longer_than_asked_for_can_be_counted_as_wrong() -> None:
    part = {"phase": "solution", "ids": [7] * 28, "sampled": True, "finish": "eos", "text": ""}
    asked = replace(record("p", "8+20", 0, True, strategy="l1-exact"), segments=[part])
    assert if_kept(asked).correct
    assert not if_kept(replace(asked, segments=[part, part])).correct
    assert not if_kept(replace(asked, correct=False)).correct
    assert if_kept(replace(asked, budget="inf+inf", segments=[part, part])).correct


def test_a_difference_is_paired_by_problem() -> None:
    reference = {"p": [0.2, 0.4], "q": [0.6, 0.8]}
    better = {"p": [0.3, 0.5], "q": [0.6, 1.0]}
    found = judged(better, reference)
    assert found["mean"] == pytest.approx(0.6)
    assert found["by_seed"] == pytest.approx([0.45, 0.75])
    assert found["se"] == pytest.approx(0.15)
    assert found["difference"] == pytest.approx(0.1)
    assert found["difference_by_seed"] == pytest.approx([0.05, 0.15])
    assert found["difference_se"] == pytest.approx(0.0, abs=1e-12)  # both problems gain 0.1
    assert found["difference_se_over_seeds"] == pytest.approx(sqrt(2 * 0.05**2) / sqrt(2))
    assert judged(reference, reference)["difference"] == 0


def test_some_runs_bring_the_reference_and_what_they_start_from() -> None:
    assert wanted(None) == list(RUNS)
    assert wanted("mini-l1-max,mini-dler") == [REFERENCE, "mini-l1-exact", "mini-l1-max", "mini-dler"]
    with pytest.raises(SystemExit, match="--runs mini-dlre: known are"):
        wanted("mini-dlre")


def report_of(date: str, *lines: tuple[str, str, float]) -> dict[str, object]:
    return {
        "date": date,
        "seeds": [0, 1],
        "num_problems": 8,
        "lines": [
            {"title": title, "name": name, "date": date, "area": {"log": {"by_seed": [area, area]}}}
            for title, name, area in lines
        ],
    }


def test_lines_that_are_measured_again_take_the_place_of_those_that_stand() -> None:
    kept = report_of("before", ("E1", REFERENCE, 0.5), ("random", "mini-random", 0.6), ("S-GRPO", "mini-s-grpo", 0.1))
    new = report_of("now", ("E1", REFERENCE, 0.5), ("S-GRPO", "mini-s-grpo", 0.2), ("DLER", "mini-dler", 0.3))
    found = merged(new, kept)
    assert found["date"] == "now"
    assert [(line["title"], line["date"]) for line in found["lines"]] == [
        ("E1", "now"),
        ("random", "before"),
        ("S-GRPO", "now"),
        ("DLER", "now"),
    ]


def test_lines_beside_another_reference_are_not_kept() -> None:
    with pytest.raises(SystemExit, match="measure all"):
        merged(report_of("now", ("E1", REFERENCE, 0.4)), report_of("before", ("E1", REFERENCE, 0.5)))


def test_what_is_left_to_do(tmp_path: Path) -> None:
    pieces = list(waiting(tmp_path, [0, 1], wanted(None)).items())
    assert len(pieces) == 2 * (1 + len(RUNS))
    assert pieces[0] == ("0/base", None)
    assert all(before is None or before in dict(pieces[:number]) for number, (_, before) in enumerate(pieces))
    (tmp_path / "seed-1" / "mini-grpo").mkdir(parents=True)
    (tmp_path / "seed-1" / "mini-grpo" / "done").touch()
    assert "1/mini-grpo" not in waiting(tmp_path, [0, 1], wanted(None))


@pytest.mark.parametrize("name", RUNS)
def test_every_run_has_a_recipe_and_a_start(name: str) -> None:
    config = recipe(name)
    assert config.task.name == "arithmetic"
    assert RUNS[name].start in ("base", *RUNS)
