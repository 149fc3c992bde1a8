"""Whether a model fits on devices, over how many it must be split, how many rows run at once, and how fast.

fit = fit_model(architecture, device, num_devices=8, width=2, tokens_per_row=4096, max_rows=256)
fit.tensor_parallel, fit.rows, fit.num_copies
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from elastic_reasoning.planning.hardware import Device
from elastic_reasoning.planning.pace import Pace
from elastic_reasoning.training.dry_run.architecture import Architecture

USABLE = 0.9
"""Share of a device's memory that weights and cache may take, vLLM's default (gpu_memory_utilization)."""
MOST_SPLIT = 7
"""A copy is split over fewer devices than 2 to this."""
BANDWIDTH_SHARE = 0.7
FLOPS_SHARE = 0.5
"""What is reached of the data sheet's bandwidth and operations: assumed, which --measure replaces."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How a model lies on devices.

    Attributes:
        weights: bytes of a whole copy.
        weights_each: bytes of them that a device of a copy holds; `None` where no number of devices does.
        cache_per_token: bytes of keys and values.
        cache: bytes for all rows of a copy.
        tensor_parallel: devices of a copy; `None` where no number of them does.
        num_copies: that run side by side.
        rows: sequences that a copy runs together.
        share: of a device's memory that is then taken; `None` where its memory is not known.
    """

    weights: int
    weights_each: int | None
    cache_per_token: int
    cache: int
    tensor_parallel: int | None
    num_copies: int
    rows: int
    share: float | None


def fit_model(
    architecture: Architecture,
    device: Device,
    num_devices: int,
    width: int,
    tokens_per_row: int,
    max_rows: int,
    tensor_parallel: int | None = None,
    num_whole: int = 0,
) -> Fit:
    """Lay a model out over devices.

    Weights are split evenly over 1, 2, 4, ... devices, but for those that each of them holds whole, and so is the
    cache, as far as there are heads of keys and values: what more devices there are hold them again.

    Args:
        architecture: of the model.
        device: its memory; where that is not known, everything is taken to fit.
        num_devices: in all.
        width: bytes of a weight, and of a number in the cache.
        tokens_per_row: of a sequence: of the longest, where each row has a cache of that length; else on average.
        max_rows: sequences that the engine would run together.
        tensor_parallel: devices of a copy; those that read the fewest bytes for a token if not given.
        num_whole: parameters that each device of a copy holds whole.
    """
    weights, per_token = architecture.num_parameters * width, architecture.cache_per_token(width)

    def held(split: int) -> int:
        """Bytes of weights on all devices of a copy."""
        return weights + (split - 1) * num_whole * width

    row = per_token * tokens_per_row
    if device.memory is None:
        found: int | None = tensor_parallel or 1
        rows, share = max_rows, None
    else:
        powers = [2**n for n in range(MOST_SPLIT) if architecture.num_heads % 2**n == 0]
        splits = [tensor_parallel] if tensor_parallel else powers
        room = {split: USABLE * device.memory * split - held(split) for split in splits}
        most = {split: int(free // (row * _replicas(architecture, split))) for split, free in room.items()}
        found = _best(most, num_devices, max_rows, weights, row)
        rows = min(max_rows, most[found]) if found else 0
        taken = held(found) + rows * row * _replicas(architecture, found) if found else 0
        share = taken / (device.memory * found) if found else None
    num_copies = num_devices // found if found else 0
    weights_each = math.ceil(held(found) / found) if found else None
    return Fit(weights, weights_each, per_token, rows * row, found, num_copies, rows, share)


def _best(most: Mapping[int, int], num_devices: int, max_rows: int, weights: int, row: int) -> int | None:
    """Over how many devices to split: where the fewest bytes are read for a token, with all copies together.

    Args:
        most: rows that fit, by the devices of a copy.
        num_devices, max_rows, weights: as for `fit_model`.
        row: bytes of a row's cache.

    Returns:
        The fewest that hold it, where there are not so many devices; `None` where no number of them does.
    """

    def rate(split: int) -> float:
        rows = min(max_rows, most[split])
        return (num_devices // split) * split * rows / (weights + rows * row)

    holding = [split for split, num in most.items() if num > 0]
    there = [split for split in holding if split <= num_devices]
    return max(there, key=rate) if there else min(holding, default=None)


def _replicas(architecture: Architecture, split: int) -> float:
    """How often a copy over so many devices holds each head of keys and values."""
    return max(1.0, split / architecture.num_kv_heads)


def pace_of(architecture: Architecture, device: Device, fit: Fit, mean_tokens: float) -> Pace | None:
    """How fast a copy is by its data sheet; `None` where that does not tell, or the model does not fit.

    A step reads all weights and, for each row, its cache; a row takes two operations for each weight, and so does
    every token of a prompt (Kaplan et al. 2020, arXiv 2001.08361, section 2.1). Reading and computing are added up.

    Args:
        architecture, device, fit: of the model.
        mean_tokens: in the cache of a row, on average.
    """
    if fit.tensor_parallel is None or not device.bandwidth or not device.flops:
        return None
    bandwidth = device.bandwidth * BANDWIDTH_SHARE * fit.tensor_parallel
    seconds_per_token = 2 * architecture.num_parameters / (device.flops * FLOPS_SHARE * fit.tensor_parallel)
    return Pace(
        step_seconds=fit.weights / bandwidth,
        row_seconds=fit.cache_per_token * mean_tokens / bandwidth + seconds_per_token,
        prompt_token_seconds=seconds_per_token,
    )
