"""`elastic report`: table, figures and a page of traces from records."""

from dataclasses import dataclass
from pathlib import Path

from elastic_reasoning.cli.command import parse
from elastic_reasoning.cli.output import say
from elastic_reasoning.cli.sweep import show_results
from elastic_reasoning.core.errors import UsageError
from elastic_reasoning.records.storage import fetched, is_url
from elastic_reasoning.training.provenance import budget_to_mark


@dataclass(frozen=True)
class ReportConfig:
    """What to report on."""

    records: str = ""
    """Folder that a sweep has written; the first argument may stand for it."""
    out: str = ""
    """Folder for report.html, the figures as PNG and SVG, results.csv, yardsticks.csv, equal_tokens.csv, results.tex
    and summary.json; "report" in the records' folder if empty.
    """
    title: str = ""
    """Heading of the page and the figures."""
    trained_at: str = ""
    """A budget to mark as the one that training saw, as 24+20; if empty, the one that the models of the records
    were trained for, where their folders tell (elastic.json).
    """
    published: bool = True
    """Lay what papers print for the task over accuracy against tokens used."""
    max_problems: int = 100
    """Problems whose traces the page holds at the most."""
    json: bool = False
    """Print the table as JSON."""


EXAMPLE = """
elastic report runs/sweep
elastic report runs/sweep --out report --title "E1 against S1" --trained_at 24+20 --published false
"""


def main(argv: list[str]) -> int:
    """Run the command."""
    config = parse(
        ReportConfig,
        argv,
        command="report",
        about="Make the table, the figures, the exports and the page of traces again from records.",
        example=EXAMPLE,
        positional="records",
    )
    if not config.records:
        raise UsageError("no folder of records: elastic report runs/sweep")
    if config.max_problems < 0:
        raise UsageError(f"max_problems {config.max_problems}: must be 0 or more")
    if is_url(config.records) and not config.out:
        raise UsageError(f"out is empty: give a folder of this machine for the report of {config.records}")
    folder = fetched(config.records)
    out = Path(config.out) if config.out else folder / "report"
    from elastic_reasoning.report.results import Results

    results = Results.read(folder)
    show_results(folder, results, config.json)
    trained_at = config.trained_at or budget_to_mark(results.manifest.config.get("models", ()))
    from elastic_reasoning.report.report import write_results

    paths = write_results(results, out, config.title, config.max_problems, trained_at, config.published)
    if not config.json:
        say(f"page: {paths['page']}   figure: {paths['png']}")
    return 0
