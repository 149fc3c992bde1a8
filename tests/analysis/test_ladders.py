from dataclasses import replace

import numpy as np

from elastic_reasoning.analysis.ladders import ladders
from elastic_reasoning.records.record import Record
from make_records import make_records

SETTING = {"models": ["mini"], "strategies": ["elastic"]}


def sweep(*budgets: str, strategy: str = "elastic", num_problems: int = 6, num_samples: int = 2) -> list[Record]:
    return [
        record
        for record in make_records(num_problems, num_samples, budgets, ["mini"], [strategy])
        if record.strategy == strategy
    ]


def test_samples_stand_at_the_same_place_under_every_budget() -> None:
    records = sweep("8+20", "24+20", "160+20")
    (ladder,) = ladders(records[::-1])
    assert (ladder.model, ladder.strategy, ladder.solution) == ("mini", "elastic", "20")
    assert ladder.budgets == ("8+20", "24+20", "160+20")
    assert ladder.totals.tolist() == [28, 44, 180]
    by_key = {(r.budget, r.problem, r.sample): r for r in records}
    problems = sorted({r.problem for r in records}, reverse=True)  # as they appeared
    keys = [(problem, sample) for problem in problems for sample in range(2)]
    for step, budget in enumerate(ladder.budgets):
        of_step = [by_key[budget, *key] for key in keys]
        assert ladder.correct[:, step].tolist() == [r.correct for r in of_step]
        assert ladder.thinking[:, step].tolist() == [r.num_thinking_tokens for r in of_step]
        assert ladder.tokens[:, step].tolist() == [r.num_sampled_tokens for r in of_step]
        assert ladder.ended[:, step].tolist() == [not r.budget_hit for r in of_step]
    assert ladder.problems.tolist() == np.repeat(np.arange(6), 2).tolist()
    assert ladder.shares_thinking.all()


def test_a_sample_that_lacks_a_budget_is_left_out_and_counted() -> None:
    first, *others = sweep("8+20", "24+20")
    failed = replace(first, correct=None, error="too long", answer=None, reason=None)
    (ladder,) = ladders([failed, *others])
    assert (len(ladder.problems), ladder.num_left_out) == (11, 1)
    assert ladders([failed, others[-1]]) == []


def test_each_s_is_a_ladder_where_both_phases_are_bounded_and_none_where_the_total_is() -> None:
    budgets = ("8+20", "16+20", "8+30", "18+30", "inf+30")
    found = ladders(sweep(*budgets))
    assert [(each.solution, each.budgets) for each in found] == [
        ("20", ("8+20", "16+20")),
        ("30", ("8+30", "18+30", "inf+30")),
    ]
    assert found[1].totals.tolist() == [38, 48, np.inf]
    (total,) = ladders(sweep("8+20", "16+20", "6+30", "18+30", strategy="vanilla"))
    assert (total.solution, total.totals.tolist()) == ("", [28, 36, 48])  # 16+20 and 6+30 are one budget


def test_one_budget_and_what_heeds_none_are_no_ladder() -> None:
    assert ladders(sweep("8+20")) == []
    assert ladders(sweep("8+20", "16+20", strategy="l1-max")) == []
    assert ladders([]) == []
