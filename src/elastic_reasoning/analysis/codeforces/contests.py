"""Tables of Codeforces contests, from files that were saved once: nothing here uses a network.

    contests = read_contests(Path("contests"))     # contests/1971.json, contests/1972.json, ...
    contests[1971].place(points=4000, penalty=0)

A file is named after its contest and holds what two methods of the public API (https://codeforces.com/apiHelp)
answer, their `result` each:

    {"standings": {"problems": [{"contestId": 1971, "index": "A", "points": 500}, ...],
                   "rows": [{"party": {"members": [{"handle": "..."}]}, "points": 3000, "penalty": 40}, ...]},
     "rating_changes": [{"handle": "...", "oldRating": 1500}, ...]}

`contest.standings` (with `showUnofficial=false`) and `contest.ratingChanges`; more fields do no harm. A problem without
points makes it a contest by the ICPC's rules, in which the points of a row are its solved problems.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elastic_reasoning.core.errors import TaskError
from elastic_reasoning.tasks.fields import shown
from elastic_reasoning.untrusted.json import MalformedError, decode

MOST = 1e15
KINDS = {dict: "an object", list: "a list", str: "a text", int: "a whole number", float: "a number"}


@dataclass(frozen=True, slots=True)
class Contest:
    """One contest and the people who took part in it.

    Attributes:
        number: of the contest, as 1971.
        problems: the points of each problem by its code, as 1971A; `None` by the ICPC's rules.
        standings: (points with a minus, penalty) of each rated participant, best first.
        ratings: how many of them had which rating before the contest.
    """

    number: int
    problems: Mapping[str, float | None]
    standings: Sequence[tuple[float, float]]
    ratings: Mapping[int, int]

    def place(self, points: float, penalty: float) -> int:
        """How many participants did at least as well."""
        return bisect_right(self.standings, (-points, penalty))


def read_contests(folder: Path) -> dict[int, Contest]:
    """Every `NUMBER.json` in a folder, by number.

    Raises:
        TaskError: the folder cannot be read, or a file has not the form above; the message names file and field.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".json")
    except OSError as error:
        raise TaskError(f"cannot read {folder}: {error.strerror}; pass a folder of contest tables") from None
    return {contest.number: contest for contest in map(read_contest, paths)}


def read_contest(path: Path) -> Contest:
    """One table. Only who has both a row and a rating change counts.

    Raises:
        TaskError: as in `read_contests`.
    """
    if not path.stem.isdecimal():
        raise TaskError(f"{path}: name the file after its contest, as 1971.json")
    try:
        data = decode(path.read_bytes())
    except OSError as error:
        raise TaskError(f"cannot read {path}: {error.strerror}") from None
    except MalformedError as error:
        raise TaskError(f"{path} is {error}: save it again") from None
    standings = _field(data, "standings", dict, f"{path}: file")
    where = f"{path}: standings"
    problems: dict[str, float | None] = {}
    for each, at in _items(standings, "problems", where):
        code = f"{_field(each, 'contestId', int, at)}{_field(each, 'index', str, at)}"
        problems[code] = float(_field(each, "points", (int, float), at)) if "points" in each else None
    rows: dict[str, tuple[float, float]] = {}
    for each, at in _items(standings, "rows", where):
        members = _field(_field(each, "party", dict, at), "members", list, f"{at}.party")
        if members:  # a ghost has none
            points, penalty = (float(_field(each, name, (int, float), at)) for name in ("points", "penalty"))
            rows[_field(members[0], "handle", str, f"{at}.party.members[0]")] = -points, penalty
    before = {
        _field(each, "handle", str, at): _field(each, "oldRating", int, at)
        for each, at in _items(data, "rating_changes", f"{path}: file")
    }
    rated = rows.keys() & before.keys()
    return Contest(
        int(path.stem), problems, sorted(rows[handle] for handle in rated), Counter(before[handle] for handle in rated)
    )


def _field(data: Any, name: str, kind: type | tuple[type, ...], where: str) -> Any:
    """A field of a JSON object, of that kind."""
    value = data.get(name) if isinstance(data, dict) else None
    if isinstance(value, bool) or not isinstance(value, kind) or (isinstance(value, int | float) and not _usual(value)):
        names = " or ".join(KINDS[each] for each in (kind if isinstance(kind, tuple) else (kind,)))
        found = "missing" if value is None else shown(value)
        raise TaskError(f"{where}.{name} is {found}, and must be {names}: save the API's result again")
    return value


def _usual(value: float) -> bool:
    """Whether a number is one that a contest has: not NaN, not endless, no thousand digits."""
    return -MOST < value < MOST


def _items(data: Any, name: str, where: str) -> list[tuple[Any, str]]:
    """The items of a list that is not empty, each with where it stands."""
    items = _field(data, name, list, where)
    if not items:
        raise TaskError(f"{where}.{name} is empty: save the API's result again, after the contest has been rated")
    return [(item, f"{where}.{name}[{n}]") for n, item in enumerate(items)]
