"""What the tables of results share: accuracies, differences, and where something was measured."""

from pathlib import Path
from typing import Any

NO_NUMBER = "–"

RESULTS = Path(__file__).parent / "results"


def percent(row: dict[str, Any]) -> str:
    return f"{100 * row['accuracy']:.1f} ± {100 * row['accuracy_se']:.1f}"


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
