from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.analysis.allocated import measure, of_problems
from elastic_reasoning.analysis.allocation import RIDGE, Thinkings, _regress, fit, follow, thinkings
from elastic_reasoning.core.errors import RecordsError, UsageError
from elastic_reasoning.core.strategies.allocated import NAME, Rule
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.record import Part, Record

PLACES = (8, 16, 32, 64)
SOLUTION = 4


def made_up(num: int, seed: int = 0) -> Thinkings:
    """Long prompts need long thinking, and how likely the last part was says a little more."""
    rng = np.random.default_rng(seed)
    prompt = rng.integers(10, 40, num).astype(float)
    places = np.array(PLACES, float)
    needed = prompt * rng.uniform(0.5, 1.8, num)
    correct = (places >= needed[:, None]).astype(float)
    recent = correct * 0.5 - 0.6 + rng.normal(0, 0.1, (num, len(PLACES)))
    return Thinkings(
        keys=tuple((f"p{n}", 0) for n in range(num)),
        places=PLACES,
        correct=correct,
        tokens=np.tile(places + SOLUTION, (num, 1)),
        going=np.ones((num, len(PLACES)), np.bool_),
        signs={"prompt": np.tile(prompt[:, None], (1, len(PLACES))), "recent": recent, "thinking": recent},
    )


def spent(seen: Thinkings, rule: Rule) -> tuple[float, float]:
    """Tokens and right answers of a thinking, on average."""
    at = np.arange(len(seen.keys)), follow(seen, rule)
    return float(seen.tokens[at].mean()), float(seen.correct[at].mean())


def uniform(seen: Thinkings, tokens: float) -> float:
    return float(np.interp(tokens, seen.tokens.mean(axis=0), seen.correct.mean(axis=0)))


@pytest.mark.parametrize("signs", [("prompt",), ("recent",), ("prompt", "recent")])
@pytest.mark.parametrize("tokens", [20, 30, 45])
def test_a_rule_keeps_to_its_tokens_and_beats_one_budget_for_all(tokens: float, signs: tuple[str, ...]) -> None:
    seen, others = made_up(600), made_up(600, seed=1)
    rule = fit(seen, tokens, signs)
    assert rule.signs <= {*signs}
    assert tokens - 3 < spent(seen, rule)[0] <= tokens
    took, right = spent(others, rule)
    assert took == pytest.approx(tokens, abs=4)
    assert right > uniform(others, took) + 0.05
    assert (follow(others, Rule.parse(str(rule))) == follow(others, rule)).all()


def test_with_tokens_enough_nothing_right_is_closed() -> None:
    seen = made_up(300)
    took, right = spent(seen, fit(seen, 1000, ("prompt",)))
    assert right == pytest.approx(seen.correct[:, -1].mean(), abs=0.01)
    assert took < seen.tokens[:, -1].mean()  # short prompts are right before


@given(st.integers(0, 2**32 - 1))
def test_a_regression_is_the_polynomial_that_it_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(3, 2, (200, 2))
    gains = 1 + values[:, 0] - 2 * values[:, 0] * values[:, 1]
    terms = {names: number for number, names in _regress(values, gains, ("a", "b"))}
    assert terms.keys() == {(), ("a",), ("b",), ("a", "a"), ("a", "b"), ("b", "b")}
    columns = {"a": values[:, 0], "b": values[:, 1]}
    said = sum(number * np.prod([columns[name] for name in names], axis=0) for names, number in terms.items())
    assert np.corrcoef(said, gains)[0, 1] > 0.995
    assert np.abs(said - gains).mean() < 0.1 * gains.std() * RIDGE


def test_too_few_thinkings_or_tokens_are_refused() -> None:
    with pytest.raises(RecordsError, match="15 thinkings to choose on, and at least 16"):
        fit(made_up(15), 20, ("prompt",))
    with pytest.raises(UsageError, match=r"tokens 11: 8 tokens of thinking and the solution take 12\.0 already"):
        fit(made_up(20), 11, ("prompt",))
    known = made_up(20)
    known = replace(known, signs={"prompt": known.signs["prompt"]})
    with pytest.raises(UsageError, match=r"sign 'recent': needs log-probabilities, .* --signs prompt"):
        fit(known, 20, ("recent",))


def record(
    problem: int, thinking: int, needed: int, ends: int = 100, strategy: str = "elastic", budget: int = 0
) -> Record:
    """A thinking that would come to its own end, and whose answer is right from some tokens on."""
    bare = Record.without_trace(("m", strategy, f"{budget or thinking}+4", f"p{problem}", 0), "")
    took = min(thinking, ends)
    parts = [
        Part(phase="thinking", ids=list(range(took)), sampled=True, finish="length", text=""),
        Part(phase="solution", ids=[1] * SOLUTION, sampled=True, finish="eos", text=""),
    ]
    logprobs = [[-0.5] * took, [-0.1] * SOLUTION]
    return replace(
        bare,
        error=None,
        correct=took >= min(needed, ends),
        num_thinking_tokens=took,
        num_solution_tokens=SOLUTION,
        budget_hit=thinking <= ends,
        segments=parts,
        logprobs=logprobs,
    )


def test_thinkings_are_read_from_records() -> None:
    records = [record(n, t, needed=20, ends=ends) for n, ends in enumerate((100, 10)) for t in (32, 8, 16)]
    seen = thinkings(Records.of(records), {"p0": 7, "p1": 9})
    assert seen.keys == (("p0", 0), ("p1", 0))
    assert seen.places == (8, 16, 32)
    assert seen.correct.tolist() == [[0, 0, 1], [0, 1, 1]]
    assert seen.tokens.tolist() == [[12, 20, 36], [12, 14, 14]]
    assert seen.going.tolist() == [[True] * 3, [True, False, False]]
    assert seen.signs["prompt"][:, 0].tolist() == [7, 9]
    assert seen.signs["recent"][0].tolist() == [-0.5] * 3


def test_without_log_probabilities_only_the_prompt_is_a_sign() -> None:
    records = [replace(record(0, t, 20), logprobs=[None, None]) for t in (8, 16)]
    assert [*thinkings(Records.of(records), {"p0": 7}).signs] == ["prompt"]


def test_thinkings_that_are_not_one_are_left_out() -> None:
    other = record(0, 8, 20)
    other.segments[0]["ids"][0] = 77
    with pytest.raises(RecordsError, match=r"no thinking was cut at all of 2 budgets: .* --one_thinking"):
        thinkings(Records.of([other, record(0, 16, 20), record(1, 16, 20)]), {"p0": 7, "p1": 7})


def test_an_allocation_is_measured_where_one_budget_for_all_takes_as_many_tokens() -> None:
    needed = [8, 8, 16, 16, 32, 32, 64, 64]
    records = [record(n, t, needed[n]) for n in range(8) for t in PLACES]
    own = [record(n, min(needed[n], 16), needed[n], strategy=NAME, budget=64) for n in range(8)]
    seen = thinkings(Records.of(records), dict.fromkeys((f"p{n}" for n in range(8)), 7))
    found = measure(Records.of(own), Records.of(records), seen)
    assert found.num_problems == 8
    assert found.tokens == pytest.approx(14 + SOLUTION)
    assert found.accuracy == 0.5
    assert found.uniform_accuracy == pytest.approx(0.25 + 0.25 * 6 / 8)
    assert found.difference == pytest.approx(found.accuracy - found.uniform_accuracy)
    # Whoever knew closes the four hopeless ones at 8 tokens, and has tokens left: 2 * 8 + 2 * 16 + 4 * 8 = 80 of 112
    # for thinking, of which 24 more make one of the two of 32 right, and 8 of 24 a third of the other.
    assert found.bound == pytest.approx((4 + 1 + 8 / 24) / 8, abs=1e-3)
    assert not found.is_better


def test_the_samples_of_some_problems() -> None:
    records = Records.of([replace(record(n, 8, 8), sample=sample) for n in range(3) for sample in range(2)])
    chosen = of_problems(records, {"p0", "p2"}, 1)
    assert [(record.problem, record.sample) for record in chosen] == [("p0", 0), ("p2", 0)]
