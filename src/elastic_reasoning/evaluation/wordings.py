"""Texts that are forced before a close, tried against each other: a sweep for each, with the same problems and seeds.

runs = try_wordings(config, ["So, in short:", "{left} tokens are left."], sweep)
choose_wording(runs, held_out=True)
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256

from elastic_reasoning.analysis.wordings import NO_TEXT
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.core.strategies import names_of
from elastic_reasoning.evaluation.config import SweepConfig, settings
from elastic_reasoning.records.columns import Records
from elastic_reasoning.records.log import read_records

WRAP_UP = "wrap_up"


def try_wordings(
    config: SweepConfig, wordings: Sequence[str], sweep: Callable[[SweepConfig], object]
) -> dict[str, Records]:
    """Measure one setting with each text, and without any.

    Args:
        config: of one model, one strategy and one budget; each text has a folder of its own in `out`.
        wordings: texts.
        sweep: runs a configuration to its end; one that is done already costs nothing.

    Returns:
        The records of each text, those of no text first.

    Raises:
        UsageError: it is more than one setting, or a strategy that forces no such text.
    """
    if len(config.models) != 1 or len(settings(config)) != 1:
        raise UsageError("wordings are tried on one model under one budget: give --model and --budget")
    (strategy,) = config.strategies
    if strategy not in (having := names_of(lambda each: WRAP_UP in each.supported_options)):
        raise UsageError(f"strategy {strategy!r} forces no text before a close: use {' or '.join(having)}")
    runs = {}
    for text in dict.fromkeys((NO_TEXT, *wordings)):
        options = {**config.options, WRAP_UP: text}
        one = replace(config, options=options, out=f"{config.out.rstrip('/')}/{_name(text)}")
        sweep(one)
        runs[text] = Records.of(read_records(one.out)[1])
    return runs


def _name(text: str) -> str:
    """The folder of a text, which it has to itself whatever the others are."""
    return f"wording-{sha256(text.encode(errors='backslashreplace')).hexdigest()[:12]}" if text else "no-wording"
