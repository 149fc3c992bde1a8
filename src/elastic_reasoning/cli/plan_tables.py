"""What `elastic plan` prints."""

from collections.abc import Iterator

from rich.table import Table

from elastic_reasoning.cli.console import table_console
from elastic_reasoning.cli.output import say
from elastic_reasoning.planning.fit import Fit
from elastic_reasoning.planning.growth import CORES_PER_COPY, Growth
from elastic_reasoning.planning.hardware import Device
from elastic_reasoning.planning.sweep_plan import ModelPlan, SweepPlan
from elastic_reasoning.planning.trainings import TrainingPlan

LARGE = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
PERIODS = ((365.25 * 86400, "years"), (86400, "days"), (3600, "h"), (60, "min"))
NOT_KNOWN = "-"


def show_sweep(plan: SweepPlan) -> None:
    """Print a plan: a table of settings, what it comes to in all, and how that grows."""
    console = table_console()
    table = Table(*_HEADS, box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for model in plan.models:
        for row in _setting_rows(model):
            table.add_row(*row)
    console.print(table)
    for model in plan.models:
        say("")
        for line in _model_lines(model, plan.device):
            say(line)
    say("")
    say(_in_all(plan))
    if plan.growth:
        say("")
        console.print(growth_table(plan.growth))
        say(f"grading beside each copy on {CORES_PER_COPY} cores; one driver hands out the work and writes the records")


_HEADS = ("setting", "records", "sampled", "reused", "forced", "prompt", "seconds", "$")


def _setting_rows(model: ModelPlan) -> Iterator[tuple[str, ...]]:
    for each in model.settings:
        tokens = each.tokens
        counted = (tokens.records, tokens.sampled, tokens.reused, tokens.forced, tokens.prompt)
        money = NOT_KNOWN if each.money is None else in_dollars(each.money)
        yield str(each.setting), *(in_thousands(num) for num in counted), in_time(each.seconds), money


def _model_lines(model: ModelPlan, device: Device) -> Iterator[str]:
    yield f"{model.model}: lengths {model.lengths}; speed {model.speed}"
    if model.fit is not None:
        yield f"  memory: {in_memory(model.fit, device)}"
    if model.tokens.errors:
        yield f"  {in_thousands(model.tokens.errors)} requests cannot be run: they do not fit the context"


def _in_all(plan: SweepPlan) -> str:
    tokens = plan.tokens
    parts = [
        f"in all: {in_thousands(tokens.records)} records, {in_thousands(tokens.generated)} tokens generated of "
        f"{in_thousands(tokens.sampled)} sampled",
        f"{in_thousands(sum(model.record_bytes for model in plan.models))}B of records",
        in_time(plan.seconds) if plan.seconds is not None else "seconds not known",
        f"on {plan.num_devices} x {plan.device.name}",
        *([f"${in_dollars(plan.money)}"] if plan.money is not None else []),
    ]
    return ", ".join(parts)


def show_training(plan: TrainingPlan) -> None:
    """Print what a training comes to, a line for each part."""
    rollouts = plan.rollouts
    say(f"{plan.model}: {plan.steps:,} steps, {in_thousands(rollouts.records)} rollouts; lengths {plan.lengths}")
    say(
        f"  rollouts: {in_thousands(rollouts.generated)} tokens generated of {in_thousands(rollouts.sampled)} sampled, "
        f"{in_thousands(rollouts.forced)} forced, {in_thousands(rollouts.prompt)} of prompts"
    )
    say(f"  learnt from: sequences of {in_thousands(plan.trained)} tokens in all")
    parts = [("generating", plan.generating_seconds), ("optimising", plan.optimising_seconds)]
    told = ", ".join(f"{name} {in_time(seconds)}" for name, seconds in parts if seconds is not None)
    say(f"  time: {in_time(plan.seconds)}{f' ({told})' if told else ''}; speed {plan.speed}")
    for layout, memory in plan.memory.items():
        peak = max(memory.optimising, memory.generating)
        capacity = plan.device.memory
        fits = "" if capacity is None else ", fits" if peak <= capacity else f", more than {plan.device.name} has"
        say(
            f"  memory of a device, {layout}: {in_thousands(memory.optimising)}B optimising, "
            f"{in_thousands(memory.generating)}B generating{fits}"
        )
    money = "" if plan.money is None else f", ${in_dollars(plan.money)}"
    say(f"in all: {in_time(plan.seconds)} on {plan.num_devices} x {plan.device.name}{money}")


def in_memory(fit: Fit, device: Device) -> str:
    """How a model lies on devices, in words."""
    sizes = f"weights {in_thousands(fit.weights)}B, cache {in_thousands(fit.cache_per_token)}B a token"
    if fit.tensor_parallel is None:
        return f"{sizes}; does not fit on {device.name}"
    one_or_more = "copy" if fit.num_copies == 1 else "copies"
    each = "" if fit.tensor_parallel == 1 else f" (weights {in_thousands(fit.weights_each or 0)}B on each)"
    copies = f"{fit.num_copies} {one_or_more} over {fit.tensor_parallel} of {device.name} each{each}"
    rows = f"{fit.rows} rows at once take {in_thousands(fit.cache)}B"
    share = "" if fit.share is None else f", {fit.share:.0%} of the memory in all"
    return f"{sizes}; {copies}; {rows}{share}"


def growth_table(rows: tuple[Growth, ...]) -> Table:
    """How cost grows with problems and copies of the model."""
    table = Table(
        "problems", "copies", "records", "tokens", "bytes", "time", "$", "waits for", box=None, pad_edge=False
    )
    for column in table.columns[:-1]:
        column.justify = "right"
    for row in rows:
        table.add_row(
            in_thousands(row.problems),
            f"{row.copies:,}",
            in_thousands(row.records),
            in_thousands(row.tokens),
            f"{in_thousands(row.record_bytes)}B",
            in_time(row.seconds),
            NOT_KNOWN if row.money is None else in_dollars(row.money),
            row.waits_for,
        )
    return table


def in_thousands(value: float) -> str:
    """A number with three digits and the letter of its thousands."""
    for size, letter in LARGE:
        if value >= size:
            return f"{value / size:.3g}{letter}" if value < 999.5 * size else f"{value / size:,.0f}{letter}"
    return f"{value:.0f}"


def in_time(seconds: float | None) -> str:
    """Seconds in the unit that suits them."""
    if seconds is None:
        return NOT_KNOWN
    for size, unit in PERIODS:
        if seconds >= 2 * size:
            return f"{seconds / size:,.3g} {unit}" if seconds < 1000 * size else f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.3g} s"


def in_dollars(money: float) -> str:
    """Dollars, with cents where they matter."""
    return f"{money:,.0f}" if money >= 1000 else f"{money:.2f}" if money >= 0.1 else f"{money:.2g}"
