import pytest

from configs import sweep_config
from elastic_reasoning.core.errors import StrategyError, UsageError
from elastic_reasoning.core.request import Options
from elastic_reasoning.evaluation.config import (
    MINIATURE_BUDGETS,
    PUBLISHED_BUDGETS,
    SweepConfig,
    budgets_of,
    deciding,
    models_of,
    settings,
)


def names(config: SweepConfig) -> list[tuple[str, str]]:
    return [(strategy, str(budget)) for strategy, budget, _ in settings(config)]


# What is measured.


def test_settings_that_do_the_same_are_one() -> None:
    config = sweep_config(
        strategies=("elastic", "nothinking", "unconstrained", "elastic"), budgets=("8+20", "16+20", "8+4", " 08 + 20 ")
    )
    assert names(config) == [
        ("elastic", "8+20"),
        ("elastic", "16+20"),
        ("elastic", "8+4"),
        ("nothinking", "0+20"),
        ("nothinking", "0+4"),
        ("unconstrained", "inf+inf"),
    ]


def test_each_strategy_is_told_what_it_understands() -> None:
    options = {"answer_tokens": 4, "wrap_up": "so", "num_waits": 1}
    config = sweep_config(strategies=("elastic", "s1", "vanilla", "nothinking"), budgets=("8+20",), options=options)
    told = {strategy: options for strategy, _, options in settings(config)}
    assert told == {
        "elastic": Options(wrap_up="so"),
        "s1": Options(answer_tokens=4, num_waits=1),
        "vanilla": Options(),
        "nothinking": Options(wrap_up="so"),
    }


def test_a_grid_has_every_pair_and_stands_beside_named_budgets() -> None:
    config = sweep_config(budgets=("64+8",), thinking=("0", "8", "inf"), solution=("4", "20"))
    assert list(map(str, budgets_of(config))) == ["64+8", "0+4", "8+4", "inf+4", "0+20", "8+20", "inf+20"]


@pytest.mark.parametrize(("task", "budgets"), [("arithmetic", MINIATURE_BUDGETS), ("aime24", PUBLISHED_BUDGETS)])
def test_without_budgets_the_task_has_its_own(task: str, budgets: tuple[str, ...]) -> None:
    assert tuple(map(str, budgets_of(sweep_config(task=task)))) == budgets
    assert deciding(sweep_config(task=task)) == deciding(sweep_config(task=task, budgets=budgets))


def test_a_pair_of_models_is_the_only_one() -> None:
    assert models_of(sweep_config(thinking_model="a", solution_model="b")) == ("a>b",)
    assert models_of(sweep_config(models=("a", "b", "a"))) == ("a", "b")
    with pytest.raises(UsageError, match="solution_model is given alone"):
        models_of(sweep_config(solution_model="b"))


def test_where_and_how_a_run_is_made_does_not_decide_its_records() -> None:
    one = sweep_config(out="a", data="x.jsonl", max_rows=3, share=False, device="cpu", grading_workers=2)
    assert deciding(one) == deciding(SweepConfig())
    assert deciding(one) != deciding(sweep_config(samples=2))


@pytest.mark.parametrize("changes", [{"models": ("a", "a>b")}, {"thinking_model": "a", "solution_model": "b"}])
def test_a_pair_needs_a_strategy_with_two_phases(changes: dict) -> None:
    assert settings(sweep_config(strategies=("elastic", "s1", "nothinking"), **changes))
    with pytest.raises(StrategyError, match="'vanilla' leaves it to one model"):
        settings(sweep_config(strategies=("elastic", "vanilla"), **changes))
