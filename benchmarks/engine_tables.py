"""Tables of what engines and budgets in them cost, for `readme.py`."""

import json
from typing import Any

from cells import NO_NUMBER, RESULTS, measured

MOST_MICROSECONDS = 60
"""Of the processor and of a GPU, for what budgets add to a sampling step there."""


def generation(report: dict[str, Any]) -> str:
    lines = ["| model | figure | ours, tokens/s | the other, tokens/s | ratio | wanted |", "|---|---|---|---|---|---|"]
    for figure in report["figures"]:
        speeds = [f"{figure[side]:,.0f}" if figure[side] is not None else "" for side in ("ours", "theirs")]
        least = figure["ours"] is not None
        value = f"{figure['value']:.2f}" if least else f"{figure['value']:.1e}"
        wanted = f"≥ {figure['target']}" if least else f"≤ {figure['target']:g}"
        missed = "" if figure["reached"] else " (**missed**)"
        cells = (figure["model"], figure["name"], *speeds, value, wanted + missed)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"{repeats_of(report)} {measured(report)}."])


def repeats_of(report: dict[str, Any]) -> str:
    num = report["num_repeats"]
    return f"Medians of {num} interleaved repeats." if num > 1 else "One repeat."


def sharing(report: dict[str, Any]) -> str:
    lines = [
        "| model | strategies | tokens generated | by separate runs | ratio | samples equal token for token |",
        "|---|---|---|---|---|---|",
    ]
    for f in report["figures"]:
        share = f"{f['num_equal'] / f['num_samples']:.2%} of {f['num_samples']:,}"
        ratio = f["num_shared"] / f["num_separate"]
        names = f["strategies"] if f["strategies"] == "elastic" else "elastic, s1, vanilla and others"
        lines.append(
            f"| {f['model']} | {names} | {f['num_shared']:,} | {f['num_separate']:,} | {ratio:.2f} | {share} |"
        )
    return "\n".join([*lines, "", f"Eight budgets, {report['num_problems']} problems. {measured(report)}."])


def streaming(report: dict[str, Any]) -> str:
    lines = [
        "| engine | tokens | whole, s | streamed, s | ratio | more a token, µs | wanted |",
        "|---|---|---|---|---|---|---|",
    ]
    for f in report["figures"]:
        seconds = f"{f['whole_seconds']:.3f} | {f['streamed_seconds']:.3f}"
        missed = "" if f["ratio"] <= report["target"] else " (**missed**)"
        lines.append(
            f"| {f['engine']} | {f['num_tokens']:,} | {seconds} | {f['ratio']:.2f} | "
            f"{f['more_microseconds_a_token']:.1f} | ≤ {report['target']:g}{missed} |"
        )
    repeats = f"Processor seconds, medians of {report['num_repeats']} interleaved repeats"
    return "\n".join([*lines, "", f"{repeats}. {measured(report)}."])


def startup(report: dict[str, Any]) -> str:
    figures = []
    for name, figure in report["figures"].items():
        command, _, part = name.partition(", ")
        what = f"the {part} of `{command}`" if part else f"`{command}`"
        figures.append(f"{what} takes {figure['seconds']:.2f} s")
    return f"{', '.join(figures)}, the start of Python included. {measured(report)}."


def throughput(report: dict[str, Any]) -> str:
    engine = "SGLang" if "sglang" in report["versions"] else "vLLM"
    lines = [
        "| thinking | figure | ours, tokens/s | the other, tokens/s | ratio | wanted |",
        "|---|---|---|---|---|---|",
    ]
    for f in report["figures"]:
        wanted = "" if f["target"] is None else f"≥ {f['target']:g}" + ("" if f["reached"] else " (**missed**)")
        ratio = f"{f['value']:.2f}" + (f" ± {f['error']:.2f}" if "error" in f else "")
        lines.append(f"| {f['thinking']} | {f['name']} | {f['ours']:,.0f} | {f['theirs']:,.0f} | {ratio} | {wanted} |")
    own = [f"{share:.1%} ({thinking})" for thinking, share in report.get("own_share", {}).items()]
    if own:
        lines += ["", f"Of the CPU time of a run with the plug-in its own functions take {' and '.join(own)}."]
    return "\n".join(
        [
            *lines,
            "",
            f"{report['num_prompts']} prompts, {report['num_rows']} rows, s = 32, medians of {report['num_repeats']} "
            f"interleaved repeats. {measured(report)}, {engine} {report['versions'][engine.lower()]}.",
        ]
    )


def processor_step(report: dict[str, Any]) -> str:
    path = RESULTS / "gpu_processor.json"  # of the check of a GPU, which says beside it what became of the part
    on_card = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    report = report | {device: found for device, found in on_card.items() if device != "check"}
    lines = ["| device | side | processor, µs | GPU, µs | wanted |", "|---|---|---|---|---|"]
    for device, found in report.items():
        for side, spent in found["microseconds"].items():
            if "error" in spent:
                lines.append(f"| {found['card'] or 'CPU'} | {side} | failed: {spent['error']} | {NO_NUMBER} | |")
                continue
            gpu = f"{spent['gpu']:,.0f}" if "gpu" in spent else NO_NUMBER
            wanted = ""
            if (device, side) == ("cuda", "tables"):
                most = max(spent["cpu"], spent["gpu"])
                wanted = f"≤ {MOST_MICROSECONDS} each" + " (**missed**)" * (most > MOST_MICROSECONDS)
            lines.append(f"| {found['card'] or 'CPU'} | {side} | {spent['cpu']:,.0f} | {gpu} | {wanted} |")
    if "cuda" not in report:
        lines.append(f"| GPU | not measured on a GPU yet | {NO_NUMBER} | {NO_NUMBER} | ≤ {MOST_MICROSECONDS} each |")
    sources = "; ".join(f"{name}: {measured(found)}" for name, found in report.items())
    one = next(iter(report.values()))
    return "\n".join([*lines, "", f"{one['num_rows']} rows, {one['num_ids']:,} ids. {sources}."])


def probes(report: dict[str, Any]) -> str:
    lines = ["| rows | a probe of | takes, in the time of as many tokens that stay |", "|---|---|---|"]
    for one in report["measured"]:
        num = one["num_probe_tokens"] / one["num_probes"]
        lines.append(f"| {one['num_rows']} | {num:.0f} tokens ({one['length']}) | {one['cost']:.2f} |")
    return "\n".join([*lines, "", f"The miniature, time of the processor. {measured(report)}."])
