"""The Codeforces rating of a model: whom it would have stood beside in past contests.

    for rating in rate(records, read_contests(Path("contests"))):
        print(rating.model, rating.budget, rating.rating, rating.rating_se, rating.percentile)

The rules are those by which the published figures were made: CodeElo (Quan et al. 2025, arXiv 2501.01257), as the
evaluation of DeepCoder and of Elastic Reasoning has them (`cf_elo_calc.py` in their repositories, `--pass_n 8`).

- The samples of a problem are attempts, in their order, up to the first right one; those before it were wrong.
- A right attempt after w wrong ones earns max(0, points - 50 w); by the ICPC's rules it counts one and costs 10 w of
  penalty. Time costs nothing.
- The rank m is the number of rated participants who did at least as well. The rating is the r for which the expected
  rank, 1 + sum_i 1 / (1 + 10^((r - r_i) / 400)) over the participants' ratings r_i before the contest, comes down to
  m: a whole number from 0 to 100 above the best participant.
- The rating of a model is the mean over contests. Its percentile is the share of users below it.

What the sources drop without a word is named here: contests without a table or with too few participants, and the
problems of both. A problem that was not asked counts as not solved. Without a table there is no rating: the difficulty
of problems says nothing of whom a model would have beaten.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from statistics import fmean

import numpy as np

from elastic_reasoning.analysis.codeforces.contests import Contest
from elastic_reasoning.analysis.errorbars import Z95, clustered_se
from elastic_reasoning.analysis.ordering import by_setting
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.record import Record

CODE = re.compile(r"(?:cf-)?((\d+)[A-Z]\d*)")
NUM_ATTEMPTS = 8
"""As many samples of a problem as the published figures count."""
FEWEST = 201
"""Rated participants that a contest needs, as in the sources."""
CONTEST_LEFT_OUT = "their contest is left out"

Attempts = Mapping[str, Sequence[bool]]
"""For each problem's code, which of its attempts were right, in order."""


@dataclass(frozen=True, slots=True)
class ContestRating:
    """One contest.

    Attributes:
        contest: its number.
        rating: as the module says.
        rank: how many of the participants did at least as well.
        num_participants: rated ones.
        num_solved, num_asked, num_problems: of the contest's problems.
    """

    contest: int
    rating: int
    rank: int
    num_participants: int
    num_solved: int
    num_asked: int
    num_problems: int


@dataclass(frozen=True, slots=True)
class Rating:
    """One setting.

    Attributes:
        model, strategy, budget: the setting.
        rating: mean over contests; `None` without any.
        rating_se: its standard error over contests, s / sqrt(number of contests); `None` for fewer than two.
        percentile: percent of the users of 2024 whose rating is below it.
        percentile_interval: that of the rating's 95 % interval.
        num_attempts: the most that a problem had.
        num_errors: records with an error: no attempts.
        contests: by number.
        contests_left_out: contests without a rating, and why.
        problems_left_out: problems that count nowhere, and why.
    """

    model: str
    strategy: str
    budget: str
    rating: float | None
    rating_se: float | None
    percentile: float | None
    percentile_interval: tuple[float, float] | None
    num_attempts: int
    num_errors: int
    contests: tuple[ContestRating, ...]
    contests_left_out: Mapping[int, str]
    problems_left_out: Mapping[str, str]


def rate(records: Iterable[Record], contests: Mapping[int, Contest], num_attempts: int = NUM_ATTEMPTS) -> list[Rating]:
    """The rating of each setting.

    Args:
        records: of the task `codeforces`; a problem's id is its code, as cf-1971A.
        contests: tables by number.
        num_attempts: how many samples of a problem count, those with the lowest numbers.

    Raises:
        UsageError: no attempts are to count.
    """
    if num_attempts < 1:
        raise UsageError(f"attempts {num_attempts}: must be 1 or more")
    users = read_users()
    return [_rating(setting, group, contests, num_attempts, users) for setting, group in by_setting(records).items()]


def _rating(
    setting: Setting,
    records: Records,
    contests: Mapping[int, Contest],
    num_attempts: int,
    users: Mapping[int, int],
) -> Rating:
    asked, contests_left_out, problems_left_out = _attempts(records, contests, num_attempts)
    found = tuple(rate_contest(contests[number], asked[number]) for number in sorted(asked))
    ratings = [each.rating for each in found]
    rating, se = (fmean(ratings), clustered_se([[each] for each in ratings])) if ratings else (None, None)
    within = None if rating is None or se is None else (rating - Z95 * se, rating + Z95 * se)
    return Rating(
        setting.model,
        setting.strategy,
        str(setting.budget),
        rating=rating,
        rating_se=se,
        percentile=None if rating is None else percentile(rating, users),
        percentile_interval=within and (percentile(within[0], users), percentile(within[1], users)),
        num_attempts=max((len(tries) for problems in asked.values() for tries in problems.values()), default=0),
        num_errors=len(records) - len(records.graded()),
        contests=found,
        contests_left_out=contests_left_out,
        problems_left_out=problems_left_out,
    )


def _attempts(
    records: Records, contests: Mapping[int, Contest], num_attempts: int
) -> tuple[dict[int, dict[str, list[bool]]], dict[int, str], dict[str, str]]:
    """The attempts in each contest, and the contests and problems that are left out, with the reason."""
    problems = {problem: (CODE.fullmatch(problem), samples) for problem, samples in records.by_problem().items()}
    numbers = sorted({int(code[2]) for code, _ in problems.values() if code})
    contests_left_out = {number: why for number in numbers if (why := _lacks(contests.get(number)))}
    problems_left_out: dict[str, str] = {}
    asked: dict[int, dict[str, list[bool]]] = defaultdict(dict)
    for problem, (code, samples) in problems.items():
        graded = samples.graded()
        if not code:
            problems_left_out[problem] = "no Codeforces code, as cf-1971A"
        elif int(code[2]) in contests_left_out:
            problems_left_out[problem] = CONTEST_LEFT_OUT
        elif code[1] not in contests[int(code[2])].problems:
            problems_left_out[problem] = "not in the table of their contest"
        elif not len(graded):
            problems_left_out[problem] = "every sample has an error"
        else:
            asked[int(code[2])][code[1]] = graded["correct"][np.argsort(graded["sample"])][:num_attempts].tolist()
    return asked, contests_left_out, problems_left_out


def _lacks(contest: Contest | None) -> str:
    """Why a contest gives no rating, empty if it does."""
    if contest is None:
        return "no table"
    num = len(contest.standings)
    return f"{num} rated participants, at least {FEWEST} are needed" if num < FEWEST else ""


def rate_contest(contest: Contest, attempts: Attempts) -> ContestRating:
    """The rating that one contest gives."""
    points = penalty = 0.0
    num_solved = 0
    for code, worth in contest.problems.items():
        tries = attempts.get(code, ())
        if True not in tries:
            continue
        num_wrong = tries.index(True)
        num_solved += 1
        points += 1 if worth is None else max(0.0, worth - 50 * num_wrong)
        penalty += 10 * num_wrong if worth is None else 0
    rank = contest.place(points, penalty)
    return ContestRating(
        contest=contest.number,
        rating=rating_at(rank, contest.ratings),
        rank=rank,
        num_participants=len(contest.standings),
        num_solved=num_solved,
        num_asked=len(attempts.keys() & contest.problems.keys()),
        num_problems=len(contest.problems),
    )


def rating_at(rank: int, ratings: Mapping[int, int]) -> int:
    """The rating whose expected rank is `rank`, by bisection over whole numbers.

    Args:
        rank: how many did at least as well.
        ratings: how many participants had which rating.
    """
    low, high = 0, max(ratings) + 100
    while high - low > 1:
        middle = (low + high) // 2
        expected = 1 + sum(num / (1 + 10 ** ((middle - each) / 400)) for each, num in ratings.items())
        low, high = (low, middle) if expected < rank else (middle, high)
    return low


def read_users() -> dict[int, int]:
    """How many users of Codeforces had which rating in 2024. The file names its source."""
    text = files(__package__).joinpath("codeforces_ratings.csv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {int(row["rating"]): int(row["users"]) for row in csv.DictReader(lines)}


def percentile(rating: float, users: Mapping[int, int]) -> float:
    """Percent of the users whose rating is below this one."""
    return 100 * sum(num for each, num in users.items() if each < rating) / sum(users.values())
