"""What a plan counts on: devices by name with their figures and list prices, or a user's own.

find_device(HardwareConfig(name="H100", price_per_hour=2.5)).price_per_hour     # 2.5
find_device(HardwareConfig(memory_gb=64, gb_per_second=200, tflops=4))          # a CPU, say
"""

import json
from dataclasses import dataclass
from pathlib import Path

from elastic_reasoning.core.errors import UsageError, unknown
from elastic_reasoning.planning.config import HardwareConfig

TABLE = Path(__file__).with_name("hardware.json")
GB = 10**9
TERA = 10**12


@dataclass(frozen=True, slots=True)
class Device:
    """One device; what is not known is `None`.

    Attributes:
        name: for tables.
        memory: bytes.
        bandwidth: bytes a second.
        flops: operations a second.
        price_per_hour: in dollars.
        is_list_price: whether that is a list price, and nobody's own.
    """

    name: str
    memory: float | None = None
    bandwidth: float | None = None
    flops: float | None = None
    price_per_hour: float | None = None
    is_list_price: bool = False


def find_device(config: HardwareConfig) -> Device:
    """The device that a configuration means.

    Raises:
        UsageError: none of that name, with the nearest one; or a value that cannot be.
    """
    _check(config)
    table = json.loads(TABLE.read_text(encoding="utf-8"))["devices"]
    by_letters = {_letters(name): name for name in table}
    if config.name and _letters(config.name) not in by_letters:
        message = unknown("hardware", config.name, table)
        raise UsageError(f"{message}; or give --memory_gb, --gb_per_second and --tflops of your own")
    name = by_letters.get(_letters(config.name), "")
    known = table[name] if name else {}

    def figure(field: str, unit: float) -> float | None:
        own = getattr(config, field)
        found = known.get(field) if own is None else own
        return None if found is None else found * unit

    return Device(
        name=name or "this machine",
        memory=figure("memory_gb", GB),
        bandwidth=figure("gb_per_second", GB),
        flops=figure("tflops", TERA),
        price_per_hour=figure("price_per_hour", 1),
        is_list_price=config.price_per_hour is None and known.get("price_per_hour") is not None,
    )


def _check(config: HardwareConfig) -> None:
    for name in ("num_devices", "tensor_parallel", "memory_gb", "gb_per_second", "tflops", "price_per_hour"):
        value = getattr(config, name)
        is_free = name == "price_per_hour" and value == 0
        if value is not None and not is_free and not 0 < value < float("inf"):
            raise UsageError(f"{name} {value}: must be above 0")
    if config.tensor_parallel and config.tensor_parallel > config.num_devices:
        raise UsageError(
            f"tensor_parallel {config.tensor_parallel}: there are {config.num_devices} devices; raise --num_devices"
        )


def _letters(name: str) -> str:
    return name.lower().replace("-", "").replace(" ", "").replace("_", "")
