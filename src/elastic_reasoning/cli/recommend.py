"""`elastic recommend`: the best budget for a total, the cheapest for an accuracy, or for efforts, from records; or the
best of several wordings to force before a close, by trying them."""

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from msgspec import to_builtins

from elastic_reasoning.analysis.calibrate import SHARES, calibrate
from elastic_reasoning.analysis.candidates import total_of
from elastic_reasoning.analysis.effort import ModelEfforts, save_efforts
from elastic_reasoning.analysis.recommend import Recommendation, recommend
from elastic_reasoning.cli.command import parse
from elastic_reasoning.cli.options import FLAG
from elastic_reasoning.cli.output import say, say_json
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.core.request import DEFAULT_STRATEGY
from elastic_reasoning.evaluation.config import RunConfig, SweepConfig
from elastic_reasoning.records.log import read_records
from elastic_reasoning.records.storage import fetched


@dataclass(frozen=True)
class RecommendConfig:
    """What is asked of the records."""

    records: str = ""
    """Folder that a sweep has written; the first argument may stand for it."""
    total: int | None = None
    """Tokens of thinking and solution together that may be spent."""
    accuracy: float | None = None
    """Share of correct answers that is wanted, as 0.4; instead of a total."""
    save: str = ""
    """File for what low, medium and high effort mean for each model, as budgets.yaml; instead of a total."""
    shares: dict[str, float] = field(default_factory=lambda: dict(SHARES))
    """Percent of the best accuracy that each effort keeps, of those that are saved."""
    model: str = ""
    """Which model, where the records are of several; the one that wordings are tried on."""
    strategy: str = DEFAULT_STRATEGY
    """Which strategy: one whose budget is a bound."""
    wrap_up: tuple[str, ...] = ()
    """A text to force before a close; given once for each. They are tried against each other and against none, instead
    of a look at records. {budget}, {used} and {left} in it stand for tokens.
    """
    budget: str = ""
    """Tokens of thinking and solution that wordings are tried under, as 24+20."""
    sweep: RunConfig = field(default_factory=lambda: RunConfig(out="runs/wordings"))
    """What wordings are tried on."""
    json: bool = False
    """Print JSON."""


EXAMPLE = """
elastic recommend runs/sweep --total 44 --model mini-e1
elastic recommend runs/sweep --accuracy 0.5 --model mini-e1
elastic recommend runs/sweep --save budgets.yaml
elastic recommend runs/sweep --save budgets.yaml --shares '{low: 80, high: 99}'
elastic recommend --wrap-up "so ok" --wrap-up "{left} so" --model mini --budget 16+20 --sweep.limit 128
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    config = parse(
        RecommendConfig,
        _with_wordings_together(argv),
        command="recommend",
        about="Name the best thinking and solution budget for a total of tokens, or the cheapest for an accuracy; "
        "or save the cheapest that keep 90, 97 and 99.5 % of the best accuracy as low, medium and high effort. "
        "With --wrap-up, ask the model, and try wordings against each other. It is chosen on one half of the problems "
        "and measured on the other; on a validation split, on all.",
        example=EXAMPLE,
        positional="records",
    )
    if config.wrap_up:
        return _try_wordings(config, shlex.join(["elastic", "recommend", *argv]))
    if config.budget:
        raise UsageError("--budget is what wordings are tried under: add --wrap-up 'So, in short:', or leave it out")
    if not config.records:
        raise UsageError("no folder of records: elastic recommend runs/sweep --total 44")
    if config.save:
        return _save(config)
    if config.shares != SHARES:
        raise UsageError("--shares says what --save keeps: add --save budgets.yaml")
    run = read_records(config.records)
    choice = recommend(run, config.total, config.accuracy, config.model, config.strategy)
    if config.json:
        say_json(choice.to_dict(), indent=2)
    else:
        say(in_words(choice))
    return 0


def _with_wordings_together(argv: Sequence[str]) -> list[str]:
    """The arguments with one list of wordings, each of which is given for itself, commas and all."""
    others: list[str] = []
    wordings: list[str] = []
    waiting = list(argv)
    while waiting:
        part = waiting.pop(0)
        flag, equals, text = part.partition("=")
        has_text = equals or (waiting and not FLAG.match(waiting[0]))
        if flag.replace("_", "-") != "--wrap-up" or not has_text:
            others.append(part)
        else:
            wordings.append(text if equals else waiting.pop(0))
    return [*others, *(["--wrap_up", json.dumps(wordings)] if wordings else [])]


def _try_wordings(config: RecommendConfig, command: str) -> int:
    """Sweep once for each wording, and name the best."""
    from elastic_reasoning.cli.wordings import try_and_tell

    if config.records or config.save or config.total is not None or config.accuracy is not None:
        raise UsageError("wordings are tried, not read from records: leave out the folder, --total, --accuracy, --save")
    if not (config.model and config.budget):
        raise UsageError("wordings are tried on one model under one budget: give --model and --budget, as 24+20")
    if not all(config.wrap_up):
        raise UsageError("--wrap-up '': no text at all is tried in any case; leave it out")
    run = {each.name: getattr(config.sweep, each.name) for each in fields(RunConfig)}
    asked = SweepConfig(**run, models=(config.model,), strategies=(config.strategy,), budgets=(config.budget,))
    try_and_tell(asked, config.wrap_up, config.json, command)
    return 0


def _save(config: RecommendConfig) -> int:
    """Efforts of every model, or of the one that is named, into the file."""
    if config.total is not None or config.accuracy is not None:
        raise UsageError("--save keeps the budgets of all efforts: leave out --total and --accuracy, or --save")
    folder = fetched(config.records)
    manifest, records = read_records(folder)
    models = [config.model] if config.model else list(dict.fromkeys(each.model for each in records.settings))
    found = {
        model: calibrate((manifest, records), config.shares, model, config.strategy, folder.resolve().name)
        for model in models
    }
    save_efforts(Path(config.save), found)
    if config.json:
        say_json(to_builtins(found), indent=2)
    else:
        say("\n".join([*(line for model in found for line in _effort_lines(model, found[model])), _saved(config.save)]))
    return 0


def _saved(path: str) -> str:
    return f"saved to {path}; elastic serve --budgets {path} uses it"


def _effort_lines(model: str, efforts: ModelEfforts) -> Iterator[str]:
    """What efforts mean for a model, a line each."""
    best, source = efforts.best, efforts.source
    if best and source:
        where = "held-out" if source.held_out else "validation"
        yield (
            f"{model}/{efforts.strategy}: best is {best.budget}, {100 * best.accuracy:.1f}% right on "
            f"{source.num_measured_on} {where} problems"
            + (", the largest that was measured: a larger one may be better" if best.is_largest else "")
        )
    for name, effort in efforts.efforts.items():
        if known := effort.measured:
            low, high = (100 * bound for bound in known.share_interval)
            sure = "kept" if known.is_kept else "missed" if known.is_missed else "not sure: more problems would tell"
            yield (
                f"  {name}: {effort.budget}, {known.mean_tokens:.1f} sampled on average, {100 * known.accuracy:.1f}% "
                f"right, {100 * known.share_of_best:.1f}% of the best ({low:.1f} to {high:.1f}, "
                f"{100 * known.wanted_share_of_best:g} wanted: {sure})"
            )


def in_words(choice: Recommendation) -> str:
    """The recommendation as a few lines."""
    low, high = (100 * bound for bound in choice.interval)
    where = (
        f"on {choice.num_measured_on} held-out problems ({100 * choice.accuracy_chosen_on:.1f}% on the "
        f"{choice.num_chosen_on} that it was chosen on)"
        if choice.held_out
        else f"on the {choice.num_measured_on} validation problems that it was chosen on; measure it on the test split"
    )
    probes = " (probes are beyond the budget)" if choice.total_tokens > total_of(choice.budget) else ""
    lines = [
        f"{choice.setting}: {choice.total_tokens} tokens in all{probes}, "
        f"{choice.mean_total_tokens:.1f} sampled on average",
        f"accuracy {100 * choice.accuracy:.1f} ± {100 * choice.accuracy_se:.1f}%, "
        f"95% interval {low:.1f} to {high:.1f}%, {where}",
    ]
    if choice.runner_up is None:
        lines.append("it was the only budget that fits")
    else:
        se = "" if choice.difference_se is None else f" ± {100 * choice.difference_se:.1f}"
        lines.append(
            f"first of {choice.num_candidates} budgets that fit; the next is {choice.runner_up} with "
            f"{100 * (choice.runner_up_accuracy or 0):.1f}%, a difference of "
            f"{100 * (choice.difference or 0):+.1f}{se} points"
        )
    return "\n".join([*lines, _how_sure(choice)])


def _how_sure(choice: Recommendation) -> str:
    if choice.wanted_accuracy is not None:
        wanted = f"of the interval reaches {100 * choice.wanted_accuracy:g}%"
        return (
            f"all {wanted}" if choice.clear else f"not all {wanted}: a larger budget, or more problems, would be surer"
        )
    return "the choice is clear" if choice.clear else "the choice is not clear: more problems would tell"
