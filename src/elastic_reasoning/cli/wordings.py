"""What `elastic recommend --wrap-up` does: tries texts that are forced before a close, and tells how each did."""

from collections.abc import Iterator, Sequence

from elastic_reasoning.analysis.wordings import WordingChoice, choose_wording
from elastic_reasoning.cli.output import say, say_json
from elastic_reasoning.cli.sweep import run_with_progress
from elastic_reasoning.evaluation.config import SweepConfig
from elastic_reasoning.evaluation.wordings import try_wordings
from elastic_reasoning.report.pairs import p_text, points


def try_and_tell(config: SweepConfig, wordings: Sequence[str], as_json: bool, command: str) -> None:
    """Sweep once for each wording and once without, and print which to take.

    Args:
        config: of one model, one strategy and one budget.
        wordings: texts.
        as_json: print JSON.
        command: what was typed, for whoever breaks it off.
    """
    runs = try_wordings(config, wordings, lambda one: run_with_progress(one, command))
    choice = choose_wording(runs, held_out=config.split != "validation")
    if as_json:
        say_json(choice.to_dict(), indent=2)
    else:
        say("\n".join(in_words(choice)))


def in_words(choice: WordingChoice) -> Iterator[str]:
    """How each wording did, a line each, and which to take."""
    plain = choice.wordings[0].pair
    yield f"{100 * plain.accuracy_a:5.1f}% right without any text, on {plain.num_problems} problems"
    for each in choice.wordings:
        gain = points(each.pair.difference, each.pair.se)
        yield f"{100 * each.pair.accuracy_b:5.1f}% right, {gain} points, p {p_text(each.pair.p_holm)}: {each.text!r}"
    yield "differences are paired; p is corrected for all texts"
    where = f"on the {choice.num_chosen_on} problems to choose on"
    if choice.difference is None:
        yield f"no text is the best {where}"
        return
    sure = "which is clear" if choice.clear else "which is not clear: more problems would tell"
    measured = f"on the {choice.num_measured_on} {'others' if choice.held_out else 'problems, which are the same'}"
    yield f"{choice.best!r} is the best {where}"
    yield f"{measured} it gains {points(choice.difference, choice.se)} points, {sure}"
