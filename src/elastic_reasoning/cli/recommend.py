"""`elastic recommend`: the best budget for a total, or the cheapest for an accuracy, from records."""

from dataclasses import dataclass
from pathlib import Path

from elastic_reasoning.analysis.recommend import Recommendation, recommend
from elastic_reasoning.cli.command import parse
from elastic_reasoning.cli.output import say, say_json
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.core.request import DEFAULT_STRATEGY
from elastic_reasoning.records.log import read_records


@dataclass(frozen=True)
class RecommendConfig:
    """What is asked of the records."""

    records: str = ""
    """Folder that a sweep has written; the first argument may stand for it."""
    total: int | None = None
    """Tokens of thinking and solution together that may be spent."""
    accuracy: float | None = None
    """Share of correct answers that is wanted, as 0.4; instead of a total."""
    model: str = ""
    """Which model, where the records are of several."""
    strategy: str = DEFAULT_STRATEGY
    """Which strategy: one whose budget is a bound."""
    json: bool = False
    """Print JSON."""


EXAMPLE = """
elastic recommend runs/sweep --total 44 --model mini-e1
elastic recommend runs/sweep --accuracy 0.5 --model mini-e1
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    config = parse(
        RecommendConfig,
        argv,
        command="recommend",
        about="Name the best thinking and solution budget for a total of tokens, or the cheapest for an accuracy. "
        "It is chosen on one half of the problems and measured on the other; on a validation split, on all.",
        example=EXAMPLE,
        positional="records",
    )
    if not config.records:
        raise UsageError("no folder of records: elastic recommend runs/sweep --total 44")
    run = read_records(Path(config.records))
    choice = recommend(run, config.total, config.accuracy, config.model, config.strategy)
    if config.json:
        say_json(choice.to_dict(), indent=2)
    else:
        say(in_words(choice))
    return 0


def in_words(choice: Recommendation) -> str:
    """The recommendation as a few lines."""
    low, high = (100 * bound for bound in choice.interval)
    where = (
        f"on {choice.num_measured_on} held-out problems ({100 * choice.accuracy_chosen_on:.1f}% on the "
        f"{choice.num_chosen_on} that it was chosen on)"
        if choice.held_out
        else f"on the {choice.num_measured_on} validation problems that it was chosen on; measure it on the test split"
    )
    lines = [
        f"{choice.setting}: {choice.total_tokens} tokens in all, {choice.mean_total_tokens:.1f} sampled on average",
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
