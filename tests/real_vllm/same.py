"""Whether two greedy engines gave the same traces, and where the two best tokens were as good as equal."""

import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch

from elastic_reasoning.chat.rendering import render_prompt
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import Request, Sampling
from elastic_reasoning.core.segment import Finish, Phase, Segment
from elastic_reasoning.core.template import Prompt, Template, Thinking
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.engines.engine import generate, new_request
from elastic_reasoning.engines.loading import load
from elastic_reasoning.tasks.arithmetic import Arithmetic

BUDGETS = ("0+8", "4+2", "16+12", "32+20", "64+20", "inf+20")
TIE = 1e-4
LONG = "hmm so wait " * 13
KINDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("elastic", {}),
    ("elastic", {}),
    ("elastic", {"wrap_up": "so answer"}),
    ("elastic", {"grace": 5}),
    ("elastic", {"min_thinking": 2}),
    ("elastic", {"wrap_up": "{left} so {used}", "loop_breaker": 12}),
    ("elastic", {"soft_landing": 2, "landing_peak": 4, "close_text": "answer"}),
    ("nothinking", {}),
    ("vanilla", {}),
    ("s1", {"answer_tokens": 4}),
    ("l1-max", {"max_total": 40}),
    ("unconstrained", {}),
)


def problems(num: int) -> list[str]:
    """Questions that the shipped models can answer."""
    return [problem.messages[-1]["content"] for problem in Arithmetic().problems("test", num)]


def greedy_requests(
    engine: Any,
    num: int,
    budgets: Iterable[str] = BUDGETS,
    before: str = "",
    strategies: Sequence[str] = ("elastic",),
    **options: Any,
) -> list[Request]:
    """Every problem under every budget, each with a name of its own; some words may stand before each question."""
    greedy = Sampling(temperature=0)
    return [
        new_request(engine, before + question, budget, strategy, options, greedy, name=f"{n} {budget} {strategy}")
        for n, question in enumerate(problems(num))
        for budget in budgets
        for strategy in strategies
    ]


def random_prompt(chance: random.Random, tokenizer: Any, template: Template, question: str) -> Prompt:
    """A question whose answer is begun in one way or another; before some, the same long turn, which is cached."""
    before = [{"role": "user", "content": LONG}, {"role": "assistant", "content": "answer 3"}]
    messages = [*(before if chance.random() < 0.3 else []), {"role": "user", "content": question}]
    prompt = render_prompt(tokenizer, template, messages)
    assert prompt.thinking is Thinking.OPEN
    match chance.randrange(5):
        case 0:
            return Prompt(prompt.ids[:-1], Thinking.ABSENT)
        case 1:
            return Prompt((*prompt.ids, *template.closing.ids), Thinking.CLOSED)
        case 2:
            return Prompt((*prompt.ids, *template.encode("= 4 ok")), Thinking.OPEN)
    return prompt


def tie(model: Any, prompt: Sequence[int], one: Sequence[int], other: Sequence[int]) -> str | None:
    """Where two completions part, if the two best tokens were as good as equal there; `None` if they were not."""
    at = next(n for n, (a, b) in enumerate(zip_longest(one, other)) if a != b)
    if at >= min(len(one), len(other)):
        return None
    with torch.no_grad():
        logits = model(torch.tensor([[*prompt, *one[:at]]]), use_cache=False).logits[0, -1]
    best, ids = logits.topk(2)
    gap = float(best[0] - best[1])
    same = {one[at], other[at]} == set(ids.tolist())
    return f"token {at}: {sorted(ids.tolist())} differ by {gap:.1e}" if same and gap < TIE else None


def differences(expected: Trace, got: Trace) -> Iterator[str]:
    """What is not the same in two traces with the same ids but an end of sequence in thinking."""
    if (expected.error, got.error) != (None, None):
        yield f"errors {expected.error!r} and {got.error!r}"
    for one, other in zip_longest(expected.segments, got.segments):
        if one is None or other is None or (one.phase, one.ids) != (other.phase, other.ids):
            yield f"{one} and {other}"
            continue
        same = (one.finish, one.sampled) == (other.finish, other.sampled)
        if not same and not _moved(one, other, expected):
            yield f"{one} and {other}"


def _moved(one: Segment, other: Segment, expected: Trace) -> bool:
    """Whether they differ in what a processor cannot tell: a discarded end of sequence and a sampled delimiter."""
    ended = any(s.phase is Phase.THINKING and s.finish is Finish.EOS for s in expected.segments)
    if one.phase is Phase.THINKING:
        return (one.finish, other.finish) == (Finish.EOS, Finish.DELIMITER)
    return one.phase is Phase.CLOSING and ended and other.sampled


def compare(model: Any, expected: Iterable[Trace], got: Iterable[Trace]) -> list[str]:
    """The ties among pairs of traces that are the same otherwise.

    Raises:
        AssertionError: a pair is not.
    """
    by_name = {trace.request.name: trace for trace in got}
    ties, wrong, num = [], [], 0
    for trace in expected:
        num += 1
        other = by_name[trace.request.name]
        if trace.ids != other.ids:
            found = tie(model, trace.request.prompt.ids, trace.ids, other.ids)
            (ties if found else wrong).append(f"{trace.request.name}, {found or (trace.ids, other.ids)}")
        else:
            wrong += [f"{trace.request.name}, {difference}" for difference in differences(trace, other)]
    assert not wrong, "\n".join(wrong[:20])
    assert len(by_name) == num
    return ties


def largest_gap(expected: Iterable[Trace], got: Iterable[Trace]) -> float:
    """The largest difference of a log-probability, where the ids are the same."""
    by_name = {trace.request.name: trace for trace in got}
    pairs = [(trace, by_name[trace.request.name]) for trace in expected]
    return max(
        abs(one - other)
        for trace, same in pairs
        if trace.ids == same.ids
        for one, other in zip(trace.logprobs or (), same.logprobs or (), strict=True)
    )


def make_unruly(folder: Path) -> Path:
    """The shipped model made to end the sequence wherever it would say "f", in thinking too.

    Where it would say "d" and "e" it opens and closes a tool call.
    """
    engine = load("mini")
    model, tokenizer = engine.model, engine.tokenizer
    tokenizer.add_tokens(["<tool_call>", "</tool_call>"])
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    embedded, weight = model.model.embed_tokens.weight.detach(), model.lm_head.weight.detach().clone()
    for letter, other in (("f", "<eos>"), ("d", "<tool_call>"), ("e", "</tool_call>")):
        known, new = tokenizer.convert_tokens_to_ids([letter, other])
        weight[new] = 1.1 * weight[known]
        if letter != "f":
            embedded[new] = embedded[known]
    model.config.tie_word_embeddings = False
    model.lm_head.weight = type(model.lm_head.weight)(weight)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def ties_with_plain(model: str, plain: Iterable[tuple[Sequence[int], int, Sequence[int]]]) -> list[str]:
    """The ties between greedy completions without a budget and what the model says alone.

    Args:
        model: by name.
        plain: prompt, number of tokens that were asked for, and the ids that came back.

    Raises:
        AssertionError: two differ otherwise.
    """
    engine, asked, ties = load(model), list(plain), []
    requests = [
        Request(Prompt(tuple(prompt), Thinking.CLOSED), Budget(0, num), sampling=Sampling(temperature=0), name=str(n))
        for n, (prompt, num, _) in enumerate(asked)
    ]
    for trace in generate(engine, requests):
        ids = asked[int(trace.request.name)][2]
        if tuple(ids) != trace.ids:
            found = tie(engine.model, trace.request.prompt.ids, trace.ids, ids)
            assert found, (trace.request, ids)
            ties.append(found)
    return ties
