"""The tables of a real, small language model that was trained, for `readme.py`."""

from math import hypot
from typing import Any

from cells import NO_NUMBER, measured, percent

SMOL_TIMES = 2.0
"""E1 beside the warm-started model, at the budget that it was trained at."""


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
