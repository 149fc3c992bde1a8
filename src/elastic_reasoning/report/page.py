"""Records as one HTML file that needs nothing else: figures, tables, and a browser of traces.

    html = render_page(Results.of(*read_records(folder)), max_problems=100)
    (folder / "report.html").write_text(html, encoding="utf-8")

The file makes no request of any kind and says so to the browser (Content-Security-Policy). What models wrote is
data: it travels as JSON in which `<`, `>` and `&` are escaped, and the script shows it as text, never as HTML.
"""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from elastic_reasoning.analysis.metrics import Row
from elastic_reasoning.analysis.spending import generated_tokens, seconds_of
from elastic_reasoning.core.budget import Budget
from elastic_reasoning.core.printable import printable
from elastic_reasoning.core.setting import Setting
from elastic_reasoning.core.strategies import effective
from elastic_reasoning.evaluation.differences import options_in_words
from elastic_reasoning.records.measures import MEASURES
from elastic_reasoning.report.columns import columns_of
from elastic_reasoning.report.equal_tokens import cell_text, is_certain, lines_of
from elastic_reasoning.report.figures.curves import Over, accuracy_range, curves, number_of, places_of, ticks_of
from elastic_reasoning.report.figures.heat import Grid, grids, highest
from elastic_reasoning.report.figures.lengths import Histogram, lengths
from elastic_reasoning.report.names import about_strategies, part_text, short_names
from elastic_reasoning.report.pairs import p_text, points
from elastic_reasoning.report.published import Published, published
from elastic_reasoning.report.results import Results
from elastic_reasoning.report.traces import BRANCH, FLAGS, PART, TRACE, embed, script_json
from elastic_reasoning.report.yardsticks import MEASURES as YARDSTICKS
from elastic_reasoning.report.yardsticks import TOLD, left_out, names_of

SCRIPTS = ("dom.js", "chart.js", "pair.js", "state.js", "traces.js", "start.js")
CHARTS: tuple[tuple[Over, str, str], ...] = (
    ("total", "total budget", "total token budget (thinking + solution)"),
    ("used", "tokens used", "tokens used, mean of a sample"),
    ("thinking", "thinking at a fixed s", "thinking budget t, at a fixed solution budget s"),
)
PAIR_COLUMNS = (
    ("difference", "accuracy of the right one less that of the left one, in points, ± standard error"),
    ("p", "how often a difference at least as large comes about by accident, corrected for the number of pairs"),
    ("won : lost : tied", "problems on which the right one has a higher, lower or equal share of correct samples"),
    ("tokens", "sampled tokens of the right one less those of the left one, mean of a sample"),
    ("problems", "that both have"),
)


def render_page(
    results: Results, title: str = "", max_problems: int = 100, trained_at: str = "", overlay: bool = True
) -> str:
    """The page as HTML.

    Args:
        results: the run.
        title: heading; the task and the models where it is empty.
        max_problems: how many problems the browser of traces holds, the first ones of the manifest.
        trained_at: a budget to mark in the figure as the one that training saw.
        overlay: lay over what papers print for the task.
    """
    manifest, rows, settings = results.manifest, results.rows, results.settings
    index = {setting: number for number, setting in enumerate(settings)}
    embedded = embed(manifest.problems, results.records, settings, max_problems)
    others = published(manifest.task) if overlay else ()
    pairs = results.pairs
    shapes = lengths(results.records)
    models = short_names(row.model for row in rows)
    data = {
        "settings": [
            {
                **_setting(setting),
                "lengths": _shapes(shapes.get(setting)),
                "measured": [[getattr(row, name), getattr(row, f"{name}_se")] for name in MEASURES],
                "tenths": row.length_by_tenth,
            }
            for setting, row in zip(settings, results.reasoning, strict=True)
        ],
        "measures": [[name.replace("_", " "), about, about.startswith("share")] for name, about in MEASURES.items()],
        "models": models,
        "trace": TRACE,
        "branch": BRANCH,
        "part": PART,
        "flags": FLAGS,
        "problems": embedded.problems,
        "charts": [_chart(*chart, rows, others, trained_at) for chart in CHARTS],
        "pairs": [[index[pair.a], index[pair.b], pair.difference, pair.se, pair.num_problems] for pair in pairs],
        "trained_at": trained_at,
    }
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )
    return environment.from_string(_source("page.html")).render(
        title=title or f"{manifest.task}: {', '.join(models.values())}",
        manifest=manifest,
        config=json.dumps(manifest.config, indent=2, ensure_ascii=False),
        models=models,
        rows=rows,
        columns=columns_of(rows),
        about_strategies=about_strategies(row.strategy for row in rows),
        options=options_in_words(manifest, [row.strategy for row in rows]),
        heat=_heat(grids(rows), index),
        yardsticks=list(zip(names_of(results.yardsticks), results.yardsticks, strict=True)),
        measures=YARDSTICKS,
        equal_tokens=lines_of(results.equal_tokens),
        equal_text=cell_text,
        is_certain=is_certain,
        told=TOLD,
        yardsticks_left_out=left_out(results.yardsticks),
        pairs=pairs,
        pair_columns=PAIR_COLUMNS,
        points=points,
        p_text=p_text,
        index=index,
        others=others,
        num_records=len(results.records),
        tokens=generated_tokens(results.records),
        speeds=seconds_of(results.records),
        embedded=embedded,
        data=Markup(script_json(data)),
        styles=Markup(_source("page.css")),
        scripts=[Markup(_source(name)) for name in SCRIPTS],
    )


def _shown(value: Any) -> Any:
    """Text as it may be shown; what is HTML or a script already is left alone."""
    return value if isinstance(value, Markup) else printable(str(value))


def _source(name: str) -> str:
    return files("elastic_reasoning.report").joinpath(name).read_text(encoding="utf-8")


def _setting(setting: Setting) -> dict[str, Any]:
    """A setting with what its budget bounds: both phases apart, their total, or nothing that a record tells."""
    parsed, bounds = effective(setting.strategy, setting.budget)
    return {
        "model": setting.model,
        "strategy": setting.strategy,
        "budget": str(setting.budget),
        "thinking": parsed.thinking if bounds == "separate" else None,
        "solution": parsed.solution if bounds == "separate" else None,
        "total": parsed.total if bounds == "total" else None,
        "asked": parsed.total if bounds == "asked" else None,
    }


def _shapes(both: tuple[Histogram, Histogram] | None) -> list[list[Any]]:
    return [] if both is None else [[shape.width, shape.counts] for shape in both]


def _chart(
    over: Over, name: str, label: str, rows: Sequence[Row], others: Sequence[Published], trained_at: str
) -> dict[str, Any]:
    """One figure as plain data, with the axes that the PNG has."""
    drawn = curves(rows, over)
    laid = others if over == "used" else ()
    places = places_of(drawn, laid)
    trained = Budget.parse(trained_at) if trained_at else Budget(None, None)
    mark = {"total": trained.total, "used": None, "thinking": trained.thinking}[over]
    return {
        "id": over,
        "name": name,
        "label": label,
        "places": [places[0], next((place for place in places if place > 0), 1.0), places[-1]],
        "ticks": list(ticks_of(drawn, places, over).items()),
        "range": accuracy_range(drawn, laid),
        "mark": mark,
        "curves": [
            {
                "model": curve.model,
                "strategy": curve.strategy,
                "label": curve.label,
                "marker": number_of(curve, drawn),
                "line": [[p.x, p.accuracy, p.se, p.budget] for p in curve.line],
                "stars": [[p.x, p.accuracy, p.se, p.budget] for p in curve.stars],
            }
            for curve in drawn
        ],
        "published": [
            {
                "name": series.name,
                "line": series.line,
                "stars": series.stars,
                "across": series.across,
            }
            for series in laid
        ],
    }


def _heat(found: Sequence[Grid], index: Mapping[Setting, int]) -> list[dict[str, Any]]:
    """The grids as tables: headings, and for each s from high to low the cells, `None` for what was not run."""
    top = highest(found)

    def cell(row: Row | None) -> dict[str, Any] | None:
        if row is None or row.accuracy is None:
            return None
        share = min(1.0, row.accuracy / top)
        return {"setting": index[Setting.of(row.model, row.strategy, row.budget)], "row": row, "share": round(share, 3)}

    return [
        {
            "model": grid.model,
            "thinking": [part_text(t) for t in grid.thinking],
            "lines": [
                (part_text(s), [cell(grid.cells.get((t, s))) for t in grid.thinking]) for s in grid.solution[::-1]
            ],
        }
        for grid in found
    ]
