"""Whether a model can be spread over so many devices of this machine, said before any process is started."""

from typing import Any

import torch
import torch.distributed as dist
import transformers
from packaging.version import Version

from elastic_reasoning.core.errors import EngineError
from elastic_reasoning.engines.local.parallel.ranks import Spread

FIRST = "5.17"
"""The first transformers that spreads a model over devices as it is asked to here."""


def check_devices(spread: Spread) -> None:
    """Refuse devices that are not there, and a process that computes with others already.

    Raises:
        EngineError: as said.
    """
    asked, device = f"tensor_parallel_size {spread.num_ranks}", spread.device
    if Version(transformers.__version__) < Version(FIRST):
        fix = f"pip install 'transformers>={FIRST}'"
        raise EngineError(f"{asked} needs transformers {FIRST} or newer, here is {transformers.__version__}: {fix}")
    if device not in ("cpu", "cuda"):
        raise EngineError(f"{asked} on device {device!r}: give cuda (CUDA_VISIBLE_DEVICES says which ones), or cpu")
    num_devices = torch.cuda.device_count()
    if device == "cpu" and num_devices:
        raise EngineError(f"{asked} on device 'cpu' beside a GPU: give cuda, or hide it with CUDA_VISIBLE_DEVICES=")
    if device == "cuda" and num_devices < spread.num_ranks:
        raise EngineError(f"{asked}: there are {num_devices} CUDA devices here (CUDA_VISIBLE_DEVICES); give no more")
    if dist.is_initialized():
        raise EngineError(
            f"{asked}: this process computes with others already (torch.distributed), for another model that is spread "
            "over devices or for training: close that first"
        )


def check_plan(spread: Spread, config: Any) -> None:
    """Refuse a model whose layers cannot be shared out.

    Args:
        spread: the model.
        config: of the model.

    Raises:
        EngineError: as said.
    """
    num_ranks, text = spread.num_ranks, config.get_text_config()
    asked = f"model {spread.model!r} with tensor_parallel_size {num_ranks}"
    if getattr(config, "quantization_config", None) is not None:
        raise EngineError(f"{asked}: its weights are quantised; give one that is not, or run it on one device")
    if not text.base_model_tp_plan:
        raise EngineError(f"{asked}: transformers has no plan for {text.model_type}; run it on one device, or on vLLM")
    for name in ("num_attention_heads", "num_key_value_heads", "vocab_size"):
        num = getattr(text, name, None) or num_ranks
        if num % num_ranks:
            fitting = max(n for n in range(1, num_ranks) if num % n == 0)
            raise EngineError(f"{asked}: its {name} of {num} cannot be shared out evenly; give {fitting}")
