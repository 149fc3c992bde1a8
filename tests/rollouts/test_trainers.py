"""One trace in the terms of every trainer: the same tokens, the same mask, the same log-probabilities."""

from dataclasses import replace
from itertools import chain

import pytest

from elastic_reasoning.core.errors import TrainingError
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.rollouts.rows import Tokens, tokens_of
from elastic_reasoning.rollouts.trainers import (
    areal_fields,
    nemo_rl_messages,
    openrlhf_fields,
    skyrl_fields,
    slime_fields,
    verifiers_node_fields,
    verifiers_step_fields,
    verl_fields,
)
from letters import answer, letters, show

TEMPLATE = letters()
FILLER = 0
TRACE = answer(TEMPLATE, "abcdxy$", "4+4", prompt="uw", wrap_up="z")
TOKENS = tokens_of(TRACE, FILLER)
MASK = [1, 1, 1, 1, 0, 0, 1, 1, 1]
LOGPROBS = list(TRACE.logprobs or ())


def without_logprobs(trace: Trace) -> Trace:
    return replace(trace, segments=tuple(replace(segment, logprobs=None) for segment in trace.segments))


def test_the_trace_has_forced_tokens_in_the_middle() -> None:
    assert show(TRACE) == "thinking:abcd wrap_up:[z] closing:[C] solution:xy$"


def test_tokens_are_the_trace() -> None:
    assert Tokens(list(TEMPLATE.encode("uw")), list(TRACE.ids), MASK, LOGPROBS) == TOKENS
    assert [logprob == 0.0 for logprob in LOGPROBS] == [not learnt for learnt in MASK]
    assert tokens_of(without_logprobs(TRACE), FILLER).logprobs is None


def test_a_failed_rollout_is_one_masked_token() -> None:
    failed = replace(TRACE, error="the server is gone")
    assert tokens_of(failed, FILLER) == Tokens(TOKENS.prompt_ids, [FILLER], [0], [0.0])
    assert tokens_of(replace(TRACE, segments=()), FILLER).loss_mask == [0]


def test_verl() -> None:
    fields = verl_fields(TOKENS)
    assert list(fields) == ["prompt_ids", "response_ids", "response_mask", "response_logprobs"]
    assert Tokens(*fields.values()) == TOKENS


def test_a_node_of_verifiers_has_log_probabilities_of_sampled_tokens_alone() -> None:
    fields = verifiers_node_fields(TOKENS, num_before=1)
    assert fields["token_ids"] == [*TOKENS.prompt_ids[1:], *TOKENS.completion_ids]
    assert fields["mask"] == [False, *map(bool, MASK)]
    assert len(fields["logprobs"]) == sum(fields["mask"]) == 7
    assert 0.0 not in fields["logprobs"]


def test_a_step_of_verifiers_says_prompt_and_completion_apart() -> None:
    fields = verifiers_step_fields(TOKENS)
    assert (fields["prompt_mask"], fields["completion_mask"]) == ([0, 0], MASK)
    assert Tokens(fields["prompt_ids"], fields["completion_ids"], MASK, fields["completion_logprobs"]) == TOKENS


def test_slime_counts_the_response_from_the_end() -> None:
    fields = slime_fields(TOKENS)
    assert fields["tokens"][-fields["response_length"] :] == TOKENS.completion_ids
    assert len(fields["loss_mask"]) == len(fields["rollout_log_probs"]) == fields["response_length"]


def test_skyrl_has_a_list_for_each_field() -> None:
    fields = skyrl_fields([TOKENS, TOKENS], [1.0, 0.0])
    assert fields["rewards"] == [1.0, 0.0]
    assert fields["loss_masks"] == [MASK, MASK]
    assert fields["rollout_logprobs"] == [LOGPROBS, LOGPROBS]
    unknown = tokens_of(without_logprobs(TRACE), FILLER)
    assert skyrl_fields([TOKENS, unknown], [1.0, 0.0])["rollout_logprobs"] is None


def test_openrlhf_says_what_is_learnt_from_as_ranges() -> None:
    fields = openrlhf_fields(TOKENS)
    assert fields["action_ranges"] == [(2, 6), (8, 11)]
    learnt = chain.from_iterable(fields["observation_tokens"][start:end] for start, end in fields["action_ranges"])
    assert TEMPLATE.decode(list(learnt)) == "abcdxy$"
    assert fields["rollout_log_probs"] == [0.0, 0.0, *LOGPROBS]


def test_areal_has_a_batch_of_one_over_the_whole_sequence() -> None:
    fields = areal_fields(TOKENS, reward=1.0, version=7)
    assert {len(value[0]) for name, value in fields.items() if name != "rewards"} == {11}
    assert fields["loss_mask"] == [[0, 0, *MASK]]
    assert fields["versions"] == [[-1, -1, *(7 if learnt else -1 for learnt in MASK)]]
    assert fields["rewards"] == [1.0]


def test_nemo_rl_learns_from_what_assistants_say() -> None:
    messages = nemo_rl_messages(TOKENS, TEMPLATE.decode)
    assert [(message["role"], message["content"]) for message in messages] == [
        ("assistant", "abcd"),
        ("environment", "zC"),
        ("assistant", "xy$"),
    ]
    assert list(chain.from_iterable(message["token_ids"] for message in messages)) == TOKENS.completion_ids
    assert list(chain.from_iterable(message["generation_logprobs"] for message in messages)) == LOGPROBS


def test_who_needs_log_probabilities_says_so() -> None:
    unknown = tokens_of(without_logprobs(TRACE), FILLER)
    with pytest.raises(TrainingError, match="AReaL needs log-probabilities"):
        areal_fields(unknown, 1.0, 0)
    assert slime_fields(unknown)["rollout_log_probs"] is None
