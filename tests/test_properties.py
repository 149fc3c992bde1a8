"""Properties of every strategy, over arbitrary token scripts, templates and budgets."""

from dataclasses import dataclass, replace

from hypothesis import event, given, settings
from hypothesis import strategies as st

from checker import check
from elastic_reasoning.budget import Budget
from elastic_reasoning.cursor import replay
from elastic_reasoning.engines.scripted import ScriptedEngine
from elastic_reasoning.request import Options, Request
from elastic_reasoning.strategies import STRATEGIES
from elastic_reasoning.template import Prompt, Template, Thinking
from elastic_reasoning.trace import Finish, Phase, Trace
from elastic_reasoning.walk import Walk
from letters import by_count, by_events, by_position, letters, pieces_template

CLOSINGS = ["C", "CD", "CC", "CCD", "CDC", "CDCa", "CCCC", "C.", ".C", "CDE.", "OC"]
OPENINGS = ["O", "OP", "CO", "OO", "OPa"]
TEXT_PAIRS = [("<t>", "</t>"), ("(", "(()"), ("<t>", "ttx"), ("<", ">")]
MERGES = ["</", "/t", "t>", ">.", "x<", "</t>", "<t>", "/t>", ">x", "t></t", "((", "()", "tt", "tx", "", "t.", ".<"]


@st.composite
def letter_templates(draw: st.DrawFn) -> Template:
    eos = draw(st.sampled_from(["$", "$Z"]))
    return letters(draw(st.sampled_from(OPENINGS)), draw(st.sampled_from(CLOSINGS)), "$ZOPCDEawv.", eos)


@st.composite
def text_templates(draw: st.DrawFn) -> Template:
    """Delimiters of plain text: tokens may straddle them, and may spell them in several ways."""
    merges = draw(st.lists(st.sampled_from(MERGES), unique=True, max_size=6))
    return pieces_template(["$", *"</t>x.()Cawv", *merges], *draw(st.sampled_from(TEXT_PAIRS)))


TEMPLATES = letter_templates() | text_templates()
COUNTS = st.sampled_from([None, *range(12)])
FEW = st.sampled_from(range(5))
SMALL_TEXTS = st.sampled_from(["", "", "w", "v", "wv"])


@dataclass(frozen=True)
class Case:
    """A request to a model that follows a script."""

    request: Request
    template: Template
    context: int | None
    says: tuple[int, ...]
    counting: bool

    def script(self):
        return (by_count if self.counting else by_position)(self.says, self.template)

    def run(self, interpreter: str) -> Trace:
        engine = ScriptedEngine(self.script(), self.template, self.context, interpreter)
        return next(engine.run([Walk(self.request, self.template, self.context)]))


@st.composite
def said(draw: st.DrawFn, template: Template) -> tuple[int, ...]:
    """Arbitrary ids, in which delimiters, their beginnings and ends of sentences are frequent."""
    parts = [(token,) for token in range(template.num_tokens)] + [(token,) for token in template.boundaries] * 4
    for delimiter in (template.closing, template.opening):
        parts += [delimiter.ids[:n] for n in range(1, len(delimiter.ids) + 1)]
    size = draw(st.sampled_from([0, 4, 12]))
    return tuple(token for part in draw(st.lists(st.sampled_from(parts), min_size=size, max_size=14)) for token in part)


def option_values(strategy: str, budget: Budget) -> st.SearchStrategy[Options]:
    bound = 4 if budget.thinking is None else min(4, budget.thinking + 1)
    values = {
        "wrap_up": SMALL_TEXTS,
        "grace": FEW,
        "min_thinking": st.sampled_from([0, 0, 0, *range(bound + 1)]),
        "wait": SMALL_TEXTS,
        "num_waits": FEW,
        "answer_tokens": FEW,
        "answer_text": SMALL_TEXTS,
        "max_total": st.integers(0, 12),
    }
    return st.builds(Options, **{name: values[name] for name in sorted(STRATEGIES[strategy].honours)})


@st.composite
def cases(draw: st.DrawFn, strategies: tuple[str, ...] = (*STRATEGIES, "elastic", "elastic", "elastic", "s1")) -> Case:
    template = draw(TEMPLATES)
    strategy = draw(st.sampled_from(strategies))
    budget = Budget(draw(COUNTS), draw(COUNTS))
    prompt = Prompt((1,) * draw(st.integers(0, 3)), draw(st.sampled_from([*Thinking, Thinking.OPEN])))
    context = draw(st.sampled_from([None, None, *range(0, 40, 2)]))
    request = Request(prompt, budget, strategy, draw(option_values(strategy, budget)))
    return Case(request, template, context, draw(said(template)), draw(st.booleans()))


def parts(trace: Trace) -> list[tuple]:
    return [(s.phase, s.ids, s.sampled, s.finish) for s in trace.segments]


def read_as_it_was(trace: Trace) -> bool:
    """Whether the ids alone tell what happened: nothing was discarded, and nothing forced before its time."""
    thinking = [s for s in trace.segments if s.phase is Phase.THINKING and s.sampled]
    return (
        len(thinking) < 2
        and all(s.finish is not Finish.EOS or s.ids[-1:] for s in thinking)
        and not (trace.forced_close and any(s.finish is Finish.EOS for s in thinking))
    )


@settings(max_examples=2500)
@given(cases())
def test_every_trace_follows_the_rules(case: Case) -> None:
    trace = case.run("token")
    event(f"{case.request.strategy}, {'refused' if trace.error else 'answered'}")
    for finish in {s.finish for s in trace.segments if s.phase is Phase.THINKING} - {None}:
        event(f"thinking ended by {finish}")
    kinds = [s.sampled for s in trace.segments if s.phase is Phase.CLOSING]
    event(f"closing {kinds}")
    assert check(trace, case.context) == []


@settings(max_examples=1500)
@given(cases())
def test_both_interpreters_and_an_obedient_engine_give_the_same_trace(case: Case) -> None:
    by_token, by_call = case.run("token"), case.run("call")
    engine = by_events(case.request, case.template, case.context, case.script())
    assert by_token.segments == by_call.segments == engine.segments
    assert by_token.error == by_call.error == engine.error


@settings(max_examples=1500)
@given(cases())
def test_replay_gives_the_segments_back(case: Case) -> None:
    trace = case.run("token")
    again = replay(case.request, trace.ids, case.template, case.context, trace.sampled_mask)
    assert parts(again) == parts(trace)
    assert again.error == trace.error
    if read_as_it_was(trace):
        assert parts(replay(case.request, trace.ids, case.template, case.context)) == parts(trace)


@settings(max_examples=800)
@given(cases(("elastic", "s1", "vanilla")), st.integers(0, 9), st.integers(0, 9))
def test_the_thinking_of_a_smaller_budget_begins_that_of_a_larger_one(case: Case, thinking: int, more: int) -> None:
    short, long = (
        replace(
            case,
            request=replace(case.request, budget=Budget(t, case.request.budget.solution)),
            counting=False,
            context=None,
        ).run("token")
        for t in (thinking, thinking + more)
    )
    if short.error or long.error:
        return
    # A delimiter that vanilla cuts in the middle is thinking there: all of its ids are compared.
    phases = set(Phase) if case.request.strategy == "vanilla" else {Phase.THINKING}
    short_ids, long_ids = (
        [token for s in trace.segments if s.phase in phases for token in s.ids] for trace in (short, long)
    )
    assert short_ids == long_ids[: len(short_ids)]


@settings(max_examples=500)
@given(cases(("elastic", "nothinking")), st.integers(0, 9), st.integers(0, 9))
def test_a_larger_solution_budget_leaves_thinking_alone_and_goes_on_with_the_solution(
    case: Case, solution: int, more: int
) -> None:
    short, long = (
        replace(case, request=replace(case.request, budget=Budget(case.request.budget.thinking, s)), context=None).run(
            "token"
        )
        for s in (solution, solution + more)
    )
    assert short.ids == long.ids[: len(short.ids)]
    assert short.sampled_mask == long.sampled_mask[: len(short.ids)]
