"""Tables of sweeps: kills, many machines, plans and many records, for `readme.py`."""

from statistics import median
from typing import Any

from cells import measured


def kills(report: dict[str, Any]) -> str:
    table = "the finished table is that of an undisturbed run" if report["same_table"] else "the finished tables differ"
    return (
        f"A sweep of {report['num_records']:,} records was killed (SIGKILL) at {report['num_kills']} random moments: "
        f"{report['num_lost']} records lost, {report['num_doubled']} doubled, "
        f"{report['num_differing']} with other tokens ({report['num_explained']} of them where two logits are within "
        f"1e-4); {table}. {measured(report)}."
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
