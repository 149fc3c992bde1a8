"""A browser, and a made-up run at the size of a real benchmark: thousands of tokens, many samples, long thoughts."""

import random
import shutil
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.records.manifest import Manifest
from elastic_reasoning.records.parts import Part
from elastic_reasoning.records.record import Record
from elastic_reasoning.report.results import Results
from elastic_reasoning.tasks.task import Problem

BASE, TRAINED = "DeepScaleR-1.5B-Preview", "runs/e1_math-1.5b"
BUDGETS = ("0+1024", "512+1024", "1024+1024", "1792+256", "1792+512", "2048+1024", "3072+1024", "3072+512")
WORDS = (
    "so",
    "we",
    "have",
    r"$x^2$",
    "=",
    r"\frac{1}{2}",
    "wait,",
    "let",
    "me",
    "check",
    "that",
    "again.",
    "then",
    "n",
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")  # its event loop is in the way of other tests as long as it is there
def browser() -> Iterator[Any]:
    """A real browser, where there is one."""
    if CHROMIUM is None:
        pytest.skip("no chromium is installed")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class Benchmark:
    """What `read_records` would give of it."""

    def __init__(self, num_problems: int, num_samples: int) -> None:
        self.problems = [_problem(number) for number in range(num_problems)]
        self.records = list(_records(self.problems, num_samples))
        self.manifest = Manifest(
            task="aime24",
            split="train",
            seed=0,
            config={"models": [BASE, TRAINED], "budgets": list(BUDGETS), "samples": num_samples},
            problems=Manifest.new("aime24", "train", 0, {}, self.problems).problems,
            data="",
            versions={"python": "3.11.2", "elastic-reasoning": "0.1.0", "torch": "2.9.0", "transformers": "5.10.0"},
            commit=None,
            created="2025-01-01T00:00:00+00:00",
        )


@pytest.fixture(scope="session")
def benchmark_run() -> Results:
    run = Benchmark(num_problems=4, num_samples=3)
    return Results.of(run.manifest, run.records)


def _problem(number: int) -> Problem:
    text = (
        rf"Find the number of ordered pairs $(a, b)$ of positive integers with $\gcd(a, b) = {number + 2}$ and "
        r"$a < b \le 100$. Let's think step by step and output the final answer within \boxed{}."
    )
    return Problem(f"2024-I-{number + 1}", ({"role": "user", "content": text},), str(17 * number + 4))


def _records(problems: list[Problem], num_samples: int) -> Iterator[Record]:
    settings = [("elastic", budget) for budget in BUDGETS]
    settings += [(strategy, f"{t}+1024") for strategy in ("vanilla", "s1", "l1-max") for t in (512, 1024, 2048, 3072)]
    settings += [("unconstrained", "inf+inf")]
    for model in (BASE, TRAINED):
        for strategy, budget in settings:
            for number, problem in enumerate(problems):
                for sample in range(num_samples):
                    yield _record(model, strategy, budget, number / len(problems), problem, sample)


def _record(model: str, strategy: str, budget: str, hardness: float, problem: Problem, sample: int) -> Record:
    rng = random.Random(f"{model} {problem.id} {sample}")
    wanted = int(rng.lognormvariate(8.9 if model == BASE else 8.4, 0.7) * (0.4 + hardness))
    t, s, total = (lambda b: (b.thinking, b.solution, b.total))(Budget.parse(budget))
    limit = {"elastic": t, "vanilla": total, "s1": None if total is None else total - 20, "l1-max": 8192}.get(strategy)
    cut = limit is not None and wanted >= limit
    num_thinking = min(wanted, limit) if limit is not None else wanted
    num_solution = 0 if cut and strategy == "vanilla" else min(s or 10**6, rng.randrange(200, 1300))
    solution_cut = strategy == "elastic" and num_solution == s
    forced = cut and strategy in ("elastic", "s1")
    skill = (0.75 if model == TRAINED else 0.55) * min(1.0, (num_thinking + 100) / wanted) ** 0.7
    correct = num_solution > 0 and not solution_cut and rng.random() < skill * (1.4 - hardness)
    answer = problem.answer if correct else None if not num_solution or solution_cut else str(rng.randrange(999))
    parts = [_part("thinking", num_thinking, "length" if cut else "delimiter")]
    if num_solution:
        parts.append(Part(phase="closing", ids=[9], sampled=not forced, finish=None, text="</think>\n\n"))
        solution = _part("solution", num_solution, "length" if solution_cut else "eos")
        parts.append({**solution, "text": f"{solution['text']} \\boxed{{{answer}}}"})
    return Record(
        model=model,
        strategy=strategy,
        budget=budget,
        problem=problem.id,
        sample=sample,
        correct=correct,
        answer=answer,
        reason=None if correct else "no answer" if answer is None else "wrong answer",
        unboxed=num_solution > 0 and rng.random() < 0.1,
        error=None,
        num_thinking_tokens=num_thinking,
        num_solution_tokens=num_solution,
        num_forced_tokens=int(forced),
        num_reused_tokens=0,
        budget_hit=cut,
        forced_close=forced,
        solution_cut=solution_cut,
        escaped=num_solution > 0 and rng.random() < 0.02,
        segments=parts,
        solution=parts[-1]["text"] if num_solution else "",
        seconds=0.01,
    )


@cache
def _part(phase: str, num_tokens: int, finish: str) -> Part:
    rng = random.Random(phase)
    text = " ".join(rng.choice(WORDS) for _ in range(num_tokens))
    return Part(phase=phase, ids=[7] * num_tokens, sampled=True, finish=finish, text=text)
