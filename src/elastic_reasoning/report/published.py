"""What papers print for a task, from `published.yaml`, to be laid over what was measured here.

for series in published("aime24"):
    print(series.name, [(point.place, point.accuracy) for point in series.points], series.source)
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

NO_BUDGET = "none"
THOUSAND = 1024
"""Tokens in the K of a budget as printed."""


@dataclass(frozen=True, slots=True)
class PublishedPoint:
    """One published result.

    Attributes:
        budget: as printed, "1K+1K", or "none" for thinking without limit; empty where the source does not tell.
        tokens: mean tokens used, where the source gives them.
        accuracy: in 0 to 1; `None` where the source has a rating instead.
        rating, percentile: of Codeforces.
    """

    budget: str = ""
    tokens: float | None = None
    accuracy: float | None = None
    rating: float | None = None
    percentile: float | None = None

    @property
    def place(self) -> float | None:
        """Where it stands on an axis of tokens: those used, else the whole budget, which bounds them, else nowhere."""
        if self.tokens is not None or "+" not in self.budget:
            return self.tokens
        return sum(float(part.removesuffix("K")) * THOUSAND for part in self.budget.split("+"))


@dataclass(frozen=True, slots=True)
class Published:
    """One published model under one way of budgeting.

    Attributes:
        name: as in the paper.
        source: paper or model card, and where in it.
        read_off: the numbers were read off a plot.
        points: in ascending order of budget.
    """

    name: str
    source: str
    read_off: bool
    points: tuple[PublishedPoint, ...]

    @property
    def line(self) -> list[tuple[float, float]]:
        """(place, accuracy) of the points that make a line over tokens: those under a budget."""
        return self._places(limited=True)

    @property
    def stars(self) -> list[tuple[float, float]]:
        """(place, accuracy) of the points without a budget."""
        return self._places(limited=False)

    @property
    def across(self) -> float | None:
        """The accuracy of the only point, where that has no place."""
        return self.points[0].accuracy if len(self.points) == 1 and self.points[0].place is None else None

    def _places(self, limited: bool) -> list[tuple[float, float]]:
        points = [point for point in self.points if (point.budget != NO_BUDGET) == limited]
        return [(p.place, p.accuracy) for p in points if p.place is not None and p.accuracy is not None]


def published(task: str) -> tuple[Published, ...]:
    """What is published for a task of that name, nothing for one that no paper has."""
    return tuple(_series(entry) for entry in _file().get(task, ()))


@cache
def _file() -> dict[str, list[dict[str, Any]]]:
    text = files("elastic_reasoning.report").joinpath("published.yaml").read_text(encoding="utf-8")
    data: dict[str, list[dict[str, Any]]] = yaml.safe_load(text)
    return data


def _series(entry: dict[str, Any]) -> Published:
    points = []
    for given in entry["points"]:
        point = dict(given)
        if "accuracy" in point:
            point["accuracy"] = round(point["accuracy"] / 100, 4)
        points.append(PublishedPoint(**point))
    return Published(entry["name"], entry["source"], bool(entry.get("read_off", False)), tuple(points))
