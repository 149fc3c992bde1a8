"""Rows, changes and sides of thoughts, by hand and from the shipped models."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from math import sqrt
from statistics import fmean, stdev

import pytest

from elastic_reasoning.analysis.reasoning import (
    changes,
    reasoning_rows,
    side_by_side,
)
from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.core.request import Sampling
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.engines.engine import generate, new_request
from elastic_reasoning.engines.loading import load
from elastic_reasoning.records.measures import MEASURES, STEPS, WORDING, thought_of
from elastic_reasoning.records.record import Part, Record
from elastic_reasoning.tasks.arithmetic import Arithmetic
from make_records import make_records

A, B = ("base", "elastic", "9+9"), ("best", "elastic", "9+9")


def measure(record: Record) -> dict[str, float | None]:
    return {name: thought_of(record).measures.get(name) for name in MEASURES}


def record(
    thinking: str | Sequence[tuple[str, bool]],
    setting: tuple[str, str, str] = A,
    problem: str = "arithmetic-0",
    **more: object,
) -> Record:
    """A record with this thinking, of which parts may be forced; a word is a token."""
    texts = [(thinking, True)] if isinstance(thinking, str) else thinking
    words = {word: n for n, word in enumerate(sorted({w for text, _ in texts for w in text.split()}))}
    parts = [
        Part(phase="thinking", ids=[words[w] for w in text.split()], sampled=sampled, finish=None, text=text)
        for text, sampled in texts
    ]
    closing = [Part(phase="closing", ids=[99], sampled=False, finish=None, text="</think>")]
    solution = [Part(phase="solution", ids=[7], sampled=True, finish="eos", text="answer 3")]
    num = sum(len(part["ids"]) for part in parts if part["sampled"])
    template = make_records(num_problems=1)[0]
    model, strategy, budget = setting
    return replace(
        template,
        model=model,
        strategy=strategy,
        budget=budget,
        problem=problem,
        num_thinking_tokens=num,
        segments=[*parts, *closing, *solution],
        **more,  # type: ignore[arg-type]
    )


def test_the_steps_of_the_miniature_are_measured() -> None:
    values = measure(record("hmm b 4 -8 = 6 wait check 4 -8 = 6 ok c 6 +7 = 3 d *3 8 so 8 again a 4"))
    steps = {name: values[name] for name in STEPS}
    assert steps == pytest.approx(
        {
            "short_steps": 1 / 3,
            "full_steps": 1 / 3,
            "verified_steps": 1 / 3,
            "checks_per_step": 1 / 3,
            "restated": 0,
            "passes": 1,
            "wrong_steps": 1 / 3,
            "unread_words": 0,
        }
    )
    assert values["thinking_tokens"] == 26
    assert values["reflections"] == pytest.approx(1000 * 2 / 26)


def test_steps_of_which_nothing_is_known_are_not_right() -> None:
    assert measure(record("c +7 3 d *3 8"))["wrong_steps"] == 1
    assert measure(record("c +7 3"))["wrong_steps"] is None


def test_of_other_tasks_only_the_wording_is_measured() -> None:
    values = measure(record("Wait. b 4 -8 = 6", problem="aime24-3"))
    assert {name for name, value in values.items() if value is not None} == set(WORDING)


def test_what_is_forced_is_read_as_a_pass_and_is_no_reflection_of_the_model() -> None:
    forced = record([("a 4 b -8 = 6 so 6", True), ("Wait", False), ("a 4 b -8 = 6 so 6", True)])
    values = measure(forced)
    assert forced.text_of(Phase.THINKING) == "a 4 b -8 = 6 so 6 Wait a 4 b -8 = 6 so 6"
    assert (values["thinking_tokens"], values["reflections"], values["passes"]) == (16, 0, 1)


def test_no_thinking_says_nothing() -> None:
    [row] = reasoning_rows([record("")])
    assert row.thinking_tokens == 0
    assert all(getattr(row, name) is None for name in list(MEASURES)[1:])
    assert row.length_by_tenth == (None,) * 10


def test_rows_have_means_and_standard_errors_over_problems() -> None:
    thoughts = ["a 4 b -8 = 6", "hmm b 4 -8 = 6", "hmm b 4 -8 = 6 c +7 3", "hmm"]
    records = [record(text, problem=f"arithmetic-{n}") for n, text in enumerate(thoughts)]
    [row] = reasoning_rows([*records, record("so 3", error="no room")])
    assert (row.num_problems, row.num_samples) == (4, 4)
    lengths = [len(text.split()) for text in thoughts]
    assert row.thinking_tokens == fmean(lengths)
    assert row.thinking_tokens_se == pytest.approx(stdev(lengths) / 2)
    assert row.short_steps == pytest.approx(fmean([1, 0, 0.5]))  # the last one has no step
    assert row.short_steps_se == pytest.approx(stdev([1, 0, 0.5]) / sqrt(3))
    assert json.loads(json.dumps(asdict(row)))["short_steps"] == row.short_steps
    for name in MEASURES:
        assert hasattr(row, name)
        assert hasattr(row, f"{name}_se")


def test_samples_of_a_problem_are_a_cluster() -> None:
    twice = [record("hmm", problem=f"arithmetic-{n}", sample=k) for n in range(3) for k in range(2)]
    longer = [record("hmm so 3", problem=f"arithmetic-{n}", sample=k) for n in range(3, 6) for k in range(2)]
    once = [each for each in (*twice, *longer) if each.sample == 0]
    assert reasoning_rows([*twice, *longer])[0].thinking_tokens_se == reasoning_rows(once)[0].thinking_tokens_se


def test_parts_are_measured_where_they_stand() -> None:
    [row] = reasoning_rows([record("a 4 b -8 = 6 c +7 3 so 3")])  # 2, 4, 3 and 2 of 11 words
    assert row.length_by_tenth == (2, 4, None, None, None, 3, None, None, 2, None)
    [row] = reasoning_rows([record("One two. Three four five six.\nSeven", problem="math-1")])
    assert row.length_by_tenth == (2, None, 4, None, None, None, None, None, 1, None)


def test_changes_are_paired_by_problem() -> None:
    before = [record("hmm b 4 -8 = 6", A, f"arithmetic-{n}") for n in range(4)]
    after = [record("a 4 b -8 = 6" if n % 2 else "b 4 -8 = 6 hmm hmm", B, f"arithmetic-{n}") for n in range(5)]
    found = {change.measure: change for change in changes([*before, *after], Setting.of(*A), Setting.of(*B))}
    assert found["thinking_tokens"].num_problems == 4
    assert found["thinking_tokens"].difference == fmean([1, 0, 1, 0])
    assert found["thinking_tokens"].se == pytest.approx(stdev([1, 0, 1, 0]) / 2)
    assert (found["short_steps"].a, found["short_steps"].b, found["short_steps"].difference) == (0, 0.5, 0.5)
    assert list(found) == [name for name in MEASURES if name in found]
    with pytest.raises(RecordsError, match=r"no problem has samples under both base/elastic/9.9 and best"):
        changes(before, Setting.of(*A), Setting.of(*B))


def test_sides_stand_in_the_order_that_was_asked_for() -> None:
    records = [record(f"so {n}", setting, sample=n) for setting in (A, B) for n in range(2)]
    sides = side_by_side(
        [*records, record("so 2", sample=2, error="no room")], "arithmetic-0", [Setting.of(*B), Setting.of(*A)]
    )
    assert [(side.model, side.sample, side.thinking) for side in sides] == [
        ("best", 0, "so 0"),
        ("best", 1, "so 1"),
        ("base", 0, "so 0"),
        ("base", 1, "so 1"),
    ]
    assert sides[0].solution == "answer 3"
    assert sides[0].measures == measure(records[2])
    with pytest.raises(RecordsError, match="problem 'arithmetic-9' has no sample"):
        side_by_side(records, "arithmetic-9", [Setting.of(*A)])


def test_what_training_changed_in_the_shipped_pair() -> None:
    task = Arithmetic()
    problems = {problem.id: problem for problem in task.problems("validation", 64)}
    records = []
    for model in ("mini", "mini-e1"):
        engine = load(model)
        requests = [
            new_request(engine, problem.messages, "inf+inf", "unconstrained", sampling=Sampling(seed=n), name=name)
            for n, (name, problem) in enumerate(problems.items())
        ]
        for trace in generate(engine, requests):
            grade = task.grade(problems[trace.request.name], trace.solution_text)
            records.append(Record.of(trace, model, trace.request.name, grade))
    settings = [Setting.of(model, "unconstrained", "inf+inf") for model in ("mini", "mini-e1")]
    found = {change.measure: change for change in changes(records, *settings)}
    assert found["thinking_tokens"].difference < -30
    assert found["short_steps"].a < 0.3 < 0.95 < found["short_steps"].b
    assert found["restated"].b < 0.05 < 0.3 < found["restated"].a
    assert found["verified_steps"].b < 0.02 < 0.1 < found["verified_steps"].a
    for row in reasoning_rows(records):
        assert row.unread_words is not None
        assert row.unread_words < 0.01
        assert row.wrong_steps is not None
        assert row.wrong_steps < 0.05
