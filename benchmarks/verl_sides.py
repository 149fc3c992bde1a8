"""What a run of benchmarks/verl_rollouts.py has verl load: rollouts without a budget, and a clock for each batch."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import transfer_queue
from verl.experimental.agent_loop.single_turn_agent_loop import SingleTurnAgentLoop
from verl.utils.tokenizer import continuous_token_wiring

from elastic_reasoning.integrations.verl.metrics import MeasuredReplayBuffer

MAKING = ("VLLM::", "ray::vLLMHttpServer", "ray::AgentLoopWorker")
"""How the processes are called that rollouts are made by."""

continuous_token_wiring.logger.setLevel("ERROR")  # it would warn at every rollout of the builder, and be dearer by that


class PlainLoop(SingleTurnAgentLoop):
    """verl's own loop of one turn, without the builder of prompts that wants tokens the miniature does not have."""

    def __init__(self, *arguments: Any, name: str, hf_model_type: str | None, **keywords: Any) -> None:
        super().__init__(*arguments, hf_model_type=None, **keywords)


class Clocked(MeasuredReplayBuffer):
    """Writes down what the processes that make rollouts have spent when a batch is there, and what it holds."""

    def sample(self, global_steps: int, partition_id: str, batch_size: int) -> tuple[Any, dict[str, float]]:
        batch, metrics = super().sample(global_steps, partition_id, batch_size)
        data = transfer_queue.kv_batch_get(
            keys=batch.keys, partition_id=partition_id, select_fields=["responses", "extra_info"]
        )
        (side,) = {str(getattr(info, "data", info)["side"]) for info in data["extra_info"]}
        line = {"side": side, "tokens": sum(len(ids) for ids in data["responses"]), "seconds": sum(spent())}
        with (Path(os.environ["WATCHED"]) / "clock.jsonl").open("a") as clock:
            clock.write(json.dumps(line) + "\n")
        return batch, metrics


def spent() -> Iterator[float]:
    """Seconds of processor time of each process that makes rollouts."""
    for process in psutil.process_iter():
        try:
            if process.environ().get("WATCHED") == os.environ["WATCHED"] and _makes(process):
                times = process.cpu_times()
                yield times.user + times.system
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue


def _makes(process: psutil.Process) -> bool:
    title = " ".join(process.cmdline())
    return any(name in title for name in MAKING)
