"""What budgets came to, in verl's log of training: thinking and solution tokens, how often a close was forced, ...

    trainer.v1.sampler.custom_sampler.path=pkg://elastic_reasoning.integrations.verl.metrics
    trainer.v1.sampler.custom_sampler.name=MeasuredReplayBuffer

verl logs what its sampler says beside a batch. This sampler takes the batch that verl's own would, and adds the means
of what our agent loop and reward function have told of its rollouts, as `elastic/thinking_tokens` and so on. Of
validation verl logs by itself what a reward function returns.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import transfer_queue
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer, ReplayBufferAsync

from elastic_reasoning.rollouts.measures import mean_measures

PREFIX = "elastic/"
TRAINING = "train"
"""verl's name for what is learnt from."""


def log_of(extra_fields: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The means over a batch's rollouts, by the names of the log."""
    measures = [_measures(fields) for fields in extra_fields]
    return {f"{PREFIX}{name}": value for name, value in mean_measures(measures).items()}


def _measures(fields: Mapping[str, Any]) -> dict[str, float]:
    """What is told of a rollout by the loop and by the reward function, whose score verl logs itself."""
    told = {**fields.get("measures", {}), **fields.get("reward_extra_info", {})}
    numbers = {name: float(value) for name, value in told.items() if isinstance(value, int | float)}
    return {name: value for name, value in numbers.items() if name not in ("score", "acc")}


def _measured(batch: Any) -> dict[str, float]:
    told = transfer_queue.kv_batch_get(
        keys=batch.keys, partition_id=batch.partition_id, select_fields=["extra_fields"]
    )["extra_fields"]
    return log_of([getattr(fields, "data", fields) for fields in told])


class MeasuredReplayBuffer(ReplayBuffer):
    """verl's sampler of the trainer mode `sync`, with measures.

    Args:
        sampler_kwargs: arguments of verl's own that it gives to no sampler named in a configuration, such as
            `poll_interval` or `filter_groups_metric`.
        given: what verl gives it.
    """

    def __init__(self, *, sampler_kwargs: Mapping[str, Any] | None = None, **given: Any) -> None:
        super().__init__(sampler_kwargs=sampler_kwargs, **given, **(sampler_kwargs or {}))

    def sample(self, global_steps: int, partition_id: str, batch_size: int) -> tuple[Any, dict[str, float]]:
        """A batch as verl's own has it, and what is logged beside it."""
        batch, metrics = super().sample(global_steps, partition_id, batch_size)
        return batch, metrics | (_measured(batch) if partition_id == TRAINING else {})


class MeasuredReplayBufferAsync(ReplayBufferAsync):
    """The same for the asynchronous trainer modes."""

    def __init__(self, *, sampler_kwargs: Mapping[str, Any] | None = None, **given: Any) -> None:
        super().__init__(sampler_kwargs=sampler_kwargs, **given, **(sampler_kwargs or {}))

    def sample(self, global_steps: int, partition_id: str, batch_size: int) -> tuple[Any, dict[str, float]]:
        """See `MeasuredReplayBuffer.sample`."""
        batch, metrics = super().sample(global_steps, partition_id, batch_size)
        return batch, metrics | (_measured(batch) if partition_id == TRAINING else {})
