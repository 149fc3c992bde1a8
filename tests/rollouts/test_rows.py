from dataclasses import replace
from statistics import mean, stdev
from typing import Any

import pytest

from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.engines.loading import load
from elastic_reasoning.rollouts.advantages import group_advantages, thinking_advantages
from elastic_reasoning.rollouts.config import RolloutConfig
from elastic_reasoning.rollouts.plan import Plan
from elastic_reasoning.rollouts.rollouts import roll_out
from elastic_reasoning.rollouts.rows import Row, advantage_sums, as_rows, whitened
from elastic_reasoning.rollouts.scoring import Scored
from elastic_reasoning.tasks.arithmetic import Arithmetic

FILLER = 3
PROBLEMS = Arithmetic().problems("train", 3)
CONFIG = RolloutConfig(budgets=("64+12",), samples_per_prompt=4)
G = CONFIG.samples_per_prompt
ANYTIME = replace(CONFIG, plan="anytime", budgets=("8+12", "64+12", "200+12"))


@pytest.fixture(scope="module")
def engine() -> Any:
    return load("mini", max_rows=16)


def scored(traces: list[Trace]) -> list[Scored]:
    """Each rollout with a reward that depends on it alone."""
    grade = Arithmetic().grade(PROBLEMS[0], "answer 1")
    return [Scored(trace, grade, float(sum(trace.ids) % 7), None) for trace in traces]


@pytest.fixture(scope="module")
def rollouts(engine: Any) -> list[Scored]:
    return scored(roll_out(engine, PROBLEMS, Plan(CONFIG, 5, 0), step=3))


@pytest.fixture(scope="module")
def cuts(engine: Any) -> list[Scored]:
    return scored(roll_out(engine, PROBLEMS, Plan(ANYTIME, 5, 0), step=3))


def masked(row: Row) -> bool:
    return row == Row(row.prompt_ids, [FILLER], [0], [0.0], [0.0])


def test_rows_are_the_traces(rollouts: list[Scored]) -> None:
    rows = as_rows(rollouts, CONFIG, FILLER)
    for row, one in zip(rows, rollouts, strict=True):
        assert row.prompt_ids == list(one.trace.request.prompt.ids)
        assert row.completion_ids == list(one.trace.ids)
        assert row.loss_mask == [int(sampled) for sampled in one.trace.sampled_mask]
        assert row.logprobs == list(one.trace.logprobs or ())
        assert all((value < 0.0) == bool(sampled) for value, sampled in zip(row.logprobs, row.loss_mask, strict=True))
    assert any(0 in row.loss_mask for row in rows)


def test_every_sampled_token_has_the_advantage_of_its_rollout(rollouts: list[Scored]) -> None:
    for normalised in (True, False):
        rows = as_rows(rollouts, CONFIG, FILLER, normalised=normalised)
        for n in range(0, len(rows), G):
            rewards = [one.reward for one in rollouts[n : n + G]]
            wanted = group_advantages(rewards, normalised=normalised)
            for row, advantage in zip(rows[n : n + G], wanted, strict=True):
                assert row.advantages == [advantage if learnt else 0.0 for learnt in row.loss_mask]


def test_the_exits_of_a_thinking_are_compared_with_each_other(engine: Any) -> None:
    config = replace(CONFIG, plan="serial", budgets=("96+12",), num_exits=3, samples_per_prompt=2)
    exits = scored(roll_out(engine, PROBLEMS, Plan(config, 5, 0), step=3))
    rows = as_rows(exits, config, FILLER, normalised=False)
    for n in range(0, len(rows), 4):
        wanted = group_advantages([one.reward for one in exits[n : n + 4]], normalised=False)
        for row, one, advantage in zip(rows[n : n + 4], exits[n : n + 4], wanted, strict=True):
            assert row.loss_mask == [int(sampled) for sampled in one.trace.sampled_mask]  # its thinking too
            assert row.advantages == [advantage if learnt else 0.0 for learnt in row.loss_mask]


def test_whitened_rows_have_mean_0_and_variance_1_over_learnt_tokens(rollouts: list[Scored]) -> None:
    rows = as_rows(rollouts, CONFIG, FILLER, normalised=False)
    found = whitened(rows, advantage_sums(rows))
    values = [a for row in found for a, learnt in zip(row.advantages, row.loss_mask, strict=True) if learnt]
    assert mean(values) == pytest.approx(0, abs=1e-9)
    assert stdev(values) == pytest.approx(1, rel=1e-6)
    assert not any(a for row in found for a, learnt in zip(row.advantages, row.loss_mask, strict=True) if not learnt)
    assert [replace(row, advantages=[]) for row in found] == [replace(row, advantages=[]) for row in rows]


def test_sums_of_parts_whiten_as_the_whole(rollouts: list[Scored]) -> None:
    rows = as_rows(rollouts, CONFIG, FILLER, normalised=False)
    parts = [advantage_sums(rows[:G]), advantage_sums(rows[G:])]
    sums = [sum(each) for each in zip(*parts, strict=True)]
    of_part, of_whole = whitened(rows[:G], sums), whitened(rows, advantage_sums(rows))
    for ours, wanted in zip(of_part, of_whole[:G], strict=True):
        assert ours.advantages == pytest.approx(wanted.advantages)


def test_without_logprobs(rollouts: list[Scored]) -> None:
    bare = [replace(segment, logprobs=None) for segment in rollouts[0].trace.segments]
    unknown = replace(rollouts[0], trace=replace(rollouts[0].trace, segments=tuple(bare)))
    rows = as_rows([unknown, *rollouts[1:]], CONFIG, FILLER)
    assert rows[0].logprobs is None
    assert rows[1].logprobs is not None


def test_a_rollout_without_a_reward_is_masked_and_counts_in_no_baseline(rollouts: list[Scored]) -> None:
    failed = replace(rollouts[1], reward=None, grade=None, error="it broke")
    rows = as_rows([rollouts[0], failed, *rollouts[2:]], CONFIG, FILLER)
    assert masked(rows[1])
    rewards = [rollouts[0].reward, None, *(one.reward for one in rollouts[2:G])]
    assert max(rows[0].advantages, key=abs) == group_advantages(rewards)[0]
    assert rows[G:] == as_rows(rollouts, CONFIG, FILLER)[G:]


def test_rollouts_that_were_cut_may_be_left_out(rollouts: list[Scored]) -> None:
    rows = as_rows(rollouts, CONFIG, FILLER, mask_cut=True)
    assert [masked(row) for row in rows] == [one.trace.cut for one in rollouts]
    assert 0 < sum(map(masked, rows)) < len(rows)


def test_a_rollout_that_is_cut_while_it_thinks_is_left_out_too(engine: Any) -> None:
    config = replace(CONFIG, strategies=("vanilla",), budgets=("8+4",))
    rollouts = scored(roll_out(engine, PROBLEMS, Plan(config, 5, 0), step=0))
    assert all(one.trace.cut and not one.trace.solution_cut for one in rollouts)
    assert all(map(masked, as_rows(rollouts, config, FILLER, mask_cut=True)))


def test_a_thinking_with_an_answer_that_has_no_reward_is_not_learnt(cuts: list[Scored]) -> None:
    failed = replace(cuts[0], reward=None, grade=None, error="it broke")
    longest = cuts[2].trace
    row = as_rows([failed, *cuts[1:]], ANYTIME, FILLER)[2]
    assert sum(row.loss_mask) == longest.num_solution_tokens
    assert not any(row.loss_mask[: len(longest.ids) - longest.num_solution_tokens])


def test_text_that_replaces_an_early_delimiter_is_not_learnt(engine: Any) -> None:
    config = replace(CONFIG, options={"min_thinking": 64, "wait": "wait"}, temperature=100.0)
    rollouts = scored(roll_out(engine, PROBLEMS, Plan(config, 5, 0), step=0))
    thinking = [s for one in rollouts for s in one.trace.segments if s.phase is Phase.THINKING]
    assert any(not segment.sampled for segment in thinking)
    rows = as_rows(rollouts, config, FILLER)
    assert [sum(row.loss_mask) for row in rows] == [one.trace.num_sampled_tokens for one in rollouts]


def test_the_longest_cut_learns_to_think_and_the_others_to_answer(cuts: list[Scored]) -> None:
    rows = as_rows(cuts, ANYTIME, FILLER)
    num_answers = 0
    for n in range(0, len(rows), 3):
        longest = cuts[n + 2].trace
        assert rows[n + 2].loss_mask == [int(sampled) for sampled in longest.sampled_mask]
        for row, one in zip(rows[n : n + 2], cuts[n : n + 2], strict=True):
            if one.trace.ids == longest.ids:
                assert masked(row)
                continue
            num_answers += 1
            assert row.completion_ids == list(one.trace.ids)
            assert sum(row.loss_mask) == one.trace.num_solution_tokens
            assert not any(row.loss_mask[: len(one.trace.ids) - one.trace.num_solution_tokens])
    assert 0 < num_answers < 2 * len(rows) // 3  # some thoughts end before the second cut


def test_thinking_and_solution_have_advantages_of_their_own(cuts: list[Scored]) -> None:
    rows = as_rows(cuts, ANYTIME, FILLER)
    for first in range(0, len(rows), 3 * G):
        rewards = [[one.reward for one in cuts[n : n + 3]] for n in range(first, first + 3 * G, 3)]
        thinking = thinking_advantages(rewards, (1.0, 1.0, 1.0))
        for i in range(G):
            for j in range(3):
                one, row = cuts[first + 3 * i + j], rows[first + 3 * i + j]
                if masked(row):
                    continue
                answer = group_advantages([line[j] for line in rewards])[i]
                num_thinking = len(one.trace.ids) - one.trace.num_solution_tokens
                assert set(row.advantages[num_thinking:]) == {answer}
                if j == 2:
                    wanted = [thinking[i][0 if p < 8 else 1 if p < 64 else 2] for p in range(num_thinking)]
                    learnt = row.loss_mask[:num_thinking]
                    assert row.advantages[:num_thinking] == [
                        a if on else 0.0 for a, on in zip(wanted, learnt, strict=True)
                    ]


def test_several_answers_of_a_cut_are_compared_with_each_other(engine: Any) -> None:
    config = replace(ANYTIME, answers_per_cut=3, samples_per_prompt=2, budgets=("8+12", "150+12", "200+12"))
    answers = scored(roll_out(engine, PROBLEMS, Plan(config, 5, 0), step=0))
    rows = as_rows(answers, config, FILLER, normalised=False)
    for first in range(0, len(rows), 18):
        means = [
            [mean(one.reward or 0.0 for one in answers[n : n + 3]) for n in range(k, k + 9, 3)]
            for k in (first, first + 9)
        ]
        thinking = thinking_advantages(means, (1.0, 1.0, 1.0))
        for i, start in enumerate((first, first + 9)):
            own = answers[start : start + 9]
            ended = own[-1].trace.num_thinking_tokens < 150
            points = [(0, 3), (3, 9)] if ended else [(0, 3), (3, 6), (6, 9)]
            for begin, end in points:
                wanted = group_advantages([one.reward for one in own[begin:end]], normalised=False)
                for n, advantage in zip(range(begin, end), wanted, strict=True):
                    row, trace = rows[start + n], own[n].trace
                    num_before = len(trace.ids) - trace.num_solution_tokens
                    assert set(row.advantages[num_before:]) == {advantage}
                    assert row.completion_ids == list(trace.ids)  # nothing is repeated, so nothing is masked
                    if n < 8:
                        assert not any(row.loss_mask[:num_before])
            cuts = [0 if p < 8 else 1 if p < 150 else 2 for p in range(len(own[-1].trace.ids))]
            last, num = rows[start + 8], len(own[-1].trace.ids) - own[-1].trace.num_solution_tokens
            wanted = [thinking[i][cut] * learnt for cut, learnt in zip(cuts, last.loss_mask, strict=True)]
            assert last.advantages[:num] == wanted[:num]
