import json
from contextlib import closing
from pathlib import Path

import pytest

from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.fixes import read_fixes
from elastic_reasoning.tasks.loading import load_task
from elastic_reasoning.tasks.references import doubt
from elastic_reasoning.tasks.validation import validate
from shared_data import BENCHMARKS, needs_data, rows


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("$t(0,4]$", "a name stands before an interval"),
        (r"x[1,\infty)", "a name stands before an interval"),
        ("(0,4", "brackets do not match"),
        (r"\frac{1}{2", "brackets do not match"),
        (r"\{1,2)", "brackets do not match"),
        (r"\left(1,2\right\}", "brackets do not match"),
        ("3)", "brackets do not match"),
        ("$221,$8$", "a dollar sign is missing"),
        (r"x^2+\sqrt{2}$", "a dollar sign is missing"),
        ("3+", "something is missing"),
        ("x=", "something is missing"),
        ("1,,2", "something is missing"),
        (r"\frac{1}", "something is missing"),
        (r"2\times", "something is missing"),
        ("nan", "no answer"),
        ("None", "no answer"),
        ("?", "no answer"),
        ("$$", "no answer"),
    ],
)
def test_what_no_right_answer_may_pass(reference: str, reason: str) -> None:
    assert reason in (doubt("math500", "Find it.", reference) or "")


@pytest.mark.parametrize(
    "reference",
    [
        *(
            "(0,4]",
            "[0,4)",
            r"x \in (0,4]",
            r"t\in(0,4]",
            "f(1,2)",
            "f(x)=2x",
            r"\$18.90",
            "$18",
            "$5$",
            r"$5$, $6$",
            "-3",
        ),
        *("x", "5!", r"\left[0,4\right)", r"\{1,2\}", r"\text{no}", r"\frac12", r"\frac{1}2", r"\frac{1}{2}", "12:00"),
        *(r"\begin{pmatrix}1\\2\end{pmatrix}", r"\lfloor x \rfloor", r"(-\infty,2)\cup(2,\infty)", r"1,2,\ldots,n"),
        *("none of them", r"\langle 1,2\rangle"),
    ],
)
def test_what_is_well_formed(reference: str) -> None:
    assert doubt("math500", "Find it.", reference) is None


def test_a_comma_where_one_expression_is_asked_for() -> None:
    asked = "Determine $y$, as a function of $x$."
    assert "a comma may stand for a product" in (doubt("olympiadbench", asked, r"$\frac{1}{2},\sqrt{x}$") or "")
    assert doubt("olympiadbench", "Find all $y$.", r"$\frac{1}{2},\sqrt{x}$") is None
    assert doubt("olympiadbench", asked, r"$\sqrt{x},-\sqrt{x}$") is None
    assert doubt("olympiadbench", "Write it in terms of $x$.", r"\max(1,x)") is None


@pytest.mark.parametrize(
    ("reference", "is_one"), [("025", True), ("0", True), ("1000", False), ("-1", False), ("1/2", False)]
)
def test_answers_of_aime(reference: str, is_one: bool) -> None:
    assert (doubt("aime24", "How many?", reference) is None) == is_one
    assert doubt("amc", "How many?", reference) is None


@needs_data
def test_the_benchmarks_are_doubted_where_they_are_wrong_and_mended(tmp_path: Path) -> None:
    with closing(load_task(TaskConfig("olympiadbench", data=str(BENCHMARKS / "olympiadbench.jsonl")))) as task:
        assert set(task.fixes) == {"olympiadbench-2045", "olympiadbench-2498"}
        problems = {problem.id: problem for problem in task.problems("test")}
        assert task.grade(problems["olympiadbench-2045"], r"\boxed{t \in (0, 4]}").correct
        assert task.grade(problems["olympiadbench-2498"], r"\boxed{\frac{\sqrt{x}}{2}}").correct
    doubted = {
        (path.stem, row["id"])
        for path in BENCHMARKS.glob("*.jsonl")
        if path.stem in ("aime2024", "aime2025", "amc", "amc23", "math500", "minerva", "olympiadbench")
        for row in rows(path)
        for answer in row["answers"]
        if doubt("aime" if "aime" in path.stem else path.stem, row["problem"], answer)
    }
    known = {"olympiadbench-2045", "olympiadbench-2498", "olympiadbench-2349"}
    assert doubted == {("olympiadbench", name) for name in known}


@needs_data
@pytest.mark.parametrize("with_link", [True, False])
def test_a_published_aime_answer_is_mended(with_link: bool, tmp_path: Path) -> None:
    row = next(row for row in rows(BENCHMARKS / "aime2024.jsonl") if row["answer"] == "385")
    if not with_link:  # as most copies have it
        row["problem"] = row["problem"].partition("\nGraph")[0]
    path = tmp_path / "aime.jsonl"
    path.write_text(json.dumps(row | {"answer": "384", "answers": ["384"]}) + "\n")
    with closing(load_task(TaskConfig("aime24", data=str(path)))) as task:
        (problem,) = task.problems("test")
        assert list(task.fixes) == [problem.id]
        assert [task.grade(problem, rf"\boxed{{{n}}}").correct for n in (384, 385)] == [False, True]


def test_doubts_of_a_task_of_ones_own_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    asked = ({"answer": "t(0,4]"}, {"answer": "(0,4]"}, {"answer": "a)", "grader": "text"})
    path.write_text("".join(json.dumps({"id": f"p{n}", "problem": "?", **row}) + "\n" for n, row in enumerate(asked)))
    with closing(load_task(TaskConfig(str(path)))) as task:
        found = validate(task, num_mismatches=0)
    assert [(each.problem, each.reference) for each in found.doubts] == [("p0", "t(0,4]")]
    assert found.failures == ()


def test_every_mended_answer_is_well_formed() -> None:
    for fix in read_fixes():
        if fix.field == "answer":
            assert [doubt(fix.task, "", answer) for answer in fix.mended] == [None] * len(fix.mended)
