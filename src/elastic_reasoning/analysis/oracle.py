"""What an oracle that knew the right budget of each problem would reach with the tokens that one budget for all takes.

    hindsight(ladder)       # [samples, k]: what each sample adds to the gain at each budget
    mixed(ladder)           # the same of whoever knows nothing, and mixes two budgets
    held_out(ladder)        # [problems, k], and how many samples each problem has

One budget j for all costs B tokens. The oracle gives each unit (a problem, or a sample) a budget of its own so that
most samples are right and no more than B tokens are spent: a multiple-choice knapsack. Its linear relaxation, where one
unit may mix two budgets, is solved by a price of tokens l (Lagrange): each unit takes the budget with the
largest c - l k, for c correct samples and k tokens, and l is such that B tokens are spent (Sinha & Zoltners 1979,
Operations Research 27, 503-515). No choice of budgets within B tokens is better.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from elastic_reasoning.analysis.errorbars import sums_by_cluster
from elastic_reasoning.analysis.ladders import Ladder

LEAST = 1e-12
"""A price of tokens at which they cost nothing, but of two budgets that are equally good the cheaper is taken."""
PRECISION = 1e-7
"""How far below the best the choice may stay, in correct samples for each unit."""


@dataclass(frozen=True, slots=True)
class Units:
    """What each of n units would have under each of k budgets.

    Attributes:
        correct: [n, k], correct samples.
        tokens: [n, k], tokens of its samples.
    """

    correct: NDArray[np.float64]
    tokens: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Choice:
    """What the oracle takes.

    Attributes:
        price: in correct samples a token.
        cheap, dear: [n], the place of each unit's budget, within the tokens allowed and just beyond them.
        share: of the second choice in the mixture of both that takes what is allowed.
    """

    price: float
    cheap: NDArray[np.int64]
    dear: NDArray[np.int64]
    share: float


def choose(units: Units, allowed: float) -> Choice:
    """The best choice of budgets with at most so many tokens for all units, which the cheapest of each must take."""
    low, high = LEAST, 1.0
    dear, more = _taken(units, low)
    if more <= allowed:
        return Choice(low, dear, dear, 0.0)
    cheap, less = _taken(units, high)
    while less > allowed:
        low, high, dear, more = high, 2 * high, cheap, less
        cheap, less = _taken(units, high)
    while (high - low) * (more - less) > PRECISION * len(dear):
        middle = (low + high) / 2
        taken, cost = _taken(units, middle)
        if cost > allowed:
            low, dear, more = middle, taken, cost
        else:
            high, cheap, less = middle, taken, cost
    return Choice(high, cheap, dear, (allowed - less) / (more - less))


def _taken(units: Units, price: float) -> tuple[NDArray[np.int64], float]:
    """The budget of each unit that is best at a price, and the tokens of all."""
    place = (units.correct - price * units.tokens).argmax(axis=1)
    return place, float(_at(units.tokens, place).sum())


def _at(values: NDArray[np.float64], place: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of each row of [n, k] the value at its place."""
    chosen: NDArray[np.float64] = values[np.arange(len(place)), place]
    return chosen


def gains(known: Units, measured: Units) -> NDArray[np.float64]:
    """What each unit adds to the correct samples that the oracle has more than one budget for all, for each budget.

    The oracle chooses by what is known and is measured on something else, or on the same, which is its upper bound. The
    tokens of a unit beyond those of the one budget are charged at the oracle's own price: what is measured need
    not cost just as much as what is known. The price makes these terms what the delta method needs, too: to first order
    the sum moves with the units as a plain sum does (envelope theorem).

    Args:
        known: what the choice is made by; a single unit stands for all of them together.
        measured: the same units, or all of them.

    Returns:
        [units, k]; the gain in accuracy at budget j is the sum of column j by the number of measured samples.
    """
    columns = []
    for budget in range(known.tokens.shape[1]):
        choice = choose(known, float(known.tokens[:, budget].sum()))
        worth = measured.correct - choice.price * measured.tokens
        cheap, dear = (np.broadcast_to(place, len(worth)) for place in (choice.cheap, choice.dear))
        mixed = (1 - choice.share) * _at(worth, cheap) + choice.share * _at(worth, dear)
        columns.append(mixed - worth[:, budget])
    return np.stack(columns, axis=1)


def most_correct(units: Units, allowed: float) -> float:
    """The correct samples of an oracle that knows everything, with so many tokens for all units."""
    choice = choose(units, allowed)
    cheap, dear = (_at(units.correct, place).sum() for place in (choice.cheap, choice.dear))
    return float((1 - choice.share) * cheap + choice.share * dear)


def mixed(ladder: Ladder) -> NDArray[np.float64]:
    """What each sample adds to the gain of whoever knows nothing of it, and draws by lot which of two budgets it gets.

    More than 0 where accuracy is not concave in tokens. An oracle gains this much without its knowledge.
    """
    samples = Units(ladder.correct.astype(float), ladder.tokens.astype(float))
    together = Units(*(each.sum(axis=0, keepdims=True) for each in (samples.correct, samples.tokens)))
    return gains(together, samples)


def hindsight(ladder: Ladder) -> NDArray[np.float64]:
    """What each sample adds to the gain of an oracle that knows which budgets make it right: [n, k].

    Whoever only chooses among these budgets gains no more, by whatever signs: it is an upper bound.
    """
    samples = Units(ladder.correct.astype(float), ladder.tokens.astype(float))
    return gains(samples, samples)


def held_out(ladder: Ladder) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What each problem adds to the gain of an oracle that knows its accuracy and tokens at every budget.

    It learns them from every second sample of a problem and is measured on the others, then the other way round, so
    that no luck of the samples it has seen counts. What it has seen of a problem counts for as much as it tells of
    other samples of the same problem, and the mean of all problems for the rest (`_regressed`). With few samples it
    still knows less than the truth, and gains less. Problems with one sample are left out.

    Returns:
        [problems, k], and [problems] samples.
    """
    _, place, sizes = np.unique(ladder.problems, return_inverse=True, return_counts=True)
    ladder, sizes = ladder.where(sizes[place] > 1), sizes[sizes > 1]
    if not len(sizes):
        return np.empty((0, len(ladder.budgets))), np.empty(0)
    starts = np.cumsum(sizes) - sizes
    is_second = (np.arange(len(ladder.problems)) - np.repeat(starts, sizes)) % 2 == 1
    of_halves = [(is_second == half)[:, None] for half in (False, True)]
    nums = [sums_by_cluster(each, ladder.problems) for each in of_halves]
    correct, tokens = (
        [sums_by_cluster(each * values, ladder.problems) for each in of_halves]
        for values in (ladder.correct, ladder.tokens)
    )
    terms = np.zeros(correct[0].shape)
    for seen, other in ((0, 1), (1, 0)):
        known = (
            nums[seen] * _regressed(each[seen] / nums[seen], each[other] / nums[other]) for each in (correct, tokens)
        )
        terms += gains(Units(*known), Units(correct[other], tokens[other]))
    return terms, sizes.astype(float)


def _regressed(seen: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """The best linear guess at what is true of each problem, from what was seen of it: [n, k].

    r x + (1 - r) mean(x), with r the reliability of each column x, here the regression of the other half of the samples
    on it (Kelley 1927, "Interpretation of Educational Measurements").
    """
    deviation = seen - seen.mean(axis=0)
    squares = (deviation**2).sum(axis=0)
    shared = (deviation * (other - other.mean(axis=0))).sum(axis=0)
    reliability = np.clip(np.divide(shared, squares, out=np.zeros(len(squares)), where=squares > 0), 0.0, 1.0)
    guess: NDArray[np.float64] = seen.mean(axis=0) + reliability * deviation
    return guess
