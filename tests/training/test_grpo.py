import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from elastic_reasoning.engines.engine import ask
from elastic_reasoning.engines.loading import load
from elastic_reasoning.errors import EngineError, TaskError, TemplateError, TrainingError
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.request import Options
from elastic_reasoning.tasks.arithmetic import Arithmetic
from elastic_reasoning.tasks.task import Problem, Split
from elastic_reasoning.training import grpo
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.grpo import TrainResult, train
from small_runs import outcome, small_run, steps_logged

LOGGED = {"reward", "thinking_tokens", "solution_tokens", "sampled_tokens", "forced_rate", "cut_rate", "no_answer_rate"}

Finished = tuple[TrainConfig, TrainResult, list[tuple[int, dict[str, float]]]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    config = small_run(tmp_path_factory.mktemp("train") / "run")
    steps: list[tuple[int, dict[str, float]]] = []
    return config, train(config, lambda step, metrics: steps.append((step, metrics))), steps


def test_every_step_is_reported_and_logged(finished: Finished) -> None:
    config, _, steps = finished
    assert [step for step, _ in steps] == [1, 2, 3, 4, 5]
    assert all(metrics.keys() >= LOGGED for _, metrics in steps)
    logged = [json.loads(line) for line in Path(config.out, "metrics.jsonl").read_text().splitlines()]
    assert logged == [{"step": step, **metrics} for step, metrics in steps]
    for _, metrics in steps:
        assert 0 < metrics["thinking_tokens"] <= 64
        assert 0 < metrics["solution_tokens"] <= 12
        assert all(0 <= metrics[name] <= 1 for name in ("reward", "forced_rate", "cut_rate", "no_answer_rate"))


def test_the_result_is_the_selected_model(finished: Finished) -> None:
    config, result, _ = finished
    assert result.folder == Path(config.out, "model")
    assert result.resumed_from == 0
    assert json.loads((result.folder / "selection.json").read_text()) == {
        "step": result.step,
        "accuracy": result.accuracy,
    }
    assert ask(load(str(result.folder)), "a 4 b -8 c +7 =", "8+4").num_thinking_tokens <= 8


def test_the_last_step_is_a_checkpoint_and_nothing_else_is_left(finished: Finished) -> None:
    config, _, _ = finished
    assert {path.name for path in Path(config.out).iterdir()} == {
        "checkpoints",
        "config.json",
        "metrics.jsonl",
        "model",
        "train.lock",
    }
    assert [path.name for path in Path(config.out, "checkpoints").iterdir()] == ["checkpoint-5"]


def test_training_says_nothing_by_itself(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    train(small_run(tmp_path, steps=1))
    assert capfd.readouterr() == ("", "")


def test_a_finished_run_only_answers(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    config, result, _ = finished
    before = outcome(config)
    monkeypatch.setattr(grpo, "_run", None)
    again = train(config, lambda step, metrics: pytest.fail("nothing is left to do"))
    assert again == replace(result, resumed_from=5)
    assert outcome(config) == before


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"budget": "16+12"}, r"budget = '64\+12', not '16\+12'"),
        ({"seed": 1}, "seed = 0, not 1"),
        ({"steps": 6}, "steps = 5, not 6"),
        ({"micro_batch_size": 8}, "micro_batch_size = 16, not 8"),
        ({"options": Options(grace=2)}, "options = "),
    ],
)
def test_other_settings_are_refused_by_name(finished: Finished, changes: dict[str, Any], says: str) -> None:
    config, _, _ = finished
    before = outcome(config)
    with pytest.raises(TrainingError, match=says):
        train(replace(config, **changes))
    assert outcome(config) == before


def test_where_a_run_is_made_may_change(finished: Finished) -> None:
    config, result, _ = finished
    assert train(replace(config, max_rows=3, device="cpu")).step == result.step


@pytest.mark.parametrize("name", ["model", "checkpoints", "metrics.jsonl"])
def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "precious").write_text("mine")
    with pytest.raises(TrainingError, match=rf"has a {name} but no config.json, so it is no training run"):
        train(small_run(tmp_path))
    assert (tmp_path / name / "precious").read_text() == "mine"


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_damaged_settings_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(TrainingError, match="is damaged: give another out"):
        train(small_run(tmp_path))


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TrainingError, match=r"cannot write .*Not a directory") as refusal:
        train(small_run(tmp_path / "file" / "run"))
    assert "\n" not in str(refusal.value)


def test_one_process_trains_in_a_folder(tmp_path: Path) -> None:
    def start_another(step: int, metrics: dict[str, float]) -> None:
        with pytest.raises(TrainingError, match="another process trains in"):
            train(small_run(tmp_path))

    train(small_run(tmp_path, steps=1), start_another)


def test_a_wrong_name_leaves_the_folder_free(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="did you mean 'mini'"):
        train(small_run(tmp_path, model="minni"))
    with pytest.raises(TaskError, match="did you mean 'arithmetic'"):
        train(small_run(tmp_path, task="arithmetik"))
    with pytest.raises(TaskError, match="0 to 512 problems"):
        train(small_run(tmp_path, num_validation_problems=10**6))
    train(small_run(tmp_path, steps=1))


class Watchful(Arithmetic):
    """Tells which splits are asked for, and which problems are graded."""

    asked: list[Split]
    graded: set[str]

    def problems(self, split: Split, limit: int | None = None) -> list[Problem]:
        self.asked.append(split)
        return super().problems(split, limit)

    def grade(self, problem: Problem, solution: str) -> Grade:
        self.graded.add(problem.id)
        return super().grade(problem, solution)


def test_test_problems_are_never_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = Watchful()
    object.__setattr__(task, "asked", [])
    object.__setattr__(task, "graded", set())
    monkeypatch.setattr(grpo, "load_task", lambda name: task)
    train(small_run(tmp_path))
    assert sorted(task.asked) == ["train", "validation"]
    assert task.graded
    assert not task.graded & {problem.id for problem in Arithmetic().problems("test")}


def test_validation_decides_and_training_problems_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    accuracies = iter([0.5, 0.75, 0.25])
    monkeypatch.setattr(grpo, "validate", lambda *args: next(accuracies))
    result = train(small_run(tmp_path))
    assert (result.step, result.accuracy) == (4, 0.75)


def test_training_stops_when_the_loss_is_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trl = pytest.importorskip("trl")
    config = small_run(tmp_path)
    compute_loss = trl.GRPOTrainer._compute_loss

    def spoiled(self: Any, model: Any, inputs: Any) -> Any:
        return compute_loss(self, model, inputs) * (math.nan if self.state.global_step == 3 else 1.0)

    with monkeypatch.context() as patched:
        patched.setattr(trl.GRPOTrainer, "_compute_loss", spoiled)
        with pytest.raises(TrainingError, match="the loss of step 4 is nan") as stop:
            train(config)
    assert "the last complete checkpoint is kept" in str(stop.value)
    assert [path.name for path in Path(config.out, "checkpoints").iterdir()] == ["checkpoint-2"]
    assert train(config).resumed_from == 2
    assert all(math.isfinite(metrics["loss"]) for metrics in steps_logged(config.out))


@pytest.mark.parametrize(
    ("strategy", "changes"),
    [
        ("elastic", {"budget": "0+12"}),
        ("elastic", {"options": Options(wrap_up="so", grace=4, min_thinking=4, wait="wait")}),
        ("nothinking", {}),
        ("vanilla", {}),
        ("s1", {"options": Options(answer_tokens=4, answer_text="Final Answer:")}),
        ("l1-max", {"options": Options(max_total=48)}),
        ("unconstrained", {}),
    ],
)
def test_every_strategy_can_be_trained(tmp_path: Path, strategy: str, changes: dict[str, Any]) -> None:
    steps: list[dict[str, float]] = []
    config = small_run(tmp_path, strategy=strategy, steps=1, num_validation_problems=2, **changes)
    train(config, lambda step, metrics: steps.append(metrics))
    assert math.isfinite(steps[0]["loss"])
    assert steps[0]["sampled_tokens"] > 0


def test_settings_that_came_later_do_not_stop_a_run_from_before_them(tmp_path: Path) -> None:
    path, config = tmp_path / "config.json", small_run(tmp_path, steps=1)
    train(config)
    written = json.loads(path.read_text())
    path.write_text(json.dumps({name: value for name, value in written.items() if name not in ("opening", "closing")}))
    assert train(config).resumed_from == 1
    with pytest.raises(TrainingError, match="opening = None, not '<think>'"):
        train(replace(config, opening="<think>", closing="</think>"))


def test_delimiters_may_be_given(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="delimiter '☺'"):
        train(small_run(tmp_path, opening="☺", closing="☻"))


def test_only_what_is_written_is_said_to_be_unwritable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*args: Any) -> float:
        raise ConnectionResetError(104, "Connection reset by peer")

    monkeypatch.setattr(grpo, "validate", lost)
    with pytest.raises(ConnectionResetError):
        train(small_run(tmp_path))


def test_a_disk_that_is_full_while_the_trainer_saves_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("transformers.Trainer._save_rng_state", full)
    with pytest.raises(TrainingError, match=r"cannot write .*No space left on device"):
        train(small_run(tmp_path))


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    config = small_run(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(grpo, "select", full)
        with pytest.raises(TrainingError, match="No space left on device"):
            train(config)
    assert train(config).resumed_from == 2
