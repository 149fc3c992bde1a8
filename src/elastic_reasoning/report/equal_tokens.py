"""Strategies at equal tokens as tables: in the terminal, on the page, and as plain data.

console.print(*equal_token_tables(at_equal_tokens(records), console.width), sep="\\n")
(folder / "equal_tokens.csv").write_text(to_csv(asdict(point) for point in points), encoding="utf-8")
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from elastic_reasoning.analysis.equal_tokens import AtTokens
from elastic_reasoning.core.strategies import label_of
from elastic_reasoning.report.layout import parts_of
from elastic_reasoning.report.names import short_names

ABOUT = (
    "at equal tokens: the accuracy of the first strategy of each model at the mean tokens it spends under each budget, "
    "and by how many points the others, read off their own curves, are above or below it with as many; ± one standard "
    "error, clustered by problem; * with fewer, at its last budget"
)
CERTAIN = 2.0
"""Standard errors beyond which a difference is marked."""


@dataclass(frozen=True, slots=True)
class Line:
    """A model under a strategy: a cell for each budget of the reference, `None` where its curve has no value."""

    name: str
    cells: dict[str, AtTokens | None]


def lines_of(points: Sequence[AtTokens]) -> list[tuple[dict[str, float], list[Line]]]:
    """For each model the tokens of the reference by its budgets, and a line for each strategy, the reference first."""
    names, found = short_names(point.model for point in points), []
    for model in dict.fromkeys(point.model for point in points):
        own = [point for point in points if point.model == model]
        tokens = {point.budget: point.tokens for point in own if point.is_reference}
        strategies = sorted({p.strategy: not p.is_reference for p in own}.items(), key=lambda item: item[1])
        lines = [
            Line(
                f"{names[model]}/{label_of(strategy)}",
                {
                    budget: next((p for p in own if p.strategy == strategy and p.budget == budget), None)
                    for budget in tokens
                },
            )
            for strategy, _ in strategies
        ]
        found.append((tokens, lines))
    return found


def equal_token_tables(points: Sequence[AtTokens], width: int = 80) -> list[Table | str]:
    """A table for each model, in as many parts as a terminal of that width asks for; nothing where there is nothing."""
    tables: list[Table | str] = []
    for tokens, lines in lines_of(points):
        columns = {
            f"{budget}\n{tokens[budget]:,.0f}": [cell_text(line.cells[budget]) for line in lines] for budget in tokens
        }
        tables += parts_of([line.name for line in lines], columns, width, "budget\nmean tokens")
    return [*tables, ABOUT] if tables else []


def cell_text(point: AtTokens | None) -> str:
    """Accuracy for the reference, and for others the difference to it in points."""
    if point is None:
        return ""
    if point.is_reference:
        return f"{point.accuracy:.1%}"
    se = "" if point.difference_se is None else f" ±{100 * point.difference_se:.1f}"
    return f"{100 * point.difference:+.1f}{se}{'*' * (point.spent < point.tokens - 0.5)}"


def is_certain(point: AtTokens | None) -> bool:
    """Whether a difference is beyond what chance would easily do."""
    return (
        point is not None
        and not point.is_reference
        and point.difference_se is not None
        and abs(point.difference) > CERTAIN * point.difference_se
    )
