"""The estimate is held against what torch really allocates, on a model of 26 million parameters."""

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import Qwen2Config, Qwen2ForCausalLM

from configs import changed, train_config
from elastic_reasoning.training.config import Lora, RolloutVllm
from elastic_reasoning.training.dry_run.architecture import Architecture, read_architecture
from elastic_reasoning.training.dry_run.memory import Lengths, estimate
from elastic_reasoning.training.trl.trainer import quietly

CONFIG = train_config(micro_batch_size=2, prompts_per_step=16, samples_per_prompt=4)
SHAPE = {
    "hidden_size": 384,
    "intermediate_size": 1536,
    "num_hidden_layers": 6,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "vocab_size": 16384,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("model")
    Qwen2Config(**SHAPE).save_pretrained(path)
    return str(path)


def trained(model: Any, lengths: Lengths, autocast: bool = False) -> tuple[int, int, int, int]:
    """Bytes of weights, gradients, moments, and of what the backward pass of the layers reads again, after a step."""
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    ids = torch.zeros(CONFIG.micro_batch_size, lengths.total, dtype=torch.long)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])
    layers = model.get_base_model() if hasattr(model, "get_base_model") else model
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            hidden = layers.model(ids, use_cache=False).last_hidden_state
        activations = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
        logits = layers.lm_head(hidden[:, -1:].float())
    logits.sum().backward()
    optimizer.step()
    moments = [state[name] for state in optimizer.state.values() for name in ("exp_avg", "exp_avg_sq")]
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    return size(model.parameters()), size(gradients), size(moments), activations


def size(tensors: Any) -> int:
    return sum(tensor.nbytes for tensor in tensors)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_weights_gradients_and_moments_are_what_torch_allocates(folder, dtype):
    lengths = Lengths(8, 24)
    model = Qwen2ForCausalLM(Qwen2Config(**SHAPE)).to(getattr(torch, dtype))
    model.lm_head.float()
    if dtype == "bfloat16":
        model.lm_head.to(torch.bfloat16)
        model.lm_head.forward = lambda hidden: hidden @ model.lm_head.weight.float().t()
    weights, gradients, moments, _ = trained(model, lengths)
    memory = estimate(read_architecture(folder), changed(CONFIG, dtype=dtype), lengths, 1, sharded=False)
    assert (memory.weights, memory.gradients, memory.moments) == (weights, gradients, moments)
    assert weights > 50_000_000


@pytest.mark.filterwarnings("ignore::UserWarning")  # peft, of a model that was not loaded from a name
def test_adapters_are_what_peft_makes(folder):
    peft = pytest.importorskip("peft")
    lengths = Lengths(8, 24)
    config = changed(CONFIG, lora=Lora(rank=4), beta=0.1)
    settings = peft.LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
    with quietly():
        model = peft.get_peft_model(Qwen2ForCausalLM(Qwen2Config(**SHAPE)), settings)
    weights, gradients, moments, _ = trained(model, lengths)
    memory = estimate(read_architecture(folder), config, lengths, 1, sharded=False)
    assert (memory.weights, memory.gradients, memory.moments) == (weights, gradients, moments)
    assert memory.reference == 0  # the adapters are switched off for it


@pytest.mark.parametrize(("mixed_precision", "checkpointed"), [("no", False), ("no", True), ("bf16", False)])
def test_activations_are_near_what_torch_keeps(folder, mixed_precision, checkpointed):
    lengths = Lengths(32, 96)
    architecture = read_architecture(folder)
    config = changed(CONFIG, mixed_precision=mixed_precision)
    model = Qwen2ForCausalLM(Qwen2Config(**SHAPE)).train()
    if checkpointed:
        with quietly():
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    autocast = mixed_precision == "bf16"
    *_, kept = trained(model, lengths, autocast)
    if autocast:  # its copies of the weights are kept too, and estimated apart
        kept -= 2 * (architecture.num_parameters - architecture.num_outer_parameters)
    estimated = estimate(architecture, config, lengths, 1, sharded=False).activations
    if checkpointed:  # estimated is also the one layer that is computed again, which is not kept until then
        again = estimate(architecture, changed(config, gradient_checkpointing=True), lengths, 1, sharded=False)
        estimated = again.activations - estimated // architecture.num_layers
    assert estimated == pytest.approx(kept, rel=0.15)


@cache
def large() -> Architecture:
    return read_architecture("agentica-org/DeepCoder-14B-Preview")


SETTINGS = st.fixed_dictionaries(
    {
        "engine": st.sampled_from(["transformers", "vllm-colocated", "vllm-server"]),
        "beta": st.sampled_from([0.0, 0.001]),
        "dtype": st.sampled_from(["float32", "bfloat16"]),
        "mixed_precision": st.sampled_from(["no", "bf16"]),
        "gradient_checkpointing": st.booleans(),
        "micro_batch_size": st.integers(1, 8),
        "lora": st.sampled_from([Lora(), Lora(rank=8)]),
    }
)
LENGTHS = st.builds(Lengths, st.integers(1, 4096), st.integers(1, 32768))


@given(SETTINGS, LENGTHS, st.integers(0, 5), st.integers(0, 5))
def test_more_processes_never_need_more_of_each(settings, lengths, one, other):
    config = train_config(prompts_per_step=128, samples_per_prompt=8, **settings)
    few, many = (estimate(large(), config, lengths, 2**n, sharded=True) for n in sorted((one, other)))
    assert many.optimising <= few.optimising
    assert many.generating <= few.generating


@given(SETTINGS, LENGTHS, st.integers(1, 8))
def test_sharding_and_adapters_never_need_more(settings, lengths, num):
    config = train_config(prompts_per_step=128, samples_per_prompt=8, **settings)
    whole = estimate(large(), config, lengths, num, sharded=False)
    shared = estimate(large(), config, lengths, num, sharded=True)
    adapters = estimate(large(), changed(config, lora=Lora(rank=8)), lengths, num, sharded=False)
    assert shared.kept <= whole.kept
    assert adapters.optimising <= whole.optimising
    assert adapters.kept <= whole.kept


@given(SETTINGS, LENGTHS, st.integers(0, 4096), st.integers(0, 4096))
def test_longer_sequences_and_larger_micro_batches_never_need_less(settings, lengths, prompt, completion):
    config = train_config(**settings)
    longer = Lengths(lengths.prompt + prompt, lengths.completion + completion)
    before = estimate(large(), config, lengths, 1, sharded=False)
    after = estimate(large(), config, longer, 1, sharded=False)
    larger = estimate(large(), changed(config, micro_batch_size=config.micro_batch_size + 1), lengths, 1, sharded=False)
    assert after.optimising >= before.optimising
    assert after.generating >= before.generating
    assert larger.optimising >= before.optimising


@given(SETTINGS, LENGTHS)
def test_checkpointing_saves_activations_and_a_server_all_of_generating(settings, lengths):
    config = train_config(**{**settings, "gradient_checkpointing": False})
    kept = estimate(large(), config, lengths, 1, sharded=False).activations
    again = estimate(large(), changed(config, gradient_checkpointing=True), lengths, 1, sharded=False).activations
    assert again < kept
    served = estimate(large(), changed(config, engine="vllm-server"), lengths, 1, sharded=True)
    assert served.generating == served.kept


def test_a_copy_of_vllm_is_split_over_those_that_share_it():
    config = train_config(engine="vllm-colocated", vllm=RolloutVllm(tensor_parallel_size=2))
    memory = estimate(large(), config, Lengths(1024, 2048), 8, sharded=True)
    assert memory.copies == large().num_parameters  # two bytes each, over two processes
    asleep = changed(config, vllm=RolloutVllm(tensor_parallel_size=2, sleep=True))
    woken = estimate(large(), asleep, Lengths(1024, 2048), 8, sharded=True)
    assert memory.optimising - woken.optimising == memory.copies == woken.copies
    alone = changed(config, engine="transformers")
    assert estimate(large(), alone, Lengths(1024, 2048), 8, sharded=True).copies == 4 * large().num_parameters
    computed = replace(alone, mixed_precision="bf16")
    assert estimate(large(), computed, Lengths(1024, 2048), 8, sharded=True).copies == 2 * large().num_parameters
    assert estimate(large(), alone, Lengths(1024, 2048), 8, sharded=False).copies == 0
    whole = estimate(large(), replace(alone, mixed_precision="bf16"), Lengths(1024, 2048), 8, sharded=False)
    assert whole.copies == whole.staying == 2 * large().num_parameters


def test_a_cache_that_is_kept_is_there_while_the_model_is_optimised():
    freed, kept = (
        estimate(large(), train_config(keeps_cache=keeps), Lengths(1024, 2048), 1, sharded=False)
        for keeps in (False, True)
    )
    assert kept.optimising - freed.optimising == kept.cache == freed.cache
    assert kept.generating == freed.generating
