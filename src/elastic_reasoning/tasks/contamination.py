"""Which problems of a test set also stand in a training set.

    for overlap in contamination(task.problems("test"), training.problems("train")):
        overlap.test, overlap.training, overlap.share

Two problems overlap if their words are the same, or if SHARE of the shorter one's runs of RUN words stand in the other
one too. Between MATH500 and the problems of AIME 1983-2023 this finds nine pairs that are the same problem, seven of
them word for word; the nearest pair that is not one, alike in "relatively prime positive integers" and the like, has a
share of 0.5. A problem told in other words is not found.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from elastic_reasoning.tasks.fingerprint import words
from elastic_reasoning.tasks.task import Problem

RUN = 8
SHARE = 0.6


@dataclass(frozen=True, slots=True)
class Overlap:
    """A test problem that also stands in the training set.

    Attributes:
        test, training: ids of the two problems.
        share: of the shorter one's runs of words, how many stand in the other, in (0, 1].
        same: all words are the same, in the same order.
    """

    test: str
    training: str
    share: float
    same: bool


def contamination(test: Iterable[Problem], training: Iterable[Problem]) -> list[Overlap]:
    """Overlapping pairs in the order of the test set, those with the largest share first."""
    where: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    asked = [(problem, words(question_text(problem))) for problem in test]
    runs = [_runs(each) for _, each in asked]
    for index, own in enumerate(runs):
        for run in own:
            where[run].append(index)
    found: list[tuple[int, Overlap]] = []
    for problem in training:
        its_words = words(question_text(problem))
        its_runs = _runs(its_words)
        shared = Counter(index for run in its_runs for index in where.get(run, ()))
        for index, count in shared.items():
            share = count / min(len(its_runs), len(runs[index]))
            if share >= SHARE:
                mine, my_words = asked[index]
                found.append((index, Overlap(mine.id, problem.id, share, my_words == its_words)))
    found.sort(key=lambda each: (each[0], -each[1].share))
    return [overlap for _, overlap in found]


def question_text(problem: Problem) -> str:
    """The text of a problem; without the words around it, where the task tells the two apart."""
    return str(problem.data.get("problem", problem.messages[-1]["content"]))


def _runs(words: list[str]) -> set[tuple[str, ...]]:
    """Every run of RUN words; of a shorter text all of it."""
    return {tuple(words[start : start + RUN]) for start in range(max(1, len(words) - RUN + 1))}
