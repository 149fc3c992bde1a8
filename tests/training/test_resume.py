"""A run that was killed ends as if it had not been."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from elastic_reasoning.core.errors import TrainingError
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.rollouts.rollouts import ValidationResult
from elastic_reasoning.training.checkpoints import selected
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.trl.grpo import train
from elastic_reasoning.training.trl.run import COLLABORATORS
from small_runs import arguments, outcome, small_run, steps_logged

SOURCE = str(Path(__file__).parents[2] / "src")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": SOURCE, "PYTHONUNBUFFERED": "1"}
BY_MICRO_BATCHES = {"micro_batch_size": 8, "loss": "grpo"}  # this loss depends on which rollouts are taken together


class InterruptionError(Exception):
    """Raised in the middle of a run."""


def interrupted_after(config: TrainConfig, last: int) -> None:
    def stop(step: int, metrics: dict[str, float]) -> None:
        if step == last:
            raise InterruptionError

    with pytest.raises(InterruptionError):
        train(config, stop)


@pytest.fixture(scope="module", params=[{}, BY_MICRO_BATCHES], ids=["one batch", "micro-batches"])
def undisturbed(request: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    config = small_run(tmp_path_factory.mktemp("undisturbed"), **request.param)
    train(config)
    return request.param, outcome(config)


@pytest.mark.parametrize(("last", "resumed_from"), [(1, 0), (3, 2), (5, 4)])
def test_a_run_goes_on_as_if_nothing_had_happened(
    tmp_path: Path, undisturbed: tuple[dict[str, Any], dict[str, Any]], last: int, resumed_from: int
) -> None:
    changes, wanted = undisturbed
    config = small_run(tmp_path, **changes)
    interrupted_after(config, last)
    assert len(steps_logged(config.out)) == last
    assert train(config).resumed_from == resumed_from
    assert outcome(config) == wanted


@pytest.mark.full
def test_a_run_that_is_interrupted_again_and_again(tmp_path: Path) -> None:
    config, whole = small_run(tmp_path / "run", save_every=1), small_run(tmp_path / "whole", save_every=1)
    train(whole)
    for last in (1, 3, 5):
        interrupted_after(config, last)
        if last > 1:
            assert (tmp_path / "run" / "checkpoints" / f"checkpoint-{last - 1}").exists()
    train(config)
    assert outcome(config) == outcome(whole)


def test_another_number_of_problems_is_another_run(tmp_path: Path) -> None:
    config = small_run(tmp_path)
    interrupted_after(config, 3)
    with pytest.raises(TrainingError, match="num_problems = 6, not 7"):
        train(small_run(tmp_path, num_problems=7))


def test_checkpoints_fall_between_batches_of_rollouts(tmp_path: Path) -> None:
    """A batch that was generated before a checkpoint is used up before it, so nothing of it needs to be kept."""
    config = small_run(tmp_path, **BY_MICRO_BATCHES)
    trainers: list[Any] = []
    generated: list[int] = []
    saved: list[int] = []

    def noted_trainer(*args: Any) -> Any:
        trainers.append(COLLABORATORS.new_trainer(*args))
        return trainers[0]

    def noted_rollouts(*args: Any) -> list[Trace]:
        generated.append(args[3])
        return COLLABORATORS.roll_out(*args)

    def at_a_boundary(*args: Any) -> ValidationResult:
        (trainer,) = trainers
        assert trainer._step % (trainer.args.steps_per_generation * trainer.num_iterations) == 0
        assert generated == list(range(trainer.state.global_step))
        saved.append(trainer.state.global_step)
        return ValidationResult(2, 1, 1.0, 0, None)

    noting = replace(COLLABORATORS, new_trainer=noted_trainer, roll_out=noted_rollouts, validate=at_a_boundary)
    train(config, collaborators=noting)
    assert saved == [2, 4, 5]


KILLED_WHILE_SAVING = """
import os, signal, sys
import transformers
from elastic_reasoning.cli.main import main
save = transformers.Trainer._save_rng_state
def die(self, folder):
    if self.state.global_step == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    save(self, folder)
transformers.Trainer._save_rng_state = die
sys.exit(main(["train", *sys.argv[1:]]))
"""


def test_a_killed_process_is_taken_up_by_the_same_command(tmp_path: Path) -> None:
    changes = {"save_every": 1, **BY_MICRO_BATCHES}
    whole, config = small_run(tmp_path / "whole", **changes), small_run(tmp_path / "killed", **changes)
    train(whole)
    command = [sys.executable, "-m", "elastic_reasoning.cli.main", "train", *arguments(config)]

    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("step    3"):
                process.kill()
    assert process.returncode == -signal.SIGKILL
    assert selected(Path(config.out)) is not None

    dying = [sys.executable, "-c", KILLED_WHILE_SAVING, *arguments(config)]
    saving = subprocess.run(dying, env=ENVIRONMENT, stdout=subprocess.PIPE)
    assert saving.returncode == -signal.SIGKILL
    torn = tmp_path / "killed" / "checkpoints" / "checkpoint-4"
    assert (torn / "model.safetensors").exists()
    assert not (torn / "complete.json").exists()

    last = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert [line[:9] for line in last.stdout.splitlines()[:2]] == ["step    4", "step    5"]
    assert last.stderr == ""
    assert outcome(config) == outcome(whole)
