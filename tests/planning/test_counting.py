"""What is counted is what a sweep comes to: by the strategies and the sharing of the sweep itself."""

from pathlib import Path

import pytest

from configs import changed
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.core.template import Thinking
from elastic_reasoning.evaluation.config import SweepConfig, settings
from elastic_reasoning.evaluation.sweep import sweep
from elastic_reasoning.planning.counting import count
from elastic_reasoning.planning.lengths import Lengths
from elastic_reasoning.planning.models import PlannedModel
from elastic_reasoning.planning.pace import Pace
from elastic_reasoning.planning.simulation import stand_in
from elastic_reasoning.planning.tokens import Tokens
from elastic_reasoning.records.log import read_records
from elastic_reasoning.tasks.arithmetic import Arithmetic
from random_words import CONFIG, TEMPLATE, load_engine

MODEL = PlannedModel("one", None, (), stand_in(TEMPLATE), load_engine(CONFIG, "one").prompt, context=80)
ALONE = changed(CONFIG, models=("one",), options={})
PROBLEMS = Arithmetic().problems("test", 40)


def counted(config: SweepConfig, lengths: Lengths, num: int = 40) -> dict[str, Tokens]:
    counts = count(config, PROBLEMS, MODEL, lengths, Pace(), 8, num)
    return {f"{strategy}/{budget}": tokens for (strategy, budget), tokens in counts.by_setting.items()}


@pytest.mark.parametrize("share", [True, False])
def test_tokens_are_those_of_the_sweep_itself(share: bool, tmp_path: Path) -> None:
    config = changed(CONFIG, models=("one",), limit=40, samples=2, share=share, out=str(tmp_path))
    sweep(config, load_engine=load_engine)
    records = read_records(tmp_path)[1]
    found = counted(config, Lengths.of(records), num=40)
    for setting, group in records.by_setting().items():
        tokens = found[f"{setting.strategy}/{setting.budget}"]
        assert tokens.records == len(group)
        for name in ("thinking", "solution", "sampled", "forced", "reused"):
            column = group[f"num_{name}_tokens"].sum()
            assert getattr(tokens, name) == pytest.approx(column, rel=0.15, abs=30), (setting, name)


def test_without_records_it_is_what_the_budgets_allow() -> None:
    config = changed(CONFIG, strategies=("elastic", "vanilla", "s1"), share=False, samples=1)
    found = counted(config, Lengths())
    for strategy, budget, _ in settings(config):
        tokens = found[f"{strategy}/{budget}"]
        assert budget.total is not None
        assert tokens.sampled == 40 * budget.total
        assert (tokens.reused, tokens.errors) == (0, 0)


def test_the_largest_thinking_serves_the_others() -> None:
    found = counted(changed(ALONE, strategies=("elastic",), samples=2), Lengths())
    assert found["elastic/20+4"].reused == 0
    assert found["elastic/8+4"].reused == 8 * 80
    assert found["elastic/2+4"].generated == 4 * 80


def test_what_does_not_fit_the_context_is_counted_apart() -> None:
    found = counted(changed(ALONE, strategies=("elastic",), budgets=("70+20",)), Lengths(), num=10)
    assert found["elastic/70+20"].errors == 20
    assert found["elastic/70+20"].sampled == 0


def test_what_nothing_bounds_is_refused() -> None:
    model = PlannedModel("one", None, (), MODEL.template, MODEL.prompt, context=None)
    with pytest.raises(UsageError, match="nothing bounds a completion"):
        count(changed(ALONE, strategies=("unconstrained",)), PROBLEMS, model, Lengths(), Pace(), 8, 2)


def test_seconds_are_those_of_the_steps_that_rows_take_together() -> None:
    config = changed(ALONE, strategies=("elastic",), budgets=("20+4",), samples=1, share=False)
    pace = Pace(step_seconds=1.0, row_seconds=0.5)
    alone = count(config, PROBLEMS, MODEL, Lengths(), pace, 1, 8)
    assert alone.seconds == pytest.approx(8 * 24 * 1.5)
    together = count(config, PROBLEMS, MODEL, Lengths(), pace, 8, 8)
    assert together.seconds == pytest.approx(24 * (1 + 8 * 0.5))
    prompts = count(config, PROBLEMS, MODEL, Lengths(), Pace(prompt_token_seconds=0.1), 8, 8)
    assert prompts.seconds == pytest.approx(0.1 * prompts.total.prompt, rel=1e-3)


def test_a_stand_in_has_delimiters_of_the_same_length() -> None:
    made = stand_in(TEMPLATE)
    assert len(made.closing.ids) == len(TEMPLATE.closing.ids)
    assert made.closing.forced != TEMPLATE.closing.forced
    assert load_engine(CONFIG, "one").thinking is Thinking.OPEN


LOOKING = {"probe_every": 2, "probe_text": "Final Answer:", "probe_tokens": 2, "num_equal": 2}


def test_what_goes_by_what_is_said_is_counted_as_records_have_it(tmp_path: Path) -> None:
    strategies = ("elastic", "dynasor", "vote")
    config = changed(ALONE, strategies=strategies, limit=40, out=str(tmp_path), options=LOOKING)
    sweep(config, load_engine=load_engine)
    records = read_records(tmp_path)[1]
    twice = changed(config, samples=4)
    counts = count(twice, PROBLEMS, MODEL, Lengths.of(records), Pace(step_seconds=1.0), 8, 40)
    probing = [record for record in records if record.strategy == "dynasor"]
    assert sum(record.num_probe_tokens for record in probing) > 100
    for budget in config.budgets:
        spent = sum(record.num_spent_tokens for record in probing if record.budget == budget)
        found = counts.by_setting["dynasor", Budget.parse(budget)]
        assert (found.records, found.sampled) == (160, 2 * spent)
    assert not counts.unseen
    before = count(config, PROBLEMS, MODEL, Lengths(), Pace(), 8, 40)
    assert before.unseen == {"dynasor"}
    assert before.total.errors == 0


def test_a_strategy_that_reads_log_probabilities_can_be_counted() -> None:
    counts = count(changed(ALONE, strategies=("deepconf",), samples=1), PROBLEMS, MODEL, Lengths(), Pace(), 8, 10)
    assert counts.unseen == {"deepconf"}
    assert (counts.total.errors, counts.total.records) == (0, 10 * len(ALONE.budgets))
