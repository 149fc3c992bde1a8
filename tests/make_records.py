"""A small made-up sweep, the same every time: two models, four strategies, records as a real sweep would write them.

    records = make_records(num_problems=40)
    write_folder(folder, records)

Tokens are words. The "trained" model thinks in short steps, the "base" model repeats itself; whoever is cut before
the last step guesses.
"""

import json
import random
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.records.log import RecordsWriter, read_records
from elastic_reasoning.records.manifest import Manifest, write_manifest
from elastic_reasoning.records.parts import Part
from elastic_reasoning.records.record import Record
from elastic_reasoning.tasks.task import Problem

BASE, TRAINED = "mini", "mini-e1"
BUDGETS = ("8+20", "16+20", "24+20", "32+20", "48+20", "64+20", "96+20", "160+20")
STRATEGIES = ("elastic", "vanilla", "s1")


def make_problems(num_problems: int) -> list[Problem]:
    return [_chain(number)[0] for number in range(num_problems)]


def _chain(number: int) -> tuple[Problem, list[str]]:
    """A problem, and the short steps that solve it."""
    rng = random.Random(f"chain {number}")
    value = rng.randrange(10)
    words, steps = [f"a {value}"], []
    for letter in "bcdefghijklm"[: rng.randrange(6, 13)]:
        operand = rng.randrange(10)
        value = (value + operand) % 10
        words.append(f"{letter} +{operand}")
        steps.append(f"{letter} +{operand} {value}")
    question = " ".join(words) + " ="
    return Problem(f"chain-{number:04d}", ({"role": "user", "content": question},), str(value)), steps


def make_records(
    num_problems: int = 40,
    num_samples: int = 2,
    budgets: Sequence[str] = BUDGETS,
    models: Sequence[str] = (BASE, TRAINED),
    strategies: Sequence[str] = STRATEGIES,
) -> list[Record]:
    return [
        _record(model, strategy, budget, number, sample)
        for model in models
        for strategy, budget in [*((s, b) for s in strategies for b in budgets), ("unconstrained", "inf+inf")]
        for number in range(num_problems)
        for sample in range(num_samples)
    ]


def _record(model: str, strategy: str, budget: str, number: int, sample: int) -> Record:
    problem, steps = _chain(number)
    rng = random.Random(f"thought {model} {number} {sample}")
    words = list(_thought(steps, 1 if model == TRAINED else rng.choice([1, 2, 3]), rng))
    t, total = Budget.parse(budget).thinking, Budget.parse(budget).total
    limit = {"elastic": t, "vanilla": total, "s1": None if total is None else total - 4}.get(strategy)
    cut = limit is not None and len(words) >= limit
    thought = words[:limit]
    right = not cut or rng.random() < (0.6 if model == TRAINED else 0.2)
    answer = problem.answer if right else str((int(problem.answer) + 1) % 10)
    forced = cut and strategy != "vanilla"
    parts = [_part("thinking", thought, "length" if cut else "delimiter")]
    if forced or not cut:
        parts.append(_part("closing", ["</think>"], None, sampled=not forced))
    solution: list[str] = []
    if strategy == "s1":
        parts.append(_part("solution", ["Final", "Answer:"], None, sampled=False))
        solution = [answer, "<eos>"]
    elif parts[-1]["phase"] == "closing":
        solution = ["answer", answer, "<eos>"]
    if solution:
        parts.append(_part("solution", solution, "eos"))
    found = answer if solution else None
    return Record(
        model=model,
        strategy=strategy,
        budget=budget,
        problem=problem.id,
        sample=sample,
        correct=found == problem.answer,
        answer=found,
        reason=None if found == problem.answer else "no answer" if found is None else "wrong answer",
        unboxed=False,
        error=None,
        num_thinking_tokens=len(thought),
        num_solution_tokens=len(solution),
        num_forced_tokens=sum(len(part["ids"]) for part in parts if not part["sampled"]),
        num_reused_tokens=0 if budget == "inf+inf" else len(thought),
        budget_hit=cut,
        forced_close=forced,
        solution_cut=False,
        escaped=False,
        segments=parts,
        solution=" ".join(word for word in solution if word != "<eos>"),
    )


def _thought(steps: Sequence[str], num_checks: int, rng: random.Random) -> Iterator[str]:
    for step in steps:
        for check in range(num_checks):
            yield from step.split() if check == 0 else ["wait", "check", *step.split(), "ok"]
    if rng.random() < 0.5 and num_checks > 1:
        yield from " ".join(steps).split()
    yield from ["so", steps[-1].split()[-1]]


def _part(phase: str, words: Sequence[str], finish: str | None, sampled: bool = True) -> Part:
    ids = [sum(map(ord, word)) % 64 for word in words]
    return Part(phase=phase, ids=ids, sampled=sampled, finish=finish, text=" ".join(words))


def make_manifest(num_problems: int = 40) -> Manifest:
    config = {"models": [BASE, TRAINED], "strategies": list(STRATEGIES), "budgets": list(BUDGETS), "temperature": 1.0}
    return Manifest(
        task="arithmetic",
        split="test",
        seed=0,
        config=config,
        problems=Manifest.new("arithmetic", "test", 0, {}, make_problems(num_problems)).problems,
        data="",
        versions={"python": "3.11.2", "elastic-reasoning": "0.1.0", "torch": "2.9.0", "transformers": "5.10.0"},
        commit="0123456789abcdef0123456789abcdef01234567",
        created="2025-01-01T00:00:00+00:00",
    )


def old_lines(records: Iterable[Record]) -> str:
    """Whole records, a line each, as they were written before there were writers."""
    left_out = ("logprobs", "thought", "probes", "branches")
    plain = [{each.name: getattr(r, each.name) for each in fields(r) if each.name not in left_out} for r in records]
    return "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in plain)


def rewrite(folder: Path, change: Callable[[Record], Record]) -> None:
    """Put other records in place of a folder's."""
    manifest, records = read_records(folder)
    changed = [change(record) for record in records]
    shutil.rmtree(folder)
    write_folder(folder, changed, manifest)


def write_folder(folder: Path, records: Iterable[Record], manifest: Manifest | None = None) -> Path:
    with RecordsWriter(folder) as writer:
        write_manifest(folder, manifest or make_manifest())
        for record in records:
            writer.write(record)
    return folder
