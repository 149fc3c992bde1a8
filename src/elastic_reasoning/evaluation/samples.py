"""What several samples of one problem say together: pass@k and the majority's answer.

pass_at(8, 3, 4)             # 1 - C(5, 4) / C(8, 4): at least one of four is right
majority(samples)            # 1.0 where the answer with the most votes is right
"""

from collections import Counter
from collections.abc import Sequence
from math import comb

from elastic_reasoning.evaluation.record import Record

RIGHT = object()
"""The class of all right answers: what equals the reference equals each other, however it is written."""


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


def majority(samples: Sequence[Record]) -> float:
    """How likely the majority's answer to one problem is right, ties split evenly (maj@k over all k samples).

    Each sample votes for its answer; one without an answer does not vote. All right answers are one class, also where
    they are written differently ("0.5" and "1/2" equal the reference, hence each other). Wrong answers are classed by
    their text without white space, so two ways to write one wrong answer are two classes. With no vote at all it is 0.
    The rule is self-consistency's (Wang et al. 2022, arXiv 2203.11171).
    """
    votes = Counter[object](
        RIGHT if record.correct else "".join(record.answer.split()) for record in samples if record.answer is not None
    )
    most = max(votes.values(), default=0)
    winners = [answer for answer, count in votes.items() if count == most]
    return winners.count(RIGHT) / len(winners) if winners else 0.0


def are_programs(samples: Sequence[Record]) -> bool:
    """Whether the answers are programs: most have several lines. There is no majority of programs."""
    answers = [record.answer for record in samples if record.answer is not None]
    return 2 * sum("\n" in answer.strip() for answer in answers) > len(answers)


def percentile(values: Sequence[int], percent: int) -> float | None:
    """The smallest of the values that at least so many percent of them do not exceed; `None` for no values."""
    return float(sorted(values)[-(-percent * len(values) // 100) - 1]) if values else None
