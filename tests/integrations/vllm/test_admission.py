"""Admission by vLLM's real input processor, which asks the plug-in that it finds by itself."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from elastic_reasoning.chat.rendering import render_prompt
from elastic_reasoning.core.errors import DelimiterError
from elastic_reasoning.engines.loading import load_template
from families import PLAIN, tokenizer_of

pytest.importorskip("vllm.v1.engine.input_processor", reason="vllm is not installed")

pytestmark = pytest.mark.vllm

TOKENIZER, TEMPLATE = load_template("mini")
OPEN = render_prompt(TOKENIZER, TEMPLATE, [{"role": "user", "content": "a 4 b -8 ="}]).ids
SMALL = {"thinking_budget": 5, "solution_budget": 4}
Admit = Callable[..., Any]


@pytest.fixture
def admit(config_of: Callable[..., Any]) -> Admit:
    from vllm import SamplingParams
    from vllm.sampling_params import StructuredOutputsParams
    from vllm.v1.engine.input_processor import InputProcessor

    def admit(
        extra_args: dict[str, Any] | None,
        prompt: Any = OPEN,
        config: Any = None,
        grammar: dict[str, Any] | None = None,
        **params: Any,
    ) -> Any:
        """What vLLM makes of a request: what its engine would be given."""
        if grammar:
            params["structured_outputs"] = StructuredOutputsParams(**grammar)
        given = {"prompt_token_ids": list(prompt)} if isinstance(prompt, tuple) else prompt
        asked = SamplingParams(extra_args=extra_args, **params)
        processor = InputProcessor(config_of() if config is None else config)
        return processor.process_inputs("name", given, asked, ("generate",))

    return admit


def refused(admit: Admit, *arguments: Any, **params: Any) -> str:
    from vllm.exceptions import VLLMValidationError

    with pytest.raises(VLLMValidationError) as error:
        admit(*arguments, **params)
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("extra_args", [None, {}, SMALL, {"thinking_budget": "inf"}, {"strategy": "unconstrained"}])
@pytest.mark.parametrize("max_tokens", [10, None])
def test_what_can_be_kept_is_admitted_as_it_is(admit: Admit, extra_args: Any, max_tokens: int | None) -> None:
    request = admit(extra_args, max_tokens=max_tokens)
    assert request.prompt_token_ids == list(OPEN)
    assert (request.sampling_params.extra_args or {}) == (extra_args or {})


def test_a_prompt_may_be_text(admit: Admit) -> None:
    assert admit(SMALL, "<user> a 4 = <assistant> <think>", max_tokens=10).prompt_token_ids is not None
    assert "needs 11" in refused(admit, SMALL, "<user> a 4 = <assistant>", max_tokens=10)
    assert "needs 11" in refused(admit, SMALL, {"prompt": "<user> a 4 = <assistant>"}, max_tokens=10)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"thinking_budget": -1}, "thinking_budget -1: must be a whole number of tokens, 0 or more, or 'inf'"),
        ({**SMALL, "strategy": "elastik"}, "unknown strategy 'elastik': did you mean 'elastic'?"),
        ({"thinking_budgets": 5}, "unknown parameter 'thinking_budgets': did you mean 'thinking_budget'?"),
        ({**SMALL, "wait": "Wait", "min_thinking": 2}, "takes back tokens, which one pass cannot do"),
        ({"strategy": "s1", "num_waits": 2, "answer_tokens": 2, **SMALL}, "takes back tokens"),
        ({**SMALL, "wrap_up": "so </think>"}, "wrap_up='so </think>' holds '</think>'"),
        ({**SMALL, "min_thinking": 6}, "min_thinking 6 is more than the thinking budget of 5 tokens"),
        ({"thinking_budget": 512, "solution_budget": 8}, "more than the model's context leaves: lower the budget"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_the_reason(admit: Admit, values: Any, message: str) -> None:
    assert message in refused(admit, values)


def test_a_completion_needs_room_for_the_budget_and_what_is_forced(admit: Admit) -> None:
    assert (
        refused(admit, SMALL, max_tokens=9)
        == "max_tokens 9: the budget needs 10 tokens after the prompt, delimiters and all"
    )
    assert "needs 12" in refused(admit, {**SMALL, "wrap_up": "so ok"}, max_tokens=11)
    assert admit({"thinking_budget": 5, "strategy": "unconstrained"}, max_tokens=1)


def test_what_would_be_in_the_way_of_a_budget_is_refused(admit: Admit) -> None:
    assert "ignore_eos cannot be combined with a budget" in refused(admit, SMALL, ignore_eos=True)
    assert "thinking_token_budget is vLLM's own" in refused(admit, SMALL, thinking_token_budget=5)


def test_a_deadline_counts_from_arrival_and_goes_with_the_request_alone(admit: Admit) -> None:
    mine = {"deadline_seconds": 2.5, "deadline_at": 1.0}
    request = admit(mine)
    assert request.sampling_params.extra_args == {"deadline_seconds": 2.5, "deadline_at": request.arrival_time + 2.5}
    assert mine == {"deadline_seconds": 2.5, "deadline_at": 1.0}
    assert admit({"deadline_seconds": None}).sampling_params.extra_args == {"deadline_seconds": None}
    assert "min_tokens cannot be combined with deadline_seconds" in refused(
        admit, {"deadline_seconds": 3}, min_tokens=2
    )
    assert "deadline_seconds -1: must be a number of seconds above 0" in refused(admit, {"deadline_seconds": -1})


def test_a_prompt_of_embeddings_is_refused(admit: Admit, config_of: Callable[..., Any]) -> None:
    import torch

    config = config_of(enable_prompt_embeds=True)
    assert "needs a prompt of tokens or text" in refused(admit, SMALL, {"prompt_embeds": torch.zeros(3, 96)}, config)


GRAMMAR = {"choice": ["0", "1"]}


def test_a_grammar_needs_a_reasoning_parser_that_keeps_it_out_of_thinking(
    admit: Admit, config_of: Callable[..., Any]
) -> None:
    from vllm.config import StructuredOutputsConfig

    message = "a grammar would apply to thinking too: start vLLM with --reasoning-parser"
    assert message in refused(admit, SMALL, grammar=GRAMMAR)
    parsing = config_of(reasoning_parser="qwen3")
    assert admit(SMALL, config=parsing, grammar=GRAMMAR)
    assert admit(None, grammar=GRAMMAR)
    final = {**SMALL, "strategy": "s1", "answer_tokens": 2}
    assert "forbids the forced words '\\nFinal Answer:'" in refused(admit, final, config=parsing, grammar=GRAMMAR)
    assert admit({**final, "answer_text": ""}, config=parsing, grammar=GRAMMAR, max_tokens=30)
    within = config_of(
        reasoning_parser="qwen3", structured_outputs_config=StructuredOutputsConfig(enable_in_reasoning=True)
    )
    assert message in refused(admit, SMALL, config=within, grammar=GRAMMAR)


NGRAM = {"method": "ngram", "num_speculative_tokens": 2, "prompt_lookup_max": 2}


def test_speculative_decoding_refuses_a_budget_and_leaves_other_requests_alone(
    admit: Admit, config_of: Callable[..., Any]
) -> None:
    config = config_of(speculative_config=NGRAM)
    assert "V1 keeps no budget for the positions that speculative decoding" in refused(admit, SMALL, config=config)
    assert admit(None, config=config)


def test_under_v2_speculative_decoding_goes_with_what_the_device_keeps(
    admit: Admit, config_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(speculative_config=NGRAM)
    monkeypatch.setattr(type(config), "use_v2_model_runner", True)
    assert admit(SMALL, config=config)
    message = "is kept on the host for this request, which does not know the positions"
    for options in ({"grace": 2}, {"deadline_seconds": 9}, {"loop_breaker": 12, "thinking_budget": 12}):
        assert message in refused(admit, {**SMALL, **options}, config=config, max_tokens=40)
    config.parallel_config.enable_batch_sharded_sampling = True
    assert message in refused(admit, SMALL, config=config)


def test_without_a_tokenizer_there_is_no_budget(admit: Admit, config_of: Callable[..., Any]) -> None:
    config = config_of(skip_tokenizer_init=True)
    assert "leave out --skip-tokenizer-init" in refused(admit, SMALL, config=config, detokenize=False)


def test_delimiters_can_be_given_to_a_server(admit: Admit, config_of: Callable[..., Any]) -> None:
    config = config_of(additional_config={"elastic_reasoning": {"opening": "check", "closing": "so"}})
    assert admit({**SMALL, "wrap_up": "</think>"}, config=config)
    assert "holds 'so'" in refused(admit, {**SMALL, "wrap_up": "so"}, config=config)


def test_delimiters_that_nothing_names_are_asked_for_as_a_server_is_given_them() -> None:
    from elastic_reasoning.integrations.vllm import admission

    silent = SimpleNamespace(
        tokenizer=tokenizer_of(["<|im_start|>"], PLAIN),
        opening=None,
        closing=None,
        model_config=SimpleNamespace(try_get_generation_config=dict),
    )
    with pytest.raises(DelimiterError, match="start vLLM with --additional-config ") as error:
        admission._template.__wrapped__(silent)
    told = json.loads(str(error.value).partition("--additional-config '")[2].partition("'")[0])
    assert told == {admission.SETTINGS: {"opening": "<think>", "closing": "</think>"}}
    assert "--opening" not in str(error.value)


def test_a_version_that_admits_otherwise_is_refused_and_named() -> None:
    from elastic_reasoning.integrations.vllm.admission import admit

    params = SimpleNamespace(extra_args=SMALL, ignore_eos=False, thinking_token_budget=None)
    with pytest.raises(ValueError, match="use vllm 0"):
        admit(params)


def test_both_loaders_of_vllm_find_the_plug_in() -> None:
    from vllm.v1.sample.logits_processor import _load_custom_logitsprocs
    from vllm.v1.worker.gpu.sample.logits_processor.loader import _load_v2_logitsprocs

    from elastic_reasoning.integrations.vllm.processor import BudgetProcessor

    assert BudgetProcessor in _load_custom_logitsprocs(None)
    assert BudgetProcessor in _load_v2_logitsprocs(None)
