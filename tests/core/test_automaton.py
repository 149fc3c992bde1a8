"""Automata against rows: what they ask for before every id, whatever was emitted."""

from hypothesis import event, given, settings

from cases import Case, cases
from elastic_reasoning.core.automaton import Automaton, Place
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.delimiter import TokenDelimiter
from elastic_reasoning.core.explorer import automaton_of
from elastic_reasoning.core.needs import most_tokens
from elastic_reasoning.core.request import Options, Request
from elastic_reasoning.core.strategies import names_of
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.walk import Walk
from letters import letters
from rows import Edits, edits, in_one_pass, new_row, next_id

COUNTING = names_of(lambda strategy: strategy.counts_only)


def automaton(case: Case) -> Automaton | None:
    return automaton_of(Walk(case.request, case.template, case.context), min(case.template.eos))


def asked(automaton: Automaton, place: Place) -> Edits:
    """What an automaton asks for at a place, as a row says it."""
    state = automaton.states[place.state]
    raised = None
    if state.landing is not None:
        token, num_tokens, peak = state.landing
        nth = place.position + 1 - place.bound + num_tokens
        raised = (token, peak * nth / num_tokens) if nth > 0 else None
    return state.forced, state.banned, raised, state.moves_to


def is_regular(case: Case) -> bool:
    """Whether a request has nothing that only a host can follow."""
    options, delimiters = case.request.options, (case.template.opening, case.template.closing)
    return (
        all(isinstance(delimiter, TokenDelimiter) for delimiter in delimiters)
        and case.template.tools_of(case.request.prompt) is None
        and not any(options.get(name) for name in ("grace", "loop_breaker"))
    )


@settings(max_examples=400)
@given(cases(COUNTING).map(in_one_pass))
def test_an_automaton_asks_for_what_a_row_asks_for(case: Case) -> None:
    row = new_row(case.request, case.template, case.context)
    found = automaton(case)
    event(f"{case.request.strategy}, {found is not None}")
    limit = most_tokens(case.request, case.template, case.context)
    if found is None or limit is None:
        return
    place, script = found.begin(), case.script()
    while len(row.output) < limit and not (row.output and row.output[-1] in case.template.eos):
        row.advance()
        assert asked(found, place) == edits(row), row.output
        token = next_id(row, case.template, script, case.request)
        row.output.append(token)
        place = found.read(place, [token])
    assert found.read(found.begin(), row.output) == place


@settings(max_examples=150)
@given(cases(COUNTING).map(in_one_pass).filter(is_regular))
def test_whatever_counts_alone_has_one(case: Case) -> None:
    if Walk(case.request, case.template, case.context).error is None:
        assert automaton(case) is not None


def test_what_is_for_the_host_has_none() -> None:
    template = letters()
    prompt = Prompt((4, 5), Thinking.OPEN)

    def has_one(strategy: str, **options: object) -> bool:
        request = Request(prompt, Budget(9, 5), strategy, Options(**options))
        return automaton_of(Walk(request, template, 99), 0) is not None

    assert has_one("elastic", wrap_up="wu{used}", min_thinking=3, soft_landing=2, close_text="x")
    assert not has_one("elastic", grace=3)
    assert not has_one("elastic", loop_breaker=12)
    assert not has_one("elastic", wait="w", min_thinking=3)
    assert not has_one("reminders")
