from dataclasses import replace

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.segment import Finish
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.serving.accounting import ended, usage_of
from elastic_reasoning.serving.budgets import Plan
from elastic_reasoning.serving.events import Usage
from make_asides import family, probed

PLAN = Plan(Budget(6, 5), {}, "dynasor")


def account(trace: Trace) -> dict:
    return dict(ended(0, trace, PLAN, stop=None, seconds=0.5).account)


def test_what_was_sampled_beside_a_completion_counts_as_reasoning() -> None:
    trace = probed()
    own = Usage(len(trace.request.prompt.ids), 0, len(trace.ids), trace.num_thinking_tokens)
    assert usage_of(replace(trace, probes=())) == own
    assert usage_of(trace) == replace(own, completion=own.completion + 4, reasoning=own.reasoning + 4)
    chosen = family()
    beside = chosen.num_spent_tokens - chosen.num_sampled_tokens
    assert usage_of(chosen) == replace(own, completion=own.completion + beside, reasoning=own.reasoning + beside)


def test_an_account_says_probes_and_branches_where_there_are_any() -> None:
    assert account(probed())["probe_tokens"] == 4
    assert not {"probe_tokens", "branches"} & account(replace(probed(), probes=())).keys()
    told = account(family())
    assert (told["branches"], told["spent_tokens"]) == (3, family().num_spent_tokens)


def test_thinking_that_a_strategy_has_closed_is_said_to_be() -> None:
    trace = probed()
    for finish, said in ((Finish.PAUSE, "strategy"), (Finish.LOOP, "loop")):
        thinking = replace(trace.segments[2], finish=finish)
        closed = replace(trace, segments=(*trace.segments[:2], thinking, *trace.segments[3:]))
        assert account(closed)["thinking_ended_by"] == said
