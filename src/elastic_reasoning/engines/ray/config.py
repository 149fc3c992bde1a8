"""How workers on a Ray cluster are started."""

import json
import os
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.untrusted.json import MalformedError
from elastic_reasoning.untrusted.yaml import load_yaml

ADDRESS = "RAY_ADDRESS"
"""The environment variable that names a cluster."""
LOCAL = "local"
"""Of an address: a cluster of this machine alone, for as long as the command runs."""
TO = ".."
"""Between the bounds of how many workers there are."""


@dataclass(frozen=True)
class RaySettings:
    """Workers on a Ray cluster (engine ray)."""

    engine: str = "transformers"
    """What runs the models on each worker: transformers, vllm, openai, or my.py:open_engine."""
    address: str = ""
    """The cluster: HOST:PORT, ray://HOST:10001, auto for the one of this machine, or local for a new one; if empty,
    what RAY_ADDRESS says, else local.
    """
    workers: str = ""
    """How many workers: 4, or bounds as 1..8; if empty, as many as there is room for, also where nodes join later.
    Engine openai has one for each server.
    """
    num_cpus: float = 1.0
    """Processors of each worker, which computes in as many threads."""
    num_gpus: float = 0.0
    """GPUs of each worker; of vLLM with tensor parallelism, all of them."""
    resources: dict[str, float] = field(default_factory=dict)
    """Other resources of a worker by name, as {"TPU": 4}."""
    spread: bool = False
    """Let the GPUs of one worker lie on several nodes; vLLM then starts its ranks through Ray."""
    runtime_env: str = ""
    """Ray's runtime environment of the workers: JSON, or a .json or .yaml file, as {"working_dir": "."}."""
    chunk: int = 0
    """Problems that a worker is given at once; 0 for as many as keep its engine busy."""
    price_per_hour: float = 0.0
    """What a worker costs in an hour, to show the cost so far."""

    def __post_init__(self) -> None:
        _ = self.bounds
        if not (isfinite(self.num_cpus) and self.num_cpus >= 0 and isfinite(self.num_gpus) and self.num_gpus >= 0):
            raise UsageError(f"ray.num_cpus {self.num_cpus}, ray.num_gpus {self.num_gpus}: must be 0 or more")
        if self.spread and (self.num_gpus < 1 or self.num_gpus != int(self.num_gpus)):
            raise UsageError(f"ray.num_gpus {self.num_gpus:g}: must be 1 or more, and whole, where ray.spread is on")
        if self.chunk < 0:
            raise UsageError(f"ray.chunk {self.chunk}: must be 0 (as many as keep an engine busy) or more")
        if not (isfinite(self.price_per_hour) and self.price_per_hour >= 0):
            raise UsageError(f"ray.price_per_hour {self.price_per_hour}: must be 0 or more")

    @property
    def bounds(self) -> tuple[int, int | None]:
        """The fewest and the most workers; `None` where only the cluster bounds them.

        Raises:
            UsageError: they are no bounds.
        """
        low, to, high = self.workers.partition(TO)
        try:
            fewest = int(low or 1)
            most = int(high) if high else None if to or not low else fewest
        except ValueError:
            fewest, most = 0, 0
        if fewest < 1 or (most is not None and most < fewest):
            raise UsageError(f"ray.workers {self.workers!r}: give a number as 4, or bounds as 1..8")
        return fewest, most

    @property
    def where(self) -> str:
        """The address of the cluster."""
        return self.address or os.environ.get(ADDRESS, "") or LOCAL

    @property
    def environment(self) -> dict[str, Any]:
        """Ray's runtime environment, as a mapping.

        Raises:
            UsageError: it cannot be read.
        """
        text = self.runtime_env.strip()
        if not text:
            return {}
        try:
            found = load_yaml(text if text.startswith("{") else Path(text).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, MalformedError) as error:
            raise UsageError(f"ray.runtime_env {self.runtime_env!r} cannot be read: {error}") from None
        if not isinstance(found, dict):
            raise UsageError(f"ray.runtime_env {self.runtime_env!r}: must be a mapping, as {json.dumps(EXAMPLE)}")
        return found


EXAMPLE = {"working_dir": ".", "env_vars": {"HF_HOME": "/shared/hf"}}
