"""What an engine's own settings say of how a copy of a model is spread over devices.

devices_of_engine(EngineConfig(tensor_parallel_size=2), HardwareConfig("H100", num_devices=8))     # 2
"""

from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.engines.config import EngineConfig
from elastic_reasoning.planning.config import HardwareConfig
from elastic_reasoning.training.dry_run.architecture import Architecture


def devices_of_copy(hardware: HardwareConfig, told: int, flag: str) -> int | None:
    """Devices that share a copy; `None` where nobody says, and the plan may choose.

    Args:
        hardware: what the plan is told.
        told: what the engine is told, 1 if nothing.
        flag: by which it is told.

    Raises:
        UsageError: they say different numbers, or fewer than one.
    """
    if told < 1:
        raise UsageError(f"{flag} {told}: must be 1 or more")
    if told == 1:
        return hardware.tensor_parallel
    if hardware.tensor_parallel not in (None, told):
        raise UsageError(
            f"tensor_parallel {hardware.tensor_parallel} beside {flag} {told}: the engine spreads a copy over {told}; "
            "leave out --tensor_parallel"
        )
    return told


def devices_of_engine(engine: EngineConfig, hardware: HardwareConfig) -> int | None:
    """Devices that share a copy, as the engine's own settings say, or else the plan.

    Raises:
        UsageError: they say different numbers.
    """
    if engine.name == "vllm":
        return devices_of_copy(hardware, engine.vllm.tensor_parallel_size, "vllm.tensor_parallel_size")
    return devices_of_copy(hardware, engine.tensor_parallel_size, "tensor_parallel_size")


def num_whole(architecture: Architecture, engine: EngineConfig) -> int:
    """Parameters that each device of a copy holds whole.

    transformers' plans leave an embedding that is not the output layer too on every device; vLLM splits it. What else
    is not split, norms and the routers of experts, is not counted.
    """
    is_split = engine.name != "transformers" or architecture.tied
    return 0 if is_split else architecture.vocabulary * architecture.hidden
