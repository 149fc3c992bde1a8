import copy
from typing import Any

import pytest
import torch

from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.engines.engine import generate
from elastic_reasoning.engines.local import keys_values
from elastic_reasoning.engines.local.cache_name import OwnCache, cache_name
from elastic_reasoning.engines.local.self_check import attention_kinds, choose_store, mismatch
from elastic_reasoning.engines.local.slots import Slots
from letters import letters
from tiny import CONTEXT, HYBRID_FAMILIES, PLAIN_FAMILIES, build, by_plain_forward, new_engine, request, tiny


def assert_generates_plainly(model: Any) -> None:
    """Ragged rows, longer than a window, give what plain forwards give."""
    engine = new_engine(model, letters("OP", "CD"))
    asked = [request(length, "12+3", sample=10 + n, wait="w", min_thinking=4) for n, length in enumerate([2, 13, 7])]
    for trace in generate(engine, asked):
        plain = by_plain_forward(model, engine.template, trace.request, engine.context)
        assert [(s.phase, s.ids) for s in trace.segments] == [(s.phase, s.ids) for s in plain.segments]
        assert trace.logprobs == pytest.approx(plain.logprobs, abs=1e-4)


@pytest.mark.parametrize("family", PLAIN_FAMILIES)
def test_plain_attention_runs_in_slots(family: str) -> None:
    model = tiny(family)
    store = choose_store(model, 5)()
    assert isinstance(store, Slots)
    assert store.max_rows == 5
    assert_generates_plainly(model)


@pytest.mark.parametrize("family", HYBRID_FAMILIES)
def test_other_layers_run_one_row_at_a_time(family: str) -> None:
    model = tiny(family)
    assert isinstance(choose_store(model, 5)(), OwnCache)
    assert_generates_plainly(model)


def test_a_shell_around_a_model_runs_in_slots() -> None:
    """The base model of one with adapters gives logits, where others give states."""
    peft = pytest.importorskip("peft")
    settings = peft.LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    assert isinstance(choose_store(peft.get_peft_model(build("llama"), settings).eval(), 5)(), Slots)


def test_which_masks_a_model_needs_is_read_from_its_configuration() -> None:
    full, sliding = frozenset({"full"}), frozenset({"sliding"})
    assert attention_kinds(tiny("llama").config) == (0, [full])
    assert attention_kinds(tiny("mistral").config)[0] == 6
    assert attention_kinds(tiny("gemma3").config) == (6, [full | sliding])
    assert attention_kinds(tiny("lfm2").config)[1] == []


@pytest.mark.parametrize("window", [6, 20])
@pytest.mark.parametrize("family", ["mistral", "gemma2"])
def test_a_wrong_mask_is_noticed(family: str, window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A window that is never moved does not raise: it answers worse. The slow path takes over."""
    monkeypatch.setattr(Slots, "_slide", lambda self, mask, positions: None)
    model = build(family, sliding_window=window)
    assert isinstance(choose_store(model, 5)(), OwnCache)
    assert_generates_plainly(model)


@pytest.mark.parametrize("family", ["mistral", "gemma2", "gemma3", "gpt_oss"])
def test_a_wide_window_is_told_from_none_in_low_precision(family: str) -> None:
    model = build(family, sliding_window=512, max_position_embeddings=2048).to(torch.bfloat16)
    window, (kinds, *_) = attention_kinds(model.config)
    assert mismatch(model, Slots(model, 3, kinds, window), window) is None
    assert "log-probabilities differ by" in str(mismatch(model, Slots(model, 3, kinds, 2048), window))


@pytest.mark.parametrize("family", PLAIN_FAMILIES)
@pytest.mark.parametrize("scale", [0.02, 0.3])
def test_what_is_right_is_taken_in_low_precision(family: str, scale: float) -> None:
    model = build(family, initializer_range=scale).to(torch.bfloat16)
    assert isinstance(choose_store(model, 5)(), Slots)


def test_a_window_that_the_context_hardly_exceeds_is_tried_as_far_as_it_goes() -> None:
    model = build("mistral", sliding_window=90)
    assert isinstance(choose_store(model, 5)(), Slots)
    assert isinstance(choose_store(build("mistral", sliding_window=4 * CONTEXT), 5)(), Slots)


def test_a_mask_that_hides_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_values, "_argument", lambda masks: None)
    assert isinstance(choose_store(tiny("llama"), 5)(), OwnCache)


def test_a_model_that_is_not_itself_token_by_token_is_refused() -> None:
    model = copy.deepcopy(tiny("llama"))
    plain_forward = model.forward

    def forward(*args: Any, past_key_values: Any = None, **settings: Any) -> Any:
        output = plain_forward(*args, past_key_values=past_key_values, **settings)
        return output if past_key_values is None else type(output)(logits=output.logits.flip(-1))

    model.forward = forward
    with pytest.raises(EngineError, match=r"LlamaForCausalLM cannot be run token by token \(slots .*; its own cache"):
        new_engine(model)


def test_a_model_without_memory_to_run_is_not_taken_for_a_wrong_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*args: Any) -> None:
        raise torch.OutOfMemoryError("no memory left")

    monkeypatch.setattr(Slots, "prefill", exhausted)
    with pytest.raises(torch.OutOfMemoryError):
        choose_store(tiny("llama"), 5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("family", "settings", "num_passes"),
    [
        ("llama", {}, 6),  # one without cache, a prefill in two parts, a step, the same again, and one behind it
        ("mistral", {}, 6),
        ("mistral", {"sliding_window": 20}, 7),  # a long row is computed by itself
        ("lfm2", {}, 7),  # what is taken back is computed again
    ],
)
def test_a_model_is_tried_in_few_forward_passes(
    family: str, settings: dict[str, Any], num_passes: int, dtype: torch.dtype
) -> None:
    model = build(family, **settings).to(dtype)
    passes = []
    model.base_model.register_forward_pre_hook(lambda module, inputs: passes.append(module))
    choose_store(model, 5)
    assert len(passes) == num_passes + (dtype is torch.bfloat16)


def test_a_cache_goes_under_the_name_that_the_model_has_for_it() -> None:
    class New:
        def forward(self, input_ids: Any, cache: Any = None, use_cache: bool = True) -> None: ...

    class Old:
        def forward(self, input_ids: Any, past_key_values: Any = None, **settings: Any) -> None: ...

    class Other:
        def forward(self, *inputs: Any, **settings: Any) -> None: ...

    assert [cache_name(kind()) for kind in (New, Old, Other)] == ["cache", "past_key_values", "past_key_values"]
