"""How far the grader of mathematics is right, on references and recorded scores, and how fast it is.

    python benchmarks/grading.py                 # tables, results/grading.json and results/grading_disagreements.md
    python benchmarks/grading.py --others 1      # a smoke test, nothing written

It reads benchmark rows and saved completions beside the repository (--data), which are not part of it. Every pair of
differing references that is accepted, and every disagreement with a recorded score, is listed with a reason that was
given after looking at it; one without a reason is marked as such.
"""

import argparse
import gzip
import json
import random
import re
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from grading_reasons import ACCEPTED, REASONS
from provenance import provenance
from rich.console import Console
from rich.table import Table

from elastic_reasoning.grading.answers.latex import read
from elastic_reasoning.grading.answers.mathematics import MathGrader
from elastic_reasoning.grading.grade import Grade

HERE = Path(__file__).parent
RESULTS, DISAGREEMENTS = HERE / "results" / "grading.json", HERE / "results" / "grading_disagreements.md"
DATA = HERE.parents[1] / "shared" / "data"
MODEL = "Qwen2.5-14B-Instruct"
BENCHMARKS = ("aime2024", "aime2025", "amc", "amc23", "math500", "minerva", "olympiadbench", "train_aime_1983_2023")
# The saved completions, the benchmark they answer, and the agreement wanted.
RECORDED = {
    "aime24": ("aime2024", 1.0),
    "amc23": ("amc23", 1.0),
    "math500": ("math500", 0.99),
    "olympiadbench": ("olympiadbench", 0.96),
    "minerva_math": ("minerva", None),
}
SMALLEST_SPEEDUP = 1.7
NUM_REPEATS = 5
PATHOLOGICAL = (
    "9^{9^{9^{9}}}",
    "(2^{100000000})!",
    "{" * 900 + "x" + "}" * 900,
    "1e999999999",
    "{" * 50_000 + "}" * 50_000,
)
PATHOLOGICAL_SECONDS = 2.0


@dataclass(frozen=True)
class References:
    """One benchmark: its references against themselves and against those of other rows."""

    name: str
    num_rows: int
    num_accepted: int
    num_pairs: int
    accepted_pairs: list[tuple[str, str, str]]
    false_pairs: list[tuple[str, str]]


@dataclass(frozen=True)
class Agreement:
    """Grades of saved completions with a box against the recorded scores.

    Attributes:
        num_agree: against the reference as the recorder kept it.
        num_agree_benchmark: against the reference of the benchmark, where it has the problem.
        slowest_seconds: the longest that one grade took.
    """

    name: str
    num_rows: int
    num_boxed: int
    num_agree: int
    share: float
    target: float | None
    num_in_benchmark: int
    num_agree_benchmark: int
    num_time_limits: int
    slowest_seconds: float


@dataclass(frozen=True)
class Disagreement:
    """One completion that we grade otherwise than the recorder did."""

    id: str
    reference: str
    answer: str
    recorded: bool
    ours: bool
    verdict: str
    reason: str


def rows(path: Path) -> list[dict[str, Any]]:
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def graded(
    grader: MathGrader, items: Iterable[tuple[list[str], str]], num_threads: int = 2
) -> list[tuple[Grade, float]]:
    """The grade of each (references, solution), and its seconds."""

    def one(item: tuple[list[str], str]) -> tuple[Grade, float]:
        start = time.perf_counter()
        grade = grader.grade(*item)
        return grade, time.perf_counter() - start

    with ThreadPoolExecutor(num_threads) as threads:
        return list(threads.map(one, items))


def boxed(answer: str) -> str:
    return rf"So it is \boxed{{{answer}}}."


def references(grader: MathGrader, name: str, data: Path, num_others: int) -> References:
    """Every reference boxed in a solution; then references of other rows: all of the same digits, and others drawn."""
    table = rows(data / "benchmarks" / f"{name}.jsonl")
    accepted = graded(grader, ((row["answers"], boxed(row["answer"])) for row in table))
    answers = sorted({row["answer"] for row in table})
    forms = {answer: read(answer) for answer in answers}
    draw = random.Random(name)
    pairs = set()
    for reference in answers:
        others = [answer for answer in answers if forms[answer] != forms[reference]]
        alike = [other for other in others if digits(other) == digits(reference)]
        pairs |= {(reference, other) for other in (*alike, *draw.sample(others, min(num_others, len(others))))}
    ordered = sorted(pairs)
    grades = graded(grader, (([reference], boxed(other)) for reference, other in ordered))
    reasons = {frozenset(pair): reason for reason, listed in ACCEPTED.items() for pair in listed}
    equal = [pair for pair, (grade, _) in zip(ordered, grades, strict=True) if grade.correct]
    return References(
        name,
        len(table),
        sum(grade.correct for grade, _ in accepted),
        len(ordered),
        [(*pair, reasons[frozenset(pair)]) for pair in equal if frozenset(pair) in reasons],
        [pair for pair in equal if frozenset(pair) not in reasons],
    )


def digits(answer: str) -> list[str]:
    """What the likeliest false accepts have in common."""
    return sorted(re.findall(r"\d", answer))


def agreement(grader: MathGrader, name: str, data: Path) -> tuple[Agreement, list[Disagreement]]:
    benchmark, target = RECORDED[name]
    saved = saved_rows(name, data)
    known = {row["problem"].strip(): row["answers"] for row in rows(data / "benchmarks" / f"{benchmark}.jsonl")}
    grades = graded(grader, (([row["answer"]], row["completion"]) for row in saved))
    both = [(row, *pair) for row, pair in zip(saved, grades, strict=True) if not pair[0].unboxed]
    agree = [grade.correct == row["recorded_score"] for row, grade, _ in both]
    found = [row for row, _, _ in both if row["problem"].strip() in known]
    again = graded(grader, ((known[row["problem"].strip()], row["completion"]) for row in found))
    figure = Agreement(
        name,
        len(saved),
        len(both),
        sum(agree),
        sum(agree) / len(both),
        target,
        len(found),
        sum(grade.correct == row["recorded_score"] for row, (grade, _) in zip(found, again, strict=True)),
        sum(grade.reason == "time limit" for _, grade, _ in both),
        round(max(seconds for _, _, seconds in both), 2),
    )
    listed = [disagreement(name, row, grade) for (row, grade, _), same in zip(both, agree, strict=True) if not same]
    return figure, listed


def saved_rows(name: str, data: Path) -> list[dict[str, Any]]:
    return rows(data / "saved_outputs" / f"{MODEL}__{name}.jsonl.gz")


def disagreement(name: str, row: dict[str, Any], grade: Grade) -> Disagreement:
    verdict, reason = next(
        ((who, why) for task, who, why, ids in REASONS if task == name and str(row["idx"]) in ids.split()),
        ("not looked at", "no reason given yet"),
    )
    return Disagreement(
        f"{name}/{row['idx']}", row["answer"], grade.answer or "", row["recorded_score"], grade.correct, verdict, reason
    )


def speedup(recorded: list[str], data: Path, num_repeats: int) -> dict[str, Any]:
    """Two processes against one on all saved completions but Minerva's, in turn, after a pass that warms up.

    Minerva is left out because one of its rows runs into the time limit, which no second process shortens.
    """
    names = [name for name in recorded if name != "minerva_math"]
    items = [([row["answer"]], row["completion"]) for name in names for row in saved_rows(name, data)]
    seconds: dict[int, list[float]] = {1: [], 2: []}
    with closing(MathGrader(1)) as one, closing(MathGrader(2)) as two:
        for repeat in range(num_repeats + 1):
            for num_workers, grader in ((1, one), (2, two)):
                start = time.perf_counter()
                graded(grader, items, num_workers)
                if repeat > 0:
                    seconds[num_workers].append(time.perf_counter() - start)
    ratios = [alone / both for alone, both in zip(seconds[1], seconds[2], strict=True)]
    return {
        "num_grades": len(items),
        "seconds_one_process": [round(value, 3) for value in seconds[1]],
        "seconds_two_processes": [round(value, 3) for value in seconds[2]],
        "speedups": [round(ratio, 3) for ratio in ratios],
        "speedup": round(median(ratios), 3),
        "target": SMALLEST_SPEEDUP,
    }


def pathological() -> dict[str, Any]:
    """What answers made to hang cost, under a short timeout and with a process that has started."""
    seconds = []
    for answer in PATHOLOGICAL:
        with closing(MathGrader(1, timeout_seconds=PATHOLOGICAL_SECONDS)) as grader:
            graded(grader, [(["5"], boxed(r"\frac{10}{2}"))])
            ((grade, taken),) = graded(grader, [(["5"], boxed(answer))])
            seconds.append((answer[:20], grade.reason, round(taken, 2)))
    return {
        "timeout_seconds": PATHOLOGICAL_SECONDS,
        "answers": seconds,
        "slowest_seconds": max(row[2] for row in seconds),
    }


def show(console: Console, figures: list[References], agreements: list[Agreement], report: dict[str, Any]) -> None:
    table = Table(title="references", title_justify="left")
    for column in ("benchmark", "accepted", "of", "pairs of others", "accepted with reason", "false accepts"):
        table.add_column(column, justify="left" if column == "benchmark" else "right")
    for figure in figures:
        counts = (
            figure.num_accepted,
            figure.num_rows,
            figure.num_pairs,
            len(figure.accepted_pairs),
            len(figure.false_pairs),
        )
        table.add_row(figure.name, *map(str, counts))
    console.print(table)
    for figure in figures:
        for reference, other in figure.false_pairs:
            console.print(f"accepted: {other} for {reference}", markup=False)
    table = Table(title=f"agreement with recorded scores, boxed completions of {MODEL}", title_justify="left")
    for column in ("benchmark", "agree", "of", "share", "target", "with the benchmark's reference", "slowest s"):
        table.add_column(column, justify="left" if column == "benchmark" else "right")
    for line in agreements:
        target = "" if line.target is None else f">= {line.target:.0%}"
        own = f"{line.num_agree_benchmark} of {line.num_in_benchmark}"
        share = f"{line.share:.2%}"
        table.add_row(
            line.name, str(line.num_agree), str(line.num_boxed), share, target, own, f"{line.slowest_seconds:.2f}"
        )
    console.print(table)
    speed, worst = report["throughput"], report["pathological"]
    console.print(
        f"two processes against one: {speed['speedup']:.2f} times (wanted: {SMALLEST_SPEEDUP}), {speed['speedups']}"
    )
    console.print(
        f"slowest pathological answer: {worst['slowest_seconds']} s under a timeout of {PATHOLOGICAL_SECONDS} s"
    )


def markdown(listed: list[Disagreement]) -> str:
    """The disagreements, grouped by who is right."""
    lines = [
        f"# Where our grade is not the recorded one, boxed completions of {MODEL}",
        "",
        "Printed by `benchmarks/grading.py`. The references are as the recorder kept them; some lost characters.",
    ]
    for verdict in dict.fromkeys(item.verdict for item in sorted(listed, key=lambda item: item.verdict)):
        group = [item for item in listed if item.verdict == verdict]
        lines += ["", f"## {verdict} ({len(group)})", "", "| id | reference | answer | recorded | ours | reason |"]
        lines += ["|---|---|---|---|---|---|"]
        for item in group:
            marks = ("right" if item.recorded else "wrong", "right" if item.ours else "wrong")
            cells = (item.id, cell(item.reference), cell(item.answer), *marks, item.reason)
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def cell(text: str) -> str:
    text = " ".join(text.split()).replace("|", "\\|")
    return f"`{text}`" if text else "(empty)"


def reached(figures: list[References], agreements: list[Agreement], report: dict[str, Any]) -> bool:
    return (
        all(figure.num_accepted == figure.num_rows and not figure.false_pairs for figure in figures)
        and all(line.target is None or line.share >= line.target for line in agreements)
        and report["throughput"]["speedup"] >= SMALLEST_SPEEDUP
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder with benchmarks/ and saved_outputs/")
    parser.add_argument(
        "--others", type=int, default=6, help="references of other rows per row; with fewer than 6 nothing is written"
    )
    parser.add_argument("--benchmarks", nargs="+", default=list(BENCHMARKS))
    parser.add_argument("--recorded", nargs="+", default=list(RECORDED), help="saved completions")
    parser.add_argument("--repeats", type=int, default=NUM_REPEATS, help="of the measurement of throughput")
    chosen = parser.parse_args(arguments)
    if not chosen.data.is_dir():
        print(f"nothing is measured: there are no benchmark rows in {chosen.data} (--data FOLDER)")
        return 0
    console = Console(width=120)
    with closing(MathGrader(num_workers=2)) as grader:
        figures = [references(grader, name, chosen.data, chosen.others) for name in chosen.benchmarks]
        compared = [agreement(grader, name, chosen.data) for name in chosen.recorded]
    agreements = [figure for figure, _ in compared]
    listed = [item for _, items in compared for item in items]
    report = {
        **provenance(),
        "references": [asdict(figure) for figure in figures],
        "agreement": [asdict(figure) for figure in agreements],
        "throughput": speedup(chosen.recorded, chosen.data, chosen.repeats),
        "pathological": pathological(),
    }
    show(console, figures, agreements, report)
    if chosen.others >= 6:
        RESULTS.write_text(json.dumps(report, indent=1) + "\n")
        DISAGREEMENTS.write_text(markdown(listed))
        console.print(f"written to {RESULTS} and {DISAGREEMENTS}")
    return 0 if reached(figures, agreements, report) else 1


if __name__ == "__main__":
    sys.exit(main())
