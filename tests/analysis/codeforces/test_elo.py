import json
import random
from dataclasses import replace
from math import log10, sqrt
from pathlib import Path
from statistics import mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contest_tables import contest_table, write_contest
from elastic_reasoning.analysis.codeforces.contests import Contest, read_contests
from elastic_reasoning.analysis.codeforces.elo import percentile, rate, rate_contest, rating_at, read_users
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.records.record import Record
from make_records import make_records
from shared_data import BENCHMARKS, needs_data

FIRST = make_records(1, 1, budgets=["8+20"], models=["mini"], strategies=["elastic"])[0]


def contest(number: int, points: list[int | None], rows: list[tuple[float, float]], ratings: list[int]) -> Contest:
    """What is read from a file with that table."""
    table = contest_table(number, points, rows, ratings)
    problems = {f"{number}{each['index']}": each.get("points") for each in table["standings"]["problems"]}
    counts = {rating: ratings.count(rating) for rating in set(ratings)}
    return Contest(number, problems, sorted((-score, penalty) for score, penalty in rows), counts)


def tried(**problems: str) -> list[Record]:
    """A sample for each letter of each problem: r right, w wrong, e error. A code as _1A stands for the id cf-1A."""
    made = {"r": {"correct": True}, "w": {"correct": False}, "e": {"error": "no room", "correct": None}}
    return [
        replace(FIRST, problem=f"cf-{code[1:]}", sample=sample, **made[letter])
        for code, word in problems.items()
        for sample, letter in enumerate(word)
    ]


SMALL = contest(
    1, [500, 1000, 2000], [(1500, 0), (1450, 0), (1000, 0), (500, 0), (450, 0)], [2000, 1800, 1500, 1200, 900]
)
ICPC = contest(2, [None] * 3, [(3, 90), (2, 20), (2, 21), (1, 0), (0, 0)], [2000, 1800, 1500, 1200, 900])
EVEN = [3500] + [1500] * 300
"""With one who beats all, the expected rank is 2 + 300 / (1 + 10^((r - 1500) / 400)), which can be solved by hand."""
ROWS = [(1500.0, 0.0)] * 31 + [(500.0, 0.0)] * 170 + [(0.0, 0.0)] * 100
LARGE = {number: contest(number, [500, 1000], ROWS, EVEN) for number in (1, 2, 3)}


def rating_by_hand(rank: int) -> float:
    return 1500 + 400 * log10(300 / (rank - 2) - 1)


@pytest.mark.parametrize(
    ("attempts", "rank"),
    [
        ({"1A": "r", "1B": "r"}, 1),  # 1500 points, as the best
        ({"1A": "wr", "1B": "r"}, 2),  # 450 + 1000, as the second
        ({"1A": "wwwr", "1B": "r"}, 2),  # 1350
        ({"1B": "wwr"}, 3),  # 900
        ({"1A": "w", "1B": "r"}, 3),  # 1000, as the third
        ({"1A": "wr"}, 5),
        ({"1A": "wwwwwwwwwwwr"}, 5),  # never less than nothing
        ({}, 5),
        ({"1A": "r", "1B": "r", "1C": "r"}, 0),
    ],
)
def test_wrong_attempts_cost_points(attempts: dict[str, str], rank: int) -> None:
    found = rate_contest(SMALL, {code: [letter == "r" for letter in word] for code, word in attempts.items()})
    assert found.rank == rank
    assert found.num_solved == sum("r" in word for word in attempts.values())
    assert (found.num_asked, found.num_problems, found.num_participants) == (len(attempts), 3, 5)


@pytest.mark.parametrize(
    ("attempts", "rank"),
    [
        ({"2A": "r", "2B": "r"}, 1),  # 2 solved, no penalty: behind the best alone
        ({"2A": "wr", "2B": "wr"}, 2),  # a penalty of 20, as the second
        ({"2A": "wwr", "2B": "wr"}, 3),  # 30
        ({"2A": "wr"}, 4),
        ({"2A": "wwwwwwwwwwwr"}, 4),
        ({"2A": "ww"}, 5),
    ],
)
def test_by_the_icpcs_rules_wrong_attempts_are_penalty(attempts: dict[str, str], rank: int) -> None:
    assert rate_contest(ICPC, {c: [letter == "r" for letter in word] for c, word in attempts.items()}).rank == rank


@pytest.mark.parametrize("rank", [3, 31, 100, 200, 285, 301])
def test_a_rating_is_where_the_expected_rank_is_the_rank(rank: int) -> None:
    assert rating_at(rank, {3500: 1, 1500: 300}) == pytest.approx(rating_by_hand(rank), abs=2)


def test_ratings_are_bounded() -> None:
    assert rating_at(0, {1500: 300}) == rating_at(1, {1500: 300}) == 1599
    assert rating_at(301, {1500: 300}) == 0


def test_the_bisection_finds_what_a_search_through_all_ratings_finds() -> None:
    rng = random.Random(0)
    people = [round(rng.gauss(1400, 400)) for _ in range(250)]
    counts = {rating: people.count(rating) for rating in set(people)}
    expected = [
        1 + sum(1 / (1 + 10 ** ((rating - each) / 400)) for each in people) for rating in range(max(people) + 100)
    ]
    for rank in (0, 1, 3, 40, 125, 249, 250):
        assert rating_at(rank, counts) == max((r for r, each in enumerate(expected) if each >= rank), default=0)


@given(st.lists(st.sampled_from(["", "r", "wr", "wwr", "www"]), min_size=3, max_size=3), st.integers(0, 2), st.data())
def test_solving_more_never_lowers_the_rating(words: list[str], extra: int, data: st.DataObject) -> None:
    table = data.draw(st.sampled_from([SMALL, ICPC]))
    codes = list(table.problems)
    before = {code: [letter == "r" for letter in word] for code, word in zip(codes, words, strict=True)}
    after = before | {codes[extra]: before[codes[extra]] + [True]}
    assert rate_contest(table, after).rating >= rate_contest(table, before).rating
    sooner = before | {code: tries[1:] for code, tries in before.items() if len(tries) > 1}
    assert rate_contest(table, sooner).rating >= rate_contest(table, before).rating


def test_the_rating_is_the_mean_over_contests_with_its_standard_error() -> None:
    (rating,) = rate(tried(_1A="r", _1B="r", _2A="wr", _3A="ww"), LARGE)
    by_hand = [rating_by_hand(31), rating_by_hand(201), rating_by_hand(301)]
    assert [each.rank for each in rating.contests] == [31, 201, 301]
    assert [each.contest for each in rating.contests] == [1, 2, 3]
    assert rating.rating == pytest.approx(mean(by_hand), abs=1)
    assert rating.rating_se == pytest.approx(stdev(by_hand) / sqrt(3), abs=1)
    assert rating.num_attempts == 2
    assert (rating.contests_left_out, rating.problems_left_out) == ({}, {})
    assert rating.percentile == percentile(rating.rating, read_users())
    low, high = rating.percentile_interval or (0, 0)
    assert low < rating.percentile < high


def test_the_standard_error_is_that_of_a_bootstrap_over_contests() -> None:
    rng = random.Random(1)
    tables = {
        n: contest(n, [500, 1000], [(1500, 0)] * 30 + [(0, 0)] * 270, [rng.randrange(900, 2100)] * 300)
        for n in range(1, 41)
    }
    (rating,) = rate(tried(**{f"_{n}A": "r" for n in tables}, **{f"_{n}B": rng.choice("rw") for n in tables}), tables)
    ratings = [each.rating for each in rating.contests]
    means = [mean(rng.choices(ratings, k=40)) for _ in range(3000)]
    assert rating.rating_se == pytest.approx(stdev(means), rel=0.06)


def test_attempts_count_in_the_order_of_their_samples_up_to_a_number() -> None:
    records = tried(_1A="wwr", _1B="r")
    assert rate(records[::-1], LARGE)[0].contests == rate(records, LARGE)[0].contests
    (two,) = rate(records, LARGE, num_attempts=2)
    assert (two.contests[0].num_solved, two.num_attempts) == (1, 2)
    with pytest.raises(UsageError, match="attempts 0: must be 1 or more"):
        rate(records, LARGE, num_attempts=0)


def test_an_error_is_no_attempt() -> None:
    (rating,) = rate(tried(_1A="er", _1B="ee"), LARGE)
    assert rating.contests == rate(tried(_1A="r"), LARGE)[0].contests
    assert rating.num_errors == 3
    assert rating.problems_left_out == {"cf-1B": "every sample has an error"}


def test_what_is_left_out_is_named_with_the_reason() -> None:
    tables = {**LARGE, 4: SMALL}
    records = [*tried(_1A="r", _1Z="r", _4A="r", _9A="r", _9B1="w"), replace(FIRST, problem="humaneval-3")]
    (rating,) = rate(records, tables)
    assert [each.contest for each in rating.contests] == [1]
    assert rating.contests_left_out == {4: "5 rated participants, at least 201 are needed", 9: "no table"}
    assert rating.problems_left_out == {
        "cf-1Z": "not in the table of their contest",
        "cf-4A": "their contest is left out",
        "cf-9A": "their contest is left out",
        "cf-9B1": "their contest is left out",
        "humaneval-3": "no Codeforces code, as cf-1971A",
    }


def test_without_tables_there_is_no_rating() -> None:
    (rating,) = rate(tried(_1A="r", _2A="r"), {})
    assert (rating.rating, rating.rating_se, rating.percentile, rating.percentile_interval) == (None,) * 4
    assert (rating.contests, rating.num_attempts) == ((), 0)
    assert rating.contests_left_out == {1: "no table", 2: "no table"}
    assert rate([], LARGE) == []


def test_one_contest_has_no_standard_error() -> None:
    (rating,) = rate(tried(_1A="r"), LARGE)
    assert rating.rating is not None
    assert (rating.rating_se, rating.percentile_interval) == (None, None)


def test_each_setting_has_its_rating() -> None:
    better = [replace(record, budget="24+20") for record in tried(_1A="r", _1B="r")]
    found = rate([*better, *tried(_1A="r", _1B="w")], LARGE)
    assert [each.budget for each in found] == ["8+20", "24+20"]
    assert (found[0].rating or 0) < (found[1].rating or 0)


@pytest.mark.parametrize(
    ("rating", "published"),
    [(1604, 85.4), (1711, 90.6), (1771, 92.3), (1987, 96.0), (1945, 95.4), (1457, pytest.approx(78.1, abs=0.11))],
)
def test_percentiles_are_the_published_ones(rating: int, published: float) -> None:
    """Xu et al. 2025, arXiv 2505.05315: ratings and percentiles of E1-Code-14B and DeepCoder-14B."""
    assert round(percentile(rating, read_users()), 1) == published


def test_a_percentile_is_the_share_below() -> None:
    users = {1000: 1, 1200: 2, 1500: 1}
    assert [percentile(rating, users) for rating in (900, 1000, 1000.5, 1200, 1500, 1501)] == [0, 0, 25, 25, 75, 100]


@needs_data
def test_the_table_of_users_is_the_published_one() -> None:
    published = json.loads((BENCHMARKS / "codeforces_ratings_2024.json").read_text())
    assert read_users() == {int(rating): users for rating, users in published.items()}


@needs_data
def test_every_published_problem_has_a_code() -> None:
    codes = json.loads((BENCHMARKS / "codeforces_metadata_cf.json").read_text())
    (rating,) = rate(tried(**{f"_{code}": "r" for code in codes}), {})
    assert len(rating.problems_left_out) == 408
    assert set(rating.problems_left_out.values()) == {"their contest is left out"}
    assert len(rating.contests_left_out) == 57


def test_a_contest_from_a_file_is_the_same(tmp_path: Path) -> None:
    write_contest(tmp_path, 1, [500, 1000], ROWS, EVEN)
    assert read_contests(tmp_path) == {1: LARGE[1]}
