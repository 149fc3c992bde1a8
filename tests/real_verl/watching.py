"""The sampler of our log, which also writes down what the trainer is about to learn from."""

import os
from pathlib import Path
from typing import Any

import torch
import transfer_queue

from elastic_reasoning.integrations.verl.metrics import MeasuredReplayBuffer

FIELDS = ("prompts", "responses", "response_mask", "rollout_log_probs", "rm_scores", "extra_fields", "extra_info")


class Watching(MeasuredReplayBuffer):
    """Writes each batch to a file of the folder that WATCHED names: rows as lists, each with its keys."""

    def sample(self, global_steps: int, partition_id: str, batch_size: int) -> tuple[Any, dict[str, float]]:
        batch, metrics = super().sample(global_steps, partition_id, batch_size)
        data = transfer_queue.kv_batch_get(keys=batch.keys, partition_id=partition_id, select_fields=list(FIELDS))
        rows = {name: [plain(each) for each in data[name]] for name in FIELDS if name in data}
        torch.save({"keys": batch.keys, **rows}, Path(os.environ["WATCHED"]) / f"{partition_id}-{global_steps}.pt")
        return batch, metrics


def plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, torch.Tensor) else getattr(value, "data", value)
