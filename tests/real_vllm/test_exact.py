"""Every budget is kept exactly, whatever vLLM does with the requests: many at once, preempted, prefilled in chunks,
several samples a prompt, streamed, penalised, and beside requests without a budget."""

import asyncio
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

pytest.importorskip("vllm.v1.engine", reason="vllm is not installed: scripts/setup_vllm.sh")

from checker import check
from elastic_reasoning.chat.rendering import render_prompt
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.needs import most_tokens
from elastic_reasoning.core.replay import replay
from elastic_reasoning.core.request import Options, Request, Sampling
from elastic_reasoning.core.template import Template
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.wire import PROMPT, to_wire
from elastic_reasoning.engines.engine import generate, new_request
from elastic_reasoning.engines.loading import load_template
from kernel_marks import NEEDS_GPU
from real_vllm.same import KINDS, problems, random_prompt, ties_with_plain
from real_vllm.serving import Server, in_process

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]

CONTEXT = 512
Seen = Callable[[str], None]


@dataclass
class Asked:
    """A completion that is asked for, and what came of it: ids and text of each sample."""

    body: dict[str, Any]
    request: Request | None
    ids: dict[int, list[int]] = field(default_factory=dict)
    text: dict[int, str] = field(default_factory=dict)
    reasons: set[str] = field(default_factory=set)

    def take(self, choice: dict[str, Any]) -> None:
        """Add a choice, or a piece of one."""
        index = choice["index"]
        self.ids[index] = self.ids.get(index, []) + (choice["token_ids"] or [])
        self.text[index] = self.text.get(index, "") + choice["text"]
        if choice["finish_reason"]:
            self.reasons.add(choice["finish_reason"])


def random_request(chance: random.Random, tokenizer: Any, template: Template, question: str) -> Asked:
    """A request of any kind, one in four with a deadline; one in six has no budget and is decoded greedily."""
    prompt = random_prompt(chance, tokenizer, template, question)
    body = {"prompt": list(prompt.ids), "temperature": 0, "max_tokens": 60, "skip_special_tokens": False}
    if chance.random() < 1 / 6:
        return Asked(body, None)
    strategy, options = chance.choice(KINDS)
    thinking = chance.choice([*([] if strategy == "l1-max" else [None]), *range(2, 8), *range(2, 90)])
    budget = Budget(thinking, chance.randrange(25))
    temperature = chance.choice([0, 0.6, 1.0, 1.6])
    seconds = chance.choice([None, None, None, chance.uniform(0.5, 8)])
    request = Request(prompt, budget, strategy, Options(**options), Sampling(temperature), deadline_seconds=seconds)
    most, room = most_tokens(request, template), CONTEXT - len(prompt.ids)
    values = to_wire(request)
    if chance.random() < 0.5:
        del values[PROMPT]
    body |= {"temperature": temperature, "vllm_xargs": values}  # no seed: see serving.TIGHT
    body["max_tokens"] = room if most is None else chance.choice([max(1, most), room])
    body["stream"] = chance.random() < 0.3
    body["n"] = chance.choice([1, 1, 1, 3]) if temperature else 1
    body |= chance.choice(
        [
            {},
            {},
            {"top_p": 0.8, "min_p": 0.01},
            {"top_k": 5},
            {"presence_penalty": 1.5, "frequency_penalty": -0.5, "repetition_penalty": 1.3},
            {} if seconds or body["max_tokens"] < 3 else {"min_tokens": 3},
            {"logprobs": 2},
        ]
    )
    return Asked(body, request)


async def send_all(server: Server, asked: list[Asked]) -> None:
    """All at once."""
    import aiohttp

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(600)
    ) as session:
        await asyncio.gather(*(_send(session, server, one) for one in asked))


async def _send(session: Any, server: Server, asked: Asked) -> None:
    body = {"model": server.model, "return_token_ids": True, **asked.body}
    async with session.post(f"{server.url}/completions", json=body) as answer:
        assert answer.status == 200, f"{await answer.text()} for {body}"
        if not body.get("stream"):
            for choice in (await answer.json())["choices"]:
                asked.take(choice)
            return
        async for line in answer.content:
            data = line.decode().removeprefix("data: ").strip()
            if data and data != "[DONE]":
                for choice in json.loads(data)["choices"]:
                    asked.take(choice)


def wrong_with(asked: Asked, template: Template, decode: Callable[[list[int]], str]) -> list[str]:
    """Everything that is wrong with the samples of a budgeted request."""
    request, found = asked.request, []
    assert request is not None
    if sorted(asked.ids) != list(range(asked.body.get("n", 1))) or not asked.reasons <= {"stop", "length"}:
        found.append(f"samples {sorted(asked.ids)}, ended by {asked.reasons}")
    for index, ids in asked.ids.items():
        trace = replay(request, ids, template, CONTEXT, logprobs=[-1.0] * len(ids), end=template.eos)
        found += check(trace, CONTEXT)
        text = decode([token for token in ids if token not in template.eos]).removeprefix("##")  # goes on with a word
        if asked.text[index].replace("<eos>", "").split() != text.split():
            found.append(f"the text {asked.text[index]!r} is not that of the ids {text!r}")
    return [f"{problem}: {asked}" for problem in found]


@pytest.mark.parametrize("num", [100, pytest.param(1000, marks=pytest.mark.full)])
def test_budgets_are_exact_with_many_requests_at_once(mini: Server, num: int, seen: Seen) -> None:
    tokenizer, template = load_template("mini")
    chance = random.Random(num)
    asked = [random_request(chance, tokenizer, template, question) for question in problems(num)]
    preempted, cached = (mini.metric(f"vllm:{name}_total") for name in ("num_preemptions", "prefix_cache_hits"))
    asyncio.run(send_all(mini, asked))
    preempted = mini.metric("vllm:num_preemptions_total") - preempted
    cached = mini.metric("vllm:prefix_cache_hits_total") - cached
    budgeted = [one for one in asked if one.request is not None]
    wrong = [problem for one in budgeted for problem in wrong_with(one, template, template.decode)]
    assert not wrong, "\n".join(wrong[:10])
    assert preempted > 0
    assert cached > 0
    plain = [one for one in asked if one.request is None]
    ties = ties_with_plain("mini", [(one.body["prompt"], one.body["max_tokens"], one.ids[0]) for one in plain])
    seen(
        f"{num} requests, {sum(len(one.ids) for one in budgeted)} completions with a budget and none wrong, "
        f"{preempted:.0f} preemptions, {cached:.0f} cached tokens, {len(asked) - len(budgeted)} without a budget: "
        f"{len(ties)} ties {ties or ''}"
    )


REFUSED = [
    ({"thinking_budget": -1}, {}, "thinking_budget -1: must be a whole number of tokens, 0 or more, or 'inf'"),
    ({"thinking_budget": 1.5}, {}, "thinking_budget 1.5: must be a whole number"),
    ({"thinking_budgets": 5}, {}, "unknown parameter 'thinking_budgets': did you mean 'thinking_budget'?"),
    ({"thinking_budget": 5, "strategy": "elastik"}, {}, "unknown strategy 'elastik': did you mean 'elastic'?"),
    ({"thinking_budget": 5, "wait": "Wait", "min_thinking": 2}, {}, "takes back tokens"),
    ({"thinking_budget": 5, "min_thinking": 6}, {}, "min_thinking 6 is more than the thinking budget of 5"),
    ({"thinking_budget": 5, "soft_landing": 6}, {}, "soft_landing 6 is more than the thinking budget of 5"),
    ({"thinking_budget": 5, "close_text": "so </think>"}, {}, "close_text='so </think>' holds '</think>'"),
    ({"thinking_budget": 512, "solution_budget": 9}, {}, "more than the model's context leaves"),
    ({"thinking_budget": 5, "solution_budget": 5}, {"max_tokens": 10}, "the budget needs 11"),
    ({"deadline_seconds": 0}, {}, "deadline_seconds 0: must be a number of seconds above 0"),
    ({"deadline_seconds": "soon"}, {}, "deadline_seconds 'soon': must be a number of seconds above 0"),
    ({"deadline_second": 5}, {}, "unknown parameter 'deadline_second': did you mean 'deadline_seconds'?"),
    ({"deadline_seconds": 5}, {"min_tokens": 5}, "min_tokens cannot be combined with deadline_seconds"),
    ({"thinking_budget": 5}, {"ignore_eos": True}, "ignore_eos cannot be combined with a budget"),
    ({"thinking_budget": 5}, {"structured_outputs": {"regex": "[0-9]"}}, "start vLLM with --reasoning-parser"),
]


@pytest.mark.parametrize(("values", "others", "message"), REFUSED, ids=[message[:40] for *_, message in REFUSED])
def test_what_cannot_be_kept_is_answered_with_400_and_the_reason(
    mini: Server, values: dict[str, Any], others: dict[str, Any], message: str
) -> None:
    tokenizer, template = load_template("mini")
    prompt = render_prompt(tokenizer, template, [{"role": "user", "content": problems(1)[0]}])
    status, answer = mini.post({"prompt": list(prompt.ids), "max_tokens": 400, "vllm_xargs": values, **others})
    assert (status, message in answer["error"]["message"]) == (400, True), answer


@pytest.mark.gpu
@NEEDS_GPU
@pytest.mark.parametrize("v2", ["0", "1"], ids=["model runner V1", "model runner V2"])
def test_in_process_budgets_are_exact_on_a_gpu(v2: str, seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_USE_V2_MODEL_RUNNER", v2)
    in_process_budgets_are_exact(seen)


@pytest.mark.full
def test_in_process_budgets_are_exact_too(seen: Seen) -> None:
    in_process_budgets_are_exact(seen)


def in_process_budgets_are_exact(seen: Seen) -> None:
    """With a cache so small that sequences are preempted; what takes back tokens takes several calls."""
    kinds = [*KINDS, ("elastic", {"min_thinking": 4, "wait": "Wait"}), ("s1", {"num_waits": 1, "answer_tokens": 4})]
    chance = random.Random(1)
    requests = []
    # As requests have seeds, no prompt is prefilled in chunks: see serving.TIGHT.
    with in_process("mini", num_gpu_blocks_override=40, enable_chunked_prefill=False) as engine:
        for number, question in enumerate(problems(300)):
            strategy, options = chance.choice(kinds)
            budget = Budget(
                chance.choice([*([] if strategy == "l1-max" else [None]), *range(4, 90)]), chance.randrange(25)
            )
            sampling = Sampling(chance.choice([0, 0.7, 1.2]), seed=number)
            name = str(number)
            requests.append(new_request(engine, question, budget, strategy, Options(**options), sampling, name=name))
        traces = list(generate(engine, requests))
    assert sorted(int(trace.request.name) for trace in traces) == list(range(300))
    edited = {"min_thinking", "soft_landing"}
    assert all((trace.logprobs is None) == bool(edited & trace.request.options.keys()) for trace in traces)
    certain = re.compile(r"log-probability -?0.0 where sampled is True")  # which a scripted model never is
    known = [trace if trace.logprobs else with_logprobs(trace, engine.context) for trace in traces]
    wrong = [f"{p}: {trace}" for trace in known for p in check(trace, engine.context) if not certain.match(p)]
    assert not wrong, "\n".join(wrong[:10])
    seen(f"{len(traces)} traces, none wrong")


def with_logprobs(trace: Trace, context: int | None) -> Trace:
    """The same trace, for a judge that wants log-probabilities."""
    logprobs = [-1.0] * len(trace.ids)
    return replay(trace.request, trace.ids, trace.template, context, trace.sampled_mask, logprobs)
