"""How fast the transformers engine generates with 1.5 billion random parameters in bfloat16: 64 and 256 rows, on a GPU.

    python benchmarks/generation_large.py --device cuda --out large.json
    python benchmarks/generation_large.py --device cuda --out steps.json --steps    # the engine alone
    python benchmarks/generation_large.py --device cpu --quick                      # a smoke test

Beside the figures of `generation.py`:

    one length / generate_batch   one batch of requests of one length, and transformers' continuous batching (on a GPU)
    one length / bandwidth        the same, and what the device could do if a step took no longer than reading all
                                  weights and the keys and values of its rows once

and where a step spends its time (`engine_profile.py`). What is known is written as it comes.
"""

import argparse
import logging
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import torch
import transformers
from engine_profile import Profile, kernels, listed, profile, told
from generation import (
    EOS,
    PAD,
    SOLUTION,
    TARGETS,
    Figure,
    Size,
    by_engine,
    equal_requests,
    measure,
    new_engine,
    new_requests,
    prepared,
    report,
    show,
    speed_of,
    with_budget,
    write,
)
from rich.console import Console

from elastic_reasoning.core.request import Request
from elastic_reasoning.engines.local.engine import TransformersEngine

BATCHED, BOUND = "one length / generate_batch", "one length / bandwidth"
IN_ONE_BATCH = ("budgeted / unbudgeted", "one length / generate", "mixed / two phases")
"""What is compared where all requests are one batch: to sort them would change nothing."""
LARGE_TARGETS = TARGETS | {"mixed / two phases": 5.0, BATCHED: 2.0, BOUND: 0.5}
"""Of the large model on a GPU, where steps are recorded as graphs."""
BEGAN = time.perf_counter()
Write = Callable[[list[Figure], list[Profile]], None]
"""Writes down what is known so far."""


def large_model(quick: bool, device: str) -> Any:
    """Qwen2.5-1.5B's shape (huggingface.co/Qwen/Qwen2.5-1.5B, config.json) with random parameters in bfloat16."""
    layers, width = (2, 64) if quick else (28, 1536)
    config = transformers.Qwen2Config(
        vocab_size=16384 if quick else 151936,
        hidden_size=width,
        intermediate_size=3 * width if quick else 8960,
        num_hidden_layers=layers,
        num_attention_heads=12 if not quick else 4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        pad_token_id=PAD,
        eos_token_id=EOS,
        bos_token_id=None,
    )
    torch.manual_seed(0)
    with torch.device(device):
        return transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).eval()


def batched(model: Any, requests: list[Request]) -> int:
    """Requests of one length by transformers' continuous batching."""
    thinking = requests[0].budget.thinking
    assert thinking is not None
    settings = transformers.GenerationConfig(
        max_new_tokens=thinking + 1 + SOLUTION, do_sample=True, top_k=0, eos_token_id=EOS, pad_token_id=PAD
    )
    made = model.generate_batch([list(r.prompt.ids) for r in requests], settings, progress_bar=False)
    return sum(len(answer.generated_tokens) for answer in made.values())


def bandwidth(device: torch.device, num_bytes: int) -> float:
    """Bytes that a device reads and writes in a second, copying so many: the best of ten times."""
    source = torch.ones(num_bytes, dtype=torch.uint8, device=device)
    target, best = torch.empty_like(source), 0.0
    for _ in range(10):
        float(target[0])  # waits for the device
        start = time.perf_counter()
        target.copy_(source)
        float(target[0])
        best = max(best, 2 * num_bytes / (time.perf_counter() - start))
    return best


def bytes_read(model: Any, requests: list[Request]) -> int:
    """By requests of one length that run together: all weights in every step, and the keys and values so far."""
    config = model.config
    num_steps = (requests[0].budget.thinking or 0) + 1 + SOLUTION
    weights = sum(parameter.nbytes for parameter in model.parameters())
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    token = 2 * config.num_hidden_layers * config.num_key_value_heads * size * model.dtype.itemsize
    seen = sum(num_steps * len(request.prompt.ids) + num_steps * (num_steps - 1) // 2 for request in requests)
    return int(num_steps * weights + token * seen)


def measure_bound(name: str, engine: TransformersEngine, size: Size, quick: bool) -> Figure:
    """The engine's tokens a second beside those that the device's bandwidth allows: the median of three batches."""
    model = engine.model
    equal = equal_requests(size, model.config.vocab_size)
    speeds = [speed_of(lambda: by_engine(engine, equal)) for _ in range(5)]
    ours = median(speeds[2:])  # by then what is compiled and recorded is so
    num_tokens = sum((request.budget.thinking or 0) + 1 + SOLUTION for request in equal)
    possible = num_tokens * bandwidth(model.device, 2**26 if quick else 2**30) / bytes_read(model, equal)
    share, target = ours / possible, LARGE_TARGETS[BOUND]
    return Figure(name, BOUND, ours, possible, share, target, share >= target)


def measure_batched(name: str, engine: TransformersEngine, size: Size, note: Callable[[str], None]) -> list[Figure]:
    """One batch beside transformers' own, once each: it starts a thread and captures graphs. None where it fails."""
    model = engine.model
    equal = equal_requests(size, model.config.vocab_size)
    speeds = []
    for run in (lambda: by_engine(engine, equal), lambda: batched(model, equal)):
        start = time.perf_counter()
        try:
            num_tokens = run()
        except Exception as error:  # its needs differ by version and machine
            note(f"{name}: generate_batch fails: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
            return []
        speeds.append(num_tokens / (time.perf_counter() - start))
    ours, theirs = speeds
    target = LARGE_TARGETS[BATCHED]
    return [Figure(name, BATCHED, ours, theirs, ours / theirs, target, ours >= target * theirs)]


def measure_large(
    device: str, quick: bool, steps: bool, num_repeats: int, note: Callable[[str], None], write: Write
) -> list[Figure]:
    """All figures of the large model, with few rows and with many, written as they come; or the engine's alone."""
    model = prepared(large_model(quick, device))
    note(f"{time.perf_counter() - BEGAN:.0f} s: the model is there")
    figures: list[Figure] = []
    profiles: list[Profile] = []
    sizes = [Size(rows, rows, *((2, 8) if quick else (8, 128)), 1) for rows in ((4, 8) if quick else (64, 256))]
    engines = [new_engine(model, size.num_rows) for size in sizes]
    names = [f"{model.num_parameters() / 1e9:.1f}B random, {size.num_rows} rows" for size in sizes]

    def profiled(name: str, engine: TransformersEngine, size: Size) -> None:
        profiles.append(profile(name, engine, long_requests(size, model.config.vocab_size), 2 if quick else 50))
        note(f"{time.perf_counter() - BEGAN:.0f} s: {told(profiles[-1])}")
        write(figures, profiles)

    if not steps:
        profiled(names[0], new_engine(model, sizes[0].num_rows, fuse_after=None), sizes[0])
    for name, engine, size in zip(names, engines, sizes, strict=True):
        profiled(name, engine, size)
        figures.append(measure_bound(name, engine, size, quick))
        others = () if size is not sizes[0] else ("one alone / generate",)
        compare = IN_ONE_BATCH[:1] if steps else (*IN_ONE_BATCH, *others)
        figures += measure(name, model, size, num_repeats, note, LARGE_TARGETS, engine, compare)
        write(figures, profiles)
        note(f"{time.perf_counter() - BEGAN:.0f} s: {name} are done")
    for name, engine, size, found in zip(names, engines, sizes, profiles[-len(sizes) :], strict=True):
        found.kernels = kernels(engine, long_requests(size, model.config.vocab_size))
        note(f"{time.perf_counter() - BEGAN:.0f} s: {name}\n{listed(found)}")
        write(figures, profiles)
        if model.device.type != "cpu" and not steps:  # where it takes most of the machine's memory for its cache
            figures += measure_batched(name, engine, size, note)
            write(figures, profiles)
    return figures


def long_requests(size: Size, num_tokens: int) -> list[Request]:
    """One batch of requests that go on for long."""
    return [with_budget(request, 1000) for request in new_requests(size, num_tokens)[: size.num_rows]]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--steps", action="store_true", help="what takes time in the engine's steps, nobody else's")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="a smoke test: small sizes")
    parser.add_argument("--out", type=Path, help="the JSON; nothing is written without it")
    chosen = parser.parse_args(arguments)
    transformers.logging.set_verbosity_error()
    logging.basicConfig(format="%(relativeCreated)d ms %(name)s: %(message)s")
    logging.getLogger("elastic_reasoning.engines.local").setLevel(logging.INFO)
    quiet, console = Console(stderr=True), Console(width=120)
    num_repeats = 1 if chosen.quick else chosen.repeats

    def write_so_far(figures: list[Figure], profiles: list[Profile]) -> None:
        if chosen.out:
            found = report(figures, num_repeats)
            write({**found, "profiles": [asdict(one) for one in profiles]}, chosen.out)

    show(measure_large(chosen.device, chosen.quick, chosen.steps, num_repeats, quiet.print, write_so_far), console)


if __name__ == "__main__":
    main()
