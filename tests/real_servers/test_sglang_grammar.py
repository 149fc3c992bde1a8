"""In SGLang too a grammar applies to the solution only, and a budget that ends within one ends the request."""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from checker import check
from elastic_reasoning.chat.rendering import render_prompt
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.needs import most_tokens
from elastic_reasoning.core.replay import replay
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.wire import to_wire
from elastic_reasoning.engines.loading import load_template
from real_servers.serving import AHEAD, IN_STEP, Served, Start
from real_vllm.same import problems

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.parametrize("kind", [pytest.param("sglang", marks=pytest.mark.sglang)], indirect=True),
]

TOKENIZER, TEMPLATE = load_template("mini")
CONTEXT = 510
Post = Callable[..., Any]


def prompts() -> list[Prompt]:
    """A prompt that has opened thinking, one that has closed it, and one that has not spoken of it."""
    opened = render_prompt(TOKENIZER, TEMPLATE, [{"role": "user", "content": problems(1)[0]}])
    closed = Prompt((*opened.ids, *TEMPLATE.closing.ids), Thinking.CLOSED)
    return [opened, closed, Prompt(opened.ids[:-1], Thinking.ABSENT)]


@pytest.fixture(params=[AHEAD, IN_STEP], ids=["ahead", "in step"])
def parsing(request: pytest.FixtureRequest, start: Start) -> Served:
    return start("mini", *request.param)


def answer(post: Post, server: Served, prompt: Prompt, budget: str, grammar: dict[str, Any]) -> Trace:
    """What comes of a request with a grammar."""
    request = Request(prompt, Budget.parse(budget))
    params = {"max_new_tokens": max(1, most_tokens(request, TEMPLATE) or 0), "skip_special_tokens": False, **grammar}
    params |= {"custom_params": {"elastic": to_wire(request)}}
    status, answer = post(server, "/generate", {"input_ids": list(prompt.ids), "sampling_params": params})
    assert status == 200, answer
    assert answer["meta_info"]["finish_reason"]["type"] in ("stop", "length")
    ids = answer["output_ids"]
    trace = replay(request, ids, TEMPLATE, CONTEXT, logprobs=[-1.0] * len(ids), end=TEMPLATE.eos)
    assert check(trace, CONTEXT) == []
    return trace


GRAMMARS: list[dict[str, Any]] = [{"regex": "[0-9]{3}"}, {"json_schema": '{"type": "integer"}'}]


@pytest.mark.parametrize("prompt", prompts(), ids=lambda prompt: str(prompt.thinking))
@pytest.mark.parametrize("budget", ["0+5", "9+5", "200+5"])
@pytest.mark.parametrize("grammar", GRAMMARS, ids=json.dumps)
def test_it_applies_to_the_solution_only(
    parsing: Served, post: Post, prompt: Prompt, budget: str, grammar: dict[str, Any]
) -> None:
    trace = answer(post, parsing, prompt, budget, grammar)
    said = trace.solution_text.replace(" ", "")
    assert said.removeprefix("-").isdigit()
    if "regex" in grammar:
        assert len(said) == 3
    if trace.num_thinking_tokens > 8:
        assert not trace.thinking_text.replace(" ", "").isdigit()


@pytest.mark.parametrize("prompt", prompts(), ids=lambda prompt: str(prompt.thinking))
@pytest.mark.parametrize("budget", ["0+2", "9+2", "200+2", "9+0", "0+0"])
def test_a_budget_may_end_within_it(parsing: Served, post: Post, prompt: Prompt, budget: str) -> None:
    trace = answer(post, parsing, prompt, budget, {"regex": "[0-9]{3}"})
    assert trace.num_solution_tokens == Budget.parse(budget).solution


def test_with_many_budgets(parsing: Served, post: Post) -> None:
    chance = random.Random(0)
    for _ in range(30):
        budget = f"{chance.randrange(40)}+{chance.randrange(6)}"
        answer(post, parsing, chance.choice(prompts()), budget, {"regex": "[0-9]{2}"})
