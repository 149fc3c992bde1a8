"""Which requests the plug-in admits to SGLang, and what it makes of them."""

from array import array
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from elastic_reasoning.chat.rendering import render_prompt
from elastic_reasoning.integrations.sglang import admission
from elastic_reasoning.integrations.sglang.admission import admit
from integrations.sglang.requests import TEMPLATE, TOKENIZER, params

OPEN = render_prompt(TOKENIZER, TEMPLATE, [{"role": "user", "content": "a 4 b -8 ="}]).ids
SMALL = {"thinking_budget": 5, "solution_budget": 4}
SERVER = {
    "enable_custom_logit_processor": True,
    "speculative_algorithm": None,
    "pp_size": 1,
    "disaggregation_mode": "null",
    "reasoning_parser": "qwen3",
}


@pytest.fixture(autouse=True)
def processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "_processor", lambda: "ours")


def admitted(
    values: Any,
    ids: Sequence[int] | None = OPEN,
    server: dict[str, Any] | None = None,
    tokenizer: Any = TOKENIZER,
    own: str | None = None,
    **settings: Any,
) -> Any:
    """What becomes of a request."""
    tokenized = SimpleNamespace(
        input_ids=None if ids is None else array("q", ids),
        sampling_params=params(values, **settings),
        custom_logit_processor=own,
        require_reasoning=False,
    )
    manager = SimpleNamespace(
        server_args=SimpleNamespace(**{**SERVER, **(server or {})}),
        tokenizer=tokenizer,
        model_config=SimpleNamespace(hf_eos_token_id=set(TEMPLATE.eos)),
        context_len=128,
    )
    admit(tokenized, manager)
    return tokenized


def test_a_budget_brings_its_processor_and_nothing_else_does() -> None:
    assert admitted(SMALL).custom_logit_processor == "ours"
    assert admitted(None).custom_logit_processor is None
    assert admitted(None, own="theirs").custom_logit_processor == "theirs"


def test_what_has_no_sampling_is_left_alone() -> None:
    admit(SimpleNamespace(sampling_params=None), None)
    admit(SimpleNamespace(), None)


@pytest.mark.parametrize("ends_open", [True, False], ids=["open", "closed"])
def test_a_grammar_begins_behind_thinking(ends_open: bool) -> None:
    ids = OPEN if ends_open else (*OPEN, *TEMPLATE.closing.ids)
    assert admitted(SMALL, ids, regex="[0-9]").require_reasoning is ends_open


REFUSED: list[tuple[Any, dict[str, Any], str]] = [
    (7, {}, "must be an object"),
    ({"strategies": "s1"}, {}, "says nothing of a budget"),
    ({"thinking_budget": -1}, {}, "thinking_budget -1: must be a whole number of tokens"),
    ({"thinking_budgets": 5}, {}, "did you mean 'thinking_budget'?"),
    ({"thinking_budget": 5, "strategy": "elastik"}, {}, "did you mean 'elastic'?"),
    ({"thinking_budget": 5, "wait": "Wait", "min_thinking": 2}, {}, "takes back tokens"),
    ({"thinking_budget": 512, "solution_budget": 9}, {}, "more than the model's context leaves"),
    ({"thinking_budget": 5, "solution_budget": 5}, {"max_new_tokens": 10}, "max_new_tokens 10: the budget needs 11"),
    ({"deadline_seconds": 5}, {}, "deadline_seconds is kept by vLLM"),
    (SMALL, {"ignore_eos": True}, "ignore_eos cannot be combined"),
    (SMALL, {"stop_strs": ["so"]}, "would stop within thinking too"),
    (SMALL, {"stop_token_ids": {9}}, "would stop within thinking too"),
    (SMALL, {"beam_width": 2}, "beam_width cannot be combined"),
    (SMALL, {"own": "theirs"}, "a request can have one alone"),
    (SMALL, {"ids": None}, "needs a prompt of tokens"),
    (SMALL, {"tokenizer": None}, "a server with a tokenizer"),
    (SMALL, {"server": {"enable_custom_logit_processor": False}}, "start SGLang with --enable-custom-logit-processor"),
    (SMALL, {"server": {"speculative_algorithm": "EAGLE"}}, "speculative decoding"),
    (SMALL, {"server": {"pp_size": 2}}, "pipeline stages"),
    (SMALL, {"server": {"disaggregation_mode": "decode"}}, "prefill and decode are apart"),
    (SMALL, {"server": {"reasoning_parser": None}, "regex": "[0-9]"}, "start SGLang with --reasoning-parser"),
    ({**SMALL, "strategy": "s1", "answer_tokens": 3}, {"regex": "[0-9]"}, "forbids the forced words"),
]


@pytest.mark.parametrize(("values", "others", "message"), REFUSED, ids=[message[:40] for *_, message in REFUSED])
def test_what_cannot_be_kept_is_refused_with_the_reason(values: Any, others: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r".") as error:
        admitted(values, **others)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_delimiters_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(admission.OPENING, "<think>")
    monkeypatch.setenv(admission.CLOSING, "ok g")
    assert admission.template_of(TOKENIZER, None).closing.text == "ok g"
