"""What a run of benchmarks/verl_rollouts.py has verl load: rollouts without a budget, and a clock for each batch."""

import json
import os
from pathlib import Path
from typing import Any

import psutil
import transfer_queue
from verl.experimental.agent_loop.single_turn_agent_loop import SingleTurnAgentLoop
from verl.utils.tokenizer import continuous_token_wiring

from elastic_reasoning.integrations.verl.metrics import MeasuredReplayBuffer

MAKING = ("VLLM::Worker", "VLLM::EngineCore", "ray::vLLMHttpServer", "ray::AgentLoopWorker")
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
        line = {"side": side, "tokens": sum(len(ids) for ids in data["responses"]), "seconds": spent()}
        with (Path(os.environ["WATCHED"]) / "clock.jsonl").open("a") as clock:
            clock.write(json.dumps(line) + "\n")
        return batch, metrics


def spent() -> dict[str, float]:
    """Seconds of processor time of the processes that make rollouts, by how they are called."""
    found = dict.fromkeys(MAKING, 0.0)
    for process in psutil.process_iter():
        try:
            title, times = " ".join(process.cmdline()), process.cpu_times()
            if process.environ().get("WATCHED") == os.environ["WATCHED"]:
                for name in MAKING:
                    found[name] += (times.user + times.system) * (name in title)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found
