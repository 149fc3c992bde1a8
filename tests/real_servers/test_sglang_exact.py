"""SGLang keeps every budget exactly in one pass, whatever it does with the requests: many at once, scheduled ahead,
retracted, prefilled in chunks, with prefixes that are cached, several samples a prompt, streamed, penalised."""

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from checker import check
from elastic_reasoning.chat.rendering import render_prompt
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.needs import most_tokens
from elastic_reasoning.core.replay import replay
from elastic_reasoning.core.request import Options, Request, Sampling
from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.core.template import Template
from elastic_reasoning.core.wire import PROMPT, to_wire
from elastic_reasoning.engines.engine import generate
from elastic_reasoning.engines.loading import load, load_template
from real_servers.serving import AHEAD, IN_STEP, Served, Start
from real_servers.test_same_traces import STRATEGIES, Seen, agree
from real_vllm.deadlines import listened
from real_vllm.same import KINDS, compare, greedy_requests, make_unruly, problems, random_prompt, ties_with_plain

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.parametrize("kind", [pytest.param("sglang", marks=pytest.mark.sglang)], indirect=True),
]

CONTEXT = 510
schedules = pytest.mark.parametrize("arguments", [AHEAD, IN_STEP], ids=["ahead", "in step"])


@dataclass
class Asked:
    """A completion that is asked for, and what came of it: the last answer to each sample."""

    body: dict[str, Any]
    request: Request | None
    answers: dict[int, dict[str, Any]] = field(default_factory=dict)


def random_request(chance: random.Random, tokenizer: Any, template: Template, question: str) -> Asked:
    """A request of any kind; one in six has no budget and is decoded greedily."""
    prompt = random_prompt(chance, tokenizer, template, question)
    params: dict[str, Any] = {"temperature": 0, "max_new_tokens": 60, "skip_special_tokens": False}
    body: dict[str, Any] = {"input_ids": list(prompt.ids), "sampling_params": params}
    if chance.random() < 1 / 6:
        return Asked(body, None)
    strategy, options = chance.choice(KINDS)
    thinking = chance.choice([*([] if strategy == "l1-max" else [None]), *range(2, 8), *range(2, 90)])
    temperature = chance.choice([0, 0.6, 1.0, 1.6])
    budget = Budget(thinking, chance.randrange(25))
    request = Request(prompt, budget, strategy, Options(**options), Sampling(temperature))
    most, room = most_tokens(request, template), CONTEXT - len(prompt.ids)
    values = to_wire(request)
    if chance.random() < 0.5:
        del values[PROMPT]
    params |= {"temperature": temperature, "custom_params": {"elastic": values}}
    params["max_new_tokens"] = room if most is None else chance.choice([max(1, most), room])
    params["n"] = chance.choice([1, 1, 1, 3]) if temperature else 1
    body |= {"stream": chance.random() < 0.3, "return_logprob": chance.random() < 0.3}
    params |= chance.choice(
        [
            {},
            {},
            {"top_p": 0.8, "min_p": 0.01},
            {"top_k": 5},
            {"presence_penalty": 1.5, "frequency_penalty": -0.5, "repetition_penalty": 1.3},
            {"min_new_tokens": 3},
        ]
    )
    return Asked(body, request)


async def send_all(server: Served, asked: list[Asked]) -> None:
    """All at once."""
    import aiohttp

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(1200)
    ) as session:
        await asyncio.gather(*(_send(session, server, one) for one in asked))


async def _send(session: Any, server: Served, asked: Asked) -> None:
    async with session.post(f"{server.root}/generate", json=asked.body) as response:
        assert response.status == 200, await response.text()
        if not asked.body.get("stream"):
            answers = await response.json()
            asked.answers = dict(enumerate(answers if isinstance(answers, list) else [answers]))
            return
        async for line in response.content:
            data = line.decode().removeprefix("data: ").strip()
            if data and data != "[DONE]":
                event = json.loads(data)
                asked.answers[event.get("index", 0)] = event


def wrong_with(asked: Asked, template: Template) -> list[str]:
    """Everything that is wrong with the samples of a budgeted request."""
    request, found = asked.request, []
    assert request is not None
    num = asked.body["sampling_params"]["n"]
    if sorted(asked.answers) != list(range(num)):
        found.append(f"samples {sorted(asked.answers)}")
    for answer in asked.answers.values():
        ids, meta = answer["output_ids"], answer["meta_info"]
        if meta["finish_reason"]["type"] not in ("stop", "length"):
            found.append(f"ended by {meta['finish_reason']}")
        trace = replay(request, ids, template, CONTEXT, logprobs=[-1.0] * len(ids), end=template.eos)
        found += check(trace, CONTEXT)
        if "output_token_logprobs" in meta:
            told = [logprob for logprob, *_ in meta["output_token_logprobs"]]
            forced = [value for value, sampled in zip(told, trace.sampled_mask, strict=False) if not sampled]
            if len(told) != len(ids) or any(abs(value) > 1e-6 for value in forced):
                found.append(f"log-probabilities {told}")
        text = template.decode([token for token in ids if token not in template.eos])
        if answer["text"].replace("<eos>", "").split() != text.split():
            found.append(f"the text {answer['text']!r} is not that of the ids {text!r}")
    return [f"{problem}: {asked}" for problem in found]


def counted(asked: list[Asked], name: str) -> int:
    """The sum of what SGLang says of its answers."""
    return sum(answer["meta_info"].get(name) or 0 for one in asked for answer in one.answers.values())


@schedules
@pytest.mark.parametrize("num", [100, pytest.param(1000, marks=pytest.mark.full)])
def test_budgets_are_exact_with_many_requests_at_once(
    start: Start, arguments: tuple[str, ...], num: int, seen: Seen
) -> None:
    tokenizer, template = load_template("mini")
    chance = random.Random(num)
    asked = [random_request(chance, tokenizer, template, question) for question in problems(num)]
    asyncio.run(send_all(start("mini", *arguments), asked))
    budgeted = [one for one in asked if one.request is not None]
    wrong = [problem for one in budgeted for problem in wrong_with(one, template)]
    assert not wrong, "\n".join(wrong[:10])
    retracted, cached = counted(asked, "num_retractions"), counted(asked, "cached_tokens")
    assert retracted > 0
    assert cached > 0
    plain = [(one.body["input_ids"], 60, one.answers[0]["output_ids"]) for one in asked if one.request is None]
    ties = ties_with_plain("mini", plain)
    seen(
        f"{num} requests, {sum(len(one.answers) for one in budgeted)} completions with a budget and none wrong, "
        f"{retracted} retractions, {cached} cached tokens, {len(plain)} without a budget: {len(ties)} ties {ties or ''}"
    )


@schedules
def test_greedy_traces_are_those_of_the_transformers_engine(
    start: Start, arguments: tuple[str, ...], seen: Seen
) -> None:
    engine, server = load("mini"), start("mini", *arguments).engine(mode="one-pass")
    requests = greedy_requests(engine, 12, strategies=STRATEGIES)
    assert all(trace.logprobs is not None for trace in agree(engine, server, requests, seen))
    ties = compare(engine.model, list(generate(engine, requests)), listened(server, requests))
    seen(f"streamed: {len(requests)} traces, {len(ties)} ties {ties or ''}")


def test_ends_and_tool_calls_in_thinking(start: Start, tmp_path_factory: pytest.TempPathFactory, seen: Seen) -> None:
    folder = str(make_unruly(tmp_path_factory.mktemp("unruly") / "model"))
    engine, server = load(folder), start(folder).engine(mode="one-pass")
    requests = greedy_requests(engine, 12, strategies=STRATEGIES)
    expected = list(generate(engine, requests))
    ends = [trace for trace in expected for s in trace.segments if (s.phase, s.finish) == (Phase.THINKING, Finish.EOS)]
    assert ends
    ties = compare(engine.model, expected, list(generate(server, requests)))
    seen(f"{len(requests)} traces, {len(ends)} ends in thinking, {len(ties)} ties {ties or ''}")


def test_by_calls_too(mini: Served, seen: Seen) -> None:
    engine, server = load("mini"), mini.engine(mode="by-call")
    assert not server.in_one_pass
    agree(engine, server, greedy_requests(engine, 12, strategies=STRATEGIES), seen)


def test_the_chat_endpoint_takes_a_budget(mini: Served, post: Callable[..., Any]) -> None:
    messages = [{"role": "user", "content": problems(1)[0]}]
    settings = {
        "model": mini.model,
        "messages": messages,
        "temperature": 0,
        "max_tokens": 60,
        "skip_special_tokens": False,
    }
    values = {"thinking_budget": 9, "solution_budget": 5}
    status, answer = post(mini, "/v1/chat/completions", {**settings, "custom_params": {"elastic": values}})
    assert status == 200, answer
    assert answer["usage"]["completion_tokens"] in range(10, 17)
    assert "</think>" in answer["choices"][0]["message"]["content"]


REFUSED = [
    ({"thinking_budget": -1}, {}, "thinking_budget -1: must be a whole number of tokens, 0 or more, or 'inf'"),
    ({"thinking_budgets": 5}, {}, "unknown parameter 'thinking_budgets': did you mean 'thinking_budget'?"),
    ({"thinking_budget": 5, "wait": "Wait", "min_thinking": 2}, {}, "takes back tokens"),
    ({"thinking_budget": 512, "solution_budget": 9}, {}, "more than the model's context leaves"),
    ({"thinking_budget": 5, "solution_budget": 5}, {"max_new_tokens": 10}, "the budget needs 11"),
    ({"deadline_seconds": 5}, {}, "deadline_seconds is kept by vLLM"),
    ({"thinking_budget": 5}, {"ignore_eos": True}, "ignore_eos cannot be combined with a budget"),
    ({"thinking_budget": 5}, {"stop": ["so"]}, "would stop within thinking too"),
    ({"thinking_budget": 5}, {"regex": "[0-9]"}, "start SGLang with --reasoning-parser"),
]


@pytest.mark.parametrize(("values", "others", "message"), REFUSED, ids=[message[:40] for *_, message in REFUSED])
def test_what_cannot_be_kept_is_answered_with_400_and_the_reason(
    mini: Served, post: Callable[..., Any], values: dict[str, Any], others: dict[str, Any], message: str
) -> None:
    tokenizer, template = load_template("mini")
    prompt = render_prompt(tokenizer, template, [{"role": "user", "content": problems(1)[0]}])
    params = {"max_new_tokens": 400, "custom_params": {"elastic": values}, **others}
    status, answer = post(mini, "/generate", {"input_ids": list(prompt.ids), "sampling_params": params})
    assert (status, message in json.dumps(answer)) == (400, True), answer
