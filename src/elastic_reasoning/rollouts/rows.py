"""Rollouts as rows that any trainer can learn from: ids, loss mask, log-probabilities, and an advantage for each token.

    rows = as_rows(scored, RolloutConfig(samples_per_prompt=8), filler=tokenizer.eos_token_id)
    tokens = tokens_of(trace, filler=tokenizer.eos_token_id)        # for a trainer that computes advantages itself

Nothing here knows a trainer; the adapter to TRL is `elastic_reasoning.training.trl.trainer`, and the names that other
trainers have for these fields are in `elastic_reasoning.rollouts.trainers`.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, takewhile
from statistics import fmean

import numpy as np

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.segment import Phase
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.rollouts.advantages import group_advantages, thinking_advantages, whitening
from elastic_reasoning.rollouts.config import RolloutConfig
from elastic_reasoning.rollouts.scoring import Scored


@dataclass(frozen=True, slots=True)
class Tokens:
    """One rollout.

    Attributes:
        prompt_ids: `[prompt]`.
        completion_ids: never empty `[n]`.
        loss_mask: 1 for what is learnt from: sampled tokens, of a rollout that did not fail `[n]`.
        logprobs: as sampled, 0.0 for forced tokens `[n]`; `None` where the engine gave none.
    """

    prompt_ids: list[int]
    completion_ids: list[int]
    loss_mask: list[int]
    logprobs: list[float] | None


@dataclass(frozen=True, slots=True)
class Row(Tokens):
    """One rollout with what each of its tokens is worth; the mask of one without a reward is 0.

    Attributes:
        advantages: of each token, 0.0 where the mask is 0 `[n]`.
    """

    advantages: list[float]


def tokens_of(trace: Trace, filler: int) -> Tokens:
    """A rollout as it is learnt from; one that failed, or sampled nothing, is one masked token.

    Args:
        trace: the rollout.
        filler: the id of that token.
    """
    prompt_ids, logprobs = list(trace.request.prompt.ids), trace.logprobs
    if trace.error is not None or not trace.ids:
        return Tokens(prompt_ids, [filler], [0], [0.0])
    mask = [int(sampled) for sampled in trace.sampled_mask]
    return Tokens(prompt_ids, list(trace.ids), mask, None if logprobs is None else list(logprobs))


def as_rows(
    scored: Sequence[Scored], config: RolloutConfig, filler: int, *, normalised: bool = True, mask_cut: bool = False
) -> list[Row]:
    """Scored rollouts to rows, in their order: prompt after prompt, sample after sample, cut after cut.

    A rollout without a reward becomes a row of one masked token. So does, under anytime training without answers of
    their own, one whose thinking had ended before its cut: it is its longest sibling over again.

    Args:
        scored: rollouts of whole prompts.
        config: how they were made.
        filler: the id of that token.
        normalised: divide advantages by the standard deviation of the rewards that are compared; those of thinking
            under anytime training never are.
        mask_cut: mask rollouts that ran out of tokens too, in whichever phase.
    """
    is_serial = config.plan == "serial"  # the exits of a thinking are compared with each other alone
    groups = _chunks(scored, config.rollouts_per_thinking if is_serial else config.rollouts_per_prompt)
    of_group = _anytime if config.plan == "anytime" else _whole
    learnt = (each for group in groups for each in of_group(group, config, normalised))
    return [
        _masked(one.trace, filler) if row is None or (mask_cut and one.trace.cut) else row
        for one, row in zip(scored, learnt, strict=True)
    ]


def _chunks(scored: Sequence[Scored], size: int) -> list[Sequence[Scored]]:
    return [scored[start : start + size] for start in range(0, len(scored), size)]


def _masked(trace: Trace, filler: int) -> Row:
    return Row(list(trace.request.prompt.ids), [filler], [0], [0.0], [0.0])


def _whole(group: Sequence[Scored], config: RolloutConfig, normalised: bool) -> Iterator[Row | None]:
    """Rows of which every sampled token has the advantage of its rollout; `None` for a rollout without a reward."""
    for one, advantage in zip(group, group_advantages([one.reward for one in group], normalised), strict=True):
        yield None if one.reward is None else _row(one.trace, [None], [advantage], advantage)


def _anytime(group: Sequence[Scored], config: RolloutConfig, normalised: bool) -> Iterator[Row | None]:
    """Rows of a prompt under anytime training: the last of a thinking learns to think, and each learns to answer."""
    samples = _chunks(group, config.rollouts_per_thinking)
    rewards = [[_mean(cut) for cut in _chunks(sample, max(config.answers_per_cut, 1))] for sample in samples]
    thinking = thinking_advantages(rewards, config.weights or (1.0,) * config.num_cuts)
    solutions = _solution_advantages(samples, config.answers_per_cut, normalised)
    cuts = [Budget.parse(text).thinking for text in config.budgets]
    for i, sample in enumerate(samples):
        longest = sample[-1].trace
        is_whole = all(one.reward is not None for one in sample)  # or its thinking is not learnt from
        for one, solution in zip(sample, solutions[i], strict=True):
            is_last = one.trace is longest
            is_repeated = not (is_last or config.answers_per_cut) and one.trace.ids == longest.ids
            if one.reward is None or is_repeated:
                yield None
            else:
                yield _row(one.trace, cuts if is_last and is_whole else [], thinking[i], solution)


def _mean(answers: Sequence[Scored]) -> float | None:
    """The mean reward at a cut; `None` where an answer has none."""
    known = [one.reward for one in answers if one.reward is not None]
    return fmean(known) if len(known) == len(answers) else None


def _solution_advantages(
    samples: Sequence[Sequence[Scored]], answers_per_cut: int, normalised: bool
) -> list[list[float]]:
    """Of each answer of each thinking.

    A single answer is compared with those of the other thinkings at its cut. Several are compared with each other:
    those of one thinking that follow the very same ids, which are those of all later cuts where it has ended (Qi et
    al. 2025, `compute_summary_advantage`).
    """
    if answers_per_cut < 2:
        at_cuts = zip(*([one.reward for one in sample] for sample in samples), strict=True)
        of_cuts = [group_advantages(at_cut, normalised) for at_cut in at_cuts]
        return [list(of_sample) for of_sample in zip(*of_cuts, strict=True)]
    found = [[0.0] * len(sample) for sample in samples]
    for advantages, sample in zip(found, samples, strict=True):
        behind: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for number, one in enumerate(sample):
            behind[_before_solution(one.trace)].append(number)
        for numbers in behind.values():
            compared = group_advantages([sample[number].reward for number in numbers], normalised)
            for number, advantage in zip(numbers, compared, strict=True):
                advantages[number] = advantage
    return found


def _before_solution(trace: Trace) -> tuple[int, ...]:
    """The ids that an answer follows."""
    before = takewhile(lambda segment: segment.phase is not Phase.SOLUTION, trace.segments)
    return tuple(chain.from_iterable(segment.ids for segment in before))


def _row(trace: Trace, cuts: Sequence[int | None], thinking: Sequence[float], solution: float) -> Row:
    """A row that learns from its solution, and from its thinking if it is given the cuts.

    A token of thinking has the advantage of the first cut behind it; the end of thinking has that of the last.
    """
    lengths = np.array([len(segment.ids) for segment in trace.segments], int)
    sampled = np.repeat(np.array([segment.sampled for segment in trace.segments], bool), lengths)  # (n,)
    is_answer = [segment.phase in (Phase.SOLUTION, Phase.TOOL) for segment in trace.segments]
    answers = np.repeat(np.array(is_answer, bool), lengths)  # (n,)
    learnt = sampled if cuts else sampled & answers
    advantages = np.where(answers & learnt, solution, 0.0)
    thoughts = ~answers & learnt
    if cuts:
        ends = [np.inf if cut is None else cut for cut in cuts]
        behind = np.searchsorted(ends, np.arange(thoughts.sum()), side="right").clip(max=len(ends) - 1)
        advantages[thoughts] = np.asarray(thinking)[behind]
    logprobs = trace.logprobs
    return Row(
        prompt_ids=list(trace.request.prompt.ids),
        completion_ids=list(trace.ids),
        loss_mask=learnt.astype(int).tolist(),
        logprobs=None if logprobs is None else list(logprobs),
        advantages=advantages.tolist(),
    )


def advantage_sums(rows: Sequence[Row]) -> tuple[float, float, float]:
    """How many tokens rows learn from, and the sums of their advantages and of the squares of these."""
    learnt = [np.asarray(row.advantages)[np.asarray(row.loss_mask, bool)] for row in rows]
    return (
        float(sum(map(len, learnt))),
        float(sum(each.sum() for each in learnt)),
        float(sum((each**2).sum() for each in learnt)),
    )


def whitened(rows: Sequence[Row], sums: Sequence[float]) -> list[Row]:
    """Rows whose advantages have mean 0 and variance 1 over the tokens of a step: see `advantages.whitening`.

    Args:
        rows: with centred advantages.
        sums: of `advantage_sums`, over all processes.
    """
    mean, scale = whitening(*sums)
    return [
        replace(
            row,
            advantages=[
                (advantage - mean) / scale if learnt else 0.0
                for advantage, learnt in zip(row.advantages, row.loss_mask, strict=True)
            ],
        )
        for row in rows
    ]
