"""A grammar applies to the solution only, and a budget that ends within one ends the request as any other."""

import json
import random
from typing import Any

import pytest

pytest.importorskip("vllm.v1.engine", reason="vllm is not installed: scripts/setup_vllm.sh")

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
from real_vllm.same import problems
from real_vllm.serving import Server

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]

TOKENIZER, TEMPLATE = load_template("mini")
CONTEXT = 512


def answer(server: Server, prompt: Prompt, budget: str, grammar: dict[str, Any]) -> tuple[Trace, str]:
    """What comes of a request with a grammar, and why it ended."""
    request = Request(prompt, Budget.parse(budget))
    most = max(1, most_tokens(request, TEMPLATE))  # vLLM takes no request for nothing
    body = {"prompt": list(prompt.ids), "max_tokens": most, "temperature": 1, "skip_special_tokens": False}
    status, answer = server.post({**body, "vllm_xargs": to_wire(request), "structured_outputs": grammar})
    assert status == 200, answer
    [choice] = answer["choices"]
    ids = choice["token_ids"]
    trace = replay(request, ids, TEMPLATE, CONTEXT, logprobs=[-1.0] * len(ids), end=TEMPLATE.eos)
    assert check(trace, CONTEXT) == []
    return trace, choice["finish_reason"]


def prompts() -> list[Prompt]:
    """A prompt that has opened thinking, one that has closed it, and one that has not spoken of it."""
    opened = render_prompt(TOKENIZER, TEMPLATE, [{"role": "user", "content": problems(1)[0]}])
    closed = Prompt((*opened.ids, *TEMPLATE.closing.ids), Thinking.CLOSED)
    return [opened, closed, Prompt(opened.ids[:-1], Thinking.ABSENT)]


@pytest.mark.parametrize("prompt", prompts(), ids=lambda prompt: str(prompt.thinking))
@pytest.mark.parametrize("budget", ["0+5", "9+5", "200+5"])
@pytest.mark.parametrize(
    "grammar", [{"regex": "[0-9]{3}"}, {"choice": ["7", "42"]}, {"json": {"type": "integer"}}], ids=json.dumps
)
def test_it_applies_to_the_solution_only(parsing: Server, prompt: Prompt, budget: str, grammar: dict[str, Any]) -> None:
    trace, reason = answer(parsing, prompt, budget, grammar)
    said = trace.solution_text.replace(" ", "")
    assert said
    if "regex" in grammar:
        assert (len(said), said.isdigit(), reason) == (3, True, "stop")
    elif "choice" in grammar:
        assert said in grammar["choice"]
    if trace.num_thinking_tokens > 8:
        assert not trace.thinking_text.replace(" ", "").isdigit()


@pytest.mark.parametrize("prompt", prompts(), ids=lambda prompt: str(prompt.thinking))
@pytest.mark.parametrize("budget", ["0+2", "9+2", "200+2", "9+0"])
def test_a_budget_may_end_within_it(parsing: Server, prompt: Prompt, budget: str) -> None:
    trace, reason = answer(parsing, prompt, budget, {"regex": "[0-9]{3}"})
    assert reason in ("stop", "length")
    assert trace.num_solution_tokens == Budget.parse(budget).solution


@pytest.mark.full
def test_with_many_budgets(parsing: Server) -> None:
    chance = random.Random(0)
    for _ in range(60):
        budget = f"{chance.randrange(40)}+{chance.randrange(6)}"
        answer(parsing, chance.choice(prompts()), budget, {"regex": "[0-9]{2}"})


def test_forced_words_are_refused_beside_a_grammar(parsing: Server) -> None:
    """The grammar would take them for a fault of its own."""
    values = {"thinking_budget": 9, "solution_budget": 9, "strategy": "s1", "answer_tokens": 3}
    body = {"prompt": list(prompts()[0].ids), "max_tokens": 60, "vllm_xargs": values}
    status, answer = parsing.post({**body, "structured_outputs": {"regex": "[0-9]{3}"}})
    assert (status, "forbids the forced words" in answer["error"]["message"]) == (400, True), answer
    assert parsing.post(body)[0] == 200
