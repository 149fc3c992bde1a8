"""`elastic grade --explain`: by which rules answers are right, and what an assumption more or less would change."""

from dataclasses import asdict
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from elastic_reasoning.cli.output import new_console, say_json
from elastic_reasoning.evaluation.explain import Case, Explained, explain, file_pairs, stored_pairs
from elastic_reasoning.grading.answers.rules import RULES
from elastic_reasoning.grading.config import GradingConfig
from elastic_reasoning.tasks.mathematics import math_rules

NUM_SHOWN = 5
"""Answers that are shown of each rule; --json has all."""


def show_explanation(path: Path, data: str, grading: GradingConfig, as_json: bool) -> int:
    """Print what is found in a folder of records or a file of pairs.

    Raises:
        ElasticError: they cannot be read.
    """
    if path.is_file():
        pairs, rules = file_pairs(path), math_rules(grading)
    else:
        pairs, rules = stored_pairs(path, data, grading)
    found = explain(pairs, rules, grading.grading_workers)
    if as_json:
        say_json(_data(found, rules))
        return 0
    console = new_console()
    num_right, num_assumed = found.rules.total(), sum(case.num for case in found.assumed)
    console.print(
        f"{found.num_solutions} solutions: {num_right} right, {num_assumed} of them by an assumption; "
        f"{found.reasons.total()} not right, {sum(case.num for case in found.missed)} of them equal by an assumption "
        f"that is off; {found.num_without_answer} without an answer"
    )
    missed: dict[str, int] = {}
    for case in found.missed:
        missed[case.rule] = missed.get(case.rule, 0) + case.num
    table = Table(box=SIMPLE_HEAD)
    for column in ("rule", "what is equal by it"):
        table.add_column(column)
    for column in ("right by it", "would be right"):
        table.add_column(column, justify="right")
    for rule in RULES:
        counts = (found.rules[rule.name], missed.get(rule.name, 0))
        if any(counts):
            name = f"{rule.name} (assumed)" if rule.assumes else rule.name
            table.add_row(name, escape(rule.says), *(str(count) if count else "" for count in counts))
    console.print(table)
    _examples(console, "accepted only by an assumption", found.assumed)
    _examples(console, "rejected, equal by an assumption that is off", found.missed)
    return 0


def _examples(console: Console, title: str, cases: list[Case]) -> None:
    if not cases:
        return
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("rule")
    for column in ("problem", "reference", "answer"):
        table.add_column(column, overflow="fold")
    table.add_column("solutions", justify="right")
    left_out = 0
    for rule in RULES:
        own = [case for case in cases if case.rule == rule.name]
        left_out += len(own[NUM_SHOWN:])
        for case in own[:NUM_SHOWN]:
            texts = (case.rule, case.problem, " or ".join(case.references), case.answer)
            table.add_row(*map(_visible, texts), str(case.num))
    console.print(table)
    if left_out:
        console.print(f"{left_out} more answers are left out; --json has all")


def _visible(text: str) -> str:
    """Without control characters, which a model may have written."""
    return escape("".join(mark if mark.isprintable() else " " for mark in text))


def _data(found: Explained, rules: frozenset[str]) -> dict[str, object]:
    return {
        "num_solutions": found.num_solutions,
        "num_without_answer": found.num_without_answer,
        "rules_in_force": [rule.name for rule in RULES if rule.name in rules],
        "right_by_rule": dict(found.rules.most_common()),
        "wrong_by_reason": dict(found.reasons.most_common()),
        "accepted_by_assumption": [asdict(case) for case in found.assumed],
        "rejected_but_equal": [asdict(case) for case in found.missed],
    }
