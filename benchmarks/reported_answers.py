"""How many of the answers that users of graders reported as misjudged are judged right, by kind.

    python benchmarks/reported_answers.py        # a table, and results/reported_answers.json

It reads public_reports/mathematics.jsonl beside the repository (--data), which is not part of it: rows of `reference`,
`solution`, `correct` (the right verdict) and `kind`. Every row that is judged otherwise is listed.
"""

import argparse
import json
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from provenance import provenance
from rich.console import Console
from rich.table import Table

from elastic_reasoning.grading.answers.mathematics import MathGrader

HERE = Path(__file__).parent
DATA = HERE.parents[1] / "shared" / "data" / "public_reports" / "mathematics.jsonl"
RESULTS = HERE / "results" / "reported_answers.json"


def measure(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Rows and right verdicts by kind, rules by which answers are right, and the rows judged otherwise."""
    num_rows: Counter[str] = Counter()
    num_right: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    wrong = []
    with closing(MathGrader(num_workers=2)) as grader:
        for row in rows:
            grade = grader.grade([row["reference"]], row["solution"])
            is_right = grade.correct == row["correct"]
            num_rows[row["kind"]] += 1
            num_right[row["kind"]] += is_right
            rules[grade.rule] += grade.correct
            wrong += [] if is_right else [{**row, "answer": grade.answer, "rule": grade.rule}]
    kinds = {kind: {"num_right": num_right[kind], "num_rows": number} for kind, number in num_rows.items()}
    return {
        "num_right": num_right.total(),
        "num_rows": len(rows),
        "kinds": kinds,
        "rules": dict((+rules).most_common()),
        "judged_otherwise": wrong,
    }


def show(console: Console, found: dict[str, Any]) -> None:
    table = Table(title="answers judged right", title_justify="left")
    for column in ("kind", "right", "of"):
        table.add_column(column, justify="left" if column == "kind" else "right")
    for kind, counts in found["kinds"].items():
        table.add_row(kind, str(counts["num_right"]), str(counts["num_rows"]))
    table.add_row("all", str(found["num_right"]), str(found["num_rows"]))
    console.print(table)
    for row in found["judged_otherwise"]:
        console.print(f"otherwise: {row['reference']} | {row['solution']} | {row['rule']}", markup=False)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="a JSONL file of rows")
    parser.add_argument("--limit", type=int, default=0, help="only so many rows; nothing is written")
    chosen = parser.parse_args(arguments)
    if not chosen.data.is_file():
        print(f"nothing is measured: there are no rows in {chosen.data} (--data FILE)")
        return 0
    rows = [json.loads(line) for line in chosen.data.read_text(encoding="utf-8").splitlines()]
    found = measure(rows[: chosen.limit] if chosen.limit else rows)
    show(Console(width=100), found)
    if not chosen.limit:
        RESULTS.write_text(json.dumps({**provenance(), **found}, indent=1, ensure_ascii=False) + "\n")
    return 0 if found["num_right"] == found["num_rows"] else 1


if __name__ == "__main__":
    sys.exit(main())
