"""Tables of the shipped miniature: what budgets do to it before and after training, for `readme.py`."""

from math import hypot
from typing import Any

from cells import NO_NUMBER, gain, measured, percent


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


def strategies(report: dict[str, Any]) -> str:
    return f"{report['text'].strip()}\n\n{measured(report)}."


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
