"""A report: figures, page, tables and summary of a folder of records, and of nothing else.

    paths = write_report(Path("runs/sweep"), Path("runs/sweep/report"), trained_at="24+20")
    paths["page"]       # runs/sweep/report/report.html

The same records give the same files, so that every published number can be computed again.
"""

import json
import logging
from dataclasses import asdict
from pathlib import Path

from matplotlib.figure import Figure

from elastic_reasoning.core.errors import RecordsError
from elastic_reasoning.report.export import rows_to_csv, rows_to_latex, to_csv
from elastic_reasoning.report.figures import accuracy_figure, heat_figure, lengths_figure, save_figure
from elastic_reasoning.report.figures.heat import grids
from elastic_reasoning.report.figures.lengths import lengths
from elastic_reasoning.report.page import render_page
from elastic_reasoning.report.published import published
from elastic_reasoning.report.results import Results
from elastic_reasoning.report.yardsticks import lines_of_all

logger = logging.getLogger(__name__)


def write_report(
    folder: Path, out: Path, title: str = "", max_problems: int = 100, trained_at: str = "", overlay: bool = True
) -> dict[str, Path]:
    """Read a folder of records and write its report; see `write_results`.

    Raises:
        RecordsError: the folder cannot be read or has no records, or `out` cannot be written.
    """
    return write_results(Results.read(folder), out, title, max_problems, trained_at, overlay)


def write_results(
    results: Results, out: Path, title: str = "", max_problems: int = 100, trained_at: str = "", overlay: bool = True
) -> dict[str, Path]:
    """Write report.html, the figures, results.csv, yardsticks.csv, equal_tokens.csv, results.tex and
    summary.json.

    The figures, each as PNG and SVG: accuracy (over the total budget), tokens (over the tokens used), thinking (over
    t at a fixed s), lengths, and heat where some model was run with several t and several s.

    Args:
        results: of a folder of records.
        out: where to; it is made where it does not exist.
        title: heading of page and figures.
        max_problems: how many problems the page's browser of traces holds at the most.
        trained_at: a budget to mark as the one that training saw.
        overlay: lay over what papers print for the task.

    Returns:
        Paths by name: "page", "summary", "csv", "yardsticks", "equal_tokens", "latex", and "png" of the figure of
        accuracy.

    Raises:
        RecordsError: `out` cannot be written.
    """
    logger.info("drawing figures")
    figures = _figures(results, title, trained_at, overlay)
    texts = {
        "page": ("report.html", render_page(results, title, max_problems, trained_at, overlay)),
        "summary": ("summary.json", json.dumps(results.summary(), indent=2, ensure_ascii=False) + "\n"),
        "csv": ("results.csv", rows_to_csv(results.rows)),
        "yardsticks": ("yardsticks.csv", to_csv(lines_of_all(results.yardsticks))),
        "equal_tokens": ("equal_tokens.csv", to_csv(asdict(point) for point in results.equal_tokens)),
        "latex": ("results.tex", rows_to_latex(results.rows)),
    }
    paths = {"png": out / "accuracy.png"}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, figure in figures.items():
            save_figure(figure, out / name)
        for name, (file, text) in texts.items():
            paths[name] = out / file
            paths[name].write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise RecordsError(f"cannot write {out}: {error.strerror}; pass a folder that can be written") from None
    return paths


def _figures(results: Results, title: str, trained_at: str, overlay: bool) -> dict[str, Figure]:
    """Those that say something of these records."""
    rows, found = results.rows, grids(results.rows)
    others = published(results.manifest.task) if overlay else ()
    figures = {
        "accuracy": accuracy_figure(rows, title, trained_at),
        "tokens": accuracy_figure(rows, title, over="used", others=others),
        "thinking": accuracy_figure(rows, title, trained_at, over="thinking"),
        "heat": heat_figure(found, title) if found else None,
        "lengths": lengths_figure(lengths(results.records), title),
    }
    return {name: figure for name, figure in figures.items() if figure is not None}
