"""Puts what the benchmarks wrote to results/ into the README and docs/, between their markers.

python benchmarks/readme.py
"""

import json
import re
from collections.abc import Callable
from math import hypot
from pathlib import Path
from statistics import median
from typing import Any

import gpu_tables

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


NO_NUMBER = "–"
MOST_MICROSECONDS = 60
"""Of the processor and of a GPU, for what budgets add to a sampling step there."""
SAME_PROBS = 1e-3
"""Under which two engines are said to give a token the same probability."""

SMOL_TIMES = 2.0
"""E1 beside the warm-started model, at the budget that it was trained at."""

FROM = {"thinking": "phases", "headline": "miniature", "gpu_smol_headline": "gpu_smol"}
"""Blocks that are made from the results of another one."""


def filled(text: str) -> str:
    """A page with every marked block made from the results."""
    for name, block in {
        "headline": headline,
        "miniature": miniature,
        "generation": generation,
        "sharing": sharing,
        "startup": startup,
        "streaming": streaming,
        "vllm_throughput": throughput,
        "sglang_throughput": throughput,
        "processor_step": processor_step,
        "grading": grading,
        "sandbox": sandbox,
        "kills": kills,
        "records": records,
        "merge": merge,
        "phases": phases,
        "thinking": thinking,
        "training": training,
        "step_time": step_time,
        "vllm_rollouts": vllm_rollouts,
        "verl_rollouts": verl_rollouts,
        "verl_training": verl_training,
        "vllm_deadlines": vllm_deadlines,
        "deadlines": deadlines,
        "gateway_load": gateway_load,
        "gateway_vllm": gateway_vllm,
        "prefix_routing": prefix_routing,
        "cluster_kills": cluster_kills,
        "cluster_rate": cluster_rate,
        "cluster_driver": cluster_driver,
        "plan": plan,
        "strategies": strategies,
        "yardsticks": yardsticks,
        "allocate": allocate,
        "probes": probes,
        "gpu_engine": generation,
        "gpu_steps": on_gpu(gpu_tables.steps),
        "gpu_training": on_gpu(gpu_tables.training),
        "gpu_exactness": on_gpu(gpu_tables.exactness),
        "gpu_tests": on_gpu(gpu_tables.tests),
        "gpu_smol": smol,
        "gpu_smol_headline": smol_headline,
        "smol": smol,
    }.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        path = RESULTS / f"{FROM.get(name, name)}.json"
        made = f"Not measured{' on a GPU' * name.startswith('gpu_')} yet."
        if path.exists():
            report = json.loads(path.read_text(encoding="utf-8"))
            made = gpu_tables.unfinished(report) if list(report) == ["check"] else block(report)
        text = pattern.sub(lambda found, made=made: f"{found[1]}{made}\n{found[2]}", text)
    return text


def probes(report: dict[str, Any]) -> str:
    lines = ["| rows | a probe of | takes, in the time of as many tokens that stay |", "|---|---|---|"]
    for one in report["measured"]:
        num = one["num_probe_tokens"] / one["num_probes"]
        lines.append(f"| {one['num_rows']} | {num:.0f} tokens ({one['length']}) | {one['cost']:.2f} |")
    return "\n".join([*lines, "", f"The miniature, time of the processor. {measured(report)}."])


def allocate(report: dict[str, Any]) -> str:
    names = {
        "prompt+thinking+recent": "free signs",
        "prompt": "length of the prompt alone",
        "thinking+recent": "log-probabilities alone",
        "prompt+thinking+recent+probe+same": "free signs and probes",
    }
    models = {"base": "before E1 training", "e1": "after E1 training"}
    lines = [
        "| | tokens | one t for all, % | free signs, % | difference | "
        + " | ".join([*names.values()][1:])
        + " | who knew, % |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    rows = {(row["model"], row["wanted_tokens"], names["+".join(row["signs"])]): row for row in report["rows"]}
    for model, tokens, _ in [key for key in rows if key[2] == "free signs"]:
        first, *others = (rows[model, tokens, name] for name in names.values())
        lines.append(
            f"| {models[model]} | {first['tokens']:.1f} | {100 * first['uniform_accuracy']:.1f} | "
            f"{100 * first['accuracy']:.1f} | {gain(first)} | {' | '.join(map(gain, others))} | "
            f"{100 * first['bound']:.1f} |"
        )
    half, seeds = report["num_problems"] // 2, len(report["seeds"])
    return "\n".join(lines) + (
        f"\n\n{seeds} training{'s' * (seeds > 1)} from nothing, rules found on {half} problems and measured on the "
        f"other {report['num_problems'] - half}; points ± one standard error, clustered by problem "
        f"({measured(report)})."
    )


def smol(report: dict[str, Any]) -> str:
    if not report["rows"]:
        return f"Not measured: it ended after {', '.join(report['stages'])} ({measured(report)})."
    names = {
        "warm": "after the warm start",
        "e1": f"**E1**, trained at {report['trained_at']}",
        "grpo": "GRPO without a budget",
        "random": "random budgets",
    }
    words, mathematics = (smol_table(report[part], names) for part in ("rows", "math500"))
    gains = ", ".join(
        f"{each['budget'].split('+')[0]}: {100 * each['difference']:+.1f} ± {100 * each['se']:.1f}"
        for each in report["gains"]
    )
    before = ", ".join(f"{percent(row)} at {row['budget']}" for row in report["before"])
    trained = [
        f"{name} {stage['steps']} steps of {stage['rollouts_per_step']} rollouts, {stage['sampled_tokens']:,} sampled "
        f"tokens"
        for name, stage in report["stages"].items()
        if "sampled_tokens" in stage
    ]
    part = "" if report["scale"] == 1 else f" **A trial: {report['scale']:.0%} of all steps and problems.**"
    why = report["stages"].get("math500", {}).get("not run", "not run")
    warm = report["stages"]["warm start"]
    trained.insert(0, f"warm start {warm['steps']} steps of {warm['rows_per_step']} rows, {warm['num_rows']:,} in all")
    took = {name: stage["seconds"] for name, stage in report["stages"].items() if "not run" not in stage}
    seconds = ", ".join(f"{name} {took[name]:.0f} s" for name in took)
    return "\n".join(
        [
            *words,
            "",
            f"Accuracy in %, ± one standard error, {report['rows'][0]['num_problems']} held-out word problems.{part} "
            f"vanilla and s1 get t + s in all. Before the warm start: {before or 'not measured'}. E1 over the "
            f"warm-started model, points paired by problem, by t: {gains or 'not measured'}.{smol_ratio(report)} "
            f"{'; '.join(trained)}. Time taken: {seconds}. {measured(report)}.",
            "",
            *(["MATH500 as it is:", "", *mathematics] if report["math500"] else [f"MATH500: {why}."]),
        ]
    )


def smol_headline(report: dict[str, Any]) -> str:
    at, check, rows = report["trained_at"], report["check"], smol_trained(report)
    if rows is None:
        return "Not measured on a GPU yet."
    return (
        f"Of held-out word problems {report['model'].partition('.')[0]} solves {percent(rows['warm'])} % under {at} "
        f"after a warm start, and {percent(rows['e1'])} % after E1. Both trainings and their evaluation took "
        f"{check['seconds']:.0f} s on one {check['card']}."
    )


def smol_trained(report: dict[str, Any]) -> dict[str, dict[str, Any]] | None:
    """The warm-started model and E1 at the budget that E1 was trained at, by name; `None` where one is missing."""
    at = ("elastic", report["trained_at"])
    rows = {row["model"]: row for row in report["rows"] if (row["strategy"], row["budget"]) == at}
    return rows if {"warm", "e1"} <= rows.keys() else None


def smol_ratio(report: dict[str, Any]) -> str:
    """How many times the right answers of the warm-started model E1 gives at the budget that it was trained at.

    The error is that of independent samples, which is more than that of the same problems.
    """
    at, rows = report["trained_at"], smol_trained(report)
    if rows is None or not rows["warm"]["accuracy"]:
        return ""
    ratio = rows["e1"]["accuracy"] / rows["warm"]["accuracy"]
    error = ratio * hypot(*(row["accuracy_se"] / max(row["accuracy"], 1e-9) for row in (rows["warm"], rows["e1"])))
    missed = "" if ratio >= SMOL_TIMES else " (**missed**)"
    return f" At {at} that is {ratio:.2f} ± {error:.2f} times as many right answers, {SMOL_TIMES:g} wanted{missed}."


def smol_table(rows: list[dict[str, Any]], names: dict[str, str]) -> list[str]:
    """Accuracies by model and strategy over budgets."""
    by_setting = {(row["model"], row["strategy"], row["budget"]): row for row in rows}
    budgets = sorted({budget for _, _, budget in by_setting}, key=lambda budget: int(budget.split("+")[0]))
    lines = [
        f"| | {' | '.join(f't = {b.split(chr(43))[0]}, s = {b.split(chr(43))[1]}' for b in budgets)} |",
        "|---" * (len(budgets) + 1) + "|",
    ]
    for model, name in names.items():
        for strategy in ("elastic", "s1", "vanilla"):
            found = [by_setting.get((model, strategy, budget)) for budget in budgets]
            if any(found):
                cells = [NO_NUMBER if row is None else percent(row) for row in found]
                lines.append(f"| {name}, {strategy} | {' | '.join(cells)} |")
    return lines


def gain(row: dict[str, Any]) -> str:
    return f"{100 * row['difference']:+.1f} ± {100 * row['difference_se']:.1f}"


def measured(report: dict[str, Any]) -> str:
    machine, versions = report["machine"], report["versions"]
    threads = f"{machine['threads']} thread{'s' if machine['threads'] > 1 else ''}"
    place, ended = f"{machine['processor']}, {machine['cores']} cores, {threads}", ""
    if "check" in report:  # a part of the check of a GPU
        check = report["check"]
        place = check["card"]
        if check["status"] is None:
            ended = f"; its time was over after {check['seconds']:.0f} s: what is missing was not measured"
    return f"{report['date'][:10]}, {place}, torch {versions['torch']}, transformers {versions['transformers']}{ended}"


def on_gpu(table: Callable[[dict[str, Any]], str]) -> Callable[[dict[str, Any]], str]:
    """A block of the check of a GPU: its table, and where it was measured."""
    return lambda report: f"{table(report)}\n\n{measured(report)}."


def strategies(report: dict[str, Any]) -> str:
    return f"{report['text'].strip()}\n\n{measured(report)}."


def headline(report: dict[str, Any]) -> str:
    rows = {(row["model"], row["strategy"], row["budget"]): row for row in report["rows"]}
    shown = [
        ("base", "vanilla", "before training, plain cut"),
        ("base", "s1", "before training, budget forcing (S1)"),
        ("base", "elastic", "before training, separate budgets"),
        ("e1", "elastic", "**after E1 training, separate budgets**"),
    ]
    budgets = ("8+20", "24+20", "64+20")
    lines = [
        "| right answers, % | " + " | ".join(f"{b.split('+')[0]} thinking tokens" for b in budgets) + " |",
        "|---|---|---|---|",
    ]
    for model, strategy, name in shown:
        cells = (f"{100 * rows[model, strategy, budget]['accuracy']:.0f}" for budget in budgets)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(
        [
            *lines,
            "",
            f"Each has 20 tokens for the solution; plain cut and S1 have as many in all. {report['num_problems']} "
            f"problems, {len(report['seeds'])} trainings from nothing; error bars, seeds and controls: "
            "[docs/results.md](docs/results.md).",
        ]
    )


def miniature(report: dict[str, Any]) -> str:
    rows = {(row["model"], row["strategy"], row["budget"]): row for row in report["rows"]}
    budgets = sorted({b for _, s, b in rows if s == "elastic"}, key=lambda b: int(b.split("+")[0]))
    shown = [
        ("base", "vanilla", "base, vanilla (truncated)"),
        ("base", "s1", "base, s1 (budget forcing)"),
        ("base", "elastic", "base, elastic (separate budgets)"),
        ("grpo", "elastic", "plain GRPO, elastic (control)"),
        ("e1", "s1", "E1, s1"),
        ("e1", "elastic", "**E1, elastic**"),
    ]
    lines = [
        "| accuracy, % | " + " | ".join(f"t = {b.split('+')[0]}" for b in budgets) + " | no limit (thinking tokens) |",
        "|---" * (len(budgets) + 2) + "|",
    ]
    for model, strategy, name in shown:
        cells = [percent(rows[model, strategy, budget]) for budget in budgets]
        free = rows[model, "unconstrained", "inf+inf"]
        last = f"{percent(free)} ({free['mean_thinking_tokens']:.1f})" if strategy == "elastic" else ""
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {last} |")
    seeds = ", ".join(map(str, report["seeds"]))
    lines += [
        "",
        f"{report['num_problems']} test problems, training seeds {seeds} together; s = 20, vanilla and s1 get t + s in "
        "all. ± is one standard error, clustered by problem; how trainings differ is seen below. "
        f"{measured(report)}.",
        "",
        beside_s1(report),
        "",
    ]
    lines += [f"- {c['claim']}: {c['measured']}." for c in report["claims"] if c["over"] == "all seeds"]
    lines.append("")
    lines += [
        "| seed | base at 24+20 | E1 at 24+20 | unlimited thinking, base | E1 | tokens of training, E1 | control |",
        "|---|---|---|---|---|---|---|",
    ]
    for seed in report["seeds"]:
        by = {(r["model"], r["strategy"], r["budget"]): r for r in report["rows_by_seed"][f"seed {seed}"]}
        free = [by[model, "unconstrained", "inf+inf"]["mean_thinking_tokens"] for model in ("base", "e1")]
        trained = [report["training_tokens"][str(seed)][run]["sampled_tokens"] for run in ("e1", "grpo")]
        at_budget = [percent(by[model, "elastic", "24+20"]) for model in ("base", "e1")]
        cells = [str(seed), *at_budget, *(f"{n:.1f}" for n in free), *(f"{n:,}" for n in trained)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def beside_s1(report: dict[str, Any]) -> str:
    """Where E1 stands higher under s1 than under separate budgets, and why."""
    rows = {(row["model"], row["strategy"], row["budget"]): row for row in report["rows"]}
    budgets = sorted({b for m, s, b in rows if (m, s) == ("e1", "s1")}, key=lambda b: int(b.split("+")[0]))
    of_s1, of_elastic = ({b: rows["e1", strategy, b] for b in budgets} for strategy in ("s1", "elastic"))
    ahead = [
        b
        for b in budgets
        if of_s1[b]["accuracy"] - of_elastic[b]["accuracy"]
        > 2 * hypot(of_s1[b]["accuracy_se"], of_elastic[b]["accuracy_se"])
    ]
    first, at = budgets[0], "24+20"
    where = ", ".join(budget.split("+")[0] for budget in ahead)
    return (
        f"E1 is better under s1 than under separate budgets at t = {where}. Both may sample t + 20 tokens in all. An "
        "answer of the miniature is one digit: s1 keeps 2 tokens for it and thinks with the rest, so that fewer "
        f"thoughts are cut ({of_s1[at]['forced_rate']:.1%} against {of_elastic[at]['forced_rate']:.1%} at {at}), and "
        "an answer is always forced. Separate budgets keep all 20 for the solution, where E1 goes on to reason if its "
        f"thinking was cut early: at {first}, {of_elastic[first]['no_answer_rate']:.1%} of its solutions end before an "
        f"answer, under s1 {of_s1[first]['no_answer_rate']:.1%}. A task whose solution needs its s tokens leaves s1 no "
        "such room."
    )


def training(report: dict[str, Any]) -> str:
    """The tables as `training.py` printed them."""
    return (RESULTS / "training.md").read_text(encoding="utf-8").strip()


def step_time(report: dict[str, Any]) -> str:
    lines = ["| part of a step | seconds | share |", "|---|---|---|"]
    lines += [f"| {part} | {report['seconds'][part]:.3f} | {share:.1%} |" for part, share in report["shares"].items()]
    missed = "" if report["overhead"] <= report["most"] else " (**missed**)"
    outside = f"Outside generation, loss and optimiser: {report['overhead']:.1%} of a step of `recipes/mini-e1.yaml`"
    wanted = f"at most {report['most']:.0%} were wanted{missed}"
    return "\n".join([*lines, "", f"{outside}; {wanted}. Medians of {report['num_steps']} steps. {measured(report)}."])


def vllm_rollouts(report: dict[str, Any]) -> str:
    plain = median(report["processor_seconds"]["plain"])
    lines = ["| 256 rollouts on a colocated vLLM | processor seconds | over plain |", "|---|---|---|"]
    for name, values in report["processor_seconds"].items():
        ratio = "" if name == "weight sync" else f"{median(values) / plain:.2f}"
        lines.append(f"| {name} | {median(values):.3f} | {ratio} |")
    made = f"vLLM {report['vllm']}, TRL {report['trl']}, {report['budgets']}"
    return "\n".join([*lines, "", f"Medians of {len(values)} interleaved repeats; {made}. {measured(report)}."])


def verl_rollouts(report: dict[str, Any]) -> str:
    lines = [
        f"| {report['rollouts']} rollouts at {report['budget']} | processor µs a token | over plain |",
        "|---|---|---|",
    ]
    for side, values in report["microseconds_per_token"].items():
        ratio = f"{report['of_plain'][side]:.2f}" if side in report["of_plain"] else ""
        lines.append(f"| {side} | {median(values):.0f} | {ratio} |")
    made = f"verl {report['verl']}, vLLM {report['vllm']}"
    return "\n".join([*lines, "", f"Medians of {len(values)} batches of each, by turns; {made}. {measured(report)}."])


def verl_training(report: dict[str, Any]) -> str:
    budgets = list(report["verl_less_twin"])
    lines = [f"| right answers, % | {' | '.join(budgets)} |", "|---" * (len(budgets) + 1) + "|"]
    names = {"mini": "before training", "mini-e1": "E1 by TRL", "verl": "**E1 by verl**"}
    for name, title in names.items():
        cells = [f"{100 * report['accuracy'][name][budget]:.1f}" for budget in budgets]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    differences = [report["verl_less_twin"][budget] for budget in budgets]
    cells = [f"{100 * each['difference']:+.1f} ± {100 * each['se']:.1f}" for each in differences]
    lines.append(f"| verl less TRL | {' | '.join(cells)} |")
    made = (
        f"{report['num_problems']} test problems, one training each, at {report['budget']}; ± one standard error over "
        f"problems. {report['steps']} steps of verl {report['verl']} took {report['seconds_of_steps']:,} s and "
        f"{report['sampled_tokens']:,} sampled tokens"
    )
    num_same = sum(most < SAME_PROBS for most in report["probs_diff"])
    same = (
        f"In {num_same} of the steps vLLM and the trainer differed in no token's probability by {SAME_PROBS} or more, "
        f"in the others by up to {max(report['probs_diff']):.2g}"
    )
    return "\n".join([*lines, "", f"{made}. {same}. {measured(report)}."])


def percent(row: dict[str, Any]) -> str:
    return f"{100 * row['accuracy']:.1f} ± {100 * row['accuracy_se']:.1f}"


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
        lines.append(
            f"| {f['thinking']} | {f['name']} | {f['ours']:,.0f} | {f['theirs']:,.0f} | {f['value']:.2f} | {wanted} |"
        )
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


def vllm_deadlines(report: dict[str, Any]) -> str:
    lines = [
        "| load | limits | in time | without a solution | whole solutions | thinking tokens | p50, s | p99, s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for line in report["loads"]:
        lines.append(
            f"| {line['load']:g} × capacity | {line['limits']} | {100 * line['in_time']:.1f} % | "
            f"{line['num_without_solution']} | {100 * line['whole']:.1f} % | {line['mean_thinking']:.0f} | "
            f"{line['seconds_p50']:.2f} | {line['seconds_p99']:.2f} |"
        )
    deadlines = ", ".join(sorted({f"{line['deadline_seconds']:.2f}" for line in report["loads"]}))
    return "\n".join(
        [
            *lines,
            "",
            f"{report['loads'][0]['num_requests']} requests of {report['budget']} tokens a line, "
            f"{report['num_rows']} rows; "
            f"deadlines {deadlines} s. {measured(report)}, vLLM {report['versions']['vllm']}.",
        ]
    )


def deadlines(report: dict[str, Any]) -> str:
    lines = [
        "| engine | load | limits | refused | in time | without a solution | right, in time, of all |",
        "|---|---|---|---|---|---|---|",
    ]
    notes = []
    for name, engine in (("local", "embedded"), ("vllm", "vLLM")):
        found = report[name]
        for line in found["loads"]:
            is_bound = line["limits"] == "deadline"
            lines.append(
                f"| {engine} | {line['load']:g} × capacity | {line['limits']} | {line['num_refused']} | "
                f"{'**' * is_bound}{100 * line['in_time']:.1f} %{'**' * is_bound} | {line['num_without_solution']} | "
                f"{100 * line['right_in_time_of_all']:.1f} % |"
            )
        notes.append(
            f"{engine}: a deadline of {found['deadline_seconds']:.2f} s, which is what a request takes at full load, "
            f"{found['capacity']:.0f} requests/s; {found['num_impossible_refused']} of {found['num_impossible']} "
            f"impossible deadlines refused at once. {measured(found)}."
        )
    num = report["local"]["loads"][0]["num_requests"]
    return "\n".join(
        [*lines, "", f"{num} requests a line, in shares of those admitted but for the last column. {' '.join(notes)}"]
    )


def gateway_load(report: dict[str, Any]) -> str:
    streams, memory, beside = report["streams"], report["memory"], report["beside"]
    lines = [
        "| answers | to the upstream alone | through the gateway | through LiteLLM's proxy | gateway / LiteLLM |",
        "|---|---|---|---|---|",
    ]
    sides = {(line["answers"], line["side"]): line for line in beside}
    for answers in ("whole", "streamed"):
        rates = [sides[answers, side]["requests_per_second"] for side in ("direct", "gateway", "litellm")]
        lines.append(
            f"| {answers} | {rates[0]:,.0f}/s | {rates[1]:,.0f}/s | {rates[2]:,.0f}/s | {rates[1] / rates[2]:.1f} |"
        )
    whole = {side: sides["whole", side]["last_byte_milliseconds"] for side in ("gateway", "litellm")}
    return "\n".join(
        [
            *lines,
            "",
            f"{streams['num_streams']} streams of {streams['tokens_per_second']:g} tokens/s each: "
            f"{streams['added_p99_milliseconds']:.1f} ms added to a token at p99, "
            f"{streams['gateway']['p50_milliseconds']:.1f} ms at p50, "
            f"{streams['processor_microseconds_a_token']:.0f} µs of processor time a token. One whole answer alone: "
            f"{whole['gateway']:.1f} ms ({whole['litellm']:.1f} through LiteLLM). Memory after "
            f"{memory[0]['num_requests']:,} requests {memory[0]['megabytes']:.0f} MB, after "
            f"{memory[-1]['num_requests']:,} {memory[-1]['megabytes']:.0f} MB. Upstream, clients and gateway share "
            f"the machine; its load before was {report['load_before']:.1f}. {measured(report)}.",
        ]
    )


def prefix_routing(report: dict[str, Any]) -> str:
    lines = [
        "How many of the tokens of prompts two vLLM servers had in their caches:\n",
        "| chosen by | found in a cache | of the most that can be | requests at the busier server |",
        "|---|---|---|---|",
    ]
    for name, side in report["sides"].items():
        found, share = side["hit_rate"], side["hit_rate"] / report["best"]
        lines.append(f"| {name} | {found:.1%} | {share:.2f} | {side['busiest']:.0%} |")
    made = report["settings"]
    lines.append(
        f"\n{made['problems']} problems of {made['prompt']} ids, {made['header']} of which all begin with, "
        f"{made['requests_each']} requests each, {made['concurrency']} at once. "
        f"{measured(report)}, vLLM {report['versions']['vllm']}."
    )
    return "\n".join(lines)


def gateway_vllm(report: dict[str, Any]) -> str:
    lines = [
        "| hidden size | vLLM alone, tokens/s | through the gateway | share | processor time a token: vLLM, gateway |",
        "|---|---|---|---|---|",
    ]
    for one in report["figures"]:
        lines.append(
            f"| {one['hidden_size']} | {one['direct_tokens_per_second']:,} | {one['gateway_tokens_per_second']:,} | "
            f"{one['ratio']:.2f}{'' if one['reached'] else ' (**missed**)'} | "
            f"{one['vllm_processor_microseconds_a_token']:,.0f} µs, "
            f"{one['gateway_processor_microseconds_a_token']:.0f} µs |"
        )
    return "\n".join(
        [
            *lines,
            "",
            f"{report['num_streams']} streams, one pass; wanted is {report['target']:.2f}. vLLM computes on the same "
            f"{report['machine']['cores']} cores on which the gateway and the clients run, so that every µs of the "
            f"gateway is one less for vLLM. {measured(report)}, vLLM {report['versions']['vllm']}.",
        ]
    )


def grading(report: dict[str, Any]) -> str:
    references = report["references"]
    num_rows, num_pairs = (sum(task[name] for task in references) for name in ("num_rows", "num_pairs"))
    missed = num_rows - sum(task["num_accepted"] for task in references)
    accepted, false = (sum(len(task[name]) for task in references) for name in ("accepted_pairs", "false_pairs"))
    lines = ["| completions of one model | boxed | as recorded | share | wanted |", "|---|---|---|---|---|"]
    for task in report["agreement"]:
        wanted = "" if task["target"] is None else f"≥ {100 * task['target']:.0f} %"
        missing = "" if task["target"] is None or task["share"] >= task["target"] else " (**missed**)"
        lines.append(
            f"| {task['name']} | {task['num_boxed']} | {task['num_agree']} | {task['share']:.2%} | {wanted}{missing} |"
        )
    speed = report["throughput"]
    reached = "" if speed["speedup"] >= speed["target"] else " (**missed**)"
    return "\n".join(
        [
            f"References that pass their own grader: {num_rows - missed:,} of {num_rows:,}. "
            f"References of other problems that are accepted: {accepted + false} of {num_pairs:,} pairs, each looked "
            "at and listed with its reason (the same value in another writing, a unit or brackets left out), "
            f"{false} of them false.",
            "",
            *lines,
            "",
            f"Two worker processes grade {speed['speedup']:.2f} times as much as one, "
            f"{speed['target']:g} wanted{reached}. No saved completion hangs; "
            f"the slowest of the answers made to hang took {report['pathological']['slowest_seconds']:.1f} s under a "
            f"limit of {report['pathological']['timeout_seconds']:g} s. {measured(report)}.",
        ]
    )


def sandbox(report: dict[str, Any]) -> str:
    figures = report["figures"]
    seconds = figures["median seconds"]
    lines = ["| one run, median seconds | bubblewrap | weaker fallback |", "|---|---|---|"]
    for name in ("one stdin/stdout test", "one check(candidate)"):
        lines.append(f"| {name} | {seconds[name]['bubblewrap']:.3f} | {seconds[name]['weak']:.3f} |")
    passed = [f"{name} {figures[name]['passed']} of {figures[name]['rows']}" for name in ("HumanEval", "HumanEval+")]
    mended = ", ".join(figures["HumanEval+"]["rows whose published test was mended"])
    return "\n".join(
        [
            *lines,
            "",
            f"Canonical solutions that pass: {', '.join(passed)} (the published test of {mended} swaps two arguments "
            f"and is mended). Two workers grade {figures['workers']['ratio']:.2f} times as much as one. "
            f"{measured(report)}.",
        ]
    )


def kills(report: dict[str, Any]) -> str:
    table = "the finished table is that of an undisturbed run" if report["same_table"] else "the finished tables differ"
    return (
        f"A sweep of {report['num_records']:,} records was killed (SIGKILL) at {report['num_kills']} random moments: "
        f"{report['num_lost']} records lost, {report['num_doubled']} doubled, "
        f"{report['num_differing']} with other tokens ({report['num_explained']} of them where two logits are within "
        f"1e-4); {table}. {measured(report)}."
    )


def merge(report: dict[str, Any]) -> str:
    lines = ["| records | joined | joined again | memory, MiB |", "|---:|---:|---:|---:|"]
    for row in report["rows"]:
        first, again = row["first"], row["again"]
        peak = max(first["peak_mib"], again["peak_mib"])
        lines.append(f"| {row['num_records']:,} | {first['seconds']:.1f} s | {again['seconds']:.1f} s | {peak:,} |")
    return "\n".join(lines) + f"\n\nSeconds on the clock, the start of Python included. {measured(report)}."


def cluster_kills(report: dict[str, Any]) -> str:
    return (
        f"{report['num_runs']} runs on {report['num_nodes']} local nodes; in each a node, a worker and the driver are "
        f"killed at random moments, and the driver is started again ({report['num_kills']} kills): "
        f"{report['num_lost']} records lost, {report['num_doubled']} doubled, "
        f"{report['num_same_tables']} tables the same as undisturbed. {report['num_lost_workers']} workers were lost, "
        f"each of which had a unit of at most {report['unit']} records under way: {report['num_repeated']:,} records "
        f"were made twice. {report['num_differing']} records differ from the undisturbed ones, "
        f"{report['num_explained']} of them where two tokens were as likely to within rounding. {measured(report)}."
    )


def cluster_rate(report: dict[str, Any]) -> str:
    lines = ["| records/s | one | two | gain |", "|---|---:|---:|---:|"]
    for title, name in (("processes without Ray", "process"), ("workers of a Ray cluster", "worker")):
        one, two = report[f"one_{name}"], report[f"two_{name}{'es' if name == 'process' else 's'}"]
        gain = report["processes_gain" if name == "process" else "workers_gain"]
        lines.append(f"| {title} | {median(one):,.1f} | {median(two):,.1f} | {gain:.2f} |")
    num_rounds = len(report["one_process"])
    said = f"The second gain is {report['share']:.2f} of the first; medians of {num_rounds} rounds. {measured(report)}."
    return "\n".join([*lines, "", said])


def cluster_driver(report: dict[str, Any]) -> str:
    megabytes = report["megabytes"]
    return (
        f"A driver with {report['num_workers']:,} simulated workers that answer at once: {report['num_units']:,} units "
        f"in {report['seconds']:,.0f} s, {report['units_per_second']:,} a second, for which it computed "
        f"{report['driver_seconds']:,.0f} s. Its memory was {megabytes[0]:,} MB after a tenth of them and "
        f"{megabytes[-1]:,} MB at the end: {report['bytes_per_unit']:,} bytes a unit, for the keys of what is done. "
        f"{measured(report)}."
    )


def plan(report: dict[str, Any]) -> str:
    heads = ("model and engine", "problems", "measured on", "sampled", "generated", "seconds")
    off = ("off: sampled", "generated", "seconds")
    lines = [f"| {' | '.join([*heads, *off])} |", "|---" + "|---:" * (len(heads) + len(off) - 1) + "|"]
    for name, case in report["cases"].items():
        made = case["measured"]
        cells = [name, case["num_problems"], case["num_measured"], f"{made['sampled']:,}", f"{made['generated']:,}"]
        cells += [
            f"{made['seconds']:.1f}",
            *(f"{case['off'][what]:+.0%}" for what in ("sampled", "generated", "seconds")),
        ]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join([*lines, "", f"mini is the miniature, real is {report['model']}. {measured(report)}."])


def yardsticks(report: dict[str, Any]) -> str:
    lines = [
        "| model | budget | accuracy | tokens | overthinking | starved | by lot | an oracle of problems | of samples |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for found in report["yardsticks"]:
        for step in found["steps"]:
            points = [
                NO_NUMBER if step[name] is None else f"{100 * step[name]:{form}} ± {100 * step[f'{name}_se']:.1f}"
                for name, form in (
                    ("overthinking", ".1f"),
                    ("starved", ".1f"),
                    ("mixed_gain", "+z.1f"),
                    ("oracle_gain", "+z.1f"),
                    ("hindsight_gain", "+z.1f"),
                )
            ]
            accuracy = f"{100 * step['accuracy']:.1f} ± {100 * step['accuracy_se']:.1f}"
            lines.append(
                f"| {found['model']} | {step['budget']} | {accuracy} | {step['tokens']:.1f} | {' | '.join(points)} |"
            )
    first = report["yardsticks"][0]
    return "\n".join(
        [
            *lines,
            "",
            f"In %; by lot and the oracles in points above the accuracy of that budget, at its mean tokens; "
            f"{first['num_problems']} problems, {report['num_samples_each']} samples each. {measured(report)}.",
        ]
    )


def records(report: dict[str, Any]) -> str:
    parts = ("resume", "table", "report")
    lines = ["| records | on disk, MiB | resume | table | table and report |", "|---:|---:|---:|---:|---:|"]
    for row in report["rows"]:
        costs = [f"{row[part]['seconds']:.1f} s, {row[part]['peak_mib']} MiB" for part in parts]
        lines.append(
            f"| {row['num_records']:,} | {row['records_mib']:,} + {row['traces_mib']:,} | {' | '.join(costs)} |"
        )
    last = report["rows"][-1]
    worked = ", ".join(f"{last[part]['cpu_seconds']:.1f} s for the {part}" for part in parts)
    return "\n".join(
        [
            *lines,
            "",
            "Seconds on the clock, the start of Python included, and the most memory that was held. In the last line "
            f"processors worked {worked}. The report's page has {last['report']['result'] / 1e6:.1f} MB. "
            f"{measured(report)}.",
        ]
    )


def phases(report: dict[str, Any]) -> str:
    swaps = {(swap["model"], swap["budget"]): swap for swap in report["swaps"]}
    models = list(dict.fromkeys(model for model, _ in swaps))
    names = [
        f"{model.partition('>')[0]} thinks, {model.partition('>')[2]} solves" if ">" in model else f"{model} alone"
        for model in models
    ]
    lines = [f"| t | mini alone | {' | '.join(names)} |", "|---" * (len(models) + 2) + "|"]
    for budget in dict.fromkeys(budget for _, budget in swaps):
        gains = [swaps[model, budget] for model in models]
        cells = [f"{100 * gain['difference']:+.1f} ± {100 * gain['se']:.1f}" for gain in gains]
        lines.append(f"| {budget.partition('+')[0]} | {report['base'][budget]:.1%} | {' | '.join(cells)} |")
    note = f"{report['num_problems']:,} test problems, s = 20; points over mini alone, paired. {measured(report)}."
    return "\n".join([*lines, "", note])


def thinking(report: dict[str, Any]) -> str:
    lines = ["| measure | budget | mini | mini-e1 | paired difference |", "|---|---|---|---|---|"]
    for budget, changes in report["changes"].items():
        for change in changes:
            values = [f"{change[side]:.3g}" for side in ("a", "b")]
            difference = f"{change['difference']:+.3g} ± {change['se']:.2g}"
            lines.append(f"| {change['measure'].replace('_', ' ')} | {budget} | {' | '.join(values)} | {difference} |")
    return "\n".join([*lines, "", f"{report['num_problems']:,} test problems. {measured(report)}."])


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
