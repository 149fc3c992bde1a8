"""Several processes train what one would; adapters, checkpointed gradients and bfloat16 train; killed processes go on.

Models are split by FSDP2 and ZeRO-3 as on GPUs, over CPUs: see `ranks`.
"""

import os
import random
import signal
import subprocess
import sys
import time
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file

from elastic_reasoning.core.errors import TrainingError
from elastic_reasoning.engines.engine import ask
from elastic_reasoning.engines.loading import load, model_path
from elastic_reasoning.training.checkpoints import checkpoints
from elastic_reasoning.training.config import Lora, TrainConfig
from elastic_reasoning.training.trl.grpo import train
from ranks import LAUNCH, start
from small_runs import arguments, outcome, small_run, steps_logged

PATIENCE_SECONDS, NOTICING_SECONDS = 300, 10
ADAPTERS = "adapter_model.safetensors"
QUESTION = "a 4 b -8 c +7 d *3 e +9 f -2 g *7 ="
UNGRADED = """
from elastic_reasoning.core.errors import GradingError
from elastic_reasoning.tasks.arithmetic import Arithmetic

class FirstIsLost(Arithmetic):
    def grade(self, problem, solution):
        if problem == Arithmetic.problems(self, "train", 1)[0]:
            raise GradingError("lost")
        return Arithmetic.grade(self, problem, solution)

task = FirstIsLost()
"""
TEN_STEPS: dict[str, Any] = {"steps": 10, "save_every": 10, "dtype": "float64"}


def ended(ranks: list[ForkServerProcess]) -> list[int | None]:
    """The exit codes of processes."""
    for rank in ranks:
        rank.join(PATIENCE_SECONDS)
    return [rank.exitcode for rank in ranks]


def weights(config: TrainConfig, name: str = "model.safetensors") -> dict[str, torch.Tensor]:
    """Those of the last checkpoint."""
    loaded: dict[str, torch.Tensor] = load_file(checkpoints(Path(config.out))[-1].folder / name)
    return loaded


def distance(some: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> float:
    """The largest difference of two sets of parameters."""
    assert some.keys() == others.keys()
    return max(float((some[name].double() - others[name].double()).abs().max()) for name in some)


@pytest.fixture(scope="module")
def by_one(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    config = small_run(tmp_path_factory.mktemp("one"), **TEN_STEPS)
    assert ended(start(config, "ddp", 1)) == [0]
    moved = distance(weights(config), load_file(Path(model_path("mini"), "model.safetensors")))
    assert moved > 4e-3
    return config


@pytest.mark.parametrize(
    ("launch", "tolerance"),
    [
        ("ddp", 1e-9),
        pytest.param("fsdp2", 1e-9, marks=pytest.mark.full),
        pytest.param("zero3", 5e-4, marks=pytest.mark.full),
    ],
)
def test_two_processes_train_what_one_does(tmp_path: Path, by_one: TrainConfig, launch: str, tolerance: float) -> None:
    """ZeRO-3 trains in float32, whatever the type of the weights."""
    config = small_run(tmp_path, micro_batch_size=8, **TEN_STEPS)
    assert ended(start(config, launch)) == [0, 0]
    assert distance(weights(config), weights(by_one)) <= tolerance
    assert distance(weights(config), load_file(tmp_path / "model" / "model.safetensors")) == 0
    shared = ("step", "reward", "accuracy", "thinking_tokens", "forced_rate")
    assert [[step[n] for n in shared] for step in steps_logged(config.out)] == [
        [pytest.approx(step[n]) for n in shared] for step in steps_logged(by_one.out)
    ]


@pytest.mark.full
def test_two_processes_replace_prompts_and_whiten_over_the_step_as_one_does(tmp_path: Path) -> None:
    """As DLER does: the mean and the deviation are those of all processes, and each place is filled again by itself."""
    settings = {**TEN_STEPS, "steps": 4, "save_every": 4, "advantages": "whitened", "max_redraws": 2}
    one, two = small_run(tmp_path / "one", **settings), small_run(tmp_path / "two", micro_batch_size=8, **settings)
    assert ended(start(one, "ddp", 1)) == [0]
    assert ended(start(two, "ddp")) == [0, 0]
    assert distance(weights(one), weights(two)) <= 1e-9
    rates = [[step["redrawn_rate"] for step in steps_logged(config.out)] for config in (one, two)]
    assert rates[0] == pytest.approx(rates[1])
    assert max(rates[0]) > 0


@pytest.mark.full
@pytest.mark.parametrize(("num_problems", "codes"), [(2, [0, 0]), (1, [1, 1])])
def test_processes_end_where_none_of_them_has_a_reward(tmp_path: Path, num_problems: int, codes: list[int]) -> None:
    task = tmp_path / "ungraded.py"
    task.write_text(UNGRADED)
    split = {"prompts_per_step": 2, "micro_batch_size": 4, "num_problems": num_problems, "num_validation_problems": 2}
    config = small_run(tmp_path / "run", task=str(task), steps=2, **split)
    assert ended(start(config, "ddp")) == codes
    logged = steps_logged(config.out)
    assert [step["failed_rate"] for step in logged] == ([0.5, 0.5] if codes == [0, 0] else [])


@pytest.mark.full
def test_split_over_two_processes_the_same_adapters_are_trained(tmp_path: Path) -> None:
    settings = {**TEN_STEPS, "steps": 4, "save_every": 4, "lora": Lora(rank=4)}
    one = small_run(tmp_path / "one", **settings)
    two = small_run(tmp_path / "two", micro_batch_size=8, **settings)
    assert ended(start(one, "ddp", 1)) == [0]
    assert ended(start(two, "fsdp2")) == [0, 0]
    assert distance(weights(two, ADAPTERS), weights(one, ADAPTERS)) <= 1e-9


@pytest.mark.full
def test_adapters_alone_are_trained_and_kept_and_the_selected_model_loads(tmp_path: Path) -> None:
    config = small_run(tmp_path, steps=2, lora=Lora(rank=4))
    result = train(config)
    kept = weights(config, ADAPTERS)
    assert all("lora_" in name for name in kept)
    assert any(weight.abs().max() > 0 for name, weight in kept.items() if "lora_B" in name)
    assert not list(tmp_path.rglob("model.safetensors"))
    engine = load(str(result.folder))
    assert "lora_" in " ".join(name for name, _ in engine.model.named_parameters())
    assert ask(engine, QUESTION, "24+20").error is None


@pytest.mark.full
def test_checkpointed_gradients_are_the_same(tmp_path: Path) -> None:
    settings = {"steps": 2, "dtype": "float64"}
    plain = small_run(tmp_path / "plain", **settings)
    again = small_run(tmp_path / "again", gradient_checkpointing=True, **settings)
    train(plain)
    train(again)
    assert distance(weights(plain), weights(again)) == 0


@pytest.mark.full
def test_bfloat16_is_computed_in_and_not_kept(tmp_path: Path) -> None:
    config = small_run(tmp_path, steps=2, mixed_precision="bf16")
    exact = small_run(tmp_path / "exact", steps=2)
    train(config)
    train(exact)
    kept = weights(config)
    assert {weight.dtype for weight in kept.values()} == {torch.float32}
    assert 0 < distance(kept, weights(exact)) < 0.1


@pytest.mark.full
@pytest.mark.parametrize("launch", ["ddp", "fsdp2", "zero3"])
@pytest.mark.parametrize("lora", [Lora(), Lora(rank=4)], ids=["all weights", "adapters"])
def test_all_of_it_together(tmp_path: Path, launch: str, lora: Lora) -> None:
    beta = 0.0 if launch == "fsdp2" and lora.rank else 0.01  # those together are refused
    settings: dict[str, Any] = {"mixed_precision": "bf16", "gradient_checkpointing": True, "lora": lora, "beta": beta}
    config = small_run(tmp_path, micro_batch_size=8, steps=2, **settings)
    assert ended(start(config, launch)) == [0, 0]
    assert ask(load(str(tmp_path / "model")), QUESTION, "24+20").error is None


@pytest.mark.parametrize("way", ["FSDP", "DEEPSPEED"])
def test_a_model_is_not_split_over_cpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setenv(f"ACCELERATE_USE_{way}", "true")
    with pytest.raises(TrainingError, match=r"split over GPUs, not on device cpu: launch with ddp\.yaml"):
        train(small_run(tmp_path, device="cpu"))


def kill(ranks: list[ForkServerProcess], victim: int) -> None:
    """`kill -9` of one process. The other notices, or is ended by the launcher if it still waits to meet the one."""
    ranks[victim].kill()
    ranks[1 - victim].join(NOTICING_SECONDS)
    ranks[1 - victim].kill()
    codes = ended(ranks)
    assert codes[victim] == -signal.SIGKILL
    assert codes[1 - victim] != 0


def wait_for_steps(config: TrainConfig, num: int) -> None:
    """Until so many steps are logged."""
    path = Path(config.out, "metrics.jsonl")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not path.exists() or path.read_text().count("\n") < num:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.full
@pytest.mark.parametrize("launch", ["ddp", "fsdp2", "zero3"])
def test_a_run_goes_on_after_either_process_is_killed(tmp_path: Path, launch: str) -> None:
    settings: dict[str, Any] = {"micro_batch_size": 8, "save_every": 1}
    whole, config = small_run(tmp_path / "whole", **settings), small_run(tmp_path / "killed", **settings)
    undisturbed = start(whole, launch)
    for victim, num_steps in ((1, 2), (0, 4)):
        ranks = start(config, launch)
        wait_for_steps(config, num_steps)
        kill(ranks, victim)
    assert ended(undisturbed) == [0, 0]
    assert ended(start(config, launch)) == [0, 0]
    assert distance(weights(config), weights(whole)) == 0
    assert steps_logged(config.out) == steps_logged(whole.out)


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_twenty_kills_at_random_moments(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"micro_batch_size": 8, "save_every": 1, "steps": 50, "num_validation_problems": 4}
    whole, config = small_run(tmp_path / "whole", **settings), small_run(tmp_path / "killed", **settings)
    assert ended(start(whole, "ddp")) == [0, 0]
    moments = random.Random(0)
    for _ in range(20):
        ranks = start(config, "ddp")
        done = len(steps_logged(config.out)) if Path(config.out, "metrics.jsonl").exists() else 0
        wait_for_steps(config, done + moments.randrange(3))
        time.sleep(moments.uniform(0, 0.5))
        kill(ranks, moments.randrange(2))
    assert ended(start(config, "ddp")) == [0, 0]
    assert outcome(config) == outcome(whole)


@pytest.mark.full
def test_the_command_in_the_shipped_file_is_killed_and_goes_on(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"micro_batch_size": 8, "save_every": 1, "device": "cpu"}
    whole, config = small_run(tmp_path / "whole", **settings), small_run(tmp_path / "killed", **settings)
    launcher = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", "--num_processes", "2"]
    launcher += ["--config_file", str(LAUNCH / "ddp.yaml"), "-m", "elastic_reasoning.cli.main", "train"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for victim in (0, 1):
        with subprocess.Popen([*launcher, *arguments(config)], env=environment) as process:
            wait_for_steps(config, 2 * victim + 1)
            os.kill(psutil.Process(process.pid).children()[victim].pid, signal.SIGKILL)
        assert process.returncode == 1
    for run in (config, whole):
        ran = subprocess.run([*launcher, *arguments(run)], env=environment, capture_output=True, text=True, check=True)
        assert ran.stdout.splitlines()[-2].startswith("selected step")
    assert outcome(config) == outcome(whole)
