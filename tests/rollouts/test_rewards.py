import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import TrainingError
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.segment import Phase, Segment
from elastic_reasoning.core.strategies import STRATEGIES, names_of
from elastic_reasoning.core.template import Prompt, Thinking
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.rollouts.config import Constants, RewardConfig
from elastic_reasoning.rollouts.rewards import REWARDS, check_rewards, find_reward
from letters import answer, letters, pieces_template

RIGHT, WRONG = Grade(correct=True, answer="5"), Grade(correct=False, answer=None, reason="no answer")
CONSTANTS = Constants(alpha=0.01, delta=0.5, overlong_tokens=20, overlong_buffer=8)
GRADES = st.sampled_from([RIGHT, WRONG])
LENGTHS = st.integers(0, 300)


def of_length(num_sampled: int, strategy: str = "elastic", asked: str = "60+40", num_forced: int = 0) -> Trace:
    """A rollout of so many sampled and forced tokens."""
    request = Request(Prompt((), Thinking.OPEN), Budget.parse(asked), strategy)
    forced = Segment(Phase.CLOSING, (3,) * num_forced, sampled=False)
    return Trace(request, (Segment(Phase.THINKING, (4,) * num_sampled, sampled=True), forced), letters())


def reward(name: str, trace: Trace, grade: Grade = RIGHT, constants: Constants = CONSTANTS) -> float:
    return REWARDS[name](trace, grade, constants)


def test_an_answer_that_was_cut_is_not_finished() -> None:
    template = letters()
    ended, cut = answer(template, "abCxy$", "4+4"), answer(template, "abCxyxy", "4+4")
    assert [trace.cut for trace in (ended, cut)] == [False, True]
    assert [reward("finished", trace) for trace in (ended, cut)] == [1.0, 0.0]
    assert [reward("finished", trace, WRONG) for trace in (ended, cut)] == [0.0, 0.0]
    assert [reward("correct", trace) for trace in (ended, cut)] == [1.0, 1.0]


def test_a_right_answer_behind_thinking_that_was_closed_again_earns_nothing() -> None:
    once, twice = answer(letters(), "abCxy$", "4+6"), answer(letters(), "abCxCy$", "4+6")
    assert [reward("closed_once", trace) for trace in (once, twice)] == [1.0, 0.0]
    assert reward("closed_once", once, WRONG) == 0.0


def test_correct_is_the_grade() -> None:
    assert reward("correct", of_length(5), RIGHT) == 1.0
    assert reward("correct", of_length(5), WRONG) == 0.0


@pytest.mark.parametrize(
    ("name", "grade", "num_sampled", "wanted"),
    [  # n = 100, alpha = 0.01, delta = 0.5
        ("l1_exact", RIGHT, 100, 1.0),
        ("l1_exact", RIGHT, 70, 0.7),
        ("l1_exact", RIGHT, 130, 0.7),
        ("l1_exact", RIGHT, 200, 0.0),
        ("l1_exact", RIGHT, 250, -0.5),
        ("l1_exact", WRONG, 100, 0.0),
        ("l1_exact", WRONG, 90, -0.1),
        ("l1_max", RIGHT, 100, 0.5),
        ("l1_max", RIGHT, 80, 0.7),
        ("l1_max", RIGHT, 50, 1.0),
        ("l1_max", RIGHT, 10, 1.0),
        ("l1_max", RIGHT, 120, 0.3),
        ("l1_max", RIGHT, 150, 0.0),
        ("l1_max", RIGHT, 180, 0.0),
        ("l1_max", WRONG, 50, 0.0),
        ("l1_max", WRONG, 180, 0.0),
    ],
)
def test_l1_computed_by_hand(name: str, grade: Grade, num_sampled: int, wanted: float) -> None:
    trace = of_length(num_sampled, name.replace("_", "-"))
    assert reward(name, trace, grade) == pytest.approx(wanted, abs=1e-12)


def test_l1_as_published() -> None:
    """alpha = 0.0003, delta = 0.5; 1,024 tokens asked for."""
    right = {n: of_length(n, "l1-exact", "1000+24") for n in (1024, 2048)}
    assert reward("l1_exact", right[1024], constants=Constants()) == 1.0
    assert reward("l1_exact", right[2048], constants=Constants()) == pytest.approx(1 - 0.3072)
    long = of_length(2048, "l1-max", "1000+24")
    assert reward("l1_max", long, constants=Constants()) == pytest.approx(0.1928)


def test_l1_counts_thinking_delimiter_and_solution() -> None:
    trace = answer(letters(), "abCxy$", "4+2", "l1-exact")
    assert trace.num_sampled_tokens == 6
    assert reward("l1_exact", trace) == 1.0
    assert reward("l1_exact", replace(trace, request=replace(trace.request, budget=Budget(2, 2)))) == 0.98


@pytest.mark.parametrize("name", ["l1_exact", "l1_max"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_l1_is_earned_by_its_own_strategy_alone(name: str, strategy: str) -> None:
    own = strategy == name.replace("_", "-")
    assert (reward(name, of_length(100, strategy)) != 0) == own
    assert reward(name, of_length(90, "unconstrained", "inf+inf")) == 0


@pytest.mark.parametrize(
    ("num_sampled", "wanted"),
    [(0, 0), (11, 0), (12, 0), (13, -0.125), (16, -0.5), (19, -0.875), (20, -1), (21, -1), (500, -1)],
)
def test_overlong_computed_by_hand(num_sampled: int, wanted: float) -> None:
    """L = 20, b = 8."""
    assert reward("overlong", of_length(num_sampled), WRONG) == wanted
    assert reward("overlong", of_length(num_sampled), RIGHT) == wanted


def test_overlong_without_a_buffer_is_a_wall() -> None:
    wall = replace(CONSTANTS, overlong_buffer=0)
    assert [reward("overlong", of_length(n), constants=wall) for n in (19, 20, 21)] == [0, 0, -1]


@given(LENGTHS, LENGTHS, GRADES, st.integers(0, 5))
def test_bounds_and_monotony(one: int, other: int, grade: Grade, num_forced: int) -> None:
    short, long = sorted((one, other))

    def pair(name: str, strategy: str) -> tuple[float, float]:
        values = [reward(name, of_length(n, strategy, num_forced=num_forced), grade) for n in (short, long)]
        assert values == [reward(name, of_length(n, strategy), grade) for n in (short, long)], "forced tokens count"
        return values[0], values[1]

    at_short, at_long = pair("l1_max", "l1-max")
    assert 0 <= at_long <= at_short <= grade.correct
    at_short, at_long = pair("overlong", "elastic")
    assert -1 <= at_long <= at_short <= 0
    assert at_short - at_long <= (long - short) / CONSTANTS.overlong_buffer + 1e-12
    at_short, at_long = pair("l1_exact", "l1-exact")
    nearer, farther = sorted((at_short, at_long), reverse=True)
    assert farther <= nearer <= grade.correct
    assert (at_short >= at_long) == (abs(100 - short) <= abs(100 - long))


@pytest.mark.parametrize(
    ("says", "strategy", "thinking", "wanted"),
    [
        ("abCxy$", "elastic", Thinking.OPEN, 1),
        ("abcdefab", "elastic", Thinking.OPEN, 1),  # the delimiter is forced
        ("abCxyabcd", "elastic", Thinking.OPEN, 1),  # a solution that was cut
        ("abCxy$", "elastic", Thinking.ABSENT, 1),  # the opening is forced
        ("xy$", "elastic", Thinking.CLOSED, 1),
        ("xy$", "nothinking", Thinking.OPEN, 1),
        ("ab$xy$", "elastic", Thinking.OPEN, 1),
        ("abC$", "elastic", Thinking.OPEN, 0),  # no solution
        ("abC\n$", "elastic", Thinking.OPEN, 0),
        ("abCxOy$", "elastic", Thinking.OPEN, 0),  # an escape
        ("abCxCy$", "elastic", Thinking.OPEN, 0),
        ("aObCxy$", "elastic", Thinking.OPEN, 0),
        ("xCy$", "elastic", Thinking.CLOSED, 0),
        ("abCxy$", "vanilla", Thinking.OPEN, 1),
        ("OabCxy$", "vanilla", Thinking.ABSENT, 1),
        ("OabCxy$", "unconstrained", Thinking.ABSENT, 1),
        ("OabCxy$", "l1-max", Thinking.ABSENT, 1),
        ("abCxy$", "vanilla", Thinking.ABSENT, 0),  # never opened
        ("abcdefabcdef", "vanilla", Thinking.OPEN, 0),  # never closed
        ("ab$", "unconstrained", Thinking.OPEN, 0),
        ("xCyOab$", "unconstrained", Thinking.ABSENT, 0),  # in the wrong order
        ("xOabC$", "unconstrained", Thinking.ABSENT, 0),  # what stands before thinking is no solution
    ],
)
def test_format_computed_by_hand(says: str, strategy: str, thinking: Thinking, wanted: float) -> None:
    trace = answer(letters(), says, "4+4", strategy, thinking=thinking)
    assert reward("format", trace, WRONG) == reward("format", trace, RIGHT) == wanted


def test_format_with_delimiters_of_several_tokens() -> None:
    template = pieces_template(["$", *"<>/tabxy"], "<t>", "</t>")
    assert reward("format", answer(template, "ab</t>xy$", "8+4")) == 1
    half = answer(template, "ab</", "4+2")  # half a delimiter is sampled, the other half forced
    assert [segment.sampled for segment in half.segments if segment.phase is Phase.CLOSING] == [True, False]
    assert reward("format", half) == 0
    assert reward("format", answer(template, "ab</xy", "4+2")) == 1


@given(
    says=st.text("OCab\n$", max_size=14),
    strategy=st.sampled_from(sorted(names_of(lambda strategy: not strategy.siblings))),
    thinking=st.sampled_from(list(Thinking)),
    budget=st.sampled_from(["0+4", "3+3", "8+8"]),
)
def test_format_is_what_a_pattern_finds_in_the_text(says: str, strategy: str, thinking: Thinking, budget: str) -> None:
    trace = answer(letters(), says, budget, strategy, thinking=thinking, context=40)
    in_prompt = {Thinking.ABSENT: "", Thinking.OPEN: "O", Thinking.CLOSED: "OC"}[thinking]
    text = in_prompt + trace.template.decode(trace.ids).removesuffix("$")
    found = re.fullmatch(r"[^OC]*O[^OC]*C\s*[^\sOC][^OC]*", text)
    assert reward("format", trace) == (found is not None)


def check(
    weights: dict[str, float], constants: Constants | None = None, strategies: Sequence[str] = ("elastic",)
) -> None:
    check_rewards(RewardConfig(weights, constants or Constants()), strategies)


@pytest.mark.parametrize(
    ("rewards", "changes"),
    [
        ({"correct": 1.0}, {}),
        ({"correct": 1.0, "format": 0.1, "overlong": 0.5}, {"strategies": ("unconstrained",)}),
        ({"l1_exact": 1.0, "l1_max": 1.0}, {"strategies": ("l1-exact", "l1-max")}),
        ({"correct": 1.0, "format": 0.0}, {}),
        ({"correct": -1.0}, {}),
    ],
)
def test_what_is_allowed(rewards: dict[str, float], changes: dict[str, Any]) -> None:
    check(rewards, **changes)


@pytest.mark.parametrize(
    ("rewards", "changes", "message"),
    [
        ({}, {}, "rewards {}: give at least one of correct, finished"),
        ({"correct": 0.0}, {}, "rewards {'correct': 0.0}: give at least one of"),
        ({"corect": 1.0}, {}, "unknown reward 'corect': did you mean 'correct'?"),
        ({"correct": math.nan}, {}, "weight nan of reward correct: must be a finite number"),
        ({"correct": math.inf}, {}, "weight inf of reward correct"),
        (
            {"correct": 1.0, "l1_exact": 1.0},
            {"strategies": ("elastic", "l1-max")},
            "reward l1_exact: earned by strategy l1-exact alone, and the run has elastic, l1-max; add l1-exact",
        ),
        ({"l1_max": 1.0}, {}, "reward l1_max: earned by strategy l1-max alone"),
        ({"correct": 1.0}, {"constants": Constants(alpha=math.nan)}, "constants.alpha nan: must be a finite number"),
        ({"correct": 1.0}, {"constants": Constants(delta=-math.inf)}, "constants.delta -inf"),
        ({"overlong": 1.0}, {"constants": Constants(overlong_tokens=8, overlong_buffer=9)}, "overlong_buffer 9: must"),
        ({"overlong": 1.0}, {"constants": Constants(overlong_buffer=-1)}, "overlong_buffer -1: must be from 0 to"),
    ],
)
def test_what_is_refused(rewards: dict[str, float], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError, match=re.escape(message)):
        check(rewards, **changes)


def test_a_reward_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my.py").write_text("def concise(trace, grade, constants):\n    return -len(trace.ids) / 100\nnone = 1\n")
    assert find_reward("my.py:concise")(of_length(20, num_forced=5), RIGHT, CONSTANTS) == -0.25
    check_rewards(RewardConfig({"correct": 1.0, "my.py:concise": 0.5}), ["elastic"])
    for name, message in (
        ("my.py:none", "reward my.py:none: must be a function of"),
        ("my.py:concize", "my.py: unknown name 'concize': did you mean 'concise'"),
        ("mine.py:concise", "cannot read mine.py: No such file"),
    ):
        with pytest.raises(TrainingError, match=message):
            check_rewards(RewardConfig({name: 1.0}), ["elastic"])
