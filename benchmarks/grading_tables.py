"""Tables of graders and of the sandbox, for `readme.py`."""

from typing import Any

from cells import measured


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
