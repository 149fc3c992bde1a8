import json
from contextlib import closing
from pathlib import Path

import pytest

from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.tasks.config import TaskConfig
from elastic_reasoning.tasks.fingerprint import fingerprint
from elastic_reasoning.tasks.fixes import Fixes, read_fixes
from elastic_reasoning.tasks.loading import all_tasks, load_task
from shared_data import BENCHMARKS, needs_data, rows


def test_the_list_is_well_formed() -> None:
    fixes = read_fixes()
    assert len({(fix.task, fix.problem, fix.field) for fix in fixes}) == len(fixes)
    for fix in fixes:
        assert fix.task in all_tasks()
        assert fix.field in ("answer", "test")
        assert len(fix.problem) == 16
        assert fix.published
        assert fix.mended
        assert all((fix.begins, fix.reason, fix.source))


def test_a_fix_is_applied_where_the_published_value_stands_and_only_there() -> None:
    fix = next(
        fix for fix in read_fixes() if fix.field == "answer" and len(fix.published) == 1 and len(fix.mended) == 1
    )
    fixes = Fixes(fix.task)
    fixes._fixes = {(fingerprint("Some problem."), "answer"): fix}
    assert fixes.answers("a", "some problem", fix.published) == fix.mended
    assert fixes.answers("b", "some problem", (f" ${fix.published[0]}$ ",)) == fix.mended
    assert fixes.answers("c", "some problem", fix.mended) == fix.mended
    assert fixes.answers("d", "some problem", ("something else",)) == ("something else",)
    assert fixes.answers("d", "some problem", (*fix.published, "something else")) == (*fix.published, "something else")
    assert fixes.answers("e", "another problem", fix.published) == fix.published
    assert fixes.test("f", "some problem", fix.published[0]) == fix.published[0]
    assert list(fixes.applied) == ["a", "b"]


@needs_data
def test_minerva_is_mended_whichever_published_answers_are_loaded(tmp_path: Path) -> None:
    published = rows(BENCHMARKS / "minerva.jsonl")
    path = tmp_path / "as_published.jsonl"
    path.write_text("".join(json.dumps(row | {"answer": row["rllm_answers"]}) + "\n" for row in published))
    boxes = load_task(TaskConfig("minerva", data=str(BENCHMARKS / "minerva.jsonl")), GradingConfig(grading_workers=2))
    extracted = load_task(TaskConfig("minerva", data=str(path)), GradingConfig(grading_workers=2))
    with closing(boxes), closing(extracted):
        assert len(boxes.fixes) == 8
        assert len(extracted.fixes) == 36
        differ = {row["id"] for row in published if row["rllm_disagrees"]}
        pairs = zip(boxes.problems("test"), extracted.problems("test"), strict=True)
        disagree = [
            one.id
            for one, two in pairs
            if one.id in differ and not any(boxes.grade(one, each).correct for each in two.data["references"])
        ]
    # One sets an arcsecond's sign, and in two the variables of one term stand closer than the grader can read.
    assert set(disagree) <= {"minerva-14", "minerva-85", "minerva-108"}


@needs_data
@pytest.mark.parametrize("wrong", [True, False])
def test_the_swapped_arguments_of_humaneval_plus(wrong: bool, tmp_path: Path) -> None:
    row = next(row for row in rows(BENCHMARKS / "humanevalplus.jsonl.gz") if row["id"] == "HumanEval/32")
    right = row["test"]
    if wrong:
        row["test"] = right.replace("abs(_poly(*inp, candidate(*inp)))", "_poly(*candidate(*inp), inp)")
        assert row["test"] != right
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(row) + "\n")
    grading = GradingConfig(allow_code_execution=True)
    with closing(load_task(TaskConfig("humaneval_plus", data=str(path)), grading)) as task:
        (problem,) = task.problems("test")
        assert list(task.fixes) == (["HumanEval/32"] if wrong else [])
        assert problem.data["tests"].check == right
        assert task.grade(problem, problem.data["references"][0]).correct
