"""Rollouts in the terms of other people's trainers: the names and the shapes that each has for the same tokens.

    tokens = tokens_of(trace, filler=tokenizer.eos_token_id)
    AgentLoopOutput(**verl_fields(tokens), num_turns=2, metrics=AgentLoopMetrics())

Everywhere forced tokens are in the sequence, take no gradient and have log-probability 0.0. Numbers are Python's; a
trainer that wants tensors makes them (`torch.tensor(value)`). The trainers are not imported: what they name, and in
which version it was read, stands under each function.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate, groupby
from typing import Any

from elastic_reasoning.core.errors import TrainingError
from elastic_reasoning.rollouts.rows import Tokens

Fields = dict[str, Any]


def verl_fields(tokens: Tokens) -> Fields:
    """Of `AgentLoopOutput`, verl 0.9.1, `verl/experimental/agent_loop/agent_loop.py`."""
    return {
        "prompt_ids": tokens.prompt_ids,
        "response_ids": tokens.completion_ids,
        "response_mask": tokens.loss_mask,
        "response_logprobs": tokens.logprobs,
    }


def verifiers_node_fields(tokens: Tokens, num_before: int) -> Fields:
    """Of the sampled `MessageNode` of a trace, verifiers 0.4.0, `verifiers/v1/graph.py`; prime-rl trains on these.

    Log-probabilities there are those of the tokens with mask alone.

    Args:
        num_before: tokens of the prompt that earlier nodes hold.
    """
    logprobs, mask = _known(tokens, "verifiers"), tokens.loss_mask
    own = tokens.prompt_ids[num_before:]
    return {
        "token_ids": [*own, *tokens.completion_ids],
        "mask": [False] * len(own) + [bool(learnt) for learnt in mask],
        "logprobs": [logprob for logprob, learnt in zip(logprobs, mask, strict=True) if learnt],
    }


def verifiers_step_fields(tokens: Tokens) -> Fields:
    """Of `TrajectoryStepTokens`, verifiers before 0.4, and prime-rl of that time."""
    return {
        "prompt_ids": tokens.prompt_ids,
        "prompt_mask": [0] * len(tokens.prompt_ids),
        "completion_ids": tokens.completion_ids,
        "completion_mask": tokens.loss_mask,
        "completion_logprobs": _known(tokens, "verifiers"),
    }


def slime_fields(tokens: Tokens) -> Fields:
    """Of `Sample`, slime, `slime/utils/types.py`; `response` and `status` are to be set beside them."""
    return {
        "tokens": [*tokens.prompt_ids, *tokens.completion_ids],
        "response_length": len(tokens.completion_ids),
        "loss_mask": tokens.loss_mask,
        "rollout_log_probs": tokens.logprobs,
    }


def skyrl_fields(batch: Sequence[Tokens], rewards: Sequence[float]) -> Fields:
    """Of `GeneratorOutput`, SkyRL 0.3.0, `skyrl/train/generators/base.py`.

    Args:
        batch: a rollout for each prompt of the input, in its order.
        rewards: of each.
    """
    has_logprobs = all(tokens.logprobs is not None for tokens in batch)
    return {
        "prompt_token_ids": [tokens.prompt_ids for tokens in batch],
        "response_ids": [tokens.completion_ids for tokens in batch],
        "loss_masks": [tokens.loss_mask for tokens in batch],
        "rollout_logprobs": [tokens.logprobs for tokens in batch] if has_logprobs else None,
        "rewards": list(rewards),
    }


def openrlhf_fields(tokens: Tokens) -> Fields:
    """Of what `AgentExecutorBase.execute` returns, OpenRLHF 0.11.2, `openrlhf/utils/agent.py`.

    What is learnt from is said there as ranges `[start, end)` of the whole sequence.
    """
    mask = [0] * len(tokens.prompt_ids) + tokens.loss_mask
    logprobs = tokens.logprobs
    return {
        "observation_tokens": [*tokens.prompt_ids, *tokens.completion_ids],
        "action_ranges": [(start, end) for learnt, start, end in _runs(mask) if learnt],
        "rollout_log_probs": None if logprobs is None else [0.0] * len(tokens.prompt_ids) + logprobs,
    }


def areal_fields(tokens: Tokens, reward: float, version: int) -> Fields:
    """Of what `RolloutWorkflow.arun_episode` returns, AReaL 1.0.4: a batch of one `[1, prompt + n]`.

    Args:
        reward: of the rollout.
        version: of the weights, as `engine.get_version()` says; tokens that are not sampled have -1.
    """
    before = [0] * len(tokens.prompt_ids)
    mask = [*before, *tokens.loss_mask]
    return {
        "input_ids": [[*tokens.prompt_ids, *tokens.completion_ids]],
        "loss_mask": [mask],
        "logprobs": [[0.0] * len(before) + _known(tokens, "AReaL")],
        "versions": [[version if learnt else -1 for learnt in mask]],
        "attention_mask": [[True] * len(mask)],
        "rewards": [reward],
    }


def nemo_rl_messages(tokens: Tokens, decode: Callable[[Sequence[int]], str]) -> list[Fields]:
    """Messages to append to a `message_log`, NeMo-RL, `nemo_rl/experience/rollouts.py`.

    Its loss mask is made from roles: what an assistant says is learnt from. Forced tokens are therefore messages of the
    environment.

    Args:
        decode: ids to text.
    """
    logprobs = _known(tokens, "NeMo-RL")
    return [
        {
            "role": "assistant" if learnt else "environment",
            "content": decode(tokens.completion_ids[start:end]),
            "token_ids": tokens.completion_ids[start:end],
            "generation_logprobs": logprobs[start:end],
        }
        for learnt, start, end in _runs(tokens.loss_mask)
    ]


def _known(tokens: Tokens, trainer: str) -> list[float]:
    if tokens.logprobs is None:
        raise TrainingError(f"{trainer} needs log-probabilities, and the engine gave none: ask it for them")
    return tokens.logprobs


def _runs(mask: Sequence[int]) -> list[tuple[int, int, int]]:
    """Value, start and end of each run of equal values."""
    runs = [(value, len(list(run))) for value, run in groupby(mask)]
    ends = accumulate(length for _, length in runs)
    return [(value, end - length, end) for (value, length), end in zip(runs, ends, strict=True)]
