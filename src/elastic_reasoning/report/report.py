"""A report: figures, page and summary of a folder of records, and of nothing else.

    paths = write_report(Path("runs/sweep"), Path("runs/sweep/report"), trained_at="24+20")
    paths["page"]       # runs/sweep/report/report.html

The same records give the same files, so that every published number can be computed again.
"""

import json
from dataclasses import asdict
from pathlib import Path

from elastic_reasoning.errors import RecordsError
from elastic_reasoning.evaluation.manifest import Manifest
from elastic_reasoning.evaluation.metrics import generated_tokens, summarise
from elastic_reasoning.evaluation.records import Record, read_records
from elastic_reasoning.report.figures import accuracy_figure, save_figure
from elastic_reasoning.report.page import render_page


def write_report(
    folder: Path, out: Path, title: str = "", max_problems: int = 100, trained_at: str = ""
) -> dict[str, Path]:
    """Read a folder of records and write report.html, accuracy.png, accuracy.svg and summary.json.

    Args:
        folder: what a sweep wrote.
        out: where to; it is made where it does not exist.
        title: heading of page and figure.
        max_problems: how many problems the page's browser of traces holds at the most.
        trained_at: a budget to mark as the one that training saw.

    Returns:
        Paths by name: "page", "png", "svg" and "summary".

    Raises:
        RecordsError: the folder cannot be read or has no records, or `out` cannot be written.
    """
    manifest, records = read_records(folder)
    if not records:
        raise RecordsError(f"{folder} has no records yet: run the sweep again, it goes on where it stopped")
    figure = accuracy_figure(summarise(records), title=title, trained_at=trained_at)
    page = render_page(manifest, records, title, max_problems, trained_at=trained_at)
    paths = {"page": out / "report.html", "summary": out / "summary.json"}
    try:
        out.mkdir(parents=True, exist_ok=True)
        paths["png"], paths["svg"] = save_figure(figure, out / "accuracy")
        paths["page"].write_text(page, encoding="utf-8")
        paths["summary"].write_text(summary_json(manifest, records), encoding="utf-8")
    except OSError as error:
        raise RecordsError(f"cannot write {out}: {error.strerror}; pass a folder that can be written") from None
    return paths


def summary_json(manifest: Manifest, records: list[Record]) -> str:
    """Every number of the report: what was run, one object for each setting, tokens sampled and really generated."""
    num_sampled, num_generated = generated_tokens(records)
    run = {name: value for name, value in asdict(manifest).items() if name != "problems"}
    rows = [asdict(row) for row in summarise(records)]
    tokens = {"num_sampled_tokens": num_sampled, "num_generated_tokens": num_generated}
    return json.dumps({"run": run, **tokens, "rows": rows}, indent=2, ensure_ascii=False) + "\n"
