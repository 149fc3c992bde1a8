"""Rollouts from vLLM with the weights that are being trained, which TRL hands over to it.

Colocated, every training process holds a vLLM of its own (or, with tensor parallelism, a share of one) and all of its
rollouts are generated together; otherwise a server generates them. Either way a budget is kept in one pass by our
plug-in, so that a budgeted rollout costs about what a plain one costs (benchmarks/vllm_rollouts.py).

vLLM's log-probabilities are those of what it sampled from: after temperature and after the plug-in. Forced tokens have
0.0 and stand outside the loss mask, and so outside of every importance ratio. The plug-in cannot take back an end of
sequence in thinking and gives its probability to the delimiter: where the model's own probability of the sampled
delimiter is p and that of the end q, the ratio of that one token is p / (p + q) and not 1. On the mini this is 0.999999
in the mean of 117 delimiters, and 0.999996 at the least; but of a model that was made to end most of its thinking so it
is 0.02, and as TRL weighs whole rollouts by their ratio, such a model would learn next to nothing from them.
"""

from typing import Any

from elastic_reasoning.chat.rendering import Renderer
from elastic_reasoning.core.errors import TrainingError, require
from elastic_reasoning.core.template import Template
from elastic_reasoning.engines.http.config import ServerConfig
from elastic_reasoning.engines.http.engine import OpenAIEngine
from elastic_reasoning.rollouts.plan import Plan
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.training.processes import choose_port
from elastic_reasoning.training.trl.vllm_batches import BatchEngine


def vllm_arguments(config: TrainConfig) -> dict[str, Any]:
    """The arguments of TRL's `GRPOConfig` that make vLLM generate; none where it does not.

    It comes before the trainer, which starts a colocated vLLM.

    Raises:
        MissingDependencyError: vLLM is not installed; TRL's client of a server needs it too.
        TrainingError: the processes that share a model would not ask it equally often.
    """
    vllm = config.vllm
    if config.engine == "vllm-colocated":
        if vllm.tensor_parallel_size > 1:
            _check_turns(config)
        require("vllm", "vllm")
        from vllm.platforms import current_platform

        if current_platform.is_cpu():
            keep_weights_writable()
        choose_port()
        return {
            "use_vllm": True,
            "vllm_mode": "colocate",
            "vllm_gpu_memory_utilization": vllm.gpu_memory_utilization,
            "vllm_tensor_parallel_size": vllm.tensor_parallel_size,
            "vllm_enable_sleep_mode": vllm.sleep,
            "vllm_max_model_length": vllm.max_model_len,
        }
    if config.engine == "vllm-server":
        require("vllm", "vllm")
        return {
            "use_vllm": True,
            "vllm_mode": "server",
            "vllm_server_base_url": vllm.url,
            "vllm_group_port": vllm.group_port,
        }
    return {}


def _check_turns(config: TrainConfig) -> None:
    """Budgets that share a thinking, and prompts that are replaced, are asked in turns, of which one process may need
    more than another."""
    if config.rollouts.num_cuts > 1:
        shared = f"plan {config.rollouts.plan}"
    elif config.rollouts.max_redraws:
        shared = "max_redraws"
    elif len(Plan(config.rollouts, config.steps, config.seed).validation()) > 1:
        shared = "several strategies or validation_budgets"
    else:
        return
    raise TrainingError(
        f"vllm.tensor_parallel_size {config.vllm.tensor_parallel_size} with {shared}: processes that share a model "
        "must ask it equally often; use 1, or engine vllm-server"
    )


class Served:
    """A vLLM server generates, to which TRL's main process sends the weights.

    Every process sends its own requests. The server needs our plug-in beside it for budgets in one pass, and
    `VLLM_SERVER_DEV_MODE=1 vllm serve MODEL --weight-transfer-config '{"backend": "nccl"}'
    --logprobs-mode processed_logprobs` for TRL.

    Args:
        config: of the run.
        trainer: TRL's, with `vllm_mode` server.
        tokenizer, template: as for `Colocated`; the engine finds its own by `config.model`.
    """

    def __init__(self, config: TrainConfig, trainer: Any, tokenizer: Any, template: Template) -> None:
        self._trainer = trainer
        self.engine = OpenAIEngine(
            ServerConfig(
                (config.vllm.url.rstrip("/") + "/v1",),
                tokenizer=config.model,
                concurrency=config.max_rows,
            ),
            **config.chat.delimiters,
            **config.chat.rendering,
        )

    def refresh(self) -> None:
        """Send the weights of now if the server has others, and wait in every process until it has them."""
        _sync(self._trainer)
        self._trainer.accelerator.wait_for_everyone()

    def close(self) -> None:
        """The server goes on."""
        self.engine.close()


class Colocated:
    """A vLLM within the training processes generates, whose weights TRL replaces in place.

    Args:
        config: of the run.
        trainer: TRL's, with `vllm_mode` colocate.
        tokenizer: the model's.
        template: how it marks thinking.
    """

    def __init__(self, config: TrainConfig, trainer: Any, tokenizer: Any, template: Template) -> None:
        from vllm.platforms import current_platform

        self._trainer = trainer
        # TRL hands vLLM no settings of ours, and so the plug-in knows only the delimiters that the tokenizer names.
        in_one_pass = config.chat.opening is None and config.chat.closing is None
        self.engine = BatchEngine(
            trainer.vllm_generation, Renderer(tokenizer, template, **config.chat.rendering), in_one_pass
        )
        if current_platform.is_cpu():  # where a seeded request that is prefilled in chunks ends vLLM
            scheduler = trainer.vllm_generation.llm.llm_engine.vllm_config.scheduler_config
            scheduler.enable_chunked_prefill = self.engine.context > scheduler.max_num_batched_tokens

    def refresh(self) -> None:
        """Give vLLM the weights of now, if it has others."""
        _sync(self._trainer)

    def close(self) -> None:
        """Free what vLLM holds."""
        self.engine.close()


def _sync(trainer: Any) -> None:
    if trainer.state.global_step != trainer._last_loaded_step:
        trainer.vllm_generation.sync_weights()
        trainer._last_loaded_step = trainer.state.global_step


def keep_weights_writable() -> None:
    """Have vLLM on a CPU leave its weights as they are loaded.

    It packs them for oneDNN otherwise, and TRL then finds no weights to write to. (vLLM 0.32's own reloading packs
    again, but leaves an output layer that is tied to the embeddings as it was.)
    """
    import torch
    from vllm.model_executor.layers import utils

    pack = utils.dispatch_cpu_unquantized_gemm

    def leave(layer: Any, remove_weight: bool) -> None:
        if layer.weight.ndim == 2:
            layer.cpu_linear = torch.nn.functional.linear
        else:
            pack(layer, remove_weight)

    utils.dispatch_cpu_unquantized_gemm = leave
