"""Puts what the benchmarks wrote to results/ into the README and docs/, between their markers.

python benchmarks/readme.py
"""

import json
import re
from collections.abc import Callable
from typing import Any

import engine_tables
import gpu_tables
import grading_tables
import miniature_tables
import serving_tables
import smol_tables
import sweep_tables
import training_tables
from cells import RESULTS, measured

ROOT = RESULTS.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

FROM = {"thinking": "phases", "headline": "miniature", "gpu_smol_headline": "gpu_smol"}
"""Blocks that are made from the results of another one."""


def filled(text: str) -> str:
    """A page with every marked block made from the results."""
    for name, block in {
        "headline": miniature_tables.headline,
        "miniature": miniature_tables.miniature,
        "generation": engine_tables.generation,
        "sharing": engine_tables.sharing,
        "startup": engine_tables.startup,
        "streaming": engine_tables.streaming,
        "vllm_throughput": engine_tables.throughput,
        "sglang_throughput": engine_tables.throughput,
        "processor_step": engine_tables.processor_step,
        "grading": grading_tables.grading,
        "sandbox": grading_tables.sandbox,
        "kills": sweep_tables.kills,
        "records": sweep_tables.records,
        "merge": sweep_tables.merge,
        "phases": miniature_tables.phases,
        "thinking": miniature_tables.thinking,
        "training": training_tables.training,
        "step_time": training_tables.step_time,
        "vllm_rollouts": training_tables.vllm_rollouts,
        "verl_rollouts": training_tables.verl_rollouts,
        "verl_training": training_tables.verl_training,
        "vllm_deadlines": serving_tables.vllm_deadlines,
        "deadlines": serving_tables.deadlines,
        "gateway_load": serving_tables.gateway_load,
        "gateway_vllm": serving_tables.gateway_vllm,
        "prefix_routing": serving_tables.prefix_routing,
        "cluster_kills": sweep_tables.cluster_kills,
        "cluster_rate": sweep_tables.cluster_rate,
        "cluster_driver": sweep_tables.cluster_driver,
        "plan": sweep_tables.plan,
        "strategies": miniature_tables.strategies,
        "yardsticks": miniature_tables.yardsticks,
        "allocate": miniature_tables.allocate,
        "probes": engine_tables.probes,
        "gpu_engine": engine_tables.generation,
        "gpu_steps": on_gpu(gpu_tables.steps),
        "gpu_training": on_gpu(gpu_tables.training),
        "gpu_exactness": on_gpu(gpu_tables.exactness),
        "gpu_tests": on_gpu(gpu_tables.tests),
        "gpu_smol": smol_tables.smol,
        "gpu_smol_headline": smol_tables.smol_headline,
        "smol": smol_tables.smol,
    }.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        path = RESULTS / f"{FROM.get(name, name)}.json"
        made = f"Not measured{' on a GPU' * name.startswith('gpu_')} yet."
        if path.exists():
            report = json.loads(path.read_text(encoding="utf-8"))
            made = gpu_tables.unfinished(report) if list(report) == ["check"] else block(report)
        text = pattern.sub(lambda found, made=made: f"{found[1]}{made}\n{found[2]}", text)
    return text


def on_gpu(table: Callable[[dict[str, Any]], str]) -> Callable[[dict[str, Any]], str]:
    """A block of the check of a GPU: its table, and where it was measured."""
    return lambda report: f"{table(report)}\n\n{measured(report)}."


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
