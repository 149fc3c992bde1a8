"""verl's own trainer learns from rollouts whose budgets are kept, from exactly the tokens that were sampled, and with
the weights that it has just learnt."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("verl", reason="verl is not installed: scripts/setup_verl.sh")

from checker import check
from elastic_reasoning.core.request import Sampling
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.engines.engine import generate, new_request
from elastic_reasoning.engines.loading import load
from elastic_reasoning.integrations.verl.facts import FACTS, trace_of
from elastic_reasoning.tasks.arithmetic import Arithmetic
from real_verl.conftest import LOOPS, NUM_PROMPTS, PER_LOOP, SAMPLES, STEPS, WRONG
from real_verl.running import Run
from real_vllm.same import tie

pytestmark = [pytest.mark.verl, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]


def rollouts(run: Run, partition: str = "train") -> Iterator[dict[str, Any]]:
    """What the trainer had of each rollout."""
    for batch in run.batches(partition):
        for values in zip(*batch.values(), strict=True):
            yield dict(zip(batch, values, strict=True))


def made(run: Run, partition: str = "train") -> Iterator[tuple[dict[str, Any], Trace]]:
    """Those that could be made, each with its trace."""
    for row in rollouts(run, partition):
        if row["extra_fields"]["error"] is None:
            yield row, trace_of(row["extra_fields"][FACTS])


def test_the_trainer_has_exactly_what_was_sampled(run: Run) -> None:
    """Ids, mask and log-probabilities of over a thousand rollouts, under every kind of strategy."""
    num = 0
    for row, trace in made(run):
        num += 1
        assert row["prompts"] == list(trace.request.prompt.ids)
        assert row["responses"] == list(trace.ids)
        assert row["response_mask"] == [*map(int, trace.sampled_mask)]
        assert not check(trace, row["extra_fields"][FACTS]["context"])
        forced = [
            value for value, sampled in zip(row["rollout_log_probs"], trace.sampled_mask, strict=True) if not sampled
        ]
        assert not any(forced)
    assert num == STEPS * SAMPLES * PER_LOOP * len(LOOPS) > 1000


def test_budgets_are_those_of_the_plan_or_of_the_row(run: Run) -> None:
    budgets = defaultdict(set)
    for row, trace in made(run):
        budgets[row["agent_name"]].add(str(trace.request.budget))
    assert budgets["one-pass"] == budgets["calls"] == {"24+20"}
    assert budgets["column"] == {f"{8 + n}+20" for n in range(PER_LOOP)}
    assert len(budgets["random"]) > PER_LOOP  # other ones in the second step


def test_samples_of_a_prompt_share_a_random_budget(run: Run) -> None:
    for batch in run.batches("train"):
        groups = defaultdict(set)
        for key, name, extra in zip(batch["keys"], batch["agent_name"], batch["extra_fields"], strict=True):
            if name == "random":
                groups[key.split("_")[0]].add(str(trace_of(extra[FACTS]).request.budget))
        assert len(groups) == PER_LOOP
        assert all(len(group) == 1 for group in groups.values())


def test_what_cannot_be_made_is_a_masked_row_with_a_reason(run: Run) -> None:
    wrong = [row for row in rollouts(run) if row["extra_fields"]["error"] is not None]
    assert len(wrong) == STEPS * SAMPLES * len(WRONG)
    assert all(row["response_mask"] == [0] and len(row["responses"]) == 1 for row in wrong)
    reasons = {row["extra_fields"]["error"] for row in wrong}
    assert len(reasons) == len(WRONG)
    assert any("425 more than data.max_response_length 96" in reason for reason in reasons)


def test_ratios_are_one_at_equal_weights(run: Run) -> None:
    """By verl's own measure, in the second step too: vLLM then has the weights that were learnt in the first."""
    for log in run.log[-STEPS:]:
        assert log["rollout_corr/rollout_is_max"] == pytest.approx(1, abs=1e-3)
        assert log["rollout_corr/rollout_is_min"] == pytest.approx(1, abs=1e-3)
        assert log["training/rollout_probs_diff_max"] < 1e-3
    assert run.log[-1]["actor/grad_norm"] > 0


def test_greedy_rollouts_are_those_of_the_transformers_engine(run: Run) -> None:
    engine = load("mini")
    problems = {p.messages[-1]["content"]: p for p in Arithmetic().problems("validation", 24)}
    wanted = {}
    for name, strategy, options in (
        ("one-pass", "elastic", {}),
        ("calls", "elastic", {}),
        ("s1", "s1", {"answer_tokens": 2}),
    ):
        requests = [
            replace(
                new_request(engine, question, "24+20", strategy, options, sampling=Sampling(temperature=0)),
                name=f"{name} {question}",
            )
            for question in problems
        ]
        wanted |= {trace.request.name: trace for trace in generate(engine, requests)}
    num = 0
    for row, trace in made(run, "val"):
        question = row["extra_fields"]["raw_prompt"][-1]["content"] if "raw_prompt" in row["extra_fields"] else None
        name = next(
            name
            for name, own in wanted.items()
            if name.startswith(f"{row['agent_name']} ") and own.request.prompt == trace.request.prompt
        )
        assert question is None or name.endswith(question)
        own = wanted[name]
        if trace.ids != own.ids:
            assert tie(engine.model, own.request.prompt.ids, trace.ids, own.ids)
        else:
            assert trace.sampled_mask == own.sampled_mask
        num += 1
    assert num == len(wanted) == 72


def test_the_log_says_what_budgets_came_to(run: Run) -> None:
    for log, batch in zip(run.log[-STEPS:], run.batches("train"), strict=True):
        traces = [trace_of(extra[FACTS]) for extra in batch["extra_fields"] if extra["error"] is None]
        for name, values in {
            "thinking_tokens": [trace.num_thinking_tokens for trace in traces],
            "solution_tokens": [trace.num_solution_tokens for trace in traces],
            "forced_rate": [trace.forced_close for trace in traces],
            "escape_rate": [trace.escaped for trace in traces],
            "cut_rate": [trace.cut for trace in traces],
        }.items():
            assert log[f"elastic/{name}"] == pytest.approx(sum(values) / len(values)), name
        assert log["elastic/failed_rate"] == pytest.approx(len(WRONG) / NUM_PROMPTS)
        assert 0 < log["elastic/accuracy"] < 1
    assert any(name.endswith("/thinking_tokens/mean@1") for name in run.log[0])


def test_rewards_are_those_of_the_solution(run: Run) -> None:
    answers = {p.messages[-1]["content"]: p for p in Arithmetic().problems("train", NUM_PROMPTS)}
    task = Arithmetic()
    for row, trace in made(run):
        text = trace.template.decode(list(trace.request.prompt.ids))
        problem = next(p for question, p in answers.items() if question in text)
        assert sum(row["rm_scores"]) == float(task.grade(problem, trace.solution_text).correct)
