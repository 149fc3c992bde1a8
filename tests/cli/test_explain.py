import json
from dataclasses import replace
from pathlib import Path

import pytest

from elastic_reasoning.cli.main import main
from make_records import rewrite

PAIRS = [
    ("5", r"\boxed{5}"),
    ("5", r"\boxed{\frac{10}{2}}"),
    ("5", r"\boxed{5\text{ cm}}"),
    ("5", r"\boxed{5\text{ cm}}"),
    (r"\sqrt{gl}", r"\boxed{\sqrt{g}\sqrt{l}}"),
    ("(1,2)", r"\boxed{(2,1)}"),
    ("1538", r"\boxed{1538.46}"),
    ("5", r"\boxed{m+n=5}"),
    ("5", r"\boxed{6}"),
    ("5", "I do not know"),
]


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    rows = [{"reference": reference, "solution": solution} for reference, solution in PAIRS]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_rules_are_counted_and_assumptions_listed(pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grade", str(pairs), "--explain", "--json", "--grading-workers", "1"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["num_solutions"], data["num_without_answer"]) == (10, 1)
    assert data["right_by_rule"] == {"unit left out": 2, "identical": 1, "same value": 1, "positive symbols": 1}
    assert data["wrong_by_reason"] == {"wrong answer": 4}
    assumed = {(case["rule"], case["answer"], case["num"]) for case in data["accepted_by_assumption"]}
    assert assumed == {("unit left out", r"5\text{ cm}", 2), ("positive symbols", r"\sqrt{g}\sqrt{l}", 1)}
    missed = {(case["rule"], case["answer"]) for case in data["rejected_but_equal"]}
    assert missed == {("order ignored", "(2,1)"), ("rounded reference", "1538.46"), ("left side left out", "m+n=5")}


def test_the_table_names_what_each_rule_decides(pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grade", str(pairs), "--explain", "--grading-workers", "1"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "10 solutions: 5 right, 3 of them by an assumption; 4 not right, 3 of them equal by an assumption" in out
    assert "accepted only by an assumption" in out
    assert "m+n=5" in out


def test_a_rule_of_the_run_is_in_force(pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["grade", str(pairs), "--explain", "--json", "--grading-workers", "1", "--round-to-reference", "true"]
    assert main(argv) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["right_by_rule"]["rounded reference"] == 1
    assert "rounded reference" in data["rules_in_force"]


def test_stored_records_of_a_task_are_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task, run = tmp_path / "own.jsonl", tmp_path / "run"
    task.write_text(json.dumps({"problem": "a 4 b -8 c +7 d *3 e +9 f -2 g *7 =", "answer": "1"}) + "\n")
    argv = ["eval", "--model", "mini", "--task", str(task), "--budget", "8+4", "--report", "false"]
    assert main([*argv, "--out", str(run)]) == 0
    rewrite(run, lambda record: replace(record, solution=r"\boxed{x=1}"))
    capsys.readouterr()
    assert main(["grade", str(run), "--explain", "--json", "--grading-workers", "1"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["right_by_rule"] == {"name left out": 1}
    assert data["accepted_by_assumption"][0]["references"] == ["1"]
    assert not run.with_name("run-graded").exists()


def test_what_has_no_rules_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["eval", "--model", "mini", "--limit", "1", "--budget", "8+4", "--report", "false"]
    assert main([*argv, "--out", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    assert main(["grade", str(tmp_path / "run"), "--explain"]) == 2
    assert "arithmetic is not graded as mathematics" in capsys.readouterr().err
    empty = tmp_path / "pairs.jsonl"
    empty.write_text('{"solution": "5"}\n')
    assert main(["grade", str(empty), "--explain"]) == 2
    assert "no field 'reference'" in capsys.readouterr().err
