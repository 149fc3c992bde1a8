"""What the check of a GPU writes becomes the tables of the pages, also where a part came to no end."""

from typing import Any

import cells
import engine_tables
import gpu_tables
import readme

from elastic_reasoning.training.clock import PHASES

CHECK = {"part": "training", "date": "2026-12-01T10:00:00+00:00", "card": "A card", "status": None, "seconds": 90.2}
MEASURED: dict[str, Any] = {
    "date": CHECK["date"],
    "machine": {"processor": "A processor", "cores": 2, "threads": 1},
    "versions": {"torch": "2.11", "transformers": "5.17"},
    "check": {**CHECK, "status": 0},
}


def test_a_part_that_came_to_nothing_says_so() -> None:
    assert gpu_tables.unfinished({"check": CHECK}) == (
        "Not measured: its time was over after 90.2 s (2026-12-01, A card)."
    )
    assert "ended with status 3" in gpu_tables.unfinished({"check": {**CHECK, "status": 3}})


def test_the_card_stands_where_the_processor_does_elsewhere() -> None:
    assert cells.measured(MEASURED) == "2026-12-01, A card, torch 2.11, transformers 5.17"
    assert readme.on_gpu(lambda report: "a table")(MEASURED).startswith("a table\n\n2026-12-01, A card")


def test_what_was_cut_short_says_so_behind_its_table() -> None:
    told = cells.measured({**MEASURED, "check": CHECK})
    assert told.endswith("; its time was over after 90 s: what is missing was not measured")
    assert engine_tables.repeats_of({"num_repeats": 1}) == "One repeat."


def test_a_step_on_a_gpu_is_told_with_its_memory_beside_what_was_said() -> None:
    typical = {f"{name}_seconds": 1.0 for name in ("step", *PHASES)}
    said = {"generating": 2 * 2**30, "optimising": 4 * 2**30}
    peaks = {"generating_peak_bytes": 2**30, "optimising_peak_bytes": 5 * 2**30}
    layout = {"layout": "whole", "num_steps": 3, "dry_run": said}
    over = {"generating": 0.5, "optimising": 1.25}
    on_card = {**layout, "typical": typical | peaks, "measured_over_said": over}
    on_processor = {**layout, "typical": typical, "measured_over_said": {}}
    size = dict.fromkeys(("num_layers", "hidden", "prompts_per_step", "samples_per_prompt", "micro_batch_size"), 8)
    table = gpu_tables.training(
        {"size": {**size, "budget": "8+4"}, "most_over": 1.1, "layouts": [on_card, on_processor]}
    )
    assert "| 1.00 (2.00) | 5.00 (4.00) (**missed**) |" in table
    assert "| not counted (2.00) | not counted (4.00) |" in table


def test_a_step_is_told_with_its_parts_beside_what_is_reached() -> None:
    parts = {"step_ms": 2.0, "model_ms": 1.75, "draw_ms": 0.125, "launch_ms": 1.0, "prefill_ms": 8.0}
    kernels = [["nvjet_one", 28.0, 1.0], ["attention", 28.0, 0.25], ["cutlass::other", 1.0, 0.5]]
    table = gpu_tables.steps(
        {
            "figures": [{"model": "some rows", "name": "one length / bandwidth", "value": 0.4, "target": 0.5}],
            "profiles": [{"name": "some rows", "fused": True, "columns": 78, "kernels": kernels, **parts}],
        }
    )
    last = table.splitlines()[-1]
    assert last == "| some rows, layers fused | 78 | 2.00 | 1.75 | 0.12 | 1.00 | 8.00 | 1.50 | 0.40 (0.5) |  |"
