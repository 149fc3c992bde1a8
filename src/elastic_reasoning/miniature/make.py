"""Both shipped models from nothing: the warm-up, then E1 training on top of it.

    python -m elastic_reasoning.miniature.make runs/models          # the pair of the recipes, in three minutes
    python -m elastic_reasoning.miniature.make runs/models --ship   # ... and into the package, with a note

The pair is decided by its seed, the number of threads and the machine's arithmetic: one thread on the same kind of
machine makes the same bytes, another kind a pair that differs as another seed's does.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import torch
import yaml
from transformers import AutoModelForCausalLM

from elastic_reasoning.core.configuration import leaves, with_values
from elastic_reasoning.engines.names import SHIPPED
from elastic_reasoning.engines.remote_code import from_pretrained
from elastic_reasoning.miniature.warmup import WarmupConfig, save_model, warm_up
from elastic_reasoning.records.manifest import source_commit
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.provenance import FILE
from elastic_reasoning.training.trl.grpo import train

Config = TypeVar("Config", WarmupConfig, TrainConfig)
OnStep = Callable[[str, int, int], None]
"""(what is being made, step, of how many)"""


def recipe(config_class: type[Config], name: str) -> Config:
    """A shipped recipe."""
    text = (files("elastic_reasoning.recipes") / f"{name}.yaml").read_text(encoding="utf-8")
    given, usual = yaml.safe_load(text), config_class()
    return with_values(usual, {leaf.key: _given(given, leaf.key, leaf.default) for leaf in leaves(usual)})


def _given(values: Any, key: str, default: Any) -> Any:
    """A value of a recipe by its name, as `vllm.sleep`."""
    for part in key.split("."):
        if part not in values:
            return default
        values = values[part]
    return tuple(values) if isinstance(values, list) else values


def make_pair(
    out: Path,
    seed: int = 0,
    on_step: OnStep = lambda what, step, num_steps: None,
    warmup: WarmupConfig | None = None,
    training: TrainConfig | None = None,
) -> tuple[Path, Path]:
    """Make the base and the E1 model, or what is missing of them.

    Args:
        out: folder for both; what an interrupted call finished is kept.
        seed: of the warm-up and of training.
        on_step: called after every step.
        warmup, training: how they are made; as the shipped recipes say if not given.

    Returns:
        The folders of the base and of the E1 model.
    """
    base = make_base(out, seed, on_step, warmup)
    config = replace(training or recipe(TrainConfig, "mini-e1"), model=str(base), out=str(out / "e1"), seed=seed)
    trained = train(config, lambda step, metrics: on_step("E1 training", step, config.steps)).folder
    model = from_pretrained(AutoModelForCausalLM, str(trained), dtype=torch.float32)
    shutil.rmtree(out / "e1-model", ignore_errors=True)
    save_model(model, out / "e1-model")
    shutil.copy(trained / FILE, out / "e1-model")
    return base, out / "e1-model"


def make_base(
    out: Path,
    seed: int,
    on_step: OnStep = lambda what, step, num_steps: None,
    warmup: WarmupConfig | None = None,
) -> Path:
    """Warm the base up, unless it is there."""
    warmup = replace(warmup or recipe(WarmupConfig, "mini"), seed=seed)
    base = out / "base"
    if not base.exists():
        out.mkdir(parents=True, exist_ok=True)
        warm_up(warmup, base, lambda step, loss: on_step("warm-up", step, warmup.num_steps))
    return base


def ship(pair: tuple[Path, Path], command: str) -> None:
    """Put a pair into the package, with a note of where it comes from."""
    models = Path(str(files("elastic_reasoning"))) / "miniature" / "models"
    for name, folder in zip(SHIPPED, pair, strict=True):
        shutil.rmtree(models / name, ignore_errors=True)
        shutil.copytree(folder, models / name)
    note = {
        "command": command,
        "commit": source_commit(),
        "recipes": ["recipes/mini.yaml", "recipes/mini-e1.yaml"],
        "threads": torch.get_num_threads(),
        "versions": {name: version(name) for name in ("torch", "transformers", "trl")},
    }
    (models / "MADE.json").write_text(json.dumps(note, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Make the pair from the command line."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m elastic_reasoning.miniature.make", description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the two models")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ship", action="store_true", help="put them into the package, with a note")
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    def show(what: str, step: int, num_steps: int) -> None:
        if step % 50 == 0 or step == num_steps:
            print(f"{what}: {step} of {num_steps}", flush=True)

    pair = make_pair(arguments.out, arguments.seed, show)
    print(f"base: {pair[0]}\nE1:   {pair[1]}")
    if arguments.ship:
        seed = f" --seed {arguments.seed}" if arguments.seed else ""
        ship(pair, f"python -m elastic_reasoning.miniature.make OUT{seed} --ship")


if __name__ == "__main__":
    main()
