import contextlib
import json
import os
import pty
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from elastic_reasoning.cli.main import main
from elastic_reasoning.training.checkpoints import checkpoints
from small_runs import arguments, small_run, steps_logged

RECIPES = Path(__file__).parents[2] / "recipes"
SOURCE = str(Path(__file__).parents[2] / "src")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": SOURCE, "PYTHONUNBUFFERED": "1"}


def refusal(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error of a command that is refused."""
    assert main(["train", *argv]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    return printed.err


def test_a_run_and_its_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["train", *arguments(small_run(tmp_path / "run", steps=2))]
    assert main(argv) == 0
    printed = capsys.readouterr()
    *steps, typical = printed.out.splitlines()[:3]
    answer = printed.out.splitlines()[3:]
    assert typical.startswith("a step took ")
    assert printed.err == ""
    for number, line in enumerate(steps, 1):
        assert line.startswith(f"step    {number}  reward ")
        for name in ("accuracy", "thinking_tokens", "solution_tokens", "forced_rate", "failed_rate", "cut_rate"):
            assert f"  {name} " in line
    assert answer[0].startswith("selected step 2 (validation accuracy ")
    assert answer[0].endswith(str(tmp_path / "run" / "model"))
    assert answer[1].startswith("try it: elastic generate ")
    assert main([*argv, "--json"]) == 0  # a finished run answers at once
    values = json.loads(capsys.readouterr().out)
    assert values.keys() == {"model", "step", "validation_accuracy", "resumed_from", "typical_step"}
    assert (values["step"], values["resumed_from"]) == (2, 2)


def test_json_has_one_line_for_each_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *arguments(small_run(tmp_path, steps=2)), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 2]
    assert "reward" in lines[0]
    assert lines[2]["model"] == str(tmp_path / "model")


def test_a_recipe_and_flags_over_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("temperature: -1\nbudgets: [8+4]\n")
    assert "temperature -1.0: must be a number above 0" in refusal(["--recipe", str(recipe)], capsys)
    assert "temperature -2.0" in refusal(["--recipe", str(recipe), "--temperature", "-2"], capsys)


def test_a_recipe_without_its_flag(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("temperature: -1\n")
    assert "temperature -1.0" in refusal([str(recipe)], capsys)
    assert "temperature -2.0" in refusal([str(recipe), "--temperature", "-2"], capsys)


def test_a_plan_without_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    recipe = str(RECIPES / "mini-e1.yaml")
    assert main(["train", "--dry-run", recipe, "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert "24+20" in printed.out
    assert printed.err == ""
    assert main(["train", recipe, "--dry-run", "--json", "--out", str(out)]) == 0
    assert isinstance(json.loads(capsys.readouterr().out), dict)
    assert not out.exists()


def test_only_the_main_process_speaks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(["train", "--dry-run", "--micro-batch-size", "128", "--out", str(tmp_path / "run")]) == 0
    assert capsys.readouterr().out == ""


def test_on_a_terminal_the_curves_are_shown(tmp_path: Path) -> None:
    config = small_run(tmp_path / "run", steps=2)
    command = [sys.executable, "-m", "elastic_reasoning.cli.main", "train", *arguments(config)]
    for resumed in (False, True):
        ours, theirs = pty.openpty()
        with subprocess.Popen(command, env=ENVIRONMENT | {"TERM": "xterm"}, stdout=theirs) as process:
            os.close(theirs)
            text = read_all(ours)
        assert process.returncode == 0
        assert ("step 1 of 2" in text) is not resumed  # a finished run shows its curves, and makes no steps
        assert "step 2 of 2" in text
        assert "thinking tokens" in text
        assert "step    1" not in text
        assert "selected step 2" in text


def read_all(terminal: int) -> str:
    """What is written to a terminal until its other side closes it."""
    parts = []
    with contextlib.suppress(OSError):  # so Linux says that the other side has gone
        while part := os.read(terminal, 65536):
            parts.append(part)
    os.close(terminal)
    return b"".join(parts).decode()


def test_a_misspelt_key_names_the_nearest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("learning_rat: 0.001\n")
    assert "did you mean 'learning_rate'?" in refusal(["--recipe", str(recipe)], capsys)
    assert "did you mean 'prompts_per_step'?" in refusal(["--prompt_per_step", "4"], capsys)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--budgets", "-1+20"], "-1"),
        (["--budgets", "2.5+20"], "2.5"),
        (["--strategies", "elastik"], "did you mean 'elastic'?"),
        (["--task", "arithmetik"], "did you mean 'arithmetic'?"),
        (["--model", "minni"], "did you mean 'mini'?"),
        (["--options.min_thinking", "4"], "give options.wait"),
        (["--top_p", "0.9"], "unknown option 'top_p'"),
        (["--samples_per_prompt", "1"], "must be 2 or more"),
        (["--rewards.corect", "1"], "did you mean 'correct'?"),
        (["--plan", "randon"], "did you mean 'random'?"),
        (["--budget", "8+20"], "did you mean 'budgets'?"),
        (["--num_problems", "0"], "num_problems 0: must be 1 or more"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], says: str) -> None:
    assert says in refusal(["--out", str(tmp_path / "run"), *flags], capsys)


def test_an_unwritable_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    assert "cannot write" in refusal(arguments(small_run(tmp_path / "file")), capsys)
    assert (tmp_path / "file").read_text() == "in the way"


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["train", "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert "elastic train --recipe mini-e1" in text
    assert "Thinking and solution tokens, as 24+20" in text


def test_an_interrupt_keeps_checkpoints_and_says_how_to_go_on(tmp_path: Path) -> None:
    config = small_run(tmp_path / "run", steps=200, save_every=2)
    command = [sys.executable, "-m", "elastic_reasoning.cli.main", "train", *arguments(config)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            if line.startswith("step    3"):
                process.send_signal(signal.SIGINT)
        errors = process.stderr.read()
    assert process.returncode == 130
    assert errors.strip().startswith(f"elastic: interrupted: checkpoints are kept in {config.out}; to go on: elastic ")
    assert errors.strip().endswith(shlex.join(["elastic", "train", *arguments(config)]))
    assert errors.count("\n") == 2
    assert checkpoints(Path(config.out))
    assert len(steps_logged(config.out)) >= 3
