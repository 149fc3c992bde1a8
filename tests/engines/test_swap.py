"""One model thinks, another solves: a model that is swapped with itself is that model."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import product
from statistics import fmean
from typing import Any

import pytest

from checker import check
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.call import Completion
from elastic_reasoning.core.delimiter import TokenDelimiter
from elastic_reasoning.core.errors import EngineError, StrategyError
from elastic_reasoning.core.request import Options, Request
from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.core.template import Prompt, Template, Thinking
from elastic_reasoning.core.tools import Tools
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.engines.engine import Engine, ask, generate, new_request, run
from elastic_reasoning.engines.http import engine as openai_engine
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.http.engine import OpenAIEngine
from elastic_reasoning.engines.job import Job
from elastic_reasoning.engines.loading import load
from elastic_reasoning.engines.scripted import ScriptedEngine, scripted_logprob
from elastic_reasoning.engines.sharing import share
from elastic_reasoning.engines.swap import SwapEngine, check_swap
from elastic_reasoning.tasks.arithmetic import Arithmetic
from fake_servers import NUM_PROMPT, FakeModel, fake_vllm, serving, tokenizer_of
from letters import by_position, letters, pieces_template, show

BUDGETS = ("0+8", "7+8", "24+20", "inf+20", "16+1")


@pytest.fixture(scope="module")
def mini() -> Engine:
    return load("mini")


@pytest.fixture(scope="module")
def trained() -> Engine:
    return load("mini-e1")


def says(text: str, template: Template | None = None, **settings: Any) -> ScriptedEngine:
    """An engine that writes the letter of each position."""
    template = template or letters()
    return ScriptedEngine(by_position(template.encode(text), template), template, **settings)


def requests_for(engine: Engine, num_problems: int, budgets: Iterable[str] = BUDGETS) -> list[Request]:
    problems = Arithmetic().problems("validation", num_problems)
    strategies = [("elastic", Options()), ("s1", Options(answer_tokens=4, num_waits=1)), ("nothinking", Options())]
    return [
        new_request(engine, problem.messages, budget, strategy, options, sample=sample, name=f"{n} {problem.id}")
        for n, ((strategy, options), budget, sample) in enumerate(product(strategies, budgets, range(2)))
        for problem in problems
    ]


def answered(engine: Engine, requests: Sequence[Request], sharing: bool = False) -> dict[str, Trace]:
    walks = (Walk(request, engine.template, engine.context) for request in requests)
    traces = list((share if sharing else run)(engine, walks))
    assert {trace.request.name for trace in traces} == {request.name for request in requests}
    assert len(traces) == len(requests)
    assert all(any(trace.request is request for request in requests) for trace in traces)
    return {trace.request.name: trace for trace in traces}


def parts(trace: Trace) -> list[tuple[Any, ...]]:
    return [(s.phase, s.ids, s.sampled, s.finish) for s in trace.segments]


def test_the_first_thinks_and_the_second_solves() -> None:
    engine = SwapEngine(says("abCde$"), says("uwxyz$"))
    assert show(ask(engine, "f", "9+9")) == "thinking:ab closing:C solution:yz$"
    assert show(ask(engine, "f", "1+2")) == "thinking:a closing:[C] solution:xy"
    assert show(ask(engine, "f", "0+2")) == "closing:[C] solution:wx"
    assert show(ask(engine, "f", "9+9", "nothinking")) == "closing:[C] solution:wxyz$"
    assert show(ask(engine, "f", "9+0")) == "thinking:ab closing:C"


def test_a_prompt_that_closes_thinking_is_the_solution_models_alone() -> None:
    first, second = (says(text, thinking=Thinking.CLOSED) for text in ("abc$", "xyz$"))
    assert show(ask(SwapEngine(first, second), "f", "9+9")) == "solution:xyz$"


def test_an_end_in_thinking_and_a_wait_are_the_thinking_models() -> None:
    engine = SwapEngine(says("ab$"), says("uwxyz$"))
    assert show(ask(engine, "f", "9+9")) == "thinking:ab closing:[C] solution:yz$"
    waiting = SwapEngine(says("abCdCe"), says("uuuuuxyz$"))
    options = Options(num_waits=1, wait="w", answer_tokens=2, answer_text="f")
    assert (
        show(ask(waiting, "f", "9+9", "s1", options))
        == "thinking:ab thinking:[w] thinking:d closing:C solution:[f] solution:yz"
    )


TOOLS = replace(
    letters(alphabet="$OCTUabcdwxyz"), tools=Tools(((TokenDelimiter("T", (3,)), TokenDelimiter("U", (4,))),))
)


def test_a_tool_call_belongs_to_the_phase_in_which_it_is_made() -> None:
    engine = SwapEngine(says("aTbUdC", TOOLS), says("wwwwxTyUz$", TOOLS))
    assert show(ask(engine, "T", "9+9")) == "thinking:a tool:T tool:bU solution:x tool:T tool:yU solution:z$"


def test_a_walk_that_is_in_its_solution_stays_with_the_solution_model() -> None:
    walk = Walk(Request(Prompt((3,), Thinking.OPEN), Budget(9, 9)), TOOLS)
    for text in ("aC", "xT"):
        walk.finish(Completion(TOOLS.encode(text), None, Finish.DELIMITER))
    assert walk.call is not None
    assert walk.call.phase is Phase.TOOL
    [trace] = run(SwapEngine(says("aaaaaaaaa", TOOLS), says("wwwwyUz$", TOOLS)), [walk])
    assert show(trace) == "thinking:a closing:C solution:x tool:T tool:yU solution:z$"


def test_log_probabilities_are_those_of_the_model_that_sampled() -> None:
    class Doubling(ScriptedEngine):
        """Reports twice the log-probabilities."""

        def _write(self, job: Job) -> None:
            assert job.walk.steps  # the solution model is given no fresh walk here
            super()._write(job)
            last = job.walk.segments[-1]
            job.walk.segments[-1] = replace(last, logprobs=tuple(2 * value for value in last.logprobs or ()))

    second = Doubling(by_position(letters().encode("uwxyz$"), letters()), letters())
    first = ScriptedEngine(by_position(second.template.encode("abCde$"), second.template), second.template)
    trace = ask(SwapEngine(first, second), "f", "9+9")
    expected = [scripted_logprob(n, token) * (2 if n > 2 else 1) for n, token in enumerate(trace.ids)]
    assert trace.logprobs == tuple(expected)


@pytest.mark.parametrize("strategy", ["vanilla", "unconstrained", "l1-exact", "l1-max"])
def test_a_strategy_without_two_phases_is_refused(strategy: str) -> None:
    trace = ask(SwapEngine(says("ab"), says("cd")), "f", "9+9", strategy)
    assert trace.error is not None
    assert trace.error.startswith(f"strategy {strategy!r} leaves it to one model")
    with pytest.raises(StrategyError, match="use elastic, nothinking, s1"):
        check_swap(["elastic", strategy])
    check_swap(["elastic", "s1", "nothinking"])


def test_a_request_that_cannot_start_has_its_own_error() -> None:
    trace = ask(SwapEngine(says("ab", context=20), says("cd", context=12)), "f", "9+9")
    assert trace.error is not None
    assert "model's context" in trace.error


def test_it_has_the_shorter_context_and_the_notes_of_both() -> None:
    first, second = says("ab", context=20), says("cd")
    assert SwapEngine(first, second).context == SwapEngine(second, first).context == 20
    assert SwapEngine(second, second).context is None
    assert SwapEngine(first, second).note == ""
    second.note = "two calls"  # type: ignore[misc]
    assert SwapEngine(first, second).note == "solution: two calls"


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (letters(opening="P"), r"the opening delimiters are 'O' \[1\] and 'P' \[2\]"),
        (letters(closing="D"), r"the closing delimiters are 'C' \[3\] and 'D' \[4\]"),
        (letters(eos="$."), r"the ends of sequence are \[0\] and \[0, 16\]"),
        (letters(alphabet="$OPCDabcdefwuxyz.\ngh"), "the vocabularies have 18 and 20 tokens"),
        (letters(alphabet="$OPCDbacdefwuxyz.\n"), "id 5 is 'a' and 'b'"),
        (
            replace(letters(), encode=lambda text: (5,) if text.startswith("What") else letters().encode(text)),
            "and .5.",
        ),
        (pieces_template(["$", *"</t>x.()awv", "</"], "<t>", "</t>"), "the opening delimiters"),
    ],
)
def test_models_of_different_families_are_refused(other: Template, message: str) -> None:
    with pytest.raises(EngineError, match=message) as failure:
        SwapEngine(says("ab"), says("ab", other))
    assert "\n" not in str(failure.value)


def test_models_whose_chat_templates_differ_are_refused() -> None:
    with pytest.raises(EngineError, match=r"prompts differ.*thinking open.*thinking absent"):
        SwapEngine(says("ab"), says("ab", thinking=Thinking.ABSENT))


@pytest.mark.parametrize("sharing", [False, True], ids=["alone", "shared"])
def test_a_model_that_is_swapped_with_itself_is_that_model(mini: Engine, sharing: bool) -> None:
    requests = requests_for(mini, 12)
    swapped = answered(SwapEngine(mini, mini), requests, sharing)
    for name, trace in answered(mini, requests).items():
        assert parts(swapped[name]) == parts(trace)
        assert swapped[name].logprobs == pytest.approx(trace.logprobs, abs=1e-4)
        assert check(swapped[name], mini.context) == []
    assert any(trace.num_reused for trace in swapped.values()) is sharing


def test_each_model_brings_its_phase(mini: Engine, trained: Engine) -> None:
    task = Arithmetic()
    problems = {problem.id: problem for problem in task.problems("validation", 128)}
    requests = [new_request(mini, p.messages, "24+20", name=name) for name, p in problems.items()]
    engines = [mini, trained, SwapEngine(mini, trained), SwapEngine(trained, mini)]
    base, best, base_thinks, best_thinks = (answered(engine, requests) for engine in engines)
    for name in problems:
        assert base_thinks[name].thinking_text == base[name].thinking_text
        assert best_thinks[name].thinking_text == best[name].thinking_text

    def accuracy(traces: dict[str, Trace]) -> float:
        return fmean(task.grade(problems[n], trace.solution_text).correct for n, trace in traces.items())

    # The budget is one that training saw. It taught the miniature to think, more than to go on from a thought.
    assert accuracy(base_thinks) + 0.3 < accuracy(best_thinks) <= accuracy(best)
    assert any(best_thinks[name].solution_text != best[name].solution_text for name in problems)


def test_shared_thinking_is_what_it_is_without_sharing(mini: Engine, trained: Engine) -> None:
    requests = requests_for(mini, 6, ("8+8", "24+20", "64+20", "24+2"))
    alone = answered(SwapEngine(mini, trained), requests)
    for name, trace in answered(SwapEngine(mini, trained), requests, sharing=True).items():
        assert parts(trace) == parts(alone[name])
        assert trace.logprobs == pytest.approx(alone[name].logprobs, abs=1e-4)


def test_no_request_waits_for_all_others_to_think() -> None:
    taken: list[str] = []

    def requests() -> Iterator[Request]:
        for name in "abcde":
            taken.append(name)
            yield Request(Prompt((5,), Thinking.OPEN), Budget(4, 4), name=name)

    traces = generate(SwapEngine(says("abCd"), says("uwxyz$")), requests())
    assert next(traces).request.name == "a"
    num_taken = len(taken)  # one, and as many as may wait to be read
    assert num_taken < 5
    traces.close()  # type: ignore[attr-defined]
    assert len(taken) == num_taken


@pytest.fixture
def new_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[FakeModel, bool], OpenAIEngine]]:
    with ExitStack() as stack:

        def new(model: FakeModel, plug_in: bool) -> OpenAIEngine:
            server = stack.enter_context(serving(lambda: fake_vllm(model, plug_in=plug_in)))
            load_template = lambda *names: (tokenizer_of(model.template), model.template)  # noqa: E731
            monkeypatch.setattr(openai_engine, "load_template", load_template)
            return stack.enter_context(closing(OpenAIEngine(ServerConfig((server.url,), "letters"))))

        yield new


@pytest.mark.parametrize("plug_in", [False, True], ids=["by calls", "in one pass"])
def test_models_on_servers_are_swapped_too(new_server: Callable[..., OpenAIEngine], plug_in: bool) -> None:
    template = letters()
    first, second = FakeModel(template), FakeModel(template, ends_in_thinking=False, logprobs="hidden")

    def script(request: Request, ids: Sequence[int]) -> list[int]:
        model = second if any(template.closing.ends(ids[:n]) for n in range(1, len(ids) + 1)) else first
        return model.script(request, ids)

    requests = [
        Request(Prompt((5, 6, 7, n % 18)[:NUM_PROMPT], state), Budget(t, s), name=f"{n} {state} {t} {s}")
        for n, (state, t, s) in enumerate(product((Thinking.OPEN, Thinking.ABSENT), (0, 3, 9, None), (0, 2, 5)))
    ]
    engine = SwapEngine(new_server(first, plug_in), new_server(second, plug_in))
    assert engine.context == first.context
    swapped = answered(engine, requests)
    for name, trace in answered(ScriptedEngine(script, template, engine.context), requests).items():
        assert parts(swapped[name]) == parts(trace)
        assert [s.phase for s in trace.segments][-1] is Phase.SOLUTION or not trace.request.budget.solution
