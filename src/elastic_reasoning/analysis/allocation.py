"""Which thinking is worth more tokens: a rule, fitted to what one long thinking of each problem shows.

    seen = thinkings(records, prompts)                  # of the problems to choose on
    rule = fit(seen, mean_tokens=48, signs=("prompt", "recent"))
    place = follow(seen, rule)                          # [n], where each thinking is closed

Where to stop each thinking, so that most answers are right for the tokens that all may take together, is a problem of
optimal stopping under a price of tokens (Lagrange): what counts of an answer is whether it is right, less the price of
what was sampled for it. It is solved from the last place to the first, by least squares on what the thinkings came to
(Longstaff & Schwartz 2001, "Valuing American options by simulation", Review of Financial Studies 14, 113-147): at each
place the gain of going on, under the rule for the places behind it, is regressed on the signs there and their products.
The price is such that the tokens allowed are spent.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import RecordsError, UsageError
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.strategies.allocated import FREE, PROBED, Rule, Term, thought_signs
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.record import Record

Floats = NDArray[np.float64]

RIDGE = 10.0
"""Thinkings without any gain or loss that a regression is held back by: with few at a place it says little."""
GRAINS, GRAIN = {"prompt": 1.0}, 0.01
"""Differences in a sign, in tokens and in nats, below which nothing is learned from it."""
FEWEST = 16
"""Thinkings that are still going at a place; of fewer nothing is learned there."""
HIGHEST_PRICE = 1.0
"""Of a token, in right answers."""
NUM_HALVINGS = 40


@dataclass(frozen=True, slots=True)
class Thinkings:
    """What n thinkings would come to if they were closed at k places.

    Attributes:
        keys: [n], problem and sample.
        places: [k], tokens of thinking, fewest first.
        correct: [n, k], 1 where the answer is right.
        tokens: [n, k], sampled in all.
        going: [n, k], whether thinking had not come to its own end before.
        signs: by name, [n, k].
    """

    keys: tuple[tuple[str, int], ...]
    places: tuple[int, ...]
    correct: Floats
    tokens: Floats
    going: NDArray[np.bool_]
    signs: Mapping[str, Floats]

    def where(self, chosen: Sequence[int]) -> "Thinkings":
        """Some of them."""
        rows = list(chosen)
        grids = {name: getattr(self, name)[rows] for name in ("correct", "tokens", "going")}
        signs = {name: values[rows] for name, values in self.signs.items()}
        return Thinkings(tuple(self.keys[row] for row in rows), self.places, **grids, signs=signs)


def thinkings(records: Records, prompts: Mapping[str, int]) -> Thinkings:
    """Read thinkings that were each cut at several budgets.

    Args:
        records: of one model under separate budgets that differ in t alone, each a cut of the largest one's thinking.
            What lacks a budget, has an error or does not share its thinking is left out.
        prompts: tokens of each problem's prompt.

    Raises:
        RecordsError: nothing is left.
    """
    places = tuple(sorted({setting.budget.thinking or 0 for setting in records.settings}))
    keys: list[tuple[str, int]] = []
    rows: dict[str, list[Sequence[float]]] = {name: [] for name in ("correct", "tokens", "going")}
    signs: list[list[dict[str, float]]] = []
    for problem, group in records.graded().by_problem().items():
        for sample, cuts in _by_sample(group).items():
            if len(cuts) == len(places) and _is_shared(cuts):
                keys.append((problem, sample))
                rows["correct"].append([bool(cut.correct) for cut in cuts])
                rows["tokens"].append([cut.num_spent_tokens for cut in cuts])
                rows["going"].append([cut.budget_hit for cut in cuts])
                signs.append(_signs(cuts[-1], places, prompts[problem]))
    if not keys:
        raise RecordsError(
            f"no thinking was cut at all of {len(places)} budgets: finish the sweep; with an engine other than "
            "transformers sweep with --one_thinking"
        )
    names = [name for name in FREE if all(name in each for row in signs for each in row)]
    return Thinkings(
        keys=tuple(keys),
        places=places,
        correct=np.array(rows["correct"], np.float64),
        tokens=np.array(rows["tokens"], np.float64),
        going=np.array(rows["going"], np.bool_),
        signs={name: np.array([[each[name] for each in row] for row in signs]) for name in names},
    )


def _by_sample(group: Records) -> dict[int, list[Record]]:
    """The records of each sample of a problem, the smallest budget first."""
    found: dict[int, list[Record]] = {}
    for record in sorted(group, key=lambda record: Budget.parse(record.budget).thinking or 0):
        found.setdefault(record.sample, []).append(record)
    return found


def thought_ids(record: Record) -> list[int]:
    """What was sampled in thinking."""
    parts = (part["ids"] for part in record.segments if part["phase"] == Phase.THINKING and part["sampled"])
    return list(chain.from_iterable(parts))


def _is_shared(cuts: Sequence[Record]) -> bool:
    whole = thought_ids(cuts[-1])
    return all(thought_ids(cut) == whole[: cut.num_thinking_tokens] for cut in cuts)


def _signs(longest: Record, places: Sequence[int], num_prompt: int) -> list[dict[str, float]]:
    """The signs at each place; those of log-probabilities only where they are known."""
    found: list[float] = []
    for part, logprobs in zip(longest.segments, longest.logprobs, strict=False):
        if part["phase"] == Phase.THINKING and part["sampled"]:
            if logprobs is None:
                return [{"prompt": float(num_prompt)} for _ in places]
            found += logprobs
    return [
        thought_signs(num_prompt, found[:place], before) for before, place in zip((0, *places), places, strict=False)
    ]


def fit(seen: Thinkings, mean_tokens: float, signs: Sequence[str]) -> Rule:
    """The rule that gets most answers right with so many tokens for each thinking, on average.

    Args:
        seen: thinkings to choose on.
        mean_tokens: to be sampled.
        signs: what it goes by.

    Raises:
        UsageError: a sign is not known of these, or even the smallest budget takes more tokens.
        RecordsError: there are too few thinkings.
    """
    if len(seen.keys) < FEWEST:
        raise RecordsError(
            f"{len(seen.keys)} thinkings to choose on, and at least {FEWEST} are needed: more problems, or more samples"
        )
    for name in signs:
        if name not in seen.signs:
            raise UsageError(
                f"sign {name!r}: needs log-probabilities, and the engine gave none: --signs {','.join(seen.signs)}"
            )
    least = seen.tokens[:, 0].mean()
    if mean_tokens < least:
        probe = ", a probe" if seen.signs.keys() & set(PROBED) else ""
        raise UsageError(
            f"tokens {mean_tokens:g}: {seen.places[0]} tokens of thinking{probe} and the solution take {least:.1f} "
            "already; give more, or sweep a smaller budget"
        )
    low, high = 0.0, HIGHEST_PRICE
    for _ in range(NUM_HALVINGS):
        price = (low + high) / 2
        spent = seen.tokens[np.arange(len(seen.keys)), follow(seen, _fit(seen, price, signs))].mean()
        low, high = (price, high) if spent > mean_tokens else (low, price)
    return _fit(seen, high, signs)


def _fit(seen: Thinkings, price: float, signs: Sequence[str]) -> Rule:
    """The best rule under a price of tokens."""
    worth = seen.correct - price * seen.tokens
    ahead = worth[:, -1]  # what each comes to, if it is still going at the place that is looked at
    terms: dict[int, tuple[Term, ...]] = {}
    for column in reversed(range(len(seen.places) - 1)):
        going = seen.going[:, column]
        if going.sum() < FEWEST:
            continue
        values = np.stack([seen.signs[name][going, column] for name in signs], axis=1)
        terms[seen.places[column]] = found = _regress(values, (ahead - worth[:, column])[going], signs)
        closes = np.zeros(len(going), np.bool_)
        closes[going] = _gains(found, seen, column)[going] <= 0
        ahead = np.where(closes, worth[:, column], ahead)
    return Rule(dict(sorted(terms.items())))


def _regress(values: Floats, gains: Floats, names: Sequence[str]) -> tuple[Term, ...]:
    """The gain as a polynomial of degree two in the signs: least squares with a ridge, on standardised signs."""
    mean = values.mean(axis=0)
    scale = np.maximum(values.std(axis=0), [GRAINS.get(name, GRAIN) for name in names])
    standard = np.hstack([np.ones((len(values), 1)), (values - mean) / scale])
    pairs = list(combinations_with_replacement(range(standard.shape[1]), 2))
    basis = np.stack([standard[:, one] * standard[:, other] for one, other in pairs], axis=1)
    ridge = RIDGE * np.eye(len(pairs))
    ridge[0, 0] = 0.0
    weights = np.linalg.solve(basis.T @ basis + ridge, basis.T @ gains)
    # The same polynomial in the signs as they are: each standardised sign is (sign - mean) / scale.
    rows = np.vstack([np.eye(1, standard.shape[1]), np.hstack([(-mean / scale)[:, None], np.diag(1 / scale)])])
    square = np.zeros((standard.shape[1],) * 2)
    for (one, other), weight in zip(pairs, weights, strict=True):
        square += weight * np.outer(rows[one], rows[other])
    of = ((), *((name,) for name in names))
    numbers = {(one, other): square[one, other] + (square[other, one] if one != other else 0) for one, other in pairs}
    return tuple((float(f"{number:.8g}"), (*of[one], *of[other])) for (one, other), number in numbers.items())


def _gains(terms: Iterable[Term], seen: Thinkings, column: int) -> Floats:
    """What a rule says at a place of all thinkings."""
    total = np.zeros(len(seen.keys))
    for number, names in terms:
        total += number * np.prod([seen.signs[name][:, column] for name in names], axis=0)
    return total


def follow(seen: Thinkings, rule: Rule) -> NDArray[np.int64]:
    """Where a rule closes each thinking: [n], by the number of the place; the last one for those that it lets go on."""
    closed = np.full(len(seen.keys), len(seen.places) - 1)
    for column in reversed(range(len(seen.places) - 1)):
        terms = rule.terms.get(seen.places[column])
        if terms is not None:
            closed[seen.going[:, column] & (_gains(terms, seen, column) <= 0)] = column
    return closed
