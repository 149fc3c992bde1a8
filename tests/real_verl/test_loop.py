"""The agent loop before a server that is played: what it asks for, and what becomes of an answer that is not right."""

import asyncio
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import pytest

pytest.importorskip("verl", reason="verl is not installed: scripts/setup_verl.sh")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # verl leans on parts of Ray that have moved
    import_module("verl.experimental.agent_loop")

from omegaconf import OmegaConf
from verl.experimental.agent_loop.agent_loop import AgentLoopOutput, DictConfigWrap
from verl.workers.rollout.replica import TokenOutput

from elastic_reasoning.core.errors import EngineError, RequestError, TrainingError
from elastic_reasoning.engines.loading import load_template, load_tokenizer
from elastic_reasoning.integrations.verl.agent_loop import ElasticAgentLoop
from elastic_reasoning.integrations.verl.facts import FACTS, trace_of

pytestmark = [pytest.mark.verl, pytest.mark.filterwarnings("default")]

Answer = Callable[[int, dict[str, Any]], TokenOutput]
TOKENIZER, TEMPLATE = load_tokenizer("mini"), load_template("mini")[1]
CLOSE, END = TEMPLATE.closing.ids[0], min(TEMPLATE.eos)
WORD = TEMPLATE.encode("a")[0]
ROLLOUT = {
    **{"name": "vllm", "response_length": 64, "prompt_length": 32, "max_model_len": 128, "top_p": 1.0, "top_k": -1},
    **{"calculate_log_probs": True, "logprobs_mode": "processed_logprobs"},
}
QUESTION = [{"role": "user", "content": "a 4 b -8 c +7 ="}]


class Server:
    """Gives the answers that it is told to, and keeps what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self.asked: list[dict[str, Any]] = []
        self._answer = answer

    async def generate(self, **asked: Any) -> TokenOutput:
        self.asked.append(asked)
        return self._answer(len(self.asked) - 1, asked["sampling_params"])


def output(ids: Sequence[int], step: int = 7, **more: Any) -> TokenOutput:
    steps = {"min_global_steps": step, "max_global_steps": step, "global_steps": step}
    return TokenOutput(token_ids=list(ids), log_probs=[-0.5] * len(ids), extra_fields=steps, **more)


def words(number: int, params: dict[str, Any]) -> TokenOutput:
    """As many words as are asked for; the weights are newer at each call."""
    return output([WORD] * params["max_tokens"], step=7 + number)


def roll_out(
    server: Server, rollout: dict[str, Any] | None = None, row: dict[str, Any] | None = None, **loop: Any
) -> AgentLoopOutput:
    config = OmegaConf.create(
        {
            "actor_rollout_ref": {"rollout": {**ROLLOUT, **(rollout or {})}, "model": {}},
            "trainer": {"total_training_steps": 4},
            "data": {},
        }
    )

    async def run() -> AgentLoopOutput:
        made = ElasticAgentLoop(
            trainer_config=DictConfigWrap(config),
            server_manager=server,
            tokenizer=TOKENIZER,
            processor=None,
            dataset_cls=None,
            data_config=DictConfigWrap(config.data),
            hf_model_type="qwen3",
            tools=None,
            **{"name": "elastic", "budgets": ["6+4"], "one_pass": False, **loop},
        )
        params = {"temperature": 1.0, "top_p": 1.0, "top_k": -1, "repetition_penalty": 1.0, "logprobs": True}
        return await made.run(params, raw_prompt=QUESTION, global_steps=1, priority=3, **(row or {}))

    return asyncio.run(run())


def test_by_calls_each_phase_is_asked_for_with_its_tokens() -> None:
    server = Server(words)
    made = roll_out(server)
    assert [asked["sampling_params"]["max_tokens"] for asked in server.asked] == [6, 4]
    assert len({asked["request_id"] for asked in server.asked}) == 1  # so that its prefix is where it was
    assert all(asked["priority"] == 3 for asked in server.asked)
    assert made.response_ids == [*[WORD] * 6, CLOSE, *[WORD] * 4]
    assert made.response_mask == [*[1] * 6, 0, *[1] * 4]
    assert made.response_logprobs == [*[-0.5] * 6, 0.0, *[-0.5] * 4]
    assert (made.extra_fields["min_global_steps"], made.extra_fields["max_global_steps"]) == (7, 8)
    assert trace_of(made.extra_fields[FACTS]).budget_hit
    assert made.extra_fields["measures"]["forced_rate"] == 1.0


def test_in_one_pass_vllm_is_told_of_the_budget() -> None:
    server = Server(lambda number, params: output([*[WORD] * 6, CLOSE, WORD, END]))
    made = roll_out(server, one_pass=True)
    (asked,) = server.asked
    assert asked["sampling_params"]["max_tokens"] == 11
    assert asked["sampling_params"]["extra_args"] == {
        **{"strategy": "elastic", "prompt_thinking": "open", "thinking_budget": 6, "solution_budget": 4}
    }
    assert made.response_mask == [*[1] * 6, 0, 1, 1]


def test_a_budget_that_was_not_kept_fails_loudly() -> None:
    server = Server(lambda number, params: output([WORD] * params["max_tokens"]))
    with pytest.raises(EngineError, match=r"not kept in one pass: .* set one_pass: false"):
        roll_out(server, one_pass=True)


def test_what_verl_takes_back_is_no_rollout() -> None:
    server = Server(lambda number, params: output([WORD], stop_reason="aborted"))
    with pytest.raises(RequestError, match="taken the request back"):
        roll_out(server)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"thinking_budget": -1}, "budget -1: must be 0 or more"),
        ({"extra_info": {"solution_budget": "many"}}, "'many' is not a whole number"),
        ({"thinking_budget": 200.0}, r"141 more than data.max_response_length 64"),
    ],
)
def test_a_fault_of_the_row_is_a_masked_token_with_its_reason(row: dict[str, Any], reason: str) -> None:
    server = Server(words)
    made = roll_out(server, row=row)
    assert not server.asked
    assert (made.response_mask, made.response_logprobs) == ([0], [0.0])
    assert reason in made.extra_fields["error"]
    assert made.extra_fields["measures"]["failed_rate"] == 1.0
    assert made.extra_fields["min_global_steps"] == 0


def test_a_prompt_that_is_too_long_is_said_by_how_much() -> None:
    made = roll_out(Server(words), rollout={"prompt_length": 4})
    assert "tokens more than data.max_prompt_length 4" in made.extra_fields["error"]


@pytest.mark.parametrize(
    ("rollout", "loop", "message"),
    [
        ({"top_p": 0.9}, {}, "rollout.top_p 0.9"),
        ({"response_length": 10}, {}, "11 tokens, delimiters and all, 1 more than data.max_response_length 10"),
        ({}, {"budget": "6+4"}, "did you mean 'budgets'"),
    ],
)
def test_a_fault_of_the_configuration_ends_the_run(rollout: dict[str, Any], loop: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        roll_out(Server(words), rollout, **loop)


def test_columns_of_a_row_are_its_budget() -> None:
    server = Server(words)
    made = roll_out(server, row={"thinking_budget": 3.0, "solution_budget": float("nan"), "extra_info": {"id": "x"}})
    assert [asked["sampling_params"]["max_tokens"] for asked in server.asked] == [3, 4]
    assert str(trace_of(made.extra_fields[FACTS]).request.budget) == "3+4"


def test_what_a_strategy_asks_for_stands_in_the_prompt() -> None:
    server = Server(words)
    roll_out(server, strategies=["l1-max"], options={"max_total": 30})
    assert "10 tokens" in TEMPLATE.decode(server.asked[0]["prompt_ids"])
