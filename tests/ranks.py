"""Training in several processes, as `accelerate launch` would start them, without importing everything in each.

    started = start(config, "fsdp2")
    assert [rank.join() or rank.exitcode for rank in started] == [0, 0]

A server imports the libraries once, and the processes are forked from it. Their environment is the one that accelerate
makes of the shipped file. accelerate splits a model over GPUs only: where a test splits one over CPUs, it is told that
these are GPUs which speak gloo. All else is what runs on GPUs.
"""

import multiprocessing
import os
import socket
from contextlib import nullcontext
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest

from elastic_reasoning.training.config import TrainConfig

LAUNCH = Path(__file__).parents[1] / "recipes" / "launch"
OF_PROCESSES = multiprocessing.get_context("forkserver")
OF_PROCESSES.set_forkserver_preload(["elastic_reasoning.training.trl.grpo", "trl.trainer.grpo_trainer", "peft"])


def start(config: TrainConfig, launch: str, num: int = 2) -> list[ForkServerProcess]:
    """Train in several processes.

    Args:
        config: the run.
        launch: the shipped file by its name.
        num: processes.
    """
    if launch == "zero3":
        pytest.importorskip("deepspeed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = launched_environment(launch, num) | {
        "OMP_NUM_THREADS": "1",
        "WORLD_SIZE": str(num),
        "LOCAL_WORLD_SIZE": str(num),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "DS_ACCELERATOR": "cpu",
    }
    ranks = []
    for rank in range(num):
        environment = {**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)}
        ranks.append(OF_PROCESSES.Process(target=_train, args=(config, environment, launch != "ddp"), daemon=True))
        ranks[-1].start()
    return ranks


def launched_environment(launch: str, num: int) -> dict[str, str]:
    """What `accelerate launch --config_file LAUNCH --num_processes NUM` adds to the environment."""
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from accelerate.utils.launch import prepare_deepspeed_cmd_env, prepare_multi_gpu_env

    command = ["--config_file", str(LAUNCH / f"{launch}.yaml"), "--num_processes", str(num)]
    args, defaults, _ = _validate_launch_command(launch_command_parser().parse_args([*command, "train.py"]))
    if args.use_deepspeed:
        args.deepspeed_fields_from_accelerate_config = ",".join(defaults.deepspeed_config)
        return dict(prepare_deepspeed_cmd_env(args)[1])
    return dict(prepare_multi_gpu_env(args))


def _train(config: TrainConfig, environment: dict[str, str], split: bool) -> None:
    os.environ.update(environment)
    import torch

    torch.set_num_threads(1)
    if split:
        _take_cpus_for_gpus()
    from elastic_reasoning.training.trl.grpo import train
    from float64 import everything_in_float64

    with everything_in_float64() if config.dtype == "float64" else nullcontext():
        train(config)


def _take_cpus_for_gpus() -> None:
    import torch
    from accelerate.state import PartialState
    from accelerate.utils import DistributedType
    from transformers import training_args

    from elastic_reasoning.training import processes
    from elastic_reasoning.training.trl import trainer

    def on_cpu(state: Any) -> None:
        state.device = torch.device("cpu")

    PartialState._prepare_backend = lambda *args, **kwargs: ("gloo", DistributedType.MULTI_GPU)
    PartialState.set_device = on_cpu
    training_args.is_torch_bf16_gpu_available = lambda: True
    processes.on_cpu = trainer.on_cpu = lambda config: False
