"""What a plan is told beside the sweep: what it would run on, and where lengths and speed are from."""

from dataclasses import dataclass, field

from elastic_reasoning.core.configuration import EXECUTION, INLINE


@dataclass(frozen=True)
class HardwareConfig:
    """What it would run on."""

    name: str = field(default="", metadata=EXECUTION)
    """H100, H200, B200, A100, L4, L40S, RTX-4090, MI300X, ...; nothing for this machine."""
    num_devices: int = field(default=1, metadata=EXECUTION)
    """How many of them; as many copies of the model run as fit."""
    tensor_parallel: int | None = field(default=None, metadata=EXECUTION)
    """Devices that share a copy of the model; null leaves it to the plan."""
    memory_gb: float | None = field(default=None, metadata=EXECUTION)
    """Memory of a device in 10^9 bytes, in place of the table's."""
    gb_per_second: float | None = field(default=None, metadata=EXECUTION)
    """Bandwidth of that memory, in place of the table's."""
    tflops: float | None = field(default=None, metadata=EXECUTION)
    """10^12 operations a second in bfloat16, in place of the table's."""
    price_per_hour: float | None = field(default=None, metadata=EXECUTION)
    """What you pay for a device and hour, in place of the list price."""


@dataclass(frozen=True)
class PlanConfig:
    """What a plan is made from."""

    measure: int = field(default=0, metadata=EXECUTION)
    """Run so many problems here first, or steps of a training, and reckon with what they take."""
    lengths_from: str = field(default="", metadata=EXECUTION)
    """Folder of an earlier sweep, whose records tell how long each model thinks and answers."""
    prompt_tokens: int | None = field(default=None, metadata=EXECUTION)
    """Tokens of a prompt, where the problems are not on this machine; limit then says how many there are."""
    hardware: HardwareConfig = field(default_factory=HardwareConfig, metadata=INLINE)
    """What it would run on."""
