"""What is recorded of a model goes on only as long as it is that model; a tape stands in for the graph."""

import warnings
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.request import Options, Request, Sampling
from elastic_reasoning.core.trace import Trace
from elastic_reasoning.engines.engine import generate
from elastic_reasoning.engines.local import engine as engine_module
from elastic_reasoning.engines.local import self_check
from elastic_reasoning.engines.local.engine import TransformersEngine
from elastic_reasoning.engines.local.graphs import Graphed
from elastic_reasoning.engines.local.identity import identity, modules_of
from elastic_reasoning.engines.local.slots import Slots
from letters import letters
from tape import Tape, told
from tiny import build, new_engine, prompt, tiny

GREEDY = Sampling(temperature=0)


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines record their steps, as on a device with graphs, and keep them between requests."""
    monkeypatch.setattr(engine_module, "has_graphs", lambda model: True)
    monkeypatch.setattr(self_check, "Graphed", partial(Graphed, recorder=lambda device: Tape.record))
    Tape.num_replays = 0


def recording_engine(model: Any, fuse_after: int | None = None) -> TransformersEngine:
    return TransformersEngine(model, None, letters(), 4, keeps_memory=True, fuse_after=fuse_after)


def greedy(num: int = 2, thinking: int = 10) -> list[Request]:
    """Requests that differ in their prompts."""
    options = Options(min_thinking=thinking)
    return [
        Request(prompt(3 + n), Budget(thinking, 3), "elastic", options, GREEDY, sample=n, name=str(n))
        for n in range(num)
    ]


def traces_of(engine: TransformersEngine, requests: list[Request]) -> list[Trace]:
    return sorted(generate(engine, requests), key=lambda trace: trace.request.name)


def assert_as_new(engine: TransformersEngine) -> list[float]:
    """Token for token what an engine gives that is made of the model as it is now, from replays."""
    before = Tape.num_replays
    found, expected = traces_of(engine, greedy()), traces_of(step_by_step(engine.model), greedy())
    for trace, known in zip(found, expected, strict=True):
        assert trace.error is None
        assert told(trace) == told(known)
        assert trace.logprobs == pytest.approx(known.logprobs, abs=1e-4)
    assert Tape.num_replays > before + 5
    return [logprob for trace in found for logprob in trace.logprobs or ()]


def step_by_step(model: Any) -> TransformersEngine:
    return TransformersEngine(model, None, letters(), 4, graphs=False)


def adapted(model: Any, name: str = "default") -> Any:
    """A model with an adapter in each linear layer, which does something."""
    peft = pytest.importorskip("peft")
    settings = peft.LoraConfig(
        r=2, lora_alpha=8, lora_dropout=0.5, target_modules=["q_proj", "down_proj"], init_lora_weights=False
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a model that was not loaded from a name
        return peft.get_peft_model(model, settings, adapter_name=name)


def second(shell: Any) -> None:
    shell.add_adapter("other", shell.peft_config["default"])


def scaled(shell: Any) -> None:
    for module in modules_of(shell):
        if hasattr(module, "set_scale"):
            module.set_scale("other", 3.0)


Change = Callable[[Any], Any]
ON_ADAPTERS: dict[str, tuple[Change, bool]] = {
    "disabled": (lambda shell: shell.base_model.disable_adapter_layers(), True),
    "enabled": (lambda shell: shell.base_model.enable_adapter_layers(), True),
    "merged": (lambda shell: shell.merge_adapter(), False),
    "merged and disabled": (lambda shell: shell.base_model.disable_adapter_layers(), True),
    "no longer": (lambda shell: shell.base_model.enable_adapter_layers(), True),
    "added": (second, False),
    "switched": (lambda shell: shell.set_adapter("other"), True),
    "scaled": (scaled, True),
    "both": (lambda shell: shell.base_model.set_adapter(["default", "other"]), True),
    "merged again": (lambda shell: shell.merge_adapter(), False),
    "unmerged": (lambda shell: shell.unmerge_adapter(), False),
    "deleted": (lambda shell: shell.delete_adapter("default"), True),
}
"""What is done one after the other, and whether it shows."""


@pytest.mark.usefixtures("recording")
@pytest.mark.parametrize("in_shell", [False, True], ids=["the model", "its shell"])
def test_adapters_are_heeded_between_requests(in_shell: bool) -> None:
    model = build("llama")
    if in_shell:
        shell = adapted(model)
        engine = recording_engine(shell)
        found = assert_as_new(engine)
    else:
        engine = recording_engine(model)
        before = assert_as_new(engine)
        shell = adapted(model)
        found = assert_as_new(engine)
        assert found != pytest.approx(before, abs=1e-2)
    for name, (change, shows) in list(ON_ADAPTERS.items())[: 3 if in_shell else None]:
        change(shell)
        now = assert_as_new(engine)
        assert (now != pytest.approx(found, abs=1e-2)) is shows, name
        found = now


class Doubled(nn.Module):
    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return 2 * weight


def moved(model: Any) -> None:
    weight = model.model.layers[1].mlp.down_proj.weight
    weight.data = -weight.data


def assigned(model: Any) -> None:
    model.load_state_dict({name: tensor.flip(0) for name, tensor in model.state_dict().items()}, assign=True)


def written(model: Any) -> None:
    model.model.layers[0].mlp.down_proj.weight.data.mul_(-1)


def parametrized(model: Any) -> None:
    nn.utils.parametrize.register_parametrization(model.model.layers[0].self_attn.o_proj, "weight", Doubled())


def replaced(model: Any) -> None:
    model.model.layers[0] = deepcopy(model.model.layers[1])
    model.model.layers[0].self_attn.layer_idx = 0


def buffered(model: Any) -> None:
    model.model.rotary_emb.inv_freq = 3 * model.model.rotary_emb.inv_freq


def hooked(model: Any) -> None:
    model.model.layers[1].register_forward_hook(lambda module, inputs, output: output + inputs[0])


def forwarded(model: Any) -> None:
    norm = model.model.norm
    norm.forward = lambda hidden: type(norm).forward(norm, hidden).flip(-1)


def tied(model: Any) -> None:
    model.lm_head.weight = model.model.embed_tokens.weight


def untied(model: Any) -> None:
    model.lm_head.weight = nn.Parameter(model.lm_head.weight.detach().roll(5, 0))


def grown(model: Any) -> None:
    model.resize_token_embeddings(40, mean_resizing=False)


ON_WEIGHTS: list[Change] = [
    moved,
    assigned,
    written,
    parametrized,
    replaced,
    buffered,
    hooked,
    forwarded,
    tied,
    untied,
    grown,
    nn.Module.double,
]


@pytest.mark.usefixtures("recording")
def test_weights_and_code_are_heeded_between_requests() -> None:
    model = build("llama")
    engine = recording_engine(model)
    found = assert_as_new(engine)
    for change in ON_WEIGHTS:
        change(model)
        now = assert_as_new(engine)
        assert change is nn.Module.double or now != pytest.approx(found, abs=1e-2), change
        found = now


@pytest.mark.usefixtures("recording")
@pytest.mark.parametrize("change", [adapted, moved, hooked, replaced])
def test_rows_that_come_while_others_run_are_given_by_the_model_as_it_is(change: Change) -> None:
    model = build("llama").train()  # what is added to it would drop values at random
    engine = TransformersEngine(model, None, letters(), 2, keeps_memory=True, fuse_after=None)
    long, short, late = *greedy(1, 60), *greedy(2, 20)
    reader = generate(engine, [long, short, late])
    assert next(reader).request == short
    assert Tape.num_replays > 5
    change(model)
    [found] = [trace for trace in reader if trace.request == late]
    [known] = traces_of(step_by_step(model), [late])
    assert told(found) == told(known)
    assert found.logprobs == pytest.approx(known.logprobs, abs=1e-4)


@pytest.mark.usefixtures("recording")
def test_how_a_model_runs_best_is_found_out_once_for_each_of_its_states(monkeypatch: pytest.MonkeyPatch) -> None:
    tried, choose = list[Any](), self_check.choose_store

    def noting(*args: Any) -> Any:
        tried.append(args)
        return choose(*args)

    monkeypatch.setattr(engine_module, "choose_store", noting)
    model = build("llama")
    shell = adapted(model)
    engine = recording_engine(model)
    monkeypatch.setattr(engine_module, "MOST_STATES", 2)
    for _ in range(2):
        traces_of(engine, greedy(1))
        with shell.disable_adapter():
            traces_of(engine, greedy(1))
    assert len(tried) == 2
    hooked(model)
    traces_of(engine, greedy(1))
    assert len(tried) == 3
    assert len(engine._stores) == 2


@pytest.mark.usefixtures("recording")
def test_a_model_that_comes_to_wait_for_the_device_is_no_longer_recorded() -> None:
    model = build("llama")
    engine = recording_engine(model)
    assert_as_new(engine)
    hook = model.model.norm.register_forward_hook(lambda module, inputs, output: output * bool(output.isfinite().all()))
    replays = Tape.num_replays
    assert [told(t) for t in traces_of(engine, greedy())] == [told(t) for t in traces_of(new_engine(model), greedy())]
    assert isinstance(engine._new_store(), Slots)
    assert Tape.num_replays == replays
    hook.remove()
    assert_as_new(engine)
    assert isinstance(engine._new_store(), Graphed)


def test_the_same_model_is_the_same() -> None:
    """Also after it has computed and was trained, and with values that were changed in place; however often its layers
    are checkpointed meanwhile, as a trainer switches that off for each batch of rollouts."""
    model = build("llama")
    before = identity(model)
    assert traces_of(new_engine(model), greedy(1))
    model.train()
    model(input_ids=torch.tensor([[5, 6, 7]])).logits.sum().backward()
    torch.optim.AdamW(model.parameters(), fused=True).step()
    model.zero_grad()
    for _ in range(3):
        model.gradient_checkpointing_enable()
        model.gradient_checkpointing_disable()
    model.requires_grad_(False)
    assert identity(model) == before
    assert identity(build("llama")).code == before.code


@pytest.mark.parametrize("to_sparse", [torch.Tensor.to_sparse, torch.Tensor.to_sparse_csr])
@pytest.mark.filterwarnings("ignore:Sparse:UserWarning")
def test_sparse_weights_are_told_apart(to_sparse: Any) -> None:
    model = nn.Linear(3, 2)
    model.weight = nn.Parameter(to_sparse(torch.eye(2, 3)), requires_grad=False)
    before = identity(model)
    assert identity(model) == before
    model.weight = nn.Parameter(to_sparse(torch.eye(2, 3)), requires_grad=False)
    assert identity(model) != before


def test_memory_that_a_tensor_of_parts_holds_is_that_of_its_parts() -> None:
    from torch.testing._internal.two_tensor import TwoTensor

    model = nn.Linear(3, 2)
    parts = torch.zeros(2, 3), torch.ones(2, 3)
    model.weight = nn.Parameter(TwoTensor(*parts))
    assert set(identity(model).parameters) == {*(part.data_ptr() for part in parts), model.bias.data_ptr()}


@pytest.mark.parametrize("family", ["llama", "gpt2", "qwen3_moe"])
def test_modules_are_found_once_each(family: str) -> None:
    model = deepcopy(tiny(family))
    model.again = model.base_model
    assert set(modules_of(model)) == set(model.modules())
    assert len(modules_of(model)) == len(list(model.modules()))
