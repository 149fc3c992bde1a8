"""What a budget adds to a sampling step: the processor's own time, kept on the device and kept by a host.

    python benchmarks/processor_step.py                    # a table, and results/processor_step.json; two minutes
    python benchmarks/processor_step.py --device cuda      # on a GPU, where no step may wait for it
    python benchmarks/processor_step.py --quick            # a smoke test, nothing written

256 sequences under separate budgets, with a vocabulary of 152,064, think, are closed, two or three in each step, and
answer. The ids of each step are made beforehand, and both sides are fed the same:

    tables         `integrations.tables`, as vLLM's model runner V2 uses them
    rows           a `Row` for each, which waits for the ids: what is done for sequences that only a host can follow
    logits pass    the largest logit of each row, which reads all of them once

Microseconds a step: of the processor (CPU time, in which nothing is computed for the model), and of the GPU, where the
steps stand in a queue behind one another, so that it never waits for the processor. Medians over the repeats.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from provenance import provenance
from rich.console import Console
from rich.table import Table

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.delimiter import TokenDelimiter
from elastic_reasoning.core.explorer import automaton_of
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.template import Prompt, Template, Thinking
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.integrations.edits import LogitEdits
from elastic_reasoning.integrations.row import Row
from elastic_reasoning.integrations.tables import Tables

RESULTS = Path(__file__).parent / "results" / "processor_step.json"
NUM_ROWS, NUM_IDS, NUM_STEPS, NUM_REPEATS = 256, 152_064, 96, 7
OPENING, CLOSING, END, OTHER_END, WORD = 151_667, 151_668, 151_645, 151_643, 100
PROMPT = 20
SLEEP_CYCLES = 400_000_000
"""For which a GPU is kept busy while the steps are put into its queue, a quarter of a second or so."""
NUM_QUEUED = 12
"""Steps that fit into its queue."""


def template(num_ids: int) -> Template:
    """Qwen3's delimiters and ends, in a vocabulary of any size."""
    opening, closing, end, other = (token % num_ids for token in (OPENING, CLOSING, END, OTHER_END))
    return Template(
        TokenDelimiter("<think>", (opening,)),
        TokenDelimiter("</think>", (closing,)),
        frozenset((end, other)),
        num_ids,
        encode=lambda text: (),
        decode=lambda ids: "",
    )


def walks(model: Template, num_rows: int, num_steps: int) -> list[Walk]:
    """A request for each row, one or a few of which close in each step; none is over."""
    prompt = Prompt((WORD,) * PROMPT, Thinking.OPEN)
    budgets = [Budget(1 + n * num_steps // num_rows, num_steps) for n in range(num_rows)]
    return [Walk(Request(prompt, budget), model, 4096) for budget in budgets]


def emitted(model: Template, num_rows: int, num_steps: int) -> list[list[int]]:
    """The ids of each step `[steps, rows]`: a word, or what is forced."""
    rows = [Row(walk, [], min(model.eos)) for walk in walks(model, num_rows, num_steps)]
    steps = []
    for _ in range(num_steps):
        for row in rows:
            row.advance()
            row.output.append(WORD if row.forced is None else row.forced)
        steps.append([row.output[-1] for row in rows])
    return steps


Step = Callable[[int], None]
"""The processor's part of a step, by its number."""


def tables(model: Template, num_rows: int, ids: torch.Tensor, logits: torch.Tensor) -> Step:
    """What is done for sequences that have an automaton."""
    kept = Tables(num_rows, 0, model, model.num_tokens, logits.device)
    for slot, walk in enumerate(walks(model, num_rows, len(ids))):
        automaton = automaton_of(walk, min(model.eos))
        assert automaton is not None
        kept.enter(slot, automaton, PROMPT, [], 1.0)
    kept.flush()
    slots_np = np.arange(num_rows)
    slots, first = torch.arange(num_rows, device=logits.device), torch.full((num_rows,), PROMPT, device=logits.device)
    positions = [first + step for step in range(len(ids))]  # the runner has made them for the model

    def step(number: int) -> None:
        kept.apply(logits, slots, slots_np, ids[number], positions[number], None)

    return step


def rows(model: Template, num_rows: int, ids: torch.Tensor, logits: torch.Tensor) -> Step:
    """What is done for sequences that a host follows."""
    edits, places = LogitEdits(num_rows), np.arange(num_rows)
    kept = [Row(walk, [], min(model.eos)) for walk in walks(model, num_rows, len(ids))]
    for place, row in enumerate(kept):
        edits.set(place, row, 1.0)

    def step(number: int) -> None:
        fed = ids[number].tolist()
        for place, row in enumerate(kept):
            row.output.append(fed[place])
            if row.advance():
                edits.set(place, row, 1.0)
        edits.apply(logits, places, model.eos)

    return step


def logits_pass(model: Template, num_rows: int, ids: torch.Tensor, logits: torch.Tensor) -> Step:
    """One look at all logits."""

    def step(number: int) -> None:
        logits.amax(dim=1)

    return step


SIDES = {"tables": tables, "rows": rows, "logits pass": logits_pass}


def measure(device: str, num_rows: int, num_ids: int, num_steps: int, num_repeats: int) -> dict[str, dict[str, float]]:
    """Microseconds a step of each side, by whose they are."""
    model = template(num_ids)
    ids = torch.tensor(emitted(model, num_rows, num_steps), dtype=torch.int32, device=device)
    logits = torch.zeros(num_rows, num_ids, device=device)
    spent: dict[str, list[dict[str, float]]] = {name: [] for name in SIDES}
    for repeat in range(num_repeats + 1):
        for name, side in SIDES.items():
            logits.zero_()
            step = side(model, num_rows, ids, logits)
            with refusing_to_wait(name == "tables" and device == "cuda"):
                found = {"cpu": cpu_microseconds(step, num_steps)}
            if device == "cuda":
                found["gpu"] = gpu_microseconds(side(model, num_rows, ids, logits), name == "rows")
            if repeat:  # the first time warms up
                spent[name].append(found)
    return {
        name: {whose: round(median(one[whose] for one in found), 1) for whose in found[0]}
        for name, found in spent.items()
    }


@contextmanager
def refusing_to_wait(refused: bool) -> Iterator[None]:
    """An error of torch's wherever the processor would wait for the GPU."""
    torch.cuda.set_sync_debug_mode("error") if refused else None
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default") if refused else None


def cpu_microseconds(step: Step, num_steps: int) -> float:
    began = time.process_time()
    for number in range(num_steps):
        step(number)
    return (time.process_time() - began) / num_steps * 1e6


def gpu_microseconds(step: Step, waits: bool) -> float:
    """Of the GPU alone; of a side that waits, with its waiting."""
    torch.cuda.synchronize()
    if not waits:
        torch.cuda._sleep(SLEEP_CYCLES)
    began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    began.record()
    for number in range(NUM_QUEUED):
        step(number)
    ended.record()
    ended.synchronize()
    return float(began.elapsed_time(ended)) / NUM_QUEUED * 1e3


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--quick", action="store_true", help="a small size, and nothing written")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the figures of other devices are kept too")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    size = (8, 500, NUM_QUEUED, 1) if chosen.quick else (NUM_ROWS, NUM_IDS, NUM_STEPS, NUM_REPEATS)
    figures = measure(chosen.device, *size)
    show(figures, chosen.device)
    if not chosen.quick:
        made = {**provenance(), "card": card(chosen.device), "num_rows": NUM_ROWS, "num_ids": NUM_IDS}
        report: dict[str, Any] = json.loads(chosen.out.read_text()) if chosen.out.exists() else {}
        report[chosen.device] = {**made, "microseconds": figures}
        chosen.out.write_text(json.dumps(report, indent=1) + "\n")


def card(device: str) -> str | None:
    return torch.cuda.get_device_name() if device == "cuda" else None


def show(figures: dict[str, dict[str, float]], device: str) -> None:
    table = Table(title=f"microseconds a step, {device}")
    for column in ("", "processor", "GPU"):
        table.add_column(column, justify="right" if column else "left")
    for name, found in figures.items():
        table.add_row(name, *(f"{found[whose]:,.0f}" if whose in found else "–" for whose in ("cpu", "gpu")))
    Console().print(table)


if __name__ == "__main__":
    main()
