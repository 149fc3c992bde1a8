"""verl's own trainer on a CPU, as a process: `main_ppo` with the miniature, and what it has logged and learnt from."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import yaml

HERE = Path(__file__).parent
LOOP = "elastic_reasoning.integrations.verl.agent_loop.ElasticAgentLoop"
REWARD = "pkg://elastic_reasoning.integrations.verl.reward"
ENVIRONMENT = {
    "VERL_PLATFORM": "cpu",
    "VERL_USE_EXTERNAL_MODULES": "verl_on_cpu",
    "VERL_DISABLE_FLASH_ATTN_CE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "HF_HUB_OFFLINE": "1",
    "HYDRA_FULL_ERROR": "1",
    "OMP_NUM_THREADS": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "disabled",
    "RAY_memory_monitor_refresh_ms": "0",  # it would end a worker where others have filled the memory
}
ON_A_CPU = {
    "trainer.device": "cpu",
    "trainer.n_gpus_per_node": 1,
    "+ray_kwargs.ray_init.num_cpus": 40,
    "+ray_kwargs.ray_init.num_gpus": 1,
    "+ray_kwargs.ray_init.include_dashboard": False,
    "+ray_kwargs.ray_init.object_store_memory": 200_000_000,
    "+ray_kwargs.ray_init._node_ip_address": "127.0.0.1",
    "actor_rollout_ref.model.use_remove_padding": False,
    "actor_rollout_ref.model.enable_gradient_checkpointing": False,
    "+actor_rollout_ref.model.override_config.attn_implementation": "sdpa",
    "actor_rollout_ref.actor.strategy": "fsdp2",
    "actor_rollout_ref.actor.fsdp_config.model_dtype": "fp32",
    "actor_rollout_ref.actor.fsdp_config.dtype": "float32",
    "actor_rollout_ref.actor.fsdp_config.use_torch_compile": False,
    "+actor_rollout_ref.actor.fsdp_config.mixed_precision": "{param_dtype:fp32,reduce_dtype:fp32,buffer_dtype:fp32}",
    "actor_rollout_ref.rollout.dtype": "float32",
    "actor_rollout_ref.rollout.tensor_model_parallel_size": 1,
    "actor_rollout_ref.rollout.free_cache_engine": False,
    "actor_rollout_ref.rollout.enforce_eager": True,
    "actor_rollout_ref.rollout.load_format": "auto",
    "actor_rollout_ref.rollout.enable_chunked_prefill": False,
    "+actor_rollout_ref.rollout.enable_sleep_mode": False,
    "actor_rollout_ref.rollout.checkpoint_engine.update_weights_bucket_megabytes": 16,
}
"""What verl has to be told on a CPU, and of a model this small."""
SETTINGS = {
    "hydra.run.dir": "hydra",
    "algorithm.adv_estimator": "grpo",
    "actor_rollout_ref.rollout.name": "vllm",
    "actor_rollout_ref.actor.use_kl_loss": False,
    "data.max_prompt_length": 32,
    "data.max_response_length": 64,
    "data.dataloader_num_workers": 0,
    "reward.num_workers": 1,
    "reward.custom_reward_function.path": REWARD,
    "actor_rollout_ref.rollout.max_model_len": 128,
    "actor_rollout_ref.rollout.max_num_seqs": 64,
    "actor_rollout_ref.rollout.max_num_batched_tokens": 2048,
    "actor_rollout_ref.rollout.calculate_log_probs": True,
    "actor_rollout_ref.rollout.agent.num_workers": 1,
    "actor_rollout_ref.rollout.agent.default_agent_loop": "elastic",
    "actor_rollout_ref.rollout.agent.agent_loop_config_path": "loops.yaml",
    "trainer.logger": '["console","file"]',
    "trainer.nnodes": 1,
    "trainer.total_epochs": 1000,
    "trainer.val_before_train": False,
    "trainer.test_freq": -1,
    "trainer.save_freq": -1,
    "trainer.resume_mode": "disable",
    "trainer.default_local_dir": "checkpoints",
    "trainer.v1.sampler.custom_sampler.name": "MeasuredReplayBuffer",
    "trainer.v1.sampler.custom_sampler.path": "pkg://elastic_reasoning.integrations.verl.metrics",
    "+trainer.v1.sampler.sampler_kwargs.poll_interval": 0.1,
}


@dataclass(frozen=True)
class Run:
    """A run that is over."""

    folder: Path
    output: str

    @property
    def log(self) -> list[dict[str, float]]:
        """verl's metrics, step after step."""
        return [json.loads(line)["data"] for line in (self.folder / "log.jsonl").read_text().splitlines()]

    def batches(self, partition: str) -> list[dict[str, Any]]:
        """What `watching` has seen of a partition, step after step."""
        files = sorted(self.folder.glob(f"{partition}-*.pt"), key=lambda path: int(path.stem.split("-")[1]))
        return [torch.load(file, weights_only=False) for file in files]


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A data set as verl reads it."""
    import pandas

    pandas.DataFrame(list(rows)).to_parquet(path)


def run_verl(
    folder: Path,
    model: str,
    train: Sequence[Mapping[str, Any]],
    loops: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
    validation: Sequence[Mapping[str, Any]] = (),
    seconds: float = 2400,
    paths: Sequence[Path] = (),
) -> Run:
    """Run the trainer to its end.

    Args:
        folder: an empty one, for all that it reads and writes.
        model: a folder.
        train, validation: rows; those of training also validate where no others do.
        loops: the agent loops, those that are ours without their target.
        settings: of verl, over those above.
        seconds: it may take; more is an error.
        paths: folders of further modules that verl is to find.
    """
    write_rows(folder / "train.parquet", train)
    write_rows(folder / "validation.parquet", validation or train)
    (folder / "loops.yaml").write_text(yaml.safe_dump([{"_target_": LOOP, **loop} for loop in loops]))
    files = {"data.train_files": folder / "train.parquet", "data.val_files": folder / "validation.parquet"}
    places = {
        "actor_rollout_ref.rollout.agent.agent_loop_config_path": folder / "loops.yaml",
        "hydra.run.dir": folder / "hydra",
        "trainer.default_local_dir": folder / "checkpoints",
        "actor_rollout_ref.model.path": model,
    }
    given = {**ON_A_CPU, **SETTINGS, **files, **places, **settings}
    environment = {
        **os.environ,
        **ENVIRONMENT,
        "PYTHONPATH": os.pathsep.join(map(str, (HERE, *paths))),
        "VERL_FILE_LOGGER_PATH": str(folder / "log.jsonl"),
        "WATCHED": str(folder),
    }
    command = [sys.executable, "-m", "verl.trainer.main_ppo", *(f"{name}={value}" for name, value in given.items())]
    with (folder / "output").open("w") as output, TemporaryDirectory(prefix="v", ignore_cleanup_errors=True) as ray:
        environment["RAY_TMPDIR"] = ray  # whose sockets need a short path
        done = subprocess.run(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, timeout=seconds, check=False
        )
    text = (folder / "output").read_text(errors="replace")
    if done.returncode:
        raise RuntimeError(f"verl ended with status {done.returncode}:\n{text[-6000:]}")
    return Run(folder, text)
