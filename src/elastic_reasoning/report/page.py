"""Records as one HTML file that needs nothing else: figure, table, and a browser of traces.

    html = render_page(manifest, records, max_problems=100)
    (folder / "report.html").write_text(html, encoding="utf-8")

The file makes no request of any kind and says so to the browser (Content-Security-Policy). What models wrote is
data: it travels as JSON in which `<`, `>` and `&` are escaped, and the script shows it as text, never as HTML.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from elastic_reasoning.budget import Budget
from elastic_reasoning.evaluation.manifest import Asked, Manifest
from elastic_reasoning.evaluation.metrics import Row, generated_tokens, summarise
from elastic_reasoning.evaluation.records import Record
from elastic_reasoning.report.figures import NAMES, curves
from elastic_reasoning.report.table import columns_of
from elastic_reasoning.strategies import heeded

MAX_BYTES = 3_000_000
"""An upper bound on the size of the traces, at which fewer problems are held. The page says how many it leaves out."""
FLAGS = ("budget_hit", "forced_close", "solution_cut", "escaped")
TRACE = (
    *("setting", "sample", "correct", "answer", "reason", "error"),
    *("num_thinking", "num_solution", "num_forced", "flags", "parts"),
)
PART = ("phase", "sampled", "finish", "num", "text", "length")


@dataclass(frozen=True, slots=True)
class Embedded:
    """The traces that a page holds.

    Attributes:
        problems: plain data, one object for each problem; strings that traces share are stored once.
        num_left_out: problems with records that it does not hold.
    """

    problems: list[dict[str, Any]]
    num_left_out: int


def render_page(
    manifest: Manifest,
    records: Sequence[Record],
    title: str = "",
    max_problems: int = 100,
    trained_at: str = "",
) -> str:
    """The page as HTML.

    Args:
        manifest, records: what `read_records` gave.
        title: heading; the task and the models where it is empty.
        max_problems: how many problems the browser of traces holds, the first ones of the manifest.
        trained_at: a budget to mark in the figure as the one that training saw.
    """
    rows = summarise(records)
    settings = [(row.model, row.strategy, row.budget) for row in rows]
    embedded = embed(manifest.problems, records, settings, max_problems)
    data = {
        "settings": [_setting(*setting) for setting in settings],
        "trace": TRACE,
        "part": PART,
        "flags": FLAGS,
        "problems": embedded.problems,
        "curves": _curves(rows),
        "names": NAMES,
        "trained_at": Budget.parse(trained_at).total if trained_at else None,
        "trained_text": trained_at,
    }
    models = list(dict.fromkeys(row.model for row in rows))
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_source("page.html")).render(
        title=title or f"{manifest.task}: {', '.join(models)}",
        manifest=manifest,
        config=json.dumps(manifest.config, indent=2, ensure_ascii=False),
        models=models,
        rows=rows,
        columns=columns_of(rows),
        names=NAMES,
        num_records=len(records),
        tokens=generated_tokens(records),
        embedded=embedded,
        data=Markup(script_json(data)),
        styles=Markup(_source("page.css")),
        scripts=[Markup(_source(name)) for name in ("chart.js", "page.js")],
    )


def _source(name: str) -> str:
    return files("elastic_reasoning.report").joinpath(name).read_text(encoding="utf-8")


def script_json(data: Any) -> str:
    """JSON that can stand in a script element, whatever text it holds."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    text = text.encode("utf-8", "backslashreplace").decode()  # a lone surrogate becomes its JSON escape
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _setting(model: str, strategy: str, budget: str) -> dict[str, Any]:
    """A setting with what its budget bounds: both phases apart, their total, or nothing that a record tells."""
    parsed, bounds = heeded(strategy, Budget.parse(budget))
    return {
        "model": model,
        "strategy": strategy,
        "budget": budget,
        "thinking": parsed.thinking if bounds == "separate" else None,
        "solution": parsed.solution if bounds == "separate" else None,
        "total": parsed.total if bounds == "total" else None,
        "asked": parsed.total if bounds == "asked" else None,
    }


def _curves(rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [
        {
            "model": curve.model,
            "strategy": curve.strategy,
            "label": curve.label,
            "line": [[p.x, p.accuracy, p.se, p.budget] for p in curve.line],
            "stars": [[p.x, p.accuracy, p.se, p.budget] for p in curve.stars],
        }
        for curve in curves(rows)
    ]


def embed(
    asked: Sequence[Asked],
    records: Sequence[Record],
    settings: Sequence[tuple[str, str, str]],
    max_problems: int,
) -> Embedded:
    """The first problems that have records, as many as fit; one is held however long it is."""
    index = {setting: number for number, setting in enumerate(settings)}
    by_problem: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_problem[record.problem].append(record)
    problems: list[dict[str, Any]] = []
    left = MAX_BYTES
    for problem in asked:
        if problem["id"] not in by_problem:
            continue
        if len(problems) == max_problems:
            break
        data = _problem(problem, by_problem[problem["id"]], index)
        left -= len(script_json(data).encode())
        if problems and left < 0:
            break
        problems.append(data)
    return Embedded(problems, len(by_problem) - len(problems))


def _problem(asked: Asked, records: Sequence[Record], index: Mapping[tuple[str, str, str], int]) -> dict[str, Any]:
    texts, place = share_beginnings([part["text"] for record in records for part in record.segments])
    traces = [
        [
            index[record.model, record.strategy, record.budget],
            record.sample,
            record.correct,
            record.answer,
            record.reason,
            record.error,
            record.num_thinking_tokens,
            record.num_solution_tokens,
            record.num_forced_tokens,
            sum(getattr(record, flag) << bit for bit, flag in enumerate(FLAGS)),
            [
                [part["phase"], part["sampled"], part["finish"], len(part["ids"]), *place[part["text"]]]
                for part in record.segments
            ],
        ]
        for record in records
    ]
    return {**asked, "texts": texts, "traces": traces}


def share_beginnings(texts: Sequence[str]) -> tuple[list[str], dict[str, tuple[int, int]]]:
    """Store a text that begins another one within it, as thinking under a smaller budget does.

    Returns:
        The strings that are left, and for each text (which string, how many UTF-16 units of its beginning).
    """
    kept: list[str] = []
    place: dict[str, tuple[int, int]] = {}
    for text in sorted(set(texts), reverse=True):  # whatever a text begins stands right before it
        if not kept or not kept[-1].startswith(text):
            kept.append(text)
        units = len(text.encode("utf-16-le", "surrogatepass")) // 2  # what JavaScript counts in
        place[text] = (len(kept) - 1, units)
    return kept, place
