"""Rows of requests that SGLang's scheduler holds: told of their ids late, several at once, or anew."""

import random
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from checker import check
from elastic_reasoning.chat.rendering import render_prompt
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.needs import most_tokens
from elastic_reasoning.core.request import Options, Request
from elastic_reasoning.core.template import Prompt
from elastic_reasoning.integrations.sglang.rows import advanced, row_of
from integrations.sglang.requests import TEMPLATE, TOKENIZER, scheduled
from rows import next_id, read

PROMPT = render_prompt(TOKENIZER, TEMPLATE, [{"role": "user", "content": "a 4 b -8 ="}])
CONTEXT = 128
KINDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("elastic", {}),
    ("elastic", {"wrap_up": "so answer"}),
    ("elastic", {"grace": 3}),
    ("elastic", {"min_thinking": 2}),
    ("nothinking", {}),
    ("vanilla", {}),
    ("s1", {"answer_tokens": 4}),
    ("unconstrained", {}),
)


def random_request(chance: random.Random) -> Request:
    strategy, options = chance.choice(KINDS)
    prompt = chance.choice([PROMPT, Prompt(PROMPT.ids[:-1])])
    return Request(prompt, Budget(chance.randrange(4, 20), chance.randrange(9)), strategy, Options(**options))


def script_of(chance: random.Random) -> Any:
    def script(request: Request, ids: Sequence[int]) -> Iterator[int]:
        common = (TEMPLATE.closing.ids[0], min(TEMPLATE.eos)) if chance.random() < 0.15 else ()
        yield from (*common, *chance.sample(range(3, TEMPLATE.num_tokens), TEMPLATE.num_tokens - 3))

    return script


@pytest.mark.parametrize("seed", range(60))
def test_budgets_are_exact_whatever_becomes_of_a_sequence(seed: int) -> None:
    chance = random.Random(seed)
    request, script = random_request(chance), script_of(chance)
    most = most_tokens(request, TEMPLATE, CONTEXT)
    assert most is not None
    req = scheduled(request, most)
    while len(req.output_ids) < most and not (req.output_ids and req.output_ids[-1] in TEMPLATE.eos):
        budgeted = advanced(req)
        assert budgeted is not None
        if chance.random() < 0.1:  # sampled, and thrown away as the sequence is retracted
            continue
        req.output_ids.append(next_id(budgeted.row, TEMPLATE, script, request))
        if chance.random() < 0.05:  # the request goes to another scheduler
            req = scheduled(request, most, req.output_ids)
        elif chance.random() < 0.05:
            del req.output_ids[-1:]
    trace = read(request, list(req.output_ids), TEMPLATE, len(request.prompt.ids) + most)
    assert check(trace, len(request.prompt.ids) + most) == []


@pytest.mark.parametrize(
    ("settings", "expected"), [({}, 1.0), ({"temperature": 0.5}, 0.5), ({"temperature": 0.7, "top_k": 1}, 0.0)]
)
def test_greedy_sampling_is_known_by_its_top_k(settings: dict[str, Any], expected: float) -> None:
    budgeted = advanced(scheduled(Request(PROMPT, Budget(4, 4)), 20, **settings))
    assert budgeted is not None
    assert budgeted.temperature == expected


def test_what_is_computed_ahead_of_several_samples_is_left_alone() -> None:
    req = scheduled(Request(PROMPT, Budget(8, 8)), 0)
    assert advanced(req) is None
    assert req.to_finish is None


def test_what_the_scheduler_leaves_too_little_room_for_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "sglang.srt.managers.schedule_batch"
    module = ModuleType(name)
    module.FINISH_ABORT = lambda *said: SimpleNamespace(said=said)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, name, module)
    req = scheduled(Request(PROMPT, Budget(8, 8)), 10)
    assert advanced(req) is None
    message, status, _ = req.to_finish.said
    assert (status, "more than the model's context leaves" in message) == (400, True)
    assert row_of(req) is None
