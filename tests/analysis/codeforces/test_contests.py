import json
from pathlib import Path
from typing import Any

import pytest

from contest_tables import contest_table, write_contest
from elastic_reasoning.analysis.codeforces.contests import read_contest, read_contests
from elastic_reasoning.core.errors import TaskError

TABLE = contest_table(7, [500, None], [(900, 0), (500, 3), (500, 9), (0, 0)], [1900, 1500, 1500, 800])


def changed(path: Path, *keys: Any, to: Any = None) -> Path:
    """The table with another value at a place, or without it."""
    table = json.loads(json.dumps(TABLE))
    inner = table
    for key in keys[:-1]:
        inner = inner[key]
    if to is None:
        del inner[keys[-1]]
    else:
        inner[keys[-1]] = to
    path.write_text(json.dumps(table))
    return path


def test_a_table_is_its_problems_and_its_rated_participants(tmp_path: Path) -> None:
    path = write_contest(tmp_path, 7, [500, None], [(900, 0), (500, 3), (500, 9), (0, 0)], [1900, 1500, 1500, 800])
    contest = read_contest(path)
    assert contest.number == 7
    assert contest.problems == {"7A": 500, "7B": None}
    assert contest.ratings == {1900: 1, 1500: 2, 800: 1}
    assert read_contests(tmp_path) == {7: contest}


@pytest.mark.parametrize(
    ("points", "penalty", "place"), [(901, 0, 0), (900, 0, 1), (500, 2, 1), (500, 3, 2), (500, 10, 3), (0, 0, 4)]
)
def test_a_place_counts_those_who_did_at_least_as_well(
    tmp_path: Path, points: float, penalty: float, place: int
) -> None:
    (tmp_path / "7.json").write_text(json.dumps(TABLE))
    assert read_contest(tmp_path / "7.json").place(points, penalty) == place


def test_who_has_no_rating_change_or_no_row_does_not_count(tmp_path: Path) -> None:
    assert sum(read_contest(changed(tmp_path / "7.json", "rating_changes", 1)).ratings.values()) == 3
    for keys, to in ((("rows", 0), None), (("rows", 0, "party", "members"), [])):
        contest = read_contest(changed(tmp_path / "7.json", "standings", *keys, to=to))
        assert contest.ratings == {1500: 2, 800: 1}
        assert contest.place(901, 0) == contest.place(500, 0) == 0


@pytest.mark.parametrize(
    ("keys", "to", "message"),
    [
        (("standings",), None, "file.standings is missing, and must be an object"),
        (("standings",), {"status": "OK"}, "standings.problems is missing, and must be a list"),
        (("standings", "rows"), [], "standings.rows is empty: .* after the contest has been rated"),
        (("standings", "rows", 2, "points"), "many", r"standings.rows\[2\].points is 'many', and must be a whole"),
        (("standings", "rows", 2, "penalty"), True, r"rows\[2\].penalty is True, and must be a whole number or a num"),
        (
            ("standings", "rows", 1, "party", "members", 0),
            {"name": "x"},
            r"members\[0\].handle is missing, and must be",
        ),
        (("standings", "problems", 1, "index"), 3, r"problems\[1\].index is 3, and must be a text"),
        (("rating_changes",), [], "file.rating_changes is empty"),
        (("rating_changes", 3, "oldRating"), 1.5, r"file.rating_changes\[3\].oldRating is 1.5, and must be a whole"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_field(
    tmp_path: Path, keys: tuple[Any, ...], to: Any, message: str
) -> None:
    path = changed(tmp_path / "7.json", *keys, to=to)
    with pytest.raises(TaskError, match=message) as caught:
        read_contests(tmp_path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not looked at")
    assert read_contests(tmp_path) == {}
    (tmp_path / "7.json").write_text("{")
    with pytest.raises(TaskError, match=r"7.json is not JSON .*: save it again"):
        read_contests(tmp_path)
    (tmp_path / "7.json").write_text("[]")
    with pytest.raises(TaskError, match=r"file.standings is missing"):
        read_contests(tmp_path)
    (tmp_path / "7.json").rename(tmp_path / "round.json")
    with pytest.raises(TaskError, match=r"round.json: name the file after its contest, as 1971.json"):
        read_contests(tmp_path)
    with pytest.raises(TaskError, match=r"cannot read .*: No such file or directory; pass a folder"):
        read_contests(tmp_path / "none")
