"""Who makes rollouts with the weights being trained, whatever the trainer has done to the model.

    policy = new_policy(config, trainer, engine.tokenizer, engine.template)
    policy.refresh()  # in every process
    traces = generate(policy.engine, requests)

A model that is whole in each process (one process, DDP, ZeRO-1 and 2) generates itself. One that is split over the
processes (FSDP2, ZeRO-3) would have to be put together again for every token: it is copied whole, once for each batch
of rollouts, and so is one that computes in another type than it is kept in, which would be converted at every token.
"""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Protocol

import torch

from elastic_reasoning.core.errors import TrainingError
from elastic_reasoning.core.template import Template
from elastic_reasoning.engines.engine import Engine
from elastic_reasoning.engines.local.engine import TransformersEngine
from elastic_reasoning.engines.remote_code import is_remote_code_trusted
from elastic_reasoning.training.config import TrainConfig


class Policy(Protocol):
    """Generates with the weights being trained.

    Attributes:
        engine: what generates.
    """

    @property
    def engine(self) -> Engine: ...

    def refresh(self) -> None:
        """The generating weights become those of the trainer of now.

        Collective: every process calls it, before each batch of rollouts and each validation. It costs nothing if
        there was no optimizer step since.
        """

    def close(self) -> None:
        """Free what it holds beyond the trainer's model."""


def new_policy(config: TrainConfig, trainer: Any, tokenizer: Any, template: Template) -> Policy:
    """What fits `config.engine` and the way the trainer has wrapped its model.

    Args:
        config: the run.
        trainer: has prepared its model, so that this is called on first use. Collective: every process calls it.
        tokenizer, template: of the model.

    Raises:
        TrainingError: the model is split in a way that it cannot be trained in.
        EngineError: the model cannot be run token by token.
    """
    split = is_split(config, trainer)
    if config.engine != "transformers":
        from elastic_reasoning.training.trl.vllm_policy import Colocated, Served

        served = config.engine == "vllm-server"
        return (Served if served else Colocated)(config, trainer, tokenizer, template)
    if split or config.mixed_precision != "no":
        return Copied(config, trainer, tokenizer, template)
    return Live(config, trainer, tokenizer, template)


def is_split(config: TrainConfig, trainer: Any) -> bool:
    """Whether no process has the whole model.

    Raises:
        TrainingError: it is split by FSDP1, or by FSDP2 in a way that fails in the first backward pass.
    """
    from trl.distributed import DistributedBackend

    backend = DistributedBackend(trainer.accelerator)
    if backend.fsdp_version == 1:
        raise TrainingError("fsdp_version 1: only 2 can be trained; launch with `elastic recipes launch/fsdp2`")
    if backend.is_fsdp and config.lora.rank and config.beta and config.mixed_precision != "no":
        # FSDP2 settles the type of gradients in the first forward pass, which is the reference's: adapters are off
        # then, and without gradients.
        raise TrainingError(
            f"beta {config.beta} with lora and mixed_precision {config.mixed_precision} cannot be split by FSDP2: "
            "launch with `elastic recipes launch/zero3`, or set beta to 0"
        )
    return bool(backend.is_fsdp or backend.is_zero3)


class Live:
    """Generates with the very module being trained. Adapters are in its layers, so they take part."""

    def __init__(self, config: TrainConfig, trainer: Any, tokenizer: Any, template: Template) -> None:
        model = _without_peft(trainer.accelerator.unwrap_model(trainer.model))
        self.engine = _engine(model, config, tokenizer, template)

    def refresh(self) -> None:
        """They are the same weights."""

    def close(self) -> None:
        self.engine.close()


class Copied:
    """Generates with a whole copy of the model, in the type that the trainer computes in.

    Adapters stay adapters in the copy: only they are copied after the first time, and no weight is rounded by merging
    them and taking them out again.
    """

    def __init__(self, config: TrainConfig, trainer: Any, tokenizer: Any, template: Template) -> None:
        self._trainer = trainer
        self._copy = _empty_copy(trainer, _dtype(config, trainer))
        for name, buffer in self._trained.named_buffers():
            self._copy.get_buffer(_parameter_name(name)).copy_(buffer)
        self._copy_parameters(self._trained.named_parameters())
        self.engine = _engine(_without_peft(self._copy), config, tokenizer, template)

    def refresh(self) -> None:
        if self._trainer.state.global_step != self._step:
            self._copy_parameters((n, p) for n, p in self._trained.named_parameters() if p.requires_grad)

    def close(self) -> None:
        self.engine.close()
        del self.engine, self._copy

    @property
    def _trained(self) -> Any:
        return self._trainer.accelerator.unwrap_model(self._trainer.model)

    @torch.no_grad()
    def _copy_parameters(self, parameters: Iterator[tuple[str, Any]]) -> None:
        """Put parameters together, one at a time, and write them into the copy."""
        from trl.distributed import DistributedBackend

        accelerator = self._trainer.accelerator
        backend = DistributedBackend(accelerator)
        for name, parameter in parameters:
            with backend.gather_params([parameter]):  # ZeRO-3
                whole = parameter.data
                if hasattr(whole, "full_tensor"):  # FSDP2; it may be kept on the CPU, where its group cannot gather
                    whole = whole.to(accelerator.device).full_tensor()
                self._copy.get_parameter(_parameter_name(name)).copy_(whole)
        self._step = self._trainer.state.global_step


def _empty_copy(trainer: Any, dtype: torch.dtype) -> Any:
    """A model like the trained one, whole and on the device of this process; its weights mean nothing."""
    from accelerate.utils import is_peft_model
    from transformers import AutoModelForCausalLM
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    unset_hf_deepspeed_config()  # or ZeRO-3 would split this one too; all that it should split is there by now
    device = torch.device(trainer.accelerator.device)
    trained = trainer.accelerator.unwrap_model(trainer.model)
    gpus = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(gpus), device:  # what is drawn here must not change what the trainer draws
        config, trusted = deepcopy(_without_peft(trained).config), is_remote_code_trusted()
        copy = AutoModelForCausalLM.from_config(config, dtype=dtype, trust_remote_code=trusted)
        if is_peft_model(trained):
            from peft import get_peft_model

            copy = get_peft_model(copy, deepcopy(trained.peft_config["default"]))
    return copy.eval().requires_grad_(False)


def _dtype(config: TrainConfig, trainer: Any) -> torch.dtype:
    """What the trainer computes in; on a CPU, where bfloat16 gains nothing, what its weights are kept in."""
    fast = config.mixed_precision == "bf16" and trainer.accelerator.device.type != "cpu"
    return torch.bfloat16 if fast else getattr(torch, config.dtype)


def _engine(model: Any, config: TrainConfig, tokenizer: Any, template: Template) -> TransformersEngine:
    """What generates with a model whose weights change in place."""
    return TransformersEngine(
        model, tokenizer, template, config.max_rows, keeps_memory=config.keeps_cache, **config.chat.rendering
    )


def _without_peft(model: Any) -> Any:
    """The model itself, without the shell that peft puts around it; adapters are in its layers."""
    return getattr(model, "get_base_model", lambda: model)()


def _parameter_name(name: str) -> str:
    """The name of a parameter where activations are not checkpointed by a module around it."""
    return name.replace("_checkpoint_wrapped_module.", "")
