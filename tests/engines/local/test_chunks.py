"""Long prompts beside rows that run: prefilled in parts, a step of all rows between any two of them."""

from collections.abc import Callable
from concurrent.futures import Future
from itertools import pairwise
from typing import Any

import pytest
import torch

from elastic_reasoning.core.delta import Delta
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.segment import Finish
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import generate, run
from elastic_reasoning.engines.local import batch, loop
from elastic_reasoning.engines.local.engine import TransformersEngine
from elastic_reasoning.engines.local.keys_values import KeysValues
from letters import letters
from tape import graphed_engine, told
from tiny import new_engine, request, tiny

CHUNK = 8
ENGINES = {"step by step": new_engine, "recorded": graphed_engine}


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What the model is asked for: the tokens of each part of a prompt, and steps."""
    seen: list[tuple[str, int]] = []
    extend, decode = KeysValues.extend, KeysValues.decode

    def extending(self: KeysValues, slot: int, ids: torch.Tensor, column: int) -> None:
        seen.append(("extend", len(ids)))
        extend(self, slot, ids, column)

    def decoding(self: KeysValues, tokens: torch.Tensor, *given: Any, **settings: Any) -> torch.Tensor:
        seen.append(("step", len(tokens)))
        return decode(self, tokens, *given, **settings)

    monkeypatch.setattr(KeysValues, "extend", extending)
    monkeypatch.setattr(KeysValues, "decode", decoding)
    return seen


def mixed(num: int) -> list[Request]:
    """One that thinks for long, and prompts of which every third is long."""
    more = [request(40 + 3 * n if n % 3 == 1 else 2 + n % 5, "9+4", sample=n) for n in range(1, num)]
    return [request(4, "70+4", sample=0, min_thinking=70, wait="w"), *more]


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("family", ["llama", "mistral", "gemma3", "gpt2"])
def test_parts_give_what_a_whole_gives(
    family: str, kind: str, passes: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = {t.request.name: t for t in generate(new_engine(tiny(family), letters("OP", "CD"), 4), mixed(12))}
    make: Callable[..., TransformersEngine] = ENGINES[kind]
    engine = make(tiny(family), letters("OP", "CD"), 4)
    for module in (batch, loop):
        monkeypatch.setattr(module, "CHUNK_TOKENS", CHUNK)
    passes.clear()
    for trace in generate(engine, mixed(12)):
        assert trace.error is None
        assert told(trace) == told(expected[trace.request.name])
        assert trace.logprobs == pytest.approx(expected[trace.request.name].logprobs, abs=1e-4)
    parts = [num for name, num in passes if name == "extend"]
    assert len(parts) >= 6
    assert max(parts) <= CHUNK
    if kind != "recorded":  # whose steps are not seen where they are replayed
        assert not any(first[0] == second[0] == "extend" for first, second in pairwise(passes))


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("finish", [Finish.ABORT, Finish.DEADLINE])
def test_a_walk_is_interrupted_before_its_prompt_is_prefilled(
    kind: str, finish: Finish, passes: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    make: Callable[..., TransformersEngine] = ENGINES[kind]
    engine = make(tiny(), max_rows=2)
    for module in (batch, loop):
        monkeypatch.setattr(module, "CHUNK_TOKENS", CHUNK)
    passes.clear()
    first = Walk(request(2, "20+2", min_thinking=20), engine.template, engine.context)
    late = Walk(request(70, "9+4", sample=1), engine.template, engine.context)
    futures: list[Future[Walk]] = []
    heard: list[Delta] = []

    def listen(delta: Delta) -> None:
        heard.append(delta)
        if len(heard) == 3:
            futures.extend(engine.submit([late]))
        elif len(heard) == 6:
            assert 0 < sum(num for name, num in passes if name == "extend") < 69
            late.interrupt(finish)

    [trace] = run(engine, [first], listen)
    assert len(trace.ids) == 23
    found = futures[0].result(60).trace()
    if finish is Finish.ABORT:
        assert found.ids == ()
    else:
        assert found.closed_by_deadline
        [plain] = generate(new_engine(tiny()), [request(70, "0+4", sample=1)])
        assert found.ids == plain.ids
