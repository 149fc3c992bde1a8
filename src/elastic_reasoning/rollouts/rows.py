"""Rollouts as rows that any trainer can learn from: ids, loss mask, log-probabilities, and an advantage for each token.

    rows = as_rows(scored, RolloutConfig(samples_per_prompt=8), filler=tokenizer.eos_token_id)
    tokens = tokens_of(trace, filler=tokenizer.eos_token_id)        # for a trainer that computes advantages itself

Nothing here knows a trainer; the adapter to TRL is `elastic_reasoning.training.trl.trainer`, and the names that other
trainers have for these fields are in `elastic_reasoning.rollouts.trainers`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from elastic_reasoning.core.trace import Phase, Trace
from elastic_reasoning.rollouts.advantages import group_advantages, thinking_advantages
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

    A rollout without a reward becomes a row of one masked token. So does, under anytime training, one whose thinking
    had ended before its cut: it is its longest sibling over again.

    Args:
        scored: rollouts of whole prompts.
        config: how they were made.
        filler: the id of that token.
        normalised: divide advantages by the standard deviation of a prompt's rewards; those of thinking under anytime
            training never are.
        mask_cut: mask rollouts that ran out of tokens too, in whichever phase.
    """
    groups = _chunks(scored, config.rollouts_per_prompt)
    return [row for group in groups for row in _rows_of_prompt(group, config, filler, normalised, mask_cut)]


def _chunks(scored: Sequence[Scored], size: int) -> list[Sequence[Scored]]:
    return [scored[start : start + size] for start in range(0, len(scored), size)]


def _rows_of_prompt(
    group: Sequence[Scored], config: RolloutConfig, filler: int, normalised: bool, mask_cut: bool
) -> Iterator[Row]:
    samples = _chunks(group, config.num_cuts)
    rewards = [[one.reward for one in sample] for sample in samples]
    solution = [group_advantages(at_cut, normalised) for at_cut in zip(*rewards, strict=True)]
    if config.num_cuts == 1:
        thinking = [[advantage] for advantage in solution[0]]
    else:
        thinking = thinking_advantages(rewards, config.weights or (1.0,) * config.num_cuts)
    for i, sample in enumerate(samples):
        longest = sample[-1].trace
        whole = all(one.reward is not None for one in sample)  # or its thinking is not learnt from
        cuts = [one.trace.request.budget.thinking for one in sample] if whole else []
        for j, one in enumerate(sample):
            last = one.trace is longest
            repeated = not last and one.trace.ids == longest.ids
            if one.reward is None or repeated or (mask_cut and one.trace.cut):
                yield Row(list(one.trace.request.prompt.ids), [filler], [0], [0.0], [0.0])
            else:
                yield _row(one.trace, cuts if last else [], thinking[i], solution[j][i])


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
