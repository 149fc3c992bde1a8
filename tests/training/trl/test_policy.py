"""What generates has the weights of the trainer of now."""

from types import SimpleNamespace
from typing import Any

import peft
import pytest
import torch
from accelerate import Accelerator

from configs import changed, train_config
from elastic_reasoning.core.errors import TrainingError
from elastic_reasoning.engines.engine import ask
from elastic_reasoning.engines.loading import load_template, load_weights
from elastic_reasoning.training.config import Lora, TrainConfig
from elastic_reasoning.training.trl import policy
from elastic_reasoning.training.trl.policy import Copied, Live, Policy, new_policy
from elastic_reasoning.training.trl.trainer import quietly

QUESTION = "a 4 b -8 c +7 d *3 e +9 f -2 g *7 ="
CONFIG = train_config(model="mini", max_rows=2)
BY_COPY = train_config(model="mini", max_rows=2, mixed_precision="bf16")


def a_trainer(model: Any) -> Any:
    """What a policy asks of a trainer."""
    return SimpleNamespace(model=model, accelerator=Accelerator(cpu=True), state=SimpleNamespace(global_step=0))


def a_policy(trainer: Any, config: TrainConfig) -> Policy:
    with quietly():
        return new_policy(config, trainer, *load_template("mini"))


def with_adapters(model: Any) -> Any:
    with quietly():
        return peft.get_peft_model(model, peft.LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM"))


def change(model: Any) -> None:
    """An optimizer step, of sorts."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))


def answers(policy: Policy) -> tuple[int, ...]:
    return ask(policy.engine, QUESTION, "24+20").ids


@pytest.mark.parametrize("wrapped", [lambda model: model, with_adapters], ids=["all weights", "adapters"])
def test_a_copy_answers_as_the_model_itself_does(wrapped: Any) -> None:
    model = wrapped(load_weights("mini", "float32"))
    change(model)
    trainer = a_trainer(model)
    live, copied = a_policy(trainer, CONFIG), a_policy(trainer, BY_COPY)
    assert isinstance(live, Live)
    assert isinstance(copied, Copied)
    before = answers(live)
    assert answers(copied) == before

    change(model)
    copied.refresh()
    assert answers(copied) == before, "there was no step"
    trainer.state.global_step = 1
    copied.refresh()
    assert answers(copied) == answers(live) != before


@pytest.mark.parametrize("config", [CONFIG, BY_COPY], ids=["live", "copied"])
def test_what_was_recorded_is_kept_where_the_run_says_so(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bool] = []
    monkeypatch.setattr(policy, "TransformersEngine", lambda *args, keeps_memory, **kwargs: told.append(keeps_memory))
    for keeps in (False, True):
        a_policy(a_trainer(load_weights("mini", "float32")), changed(config, keeps_cache=keeps))
    assert told == [False, True]


def test_making_a_copy_draws_nothing_from_the_trainer() -> None:
    trainer = a_trainer(with_adapters(load_weights("mini", "float32")))
    before = torch.get_rng_state()
    a_policy(trainer, BY_COPY).close()
    assert torch.equal(torch.get_rng_state(), before)


def test_checkpointing_of_gradients_is_not_felt_by_generation(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_weights("mini", "float32").train()
    wanted = answers(a_policy(a_trainer(model), CONFIG))
    with quietly():
        model.gradient_checkpointing_enable()
    policy = a_policy(a_trainer(model), CONFIG)

    def again(*args: Any, **settings: Any) -> Any:
        raise AssertionError("a layer was checkpointed")

    for layer in model.model.layers:
        monkeypatch.setattr(layer, "_gradient_checkpointing_func", again)
    assert answers(policy) == wanted
    assert model.training
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("version", "config", "message"),
    [
        (1, CONFIG, "fsdp_version 1: only 2 can be trained"),
        (
            2,
            changed(BY_COPY, beta=0.1, lora=Lora(rank=2)),
            "beta 0.1 with lora and mixed_precision bf16 cannot be split",
        ),
    ],
)
def test_what_cannot_be_split_is_refused(version: int, config: TrainConfig, message: str) -> None:
    state = SimpleNamespace(deepspeed_plugin=None, fsdp_plugin=SimpleNamespace(fsdp_version=version))
    trainer = SimpleNamespace(accelerator=SimpleNamespace(state=state))
    with pytest.raises(TrainingError, match=message):
        a_policy(trainer, config)
