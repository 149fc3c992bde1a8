"""Rows as an engine uses them that shows its logits: tokens come one by one, and nothing is ever taken back."""

import random
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import event, given, settings

from cases import Case, cases
from checker import check
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.needs import most_tokens
from elastic_reasoning.core.request import Options, Request
from elastic_reasoning.core.segment import Finish, Phase
from elastic_reasoning.core.strategies import STRATEGIES, names_of
from elastic_reasoning.core.template import Prompt, Template, Thinking
from letters import by_count, finishes, letters, show
from rows import Edits, Script, advance, edits, in_one_pass, new_row, next_id, read


def emit(request: Request, template: Template, context: int | None, script: Script) -> tuple[list[int], list[Edits]]:
    """The ids that an engine emits until it stops, and what the row asked for before each of them.

    The engine stops as vLLM does: after an end of sequence, and after so many tokens as it was asked for.
    """
    bounds = [most_tokens(request, template), None if context is None else context - len(request.prompt.ids)]
    limit = min(bound for bound in bounds if bound is not None)
    row = new_row(request, template, context)
    asked = []
    while len(row.output) < limit and not (row.output and row.output[-1] in template.eos):
        advance(row)
        asked.append(edits(row))
        row.output.append(next_id(row, template, script, request))
    return row.output, asked


def by_chance(seed: int, template: Template, num_often: int) -> Script:
    """Says anything; the first few tokens of the vocabulary, the end of sequence among them, are rare."""

    def script(request: Request, so_far: Sequence[int]) -> Iterator[int]:
        chance = random.Random(f"{seed} {len(so_far)}")
        rare = [*template.eos, *template.closing.ids, *template.opening.ids]
        often = [token for token in range(template.num_tokens) if token not in rare]
        yield chance.choice(rare if chance.random() < 1 / num_often else often)
        yield from chance.sample(range(template.num_tokens), template.num_tokens)

    return script


@settings(max_examples=1200)
@given(cases().map(in_one_pass))
def test_what_a_row_lets_through_follows_the_rules(case: Case) -> None:
    ids, asked = emit(case.request, case.template, case.context, case.script())
    trace = read(case.request, ids, case.template, case.context)
    event(f"{case.request.strategy}, {'refused' if trace.error else 'answered'}")
    event(f"moved: {any(moves_to is not None for *_, moves_to in asked)}")
    assert check(trace, case.context) == []


@settings(max_examples=700)
@given(cases().map(in_one_pass))
def test_a_row_made_again_from_any_prefix_asks_for_the_same(case: Case) -> None:
    ids, asked = emit(case.request, case.template, case.context, case.script())
    for num, wanted in enumerate(asked):
        assert edits(new_row(case.request, case.template, case.context, ids[:num])) == wanted


@pytest.mark.parametrize("strategy", sorted(names_of(lambda strategy: not strategy.siblings)))
@pytest.mark.parametrize("closing", ["C", "CDC"])
def test_long_random_sequences_follow_the_rules_and_can_go_on_anywhere(strategy: str, closing: str) -> None:
    template = letters(closing=closing)
    honoured = STRATEGIES[strategy].supported_options
    for seed in range(40):
        chance = random.Random(f"{strategy} {closing} {seed}")
        values = {"wrap_up": "wu", "grace": 9, "answer_tokens": 7, "answer_text": "xy", "max_total": 60}
        given = {name: value for name, value in values.items() if name in honoured and chance.random() < 0.5}
        prompt = Prompt((4, 5, 6), chance.choice([*Thinking]))
        budget = Budget(chance.choice([0, 20, 60]), chance.choice([0, 12, 40]))
        request = Request(prompt, budget, strategy, Options(**given))
        ids, asked = emit(request, template, 160, by_chance(seed, template, 25))
        assert check(read(request, ids, template, 160), 160) == []
        for num in range(0, len(asked), 7):
            assert edits(new_row(request, template, 160, ids[:num])) == asked[num]


def single(case: Case) -> bool:
    """Whether an end of sequence that is moved gives the same ids as one that is discarded."""
    closing = case.template.closing
    return (
        closing.watch == frozenset(closing.ids) and len(closing.forced) == 1 and not case.request.options.get("wrap_up")
    )


@settings(max_examples=200)
@given(cases().map(in_one_pass).filter(single))
def test_greedy_results_are_those_of_the_scripted_engine_but_for_an_end_of_sequence_in_thinking(case: Case) -> None:
    ids, _ = emit(case.request, case.template, case.context, case.script())
    row, engine = read(case.request, ids, case.template, case.context), case.run("token")
    assert row.error == engine.error
    assert row.ids == engine.ids
    assert [(s.phase, s.ids) for s in row.segments] == [(s.phase, s.ids) for s in engine.segments]
    for own, other in zip(row.segments, engine.segments, strict=True):
        moved = own.phase in (Phase.THINKING, Phase.CLOSING) and (own.finish, other.finish) in (
            (Finish.DELIMITER, Finish.EOS),
            (None, None),
        )
        assert (own.finish, own.sampled) == (other.finish, other.sampled) or moved


def says(text: str, budget: str, closing: str = "C", thinking: Thinking = Thinking.OPEN, **options: object) -> str:
    """What a model that says these letters emits, and what is read of it."""
    template = letters(closing=closing)
    request = Request(Prompt((), thinking), Budget.parse(budget), "elastic", Options(**options))
    ids, _ = emit(request, template, 60, by_count(template.encode(text), template))
    trace = read(request, ids, template, 60)
    assert check(trace, 60) == []
    return f"{template.decode(ids)} = {show(trace)}; {' '.join(finishes(trace))}"


@pytest.mark.parametrize(
    ("result", "wanted"),
    [
        (says("abCx$", "5+3"), "abCx$ = thinking:ab closing:C solution:x$; delimiter eos"),
        (says("abcdx$", "3+3"), "abcCdx$ = thinking:abc closing:[C] solution:dx$; length eos"),
        (says("abxyz", "2+2"), "abCxy = thinking:ab closing:[C] solution:xy; length length"),
        (says("aCxyz", "5+2"), "aCxy$ = thinking:a closing:C solution:xy; delimiter length"),
        (says("a$x$", "5+2"), "aCx$ = thinking:a closing:C solution:x$; delimiter eos"),
        (says("x$", "0+2"), "Cx$ = closing:[C] solution:x$; length eos"),
        (says("ab", "0+0"), "C = closing:[C]; length length"),
        (says("x$", "3+2", thinking=Thinking.CLOSED), "x$ = solution:x$; eos"),
        (
            says("aCx$", "3+2", thinking=Thinking.ABSENT),
            "OaCx$ = opening:[O] thinking:a closing:C solution:x$; delimiter eos",
        ),
        (says("aCxy", "2+2", "CD"), "aCDxy$ = thinking:a closing:C closing:[D] solution:xy; length length"),
        (says("abx$", "2+2", wrap_up="wu"), "abwuCx$ = thinking:ab wrap_up:[wu] closing:[C] solution:x$; length eos"),
        (says("a.bx$", "4+2", grace=2), "a.Cbx$ = thinking:a. closing:[C] solution:bx; boundary length"),
        (says("C$bCx$", "6+2", min_thinking=2), "OObCx$ = thinking:OOb closing:C solution:x$; delimiter eos"),
    ],
)  # fmt: skip
def test_what_is_emitted_and_read(result: str, wanted: str) -> None:
    assert result == wanted


def test_a_row_whose_ids_were_taken_away_has_nothing_to_say() -> None:
    """As vLLM takes those of a request to which more input is streamed, before it lets the row go."""
    row = new_row(Request(Prompt((), Thinking.OPEN), Budget(2, 3)), letters(), 60, [5, 6, 3])
    row.output.clear()
    assert not row.advance()
