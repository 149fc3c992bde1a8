"""Greedy decoding gives the traces of the transformers engine, token for token."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("vllm.v1.engine", reason="vllm is not installed: scripts/setup_vllm.sh")

from elastic_reasoning.core.request import Request
from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.engines.engine import generate
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.http.engine import OpenAIEngine
from elastic_reasoning.engines.loading import load
from real_vllm.same import compare, greedy_requests, largest_gap
from real_vllm.serving import TIGHT, Start, in_process

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]

FEW, MANY = 20, 200
"""Problems, each under six budgets."""

Seen = Callable[[str], None]

models_and_numbers = pytest.mark.parametrize(
    ("model", "num"),
    [
        pytest.param("mini", FEW, id="mini, few"),
        pytest.param("mini", MANY, id="mini", marks=pytest.mark.full),
        pytest.param("mini-e1", MANY, id="mini-e1", marks=pytest.mark.full),
    ],
)


def agree(engine: Any, num: int, traces_of: Callable[[list[Request]], Iterable[Trace]], seen: Seen) -> None:
    requests = greedy_requests(engine, num)
    expected, got = list(generate(engine, requests)), list(traces_of(requests))
    ties = compare(engine.model, expected, got)
    gap = largest_gap(expected, got)
    assert gap < 1e-3
    seen(f"{len(requests)} traces, log-probabilities within {gap:.0e}, {len(ties)} ties {ties or ''}")


@models_and_numbers
@pytest.mark.parametrize("mode", ["one-pass", "by-call"])
def test_over_http(start: Start, model: str, num: int, mode: str, seen: Seen) -> None:
    server = OpenAIEngine(ServerConfig((start(model, *TIGHT).url,), tokenizer=model, mode=mode))
    assert server.in_one_pass == (mode == "one-pass")
    agree(load(model), num, lambda requests: generate(server, requests), seen)


@pytest.mark.full
@pytest.mark.parametrize("model", ["mini", "mini-e1"])
def test_in_process(model: str, seen: Seen) -> None:
    with in_process(model) as engine:
        assert engine.note == ""
        agree(load(model), MANY, lambda requests: generate(engine, requests), seen)


@pytest.fixture(scope="module")
def unruly(unruly_model: Path) -> Iterator[tuple[Any, Any]]:
    """The transformers engine and vLLM with the model that ends sequences and calls tools where it should not."""
    with in_process(str(unruly_model)) as engine:
        yield load(str(unruly_model)), engine


LANDINGS = (
    {"soft_landing": 4, "landing_peak": 6, "close_text": "answer"},
    {"loop_breaker": 12, "grace": 3, "close_text": "answer"},  # no wrap-up: behind an end of sequence it is not forced
)


@pytest.mark.parametrize("options", LANDINGS, ids=["soft landing", "loop breaker"])
def test_thinking_that_lands_or_goes_round_in_circles(
    unruly: tuple[Any, Any], options: dict[str, Any], seen: Seen
) -> None:
    transformers, vllm = unruly
    requests = greedy_requests(transformers, FEW, ("4+4", "16+12", "64+20"), **options)
    expected, got = list(generate(transformers, requests)), list(generate(vllm, requests))
    ties = compare(transformers.model, expected, got)
    ends = Counter(s.finish for trace in got for s in trace.segments if s.phase is Phase.THINKING and s.finish)
    seen(f"{len(requests)} traces, thinking ended by {dict(ends)}, {len(ties)} ties {ties or ''}")


def test_a_model_that_ends_the_sequence_in_thinking(unruly: tuple[Any, Any], seen: Seen) -> None:
    transformers, vllm = unruly
    requests = greedy_requests(transformers, 2 * FEW)
    expected, got = list(generate(transformers, requests)), list(generate(vllm, requests))
    ties = compare(transformers.model, expected, got)
    ended, read = (
        sum(s.phase is Phase.THINKING and s.finish is Finish.EOS for trace in traces for s in trace.segments)
        for traces in (expected, got)
    )
    assert ended > FEW
    assert read == 0
    seen(f"{len(requests)} traces, {ended} with an end of sequence in thinking, {len(ties)} ties {ties or ''}")


def test_a_tool_call_is_not_cut(unruly: tuple[Any, Any], seen: Seen) -> None:
    transformers, vllm = unruly
    requests = greedy_requests(transformers, FEW, ("7+9", "8+9", "9+9", "64+8", "64+9"), "<tool_call> ")
    expected, got = list(generate(transformers, requests)), list(generate(vllm, requests))
    ties = compare(transformers.model, expected, got)
    calls = [s for trace in got for s in trace.segments if s.phase is Phase.TOOL]
    closing = vllm.template.tools.closing
    whole = sum(closing.ends(call.ids) > 0 for call in calls)
    assert whole > FEW
    seen(f"{len(requests)} traces with {whole} tool calls, {len(ties)} ties {ties or ''}")
