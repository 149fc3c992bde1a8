import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import event, given, settings
from hypothesis import strategies as st

from by_call import ENGINES
from cases import COUNTS, chosen_by, make_options, make_script, make_template
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.delta import Listen
from elastic_reasoning.core.request import Options, Request, Sampling
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.template import Message, Prompt, Template, Thinking
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import Engine, new_request, run
from elastic_reasoning.engines.loading import load
from elastic_reasoning.engines.scripted import Script, ScriptedEngine, scripted_logprob
from elastic_reasoning.engines.sharing import follow, share
from elastic_reasoning.tasks.arithmetic import Arithmetic
from letters import by_position, letters

COUNTS_BELOW = st.integers(0, 14)
STRATEGIES = (
    *("elastic", "elastic", "nothinking", "vanilla", "s1", "s1", "unconstrained", "l1-max"),
    *("dynasor", "dynasor", "deer", "nowait", "reminders", "alpha-one"),
)


class Counting:
    """An engine that counts the tokens it is made to draw."""

    note = ""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.template, self.context, self.capacity = engine.template, engine.context, engine.capacity
        self.num_drawn = 0

    def prompt(self, messages: Iterable[Message], tools: Sequence[Message] = ()) -> Prompt:
        return self.engine.prompt(list(messages), tools)

    def submit(self, walks: Sequence[Walk], listen: Listen | None = None, until: Phase | None = None) -> list[Future]:
        begun = [num_drawn_of(walk) for walk in walks]
        futures = self.engine.submit(walks, listen, until)
        self.num_drawn += sum(num_drawn_of(future.result()) for future in futures) - sum(begun)
        return futures

    def close(self) -> None:
        self.engine.close()


def num_drawn_of(walk: Walk) -> int:
    return sum(len(step.completion.ids) for step in walk.steps)


def answered(engine: Engine, requests: list[Request], shared: bool = False, **settings: int) -> dict[str, Trace]:
    """Traces by the names of their requests, each of which has exactly one."""
    walks = (Walk(request, engine.template, engine.context) for request in requests)
    traces = list(share(engine, walks, **settings) if shared else run(engine, walks))
    assert sorted(trace.request.name for trace in traces) == sorted(request.name for request in requests)
    return {trace.request.name: trace for trace in traces}


def same(shared: Trace, separate: Trace) -> bool:
    return (shared.segments, shared.probes, shared.error) == (separate.segments, separate.probes, separate.error)


@st.composite
def groups(draw: st.DrawFn) -> tuple[Template, int | None, str, list[Script], list[Request]]:
    """Requests in any mix of strategies, budgets and options, to a model that follows scripts."""
    choose = chosen_by(draw)
    template = make_template(choose)
    thinking = draw(st.sampled_from([*Thinking, Thinking.OPEN]))
    context = draw(st.sampled_from([None, None, None, 30, 45]))
    requests = []
    for number in range(draw(st.integers(2, 9))):
        strategy, budget = draw(st.sampled_from(STRATEGIES)), Budget(choose(COUNTS), choose(COUNTS))
        prompt = Prompt((1,) * draw(st.sampled_from([2, 2, 3])), thinking)
        options = make_options(choose, strategy, budget) if choose([True, False]) else Options()
        sample = draw(st.sampled_from([0, 0, 0, 1]))
        requests.append(Request(prompt, budget, strategy, options, sample=sample, name=str(number)))
    scripts = [draw(scripts_of(template)) for _ in range(2)]
    return template, context, draw(st.sampled_from(["token", "call"])), scripts, requests


@st.composite
def scripts_of(draw: st.DrawFn, template: Template) -> Script:
    """A script keyed by position alone, or by all that was said before."""
    says = make_script(chosen_by(draw), template)
    if draw(st.booleans()):
        return by_position(says, template)

    def by_prefix(request: Request, so_far: Sequence[int]) -> Sequence[int]:
        place = len(so_far) + zlib.crc32(bytes(so_far)) % 3
        return [says[place] if place < len(says) else min(template.eos), *range(template.num_tokens)]

    return by_prefix


def scripted(template: Template, context: int | None, interpreter: str, scripts: list[Script]) -> ScriptedEngine:
    return ENGINES[interpreter](lambda r, ids: scripts[r.sample](r, ids), template, context)


@settings(max_examples=300)
@given(groups(), st.lists(COUNTS_BELOW, min_size=1, max_size=4))
def test_a_walk_that_follows_another_is_what_it_would_have_been(group: tuple, budgets: list[int]) -> None:
    """With draws of its own it would go on otherwise; with the same ones its whole trace is known."""
    *model, requests = group
    engine = scripted(*model)
    longest = replace(requests[0], strategy="elastic", budget=Budget(max(budgets), 4))
    thought = Walk(longest, engine.template, engine.context)
    list(run(engine, [thought]))
    for budget in budgets:
        request = replace(longest, budget=Budget(budget, 4))
        walk = Walk(request, engine.template, engine.context)
        alone = answered(engine, [request])[request.name]
        if thought.error is None:
            follow(walk, thought)
            has_grace = bool(longest.options.get("grace"))
            assert has_grace or walk.call is None or walk.call.phase is not Phase.THINKING
        list(run(engine, [walk]))
        assert same(walk.trace(), alone)


@settings(max_examples=1500)
@given(groups(), st.sampled_from([1, 2, 1024]))
def test_sharing_gives_what_separate_runs_give(group: tuple, chunk_size: int) -> None:
    *model, requests = group
    alone, inner = Counting(scripted(*model)), Counting(scripted(*model))
    separate = answered(alone, requests)
    shared = answered(inner, requests, shared=True, chunk_size=chunk_size)
    for name, trace in shared.items():
        assert same(trace, separate[name])
        assert trace.logprobs == separate[name].logprobs
        assert 0 <= trace.num_reused <= trace.num_sampled_tokens
    assert inner.num_drawn <= alone.num_drawn
    num_reused = sum(trace.num_reused for trace in shared.values())
    assert inner.num_drawn + num_reused <= alone.num_drawn
    event("reused" if num_reused else "nothing reused")


def letter_requests(*asked: tuple[str, str]) -> list[Request]:
    return [
        Request(Prompt((5,), Thinking.OPEN), Budget.parse(budget), strategy, name=f"{number} {strategy} {budget}")
        for number, (strategy, budget) in enumerate(asked)
    ]


def letter_engine(says: str, context: int | None = None) -> Counting:
    template = letters()
    return Counting(ScriptedEngine(by_position(template.encode(says), template), template, context))


def test_one_thinking_serves_every_smaller_budget() -> None:
    engine = letter_engine("abcdefabcdef")
    requests = letter_requests(*(("elastic", f"{t}+0") for t in (1, 2, 4, 8)))
    shared = answered(engine, requests, shared=True)
    assert engine.num_drawn == 8
    assert [shared[r.name].num_reused for r in requests] == [1, 2, 4, 0]
    assert [shared[r.name].thinking_text for r in requests] == ["a", "ab", "abcd", "abcdefab"]


def test_strategies_share_the_thinking_and_the_solution_that_they_have_in_common() -> None:
    engine = letter_engine("abCxyz$")
    requests = letter_requests(("unconstrained", "inf+inf"), ("elastic", "9+9"), ("vanilla", "9+9"), ("elastic", "5+2"))
    shared = answered(engine, requests, shared=True)
    assert engine.num_drawn == 7
    assert [shared[r.name].num_reused for r in requests] == [0, 7, 7, 5]
    assert shared[requests[-1].name].solution_text == "xy"


def test_an_end_that_was_discarded_is_not_taken_for_one_that_is_kept() -> None:
    for asked in ([("elastic", "9+3"), ("vanilla", "9+3")], [("vanilla", "2+1"), ("elastic", "2+1")]):
        shared = answered(letter_engine("ab$xyz"), letter_requests(*asked), shared=True)
        separate = answered(letter_engine("ab$xyz"), letter_requests(*asked))
        assert all(same(shared[name], separate[name]) for name in separate)


@pytest.mark.parametrize(
    "changes",
    [{"sampling": Sampling(seed=1)}, {"sampling": Sampling(temperature=0.5)}, {"sample": 1}, {"prompt": Prompt((6,))}],
)
def test_nothing_is_shared_between_other_draws(changes: dict) -> None:
    engine = letter_engine("abcdef")
    first, second = letter_requests(("elastic", "4+0"), ("elastic", "4+0"))
    answered(engine, [first, replace(second, **changes)], shared=True)
    assert engine.num_drawn == 8


def test_a_request_that_cannot_be_run_passes_through_and_disturbs_no_other() -> None:
    engine = letter_engine("abcdefgh", context=12)
    requests = letter_requests(("elastic", "4+2"), ("elastic", "40+2"), ("elastic", "2+2"))
    shared = answered(engine, requests, shared=True)
    assert "more than the model's context leaves" in str(shared[requests[1].name].error)
    assert [shared[r.name].error is None for r in requests] == [True, False, True]


def test_an_engine_that_fails_a_walk_fails_that_one_alone() -> None:
    class Failing(Counting):
        def submit(self, walks: Sequence[Walk], *others: Any) -> list[Future]:
            for walk in walks:
                if walk.request.budget.thinking == 8:
                    walk.fail("the row was lost")
            return super().submit(walks, *others)

    requests = letter_requests(("elastic", "8+1"), ("elastic", "4+1"), ("elastic", "2+1"))
    inner = Failing(letter_engine("abcdefgh").engine)
    shared = answered(inner, requests, shared=True)
    assert [shared[r.name].error for r in requests] == ["the row was lost", None, None]
    assert inner.num_drawn == 4 + 1 + 1


def test_nothing_to_do_is_nothing_done() -> None:
    assert list(share(letter_engine(""), [])) == []


def test_chunks_are_worked_on_one_after_the_other() -> None:
    engine = letter_engine("abcdef")
    first, second = letter_requests(("elastic", "4+0"), ("elastic", "2+0"))
    drawn: list[str] = []

    def walks() -> Iterator[Walk]:
        for sample in range(3):
            for request in (first, second):
                drawn.append(f"{request.budget} {sample}")
                named = replace(request, sample=sample, name=f"{request.budget} {sample}")
                yield Walk(named, engine.template, engine.context)

    traces = share(engine, walks(), chunk_size=1)
    names = [next(traces).request.name, next(traces).request.name]
    assert (names, len(drawn)) == (["4+0 0", "2+0 0"], 3)
    assert len(list(traces)) == 4
    assert engine.num_drawn == 12


def test_logprobs_are_those_of_the_tokens() -> None:
    requests = letter_requests(("elastic", "6+2"), ("elastic", "3+2"))
    shared = answered(letter_engine("abcdefxyz"), requests, shared=True)
    for trace in shared.values():
        expected = [
            scripted_logprob(n, token) if sampled else 0.0
            for n, (token, sampled) in enumerate(zip(trace.ids, trace.sampled_mask, strict=True))
        ]
        assert trace.logprobs == tuple(expected)


def test_a_model_gives_the_same_tokens_and_at_most_half_of_them_are_generated() -> None:
    torch.manual_seed(0)
    engine = load("mini", device="cpu", dtype="float32", max_rows=64)
    budgets = (8, 16, 24, 32, 48, 64, 96, 160)
    requests = [
        new_request(
            engine,
            problem.messages,
            Budget(t, 20),
            strategy,
            Options(answer_tokens=4) if strategy == "s1" else None,
            Sampling(seed=number),
            name=f"{strategy} {t} {problem.id}",
        )
        for number, problem in enumerate(Arithmetic().problems("validation", 40))
        for strategy in ("elastic", "vanilla", "s1")
        for t in budgets
    ]
    separate, shared = answered(engine, requests), answered(engine, requests, shared=True)
    equal = sum(shared[name].ids == separate[name].ids for name in separate)
    assert equal >= 0.999 * len(requests)
    num_sampled = sum(trace.num_sampled_tokens for trace in shared.values())
    num_generated = num_sampled - sum(trace.num_reused for trace in shared.values())
    assert num_generated <= 0.5 * num_sampled
    for name in separate:
        if shared[name].ids == separate[name].ids:
            assert shared[name].logprobs == pytest.approx(separate[name].logprobs, abs=1e-4)
