"""What a budget adds to a sampling step: the processor's own time, kept on the device and kept by a host.

    python benchmarks/processor_step.py                    # a table, and results/processor_step.json; half a minute
    python benchmarks/processor_step.py --device cuda      # on a GPU, where no step may wait for it
    python benchmarks/processor_step.py --quick            # a smoke test; written where --out says where to

256 sequences under separate budgets, with a vocabulary of 152,064, think, are closed, two or three in each step, and
answer. The ids of each step are made beforehand, and both sides are fed the same:

    tables         `integrations.tables`, as vLLM's model runner V2 uses them: on a GPU one kernel
    operations     the same by tensor operations, a side of its own on a GPU: all that a CPU has
    rows           a `Row` for each, which waits for its last id: what is done for sequences that only a host can follow
    logits pass    the largest logit of each row, which reads all of them once

Microseconds a step: of the processor (CPU time, in which nothing is computed for the model), and of the GPU, where the
steps stand in a queue behind one another, so that it never waits for the processor. Medians over the repeats. A side
that fails is said to, and does not stop the others.
"""

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from provenance import provenance
from rich.console import Console
from rich.table import Table

from elastic_reasoning.core.automaton import Automaton
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.delimiter import TokenDelimiter
from elastic_reasoning.core.explorer import automaton_of
from elastic_reasoning.core.request import Request
from elastic_reasoning.core.template import Prompt, Template, Thinking
from elastic_reasoning.core.walk import Walk
from elastic_reasoning.integrations.copies import LastIds
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


def automata(model: Template, num_rows: int, num_steps: int) -> list[Automaton]:
    """What each row may do."""
    made = [automaton_of(walk, min(model.eos)) for walk in walks(model, num_rows, num_steps)]
    return [automaton for automaton in made if automaton is not None]


def tables(made: list[Automaton], model: Template, ids: torch.Tensor, logits: torch.Tensor, by_kernel: bool) -> Step:
    """What is done for sequences that have an automaton."""
    num_rows = len(made)
    kept = Tables(num_rows, 0, model, model.num_tokens, logits.device, by_kernel)
    for slot, automaton in enumerate(made):
        kept.enter(slot, automaton, PROMPT, [], 1.0)
    kept.flush()
    slots_np = np.arange(num_rows)
    slots, first = torch.arange(num_rows, device=logits.device), torch.full((num_rows,), PROMPT, device=logits.device)
    positions = [first + step for step in range(len(ids))]  # the runner has made them for the model

    def step(number: int) -> None:
        kept.apply(logits, slots, slots_np, ids[number], positions[number], None)

    return step


def rows(model: Template, ids: torch.Tensor, logits: torch.Tensor) -> Step:
    """What is done for sequences that a host follows."""
    num_rows = len(logits)
    edits, places = LogitEdits(num_rows, model.eos), np.arange(num_rows)
    kept = [Row(walk, [], min(model.eos)) for walk in walks(model, num_rows, len(ids))]
    waits = [(row.output, row.wakes_at, row.watch) for row in kept]
    for place, row in enumerate(kept):
        edits.set(place, row, 1.0)
    num_ids = torch.zeros(num_rows, dtype=ids.dtype, device=ids.device)
    last, slots = LastIds(ids.T, num_ids), list(range(num_rows))

    def step(number: int) -> None:
        num_ids.add_(1)  # the runner does it in a kernel of its own
        last.ask(slots)
        fed = last.wait()
        for place, row in enumerate(kept):
            row.output.append(fed[place][1])
        due = [at for at, (ids, wakes_at, watch) in enumerate(waits) if len(ids) >= wakes_at or ids[-1] in watch]
        for place in due:
            row = kept[place]
            if row.advance():
                edits.set(place, row, 1.0)
            waits[place] = row.output, row.wakes_at, row.watch
        edits.apply(logits, places)

    return step


def logits_pass(logits: torch.Tensor) -> Step:
    """One look at all logits."""

    def step(number: int) -> None:
        logits.amax(dim=1)

    return step


@dataclass(frozen=True)
class Side:
    """One way.

    Attributes:
        begin: makes its step, with what it keeps.
        waits: whether it waits for the GPU.
    """

    begin: Callable[[], Step]
    waits: bool = False


def sides(model: Template, ids: torch.Tensor, logits: torch.Tensor) -> dict[str, Side]:
    """All ways, by name."""
    on_gpu = logits.device.type == "cuda"
    made = automata(model, len(logits), len(ids))
    found = {
        "tables": Side(partial(tables, made, model, ids, logits, on_gpu)),
        "operations": Side(partial(tables, made, model, ids, logits, False)),
        "logits pass": Side(partial(logits_pass, logits)),
        "rows": Side(partial(rows, model, ids, logits), waits=True),
    }
    return found if on_gpu else {name: side for name, side in found.items() if name != "operations"}


Figures = dict[str, dict[str, float | str]]
"""Microseconds a step of each side, by whose they are; or its error."""


def measure(device: str, num_rows: int, num_ids: int, num_steps: int, num_repeats: int) -> Iterator[Figures]:
    """What is known after each repeat."""
    model = template(num_ids)
    ids = torch.tensor(emitted(model, num_rows, num_steps), dtype=torch.int32, device=device)
    logits = torch.zeros(num_rows, num_ids, device=device)
    of_all = sides(model, ids, logits)
    spent: dict[str, list[dict[str, float]]] = {name: [] for name in of_all}
    failed: Figures = {}
    for repeat in range(num_repeats + 1):
        for name, side in of_all.items():
            if name in failed:
                continue
            logits.zero_()
            try:
                found = microseconds(side, device, num_steps)
            except Exception as error:
                traceback.print_exc()
                failed[name] = {"error": f"{type(error).__name__}: {error}"}
                continue
            if repeat:  # the first time warms up
                spent[name].append(found)
        yield {**{name: medians(found) for name, found in spent.items() if found}, **failed}


def medians(found: list[dict[str, float]]) -> dict[str, float | str]:
    return {whose: round(median(one[whose] for one in found), 1) for whose in found[0]}


def microseconds(side: Side, device: str, num_steps: int) -> dict[str, float]:
    """Of one side, by whose they are."""
    step = side.begin()
    if device == "cpu":
        return {"cpu": cpu_microseconds(step, num_steps)}
    torch.cuda.synchronize()
    with refusing_to_wait(not side.waits):
        cpu = cpu_microseconds(step, num_steps)
    return {"cpu": cpu, "gpu": gpu_microseconds(side.begin(), side.waits)}


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


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--quick", action="store_true", help="a small size")
    parser.add_argument("--out", type=Path, help=f"{RESULTS.name}; figures of other devices in it are kept")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    size = (8, 500, NUM_QUEUED, 1) if chosen.quick else (NUM_ROWS, NUM_IDS, NUM_STEPS, NUM_REPEATS)
    out = chosen.out or (None if chosen.quick else RESULTS)
    report: dict[str, Any] = json.loads(out.read_text()) if out is not None and out.exists() else {}
    made = {**provenance(), "card": card(chosen.device), "num_rows": size[0], "num_ids": size[1]}
    for figures in measure(chosen.device, *size):
        if out is not None:  # after each repeat, as it may be ended before its time
            out.write_text(json.dumps({**report, chosen.device: {**made, "microseconds": figures}}, indent=1) + "\n")
    show(figures, chosen.device)
    return 1 if any("error" in found for found in figures.values()) else 0


def card(device: str) -> str | None:
    return torch.cuda.get_device_name() if device == "cuda" else None


def show(figures: Figures, device: str) -> None:
    table = Table(title=f"microseconds a step, {device}")
    for column in ("", "processor", "GPU"):
        table.add_column(column, justify="right" if column else "left")
    for name, found in figures.items():
        table.add_row(name, *(f"{found[whose]:,.0f}" if whose in found else "–" for whose in ("cpu", "gpu")))
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
