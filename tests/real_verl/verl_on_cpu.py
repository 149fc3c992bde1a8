"""A CPU as a platform of verl, which knows GPUs and NPUs; verl imports what VERL_USE_EXTERNAL_MODULES names.

verl's trainer then runs with nothing of it left out: FSDP2 over gloo, vLLM for CPUs, its own exchange of weights. Ray
is told of one GPU, which stands for the CPU.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import verl.utils.distributed
from verl.plugin.platform import PlatformBase, PlatformRegistry

NUMBERS = {
    **dict.fromkeys(("max_memory_allocated", "max_memory_reserved", "memory_allocated", "memory_reserved"), 0),
    **{"device_count": 1, "current_device": 0, "get_device_name": "cpu", "is_available": True, "mem_get_info": (1, 2)},
}
NOTHING = ("empty_cache", "ipc_collect", "synchronize", "set_device", "get_rng_state", "set_rng_state")


class CpuModule:
    """What torch.cuda is to a GPU: verl asks it for memory that there is none of."""

    manual_seed = staticmethod(torch.manual_seed)

    def __getattr__(self, name: str) -> Any:
        if name not in NUMBERS and name not in NOTHING:
            raise AttributeError(name)
        return lambda *arguments, **keywords: NUMBERS.get(name)


@PlatformRegistry.register(platform="cpu")
class Cpu(PlatformBase):
    """The one device of a machine without any."""

    device_name = "cpu"
    vendor_name = "host"
    device_module = CpuModule()

    def is_available(self) -> bool:
        return True

    def current_device(self) -> str:
        return "cpu"

    def device_count(self) -> int:
        return 1

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    def manual_seed_all(self, seed: int) -> None:
        torch.manual_seed(seed)

    def communication_backend_name(self) -> str:
        return "gloo"

    def visible_devices_envvar(self) -> str:
        return "CUDA_VISIBLE_DEVICES"

    def ray_resource_name(self) -> str:
        return "GPU"

    def ray_noset_envvars(self) -> list[str]:
        return []

    def is_ipc_supported(self) -> bool:
        return False

    def get_device_capability(self, device_index: int = 0) -> tuple[None, None]:
        return None, None

    @contextmanager
    def nvtx_range(self, msg: str) -> Iterator[None]:
        yield

    def set_device(self, device_index: int) -> None: ...

    def synchronize(self, device_index: int | None = None) -> None: ...

    def set_allocator_settings(self, settings: str) -> None: ...

    def empty_cache(self) -> None: ...

    def profiler_start(self) -> None: ...

    def profiler_stop(self) -> None: ...

    def cudart(self) -> None: ...


def init_process_group(timeout_second: int | None = None, backend: str | None = None) -> None:
    """In place of verl's, which names its backend `cpu:gloo,cpu:gloo`; the FSDP engine is entered for CPUs first."""
    from verl.workers.engine import EngineRegistry
    from verl.workers.engine.fsdp.transformer_impl import FSDPEngineWithLMHead

    if torch.distributed.is_initialized():
        return
    EngineRegistry.register(model_type="language_model", backend=["fsdp", "fsdp2"], device="cpu")(FSDPEngineWithLMHead)
    torch.distributed.init_process_group(
        "gloo",
        rank=int(os.environ.get("RANK", "0")),
        world_size=int(os.environ.get("WORLD_SIZE", "1")),
        init_method=os.environ.get("DIST_INIT_METHOD"),
    )


verl.utils.distributed.initialize_global_process_group_ray = init_process_group

if {"vllm.v1.worker.cpu_worker", "vllm.v1.executor.multiproc_executor"} & sys.modules.keys():
    from elastic_reasoning.training.trl.vllm_policy import keep_weights_writable

    keep_weights_writable()
