from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from checker import check
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Call, Calls, OnEos
from elastic_reasoning.core.delta import Delta
from elastic_reasoning.core.errors import ContextError, EngineError
from elastic_reasoning.core.request import Options, Request, Sampling
from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.core.strategies import STRATEGIES, Strategy
from elastic_reasoning.core.template import Prompt, Template, Thinking
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import generate, run
from elastic_reasoning.engines.local import batch
from elastic_reasoning.engines.local.engine import TransformersEngine
from elastic_reasoning.engines.local.slots import Slots
from letters import letters, pieces_template, put_together
from tiny import (
    CONTEXT,
    NUM_LOGITS,
    SAMPLINGS,
    biased,
    build,
    by_plain_forward,
    mixed_requests,
    new_engine,
    prompt,
    request,
    tiny,
)

TEMPLATES = {"one token": letters(), "several tokens": letters("OP", "CDD")}
EAGER = {3: 2.5, 4: 2.5}  # writes C and D, of which delimiters are made, more often


def by_name(traces: Iterable[Trace]) -> dict[str, Trace]:
    found = {trace.request.name: trace for trace in traces}
    return dict(sorted(found.items(), key=lambda item: int(item[0])))


def shape(trace: Trace) -> list[Any]:
    """Everything but the log-probabilities."""
    probes = [(p.position, p.forced, p.segment.ids, p.segment.finish) for p in trace.probes]
    return [*((s.phase, s.ids, s.sampled, s.finish) for s in trace.segments), *probes, trace.error]


def shapes(engine: TransformersEngine, requests: Sequence[Request]) -> list[list[Any]]:
    return [shape(trace) for trace in by_name(generate(engine, requests)).values()]


def assert_plain(engine: TransformersEngine, requests: Sequence[Request]) -> list[Trace]:
    traces = list(by_name(generate(engine, requests)).values())
    for trace in traces:
        plain = by_plain_forward(engine.model, engine.template, trace.request)
        assert shape(trace) == shape(plain)
        assert trace.logprobs == pytest.approx(plain.logprobs, abs=1e-4)
    return traces


@pytest.mark.parametrize("delimiter", TEMPLATES)
def test_every_request_is_answered_as_plain_forwards_answer_it(delimiter: str) -> None:
    """More requests than rows; strategies, samplings, prompts and budgets of all kinds beside each other."""
    engine = new_engine(biased(tiny(), EAGER), TEMPLATES[delimiter], max_rows=5)
    traces = assert_plain(engine, mixed_requests(48))
    assert len(traces) == 48
    assert [check(trace, CONTEXT) for trace in traces] == [[]] * 48


def test_what_is_sampled_and_taken_back_occurs_in_these_requests() -> None:
    """The test above would say little if the models never closed, ended, or were replaced."""
    engines = [new_engine(biased(tiny(), EAGER), template) for template in TEMPLATES.values()]
    traces = [trace for engine in engines for trace in generate(engine, mixed_requests(48))]
    finishes = {str(segment.finish) for trace in traces for segment in trace.segments}
    assert finishes >= {"delimiter", "eos", "length", "boundary"}
    thinking = [[s.sampled for s in trace.segments if s.phase == "thinking"] for trace in traces]
    assert any(False in sampled for sampled in thinking)  # a "Wait" took a delimiter's place
    closings = [[s.sampled for s in trace.segments if s.phase == "closing"] for trace in traces]
    assert {(True,), (False,), (True, False)} <= set(map(tuple, closings))


@pytest.mark.parametrize("family", ["llama", "mistral", "lfm2"])
def test_what_is_taken_back_is_forgotten(family: str) -> None:
    """Of a delimiter of three tokens two are in the cache when "Wait" takes its place."""
    engine = new_engine(biased(tiny(family), {3: 4.0, 4: 4.5}), letters("O", "CDD"))
    options = {"answer_tokens": 2, "num_waits": 3, "wait": "w"}
    traces = assert_plain(engine, [request(2 + n, "14+3", "s1", sample=n, **options) for n in range(6)])
    assert sum(not s.sampled for trace in traces for s in trace.segments if s.phase == "thinking") >= 3


def ignoring(given: Prompt, budget: Budget, template: Template, options: Options, context: int | None) -> Calls:
    """Takes a delimiter back and forces nothing in its place; the next two tokens are not its first."""
    left, tail = budget.thinking or 0, 0
    while left > 0:
        banned = frozenset(template.closing.ids[:1]) if tail else frozenset[int]()
        least = 2 if tail else 0
        thought = yield Call(
            Phase.THINKING, left, stop=template.closing, on_eos=OnEos.END, tail=tail, min_tokens=least, banned=banned
        )
        if thought.finish is not Finish.DELIMITER:
            return
        tail = len(template.closing.ids)
        left -= len(thought.ids) - tail
    yield Call(Phase.SOLUTION, 0, tail=tail)


@pytest.mark.parametrize("family", ["llama", "mistral", "lfm2"])
@pytest.mark.parametrize("closing", ["C", "CD"])
def test_what_is_taken_back_may_have_nothing_in_its_place(
    family: str, closing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STRATEGIES, "ignoring", Strategy(ignoring))
    engine = new_engine(biased(tiny(family), {0: -50.0, 3: 4.0, 4: 4.5}), letters("O", closing))
    traces = assert_plain(engine, [request(2 + n, "24+0", "ignoring", sample=n) for n in range(6)])
    assert sum(len(trace.segments) > 2 for trace in traces) >= 3


def test_a_strategy_that_fails_on_its_way_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*given: object) -> Calls:
        yield Call(Phase.SOLUTION, 3, on_eos=OnEos.DISCARD)
        raise ContextError("no room is left")

    monkeypatch.setitem(STRATEGIES, "failing", Strategy(failing))
    asked = [request(sample=n, strategy="elastic" if n % 2 else "failing") for n in range(6)]
    errors = [trace.error for trace in by_name(generate(new_engine(tiny()), asked)).values()]
    assert errors == ["no room is left", None] * 3


def test_what_the_model_would_say_in_the_place_of_forced_tokens_does_not_count() -> None:
    """It would end the sequence, at nearly every step."""
    engine = new_engine(biased(tiny(), {0: 6.0}), letters("OP", "CDD"))
    asked = [request(2 + n, "2+4", sample=n, wrap_up="abcdefab") for n in range(8)]
    for trace in assert_plain(engine, asked):
        assert [s.ids for s in trace.segments if s.phase == "wrap_up"] == [engine.template.encode("abcdefab")]


@pytest.mark.parametrize("max_rows", [1, 3, 64])
def test_the_result_depends_on_neither_rows_nor_batch_mates(max_rows: int) -> None:
    template = TEMPLATES["several tokens"]
    requests = mixed_requests(40)
    expected = shapes(new_engine(tiny(), template, max_rows=8), requests)
    assert shapes(new_engine(tiny(), template, max_rows), requests) == expected
    assert shapes(new_engine(tiny(), template, max_rows), requests[::-1]) == expected


def test_a_walk_that_is_part_of_its_way_goes_on_as_if_it_had_not_stopped() -> None:
    template = TEMPLATES["several tokens"]
    engine = new_engine(tiny(), template)
    requests = mixed_requests(40)
    whole = [Walk(request, template, CONTEXT) for request in requests]
    expected = by_name(run(engine, whole))
    resumed = []
    for walk in whole:
        again = Walk(walk.request, template, CONTEXT)
        for step in walk.steps[: len(walk.steps) // 2 + len(walk.steps) % 2]:
            if again.call is not None and step.call.max_tokens != 0:
                again.finish(step.completion)
        resumed.append(again)
    assert any(walk.call is None for walk in resumed)
    assert any(walk.call is not None and walk.ids for walk in resumed)
    assert {name: shape(trace) for name, trace in by_name(run(engine, resumed)).items()} == {
        name: shape(trace) for name, trace in expected.items()
    }


def test_a_long_sequence_outgrows_what_was_reserved() -> None:
    model = biased(build("llama", max_position_embeddings=400), {0: -50.0, 3: -50.0})
    requests = [request(5, "inf+3", sample=n) for n in range(4)]
    traces = by_name(generate(new_engine(model, max_rows=2), requests))
    assert max(trace.num_thinking_tokens for trace in traces.values()) > 130
    for trace in traces.values():
        assert check(trace, 400) == []
        ids = torch.tensor([[*trace.request.prompt.ids, *trace.ids]])
        with torch.no_grad():
            plain = model(input_ids=ids, use_cache=False).logits[0, 4:-1].log_softmax(-1)
        expected = plain.gather(1, ids[0, 5:, None]).squeeze(1).where(torch.tensor(trace.sampled_mask), 0.0)
        assert trace.logprobs == pytest.approx(expected.tolist(), abs=1e-4)


def test_a_long_prompt_is_not_prefilled_together_with_many_short_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 tokens at a time: the padding of the short ones would cost as much as the long one."""
    model, prefill, sizes = tiny(), Slots.prefill, []

    def counting(self: Slots, slots: Any, ids: torch.Tensor, lengths: Any) -> None:
        sizes.append(tuple(ids.shape))
        prefill(self, slots, ids, lengths)

    asked = [request(70 if n == 3 else 1 + n % 6, sample=n) for n in range(30)]
    expected = shapes(new_engine(model, max_rows=32), asked)
    engine = new_engine(model, max_rows=32)
    monkeypatch.setattr(Slots, "prefill", counting)
    monkeypatch.setattr(batch, "PREFILL_TOKENS", 64)
    assert shapes(engine, asked) == expected
    assert sizes[-1] == (1, 69)
    assert all(rows * width <= 64 for rows, width in sizes[:-1])
    assert sum(rows for rows, _ in sizes) == 30


def test_no_more_columns_are_reserved_than_the_context_has(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, reserve, reserved = new_engine(tiny(), max_rows=2), Slots.reserve, []

    def noting(self: Slots, num_slots: int, num_columns: int) -> None:
        reserved.append(num_columns)
        reserve(self, num_slots, num_columns)

    monkeypatch.setattr(Slots, "reserve", noting)
    (trace,) = generate(engine, [request(5, "80+3", min_thinking=80)])
    assert len(trace.ids) > 80
    assert reserved == [64, CONTEXT + 1]


def test_too_little_memory_is_an_error_that_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*args: Any) -> None:
        raise torch.OutOfMemoryError("no memory left")

    engine = new_engine(tiny(), max_rows=7)
    for name in ("prefill", "decode"):
        with monkeypatch.context() as patch:
            patch.setattr(Slots, name, exhausted)
            with pytest.raises(EngineError, match="out of memory on cpu with max_rows=7: lower max_rows"):
                list(generate(engine, [request()]))


def test_traces_come_as_they_finish_and_requests_are_taken_as_rows_get_free() -> None:
    engine = new_engine(tiny(), max_rows=2)
    budgets = ["40+4", "1+1", "1+1", "1+1"]
    taken = []

    def requests() -> Iterator[Request]:
        for n, budget in enumerate(budgets):
            taken.append(n)
            yield request(4, budget, "elastic", sample=n, min_thinking=int(budget.partition("+")[0]))

    traces = generate(engine, requests())
    assert taken == []
    assert [trace.request.name for trace in traces] == ["1", "2", "3", "0"]


def test_a_bad_request_is_data_beside_good_ones() -> None:
    engine = new_engine(tiny(), max_rows=2)
    good = [request(sample=n) for n in range(4)]
    bad = [
        Request(Prompt((), Thinking.OPEN), Budget(3, 3), name="4"),
        Request(Prompt((5, NUM_LOGITS), Thinking.OPEN), Budget(3, 3), name="5"),
        Request(Prompt((5, -1), Thinking.OPEN), Budget(3, 3), name="6"),
        Request(prompt(4), Budget(CONTEXT, 3), name="7"),
        Request(Prompt((5,) * (CONTEXT + 1), Thinking.OPEN), Budget(None, None), name="8"),
        Request(prompt(4), Budget(3, 3), "sone", name="9"),
    ]
    traces = by_name(generate(engine, [bad[0], *good[:3], *bad[1:], good[3]]))
    assert [trace.error is None for trace in traces.values()] == [True] * 4 + [False] * 6
    for name, message in {
        "4": "empty",
        "5": "vocabulary of 24",
        "6": "vocabulary of 24",
        "7": "lower the budget",
    }.items():
        assert message in str(traces[name].error)
        assert traces[name].ids == ()
    assert [shape(traces[str(n)]) for n in range(4)] == shapes(engine, good)
    assert [trace.error for trace in generate(engine, bad[:1])] == [traces["4"].error]


def test_nothing_asked_is_nothing_answered() -> None:
    assert list(generate(new_engine(tiny()), [])) == []


def test_a_prompt_that_fills_the_context_is_answered_with_nothing() -> None:
    full = Request(Prompt(prompt(4).ids * (CONTEXT // 4), Thinking.CLOSED), Budget(None, None), "unconstrained")
    (trace,) = generate(new_engine(tiny()), [full])
    assert (trace.error, trace.ids) == (None, ())


@pytest.mark.parametrize("stop_early", [False, True])
def test_a_model_in_training_is_evaluated_and_goes_back_to_training(stop_early: bool) -> None:
    model = build("gpt2")
    expected = shapes(new_engine(model), mixed_requests(12))
    frozen = model.transformer.h[0]
    model.train()
    frozen.eval()
    engine = new_engine(model, max_rows=3)
    assert model.training
    traces = generate(engine, mixed_requests(12))
    first = next(traces)
    if stop_early:
        traces.close()
    else:
        found = by_name(iter([first, *traces]))
        assert [shape(trace) for trace in found.values()] == expected
    assert model.training
    assert not any(module.training for module in frozen.modules())


def test_runs_on_one_engine_may_be_interleaved() -> None:
    model = build("gpt2").train()
    engine = new_engine(model, max_rows=3)
    requests = mixed_requests(24)
    expected = shapes(new_engine(build("gpt2"), max_rows=3), requests)
    runs = [generate(engine, requests[:12]), generate(engine, requests[12:])]
    found = []
    while runs:
        for one in list(runs):
            trace = next(one, None)
            if trace is None:
                runs.remove(one)
            else:
                found.append(trace)
    assert [shape(trace) for trace in by_name(iter(found)).values()] == expected


def test_a_listener_sees_every_token_and_changes_none() -> None:
    engine = new_engine(tiny(), max_rows=3)
    requests = mixed_requests(12)
    heard: dict[str, list[Delta]] = {request.name: [] for request in requests}
    walks = [Walk(request, engine.template, engine.context) for request in requests]
    futures = [engine.submit([walk], heard[walk.request.name].append)[0] for walk in walks]
    traces = by_name(future.result().trace() for future in futures)
    assert [shape(trace) for trace in traces.values()] == shapes(engine, requests)
    for name, deltas in heard.items():
        assert put_together(deltas) == list(traces[name].segments)
        assert max((len(delta.ids) for delta in deltas if delta.sampled), default=0) <= 3  # a delimiter is held back


def test_a_minimum_of_thinking_holds_against_a_model_that_wants_nothing_but_to_close() -> None:
    model, template = biased(tiny(), {3: 300.0}), letters()
    asked = [
        Request(prompt(4), Budget(9, 2), "elastic", request(min_thinking=5).options, sampling, sample=n, name=str(n))
        for n, sampling in enumerate([Sampling(), Sampling(temperature=0), Sampling(temperature=0.1, top_p=0.8)])
    ]
    for trace in by_name(generate(new_engine(model, template), asked)).values():
        assert trace.num_thinking_tokens == 5
        assert shape(trace) == shape(by_plain_forward(model, template, trace.request))


def test_samples_of_one_prompt_differ_and_follow_the_model() -> None:
    model, template = tiny(), letters()
    num_samples = 2000
    asked = [Request(prompt(4, Thinking.CLOSED), Budget(0, 1), sample=n) for n in range(num_samples)]
    ids = [trace.ids[0] for trace in generate(new_engine(model, template, max_rows=256), asked)]
    with torch.no_grad():
        probs = model(input_ids=torch.tensor([prompt(4).ids])).logits[0, -1].double().softmax(-1).numpy()
    probs = probs[: template.num_tokens] / probs[: template.num_tokens].sum()  # the padding is never drawn
    common = probs * num_samples > 5
    observed = np.bincount(ids, minlength=len(probs))
    statistic = ((observed - probs * num_samples) ** 2 / (probs * num_samples))[common].sum()
    assert statistic < common.sum() + 4 * np.sqrt(2 * common.sum())


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_bfloat16_runs(family: str) -> None:
    engine = new_engine(build(family).to(torch.bfloat16), max_rows=5)
    traces = by_name(generate(engine, mixed_requests(24)))
    assert [check(trace, CONTEXT) for trace in traces.values()] == [[]] * 24


@pytest.mark.parametrize("options", [{}, {"min_thinking": 4, "wait": "w"}])
def test_ids_that_only_pad_the_models_vocabulary_are_never_drawn(options: dict[str, Any]) -> None:
    """The tokenizer does not know them, and a delimiter of plain text cannot read them."""
    template = pieces_template(["$", *"</t>xyzw"], "<t>", "</t>")
    model = biased(tiny(), {0: -20.0} | dict.fromkeys(range(template.num_tokens, NUM_LOGITS), 30.0))
    for sampling in SAMPLINGS:
        asked = Request(prompt(4), Budget(20, 5), "elastic", Options(**options), sampling)
        (trace,) = generate(new_engine(model, template), [asked])
        assert max(trace.ids) < template.num_tokens
        assert all(-200 < logprob < -10 for logprob in np.array(trace.logprobs)[np.array(trace.sampled_mask)])


def test_delimiters_of_another_vocabulary_are_refused() -> None:
    template = letters(closing="Z", alphabet="$Oabcdefghijklmnopqrstuvwxyz.\nZ")
    with pytest.raises(EngineError, match="id 30, the model a vocabulary of 24"):
        new_engine(tiny(), template)
    with pytest.raises(EngineError, match="max_rows 0"):
        new_engine(tiny(), max_rows=0)
