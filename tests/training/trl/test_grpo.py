import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from configs import changed
from elastic_reasoning.core.errors import EngineError, TaskError, TemplateError, TrainingError
from elastic_reasoning.engines.engine import ask
from elastic_reasoning.engines.loading import load
from elastic_reasoning.grading.grade import Grade
from elastic_reasoning.rollouts.rollouts import ValidationResult
from elastic_reasoning.tasks.arithmetic import Arithmetic
from elastic_reasoning.tasks.task import Problem, Split
from elastic_reasoning.training.clock import PHASES
from elastic_reasoning.training.config import Lora, TrainConfig
from elastic_reasoning.training.trl.grpo import TrainResult, train
from elastic_reasoning.training.trl.run import COLLABORATORS, Collaborators
from small_runs import outcome, small_run, steps_logged

RATES = {"reward", "accuracy", "forced_rate", "cut_rate", "no_answer_rate", "failed_rate"}
LOGGED = RATES | {"thinking_tokens", "solution_tokens", "sampled_tokens"}

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
        assert all(0 <= metrics[name] <= 1 for name in RATES)
        assert all(metrics[f"{phase}_seconds"] > 0 for phase in PHASES)
        assert metrics["step_seconds"] == pytest.approx(sum(metrics[f"{phase}_seconds"] for phase in PHASES))
        assert "step_time" not in metrics


def test_the_result_is_the_selected_model(finished: Finished) -> None:
    config, result, _ = finished
    assert result.folder == Path(config.out, "model")
    assert result.resumed_from == 0
    assert json.loads((result.folder / "selection.json").read_text()) == {
        "step": result.step,
        "accuracy": result.accuracy,
        "score": result.accuracy,
    }
    assert ask(load(str(result.folder)), "a 4 b -8 c +7 =", "8+4").num_thinking_tokens <= 8


def test_the_last_step_is_a_checkpoint_and_nothing_else_is_left(finished: Finished) -> None:
    config, _, _ = finished
    assert {path.name for path in Path(config.out).iterdir()} == {
        "checkpoints",
        "config.json",
        "metrics.jsonl",
        "model",
        "problems.digest",
        "train.lock",
    }
    assert [path.name for path in Path(config.out, "checkpoints").iterdir()] == ["checkpoint-5"]


def test_training_says_nothing_by_itself(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    train(small_run(tmp_path, steps=1))
    assert capfd.readouterr() == ("", "")


def test_a_finished_run_only_answers(finished: Finished) -> None:
    config, result, _ = finished
    before = outcome(config)
    idle = replace(COLLABORATORS, load_task=lambda *args: pytest.fail("nothing is left to do"))
    again = train(config, lambda step, metrics: pytest.fail("nothing is left to do"), collaborators=idle)
    assert again == replace(result, resumed_from=5)
    assert outcome(config) == before


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"budgets": ("16+12",)}, r"budgets = \['64\+12'\], not \['16\+12'\]"),
        ({"seed": 1}, "seed = 0, not 1"),
        ({"steps": 6}, "steps = 5, not 6"),
        ({"options": {"grace": 2}}, "options = "),
    ],
)
def test_other_settings_are_refused_by_name(finished: Finished, changes: dict[str, Any], says: str) -> None:
    config, _, _ = finished
    before = outcome(config)
    with pytest.raises(TrainingError, match=says):
        train(changed(config, **changes))
    assert outcome(config) == before


def test_where_a_run_is_made_may_change(finished: Finished) -> None:
    config, result, _ = finished
    assert train(changed(config, max_rows=3, device="cpu", micro_batch_size=8)).step == result.step


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


def test_test_problems_are_never_used(tmp_path: Path) -> None:
    task = Watchful()
    object.__setattr__(task, "asked", [])
    object.__setattr__(task, "graded", set())
    train(small_run(tmp_path), collaborators=replace(COLLABORATORS, load_task=lambda name, options: task))
    assert sorted(task.asked) == ["test", "train", "validation"]  # the test problems to keep away from them
    assert task.graded
    assert not task.graded & {problem.id for problem in Arithmetic().problems("test")}


def validating(found: Callable[..., ValidationResult]) -> Collaborators:
    """A run whose checkpoints are measured so."""
    return replace(COLLABORATORS, validate=found)


def test_validation_decides_and_training_problems_do_not(tmp_path: Path) -> None:
    earned = iter([50.0, 75.0, 25.0])
    measured = validating(lambda *args: ValidationResult(100, 40, next(earned), 0, None))
    result = train(small_run(tmp_path), collaborators=measured)
    assert (result.step, result.accuracy) == (4, 0.4)
    assert json.loads((result.folder / "selection.json").read_text())["score"] == 0.75


def test_a_validation_problem_that_fails_counts_as_wrong(tmp_path: Path) -> None:
    some = validating(lambda *args: ValidationResult(num=10, right=6, earned=6.0, failed=3, error="it broke"))
    assert train(small_run(tmp_path / "some", steps=1), collaborators=some).accuracy == 0.6
    none = validating(lambda *args: ValidationResult(10, 0, 0.0, 10, "it broke"))
    with pytest.raises(TrainingError, match="no validation problem could be asked and graded: it broke"):
        train(small_run(tmp_path / "none", steps=1), collaborators=none)


def test_a_budget_that_does_not_fit_is_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"budget 5000\+20, strategy elastic: .*context"):
        train(small_run(tmp_path, validation_budgets=("5000+20",)), lambda step, metrics: pytest.fail("too late"))


def test_a_run_without_a_checkpoint_may_begin_with_other_settings(tmp_path: Path) -> None:
    def stop(step: int, metrics: dict[str, float]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(small_run(tmp_path, seed=1), stop)
    train(small_run(tmp_path, steps=1))
    assert json.loads((tmp_path / "config.json").read_text())["seed"] == 0


class Shortened(Arithmetic):
    """Without the first problem of each split."""

    def problems(self, split: Split, limit: int | None = None) -> list[Problem]:
        return super().problems(split, limit)[1:]


def test_a_run_keeps_to_its_problems(tmp_path: Path) -> None:
    config = small_run(tmp_path)

    def stop(step: int, metrics: dict[str, float]) -> None:
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, stop)
    shortened = replace(COLLABORATORS, load_task=lambda *args: Shortened())
    with pytest.raises(TrainingError, match="holds a run on other problems"):
        train(config, collaborators=shortened)
    assert train(config).resumed_from == 2


def test_adapters_for_no_layer_are_one_line(tmp_path: Path) -> None:
    pytest.importorskip("peft")
    with pytest.raises(TrainingError, match=r"lora.targets \['nope'\] cannot be used") as refusal:
        train(small_run(tmp_path, lora=Lora(rank=2, targets=("nope",))))
    assert "\n" not in str(refusal.value)


def test_a_gpu_that_is_not_there_is_refused(tmp_path: Path) -> None:
    if pytest.importorskip("torch").cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(TrainingError, match="device cuda: torch finds no GPU"):
        train(small_run(tmp_path, device="cuda"))


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
        ("elastic", {"budgets": ("0+12",)}),
        ("elastic", {"options": {"wrap_up": "so", "grace": 4, "min_thinking": 4, "wait": "wait"}}),
        ("nothinking", {}),
        ("vanilla", {}),
        ("s1", {"options": {"answer_tokens": 4, "answer_text": "Final Answer:"}}),
        ("l1-max", {"options": {"max_total": 48}}),
        ("unconstrained", {}),
    ],
)
def test_every_strategy_can_be_trained(tmp_path: Path, strategy: str, changes: dict[str, Any]) -> None:
    steps: list[dict[str, float]] = []
    config = small_run(tmp_path, strategies=(strategy,), steps=1, num_validation_problems=2, **changes)
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
        train(changed(config, opening="<think>", closing="</think>"))


def test_delimiters_may_be_given(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="delimiter '☺'"):
        train(small_run(tmp_path, opening="☺", closing="☻"))


def test_only_what_is_written_is_said_to_be_unwritable(tmp_path: Path) -> None:
    def lost(*args: Any) -> ValidationResult:
        raise ConnectionResetError(104, "Connection reset by peer")

    with pytest.raises(ConnectionResetError):
        train(small_run(tmp_path), collaborators=validating(lost))


def test_a_disk_that_is_full_while_the_trainer_saves_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("transformers.Trainer._save_rng_state", full)
    with pytest.raises(TrainingError, match=r"cannot write .*No space left on device"):
        train(small_run(tmp_path))


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **settings: Any) -> None:
        raise OSError(28, "No space left on device")

    config = small_run(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copytree", full)  # as the selected model is copied
        with pytest.raises(TrainingError, match="No space left on device"):
            train(config)
    assert train(config).resumed_from == 2


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(
            {"plan": "random", "budgets": ("4..64+12", "16+8"), "weights": (1.0, 2.0)}, marks=pytest.mark.full
        ),
        pytest.param({"plan": "curriculum", "budgets": ("64+12", "16+12")}, marks=pytest.mark.full),
        {"plan": "anytime", "budgets": ("8+12", "64+12"), "micro_batch_size": 16},
        {"max_redraws": 2, "plan": "serial", "samples_per_prompt": 1, "num_exits": 3, "decay": 0.5},
        pytest.param(
            {"answers_per_cut": 2, "plan": "anytime", "budgets": ("8+12", "64+12"), "weights": (0.0, 1.0)},
            marks=pytest.mark.full,
        ),
        {"updates_per_step": 2, "micro_batch_size": 8, "beta": 0.01, "epsilon_high": 0.28, "advantages": "whitened"},
        pytest.param(
            {"strategies": ("l1-exact", "l1-max"), "rewards": {"l1_exact": 1.0, "l1_max": 1.0}, "plan": "random"},
            marks=pytest.mark.full,
        ),
        pytest.param(
            {"mask_cut": True, "advantages": "centred", "rewards": {"correct": 1.0, "format": 0.1, "overlong": 0.5}},
            marks=pytest.mark.full,
        ),
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_every_plan_can_be_trained_and_goes_on_after_an_interruption(tmp_path: Path, changes: dict[str, Any]) -> None:
    changes = {"steps": 2, "save_every": 1, "num_validation_problems": 4, **changes}
    whole, cut = small_run(tmp_path / "whole", **changes), small_run(tmp_path / "cut", **changes)
    train(whole)
    assert [line["step"] for line in steps_logged(whole.out)] == [1, 2]

    def stop(step: int, metrics: dict[str, float]) -> None:
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(cut, stop)
    assert train(cut).resumed_from == 1
    assert outcome(cut) == outcome(whole)


def test_problems_that_are_too_long_are_left_out(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="max_prompt_tokens 3: all training problems are longer"):
        train(small_run(tmp_path, max_prompt_tokens=3))


def test_rollouts_that_fail_are_counted_and_not_learnt_from(tmp_path: Path) -> None:
    def failing(*args: Any) -> list[Any]:
        traces = COLLABORATORS.roll_out(*args)
        return [replace(trace, error="it broke") if n % 4 == 0 else trace for n, trace in enumerate(traces)]

    steps: list[dict[str, float]] = []
    some = replace(COLLABORATORS, roll_out=failing)
    train(small_run(tmp_path, steps=2), lambda step, metrics: steps.append(metrics), collaborators=some)
    assert [metrics["failed_rate"] for metrics in steps] == [0.25, 0.25]
    assert all(math.isfinite(metrics["loss"]) for metrics in steps)


def test_a_step_without_any_reward_ends_training_with_its_state(tmp_path: Path) -> None:
    config = small_run(tmp_path)

    def failing(engine: Any, problems: Any, plan: Any, step: int, *args: Any) -> list[Any]:
        traces = COLLABORATORS.roll_out(engine, problems, plan, step, *args)
        return [replace(trace, error="it broke") for trace in traces] if step == 2 else traces

    with pytest.raises(TrainingError, match="it broke"):
        train(config, collaborators=replace(COLLABORATORS, roll_out=failing))
    assert train(config).resumed_from == 2


def test_memory_that_runs_out_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trl, torch = pytest.importorskip("trl"), pytest.importorskip("torch")

    def out_of_memory(self: Any, model: Any, inputs: Any) -> Any:
        raise torch.OutOfMemoryError("tried to allocate 20 GiB")

    monkeypatch.setattr(trl.GRPOTrainer, "_compute_loss", out_of_memory)
    with pytest.raises(TrainingError, match="out of memory with micro_batch_size=16: lower it"):
        train(small_run(tmp_path))


def test_what_torch_says_of_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any) -> None:
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0\nmore")

    monkeypatch.setattr("transformers.Trainer._save_optimizer_and_scheduler", full)
    with pytest.raises(TrainingError, match=r"cannot write .*enforce fail.*make room, or give another out") as refusal:
        train(small_run(tmp_path))
    assert "\n" not in str(refusal.value)
