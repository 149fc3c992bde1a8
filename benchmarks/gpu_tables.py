"""Tables of what `gpu_check.py` has found, for `readme.py`."""

from typing import Any

from elastic_reasoning.training.clock import PHASES

GIB = 2**30
PRODUCTS = ("nvjet", "cublas", "gemm", "cutlass")
"""What stands in the names of the kernels that multiply matrices."""


def unfinished(report: dict[str, Any]) -> str:
    """Of a part that has written nothing."""
    check = report["check"]
    why = "its time was over" if check["status"] is None else f"it ended with status {check['status']}"
    return f"Not measured: {why} after {check['seconds']:g} s ({check['date'][:10]}, {check['card']})."


def training(report: dict[str, Any]) -> str:
    """The seconds of a step, and memory beside what a dry run says."""
    size = report["size"]
    heads = ["trained", "step, s", *PHASES, "generating, GiB (dry run)", "optimising, GiB (dry run)"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for layout in report["layouts"]:
        typical = layout["typical"]
        seconds = [f"{typical[f'{name}_seconds']:.2f}" for name in ("step", *PHASES)]
        memory = [_beside(layout, kind, report["most_over"]) for kind in ("generating", "optimising")]
        lines.append(f"| {' | '.join([layout['layout'], *seconds, *memory])} |")
    rollouts = size["prompts_per_step"] * size["samples_per_prompt"]
    made = (
        f"{size['num_layers']} layers of width {size['hidden']:,}, random weights; {rollouts} rollouts a step under "
        f"{size['budget']}, {size['micro_batch_size']} at one time in the backward pass; medians of "
        f"{report['layouts'][0]['num_steps']} steps. At most {report['most_over']:g} times what the dry run says was "
        "wanted."
    )
    return "\n".join([*lines, "", made])


def _beside(layout: dict[str, Any], kind: str, most_over: float) -> str:
    """The most that was allocated, and what a dry run says."""
    said = f"({layout['dry_run'][kind] / GIB:.2f})"
    peak = layout["typical"].get(f"{kind}_peak_bytes")
    if peak is None:
        return f"not counted {said}"
    return f"{peak / GIB:.2f} {said}{' (**missed**)' if layout['measured_over_said'][kind] > most_over else ''}"


def steps(report: dict[str, Any]) -> str:
    """Where a step of the transformers engine spends its time, and what it reaches."""
    heads = ["model", "columns", "step, ms", "model alone", "draw alone", "host", "prompts, ms"]
    heads += ["products of matrices", "one length / bandwidth (wanted)", "budgeted / unbudgeted (wanted)"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    reached = {(figure["model"], figure["name"]): figure for figure in report["figures"]}
    for found in report["profiles"]:
        times = [f"{found[f'{name}_ms']:.2f}" for name in ("step", "model", "draw", "launch", "prefill")]
        bound = reached.get((found["name"], "one length / bandwidth"))
        ratio = reached.get((found["name"], "budgeted / unbudgeted"))
        name = f"{found['name']}, layers {'fused' if found['fused'] else 'as they are'}"
        products = sum(spent for kernel, _, spent in found["kernels"] if any(part in kernel for part in PRODUCTS))
        beside = [
            f"{products:.2f}" if products else "",
            *(f"{figure['value']:.2f} ({figure['target']:g})" if figure else "" for figure in (bound, ratio)),
        ]
        lines.append(f"| {' | '.join([name, str(found['columns']), *times, *beside])} |")
    return "\n".join(lines)


def exactness(report: dict[str, Any]) -> str:
    """How many traces break a promise, and how many are what a processor makes."""
    lines = ["| model | type | traces | violations | greedy traces as on a processor |", "|---|---|---|---|---|"]
    for found in report["models"]:
        same = f"{found['num_same_as_cpu']} of {found['num_traces']}" if "num_same_as_cpu" in found else ""
        cells = (found["model"], found["dtype"], str(found["num_traces"]), str(found["num_violations"]), same)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def tests(report: dict[str, Any]) -> str:
    """What pytest says of the tests that are marked gpu."""
    failed = [f"`{line.removeprefix('FAILED ').partition(' - ')[0].rpartition('/')[2]}`" for line in report["failed"]]
    return f"Tests marked `gpu`: {report['last_line'].strip('= ')}{': ' * bool(failed)}{', '.join(failed)}."
