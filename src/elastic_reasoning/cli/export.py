"""`elastic export`: a finished training run as a folder that others can use."""

from dataclasses import dataclass
from pathlib import Path

from elastic_reasoning.cli.command import parse
from elastic_reasoning.cli.output import say, say_json
from elastic_reasoning.core.errors import UsageError


@dataclass(frozen=True)
class ExportConfig:
    """What is exported, and where to."""

    run: str = ""
    """Folder that elastic train has written; the first argument may stand for it."""
    out: str = ""
    """Folder for the model and its card; it must not exist, or be empty."""
    records: str = ""
    """Folder of a sweep of this model, whose accuracies go into the card."""
    upload: str = ""
    """Repository on the hub, as owner/name, that the folder is uploaded to; nowhere if empty."""
    json: bool = False
    """Print the result as JSON."""


EXAMPLE = """
elastic export runs/e1 --out e1-model
elastic sweep --models runs/e1/model --budgets 8+20,24+20,64+20 --limit 128 --out runs/s
elastic export runs/e1 --out e1-model --records runs/s --upload owner/e1-model
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    config = parse(
        ExportConfig,
        argv,
        command="export",
        about="Write the selected model of a training run with its card: weights, tokenizer, the budgets it was "
        "trained for, recipe, curves and accuracies.",
        example=EXAMPLE,
        positional="run",
    )
    if not config.run or not config.out:
        raise UsageError("a run and a folder for its model are needed: elastic export runs/e1 --out e1-model")
    from elastic_reasoning.training.export import check_name, exporting, read_run, upload

    out = Path(config.out)
    if config.upload:
        check_name(config.upload)
    run = read_run(Path(config.run))
    from elastic_reasoning.report.card import write_card

    with exporting(run, out) as folder:
        write_card(run, folder, config.upload or out.name, Path(config.records) if config.records else None)
    address = upload(out, config.upload) if config.upload else None
    if config.json:
        say_json({"model": str(out), "step": run.about.step, "uploaded": address})
    else:
        say(f"model and card: {out}" + (f"\nuploaded: {address}" if address else ""))
    return 0
