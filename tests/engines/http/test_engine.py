"""Whatever a server speaks, its traces are those that the scripted engine makes of the same model."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from cases import make_options
from checker import check
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.drive import SampleRequest
from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.core.request import Options, Request, Sampling
from elastic_reasoning.core.strategies import STRATEGIES, names_of
from elastic_reasoning.core.template import Prompt, Template, Thinking
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import generate, run
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.http.dialects.dialect import DialectContext
from elastic_reasoning.engines.http.dialects.openai import DIALECT
from elastic_reasoning.engines.http.engine import OpenAIEngine
from elastic_reasoning.engines.http.replicas import RefusedError
from elastic_reasoning.engines.scripted import ScriptedEngine
from fake_servers import (
    NUM_PROMPT,
    FakeModel,
    fake_llama_cpp,
    fake_openai,
    fake_sglang,
    fake_vllm,
    serving,
)
from letters import letters, pieces_template

TEMPLATES = {
    "one token": letters(),
    "several tokens": letters("OP", "CDC"),
    "two ends": letters(closing="CD", eos="$."),
    "text": pieces_template(["$", *"</t>x.()awv", "</", "/t", "t>", ">."], "<t>", "</t>"),
}
Fake = Callable[..., web.Application]
SINGLE = tuple(names_of(lambda strategy: not strategy.siblings))
"""Strategies of one thinking."""
BLIND = [name for name in SINGLE if name not in ("deer", "allocated")]
"""Those that go by no log-probabilities, whatever they are told."""


def random_request(draw: random.Random, template: Template, names: Sequence[str] = SINGLE) -> Request:
    name = draw.choice([*names, "elastic", "elastic"])
    if name not in names:
        name = names[0]
    no_limit = [] if STRATEGIES[name].bounds == "asked" else [None]
    budget = Budget(draw.choice([*no_limit, *range(10)]), draw.choice([*no_limit, *range(6)]))
    options = make_options(draw.choice, name, budget)
    prompt = Prompt(tuple(draw.randrange(1, template.num_tokens) for _ in range(NUM_PROMPT)), draw.choice([*Thinking]))
    return Request(prompt, budget, name, options, Sampling(seed=draw.randrange(3)), sample=draw.randrange(3))


def requests_of(template: Template, num: int, **settings: Any) -> list[Request]:
    draw = random.Random(7)
    requests = [random_request(draw, template, **settings) for _ in range(num)]
    return [replace(request, name=str(number)) for number, request in enumerate(requests)]


def answered(engine: Any, requests: Sequence[Request]) -> list[Trace]:
    traces = {trace.request.name: trace for trace in generate(engine, requests)}
    assert len(traces) == len(requests)
    return [traces[request.name] for request in requests]


def parts(trace: Trace) -> list[tuple[Any, ...]]:
    return [(s.phase, s.ids, s.sampled, s.finish) for s in trace.segments]


def compare(engine: OpenAIEngine, model: FakeModel, requests: Sequence[Request]) -> int:
    """Check traces against those of the scripted engine; the number that have log-probabilities."""
    num_known = 0
    scripted = ScriptedEngine(model.script, model.template, engine.context)
    for trace, expected in zip(answered(engine, requests), answered(scripted, requests), strict=True):
        assert parts(trace) == parts(expected), (trace.request, trace.error)
        assert trace.error == expected.error
        if trace.error is None and trace.logprobs is not None and expected.logprobs is not None:
            assert trace.logprobs == pytest.approx(expected.logprobs)
            assert check(trace, engine.context) == []
            num_known += 1
    return num_known


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("fake", [fake_vllm, fake_sglang, fake_llama_cpp], ids=["vllm", "sglang", "llama.cpp"])
def test_calls_to_a_server_that_knows_ids_are_exact(name: str, fake: Fake, new_engine: Any) -> None:
    model = FakeModel(TEMPLATES[name])
    with serving(lambda: fake(model)) as server:
        engine = new_engine(model.template, server.url)
        assert not engine.in_one_pass
        assert not engine.counted
        num_known = compare(engine, model, requests_of(model.template, 60))
    assert engine.context == model.context - (2 if fake is fake_sglang else 0)
    assert num_known > 20


@pytest.mark.parametrize("plug_in", [False, True])
def test_several_thinkings_are_as_many_completions_of_a_server(plug_in: bool, new_engine: Any) -> None:
    model = FakeModel(TEMPLATES["one token"], ends_in_thinking=False, logprobs="processed")
    requests = [
        Request(
            Prompt((5, 6, 7, 4 + n)),
            Budget(20 + n, 4),
            name,
            Options(num_branches=3),
            Sampling(seed=n),
            name=f"{n} {name}",
        )
        for n in range(8)
        for name in names_of(lambda strategy: strategy.siblings)
    ]
    with serving(lambda: fake_vllm(model, plug_in=plug_in)) as server:
        engine = new_engine(model.template, server.url)
        assert engine.in_one_pass is plug_in
        scripted = ScriptedEngine(model.script, model.template, engine.context)
        for trace, expected in zip(answered(engine, requests), answered(scripted, requests), strict=True):
            assert trace.error is None
            assert trace.ids == expected.ids
            assert len(trace.branches) == len(expected.branches) > 1


def test_a_server_may_leave_out_what_it_stopped_at(new_engine: Any) -> None:
    model = FakeModel(TEMPLATES["one token"])
    with serving(lambda: fake_sglang(model, trims=True)) as server:
        compare(new_engine(model.template, server.url), model, requests_of(model.template, 40))


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("fake", [fake_vllm, fake_sglang], ids=["vllm", "sglang"])
def test_our_plug_in_keeps_a_budget_in_one_pass(name: str, fake: Fake, new_engine: Any) -> None:
    # A processor cannot discard an end of sequence: here the model has none in thinking.
    model = FakeModel(TEMPLATES[name], ends_in_thinking=False, logprobs="processed")
    with serving(lambda: fake(model, plug_in=True)) as server:
        engine = new_engine(model.template, server.url)
        assert engine.in_one_pass
        compare(engine, model, requests_of(model.template, 60))
        by_call = new_engine(model.template, server.url, mode="by-call")
        assert not by_call.in_one_pass
        compare(by_call, model, requests_of(model.template, 30))


@pytest.mark.parametrize("settings", [{}, {"prompt_ids": False}, {"tells": True}], ids=["ids", "text", "tells"])
@pytest.mark.parametrize("name", ["one token", "several tokens"])
def test_text_is_counted_with_the_tokenizer(name: str, settings: dict[str, bool], new_engine: Any) -> None:
    model = FakeModel(TEMPLATES[name], ends_in_thinking=bool(settings.get("tells")))
    by_text = [name for name in BLIND if name not in ("nowait", "alpha-one")]  # which forbid, or wait for words
    names = [name for name in by_text if settings.get("tells") or STRATEGIES[name].bounds == "separate"]
    requests = requests_of(model.template, 60, names=names)
    cannot = {"grace", "min_thinking", "num_waits", "soft_landing"} | (set() if settings.get("tells") else {"wait"})
    plain = [replace(r, options=Options({n: v for n, v in r.options.items() if n not in cannot})) for r in requests]
    with serving(lambda: fake_openai(model, **settings)) as server:
        engine = new_engine(model.template, server.url, context=64)
        assert engine.counted
        assert engine.capabilities.prompt_ids is settings.get("prompt_ids", True)
        compare(engine, model, plain)


def test_what_text_cannot_do_is_said_of_the_request(new_engine: Any) -> None:
    model = FakeModel(letters())
    prompt = Prompt((5, 6, 7, 8), Thinking.OPEN)
    request = Request(prompt, Budget(4, 4))
    cannot = {
        "min_thinking": replace(request, options=Options(min_thinking=2)),
        "grace": replace(request, options=Options(grace=4)),
        "top_k": replace(request, sampling=Sampling(top_k=3)),
        "finite budget": replace(request, budget=Budget(4, None)),
        "whether it stopped at 'O'": replace(request, strategy="vanilla", prompt=Prompt((3, 3, 3, 3))),
        "stopped at 'C' or at the end": replace(
            request, strategy="s1", budget=Budget(40, 4), options=Options(num_waits=1)
        ),
    }
    with serving(lambda: fake_openai(model)) as server:
        engine = new_engine(model.template, server.url)
        assert engine.context is None
        for reason, trace in zip(
            cannot, answered(engine, [replace(r, name=n) for n, r in cannot.items()]), strict=True
        ):
            assert trace.error is not None
            assert reason in trace.error
        replaces_nothing = replace(request, options=Options(wait="w"))  # without min_thinking it makes no difference
        assert answered(engine, [replaces_nothing])[0].error is None


def test_a_walk_that_is_under_way_goes_on(new_engine: Any) -> None:
    model = FakeModel(letters(), ends_in_thinking=False)
    request = Request(Prompt((5, 6, 7, 8), Thinking.OPEN), Budget(4, 6))
    whole = next(run(ScriptedEngine(model.script, model.template, 64), [Walk(request, model.template, 64)]))
    walk = Walk(request, model.template, 64)
    steps = Walk(request, model.template, 64)
    next(run(ScriptedEngine(model.script, model.template, 64), [steps]))
    walk.finish(steps.steps[0].completion)
    with serving(lambda: fake_vllm(model, plug_in=True)) as server:
        trace = next(run(new_engine(model.template, server.url), [walk]))
    assert parts(trace) == parts(whole)


@pytest.mark.parametrize("logprobs", ["raw", "tempered", "processed"])
def test_log_probabilities_are_kept_where_they_are_what_a_trace_wants(logprobs: str, new_engine: Any) -> None:
    model = FakeModel(letters(), logprobs=logprobs)
    prompt = Prompt((5, 6, 7, 8), Thinking.OPEN)
    samplings = {
        "plain": (Sampling(), {"raw", "tempered", "processed"}),
        "greedy": (Sampling(temperature=0), {"raw", "tempered", "processed"}),
        "warm": (Sampling(temperature=0.5), {"tempered", "processed"}),
        "nucleus": (Sampling(top_p=0.9), {"raw", "tempered"}),
        "top_k": (Sampling(top_k=4), {"raw", "tempered"}),
    }
    requests = [Request(prompt, Budget(3, 3), sampling=sampling, name=n) for n, (sampling, _) in samplings.items()]
    requests.append(Request(prompt, Budget(6, 3), options=Options(min_thinking=4), name="bans"))
    with serving(lambda: fake_vllm(model)) as server:
        engine = new_engine(model.template, server.url)
        assert engine.capabilities.logprobs == logprobs
        known = {trace.request.name for trace in generate(engine, requests) if trace.logprobs is not None}
    expected = {name for name, (_, kinds) in samplings.items() if logprobs in kinds}
    assert known == expected | ({"bans"} if logprobs == "raw" else set())


def test_a_plug_in_that_does_not_keep_budgets_is_not_used(new_engine: Any) -> None:
    model = FakeModel(letters())
    with serving(lambda: fake_vllm(model, plug_in=True, heeds=False)) as server:
        assert not new_engine(model.template, server.url).in_one_pass
        with pytest.raises(EngineError, match="does not have our plug-in; install"):
            new_engine(model.template, server.url, mode="one-pass")


@pytest.mark.parametrize("plug_in", [True, False], ids=["plug-in", "none"])
def test_sglang_needs_the_plug_in_and_logit_processors(plug_in: bool, new_engine: Any) -> None:
    model = FakeModel(letters())
    with serving(lambda: fake_sglang(model, plug_in=plug_in, allows=False)) as server:
        assert not new_engine(model.template, server.url).in_one_pass
        with pytest.raises(EngineError, match=r"start .* with --enable-custom-logit-processor, or use mode auto"):
            new_engine(model.template, server.url, mode="one-pass")


def test_a_server_with_another_end_of_sequence_is_not_believed(new_engine: Any) -> None:
    model = FakeModel(letters(eos="$x"))
    requests = requests_of(letters(), 20, names=["elastic"])
    told = pytest.raises(EngineError, match="where it was not asked to")
    with serving(lambda: fake_llama_cpp(model)) as server, told:
        answered(new_engine(letters(), server.url), requests)


@pytest.mark.parametrize("name", TEMPLATES)
def test_an_answer_whose_stream_leaves_out_ids_is_asked_for_again(name: str, new_engine: Any) -> None:
    model = FakeModel(TEMPLATES[name])
    with serving(lambda: fake_llama_cpp(model, lost=[13])) as server:
        engine = new_engine(model.template, server.url)
        num_known = compare(engine, model, requests_of(model.template, 60, names=BLIND))
    assert 0 < num_known < 60


def test_a_context_that_is_smaller_than_said_is_said_of_the_request(new_engine: Any) -> None:
    class Talker(FakeModel):
        def prefers(self, ids: Sequence[int]) -> list[int]:
            return [5]

    model = Talker(letters(), context=12, told=64)
    request = Request(Prompt((5, 6, 7, 8), Thinking.OPEN), Budget(20, 20))
    with serving(lambda: fake_llama_cpp(model)) as server:
        trace = next(generate(new_engine(model.template, server.url), [request]))
    assert trace.error is not None
    assert "its context is smaller" in trace.error


def test_what_a_server_refuses_is_said_of_the_request(new_engine: Any) -> None:
    model = FakeModel(letters(), told=1000)
    with serving(lambda: fake_vllm(model)) as server:
        engine = new_engine(model.template, server.url)
        good, bad = (Request(Prompt((5, 6, 7, 8), Thinking.OPEN), Budget(t, 4), name=str(t)) for t in (4, 400))
        traces = {trace.request.name: trace for trace in generate(engine, [good, bad])}
    assert traces["4"].error is None
    assert traces["400"].error == "the server answered 400: 4 + 400 tokens do not fit 64"


@pytest.mark.parametrize("plug_in", [True, False], ids=["one pass", "by call"])
def test_vllm_is_not_asked_for_all_that_its_context_holds_where_it_does_not_tell(
    plug_in: bool, new_engine: Any
) -> None:
    model = FakeModel(letters(), ends_in_thinking=False, told=0)
    request = Request(Prompt((5, 6, 7, 8), Thinking.OPEN), Budget(4, None))
    with serving(lambda: fake_vllm(model, plug_in=plug_in)) as server:
        engine = new_engine(model.template, server.url)
        assert (engine.context, engine.in_one_pass) == (None, plug_in)
        trace = next(generate(engine, [request]))
        assert trace.error is not None
        assert "does not tell its context" in trace.error
        compare(new_engine(model.template, server.url, context=64), model, [request])


def test_what_a_server_tells_of_its_context_is_believed(new_engine: Any) -> None:
    model = FakeModel(letters(), ends_in_thinking=False)
    with serving(lambda: fake_vllm(model, plug_in=True)) as server:
        engine = new_engine(model.template, server.url, context=20)
        assert engine.context == 64
        compare(engine, model, requests_of(model.template, 20))


def test_a_model_whose_tokenizer_is_not_known() -> None:
    server = ServerConfig(base_urls=("http://127.0.0.1:9/v1",))
    with pytest.raises(EngineError, match=r"tokenizer of the served model 'm' is not known: .* --server.tokenizer"):
        OpenAIEngine(server, "m")
    with pytest.raises(EngineError, match="unknown model 'minni': did you mean 'mini'"):
        OpenAIEngine(replace(server, tokenizer="minni"), "m")


def test_several_delimiters_are_not_waited_for_in_text() -> None:
    template = letters()
    request = Request(Prompt((5, 6, 7, 8), Thinking.OPEN), Budget(4, 4))
    wanted = SampleRequest(request, (5, 6, 7, 8), 0, 4, template.eos, frozenset(), ("final", "tool"), discards_end=True)
    with pytest.raises(RefusedError, match="tool calls and channel formats need a server that returns ids"):
        DIALECT.ask(wanted, DialectContext("fake", template))
