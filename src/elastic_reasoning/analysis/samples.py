"""What several samples of one problem say together: pass@k and the majority's answer.

pass_at(8, 3, 4)             # 1 - C(5, 4) / C(8, 4): at least one of four is right
majority(samples)            # 1.0 where the answer with the most votes is right
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from functools import lru_cache
from itertools import combinations
from math import ceil, comb

from elastic_reasoning.analysis.equivalence import Equivalence, Form, form_of
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.record import Record

MOST_COMPARED = 2_000
"""Comparisons of two wrong answers to one problem at most; 64 samples can have that many pairs."""


def pass_at(num_samples: int, num_correct: int, k: int) -> float:
    """The chance that at least one of k samples is right, estimated without bias from n >= k samples.

    1 - C(n - c, k) / C(n, k): the share of the subsets of k samples that hold a right one. Chen et al. 2021,
    arXiv 2107.03374, section 2.1.

    Raises:
        ValueError: k is not in 1 to n; fewer samples than k allow no estimate without bias.
    """
    if not 1 <= k <= num_samples:
        raise ValueError(f"pass@{k} of {num_samples} samples: k must be from 1 to the number of samples")
    return 1 - comb(num_samples - num_correct, k) / comb(num_samples, k)


def ks(num_samples: int) -> list[int]:
    """1, 2, 4, ... up to and including the number of samples: the k for which pass@k is given."""
    powers = [1 << n for n in range(num_samples.bit_length()) if 1 << n < num_samples]
    return [*powers, num_samples] if num_samples else []


def majority(samples: Iterable[Record], equivalence: Equivalence | None = None) -> float:
    """How likely the majority's answer to one problem is right, ties split evenly (maj@k over all k samples).

    Each sample votes for its answer; one without an answer does not vote. Answers that were graded right are one class,
    the reference's. Wrong ones are one class where the grader takes them for equal, directly or over others: merged by
    their text alone they would split their votes between "1/2" and "0.5", and the majority would look too good.
    Answers that read alike, or are the same rational number, are one class whatever their verdicts (one may have run
    into a limit); such a class is as right as the share of its samples that were graded right. With no vote at all it
    is 0. The rule is self-consistency's (Wang et al. 2022, arXiv 2203.11171).

    Args:
        samples: of one problem.
        equivalence: which answers are the same; one of its own if there is none.
    """
    columns = Records.of(samples)
    given = Counter(zip(columns.texts("answer"), columns["correct"].tolist(), strict=True))
    forms = [(_form(answer), correct, num) for (answer, correct), num in given.items() if answer is not None]
    keys = {key: form for (key, form), _, _ in forms}
    right_keys = {key for (key, _), correct, _ in forms if correct}
    votes: Counter[str] = Counter()
    for (key, _), _, num in forms:
        votes[key] += num
    num_right = sum(votes[key] for key in right_keys)
    wrong = {key: number for key, number in votes.items() if key not in right_keys}
    if not num_right or max(wrong.values(), default=0) > num_right:
        return 0.0
    share = sum(num for _, correct, num in forms if correct) / num_right
    if num_right > sum(wrong.values()):  # then no wrong answers together have as many
        return share
    if equivalence is None:
        with closing(Equivalence()) as own:
            counts = _merged(wrong, keys, own)
    else:
        counts = _merged(wrong, keys, equivalence)
    most = max(counts)
    return 0.0 if most > num_right else share / (1 + counts.count(num_right))


@lru_cache(65_536)
def _form(answer: str) -> tuple[str, Form]:
    """The normal form of an answer, and how it is spelled."""
    form = form_of(answer)
    return repr(form), form


def _merged(votes: dict[str, int], forms: dict[str, Form], equivalence: Equivalence) -> list[int]:
    """The votes of each class of answers that are the same, directly or over others."""
    class_of = {key: key for key in votes}
    for one, other in _pairs(sorted(votes)):
        first, second = class_of[one], class_of[other]
        if first != second and equivalence.same(forms[one], forms[other]):
            class_of = {key: first if each == second else each for key, each in class_of.items()}
    counts: Counter[str] = Counter()
    for key, number in votes.items():
        counts[class_of[key]] += number
    return list(counts.values())


def _pairs(keys: list[str]) -> Iterable[tuple[str, str]]:
    pairs = combinations(keys, 2)
    return (pair for pair, _ in zip(pairs, range(MOST_COMPARED), strict=False))


def are_programs(samples: Iterable[Record]) -> bool:
    """Whether the answers are programs: most have several lines. There is no majority of programs."""
    answers = [answer for answer in Records.of(samples).texts("answer") if answer is not None]
    return 2 * sum("\n" in answer.strip() for answer in answers) > len(answers)


def percentile(values: Sequence[int], percent: float) -> float | None:
    """The smallest of the values that at least so many percent of them do not exceed; `None` for no values."""
    return float(sorted(values)[ceil(percent * len(values) / 100) - 1]) if values else None
