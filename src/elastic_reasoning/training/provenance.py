"""What a model was trained for, beside its weights: `elastic.json` in the model's folder.

about = read_trained_for(Path("runs/e1/model"))
about.strategies, about.budgets        # (("elastic",), ("24+20",)); about is None where there is no such file
"""

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.errors import BudgetError, TrainingError
from elastic_reasoning.core.strategies import find_strategy
from elastic_reasoning.engines.names import model_path
from elastic_reasoning.records.files import write_atomically
from elastic_reasoning.training.config import TrainConfig
from elastic_reasoning.untrusted.json import decode

FILE = "elastic.json"


@dataclass(frozen=True, slots=True)
class TrainedFor:
    """What a model was trained for.

    Attributes:
        strategies: how rollouts spent their budgets.
        plan: how many budgets the run knew: fixed, random, curriculum, anytime or serial.
        budgets: thinking and solution tokens, as 24+20.
        options: what the strategies were told beyond the budget, where it was not the default.
        chat_template_kwargs: arguments of the chat template that prompts were made with.
        temperature: of rollouts and of the loss.
        task: what was asked; a file of one's own by its name alone.
        model: what training started from; a local folder by its name alone.
        step: the step that was selected.
        accuracy: at that step, on the validation problems it was selected by.
    """

    strategies: Annotated[tuple[str, ...], Meta(min_length=1)]
    plan: str
    budgets: Annotated[tuple[str, ...], Meta(min_length=1)]
    temperature: float
    task: str
    model: str
    step: int
    accuracy: float
    options: dict[str, Any] = field(default_factory=dict)
    chat_template_kwargs: dict[str, Any] = field(default_factory=dict)


def trained_for(config: TrainConfig, step: int, accuracy: float) -> TrainedFor:
    """What the model of a run's step was trained for."""
    rollouts = config.rollouts
    options = [find_strategy(name).restrict(rollouts.options) for name in rollouts.strategies]
    return TrainedFor(
        strategies=tuple(rollouts.strategies),
        plan=rollouts.plan,
        budgets=tuple(rollouts.budgets),
        temperature=rollouts.temperature,
        task=public_name(config.task.name),
        model=public_name(config.model),
        step=step,
        accuracy=accuracy,
        chat_template_kwargs=dict(config.chat.chat_template_kwargs),
        options={name: value for each in options for name, value in each.items()},
    )


def public_name(name: str) -> str:
    """A hub name or the name of a task as it is; of a path on this machine, the last part alone.

    The folder `model` of a run goes by the name of the run.
    """
    local = Path(name).exists() or name.count("/") > 1 or name[:1] in ("/", ".", "~")
    parts = Path(name).resolve().parts
    return parts[-2 if parts[-1] == "model" else -1] if local else name


def write_trained_for(folder: Path, about: TrainedFor) -> None:
    """Write the file into a model's folder."""
    write_atomically(folder / FILE, json.dumps(asdict(about), indent=2) + "\n")


def read_trained_for(folder: Path) -> TrainedFor | None:
    """Read the file of a model's folder; `None` where there is none.

    Raises:
        TrainingError: it is damaged.
    """
    try:
        return decode((folder / FILE).read_bytes(), TrainedFor)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is damaged"
        raise TrainingError(f"cannot read {folder / FILE}: {reason}; restore it, or delete it") from None


def budget_to_mark(models: Iterable[str]) -> str:
    """The one finite budget that models were trained for; empty where they tell of none, or of several.

    Args:
        models: by the names of `load`; one that tells nothing is passed over.
    """
    told: set[tuple[str, ...]] = set()
    for model in models:
        with suppress(TrainingError):
            about = read_trained_for(Path(model_path(model)))
            told |= {about.budgets} if about else set()
    if len(told) == 1 and len(budgets := told.pop()) == 1:
        with suppress(BudgetError):  # a range
            return "" if Budget.parse(budgets[0]).total is None else budgets[0]
    return ""
