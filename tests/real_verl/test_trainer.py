"""verl's own trainer learns from rollouts whose budgets are kept, from exactly the tokens that were sampled, and with
the weights that it has just learnt."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

pytest.importorskip("verl", reason="verl is not installed: scripts/setup_verl.sh")

from checker import check
from elastic_reasoning.core.replay import replay
from elastic_reasoning.core.request import DEFAULT_STRATEGY, Sampling
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.engines.engine import generate, new_request
from elastic_reasoning.engines.loading import load
from elastic_reasoning.integrations.verl.facts import FACTS, trace_of
from elastic_reasoning.tasks.arithmetic import Arithmetic
from real_verl.conftest import GREEDY, LOOPS, NUM_GREEDY, NUM_PROMPTS, PER_LOOP, SAMPLES, STEPS, WRONG
from real_verl.running import Run
from real_vllm.same import tie

pytestmark = [pytest.mark.verl, pytest.mark.full, pytest.mark.timeout(2700), pytest.mark.filterwarnings("default")]

Seen = Callable[[str], None]


def rollouts(run: Run, partition: str = "train") -> Iterator[dict[str, Any]]:
    """What the trainer had of each rollout."""
    for batch in run.batches(partition):
        for values in zip(*batch.values(), strict=True):
            yield dict(zip(batch, values, strict=True))


def made(run: Run, partition: str = "train") -> Iterator[tuple[dict[str, Any], Trace]]:
    """Those that could be made, each with its trace."""
    for row in rollouts(run, partition):
        if row["extra_fields"]["error"] is None:
            facts = row["extra_fields"][FACTS]
            trace, logprobs = trace_of(facts), row["rollout_log_probs"]
            given = (trace.template, facts["context"], trace.sampled_mask, logprobs)
            yield row, replay(trace.request, row["responses"], *given)


def test_the_trainer_has_exactly_what_was_sampled(run: Run, seen: Seen) -> None:
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
    seen(f"{num} rollouts under {len(LOOPS)} agent loops, ids and masks of every one exact")


def test_budgets_are_those_of_the_plan_or_of_the_row(run: Run) -> None:
    budgets = defaultdict(set)
    for row, trace in made(run):
        budgets[row["extra_info"]["loop"]].add(str(trace.request.budget))
    assert budgets["one-pass"] == budgets["calls"] == {"24+20"}
    assert budgets["column"] == {f"{8 + n}+20" for n in range(PER_LOOP)}
    assert len(budgets["random"]) > PER_LOOP  # other ones in the second step


def test_samples_of_a_prompt_share_a_random_budget(run: Run) -> None:
    for batch in run.batches("train"):
        groups = defaultdict(set)
        for key, info, extra in zip(batch["keys"], batch["extra_info"], batch["extra_fields"], strict=True):
            if info["loop"] == "random":
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


def test_ratios_are_one_at_equal_weights(run: Run, seen: Seen) -> None:
    """By verl's own measure, in the second step too: vLLM then has the weights that were learnt in the first.

    A delimiter that is drawn in one pass may stand for an end of sequence: no ratio is above 1, and the next test has
    that of every token.
    """
    for log in run.log[-STEPS:]:
        assert log["rollout_corr/rollout_is_max"] == pytest.approx(1, abs=1e-3)
        ends = log["rollout_corr/rollout_is_min"], log["rollout_corr/rollout_is_max"]
        seen(f"ratios from {ends[0]:.6f} to {ends[1]:.6f}")
    assert run.log[-1]["actor/grad_norm"] > 0


def test_every_token_has_the_probability_that_it_was_drawn_with(run: Run, seen: Seen) -> None:
    """That of its step's weights; of a delimiter in one pass, or that and the probability of an end of sequence."""
    in_one_pass = {loop["name"] for loop in LOOPS if loop.get("one_pass", True)}
    learnt = run.folder / "checkpoints" / "global_step_1" / "actor" / "huggingface"
    rows = [*made(run)]
    num_each, num_moved, largest = len(rows) // STEPS, 0, 0.0
    for step, model in enumerate((load("mini").model, load(str(learnt)).model)):
        for row, trace in rows[step * num_each : (step + 1) * num_each]:
            expected, moved = scored(model, trace)
            drawn = torch.tensor(row["rollout_log_probs"])
            closing = torch.tensor([s.phase is Phase.CLOSING for s in trace.segments for _ in s.ids])
            sampled = torch.tensor(trace.sampled_mask)
            apart = (expected.exp() - drawn.exp()).abs()
            stands = sampled & closing & (apart > 1e-3)
            if row["extra_info"]["loop"] in in_one_pass:
                apart = torch.where(stands, (moved.exp() - drawn.exp()).abs(), apart)
                num_moved += int(stands.sum())
            largest = max(largest, float(apart[sampled].max()))
    assert largest < 1e-3
    seen(f"{len(rows)} rollouts, probabilities within {largest:.0e}, {num_moved} delimiters with an end of sequence")


def scored(model: Any, trace: Trace) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each token its log-probability, and that of itself or an end of sequence."""
    prompt = trace.request.prompt.ids
    with torch.no_grad():
        logits = model(torch.tensor([[*prompt, *trace.ids]]), use_cache=False).logits[0, len(prompt) - 1 : -1]
    logprobs = logits.float().log_softmax(-1)
    own = logprobs.gather(1, torch.tensor(trace.ids)[:, None])[:, 0]
    ends = logprobs[:, sorted(trace.template.eos)].logsumexp(-1)
    return own, torch.logaddexp(own, ends)


def test_greedy_rollouts_are_those_of_the_transformers_engine(run: Run, seen: Seen) -> None:
    """Token for token, but where the two best were as good as equal; with the same mask."""
    engine, requests = load("mini"), []
    for name in GREEDY:
        (loop,) = (loop for loop in LOOPS if loop["name"] == name)
        (strategy,), (budget,) = loop.get("strategies", [DEFAULT_STRATEGY]), loop["budgets"]
        settings = {"options": loop.get("options"), "sampling": Sampling(temperature=0), "name": name}
        requests += [
            new_request(engine, problem.messages, budget, strategy, **settings)
            for problem in Arithmetic().problems("validation", NUM_GREEDY)
        ]
    wanted = {(trace.request.name, trace.request.prompt.ids): trace for trace in generate(engine, requests)}
    num = ties = 0
    for row, trace in made(run, "val"):
        own = wanted[row["extra_info"]["loop"], trace.request.prompt.ids]
        num += 1
        if trace.ids == own.ids:
            assert trace.sampled_mask == own.sampled_mask
        else:
            ties += 1
            assert tie(engine.model, own.request.prompt.ids, trace.ids, own.ids)
    assert num == len(wanted) == len(GREEDY) * NUM_GREEDY
    seen(f"{num} greedy rollouts, {ties} ties")


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
