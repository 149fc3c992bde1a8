"""What a sweep comes to: tokens, seconds, memory and money of every model and setting.

`elastic_reasoning.planning.sweeps` makes it.
"""

import os
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, cast

from elastic_reasoning.core.setting import Setting
from elastic_reasoning.planning.fit import Fit
from elastic_reasoning.planning.growth import Growth, Load, growth
from elastic_reasoning.planning.hardware import Device
from elastic_reasoning.planning.tokens import Tokens


@dataclass(frozen=True, slots=True)
class SettingPlan:
    """What one setting comes to: its tokens, its share of the seconds and of the money (`None` if not known)."""

    setting: Setting
    tokens: Tokens
    seconds: float | None
    money: float | None


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """What one model comes to.

    Attributes:
        model: its name.
        lengths, speed: where they are from.
        settings: what each comes to.
        generating_seconds: if one copy made everything; `None` where the speed is not known.
        start_up_seconds: until its first request.
        driver_seconds: of the one process that writes the records of all copies.
        grading_seconds: of one core; `None` where that is not known.
        record_bytes: of all its records.
        num_copies: of the model, side by side.
        fit: how it lies on the devices; `None` where its architecture is not known.
    """

    model: str
    lengths: str
    speed: str
    settings: tuple[SettingPlan, ...]
    generating_seconds: float | None
    start_up_seconds: float
    driver_seconds: float
    grading_seconds: float | None
    record_bytes: float
    num_copies: int
    fit: Fit | None

    @property
    def tokens(self) -> Tokens:
        """Of all settings."""
        return sum((each.tokens for each in self.settings), Tokens())

    @property
    def seconds(self) -> float | None:
        """From loading the model to its last record; grading goes on beside it."""
        if self.generating_seconds is None or not self.num_copies:
            return None
        cores = os.cpu_count() or 1
        stages = (self.generating_seconds / self.num_copies, self.driver_seconds, (self.grading_seconds or 0.0) / cores)
        return self.start_up_seconds + max(stages)


@dataclass(frozen=True)
class SweepPlan:
    """What a sweep comes to.

    Attributes:
        models: each by itself; they run one after the other.
        device, num_devices: what it runs on.
        num_problems, samples: what is asked.
        notes: what was assumed.
    """

    models: tuple[ModelPlan, ...]
    device: Device
    num_devices: int
    num_problems: int
    samples: int
    notes: tuple[str, ...]

    @property
    def tokens(self) -> Tokens:
        """Of all models."""
        return sum((model.tokens for model in self.models), Tokens())

    @property
    def seconds(self) -> float | None:
        """From begin to end; `None` where the speed of a model is not known."""
        each = [model.seconds for model in self.models]
        return None if None in each else sum(cast(list[float], each))

    @property
    def money(self) -> float | None:
        """Dollars for all devices; `None` where seconds or price are not known."""
        return money_of(self.seconds, self.device, self.num_devices)

    @cached_property
    def growth(self) -> tuple[Growth, ...]:
        """What other numbers of problems and of copies come to; empty where the speed is not known."""
        seconds = [model.generating_seconds for model in self.models]
        gradings = [model.grading_seconds for model in self.models]
        if None in seconds:
            return ()
        devices_each = max((model.fit.tensor_parallel or 1) if model.fit else 1 for model in self.models)
        price = self.device.price_per_hour
        load = Load(
            records=self.tokens.records / self.num_problems,
            tokens=self.tokens.generated / self.num_problems,
            generating_seconds=sum(cast(list[float], seconds)) / self.num_problems,
            grading_seconds=None if None in gradings else sum(cast(list[float], gradings)) / self.num_problems,
            driver_seconds=sum(model.driver_seconds for model in self.models) / self.num_problems,
            record_bytes=sum(model.record_bytes for model in self.models) / self.num_problems,
            price_per_second=None if price is None else devices_each * price / 3600,
        )
        return tuple(growth(load))

    def to_dict(self) -> dict[str, Any]:
        """For JSON: tokens rounded to whole ones."""
        return {
            "models": [_model_as_dict(model) for model in self.models],
            "tokens": _rounded(self.tokens),
            "seconds": self.seconds,
            "money": self.money,
            "device": asdict(self.device),
            "num_devices": self.num_devices,
            "num_problems": self.num_problems,
            "samples": self.samples,
            "growth": [asdict(row) for row in self.growth],
            "notes": list(self.notes),
        }


def _model_as_dict(model: ModelPlan) -> dict[str, Any]:
    plain = {name: getattr(model, name) for name in ("model", "lengths", "speed", "num_copies", "seconds")}
    parts = ("generating_seconds", "start_up_seconds", "driver_seconds", "grading_seconds", "record_bytes")
    rows = [
        {"setting": str(each.setting), **_rounded(each.tokens), "seconds": each.seconds, "money": each.money}
        for each in model.settings
    ]
    fit = None if model.fit is None else asdict(model.fit)
    return {**plain, **{name: getattr(model, name) for name in parts}, "fit": fit, "settings": rows}


def _rounded(tokens: Tokens) -> dict[str, int]:
    return {f"num_{name}": round(value) for name, value in {**asdict(tokens), "generated": tokens.generated}.items()}


def money_of(seconds: float | None, device: Device, num_devices: float) -> float | None:
    """Dollars for devices over so many seconds; `None` where either is not known."""
    price = device.price_per_hour
    return None if seconds is None or price is None else seconds * num_devices * price / 3600
