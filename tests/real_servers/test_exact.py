"""Budgets are exact whatever is sampled: every trace passes a judge that knows nothing of how they are kept."""

import random
import re
from collections.abc import Callable

import pytest

from checker import check
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.replay import replay
from elastic_reasoning.core.request import Options, Request, Sampling
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.engines.engine import generate, new_request
from real_servers.serving import Served
from real_vllm.same import problems

pytestmark = [pytest.mark.timeout(1800)]

KINDS: tuple[tuple[str, dict[str, object]], ...] = (
    ("elastic", {}),
    ("elastic", {"wrap_up": "so answer"}),
    ("elastic", {"grace": 5}),
    ("elastic", {"min_thinking": 4}),
    ("elastic", {"min_thinking": 4, "wait": "Wait"}),
    ("nothinking", {}),
    ("vanilla", {}),
    ("s1", {"answer_tokens": 4}),
    ("s1", {"answer_tokens": 4, "num_waits": 1}),
    ("l1-max", {"max_total": 40}),
    ("unconstrained", {}),
)
CERTAIN = re.compile(r"log-probability -?0.0 where sampled is True")
"""What the judge says of a token that is certain, which none of a scripted model's is."""


def random_requests(engine: object, num: int) -> list[Request]:
    """Requests of all kinds at temperature 1, each with a name of its own."""
    chance, requests = random.Random(num), []
    for number, question in enumerate(problems(num)):
        strategy, options = chance.choice(KINDS)
        thinking = chance.choice([*([] if strategy == "l1-max" else [None]), *range(4, 8), *range(4, 90)])
        budget = Budget(thinking, chance.randrange(25))
        sampling = Sampling(1.0, seed=number)
        requests.append(new_request(engine, question, budget, strategy, Options(**options), sampling, name=str(number)))
    return requests


def judged(trace: Trace, context: int | None) -> list[str]:
    """What is wrong with a trace; one without log-probabilities is given some."""
    if trace.logprobs is None:
        some = [-1.0] * len(trace.ids)
        trace = replay(trace.request, trace.ids, trace.template, context, trace.sampled_mask, some)
    return [f"{wrong}: {trace}" for wrong in check(trace, context) if not CERTAIN.match(wrong)]


@pytest.mark.parametrize("num", [150, pytest.param(1000, marks=pytest.mark.full)])
def test_sampled_at_temperature_1(mini: Served, num: int, seen: Callable[[str], None]) -> None:
    engine = mini.engine()
    traces = list(generate(engine, random_requests(engine, num)))
    assert sorted(int(trace.request.name) for trace in traces) == list(range(num))
    assert not [trace.error for trace in traces if trace.error]
    wrong = [problem for trace in traces for problem in judged(trace, engine.context)]
    assert not wrong, "\n".join(wrong[:10])
    assert len({trace.ids for trace in traces}) > num / 2
    known = sum(trace.logprobs is not None for trace in traces)
    seen(f"{num} traces of {len(KINDS)} kinds and none wrong, {known} with log-probabilities")
