"""A sweep as units: what each problem lacks, and nothing else."""

import pickle

from elastic_reasoning.evaluation.config import SweepConfig, settings
from elastic_reasoning.evaluation.units import Plan
from elastic_reasoning.tasks.task import Problem

CONFIG = SweepConfig(models=("mini",), strategies=("elastic",), budgets=("8+20", "24+20"), samples=2)
PROBLEMS = [Problem(name, ({"role": "user", "content": name},), "1") for name in "ab"]
PLAN = Plan(CONFIG, PROBLEMS, settings(CONFIG))


def keys(unit) -> list:
    return [(unit.model, s, str(b), unit.problem.id, sample) for sample, (s, b, _) in unit.asked]


def test_a_unit_is_all_that_is_asked_of_one_problem_with_its_samples_outside() -> None:
    units = list(PLAN.units("mini", set()))
    assert [unit.problem.id for unit in units] == ["a", "b"]
    assert [(sample, str(setting[1])) for sample, setting in units[0].asked] == [
        (0, "8+20"),
        (0, "24+20"),
        (1, "8+20"),
        (1, "24+20"),
    ]
    assert sum(len(unit.asked) for unit in units) == PLAN.num_each


def test_what_is_done_is_not_asked_again() -> None:
    first, second = PLAN.units("mini", set())
    done = {*keys(first), keys(second)[1]}
    assert PLAN.num_done("mini", done) == 5
    [left] = PLAN.units("mini", done)
    assert keys(left) == [keys(second)[0], *keys(second)[2:]]
    assert PLAN.num_done("mini-e1", done) == 0


def test_a_unit_travels() -> None:
    [first, _] = PLAN.units("mini", set())
    assert pickle.loads(pickle.dumps(first)) == first
