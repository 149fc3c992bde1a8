"""docs/trainers.md with the trainers' own classes: what they make of our rollouts."""

import asyncio
import sys
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

pytest.importorskip("verifiers", reason="verifiers is not installed: scripts/setup_trainers.sh")

import torch
from verifiers.v1.graph import MessageNode
from verifiers.v1.trace import Trace as Rollout
from verifiers.v1.types import AssistantMessage, UserMessage

from elastic_reasoning.core.wire import to_wire
from elastic_reasoning.engines.scripted import scripted_logprob
from rollouts.test_trainer_pages import (
    BUDGET,
    PIECES,
    PROMPT,
    REQUEST,
    TEXT,
    TOKENIZER,
    TOKENS,
    TRACE,
    logprobs,
    stretch,
)

pytestmark = [pytest.mark.trainers, pytest.mark.filterwarnings("default")]


def run_piece(name: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(PIECES[name].replace('"1024+1024"', f'"{BUDGET}"'), name, "exec"), names)
    return names


def test_a_branch_of_verifiers_learns_from_what_was_sampled() -> None:
    sent = [scripted_logprob(n, token) for n, token in enumerate(TRACE.ids)]
    asked = MessageNode(
        message=UserMessage(content="a 4 b +7 ="), token_ids=PROMPT[:-1], mask=[False] * len(PROMPT[:-1])
    )
    said = MessageNode(
        parent=0,
        message=AssistantMessage(content="1"),
        sampled=True,
        token_ids=[PROMPT[-1], *TRACE.ids],
        mask=[False] + [True] * len(TRACE.ids),
        logprobs=sent,
    )
    rollout = Rollout.model_construct(nodes=[asked, said], calls=[])
    run_piece("budgeted_verifiers")["mask_forced"](rollout, to_wire(REQUEST), TOKENIZER)
    (branch,) = rollout.branches
    assert branch.token_ids == [*PROMPT, *TRACE.ids]
    assert branch.sampled_mask == [False] * len(PROMPT) + [bool(on) for on in TOKENS.loss_mask]
    assert branch.logprobs == [0.0] * len(PROMPT) + list(TOKENS.logprobs or ())


def test_an_experience_of_openrlhf_learns_from_what_was_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    vllm = ModuleType("vllm")
    vllm.SamplingParams = SimpleNamespace  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vllm", vllm)
    monkeypatch.setitem(sys.modules, "openrlhf.trainer.ray.vllm_engine", MagicMock())
    from openrlhf.trainer.ppo_utils.samples_generator import SamplesGenerator
    from openrlhf.utils.agent import AgentExecutorBase

    class Engine:
        async def generate(self, ids: list[int], params: Any) -> Any:
            new = stretch(ids, params.max_tokens, params.stop_token_ids)
            found = zip(new, logprobs(ids, new), strict=True)
            at = [{token: SimpleNamespace(logprob=logprob)} for token, logprob in found]
            return SimpleNamespace(outputs=[SimpleNamespace(token_ids=new, logprobs=at)])

    executor = run_piece("budgeted_openrlhf")["AgentExecutor"]()
    assert isinstance(executor, AgentExecutorBase)
    said = asyncio.run(executor.execute(TEXT, "1", SimpleNamespace(temperature=1.0), 64, TOKENIZER, Engine()))
    experience = SamplesGenerator._process_response_into_experience(MagicMock(), said, max_len=64)
    mask = [0] * len(PROMPT) + TOKENS.loss_mask
    assert experience.sequences[0].tolist() == [*PROMPT, *TRACE.ids]
    assert experience.action_mask[0].tolist() == mask[1:]  # of the token that each one predicts
    told = torch.tensor([0.0] * len(PROMPT) + list(TOKENS.logprobs or ()))
    assert torch.allclose(experience.rollout_log_probs[0], told[1:])
    assert experience.truncated.item()
